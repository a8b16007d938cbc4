/** The hold: while there is one, nothing is assigned. A restored backup begins with it. */
#ifndef OXIDE_REGISTRY_HOLD_H
#define OXIDE_REGISTRY_HOLD_H

#include "oxide/registry/registry.h"

struct ox_hold_row {
    int64_t since_ms;   /* what is known of devices is of this time */
    const char *reason; /* "restored from the backup of 2026-11-20T13:05:07.123Z" */
};

/** *found is false where nothing is held. */
OX_MUST_USE enum ox_code ox_registry_hold_get(struct ox_tx *tx, struct ox_hold_row *out,
                                              bool *found, struct ox_err *err);
OX_MUST_USE enum ox_code ox_registry_hold_put(struct ox_tx *tx, const struct ox_hold_row *row,
                                              struct ox_err *err);
/** End it. Stages and devices under way have as long as ever from now on. */
OX_MUST_USE enum ox_code ox_registry_hold_release(struct ox_tx *tx, int64_t now_ms,
                                                  struct ox_err *err);

#endif
