/** Devices: who they are, what they said last, and what they run. */
#ifndef OXIDE_REGISTRY_DEVICE_H
#define OXIDE_REGISTRY_DEVICE_H

#include "oxide/base/digest.h"
#include "oxide/registry/page.h"
#include "oxide/registry/registry.h"

/** What counts as a device's interval where it is not known. */
#define OX_DEVICE_POLL_S_DEFAULT 30
#define OX_UTC_OFFSET_UNKNOWN ((int64_t)INT32_MIN)
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
    uint64_t report_seq; /* the highest report that is durable */
    int64_t registered_ms;
    const char *instance;      /* the installation that is the device; NULL: it never said */
    int64_t instance_since_ms; /* 0: as above */
    int64_t conflict_ms;       /* since when another one speaks beside it; 0: none does */
    uint64_t poll_interval_s;  /* how often it comes back; 0: not known */
    int64_t utc_offset_s;      /* or OX_UTC_OFFSET_UNKNOWN */
    uint64_t disk_free_bytes;
    uint64_t disk_total_bytes; /* 0: not known */
    const char *address;       /* where it spoke from */
    const char *fleet_id;      /* the fleet that it joined last; not written by device_update */
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
/** Write everything that heartbeats tell (all but id, name, tags, registered, conflict, fleet). */
OX_MUST_USE enum ox_code
ox_registry_device_update(struct ox_tx *tx, const struct ox_device_row *row, struct ox_err *err);
/** since_ms 0: the conflict is settled. */
OX_MUST_USE enum ox_code ox_registry_device_set_conflict(struct ox_tx *tx, const char *id,
                                                         int64_t since_ms, struct ox_err *err);
OX_MUST_USE enum ox_code ox_registry_device_set_instance(struct ox_tx *tx, const char *id,
                                                         const char *instance, int64_t since_ms,
                                                         struct ox_err *err);
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

/** A page of devices. Sorts: id, name, last_seen (as it is written), registered. Filters: fleet;
 * runs
 *  ("MODEL" or "MODEL@VERSION"); said (the status that it said); seen_before (milliseconds);
 *  never_seen (1). */
OX_MUST_USE enum ox_code ox_registry_device_page(struct ox_tx *tx, const struct ox_page *page,
                                                 struct ox_device_row **rows, size_t *count,
                                                 const char **next, struct ox_err *err);

#endif
