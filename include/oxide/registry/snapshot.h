/**
 * A snapshot: a copy of the registry as it was at one instant, made while the registry is in use,
 * by SQLite's online backup. It begins with a hold (hold.h), so that whoever runs on it, restored
 * or merely copied, assigns nothing before an operator says so. Source:
 * https://www.sqlite.org/backup.html
 */
#ifndef OXIDE_REGISTRY_SNAPSHOT_H
#define OXIDE_REGISTRY_SNAPSHOT_H

#include "oxide/base/stop.h"
#include "oxide/registry/registry.h"

struct ox_snapshot;

/**
 * Copy the registry, beside its own file; the copy's name is gone when this returns. Writers go on
 * meanwhile. One at a time: the caller sees to that.
 * Errors: OX_ENOSPC, OX_EIO, OX_ECANCELED (stop, which may be NULL).
 */
OX_MUST_USE enum ox_code ox_snapshot_take(struct ox_snapshot **out, struct ox_registry *registry,
                                          int64_t now_ms, struct ox_stop *stop, struct ox_err *err);
/** NULL is fine. */
void ox_snapshot_free(struct ox_snapshot *snapshot);

/** The copy's bytes: a database to be read at any offset, lent. */
int ox_snapshot_fd(const struct ox_snapshot *snapshot);
uint64_t ox_snapshot_bytes(const struct ox_snapshot *snapshot);
/** The number of its schema. */
int ox_snapshot_schema(const struct ox_snapshot *snapshot);
/** A reading transaction on it, ended as any other. */
OX_MUST_USE enum ox_code ox_snapshot_begin(struct ox_snapshot *snapshot, struct ox_tx *tx,
                                           struct ox_err *err);

#endif
