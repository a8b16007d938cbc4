#include "beat.h"

#include "fetch.h"
#include "oxide/base/file.h"
#include "oxide/base/pool.h"
#include "oxide/patch/oxdl.h"
#include "oxide/wire/header.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)64 << 20) /* assignments of OX_HEARTBEAT_MODELS_MAX models */
#define STALL_S 30
/* A connection is not kept for as long: to close it later costs more bytes. */
#define KEEP_MS 60000
/* Whoever drips its answer is not waited for; less than half of the watchdog's time. */
#define TOTAL_MS 300000

static json_t *platform(void)
{
    struct utsname names;
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_bytes = sysconf(_SC_PAGESIZE);

    if (uname(&names) != 0) {
        return NULL;
    }
    return json_pack("{s:s, s:s, s:i, s:I}", "arch", names.machine, "os", names.sysname,
                     "cpu_count", (int)ox_cpu_count(), "total_memory_bytes",
                     pages > 0 && page_bytes > 0 ? (json_int_t)pages * (json_int_t)page_bytes
                                                 : (json_int_t)0);
}

static int64_t offset_now_s(const struct ox_beat *beat)
{
    return ox_device_time_offset_s(ox_device_time_utc_ms(&beat->time, ox_clock_system()));
}

/* What an operator plans with. */
static void say_facts(const struct ox_agent *agent, struct ox_beat *beat,
                      struct ox_installation *out)
{
    uint64_t free_bytes = 0;
    uint64_t total_bytes = 0;

    if (beat->poll_ms / 1000 <= OX_POLL_INTERVAL_S_MAX) {
        out->poll_interval_s = (uint64_t)beat->poll_ms / 1000;
    }
    beat->told_offset_s = offset_now_s(beat);
    if (llabs(beat->told_offset_s) <= OX_UTC_OFFSET_S_MAX) {
        out->has_utc_offset = true;
        out->utc_offset_s = beat->told_offset_s;
    }
    if (ox_disk_space(agent->folders.root, &free_bytes, &total_bytes, NULL) == OX_OK &&
        free_bytes <= total_bytes && total_bytes <= INT64_MAX) {
        out->disk_free_bytes = free_bytes;
        out->disk_total_bytes = total_bytes;
    }
}

/* What goes into current_model: the model of the last commit, or any. */
static const struct ox_model_state *main_model(const struct ox_agent_state *state)
{
    const struct ox_model_state *model =
        state->last_model == NULL ? NULL : ox_state_model(state, state->last_model);

    return model == NULL && state->models_count > 0 ? &state->models[0] : model;
}

/* Build the body. All strings in the heartbeat are lent by the state, so nothing is cleared. */
static enum ox_code build(const struct ox_agent *agent, struct ox_beat *beat, bool updating,
                          char **out, struct ox_err *err)
{
    const struct ox_agent_state *state = &agent->state;
    const struct ox_model_state *model = main_model(state);
    struct ox_device_model models[OX_HEARTBEAT_MODELS_MAX];
    struct ox_heartbeat heartbeat = {
        .current_model = {model == NULL ? OX_NULL : OX_PRESENT,
                          model == NULL ? NULL : model->model_id},
        .current_version = {model == NULL ? OX_NULL : OX_PRESENT,
                            model == NULL ? NULL : model->current.version},
        .status_presence = OX_PRESENT,
        .status = updating ? OX_DEVICE_UPDATING : OX_DEVICE_ONLINE,
        .result_presence = state->has_result ? OX_PRESENT : OX_ABSENT,
        .result_failed = state->result_error != NULL,
        .result_error = state->result_error,
        .agent = (char *)agent->options->agent,
        .protocol = OX_PROTOCOL_VERSION,
        .reports = (struct ox_device_report *)state->reports,
        .reports_count = state->reports_count,
    };
    enum ox_code code;

    memcpy(heartbeat.installation.instance, agent->identity.instance, OX_INSTANCE_HEX + 1);
    memcpy(heartbeat.installation.start, agent->identity.start, OX_START_HEX + 1);
    if (beat->since_whole == 0) {
        say_facts(agent, beat, &heartbeat.installation);
        heartbeat.reads_presence = OX_PRESENT;
        heartbeat.reads = (struct ox_reads){.oxdl1 = true,
                                            .oxdl2 = true,
                                            .oxdl2_ops = OX_OXDL_OPS_KNOWN,
                                            .chains = OX_CHAIN_MAX,
                                            .removes = true};
        heartbeat.platform = platform();
        heartbeat.models_presence = OX_PRESENT;
        heartbeat.models = models;
        heartbeat.models_count = state->models_count;
        for (size_t i = 0; i < state->models_count; i++) {
            models[i] = (struct ox_device_model){state->models[i].model_id,
                                                 state->models[i].current.version,
                                                 state->models[i].current.digest};
        }
    }
    code = ox_heartbeat_build(&heartbeat, out, err);
    json_decref(heartbeat.platform);
    return code;
}

/* What there is to say: `body` or, where that is what was said last, who says it. */
static enum ox_code shorten(const struct ox_agent *agent, const struct ox_beat *beat,
                            const char *body, char **out, struct ox_err *err)
{
    struct ox_heartbeat here = {.status_presence = OX_ABSENT};

    if (beat->since_whole == 0 || beat->said == NULL || strcmp(beat->said, body) != 0) {
        *out = NULL;
        return OX_OK;
    }
    memcpy(here.installation.instance, agent->identity.instance, OX_INSTANCE_HEX + 1);
    memcpy(here.installation.start, agent->identity.start, OX_START_HEX + 1);
    return ox_heartbeat_build(&here, out, err);
}

void ox_beat_clear(struct ox_beat *beat)
{
    free(beat->said);
    beat->said = NULL;
    ox_http_free(beat->http);
    beat->http = NULL;
}

static enum ox_code explain(const struct ox_agent *agent, const struct ox_http_answer *answer,
                            struct ox_err *err)
{
    const char *id = agent->identity.device_id;
    char location[256] = "";

    if (answer->status == 404) {
        return ox_err_set(err, OX_ENOTFOUND,
                          "device %s is not registered at %s: type: oxide device accept %s "
                          "--server %s, or: oxide device register %s --server %s",
                          id, agent->options->control_plane, id, agent->options->control_plane, id,
                          agent->options->control_plane);
    }
    if (answer->status >= 300 && answer->status < 400 &&
        ox_http_answer_header(answer, "Location", location, sizeof(location))) {
        return ox_err_set(err, OX_EPROTO,
                          "the control plane has moved to %s: start the agent with that address",
                          location);
    }
    return ox_fetch_refusal(answer, "the control plane", err);
}

/* Take in what the answer says of reports. */
static void take_ack(struct ox_agent *agent, const struct ox_heartbeat_answer *answer)
{
    bool changed;

    (void)pthread_mutex_lock(&agent->lock);
    changed = answer->reports_ack_present   ? ox_state_ack(&agent->state, answer->reports_ack)
              : answer->assignments_present ? false
                                            : ox_state_drop_reports(&agent->state);
    if (changed) {
        ox_agent_save_or_log(agent);
    }
    (void)pthread_mutex_unlock(&agent->lock);
}

/* Take in what the answer calls this installation. */
static void take_identity(struct ox_beat *beat, struct ox_agent *agent, bool updating,
                          const struct ox_heartbeat_answer *answer)
{
    struct ox_identity *identity = &agent->identity;
    struct ox_err err = OX_ERR_INIT;
    char before[OX_ID_MAX + 1];
    bool changed = false;
    bool renamed;
    enum ox_code code = OX_OK;

    if (answer->replaced && !beat->replaced) {
        ox_log(agent->log, OX_LOG_WARN,
               "another installation is device %s now: this one is given nothing until 'oxide "
               "device replace %s --instance %s'",
               identity->device_id, identity->device_id, identity->instance);
    }
    beat->replaced = answer->replaced;
    if (updating) { /* told again with the next answer; the update was withdrawn */
        return;
    }
    memcpy(before, identity->device_id, sizeof(before));
    code = ox_identity_take(identity, agent->folders.identity, answer->device_id, answer->instance,
                            &changed, &err);
    renamed = code == OX_OK && strcmp(before, identity->device_id) != 0;
    if (renamed) {
        ox_log(agent->log, OX_LOG_WARN, "the control plane calls this device %s, no longer %s",
               identity->device_id, before);
        (void)pthread_mutex_lock(&agent->lock);
        code = ox_state_rename(&agent->state, identity->device_id, &err);
        if (code == OX_OK) {
            ox_agent_save_or_log(agent);
        }
        (void)pthread_mutex_unlock(&agent->lock);
    } else if (changed && code == OX_OK) {
        ox_log(agent->log, OX_LOG_WARN,
               "this installation is a copy of another one: it has an instance id of its own now");
    }
    if (code != OX_OK) {
        ox_log(agent->log, OX_LOG_ERROR, "%s", err.msg);
    }
    if (changed) {
        beat->since_whole = 0;
    }
}

enum ox_code ox_beat_send(struct ox_beat *beat, struct ox_agent *agent, bool updating,
                          struct ox_heartbeat_answer *out, struct ox_err *err)
{
    static const char *const headers[] = {"Content-Type: " OX_MEDIA_JSON, NULL};
    static const char *const bare_headers[] = {"Content-Type: " OX_MEDIA_JSON, "Accept:", NULL};
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;
    char *url = NULL;
    char *body = NULL;
    char *brief = NULL;
    int64_t sent_mono_ms = 0;
    int64_t received_mono_ms = 0;
    enum ox_code code = ox_strf(&url, err, "%s/api/v1/devices/%s/heartbeat",
                                agent->options->control_plane, agent->identity.device_id);

    if (code == OX_OK) {
        (void)pthread_mutex_lock(&agent->lock);
        code = build(agent, beat, updating, &body, err);
        (void)pthread_mutex_unlock(&agent->lock);
    }
    if (code == OX_OK && (code = shorten(agent, beat, body, &brief, err)) == OX_OK) {
        const char *text = brief != NULL ? brief : body;

        sent_mono_ms = ox_clock_system()->mono_ms(NULL);
        code = ox_http_perform(
            beat->http,
            &(struct ox_http_request){.method = "POST",
                                      .url = url,
                                      .headers = brief != NULL ? bare_headers : headers,
                                      .bare = brief != NULL,
                                      .close_after = beat->poll_ms >= KEEP_MS,
                                      .body = text,
                                      .body_len = strlen(text),
                                      .answer_max_bytes = ANSWER_MAX,
                                      .stall_s = STALL_S,
                                      .total_ms = beat->total_ms == 0 ? TOTAL_MS : beat->total_ms,
                                      .stop = agent->stop},
            &answer, err);
        received_mono_ms = ox_clock_system()->mono_ms(NULL);
    }
    beat->rest_s = 0;
    if ((code == OX_OK || code == OX_ETOOBIG) && answer.status != 0 && answer.status != 200) {
        code = explain(agent, &answer, err); /* however long its words are */
        beat->rest_s = code == OX_ENET ? ox_http_retry_after_s(&answer) : 0;
    }
    if (code == OX_OK) {
        code = ox_heartbeat_answer_parse(answer.body.data == NULL ? (const uint8_t *)""
                                                                  : answer.body.data,
                                         answer.body.len_bytes, out, err);
    }
    if (code == OX_OK) {
        ox_device_time_take(&beat->time, out->time_ms, sent_mono_ms, received_mono_ms);
        beat->since_whole = out->resend || offset_now_s(beat) != beat->told_offset_s
                                ? 0
                                : (beat->since_whole + 1) % OX_BEAT_WHOLE_EVERY;
        take_ack(agent, out);
        take_identity(beat, agent, updating, out);
        free(beat->said); /* who knows nothing of assignments is told all again */
        beat->said = out->assignments_present ? body : NULL;
        body = out->assignments_present ? NULL : body;
    } else if (!beat->metered || code == OX_ENOTFOUND) { /* a server that is new to us: all of it */
        beat->since_whole = 0;
    }
    ox_http_answer_clear(&answer);
    free(brief);
    free(body);
    free(url);
    return code;
}
