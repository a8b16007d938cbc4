/** Delta jobs: which patches are to be made, and which are made. */
#ifndef OXIDE_REGISTRY_JOB_H
#define OXIDE_REGISTRY_JOB_H

#include "oxide/base/digest.h"
#include "oxide/registry/artifact.h"
#include "oxide/registry/page.h"
#include "oxide/registry/registry.h"

struct ox_job_row {
    int64_t id;
    struct ox_digest base;
    struct ox_digest target;
    const char *format;     /* "oxdl/2" or "oxdl/1" */
    const char *state;      /* queued, running, ready, useless, failed, canceled, evicted */
    uint64_t waiting;       /* devices: who is awaited by most goes first */
    const char *reason;     /* of failed and useless; NULL: none */
    struct ox_digest patch; /* of ready ones, as the next three; evicted ones keep those */
    uint64_t patch_bytes;
    uint64_t ops; /* operations that its reader must know */
    const char *strategy;
    int64_t queued_ms;
    int64_t ended_ms; /* 0: it has not */
    int64_t used_ms;  /* when its patch was offered last; 0: never */
};

/** Queue a job, or add to who waits for the one that exists; a failed one is tried again, and an
 *  evicted one is made again. */
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
/** Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_job_by_id(struct ox_tx *tx, int64_t id, struct ox_job_row *out,
                                               struct ox_err *err);
/** Write state, reason, patch, patch_bytes, ops and strategy of a running job; one that is not
 *  running any more is left as it is. */
OX_MUST_USE enum ox_code ox_registry_job_update(struct ox_tx *tx, const struct ox_job_row *row,
                                                int64_t now_ms, struct ox_err *err);
/** Put a job into another state, whatever it was in. reason may be NULL. */
OX_MUST_USE enum ox_code ox_registry_job_set_state(struct ox_tx *tx, int64_t id, const char *state,
                                                   const char *reason, int64_t now_ms,
                                                   struct ox_err *err);
/** Forget queued jobs over `max`: the least awaited, and of those the newest. */
OX_MUST_USE enum ox_code ox_registry_jobs_trim(struct ox_tx *tx, uint64_t max, struct ox_err *err);
/** Running jobs are queued again: who ran them is gone. */
OX_MUST_USE enum ox_code ox_registry_jobs_requeue(struct ox_tx *tx, struct ox_err *err);

/** A base that devices really run, what they are to run, and what those devices read. Bases that
 *  are no artifacts here are left out, as are those that are their own target. */
struct ox_base_row {
    struct ox_digest base;
    struct ox_digest target;
    uint64_t protocol;
    const char *reads; /* NULL: none said */
    uint64_t devices;
};
/** Of the devices of a campaign that have not ended. */
OX_MUST_USE enum ox_code ox_registry_bases_of_campaign(struct ox_tx *tx, const char *campaign_id,
                                                       struct ox_base_row **rows, size_t *count,
                                                       struct ox_err *err);
/** Of all devices that run the same variant of another version of the model. */
OX_MUST_USE enum ox_code ox_registry_bases_of_model(struct ox_tx *tx,
                                                    const struct ox_artifact_row *target,
                                                    struct ox_base_row **rows, size_t *count,
                                                    struct ox_err *err);

/** A page of delta jobs. Sorts: id, waiting, queued, size. Filters: state, base, target. */
OX_MUST_USE enum ox_code ox_registry_job_page(struct ox_tx *tx, const struct ox_page *page,
                                              struct ox_job_row **rows, size_t *count,
                                              const char **next, struct ox_err *err);

#endif
