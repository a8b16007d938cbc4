#include "identity.h"

#include "live.h"
#include "recall.h"

#include "oxide/crypto/sha256.h"
#include "oxide/registry/instance.h"
#include "oxide/wire/id.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A request takes no longer: who is heard so long after another was really there after it. */
#define OVERLAP_MS 10000
/* How often a rival's last word is written. */
#define NOTE_MS 60000
/* Installations that are kept of one device. A golden image on more cards than this is found, and
 * held back, all the same. */
#define RIVALS_MAX 64
/* One that was replaced asks so seldom. */
#define REPLACED_POLL_S 3600
/* A rival that was silent for so long is forgotten, unless it made a conflict. */
#define RIVAL_KEPT_MS (7 * 24 * 3600 * (int64_t)1000)

/* --- looking --- */

/* What is answered from memory is not looked at. So only what one process says is: the next word of
 * another one is judged again. */
static enum ox_start_verdict judge(struct ox_control *control, struct ox_live_shard *shard,
                                   struct ox_live_device *device, uint64_t start,
                                   int64_t patience_ms)
{
    enum ox_start_verdict verdict;

    if (start != device->start.current) {
        ox_recall_forget(shard, device);
    }
    (void)pthread_mutex_lock(&control->starts_lock);
    verdict = ox_start_judge(&device->start, control->starts, device->id, start,
                             control->clock->mono_ms(control->clock->ctx), patience_ms);
    (void)pthread_mutex_unlock(&control->starts_lock);
    return verdict;
}

enum ox_speaker ox_identity_look(struct ox_control *control, const struct ox_device_row *device,
                                 const struct ox_installation *said)
{
    static const enum ox_speaker speakers[] = {[OX_START_FINE] = OX_SPEAKER_DEVICE,
                                               [OX_START_COPIED] = OX_SPEAKER_COPIED,
                                               [OX_START_COPY] = OX_SPEAKER_COPY};
    enum ox_start_verdict verdict = OX_START_FINE;
    uint64_t start = strtoull(said->start, NULL, 16);
    struct ox_live_shard *shard;
    struct ox_live_device *live;

    if (said->instance[0] == '\0' || device->instance == NULL) {
        return OX_SPEAKER_DEVICE;
    }
    if (strcmp(said->instance, device->instance) != 0) {
        return OX_SPEAKER_OTHER;
    }
    shard = ox_live_lock(control->live, device->id);
    live = start == 0 ? NULL : ox_live_put(control->live, shard, device->id);
    if (live != NULL) {
        verdict = judge(control, shard, live, start, ox_device_patience_ms(device));
    }
    ox_live_unlock(shard);
    return speakers[verdict];
}

/* --- what follows --- */

/* One heartbeat that is not simply the device's. */
struct hearing {
    struct ox_control *control;
    const struct ox_heartbeat *said;
    const char *address;
    const char *platform; /* JSON text */
    int64_t now_ms;
    struct ox_device_row device;
    struct ox_heartbeat_answer answer;
    bool is_device;
    bool changed;
};

static enum ox_code raise_conflict(struct hearing *hearing, struct ox_tx *tx, bool dry,
                                   struct ox_err *err)
{
    const struct ox_device_row *device = &hearing->device;
    enum ox_code code;

    if (device->conflict_ms != 0) {
        return OX_OK;
    }
    hearing->changed = true;
    if (dry) {
        return OX_OK;
    }
    ox_log(hearing->control->log, OX_LOG_WARN,
           "device %s: two installations speak under this id: it is given nothing until 'oxide "
           "device split %s' or 'oxide device replace %s'",
           device->id, device->id, device->id);
    code = ox_registry_device_set_conflict(tx, device->id, hearing->now_ms, err);
    return code == OX_OK ? ox_event(hearing->control, tx, "device.conflicted",
                                    json_pack("{s:s, s:s, s:s}", "device_id", device->id,
                                              "instance", device->instance, "other_instance",
                                              hearing->said->installation.instance),
                                    err)
                         : code;
}

/* The same for all heartbeats of one process, so that it may be told more than once. */
static enum ox_code instance_of_copy(struct hearing *hearing, struct ox_err *err)
{
    const struct ox_installation *said = &hearing->said->installation;
    char text[OX_ID_MAX + OX_INSTANCE_HEX + OX_START_HEX + 16];
    char hex[OX_DIGEST_HEX_MAX];
    struct ox_digest digest;
    int len = snprintf(text, sizeof(text), "copy %s %s %s", hearing->device.id, said->instance,
                       said->start);
    enum ox_code code = ox_sha256_bytes(text, (size_t)len, &digest, err);

    if (code == OX_OK) {
        memcpy(hearing->answer.instance, ox_digest_hex(&digest, hex), OX_INSTANCE_HEX);
    }
    return code;
}

static enum ox_code settle_copy(struct hearing *hearing, struct ox_tx *tx, enum ox_speaker speaker,
                                bool dry, struct ox_err *err)
{
    enum ox_code code = raise_conflict(hearing, tx, dry, err);

    hearing->is_device = speaker == OX_SPEAKER_COPIED;
    return code == OX_OK && !hearing->is_device ? instance_of_copy(hearing, err) : code;
}

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static enum ox_code note_rival(struct hearing *hearing, struct ox_tx *tx,
                               const struct ox_instance_row *before, bool found, bool dry,
                               struct ox_err *err)
{
    struct ox_instance_row row = *before;
    struct ox_instance_row *rows = NULL;
    size_t count = 0;
    bool news = !found || hearing->now_ms - before->last_seen_ms >= NOTE_MS ||
                hearing->now_ms < before->last_seen_ms || !same(before->address, hearing->address);
    enum ox_code code = OX_OK;

    if (!found) {
        row = (struct ox_instance_row){.device_id = hearing->device.id,
                                       .instance = hearing->said->installation.instance,
                                       .state = "rival",
                                       .first_seen_ms = hearing->now_ms};
        code = ox_registry_instances(tx, row.device_id, &rows, &count, err);
        news = count < RIVALS_MAX;
    }
    row.agent = hearing->said->agent != NULL ? hearing->said->agent : row.agent;
    row.platform = hearing->platform != NULL ? hearing->platform : row.platform;
    row.address = hearing->address != NULL ? hearing->address : row.address;
    row.last_seen_ms = hearing->now_ms;
    if (code != OX_OK || !news) {
        return code;
    }
    hearing->changed = true;
    return dry ? OX_OK : ox_registry_instance_put(tx, &row, err);
}

/* The one before was silent for long: a device that was set up anew. */
static enum ox_code take_over(struct hearing *hearing, struct ox_tx *tx, bool dry,
                              struct ox_err *err)
{
    const struct ox_device_row *device = &hearing->device;
    const char *instance = hearing->said->installation.instance;
    enum ox_code code = OX_OK;

    hearing->is_device = true;
    hearing->changed = true;
    if (dry) {
        return OX_OK;
    }
    ox_log(hearing->control->log, OX_LOG_INFO, "device %s was set up anew", device->id);
    if ((code = ox_registry_instance_remove(tx, device->id, instance, err)) == OX_OK &&
        (code = ox_registry_device_set_instance(tx, device->id, instance, hearing->now_ms, err)) ==
            OX_OK) {
        code = ox_event(hearing->control, tx, "device.reimaged",
                        json_pack("{s:s, s:s, s:s}", "device_id", device->id, "instance", instance,
                                  "earlier_instance", device->instance),
                        err);
    }
    return code;
}

static enum ox_code settle_other(struct hearing *hearing, struct ox_tx *tx, bool dry,
                                 struct ox_err *err)
{
    const struct ox_device_row *device = &hearing->device;
    int64_t patience_ms = hearing->control->reimage_after_ms;
    int64_t seen_ms = ox_device_seen_ms(hearing->control, device);
    struct ox_instance_row row = {0};
    bool found = false;
    enum ox_code code = ox_registry_instance_get(
        tx, device->id, hearing->said->installation.instance, &row, &found, err);

    if (code != OX_OK) {
        return code;
    }
    if (found && strcmp(row.state, "split") == 0) {
        return ox_strdup(&hearing->answer.device_id, row.new_id, err);
    }
    if (found && strcmp(row.state, "replaced") == 0) {
        hearing->answer.replaced = true;
        hearing->answer.poll_interval_s = REPLACED_POLL_S;
        return OX_OK;
    }
    if (found && seen_ms >= row.first_seen_ms + OVERLAP_MS) {
        code = raise_conflict(hearing, tx, dry, err);
    } else if (device->conflict_ms == 0 && patience_ms != OX_NEVER_MS &&
               hearing->now_ms - seen_ms >
                   (patience_ms == 0 ? ox_device_patience_ms(device) : patience_ms) &&
               hearing->said->models_presence != OX_ABSENT) {
        return take_over(hearing, tx, dry, err);
    }
    hearing->answer.resend = true; /* it may become the device any time */
    return code == OX_OK ? note_rival(hearing, tx, &row, found, dry, err) : code;
}

static enum ox_code settle_in(struct hearing *hearing, struct ox_tx *tx, enum ox_speaker speaker,
                              const char *device_id, bool dry, struct ox_err *err)
{
    enum ox_code code = ox_registry_device_get(tx, device_id, &hearing->device, err);

    if (code != OX_OK) {
        return code;
    }
    if (hearing->device.instance != NULL &&
        strcmp(hearing->device.instance, hearing->said->installation.instance) != 0) {
        return settle_other(hearing, tx, dry, err);
    }
    if (speaker == OX_SPEAKER_OTHER) { /* an operator was faster */
        hearing->is_device = true;
        return OX_OK;
    }
    return settle_copy(hearing, tx, speaker, dry, err);
}

static void reset(struct hearing *hearing)
{
    ox_heartbeat_answer_clear(&hearing->answer);
    hearing->is_device = hearing->changed = false;
    hearing->now_ms = ox_control_now(hearing->control);
    hearing->answer.poll_interval_s = hearing->control->told_interval_s;
}

enum ox_code ox_identity_settle(struct ox_control *control, enum ox_speaker speaker,
                                const char *device_id, const struct ox_heartbeat *said,
                                const char *address, bool *is_device, char **out,
                                struct ox_err *err)
{
    struct hearing hearing = {.control = control, .said = said, .address = address};
    struct ox_tx tx = OX_TX_INIT;
    char *platform = NULL;
    enum ox_code code = OX_OK;

    if (said->platform != NULL) {
        code = ox_json_text(said->platform, &platform, err);
        hearing.platform = platform;
    }
    reset(&hearing);
    if (code == OX_OK &&
        (code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err)) == OX_OK) {
        code = settle_in(&hearing, &tx, speaker, device_id, true, err);
    }
    ox_registry_end(&tx);
    if (code == OX_OK && hearing.changed) {
        reset(&hearing);
        if ((code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
            (code = settle_in(&hearing, &tx, speaker, device_id, false, err)) == OX_OK) {
            code = ox_registry_commit(&tx, err);
        }
        ox_registry_end(&tx);
    }
    if (code == OX_OK && !hearing.is_device) {
        hearing.answer.assignments_present = true;
        hearing.answer.time_ms = (uint64_t)hearing.now_ms;
        code = ox_heartbeat_answer_build(&hearing.answer, out, err);
    }
    *is_device = hearing.is_device;
    ox_heartbeat_answer_clear(&hearing.answer);
    free(platform);
    return code;
}

/* --- the clockwork --- */

enum ox_code ox_identity_prune(struct ox_control *control, struct ox_err *err)
{
    int64_t before_ms = ox_control_now(control) - RIVAL_KEPT_MS;
    struct ox_tx tx = OX_TX_INIT;
    bool stale = false;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err);

    if (code == OX_OK) {
        code = ox_registry_instances_stale(&tx, before_ms, &stale, err);
    }
    ox_registry_end(&tx);
    if (code == OX_OK && stale) {
        if ((code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
            (code = ox_registry_instances_prune(&tx, before_ms, err)) == OX_OK) {
            code = ox_registry_commit(&tx, err);
        }
        ox_registry_end(&tx);
    }
    return code;
}
