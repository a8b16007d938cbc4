/**
 * The control plane without HTTP: what is published, who runs what, who is to run what, and the
 * deltas between. Answers are JSON documents in the shapes of docs/rest.md, which the caller
 * releases (json_decref). Every function but new, start, stop and free may be called from any
 * thread; what an answer says is durable when the call returns.
 *
 * Errors of all: OX_EINVAL, OX_ENOTFOUND, OX_ECONFLICT as docs/rest.md says; OX_EIO, OX_ENOSPC,
 * OX_ECORRUPT, OX_ENOMEM from below.
 *
 * What can be asked stands in a header per resource: device.h, pending.h, fleet.h, campaign.h,
 * model.h, blob.h, figures.h.
 */
#ifndef OXIDE_CONTROL_CONTROL_H
#define OXIDE_CONTROL_CONTROL_H

#include "oxide/base/clock.h"
#include "oxide/base/digest.h"
#include "oxide/base/json.h"
#include "oxide/base/log.h"

#include <stdint.h>

/** A size that the sender did not tell. */
#define OX_SIZE_UNKNOWN UINT64_MAX

struct ox_store;
struct ox_registry;
struct ox_control;

/** How often devices come back where nobody said otherwise: the agent's own default. A device that
 *  was silent for three intervals is offline. */
#define OX_POLL_INTERVAL_S_DEFAULT 30

/** Delta jobs that are queued at a time. */
#define OX_JOBS_MAX_DEFAULT 1024

/** What nothing refers to stays for an hour; a device that is silent for 90 days needs nothing. */
#define OX_GC_GRACE_S_DEFAULT 3600
#define OX_FORGET_AFTER_S_DEFAULT ((uint64_t)90 * 86400)
/** Bytes of patches that are kept. */
#define OX_DELTA_CACHE_DEFAULT ((uint64_t)16 << 30)
/** What the log of events holds where nobody said otherwise: some 300 MB, a quarter of a year. */
#define OX_EVENTS_KEEP_DEFAULT 1000000
#define OX_EVENTS_KEEP_S_DEFAULT (90u * 24 * 3600)

struct ox_control_options {
    struct ox_store *store; /* lent, as all of these */
    struct ox_registry *registry;
    const struct ox_clock *clock; /* NULL: the system's */
    const struct ox_log *log;     /* may be NULL */
    unsigned delta_workers;       /* threads that make deltas; 0: processors less one */
    unsigned delta_effort;        /* of each, as in ox_delta_options; 0: the default */
    uint64_t jobs_max;            /* delta jobs queued at a time; 0: OX_JOBS_MAX_DEFAULT */
    uint64_t delta_cache_bytes;   /* of patches that are kept; 0: OX_DELTA_CACHE_DEFAULT */
    uint64_t gc_grace_s;          /* what is new or in use is kept so long; 0: the default */
    uint64_t forget_after_s;      /* silent devices need nothing then; 0: the default */
    uint64_t delta_wait_s;        /* with late_delta: full, an assignment waits so long */
    uint64_t poll_interval_s;     /* how often devices shall come back; 0: as they themselves say */
    int64_t reimage_after_ms; /* a device that was silent for so long may have been set up anew; 0:
                               * after three polls; OX_NEVER_MS: an operator always decides */
    int64_t history_kept_ms;  /* how long it is known what ran where; 0: for ever */
    bool accept_unknown;    /* a device that asks is registered at once; else it waits in a list */
    uint64_t events_keep;   /* events that the log holds at most; 0: the default */
    uint64_t events_keep_s; /* and for how long; 0: the default */
    const char *const *blob_urls; /* where devices fetch blobs first */
    size_t blob_urls_count;
};

/** Deltas that were running when the process ended are queued again. */
OX_MUST_USE enum ox_code ox_control_new(struct ox_control **out,
                                        const struct ox_control_options *options,
                                        struct ox_err *err);
/** Start the threads: delta workers and the clockwork. */
OX_MUST_USE enum ox_code ox_control_start(struct ox_control *control, struct ox_err *err);
/** End the threads, cancelling deltas, and write what is in memory. */
void ox_control_stop(struct ox_control *control);
void ox_control_free(struct ox_control *control);

/** What the clockwork does every second: open stages, end campaigns. `flush`: write last-seen
 *  times, metrics and byte counts too. Tests call it in place of ox_control_start. */
OX_MUST_USE enum ox_code ox_control_tick(struct ox_control *control, bool flush,
                                         struct ox_err *err);
/** What a worker does: make the most awaited delta. *made is false if none was queued. */
OX_MUST_USE enum ox_code ox_control_make_delta(struct ox_control *control, bool *made,
                                               struct ox_err *err);

#endif
