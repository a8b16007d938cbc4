#include "oxide/app/serve.h"

#include "folder.h"
#include "serve_listen.h"

#include "oxide/api/api.h"
#include "oxide/base/file.h"
#include "oxide/base/notify.h"
#include "oxide/control/control.h"
#include "oxide/registry/registry.h"
#include "oxide/registry/way_back.h"

#include <sys/resource.h>
#include <unistd.h>

/* Answers under way get so long to end when we are asked to stop; systemd gives 90 s in all. */
#define GRACE_MS 10000

/* What is open while the process serves, in the order of opening. */
struct serve {
    int listen_fd;
    struct ox_data_folder folder;
    struct ox_control *control;
    struct ox_api *api;
};

/* A connection that sends a blob holds two descriptors, an artifact of many files one for each. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* The registry, with a copy of it first where a newer release is about to change its schema. */
static enum ox_code open_registry(struct ox_data_folder *folder, const struct ox_log *log,
                                  struct ox_err *err)
{
    char *kept = NULL;
    enum ox_code code = ox_registry_keep_way_back(folder->registry_path, &kept, err);

    if (kept != NULL) {
        ox_log(log, OX_LOG_INFO,
               "the registry is of an older release: as it was it is kept as %s, for the way back",
               kept);
    }
    free(kept);
    return code == OX_OK ? ox_registry_open(&folder->registry, folder->registry_path, err) : code;
}

static enum ox_code open_data(struct serve *serve, const char *dir, const struct ox_log *log,
                              struct ox_err *err)
{
    struct ox_data_folder *folder = &serve->folder;
    enum ox_code code;

    if ((code = ox_dir_make(dir, 0750, err)) != OX_OK) {
        return ox_err_context(err, "data folder %s", dir), code;
    }
    if ((code = ox_data_folder_open(folder, dir, err)) == OX_OK &&
        (code = open_registry(folder, log, err)) != OX_OK) {
        ox_err_context(err, "data folder %s", dir);
    }
    return code;
}

static enum ox_code open_control(struct serve *serve, const struct ox_serve_options *options,
                                 const struct ox_log *log, struct ox_err *err)
{
    const struct ox_control_options spec = {
        .store = serve->folder.store,
        .registry = serve->folder.registry,
        .log = log,
        .delta_workers = options->delta_workers,
        .delta_effort = options->delta_effort,
        .jobs_max = options->jobs_max,
        .delta_cache_bytes = options->delta_cache_bytes,
        .gc_grace_s = options->gc_grace_s,
        .forget_after_s = options->forget_after_s,
        .delta_wait_s = options->delta_wait_s,
        .poll_interval_s = options->poll_interval_s,
        .accept_unknown = options->accept_unknown,
        .reimage_after_ms = options->reimage_after_ms,
        .history_kept_ms = options->history_kept_ms,
        .events_keep = options->events_keep,
        .events_keep_s = options->events_keep_s,
        .blob_urls = options->blob_urls,
        .blob_urls_count = options->blob_urls_count,
    };
    enum ox_code code = ox_control_new(&serve->control, &spec, err);

    return code == OX_OK ? ox_control_start(serve->control, err) : code;
}

static enum ox_code open_api(struct serve *serve, const struct ox_serve_options *options,
                             const struct ox_log *log, struct ox_err *err)
{
    const struct ox_api_options spec = {.listen_fd = serve->listen_fd,
                                        .control = serve->control,
                                        .log = log,
                                        .version = options->version};

    serve->listen_fd = -1; /* taken over */
    return ox_api_start(&serve->api, &spec, err);
}

/* Backwards, so that nothing is closed under what still uses it. */
static void close_all(struct serve *serve)
{
    ox_api_stop(serve->api, GRACE_MS);
    if (serve->control != NULL) {
        ox_control_stop(serve->control);
        ox_control_free(serve->control);
    }
    ox_data_folder_close(&serve->folder);
    if (serve->listen_fd >= 0) {
        (void)close(serve->listen_fd);
    }
}

enum ox_code ox_serve_run(const struct ox_serve_options *options, struct ox_stop *stop,
                          const struct ox_log *log, const struct ox_serve_ready *ready,
                          struct ox_err *err)
{
    struct serve serve = {.listen_fd = -1, .folder = {.lock_fd = -1}};
    const char *host = options->host == NULL ? OX_SERVE_HOST_DEFAULT : options->host;
    uint16_t port = options->port;
    enum ox_code code;

    raise_descriptor_limit();
    /* The port first: a second server on the same port touches no data. */
    if ((code = ox_serve_listen(host, &port, options->insecure, &serve.listen_fd, err)) == OX_OK &&
        (code = open_data(&serve, options->data_dir, log, err)) == OX_OK &&
        (code = open_control(&serve, options, log, err)) == OX_OK &&
        (code = open_api(&serve, options, log, err)) == OX_OK) {
        if (options->insecure) {
            ox_log(log, OX_LOG_WARN,
                   "there is no authentication: whoever reaches port %u may replace every model",
                   (unsigned)port);
        }
        ox_log(log, OX_LOG_INFO, "serving %s on %s port %u", options->data_dir, host,
               (unsigned)port);
        if (ready != NULL && ready->ready != NULL) {
            ready->ready(ready->ctx, host, port);
        }
        ox_notify("READY=1\nSTATUS=Serving %.200s on %.60s port %u", options->data_dir, host,
                  (unsigned)port);
        (void)ox_stop_wait(stop, -1);
        ox_notify("STOPPING=1");
        ox_log(log, OX_LOG_INFO, "stopping");
    }
    close_all(&serve);
    return code;
}
