#include "live.h"

#include "oxide/crypto/xxh64.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST 4

/* Devices whose last-seen times are written in one transaction: each holds up the reports of others
 * for some ms. */
#define BATCH 1000

enum ox_code ox_live_new(struct ox_live **out, uint64_t seed, struct ox_err *err)
{
    struct ox_live *live = calloc(1, sizeof(*live));

    if (live == NULL) {
        return ox_err_nomem(err, "what devices say");
    }
    live->seed = seed;
    atomic_init(&live->epoch, 1);
    for (size_t i = 0; i < OX_LIVE_SHARDS; i++) {
        (void)pthread_mutex_init(&live->shards[i].lock, NULL);
    }
    *out = live;
    return OX_OK;
}

static void free_device(struct ox_live_device *device)
{
    free(device->metrics);
    free(device->answer);
    free(device);
}

void ox_live_free(struct ox_live *live)
{
    if (live == NULL) {
        return;
    }
    for (size_t i = 0; i < OX_LIVE_SHARDS; i++) {
        struct ox_live_shard *shard = &live->shards[i];

        for (size_t j = 0; j < shard->bucket_count; j++) {
            while (shard->buckets[j] != NULL) {
                struct ox_live_device *next = shard->buckets[j]->next;

                free_device(shard->buckets[j]);
                shard->buckets[j] = next;
            }
        }
        free(shard->buckets);
        (void)pthread_mutex_destroy(&shard->lock);
    }
    free(live);
}

/* --- the table --- */

static uint64_t hash_of(const struct ox_live *live, const char *device_id)
{
    return ox_xxh64(device_id, strlen(device_id), live->seed);
}

static struct ox_live_device **bucket_of(const struct ox_live *live,
                                         const struct ox_live_shard *shard, const char *device_id)
{
    size_t at = (size_t)(hash_of(live, device_id) / OX_LIVE_SHARDS) & (shard->bucket_count - 1);

    return &shard->buckets[at];
}

struct ox_live_shard *ox_live_lock(struct ox_live *live, const char *device_id)
{
    struct ox_live_shard *shard = &live->shards[hash_of(live, device_id) % OX_LIVE_SHARDS];

    (void)pthread_mutex_lock(&shard->lock);
    return shard;
}

void ox_live_unlock(struct ox_live_shard *shard)
{
    (void)pthread_mutex_unlock(&shard->lock);
}

struct ox_live_device *ox_live_get(struct ox_live *live, struct ox_live_shard *shard,
                                   const char *device_id)
{
    struct ox_live_device *device =
        shard->bucket_count == 0 ? NULL : *bucket_of(live, shard, device_id);

    while (device != NULL && strcmp(device->id, device_id) != 0) {
        device = device->next;
    }
    return device;
}

static bool grow(struct ox_live *live, struct ox_live_shard *shard)
{
    struct ox_live_shard grown = {
        .bucket_count = shard->bucket_count == 0 ? BUCKETS_FIRST : shard->bucket_count * 2};

    grown.buckets = calloc(grown.bucket_count, sizeof(struct ox_live_device *));
    if (grown.buckets == NULL) {
        return false;
    }
    for (size_t i = 0; i < shard->bucket_count; i++) {
        struct ox_live_device *next;

        for (struct ox_live_device *device = shard->buckets[i]; device != NULL; device = next) {
            struct ox_live_device **bucket = bucket_of(live, &grown, device->id);

            next = device->next;
            device->next = *bucket;
            *bucket = device;
        }
    }
    free(shard->buckets);
    shard->buckets = grown.buckets;
    shard->bucket_count = grown.bucket_count;
    return true;
}

struct ox_live_device *ox_live_put(struct ox_live *live, struct ox_live_shard *shard,
                                   const char *device_id)
{
    struct ox_live_device *device = ox_live_get(live, shard, device_id);
    struct ox_live_device **bucket;

    if (device != NULL || (shard->count >= shard->bucket_count && !grow(live, shard))) {
        return device;
    }
    device = calloc(1, sizeof(*device) + strlen(device_id) + 1);
    if (device != NULL) {
        bucket = bucket_of(live, shard, device_id);
        memcpy(device->id, device_id, strlen(device_id));
        device->next = *bucket;
        *bucket = device;
        shard->count++;
    }
    return device;
}

/* --- heartbeats --- */

void ox_live_note(struct ox_control *control, const char *device_id, const json_t *metrics,
                  bool has_result, bool written)
{
    struct ox_live_shard *shard;
    struct ox_live_device *device;
    char *text = NULL;

    if (metrics != NULL && !written && ox_json_text(metrics, &text, NULL) != OX_OK) {
        text = NULL; /* the next heartbeat tells again */
    }
    shard = ox_live_lock(control->live, device_id);
    device = ox_live_put(control->live, shard, device_id);
    if (device != NULL) {
        device->seen_ms = ox_control_now(control);
        device->had_result = has_result;
        device->dirty = !written;
        if (text != NULL || written) {
            free(device->metrics);
            device->metrics = text;
            text = NULL;
        }
    }
    ox_live_unlock(shard);
    free(text);
}

int64_t ox_live_seen(struct ox_control *control, const char *device_id, char **metrics)
{
    struct ox_live_shard *shard = ox_live_lock(control->live, device_id);
    const struct ox_live_device *device = ox_live_get(control->live, shard, device_id);
    int64_t seen_ms = 0;

    if (device != NULL) {
        seen_ms = device->seen_ms;
        if (metrics != NULL && ox_strdup(metrics, device->metrics, NULL) != OX_OK) {
            *metrics = NULL;
        }
    }
    ox_live_unlock(shard);
    return seen_ms;
}

bool ox_live_had_result(struct ox_control *control, const char *device_id)
{
    struct ox_live_shard *shard = ox_live_lock(control->live, device_id);
    const struct ox_live_device *device = ox_live_get(control->live, shard, device_id);
    /* Not since the start: an old result may still be repeated. */
    bool had = device == NULL || device->seen_ms == 0 || device->had_result;

    ox_live_unlock(shard);
    return had;
}

void ox_live_forget(struct ox_control *control, const char *device_id)
{
    struct ox_live_shard *shard = ox_live_lock(control->live, device_id);
    struct ox_live_device *device = ox_live_get(control->live, shard, device_id);

    if (device != NULL) {
        struct ox_live_device **at = bucket_of(control->live, shard, device_id);

        while (*at != device) {
            at = &(*at)->next;
        }
        *at = device->next;
        shard->count--;
        free_device(device);
    }
    ox_live_unlock(shard);
}

/* --- batches --- */

struct seen {
    char *device_id;
    int64_t seen_ms;
    char *metrics;
};
struct batch {
    struct seen *list;
    size_t count;
    size_t room;
};

static enum ox_code take_device(struct ox_live_device *device, struct batch *out,
                                struct ox_err *err)
{
    enum ox_code code;

    if (out->count == out->room) {
        size_t room = out->room == 0 ? 64 : out->room * 2;
        struct seen *grown = realloc(out->list, room * sizeof(*grown));

        if (grown == NULL) {
            return ox_err_nomem(err, "a batch of heartbeats");
        }
        out->list = grown;
        out->room = room;
    }
    code = ox_strdup(&out->list[out->count].device_id, device->id, err);
    if (code == OX_OK) {
        out->list[out->count].seen_ms = device->seen_ms;
        out->list[out->count].metrics = device->metrics;
        out->count++;
        device->metrics = NULL;
        device->dirty = false;
    }
    return code;
}

static enum ox_code take_seen(struct ox_live *live, struct batch *out, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < OX_LIVE_SHARDS; i++) {
        struct ox_live_shard *shard = &live->shards[i];

        (void)pthread_mutex_lock(&shard->lock);
        for (size_t j = 0; code == OX_OK && j < shard->bucket_count; j++) {
            for (struct ox_live_device *device = shard->buckets[j]; code == OX_OK && device != NULL;
                 device = device->next) {
                code = device->dirty ? take_device(device, out, err) : OX_OK;
            }
        }
        (void)pthread_mutex_unlock(&shard->lock);
    }
    return code;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct seen *)a)->device_id, ((const struct seen *)b)->device_id);
}

static enum ox_code write_batch(struct ox_control *control, const struct seen *list, size_t count,
                                struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        code =
            ox_registry_device_seen(&tx, list[i].device_id, list[i].seen_ms, list[i].metrics, err);
    }
    if (code == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    return code;
}

static enum ox_code write_served(struct ox_control *control, struct ox_err *err)
{
    struct ox_live_written written = {0};
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code;

    if (!ox_served_any(control)) {
        return OX_OK;
    }
    code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);
    if (code == OX_OK &&
        (code = ox_live_write_served(control, &tx, NULL, &written, err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_live_written(control, &written, code == OX_OK);
    ox_registry_end(&tx);
    return code;
}

/* In the order of ids, so that devices whose rows lie together are written together. A batch that
 * could not be written is lost but for what the next heartbeats tell again: nobody was promised
 * it. */
enum ox_code ox_live_flush(struct ox_control *control, struct ox_err *err)
{
    struct batch all = {NULL, 0, 0};
    enum ox_code code = take_seen(control->live, &all, err);

    if (all.count > 0) {
        qsort(all.list, all.count, sizeof(*all.list), by_id);
    }
    for (size_t i = 0; code == OX_OK && i < all.count; i += BATCH) {
        code =
            write_batch(control, &all.list[i], all.count - i < BATCH ? all.count - i : BATCH, err);
    }
    if (code == OX_OK) {
        code = write_served(control, err);
    }
    for (size_t i = 0; i < all.count; i++) {
        free(all.list[i].device_id);
        free(all.list[i].metrics);
    }
    free(all.list);
    return code;
}
