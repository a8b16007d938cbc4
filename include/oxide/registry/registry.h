/**
 * The registry: devices, fleets, artifacts, campaigns and delta jobs in SQLite. Only this module
 * knows SQL. State words are those of the REST API, kept as text.
 *
 * Everything happens in a transaction. A writing one holds the one writer's lock from begin until
 * it commits or ends, and is durable once ox_registry_commit returned: those that commit at one
 * moment share one sync, and of a group none is lost or kept without the others. Reading ones run
 * beside it on a snapshot. What queries return (rows, strings) lives until the transaction ends. A
 * transaction belongs to the thread that began it; the registry itself to all.
 *
 * The queries stand in a header per table: artifact.h, device.h, fleet.h, campaign.h, job.h,
 * event.h.
 */
#ifndef OXIDE_REGISTRY_REGISTRY_H
#define OXIDE_REGISTRY_REGISTRY_H

#include "oxide/base/err.h"

#include <stdint.h>

struct ox_registry;

/**
 * Open the database at `path` (made if absent) and bring its schema up to date.
 * Errors: OX_EUNSUPPORTED for the schema of a newer release, OX_ECORRUPT if it is damaged,
 * OX_EBUSY if another process holds it.
 */
OX_MUST_USE enum ox_code ox_registry_open(struct ox_registry **out, const char *path,
                                          struct ox_err *err);
void ox_registry_close(struct ox_registry *registry);

/** Who remembers answers, and is told which are no longer true. */
struct ox_registry_watch {
    void *ctx;
    /** A commit that may change what this device is told (NULL: any device) is durable. Called on
     *  some thread that commits, before any call that commits it returns; takes no transaction. */
    void (*changed)(void *ctx, const char *device_id);
};
/** Set before the first transaction. */
void ox_registry_watch(struct ox_registry *registry, const struct ox_registry_watch *watch);

enum ox_tx_kind { OX_TX_READ, OX_TX_WRITE };
struct ox_tx {
    struct ox_connection *connection; /* NULL: not begun, or ended */
    struct ox_tx_block *blocks;       /* what rows are made of */
};
#define OX_TX_INIT                                                                                 \
    {                                                                                              \
        NULL, NULL                                                                                 \
    }

OX_MUST_USE enum ox_code ox_registry_begin(struct ox_registry *registry, enum ox_tx_kind kind,
                                           struct ox_tx *tx, struct ox_err *err);
/** Did the last statement of a writing one change any row? */
bool ox_registry_changed(const struct ox_tx *tx);
/** Make it durable. The rows live on until ox_registry_end, but there are no queries any more: the
 *  next writer may have begun. Only for writing ones. */
OX_MUST_USE enum ox_code ox_registry_commit(struct ox_tx *tx, struct ox_err *err);
/** End it; without a commit nothing of it happened. An ended or zeroed one is fine. */
void ox_registry_end(struct ox_tx *tx);

#endif
