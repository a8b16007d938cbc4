#include "inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Devices with bytes that are not written yet, and blobs of one: past them bytes are not counted.
 * Each report and each batch (control.c) makes room. */
#define DEVICES_MAX ((size_t)1 << 18)
#define ENTRIES_MAX 256

/* Bytes of one blob that went to one device, or of one version to nobody in particular. No query
 * runs while they are served: which campaign they are for is found when they are written or
 * shown. */
struct entry {
    struct ox_digest blob;
    int64_t artifact_id;                   /* 0: a blob */
    char campaign[OX_SERVED_CAMPAIGN_MAX]; /* "": not found yet */
    uint64_t bytes;
    uint64_t writing; /* of them, in a transaction under way */
};
struct device {
    struct entry *entries;
    size_t count;
};

struct ox_served_item {
    char *device_id;
    struct entry entry;
};

struct ox_served {
    pthread_mutex_t lock;
    struct ox_map devices;        /* id, "" for nobody -> struct device */
    struct ox_map campaigns;      /* id -> uint64_t, bytes of its entries */
    struct ox_live_written fresh; /* entries whose campaign nobody has asked for yet */
};

static enum ox_code add_item(struct ox_live_written *list, const char *device_id,
                             const struct entry *entry, struct ox_err *err)
{
    struct ox_served_item *grown = list->items;

    if ((list->count & (list->count - 1)) == 0) { /* full at powers of two */
        grown = realloc(list->items, (list->count == 0 ? 1 : list->count * 2) * sizeof(*grown));
        if (grown == NULL) {
            return ox_err_nomem(err, "byte counts");
        }
        list->items = grown;
    }
    grown[list->count].entry = *entry;
    return ox_strdup(&grown[list->count].device_id, device_id, err) == OX_OK
               ? (list->count++, OX_OK)
               : OX_ENOMEM;
}

static void clear_list(struct ox_live_written *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].device_id);
    }
    free(list->items);
    *list = (struct ox_live_written){0};
}

enum ox_code ox_served_new(struct ox_served **out, struct ox_err *err)
{
    struct ox_served *served = calloc(1, sizeof(*served));

    if (served == NULL) {
        return ox_err_nomem(err, "byte counts");
    }
    (void)pthread_mutex_init(&served->lock, NULL);
    *out = served;
    return OX_OK;
}

void ox_served_free(struct ox_served *served)
{
    if (served == NULL) {
        return;
    }
    for (size_t i = 0; i < served->devices.bucket_count; i++) {
        for (const struct ox_map_entry *at = served->devices.buckets[i]; at != NULL;
             at = at->next) {
            free(((struct device *)at->value)->entries);
        }
    }
    ox_map_clear(&served->devices);
    ox_map_clear(&served->campaigns);
    clear_list(&served->fresh);
    (void)pthread_mutex_destroy(&served->lock);
    free(served);
}

/* --- counting, with the lock --- */

static struct entry *find(const struct device *device, const struct ox_digest *blob,
                          int64_t artifact_id)
{
    for (size_t i = 0; device != NULL && i < device->count; i++) {
        struct entry *entry = &device->entries[i];

        if (entry->artifact_id == artifact_id && ox_digest_equal(&entry->blob, blob)) {
            return entry;
        }
    }
    return NULL;
}

static struct entry *append(struct device *device)
{
    struct entry *grown;

    if (device->count == ENTRIES_MAX) {
        return NULL;
    }
    grown = realloc(device->entries, (device->count + 1) * sizeof(*grown));
    if (grown == NULL) {
        return NULL;
    }
    device->entries = grown;
    grown[device->count] = (struct entry){.bytes = 0};
    return &grown[device->count++];
}

/* Entries whose campaign is not found yet are of "", which nobody asks for. */
static void add_to_campaign(struct ox_served *served, const char *campaign, int64_t bytes)
{
    void *value = NULL;
    uint64_t *sum;

    if (campaign[0] != '\0' &&
        ox_map_put(&served->campaigns, campaign, sizeof(*sum), &value, NULL) == OX_OK) {
        sum = value;
        *sum = bytes < 0 && *sum < (uint64_t)-bytes ? 0 : *sum + (uint64_t)bytes;
        if (*sum == 0) {
            ox_map_remove(&served->campaigns, campaign);
        }
    }
}

static void drop(struct ox_served *served, const char *device_id, struct device *device,
                 struct entry *entry)
{
    *entry = device->entries[--device->count];
    if (device->count == 0) {
        free(device->entries);
        ox_map_remove(&served->devices, device_id);
    }
}

void ox_control_served(struct ox_control *control, const char *device_id,
                       const struct ox_digest *blob, int64_t artifact_id, uint64_t bytes)
{
    struct ox_served *served = control->served;
    const char *name = device_id == NULL ? "" : device_id;
    struct device *device;
    struct entry *entry;
    void *value;

    if (bytes == 0 || (device_id == NULL && artifact_id == 0)) {
        return;
    }
    (void)pthread_mutex_lock(&served->lock);
    value = ox_map_get(&served->devices, name);
    if (value == NULL &&
        (served->devices.count >= DEVICES_MAX ||
         ox_map_put(&served->devices, name, sizeof(*device), &value, NULL) != OX_OK)) {
        goto out;
    }
    device = value;
    entry = find(device, blob, artifact_id);
    if (entry == NULL && (entry = append(device)) != NULL) {
        entry->blob = *blob;
        entry->artifact_id = artifact_id;
        if (add_item(&served->fresh, name, entry, NULL) != OX_OK) {
            drop(served, name, device, entry);
            goto out;
        }
    }
    if (entry != NULL) {
        entry->bytes += bytes;
        add_to_campaign(served, entry->campaign, (int64_t)bytes);
    } else if (device->count == 0) {
        ox_map_remove(&served->devices, name);
    }
out:
    (void)pthread_mutex_unlock(&served->lock);
}

bool ox_served_any(struct ox_control *control)
{
    bool any;

    (void)pthread_mutex_lock(&control->served->lock);
    any = control->served->devices.count > 0;
    (void)pthread_mutex_unlock(&control->served->lock);
    return any;
}

uint64_t ox_live_served(struct ox_control *control, const char *campaign_id, const char *device_id)
{
    const struct device *device = NULL;
    const uint64_t *all = NULL;
    uint64_t sum = 0;

    (void)pthread_mutex_lock(&control->served->lock);
    if (device_id == NULL) {
        all = ox_map_get(&control->served->campaigns, campaign_id);
        sum = all == NULL ? 0 : *all;
    } else {
        device = ox_map_get(&control->served->devices, device_id);
    }
    for (size_t i = 0; device != NULL && i < device->count; i++) {
        if (strcmp(device->entries[i].campaign, campaign_id) == 0) {
            sum += device->entries[i].bytes;
        }
    }
    (void)pthread_mutex_unlock(&control->served->lock);
    return sum;
}

/* --- lists of them, so that no query runs under the lock --- */

typedef bool want_fn(const struct entry *entry);

static bool is_not_found(const struct entry *entry)
{
    return entry->campaign[0] == '\0';
}

static bool is_to_write(const struct entry *entry)
{
    return entry->campaign[0] != '\0' && entry->bytes > entry->writing;
}

static enum ox_code list_device(const char *device_id, struct device *device, want_fn *want,
                                bool to_write, struct ox_live_written *out, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && device != NULL && i < device->count; i++) {
        struct entry *entry = &device->entries[i];

        if (want(entry) && (code = add_item(out, device_id, entry, err)) == OX_OK && to_write) {
            out->items[out->count - 1].entry.bytes = entry->bytes - entry->writing;
            entry->writing = entry->bytes;
        }
    }
    return code;
}

/* What `want` picks of one device, or of all with NULL; to_write: it is being written now. */
static enum ox_code list(struct ox_control *control, const char *device_id, want_fn *want,
                         bool to_write, struct ox_live_written *out, struct ox_err *err)
{
    const struct ox_map *devices = &control->served->devices;
    enum ox_code code = OX_OK;

    (void)pthread_mutex_lock(&control->served->lock);
    if (device_id != NULL) {
        code = list_device(device_id, ox_map_get(devices, device_id), want, to_write, out, err);
    }
    for (size_t i = 0; device_id == NULL && code == OX_OK && i < devices->bucket_count; i++) {
        for (const struct ox_map_entry *at = devices->buckets[i]; code == OX_OK && at != NULL;
             at = at->next) {
            code = list_device(at->key, at->value, want, to_write, out, err);
        }
    }
    (void)pthread_mutex_unlock(&control->served->lock);
    return code;
}

/* --- whose they are --- */

/* What no campaign is about is forgotten. */
static void set_campaign(struct ox_served *served, const struct ox_served_item *item,
                         const char *campaign)
{
    struct device *device;
    struct entry *entry;

    (void)pthread_mutex_lock(&served->lock);
    device = ox_map_get(&served->devices, item->device_id);
    entry = find(device, &item->entry.blob, item->entry.artifact_id);
    if (entry != NULL && campaign != NULL && is_not_found(entry)) {
        (void)snprintf(entry->campaign, sizeof(entry->campaign), "%s", campaign);
        add_to_campaign(served, campaign, (int64_t)entry->bytes);
    } else if (entry != NULL && is_not_found(entry)) {
        drop(served, item->device_id, device, entry);
    }
    (void)pthread_mutex_unlock(&served->lock);
}

/* The fresh ones of all devices, or what is not found yet of one. */
static enum ox_code take_fresh(struct ox_control *control, const char *device_id,
                               struct ox_live_written *out, struct ox_err *err)
{
    struct ox_served *served = control->served;

    if (device_id != NULL) {
        return list(control, device_id, is_not_found, false, out, err);
    }
    (void)pthread_mutex_lock(&served->lock);
    *out = served->fresh;
    served->fresh = (struct ox_live_written){0};
    (void)pthread_mutex_unlock(&served->lock);
    return OX_OK;
}

static void put_back(struct ox_served *served, const struct ox_live_written *left, size_t from)
{
    (void)pthread_mutex_lock(&served->lock);
    for (size_t i = from; i < left->count; i++) {
        (void)(add_item(&served->fresh, left->items[i].device_id, &left->items[i].entry, NULL) ==
               OX_OK); /* without memory it stays with the device, whose next report finds it */
    }
    (void)pthread_mutex_unlock(&served->lock);
}

enum ox_code ox_served_find(struct ox_control *control, struct ox_tx *tx, const char *device_id,
                            struct ox_err *err)
{
    struct ox_live_written found = {0};
    enum ox_code code = take_fresh(control, device_id, &found, err);

    for (size_t i = 0; code == OX_OK && i < found.count; i++) {
        const struct ox_served_item *item = &found.items[i];
        const char *campaign = NULL;

        code = item->device_id[0] != '\0'
                   ? ox_registry_campaign_of_blob(tx, item->device_id, &item->entry.blob, &campaign,
                                                  err)
                   : ox_registry_campaign_of_version(tx, item->entry.artifact_id, &campaign, err);
        if (code == OX_OK) {
            set_campaign(control->served, item, campaign);
        } else if (device_id == NULL) {
            put_back(control->served, &found, i);
        }
    }
    clear_list(&found);
    return code;
}

/* --- writing --- */

enum ox_code ox_live_write_served(struct ox_control *control, struct ox_tx *tx,
                                  const char *device_id, struct ox_live_written *out,
                                  struct ox_err *err)
{
    enum ox_code code = ox_served_find(control, tx, device_id, err);

    if (code == OX_OK) {
        code = list(control, device_id, is_to_write, true, out, err);
    }
    for (size_t i = 0; code == OX_OK && i < out->count; i++) {
        code = ox_registry_served(tx, out->items[i].entry.campaign, out->items[i].device_id,
                                  out->items[i].entry.bytes, err);
    }
    return code;
}

void ox_live_written(struct ox_control *control, struct ox_live_written *written, bool durable)
{
    struct ox_served *served = control->served;

    (void)pthread_mutex_lock(&served->lock);
    for (size_t i = 0; i < written->count; i++) {
        const struct ox_served_item *item = &written->items[i];
        struct device *device = ox_map_get(&served->devices, item->device_id);
        struct entry *entry = find(device, &item->entry.blob, item->entry.artifact_id);

        if (entry == NULL) {
            continue;
        }
        entry->writing -= item->entry.bytes;
        if (durable) {
            entry->bytes -= item->entry.bytes;
            add_to_campaign(served, entry->campaign, -(int64_t)item->entry.bytes);
        }
        if (entry->bytes == 0) {
            drop(served, item->device_id, device, entry);
        }
    }
    (void)pthread_mutex_unlock(&served->lock);
    clear_list(written);
}
