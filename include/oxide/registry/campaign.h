/** Campaigns, and the devices in them. */
#ifndef OXIDE_REGISTRY_CAMPAIGN_H
#define OXIDE_REGISTRY_CAMPAIGN_H

#include "oxide/base/digest.h"
#include "oxide/registry/registry.h"

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

#endif
