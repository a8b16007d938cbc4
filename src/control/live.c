#include "inner.h"

#include <stdlib.h>
#include <string.h>

static void lock(struct ox_control *control)
{
    (void)pthread_mutex_lock(&control->live_lock);
}

static void unlock(struct ox_control *control)
{
    (void)pthread_mutex_unlock(&control->live_lock);
}

/* --- heartbeats --- */

void ox_live_note(struct ox_control *control, const char *device_id, const json_t *metrics,
                  bool has_result, bool written)
{
    char *text = NULL;
    void *value = NULL;
    struct ox_live *live;

    if (metrics != NULL && !written && ox_json_text(metrics, &text, NULL) != OX_OK) {
        text = NULL; /* the next heartbeat tells again */
    }
    lock(control);
    if (ox_map_put(&control->seen, device_id, sizeof(*live), &value, NULL) == OX_OK) {
        live = value;
        live->seen_ms = ox_control_now(control);
        live->had_result = has_result;
        live->dirty = !written;
        if (text != NULL || written) {
            free(live->metrics);
            live->metrics = text;
            text = NULL;
        }
    }
    unlock(control);
    free(text);
}

int64_t ox_live_seen(struct ox_control *control, const char *device_id, char **metrics)
{
    const struct ox_live *live;
    int64_t seen_ms = 0;

    lock(control);
    live = ox_map_get(&control->seen, device_id);
    if (live != NULL) {
        seen_ms = live->seen_ms;
        if (metrics != NULL && ox_strdup(metrics, live->metrics, NULL) != OX_OK) {
            *metrics = NULL;
        }
    }
    unlock(control);
    return seen_ms;
}

bool ox_live_had_result(struct ox_control *control, const char *device_id)
{
    const struct ox_live *live;
    bool had = true; /* not since the start: an old result may still be repeated */

    lock(control);
    live = ox_map_get(&control->seen, device_id);
    if (live != NULL) {
        had = live->had_result;
    }
    unlock(control);
    return had;
}

void ox_live_forget(struct ox_control *control, const char *device_id)
{
    struct ox_live *live;

    lock(control);
    live = ox_map_get(&control->seen, device_id);
    if (live != NULL) {
        free(live->metrics);
        ox_map_remove(&control->seen, device_id);
    }
    unlock(control);
}

/* --- bytes --- */

/* Neither name can hold a blank, so it parts them. */
static const char *device_of(const char *key)
{
    return strchr(key, ' ') + 1;
}

static bool is_campaign(const char *key, const char *campaign_id)
{
    size_t len = strlen(campaign_id);

    return strncmp(key, campaign_id, len) == 0 && key[len] == ' ';
}

static enum ox_code find_campaign(struct ox_control *control, const char *device_id,
                                  const struct ox_digest *blob, int64_t artifact_id, char **out)
{
    struct ox_tx tx = OX_TX_INIT;
    const char *campaign = NULL;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_READ, &tx, NULL);

    if (code == OX_OK) {
        code = device_id != NULL
                   ? ox_registry_campaign_of_blob(&tx, device_id, blob, &campaign, NULL)
                   : ox_registry_campaign_of_version(&tx, artifact_id, &campaign, NULL);
    }
    if (code == OX_OK) {
        code = ox_strdup(out, campaign, NULL);
    }
    ox_registry_end(&tx);
    return code;
}

void ox_control_served(struct ox_control *control, const char *device_id,
                       const struct ox_digest *blob, int64_t artifact_id, uint64_t bytes)
{
    char *campaign = NULL;
    char *key = NULL;
    void *value = NULL;

    if (bytes == 0 || (device_id == NULL && artifact_id == 0) ||
        find_campaign(control, device_id, blob, artifact_id, &campaign) != OX_OK ||
        campaign == NULL) {
        return;
    }
    if (ox_strf(&key, NULL, "%s %s", campaign, device_id == NULL ? "" : device_id) == OX_OK) {
        lock(control);
        if (ox_map_put(&control->served, key, sizeof(uint64_t), &value, NULL) == OX_OK) {
            *(uint64_t *)value += bytes;
        }
        unlock(control);
    }
    free(key);
    free(campaign);
}

static uint64_t served_of_campaign(const struct ox_map *served, const char *campaign_id)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < served->bucket_count; i++) {
        for (const struct ox_map_entry *entry = served->buckets[i]; entry != NULL;
             entry = entry->next) {
            if (is_campaign(entry->key, campaign_id)) {
                sum += *(const uint64_t *)entry->value;
            }
        }
    }
    return sum;
}

uint64_t ox_live_served(struct ox_control *control, const char *campaign_id, const char *device_id)
{
    const uint64_t *bytes;
    char *key = NULL;
    uint64_t sum = 0;

    if (device_id != NULL && ox_strf(&key, NULL, "%s %s", campaign_id, device_id) != OX_OK) {
        return 0;
    }
    lock(control);
    if (device_id == NULL) {
        sum = served_of_campaign(&control->served, campaign_id);
    } else if ((bytes = ox_map_get(&control->served, key)) != NULL) {
        sum = *bytes;
    }
    unlock(control);
    free(key);
    return sum;
}

bool ox_live_has_served(struct ox_control *control, const char *device_id)
{
    bool has = false;

    lock(control);
    for (size_t i = 0; !has && i < control->served.bucket_count; i++) {
        for (const struct ox_map_entry *entry = control->served.buckets[i]; entry != NULL;
             entry = entry->next) {
            has = has || strcmp(device_of(entry->key), device_id) == 0;
        }
    }
    unlock(control);
    return has;
}

/* Copy what is to be written, so that no query runs under the lock. */
static enum ox_code copy_served(struct ox_control *control, const char *device_id,
                                struct ox_live_written *out, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    lock(control);
    out->keys = calloc(control->served.count + 1, sizeof(char *));
    out->bytes = calloc(control->served.count + 1, sizeof(uint64_t));
    if (out->keys == NULL || out->bytes == NULL) {
        code = ox_err_nomem(err, "byte counts");
    }
    for (size_t i = 0; code == OX_OK && i < control->served.bucket_count; i++) {
        for (const struct ox_map_entry *entry = control->served.buckets[i];
             code == OX_OK && entry != NULL; entry = entry->next) {
            if (device_id == NULL || strcmp(device_of(entry->key), device_id) == 0) {
                code = ox_strdup(&out->keys[out->count], entry->key, err);
                out->bytes[out->count] = *(const uint64_t *)entry->value;
                out->count += code == OX_OK;
            }
        }
    }
    unlock(control);
    return code;
}

enum ox_code ox_live_write_served(struct ox_control *control, struct ox_tx *tx,
                                  const char *device_id, struct ox_live_written *out,
                                  struct ox_err *err)
{
    enum ox_code code = copy_served(control, device_id, out, err);

    for (size_t i = 0; code == OX_OK && i < out->count; i++) {
        char *blank = strchr(out->keys[i], ' ');

        *blank = '\0';
        code = ox_registry_served(tx, out->keys[i], blank + 1, out->bytes[i], err);
        *blank = ' ';
    }
    return code;
}

void ox_live_written(struct ox_control *control, struct ox_live_written *written, bool durable)
{
    lock(control);
    for (size_t i = 0; i < written->count; i++) {
        uint64_t *bytes = durable ? ox_map_get(&control->served, written->keys[i]) : NULL;

        if (bytes != NULL) {
            *bytes -= written->bytes[i] < *bytes ? written->bytes[i] : *bytes;
            if (*bytes == 0) {
                ox_map_remove(&control->served, written->keys[i]);
            }
        }
        free(written->keys[i]);
    }
    unlock(control);
    free(written->keys);
    free(written->bytes);
    *written = (struct ox_live_written){0};
}

/* --- batches --- */

struct seen {
    char *device_id;
    int64_t seen_ms;
    char *metrics;
};

static enum ox_code take_seen(struct ox_control *control, struct seen **out, size_t *count,
                              struct ox_err *err)
{
    struct seen *list;
    enum ox_code code = OX_OK;

    *count = 0;
    lock(control);
    list = calloc(control->seen.count + 1, sizeof(*list));
    if (list == NULL) {
        code = ox_err_nomem(err, "a batch of heartbeats");
    }
    for (size_t i = 0; code == OX_OK && i < control->seen.bucket_count; i++) {
        for (const struct ox_map_entry *entry = control->seen.buckets[i];
             code == OX_OK && entry != NULL; entry = entry->next) {
            struct ox_live *live = entry->value;

            if (live->dirty &&
                (code = ox_strdup(&list[*count].device_id, entry->key, err)) == OX_OK) {
                list[*count].seen_ms = live->seen_ms;
                list[*count].metrics = live->metrics;
                live->metrics = NULL;
                live->dirty = false;
                (*count)++;
            }
        }
    }
    unlock(control);
    *out = list;
    return code;
}

static bool has_any_served(struct ox_control *control)
{
    bool any;

    lock(control);
    any = control->served.count > 0;
    unlock(control);
    return any;
}

/* A batch that could not be written is lost but for what the next heartbeats tell again: nobody
 * was promised it. */
enum ox_code ox_live_flush(struct ox_control *control, struct ox_err *err)
{
    struct ox_live_written written = {0};
    struct ox_tx tx = OX_TX_INIT;
    struct seen *list = NULL;
    size_t count = 0;
    enum ox_code code = take_seen(control, &list, &count, err);

    if (code == OX_OK && (count > 0 || has_any_served(control))) {
        code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);
        for (size_t i = 0; code == OX_OK && i < count; i++) {
            code = ox_registry_device_seen(&tx, list[i].device_id, list[i].seen_ms, list[i].metrics,
                                           err);
        }
        if (code == OX_OK) {
            code = ox_live_write_served(control, &tx, NULL, &written, err);
        }
        if (code == OX_OK) {
            code = ox_registry_commit(&tx, err);
        }
        /* Before the next writer may begin, or it would count the same bytes again. */
        ox_live_written(control, &written, code == OX_OK);
        ox_registry_end(&tx);
    }
    for (size_t i = 0; i < count; i++) {
        free(list[i].device_id);
        free(list[i].metrics);
    }
    free(list);
    return code;
}

void ox_live_clear(struct ox_control *control)
{
    for (size_t i = 0; i < control->seen.bucket_count; i++) {
        for (const struct ox_map_entry *entry = control->seen.buckets[i]; entry != NULL;
             entry = entry->next) {
            free(((struct ox_live *)entry->value)->metrics);
        }
    }
    ox_map_clear(&control->seen);
    ox_map_clear(&control->served);
}
