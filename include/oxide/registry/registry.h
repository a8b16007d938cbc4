/**
 * The registry: devices, fleets, artifacts, campaigns and delta jobs in SQLite. Only this module
 * knows SQL. State words are those of the REST API, kept as text.
 *
 * Everything happens in a transaction. A writing one holds the one writer's lock from begin to end
 * and is durable once ox_registry_commit returned; reading ones run beside it on a snapshot. What
 * queries return (rows, strings) lives until the transaction ends. A transaction belongs to the
 * thread that began it; the registry itself to all.
 */
#ifndef OXIDE_REGISTRY_REGISTRY_H
#define OXIDE_REGISTRY_REGISTRY_H

#include "oxide/base/digest.h"
#include "oxide/base/manifest.h"

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
/** Make it durable. The rows live on until ox_registry_end. */
OX_MUST_USE enum ox_code ox_registry_commit(struct ox_tx *tx, struct ox_err *err);
/** End it; without a commit nothing of it happened. An ended or zeroed one is fine. */
void ox_registry_end(struct ox_tx *tx);

/* --- artifacts --- */

struct ox_artifact_row {
    int64_t id; /* grows with every publication */
    const char *model_id;
    const char *version;
    struct ox_digest digest;
    uint64_t size_bytes;
    const char *format;
    int64_t uploaded_ms;
};
struct ox_model_row {
    const char *model_id;
    uint64_t versions;
    const char *latest;
    uint64_t size_bytes; /* of the latest */
};

/** Errors: OX_ECONFLICT if the version exists. row->id is set. */
OX_MUST_USE enum ox_code ox_registry_artifact_add(struct ox_tx *tx, struct ox_artifact_row *row,
                                                  const struct ox_manifest *files,
                                                  struct ox_err *err);
/** Errors: OX_ENOTFOUND, naming model and version. */
OX_MUST_USE enum ox_code ox_registry_artifact_get(struct ox_tx *tx, const char *model_id,
                                                  const char *version, struct ox_artifact_row *out,
                                                  struct ox_err *err);
/** The first published artifact with this digest. Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_artifact_by_digest(struct ox_tx *tx,
                                                        const struct ox_digest *digest,
                                                        struct ox_artifact_row *out,
                                                        struct ox_err *err);
/** The version of the same model published just before `id`. Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_artifact_before(struct ox_tx *tx, const char *model_id,
                                                     int64_t id, struct ox_artifact_row *out,
                                                     struct ox_err *err);
/** All versions of a model, oldest first. */
OX_MUST_USE enum ox_code ox_registry_artifacts(struct ox_tx *tx, const char *model_id,
                                               struct ox_artifact_row **rows, size_t *count,
                                               struct ox_err *err);
OX_MUST_USE enum ox_code ox_registry_models(struct ox_tx *tx, struct ox_model_row **rows,
                                            size_t *count, struct ox_err *err);
/** The files of an artifact. The caller clears *out. */
OX_MUST_USE enum ox_code ox_registry_artifact_files(struct ox_tx *tx, int64_t artifact_id,
                                                    struct ox_manifest *out, struct ox_err *err);

/* --- devices --- */

struct ox_device_row {
    const char *id;
    const char *name;
    const char *tags;          /* JSON text, as platform, metrics and last_result */
    int64_t last_heartbeat_ms; /* 0: never heard of */
    const char *status;
    const char *current_model; /* NULL: none, as the following */
    const char *current_version;
    const char *last_result;
    const char *platform;
    const char *metrics;
    const char *agent;
    uint64_t protocol; /* 0: the first generation */
    const char *reads;
    uint64_t report_seq;  /* the highest report that is durable */
    const char *fleet_id; /* the fleet that it joined last; not written by device_update */
};
struct ox_device_model_row {
    const char *device_id;
    const char *model_id;
    const char *version;
    bool has_digest;
    struct ox_digest digest;
};

/** Insert, or replace name and tags. */
OX_MUST_USE enum ox_code ox_registry_device_put(struct ox_tx *tx, const char *id, const char *name,
                                                const char *tags, int64_t now_ms, bool *created,
                                                struct ox_err *err);
/** Errors: OX_ENOTFOUND, with a hint to register. */
OX_MUST_USE enum ox_code ox_registry_device_get(struct ox_tx *tx, const char *id,
                                                struct ox_device_row *out, struct ox_err *err);
/** All devices by id, or those of a fleet. */
OX_MUST_USE enum ox_code ox_registry_devices(struct ox_tx *tx, const char *fleet_id,
                                             struct ox_device_row **rows, size_t *count,
                                             struct ox_err *err);
/** Write everything that heartbeats tell (all but id, name, tags and fleet). */
OX_MUST_USE enum ox_code
ox_registry_device_update(struct ox_tx *tx, const struct ox_device_row *row, struct ox_err *err);
/** Write when it was heard last, and its metrics unless they are NULL. Unknown devices are fine. */
OX_MUST_USE enum ox_code ox_registry_device_seen(struct ox_tx *tx, const char *id, int64_t seen_ms,
                                                 const char *metrics, struct ox_err *err);
/** Remove it with its models and memberships. Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_device_remove(struct ox_tx *tx, const char *id,
                                                   struct ox_err *err);

/** What a device runs; of all devices with NULL. Ordered by device and model. */
OX_MUST_USE enum ox_code ox_registry_device_models(struct ox_tx *tx, const char *device_id,
                                                   struct ox_device_model_row **rows, size_t *count,
                                                   struct ox_err *err);
OX_MUST_USE enum ox_code ox_registry_device_model_put(struct ox_tx *tx,
                                                      const struct ox_device_model_row *row,
                                                      struct ox_err *err);
/** Forget what it runs. */
OX_MUST_USE enum ox_code ox_registry_device_models_clear(struct ox_tx *tx, const char *device_id,
                                                         struct ox_err *err);

/* --- fleets --- */

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

/* --- campaigns --- */

struct ox_campaign_row {
    const char *id;
    int64_t artifact_id;
    const char *model_id; /* this and the next three come from the artifact */
    const char *version;
    struct ox_digest digest;
    uint64_t size_bytes;
    const char *fleet_id; /* NULL: devices by name */
    const char *strategy;
    const char *state;
    const char *reason; /* why it paused; NULL: none */
    int64_t created_ms;
    int64_t prepared_ms; /* 0: deltas are being made */
    uint64_t stage;
    int64_t stage_opened_ms;
    uint64_t failures_accepted;
    uint64_t unnamed_bytes; /* served to devices that did not say who they are */
};
struct ox_campaign_device_row {
    const char *campaign_id;
    const char *device_id;
    uint64_t place; /* 0 is released first */
    const char *state;
    const char *error;    /* NULL: none */
    const char *strategy; /* NULL: not known */
    uint64_t bytes_full;  /* what the whole artifact would have cost; 0: it ran it already */
    uint64_t bytes_received;
    uint64_t bytes_served;
    int64_t updated_ms;
};
struct ox_campaign_counts {
    uint64_t total;
    uint64_t pending;
    uint64_t in_progress;
    uint64_t complete;
    uint64_t failed;
    uint64_t skipped;
    uint64_t released_ended; /* of the first `released` places */
    uint64_t released_failed;
};

/** Columns from the artifact are taken from artifact_id. */
OX_MUST_USE enum ox_code
ox_registry_campaign_add(struct ox_tx *tx, const struct ox_campaign_row *row, struct ox_err *err);
/** Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_campaign_get(struct ox_tx *tx, const char *id,
                                                  struct ox_campaign_row *out, struct ox_err *err);
/** Oldest first; `active`: only pending, rolling_out and paused ones. */
OX_MUST_USE enum ox_code ox_registry_campaigns(struct ox_tx *tx, bool active,
                                               struct ox_campaign_row **rows, size_t *count,
                                               struct ox_err *err);
/** Write state, reason, prepared, stage, stage_opened, failures_accepted. */
OX_MUST_USE enum ox_code ox_registry_campaign_update(struct ox_tx *tx,
                                                     const struct ox_campaign_row *row,
                                                     struct ox_err *err);
OX_MUST_USE enum ox_code ox_registry_campaign_device_add(struct ox_tx *tx,
                                                         const struct ox_campaign_device_row *row,
                                                         struct ox_err *err);
/** Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_campaign_device_get(struct ox_tx *tx, const char *campaign_id,
                                                         const char *device_id,
                                                         struct ox_campaign_device_row *out,
                                                         struct ox_err *err);
/** Write state, error, strategy, bytes_received and updated. bytes_served only ever grows, by
 *  ox_registry_served. */
OX_MUST_USE enum ox_code
ox_registry_campaign_device_update(struct ox_tx *tx, const struct ox_campaign_device_row *row,
                                   struct ox_err *err);
/** All devices of a campaign by place. */
OX_MUST_USE enum ox_code ox_registry_campaign_devices(struct ox_tx *tx, const char *campaign_id,
                                                      struct ox_campaign_device_row **rows,
                                                      size_t *count, struct ox_err *err);
/** The campaign rows in which a device has not ended, oldest campaign first. */
OX_MUST_USE enum ox_code ox_registry_device_open(struct ox_tx *tx, const char *device_id,
                                                 struct ox_campaign_device_row **rows,
                                                 size_t *count, struct ox_err *err);
/** The newest campaign that a device has completed. Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_device_completed(struct ox_tx *tx, const char *device_id,
                                                      struct ox_campaign_row *out,
                                                      struct ox_err *err);
/** `released`: how many places are open, for the two counts that depend on it. */
OX_MUST_USE enum ox_code ox_registry_campaign_counts(struct ox_tx *tx, const char *campaign_id,
                                                     uint64_t released,
                                                     struct ox_campaign_counts *out,
                                                     struct ox_err *err);

/** The campaign for which a blob (of its target, or a patch to it) goes to a device: the newest,
 *  those that are not ended for it first. *out is NULL if there is none. */
OX_MUST_USE enum ox_code ox_registry_campaign_of_blob(struct ox_tx *tx, const char *device_id,
                                                      const struct ox_digest *blob,
                                                      const char **out, struct ox_err *err);
/** The newest campaign under way for a version; *out is NULL if there is none. */
OX_MUST_USE enum ox_code ox_registry_campaign_of_version(struct ox_tx *tx, int64_t artifact_id,
                                                         const char **out, struct ox_err *err);
/** Add bytes served for a campaign to a device; to no named one if device_id is "". */
OX_MUST_USE enum ox_code ox_registry_served(struct ox_tx *tx, const char *campaign_id,
                                            const char *device_id, uint64_t bytes,
                                            struct ox_err *err);

/* --- delta jobs --- */

struct ox_job_row {
    int64_t id;
    struct ox_digest base;
    struct ox_digest target;
    const char *format;     /* "oxdl/2" or "oxdl/1" */
    const char *state;      /* queued, running, ready, useless, failed */
    uint64_t waiting;       /* devices: who is awaited by most goes first */
    const char *reason;     /* of failed and useless; NULL: none */
    struct ox_digest patch; /* of ready ones, as the next three */
    uint64_t patch_bytes;
    uint64_t ops; /* operations that its reader must know */
    const char *strategy;
    int64_t queued_ms;
};

/** Queue a job, or add to who waits for the one that exists; a failed one is tried again. */
OX_MUST_USE enum ox_code ox_registry_job_queue(struct ox_tx *tx, const struct ox_digest *base,
                                               const struct ox_digest *target, const char *format,
                                               uint64_t waiting, int64_t now_ms,
                                               struct ox_err *err);
/** Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_job_get(struct ox_tx *tx, const struct ox_digest *base,
                                             const struct ox_digest *target, const char *format,
                                             struct ox_job_row *out, struct ox_err *err);
/** Take the most awaited queued job and mark it running. Errors: OX_ENOTFOUND if none is queued. */
OX_MUST_USE enum ox_code ox_registry_job_take(struct ox_tx *tx, struct ox_job_row *out,
                                              struct ox_err *err);
/** Write state, reason, patch, patch_bytes, ops and strategy. */
OX_MUST_USE enum ox_code ox_registry_job_update(struct ox_tx *tx, const struct ox_job_row *row,
                                                int64_t now_ms, struct ox_err *err);
/** Running jobs are queued again: who ran them is gone. */
OX_MUST_USE enum ox_code ox_registry_jobs_requeue(struct ox_tx *tx, struct ox_err *err);

/** A base that devices really run, and what those devices read. */
struct ox_base_row {
    struct ox_digest base;
    uint64_t protocol;
    const char *reads; /* NULL: none said */
    uint64_t devices;
};
/** Bases of a model that devices run, other than `target`: of the open devices of a campaign, or of
 *  all devices with NULL. Only bases that are artifacts here. */
OX_MUST_USE enum ox_code ox_registry_bases(struct ox_tx *tx, const char *campaign_id,
                                           const char *model_id, const struct ox_digest *target,
                                           struct ox_base_row **rows, size_t *count,
                                           struct ox_err *err);

#endif
