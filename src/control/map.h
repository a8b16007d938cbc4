/** A hash table from names to small values, which lie in it zeroed at first. Not locked. */
#ifndef OX_CONTROL_MAP_H
#define OX_CONTROL_MAP_H

#include "oxide/base/err.h"

struct ox_map_entry {
    struct ox_map_entry *next;
    char *key;
    void *value;
};
struct ox_map {
    struct ox_map_entry **buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
};

void *ox_map_get(const struct ox_map *map, const char *key);
/** The value at key, made if absent. Errors: OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_map_put(struct ox_map *map, const char *key, size_t value_bytes,
                                    void **out, struct ox_err *err);
void ox_map_remove(struct ox_map *map, const char *key);
void ox_map_clear(struct ox_map *map);

#endif
