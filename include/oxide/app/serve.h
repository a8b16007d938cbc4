/** `oxide serve`: the control plane as one process, wired from store, registry, control and api. */
#ifndef OXIDE_APP_SERVE_H
#define OXIDE_APP_SERVE_H

#include "oxide/base/clock.h"
#include "oxide/base/log.h"
#include "oxide/base/stop.h"

#include <stdint.h>

#define OX_SERVE_HOST_DEFAULT "127.0.0.1"
#define OX_SERVE_PORT_DEFAULT 8080
#define OX_SERVE_DELTA_WAIT_S_DEFAULT 600
#define OX_SERVE_HISTORY_KEPT_MS_DEFAULT (400 * (int64_t)86400000)

struct ox_serve_options {
    const char *version;          /* of this release, "0.1.0", for /health; NULL: not told */
    const char *host;             /* an address or a name; NULL: OX_SERVE_HOST_DEFAULT */
    uint16_t port;                /* 0: a free one, told to on_ready */
    const char *data_dir;         /* made if absent */
    bool insecure;                /* allow to listen beyond loopback */
    const char *const *blob_urls; /* where devices fetch blobs first; lent */
    size_t blob_urls_count;
    unsigned delta_workers;     /* threads that make deltas; 0: processors less one */
    unsigned delta_effort;      /* 1 (fast) to 9 (small patches); 0: 3 */
    uint64_t jobs_max;          /* deltas queued at a time; 0: the control plane's default */
    uint64_t delta_cache_bytes; /* of patches that are kept; 0, as in the next two: the default */
    uint64_t gc_grace_s;        /* a blob that nothing refers to yet is kept so long */
    uint64_t forget_after_s;    /* a device that is silent for so long needs nothing */
    uint64_t delta_wait_s;      /* with late_delta: full, an assignment waits so long; 0: not */
    uint64_t poll_interval_s;   /* how often devices shall come back; 0: as they themselves say */
    bool accept_unknown;        /* devices that ask are registered at once */
    int64_t reimage_after_ms; /* of silence, before another installation may take a device's place;
                               * 0: three polls; OX_NEVER_MS: an operator always decides */
    int64_t history_kept_ms;  /* how long it is known what ran where; 0: for ever */
    uint64_t events_keep;     /* events that the log holds at most; 0: a million */
    uint64_t events_keep_s;   /* and for how long; 0: 90 days */
};

/** Called once the port is open: connections are answered from now on. */
struct ox_serve_ready {
    void *ctx;
    void (*ready)(void *ctx, const char *host, uint16_t port); /* NULL: nobody asks */
};

/**
 * Run the control plane until `stop` is requested, then end it cleanly: answers under way are
 * finished, deltas are cancelled (and made at the next start), heartbeats are written.
 * Blocks; the caller handles signals. log may be NULL.
 * Errors: OX_EBUSY (port or folder taken), OX_EPERM (not loopback without insecure; folder not
 * ours), OX_EUNSUPPORTED (registry of a newer release), OX_ECORRUPT, OX_ENOSPC, OX_EINVAL, OX_EIO.
 */
OX_MUST_USE enum ox_code ox_serve_run(const struct ox_serve_options *options, struct ox_stop *stop,
                                      const struct ox_log *log, const struct ox_serve_ready *ready,
                                      struct ox_err *err);

#endif
