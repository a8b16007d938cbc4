/** Which devices are meant: all, those of a fleet, those that pass a filter. */
#ifndef OXIDE_REGISTRY_SELECT_H
#define OXIDE_REGISTRY_SELECT_H

#include "oxide/registry/device.h"
#include "oxide/registry/filter.h"

/**
 * A selection. Fleets are of two kinds: the devices that were put into them, or those that pass
 * their filter at this moment. Both are asked for in the same way.
 * Errors of all queries: OX_ENOTFOUND if there is no such fleet; OX_EINVAL if a filter asks for a
 * fleet that does not exist or that leads back to itself.
 */
struct ox_selection {
    const char *fleet_id;           /* NULL: devices of all fleets, and of none */
    const struct ox_filter *filter; /* NULL: whatever they are like */
    int64_t now_ms;                 /* wall clock, for times like "7d ago" */
};

/** Up to `limit` devices by id, of those behind `after` (NULL: from the first). */
OX_MUST_USE enum ox_code ox_registry_selected(struct ox_tx *tx,
                                              const struct ox_selection *selection,
                                              const char *after, uint64_t limit,
                                              struct ox_device_row **rows, size_t *count,
                                              struct ox_err *err);
/** As above, their ids alone. */
OX_MUST_USE enum ox_code
ox_registry_selected_ids(struct ox_tx *tx, const struct ox_selection *selection, const char *after,
                         uint64_t limit, const char ***ids, size_t *count, struct ox_err *err);
OX_MUST_USE enum ox_code ox_registry_selected_count(struct ox_tx *tx,
                                                    const struct ox_selection *selection,
                                                    uint64_t *out, struct ox_err *err);
/** Is this device among them? Takes some lookups, however many devices there are. */
OX_MUST_USE enum ox_code ox_registry_selected_has(struct ox_tx *tx,
                                                  const struct ox_selection *selection,
                                                  const char *device_id, bool *out,
                                                  struct ox_err *err);

/** Devices by status. */
struct ox_status_count {
    const char *status;
    uint64_t devices;
};
OX_MUST_USE enum ox_code ox_registry_selected_statuses(struct ox_tx *tx,
                                                       const struct ox_selection *selection,
                                                       struct ox_status_count **rows, size_t *count,
                                                       struct ox_err *err);

/** Does it ask for what every heartbeat may change? */
OX_MUST_USE enum ox_code ox_registry_selection_is_live(struct ox_tx *tx,
                                                       const struct ox_selection *selection,
                                                       bool *out, struct ox_err *err);
/** Can the filters of all fleets be asked, or has a change of fleets left one that cannot? */
OX_MUST_USE enum ox_code ox_registry_fleets_check(struct ox_tx *tx, struct ox_err *err);

#endif
