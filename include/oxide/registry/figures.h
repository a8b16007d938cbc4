/** Figures of what the registry holds, for those who watch it. */
#ifndef OXIDE_REGISTRY_FIGURES_H
#define OXIDE_REGISTRY_FIGURES_H

#include "oxide/registry/registry.h"

/** Campaigns by state, and delta jobs by state: out of an index. */
struct ox_state_count {
    const char *state;
    uint64_t count;
};
OX_MUST_USE enum ox_code ox_registry_campaign_states(struct ox_tx *tx, struct ox_state_count **rows,
                                                     size_t *count, struct ox_err *err);
OX_MUST_USE enum ox_code ox_registry_job_states(struct ox_tx *tx, struct ox_state_count **rows,
                                                size_t *count, struct ox_err *err);

/** Devices in campaigns under way (pending, rolling_out, paused), by state: the newest `limit` of
 *  them, out of what triggers have counted. Rows of one campaign stand together. */
struct ox_place_count {
    const char *campaign_id;
    const char *model_id;
    const char *version;
    const char *state;
    uint64_t devices;
};
OX_MUST_USE enum ox_code ox_registry_place_counts(struct ox_tx *tx, uint64_t limit,
                                                  struct ox_place_count **rows, size_t *count,
                                                  struct ox_err *err);

/** What campaigns have saved so far: a row for each of them. */
OX_MUST_USE enum ox_code ox_registry_saved_bytes(struct ox_tx *tx, uint64_t *out,
                                                 struct ox_err *err);

/** Devices that ask and wait to be accepted: out of an index. */
OX_MUST_USE enum ox_code ox_registry_pending_waiting(struct ox_tx *tx, uint64_t *out,
                                                     struct ox_err *err);

/** All devices, in no order, with what their status comes of. Texts are lent to the visit. */
struct ox_standing_row {
    const char *id;
    const char *status;        /* what it said of itself last */
    int64_t last_heartbeat_ms; /* as written: others may know of later ones. 0: none */
    uint64_t poll_interval_s;  /* 0: not told */
    int64_t conflict_ms;       /* 0: none */
};
OX_MUST_USE enum ox_code
ox_registry_standings(struct ox_tx *tx, void (*visit)(void *ctx, const struct ox_standing_row *row),
                      void *ctx, struct ox_err *err);

/** Bytes of the database's file, and of its write-ahead log; 0 for one that is not there. */
void ox_registry_file_bytes(struct ox_registry *registry, uint64_t *database, uint64_t *wal);

#endif
