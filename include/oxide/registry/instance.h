/** Installations that speak, or spoke, under the id of a device and are not that device. */
#ifndef OXIDE_REGISTRY_INSTANCE_H
#define OXIDE_REGISTRY_INSTANCE_H

#include "oxide/registry/registry.h"

struct ox_instance_row {
    const char *device_id;
    const char *instance;
    const char *state;  /* rival, split, replaced */
    const char *new_id; /* of a split one; NULL: none */
    int64_t first_seen_ms;
    int64_t last_seen_ms;
    const char *address; /* NULL: not known, as the following */
    const char *agent;
    const char *platform; /* JSON text */
};

/** *found is false if it is not known. */
OX_MUST_USE enum ox_code ox_registry_instance_get(struct ox_tx *tx, const char *device_id,
                                                  const char *instance, struct ox_instance_row *out,
                                                  bool *found, struct ox_err *err);
/** Insert it, or replace all but first_seen. */
OX_MUST_USE enum ox_code
ox_registry_instance_put(struct ox_tx *tx, const struct ox_instance_row *row, struct ox_err *err);
/** Forget it; an unknown one is fine. */
OX_MUST_USE enum ox_code ox_registry_instance_remove(struct ox_tx *tx, const char *device_id,
                                                     const char *instance, struct ox_err *err);
/** All of a device, the oldest first. */
OX_MUST_USE enum ox_code ox_registry_instances(struct ox_tx *tx, const char *device_id,
                                               struct ox_instance_row **rows, size_t *count,
                                               struct ox_err *err);
/** Are there rivals not heard since before_ms, of devices without a conflict? */
OX_MUST_USE enum ox_code ox_registry_instances_stale(struct ox_tx *tx, int64_t before_ms, bool *out,
                                                     struct ox_err *err);
/** Forget those. */
OX_MUST_USE enum ox_code ox_registry_instances_prune(struct ox_tx *tx, int64_t before_ms,
                                                     struct ox_err *err);

#endif
