#include "map.h"

#include "oxide/base/buf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST 64

static size_t slot(const char *key, size_t bucket_count)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a: RFC 9923, section 2 */

    for (; *key != '\0'; key++) {
        hash = (hash ^ (unsigned char)*key) * 0x100000001b3u;
    }
    return (size_t)(hash ^ hash >> 32) & (bucket_count - 1);
}

void *ox_map_get(const struct ox_map *map, const char *key)
{
    if (map->bucket_count > 0) {
        for (const struct ox_map_entry *entry = map->buckets[slot(key, map->bucket_count)];
             entry != NULL; entry = entry->next) {
            if (strcmp(entry->key, key) == 0) {
                return entry->value;
            }
        }
    }
    return NULL;
}

static enum ox_code grow(struct ox_map *map, struct ox_err *err)
{
    size_t bucket_count = map->bucket_count == 0 ? BUCKETS_FIRST : map->bucket_count * 2;
    struct ox_map_entry **buckets = calloc(bucket_count, sizeof(struct ox_map_entry *));

    if (buckets == NULL) {
        return ox_err_nomem(err, "a table");
    }
    for (size_t i = 0; i < map->bucket_count; i++) {
        struct ox_map_entry *next;

        for (struct ox_map_entry *entry = map->buckets[i]; entry != NULL; entry = next) {
            size_t to = slot(entry->key, bucket_count);

            next = entry->next;
            entry->next = buckets[to];
            buckets[to] = entry;
        }
    }
    free(map->buckets);
    map->buckets = buckets;
    map->bucket_count = bucket_count;
    return OX_OK;
}

enum ox_code ox_map_put(struct ox_map *map, const char *key, size_t value_bytes, void **out,
                        struct ox_err *err)
{
    struct ox_map_entry *entry;
    void *value = ox_map_get(map, key);
    size_t at;

    if (value != NULL) {
        *out = value;
        return OX_OK;
    }
    if (map->count >= map->bucket_count && grow(map, err) != OX_OK) {
        return OX_ENOMEM;
    }
    entry = calloc(1, sizeof(*entry));
    value = calloc(1, value_bytes);
    if (entry == NULL || value == NULL || ox_strdup(&entry->key, key, err) != OX_OK) {
        free(entry);
        free(value);
        return ox_err_nomem(err, "a table");
    }
    at = slot(key, map->bucket_count);
    entry->value = value;
    entry->next = map->buckets[at];
    map->buckets[at] = entry;
    map->count++;
    *out = value;
    return OX_OK;
}

static void free_entry(struct ox_map_entry *entry)
{
    free(entry->key);
    free(entry->value);
    free(entry);
}

void ox_map_remove(struct ox_map *map, const char *key)
{
    struct ox_map_entry **at =
        map->bucket_count == 0 ? NULL : &map->buckets[slot(key, map->bucket_count)];

    for (; at != NULL && *at != NULL; at = &(*at)->next) {
        if (strcmp((*at)->key, key) == 0) {
            struct ox_map_entry *entry = *at;

            *at = entry->next;
            free_entry(entry);
            map->count--;
            return;
        }
    }
}

void ox_map_clear(struct ox_map *map)
{
    for (size_t i = 0; i < map->bucket_count; i++) {
        while (map->buckets[i] != NULL) {
            struct ox_map_entry *next = map->buckets[i]->next;

            free_entry(map->buckets[i]);
            map->buckets[i] = next;
        }
    }
    free(map->buckets);
    *map = (struct ox_map){0};
}
