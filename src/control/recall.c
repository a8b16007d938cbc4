#include "recall.h"

#include "oxide/crypto/xxh64.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whatever was forgotten in registry/touch.c is wrong for so long at the most; of ten heartbeats a
 * minute apart nine are answered from memory all the same. */
#define KEPT_MAX_MS ((int64_t)10 * 60 * 1000)

/* --- what a heartbeat says, but for its metrics --- */

struct said {
    uint64_t sum;
    const char *metrics; /* lent; NULL: none */
    size_t metrics_len;
};

static bool sum_up(const struct ox_control *control, const void *body, size_t len_bytes,
                   struct said *out)
{
    const char *text = body;
    size_t begin = 0;
    size_t end = 0;
    struct ox_xxh64 sum;

    if (!ox_heartbeat_metrics_span(text, len_bytes, &begin, &end)) {
        return false;
    }
    ox_xxh64_init(&sum, control->live->seed);
    ox_xxh64_update(&sum, text, begin);
    if (end > begin) { /* there, whatever they are */
        ox_xxh64_update(&sum, "{}", 2);
        ox_xxh64_update(&sum, text + end, len_bytes - end);
    } else {
        ox_xxh64_update(&sum, text + begin, len_bytes - begin);
    }
    out->sum = ox_xxh64_final(&sum);
    out->metrics = end > begin ? text + begin : NULL;
    out->metrics_len = end - begin;
    return true;
}

/* --- keeping --- */

struct ox_recall_mark ox_recall_mark(struct ox_control *control, const char *device_id)
{
    struct ox_live_shard *shard = ox_live_lock(control->live, device_id);
    struct ox_recall_mark mark = {atomic_load(&control->live->epoch), shard->touches};

    ox_live_unlock(shard);
    return mark;
}

static bool is_current(struct ox_control *control, const struct ox_live_shard *shard,
                       struct ox_recall_mark mark)
{
    return mark.epoch == atomic_load(&control->live->epoch) && mark.touches == shard->touches;
}

static bool has_open_place(struct ox_control *control, const char *device_id)
{
    struct ox_tx tx = OX_TX_INIT;
    bool open = true;

    if (ox_registry_begin(control->registry, OX_TX_READ, &tx, NULL) != OX_OK ||
        ox_registry_device_is_open(&tx, device_id, &open, NULL) != OX_OK) {
        open = true;
    }
    ox_registry_end(&tx);
    return open;
}

/* The place of the time in an answer, which is another one in each; 0: it tells none. Nothing that
 * is told can hold the key: quotes in texts are escaped. */
static size_t time_of(const char *text)
{
    static const char key[] = "\"time\":";
    const char *at = strstr(text, key);

    return at == NULL || strspn(at + strlen(key), "0123456789") != OX_ANSWER_TIME_DIGITS
               ? 0
               : (size_t)(at - text) + strlen(key);
}

static void set_time(char *text, size_t at, int64_t now_ms)
{
    uint64_t rest = (uint64_t)now_ms;

    for (size_t i = OX_ANSWER_TIME_DIGITS; at != 0 && i-- > 0; rest /= 10) {
        text[at + i] = (char)('0' + rest % 10);
    }
}

/* The same but for its time? */
static bool is_same(const struct ox_answer *answer, const char *text)
{
    size_t at = answer->time_at;
    size_t behind = at == 0 ? 0 : at + OX_ANSWER_TIME_DIGITS;

    return strlen(text) == answer->len && time_of(text) == at &&
           memcmp(answer->text, text, at) == 0 && strcmp(answer->text + behind, text + behind) == 0;
}

static struct ox_answer *new_answer(struct ox_control *control, const char *text)
{
    size_t len = strlen(text);
    struct ox_answer *answer = malloc(sizeof(*answer) + len + 1);

    if (answer != NULL) {
        *answer = (struct ox_answer){.epoch = atomic_load(&control->live->epoch),
                                     .kept_ms = ox_control_now(control),
                                     .time_at = time_of(text),
                                     .len = len};
        memcpy(answer->text, text, len + 1);
    }
    return answer;
}

/* Is this what it would be told again? */
static bool is_still(const struct ox_control *control, const struct ox_answer *answer)
{
    int64_t age_ms = answer == NULL ? -1 : ox_control_now(control) - answer->kept_ms;

    return age_ms >= 0 && age_ms < KEPT_MAX_MS &&
           answer->epoch == atomic_load(&control->live->epoch);
}

static size_t body_of(const struct ox_answer *answer, uint64_t sum)
{
    size_t i = 0;

    while (i < answer->bodies_count && answer->bodies[i].sum != sum) {
        i++;
    }
    return i;
}

static void keep(struct ox_control *control, struct ox_live_device *device, uint64_t sum,
                 const char *text)
{
    struct ox_answer *answer = device->answer;

    if (!is_still(control, answer) || !is_same(answer, text)) {
        free(device->answer);
        answer = device->answer = new_answer(control, text);
    }
    if (answer != NULL && body_of(answer, sum) == answer->bodies_count) {
        if (answer->bodies_count == OX_RECALL_BODIES) {
            answer->bodies_count = 0;
        }
        answer->bodies[answer->bodies_count].sum = sum;
        answer->bodies[answer->bodies_count].has_result = device->had_result;
        answer->bodies_count++;
    }
}

void ox_recall_keep(struct ox_control *control, const char *device_id, struct ox_recall_mark mark,
                    const void *body, size_t len_bytes, const char *answer)
{
    struct ox_live_shard *shard;
    struct ox_live_device *device;
    struct said said;
    bool current;

    shard = ox_live_lock(control->live, device_id);
    current = is_current(control, shard, mark);
    ox_live_unlock(shard);
    /* The order matters: what is written after the query is seen by the second look. */
    if (!current || !sum_up(control, body, len_bytes, &said) ||
        has_open_place(control, device_id)) {
        return;
    }
    shard = ox_live_lock(control->live, device_id);
    device = ox_live_get(control->live, shard, device_id);
    if (device != NULL && is_current(control, shard, mark)) {
        keep(control, device, said.sum, answer);
    }
    ox_live_unlock(shard);
}

void ox_recall_forget(struct ox_live_shard *shard, struct ox_live_device *device)
{
    shard->touches++;
    free(device->answer);
    device->answer = NULL;
}

void ox_recall_changed(void *ctx, const char *device_id)
{
    struct ox_control *control = ctx;
    struct ox_live_shard *shard;
    struct ox_live_device *device;

    if (device_id == NULL) {
        (void)atomic_fetch_add(&control->live->epoch, 1);
        return;
    }
    shard = ox_live_lock(control->live, device_id);
    device = ox_live_get(control->live, shard, device_id);
    if (device != NULL) {
        ox_recall_forget(shard, device);
    } else {
        shard->touches++;
    }
    ox_live_unlock(shard);
}

/* --- recalling --- */

/* Metrics as they are kept; false where the long way has to tell what is wrong with them. */
static bool metrics_text(const struct said *said, char **out)
{
    json_t *json = NULL;
    bool ok = said->metrics == NULL;

    if (!ok && ox_heartbeat_metrics_are_plain(said->metrics, said->metrics_len)) {
        *out = strndup(said->metrics, said->metrics_len);
        return *out != NULL;
    }
    if (!ok && ox_json_parse_object(said->metrics, said->metrics_len, &json, NULL) == OX_OK) {
        ok = ox_json_text(json, out, NULL) == OX_OK;
    }
    json_decref(json);
    return ok;
}

static char *recall(struct ox_control *control, struct ox_live_device *device,
                    const struct said *said, char **metrics)
{
    const struct ox_answer *answer = device == NULL ? NULL : device->answer;
    size_t body = is_still(control, answer) ? body_of(answer, said->sum) : SIZE_MAX;
    char *text = NULL;

    if (body == SIZE_MAX || body == answer->bodies_count ||
        (text = malloc(answer->len + 1)) == NULL) {
        return NULL;
    }
    memcpy(text, answer->text, answer->len + 1);
    device->seen_ms = ox_control_now(control);
    set_time(text, answer->time_at, device->seen_ms);
    device->had_result = answer->bodies[body].has_result;
    device->dirty = true;
    if (*metrics != NULL) {
        free(device->metrics);
        device->metrics = *metrics;
        *metrics = NULL;
    }
    return text;
}

bool ox_control_heartbeat_again(struct ox_control *control, const char *id, const void *body,
                                size_t len_bytes, char **out)
{
    struct ox_live_shard *shard;
    struct said said;
    char *metrics = NULL;
    char *text;

    if (!sum_up(control, body, len_bytes, &said) || !metrics_text(&said, &metrics)) {
        return false;
    }
    shard = ox_live_lock(control->live, id);
    text = recall(control, ox_live_get(control->live, shard, id), &said, &metrics);
    ox_live_unlock(shard);
    free(metrics);
    if (text != NULL) {
        ox_count_beat(control, OX_BEAT_MEMORY);
        *out = text;
    }
    return text != NULL;
}
