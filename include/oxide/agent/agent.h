/**
 * The device agent: asks the control plane what to run, gets there by patch or full files, checks
 * it, and keeps it or goes back. At every instant consumers see a whole, verified version, or
 * nothing before the first one. As long as no other layout is asked for:
 *
 *     MODEL_DIR/MODEL/versions/VERSION/...   the files of a version
 *     MODEL_DIR/MODEL/current                -> versions/VERSION
 *     MODEL_DIR/MODEL/previous               -> the version before
 *     MODEL_DIR/.oxide/                      state.json, journal.json, lock, download/, staging/
 */
#ifndef OXIDE_AGENT_AGENT_H
#define OXIDE_AGENT_AGENT_H

#include "oxide/base/err.h"
#include "oxide/base/log.h"
#include "oxide/base/stop.h"
#include "oxide/base/window.h"

#include <stdint.h>

/** How consumers find the active version (docs/agent.md); in the order of the setting's words. */
enum ox_model_layout {
    OX_MODEL_VERSIONS, /* MODEL_DIR/MODEL/current/... */
    OX_MODEL_FLAT,     /* MODEL_DIR/MODEL/... */
    OX_MODEL_TRITON,   /* MODEL_DIR/MODEL/N/..., the highest N */
    OX_MODEL_LAYOUTS
};

/** Versions of a model that may be kept beside the active one. */
#define OX_KEEP_MAX 16

/** In the order in which the setting lists them. */
enum ox_consumer_signal { OX_SIGNAL_HUP, OX_SIGNAL_USR1, OX_SIGNAL_USR2, OX_SIGNAL_TERM };

/** How who uses a model is asked and told. NULL: not at all. Commands are run by sh -c; {model} and
 *  {version} in URLs and texts are filled in. */
struct ox_consumer_options {
    const char *busy_lock;    /* a file: held by it while it must not be switched */
    const char *pre_activate; /* commands before and after a switch */
    const char *post_activate;
    const char *notify_url; /* POST after a switch */
    const char *notify_body;
    const char *pid_file; /* to be sent a signal after a switch */
    enum ox_consumer_signal signal;
    const char *probe_url;    /* GET, until 2xx */
    const char *probe_expect; /* and this is in the answer */
    int64_t probe_timeout_ms;
};

/** What is said of one model, or of all that have nothing of their own. */
struct ox_agent_model_options {
    const char *model_id;          /* NULL: of all others */
    const char *preflight_command; /* run by sh -c before anything is fetched; NULL: none */
    const char *health_check;      /* run by sh -c; NULL: the built-in check */
    int64_t health_timeout_ms;     /* of the command */
    int64_t soak_ms;               /* it is asked again for so long, and must not fail */
    struct ox_consumer_options consumer;
    const struct ox_window *activate_windows; /* local time; none: always */
    size_t activate_windows_count;
    enum ox_model_layout layout;
    const char *group; /* that alone may read the files; NULL: everybody may */
    size_t keep;       /* versions that stay beside the active one, up to OX_KEEP_MAX */
};

/** What a running agent may be told anew. Everything it points to lives until `done` is called. */
struct ox_agent_tuning {
    int64_t poll_ms;   /* between heartbeats, until the server names another */
    bool metered;      /* say no more in heartbeats than is news */
    uint64_t rate_bps; /* bytes per second of downloads; 0: no limit */
    int64_t stall_s;   /* a download is begun anew where nothing comes for so long; 0: 60 */
    const struct ox_window *download_windows; /* in which updates begin; local time; none: always */
    size_t download_windows_count;
    struct ox_agent_model_options all;
    const struct ox_agent_model_options *models; /* each of them whole: nothing comes from `all` */
    size_t models_count;
    void *owner;               /* handed to done */
    void (*done)(void *owner); /* nothing of it is used any more; any thread; may be NULL */
};

#define OX_AGENT_LINGER_MS 1000

struct ox_agent_options {
    const char *control_plane; /* http(s)://host[:port][/path], without a final slash */
    const char *device_id;
    const char *agent; /* "oxide/0.1.0" */
    const char *model_dir;
    struct ox_agent_tuning tuning; /* at first */
    int64_t linger_ms; /* a version is removed no sooner after a switch, for who was opening it */
    /* Asked for another tuning whenever retune_fd, an eventfd, becomes readable; false: go on with
     * what there is. Called in the thread of ox_agent_run. NULL: never. */
    bool (*retune)(void *retune_ctx, struct ox_agent_tuning *out);
    void *retune_ctx;
    int retune_fd;
};

/**
 * Run until stop is requested, which is OX_OK; what was under way goes on at the next start.
 * Threads: one more than the caller's, while an update runs.
 * Errors: OX_EBUSY if another agent runs on model_dir; OX_EPERM, OX_EIO and others if model_dir
 * cannot be used. What fails later is logged, reported and tried again.
 */
OX_MUST_USE enum ox_code ox_agent_run(const struct ox_agent_options *options, struct ox_stop *stop,
                                      const struct ox_log *log, struct ox_err *err);

#endif
