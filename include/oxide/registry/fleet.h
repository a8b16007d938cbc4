/** Fleets: groups of devices. */
#ifndef OXIDE_REGISTRY_FLEET_H
#define OXIDE_REGISTRY_FLEET_H

#include "oxide/registry/page.h"
#include "oxide/registry/registry.h"

struct ox_fleet_row {
    const char *id;
    const char *name;
    const char *description; /* NULL: none */
    const char *default_strategy;
    const char *tags; /* JSON text */
    int64_t created_ms;
    uint64_t devices;
};
/** Errors: OX_ECONFLICT if it exists. */
OX_MUST_USE enum ox_code ox_registry_fleet_add(struct ox_tx *tx, const struct ox_fleet_row *row,
                                               struct ox_err *err);
/** Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_fleet_get(struct ox_tx *tx, const char *id,
                                               struct ox_fleet_row *out, struct ox_err *err);
OX_MUST_USE enum ox_code ox_registry_fleets(struct ox_tx *tx, struct ox_fleet_row **rows,
                                            size_t *count, struct ox_err *err);
/** Add a device that exists to a fleet that exists; again is success. */
OX_MUST_USE enum ox_code ox_registry_fleet_join(struct ox_tx *tx, const char *fleet_id,
                                                const char *device_id, int64_t now_ms,
                                                struct ox_err *err);
/** Errors: OX_ENOTFOUND if it is not in the fleet. */
OX_MUST_USE enum ox_code ox_registry_fleet_leave(struct ox_tx *tx, const char *fleet_id,
                                                 const char *device_id, struct ox_err *err);

/** A page of fleets. Sorts: id, name, created. Filters: device. */
OX_MUST_USE enum ox_code ox_registry_fleet_page(struct ox_tx *tx, const struct ox_page *page,
                                                struct ox_fleet_row **rows, size_t *count,
                                                const char **next, struct ox_err *err);
/** The ids of a fleet's devices, sorted. */
OX_MUST_USE enum ox_code ox_registry_fleet_device_ids(struct ox_tx *tx, const char *fleet_id,
                                                      const char ***ids, size_t *count,
                                                      struct ox_err *err);

#endif
