/**
 * `oxide simulate`: many simulated agents in one process, over real sockets, speaking the protocol
 * of real ones (docs/simulate.md says what is real and what is pretended). For planning capacity,
 * and for tests of the control plane.
 */
#ifndef OXIDE_APP_SIMULATE_H
#define OXIDE_APP_SIMULATE_H

#include "oxide/base/json.h"
#include "oxide/base/stop.h"

#include <stdint.h>

#define OX_SIMULATE_AGENTS_MAX 500000
#define OX_SIMULATE_POLL_MS_DEFAULT 60000
#define OX_SIMULATE_PREFIX_DEFAULT "sim-"

/** Tags of simulated devices: the values are dealt out in turn. */
struct ox_simulate_tag {
    const char *name;
    const char *values; /* "graz,linz,wien" */
};

/** Zero or NULL stands for the default. Strings are lent until the call returns. */
struct ox_simulate_options {
    const char *server;  /* required: http://host[:port][/path] */
    const char *version; /* required: of this release, "0.1.0" */
    uint64_t agents;     /* required */
    const char *prefix;  /* of device ids, before a number */
    bool registered;     /* they are registered already */
    const char *fleet;   /* put them into this fleet, made if absent */
    const struct ox_simulate_tag *tags;
    size_t tags_count;
    const char *model; /* they run this version at first; NULL: nothing */
    const char *model_version;
    uint64_t poll_ms;        /* until the server says */
    uint64_t ramp_ms;        /* the first heartbeats are spread over so long; 0: as poll_ms */
    double fail;             /* share of devices whose health check fails */
    const char *bad_version; /* of this version alone; NULL: of any */
    double silent;           /* share of devices that fall silent in an update */
    uint64_t silent_ms;      /* for so long; 0: for good */
    double restart;          /* share of devices that are restarted in an update */
    uint64_t rate_bps;       /* of each agent's downloads, bytes per second; 0: no limit */
    bool verify;             /* hash what is fetched */
    uint64_t apply_ms;       /* how long applying takes, and checking; each give or take a half */
    uint64_t check_ms;
    uint64_t duration_ms;    /* end after so long; 0: when asked to stop */
    uint64_t seed;           /* who fails, falls silent, is restarted: the same for the same seed */
    const char *agents_file; /* a line of JSON per agent at the end */
};

/** Kinds of requests. */
enum ox_simulate_kind {
    OX_SIMULATE_REGISTER,
    OX_SIMULATE_HEARTBEAT, /* that reports nothing */
    OX_SIMULATE_REPORT,
    OX_SIMULATE_BLOB,  /* latency: until the first byte */
    OX_SIMULATE_WATCH, /* the simulator itself asks how campaigns go */
    OX_SIMULATE_KINDS
};
const char *ox_simulate_kind_word(enum ox_simulate_kind kind);

struct ox_simulate_requests {
    uint64_t started;
    uint64_t answered; /* as was hoped for */
    uint64_t refused;  /* by another status */
    uint64_t failed;   /* no answer */
    uint64_t cut;      /* under way at the end */
    uint64_t p50_us;   /* of those that were answered or refused */
    uint64_t p99_us;
    uint64_t max_us;
};
struct ox_simulate_error {
    char text[96];
    uint64_t count;
};
struct ox_simulate_running {
    const char *model_id; /* NULL: nothing */
    const char *version;
    uint64_t agents;
};
#define OX_SIMULATE_STAGES_MAX 16
/** What a campaign did to the simulated devices. */
struct ox_simulate_campaign {
    const char *id; /* "": none was named */
    const char *model_id;
    const char *version;
    uint64_t began;    /* devices that it was assigned to and that began */
    uint64_t complete; /* of them: acknowledged by the server, as the next two */
    uint64_t failed;
    uint64_t skipped;
    uint64_t silent;    /* fell silent in it */
    uint64_t withdrawn; /* before they were through */
    uint64_t bytes;     /* fetched for it */
    uint64_t full;      /* files fetched whole, as there was no patch or it would not do */
    uint64_t
        began_by_stage[OX_SIMULATE_STAGES_MAX]; /* while this stage (1 is the first) was open */
    uint64_t first_ms; /* when the first device began, and the last, since the start */
    uint64_t last_ms;
    uint64_t first_failed_ms;        /* when the first failure was acknowledged; 0: none */
    uint64_t began_at_first_failure; /* devices that had begun until then */
};
struct ox_simulate_result {
    uint64_t elapsed_ms; /* since registration ended */
    uint64_t agents;
    uint64_t updating;
    uint64_t silent;
    uint64_t connections; /* open now */
    uint64_t sent_bytes;
    uint64_t received_bytes;
    uint64_t blob_bytes;
    uint64_t rate;      /* requests answered in the last second */
    uint64_t conflicts; /* answers that assign two versions of one model, or no sense */
    struct ox_simulate_requests requests[OX_SIMULATE_KINDS];
    struct ox_simulate_error *errors;
    size_t errors_count;
    struct ox_simulate_running *running;
    size_t running_count;
    struct ox_simulate_campaign *campaigns;
    size_t campaigns_count;
};

/** Called once a second, and once at the end with `last`; what it is shown lives until it returns.
 */
struct ox_simulate_observer {
    void *ctx;
    void (*registered)(void *ctx, uint64_t done, uint64_t all); /* may be NULL, as show */
    void (*show)(void *ctx, const struct ox_simulate_result *result, bool last);
};

/**
 * Run until the duration is over or stop is requested, which is success.
 * Errors: OX_EINVAL (an option; the message names its flag), OX_ENET (no server there at the
 * start), OX_ENOTFOUND (the model is not held), OX_EPERM and others where agents_file cannot be
 * written. A server that goes away later is what is simulated for: it is counted.
 */
OX_MUST_USE enum ox_code ox_simulate_run(const struct ox_simulate_options *options,
                                         struct ox_stop *stop,
                                         const struct ox_simulate_observer *observer,
                                         struct ox_err *err);

#endif
