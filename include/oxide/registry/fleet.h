/** Fleets: groups of devices. */
#ifndef OXIDE_REGISTRY_FLEET_H
#define OXIDE_REGISTRY_FLEET_H

#include "oxide/registry/page.h"
#include "oxide/registry/registry.h"
#include "oxide/registry/select.h"

struct ox_fleet_row {
    const char *id;
    const char *name;
    const char *description; /* NULL: none */
    const char *default_strategy;
    const char *tags;   /* JSON text */
    const char *filter; /* its devices are those that pass (filter.h); NULL: those put into it */
    int64_t created_ms;
};
/** Errors: OX_ECONFLICT if it exists. */
OX_MUST_USE enum ox_code ox_registry_fleet_add(struct ox_tx *tx, const struct ox_fleet_row *row,
                                               struct ox_err *err);
/** Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_fleet_get(struct ox_tx *tx, const char *id,
                                               struct ox_fleet_row *out, struct ox_err *err);
OX_MUST_USE enum ox_code ox_registry_fleets(struct ox_tx *tx, struct ox_fleet_row **rows,
                                            size_t *count, struct ox_err *err);
/** Write name, description, default_strategy, tags and filter. Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_fleet_update(struct ox_tx *tx, const struct ox_fleet_row *row,
                                                  struct ox_err *err);
/** Remove it; its devices stay. Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_fleet_remove(struct ox_tx *tx, const char *id,
                                                  struct ox_err *err);
/** A campaign to it that has not ended; *out is NULL if there is none. */
OX_MUST_USE enum ox_code ox_registry_fleet_campaign(struct ox_tx *tx, const char *id,
                                                    const char **out, struct ox_err *err);
/** Take all devices out that were put into it. */
OX_MUST_USE enum ox_code ox_registry_fleet_empty(struct ox_tx *tx, const char *id,
                                                 struct ox_err *err);
/** Put the selected devices into it. */
OX_MUST_USE enum ox_code ox_registry_fleet_fill(struct ox_tx *tx, const char *id,
                                                const struct ox_selection *selection,
                                                struct ox_err *err);
/** Add a device that exists to a fleet that exists; again is success. */
OX_MUST_USE enum ox_code ox_registry_fleet_join(struct ox_tx *tx, const char *fleet_id,
                                                const char *device_id, int64_t now_ms,
                                                struct ox_err *err);
/** Add a device to all fleets that another one is in. */
OX_MUST_USE enum ox_code ox_registry_fleets_join_as(struct ox_tx *tx, const char *device_id,
                                                    const char *as_device_id, int64_t now_ms,
                                                    struct ox_err *err);
/** Errors: OX_ENOTFOUND if it is not in the fleet. */
OX_MUST_USE enum ox_code ox_registry_fleet_leave(struct ox_tx *tx, const char *fleet_id,
                                                 const char *device_id, struct ox_err *err);

/** A page of fleets. Sorts: id, name, created. Filters: device, which fleets that have filters pass
 *  whatever they say. */
OX_MUST_USE enum ox_code ox_registry_fleet_page(struct ox_tx *tx, const struct ox_page *page,
                                                struct ox_fleet_row **rows, size_t *count,
                                                const char **next, struct ox_err *err);

#endif
