#include "args.h"
#include "daemon.h"
#include "listen.h"
#include "version.h"

#include "oxide/app/serve.h"
#include "oxide/delta/delta.h"

#include <stdlib.h>
#include <string.h>

#define DATA_DIR_DEFAULT "oxide-data"
#define TIME_MAX_MS (100 * 365 * (uint64_t)86400000)

static void say_ready(void *ctx, const char *host, uint16_t port)
{
    const struct ox_cli *cli = ctx;
    bool v6 = strchr(host, ':') != NULL;

    (void)fprintf(cli->out, "listening on http://%s%s%s:%u\n", v6 ? "[" : "", host, v6 ? "]" : "",
                  (unsigned)port);
    (void)fflush(cli->out); /* scripts wait for this line */
}

/* Where to listen: --listen, then --host and --port over it. */
static enum ox_code listen_options(const struct ox_args *args, char host[OX_HOST_MAX],
                                   struct ox_serve_options *options, struct ox_err *err)
{
    const char *listen = ox_args_value(args, "listen", NULL);
    uint64_t port;
    enum ox_code code = OX_OK;

    (void)snprintf(host, OX_HOST_MAX, "%s", OX_SERVE_HOST_DEFAULT);
    options->port = OX_SERVE_PORT_DEFAULT;
    if (listen != NULL) {
        code = ox_listen_parse(listen, host, &options->port, err);
    }
    if (code == OX_OK) {
        port = options->port;
        code = ox_args_number(args, "port", 0, UINT16_MAX, &port, err);
        options->port = (uint16_t)port;
    }
    options->host = ox_args_value(args, "host", host);
    return code;
}

/* What is kept, and for how long. */
static enum ox_code keeping_options(const struct ox_args *args, struct ox_serve_options *options,
                                    struct ox_err *err)
{
    static const uint64_t most_ms = (uint64_t)3650 * 86400000;
    uint64_t grace_ms = 0;
    uint64_t forget_ms = 0;
    enum ox_code code;

    if ((code = ox_args_size(args, "delta-cache", 1, (uint64_t)1 << 50, &options->delta_cache_bytes,
                             err)) != OX_OK ||
        (code = ox_args_seconds(args, "gc-grace", most_ms, &grace_ms, err)) != OX_OK ||
        (code = ox_args_seconds(args, "forget-after", most_ms, &forget_ms, err)) != OX_OK) {
        return code;
    }
    if ((ox_args_has(args, "gc-grace") && grace_ms < 1000) ||
        (ox_args_has(args, "forget-after") && forget_ms < 1000)) {
        return ox_err_set(err, OX_EINVAL, "--gc-grace and --forget-after are at least one second");
    }
    options->gc_grace_s = grace_ms / 1000;
    options->forget_after_s = forget_ms / 1000;
    return OX_OK;
}

/* A time, or the one word that stands for none. *out keeps its value if it is not given. */
static enum ox_code time_or(const struct ox_args *args, const char *option, const char *word,
                            int64_t of_word_ms, int64_t *out_ms, struct ox_err *err)
{
    const char *value = ox_args_value(args, option, NULL);
    uint64_t ms = 0;
    enum ox_code code;

    if (value == NULL) {
        return OX_OK;
    }
    if (strcmp(value, word) == 0) {
        *out_ms = of_word_ms;
        return OX_OK;
    }
    code = ox_args_seconds(args, option, TIME_MAX_MS, &ms, err);
    if (code == OX_OK && ms == 0) {
        code = ox_err_set(err, OX_EINVAL, "--%s cannot be 0: give a time, or '%s'", option, word);
    }
    if (code == OX_OK) {
        *out_ms = (int64_t)ms;
    }
    return code;
}

/* What becomes of devices that are not known, or not the same. */
static enum ox_code device_options(const struct ox_args *args, struct ox_serve_options *options,
                                   struct ox_err *err)
{
    enum ox_code code;

    options->accept_unknown = strcmp(ox_args_value(args, "accept", "manual"), "auto") == 0;
    options->history_kept_ms = OX_SERVE_HISTORY_KEPT_MS_DEFAULT;
    code = time_or(args, "reimage-after", "never", OX_NEVER_MS, &options->reimage_after_ms, err);
    return code == OX_OK
               ? time_or(args, "history-keep", "forever", 0, &options->history_kept_ms, err)
               : code;
}

/* How much of the log of events is kept. */
static enum ox_code events_options(const struct ox_args *args, struct ox_serve_options *options,
                                   struct ox_err *err)
{
    uint64_t age_ms = 0;
    enum ox_code code =
        ox_args_number(args, "events-keep", 1, 1000000000000ull, &options->events_keep, err);

    if (code == OX_OK) {
        code = ox_args_seconds(args, "events-age", TIME_MAX_MS, &age_ms, err);
    }
    if (code == OX_OK && ox_args_has(args, "events-age")) {
        options->events_keep_s = age_ms < 1000 ? 1 : age_ms / 1000;
    }
    return code;
}

enum ox_code ox_run_serve(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    char host[OX_HOST_MAX];
    struct ox_serve_options options = {.data_dir = ox_args_value(args, "data", DATA_DIR_DEFAULT),
                                       .insecure = ox_args_has(args, "insecure")};
    const struct ox_serve_ready ready = {cli, say_ready};
    struct ox_log log = ox_daemon_log(cli, args);
    const char **urls = calloc(args->given_count + 1, sizeof(*urls));
    uint64_t workers = 0;
    uint64_t effort = 0;
    uint64_t wait_ms = OX_SERVE_DELTA_WAIT_S_DEFAULT * 1000ull;
    enum ox_code code = urls == NULL ? ox_err_nomem(err, "options") : OX_OK;

    while (code == OX_OK && (urls[options.blob_urls_count] =
                                 ox_args_nth(args, "blob-url", options.blob_urls_count)) != NULL) {
        options.blob_urls_count++;
    }
    options.blob_urls = urls;
    options.version = OX_VERSION;
    if (code == OX_OK) {
        code = listen_options(args, host, &options, err);
    }
    if (code == OX_OK) {
        code = ox_args_number(args, "delta-workers", 1, 256, &workers, err);
        options.delta_workers = (unsigned)workers;
    }
    if (code == OX_OK) {
        code = ox_args_number(args, "delta-effort", 1, OX_DELTA_EFFORT_MAX, &effort, err);
        options.delta_effort = (unsigned)effort;
    }
    if (code == OX_OK) {
        code = ox_args_number(args, "delta-queue", 1, 1000000, &options.jobs_max, err);
    }
    if (code == OX_OK) {
        code = keeping_options(args, &options, err);
    }
    if (code == OX_OK) {
        code = ox_args_seconds(args, "delta-wait", 7 * 24 * 3600000ull, &wait_ms, err);
        options.delta_wait_s = wait_ms / 1000;
    }
    if (code == OX_OK) {
        code = ox_args_number(args, "poll-interval", 1, 86400, &options.poll_interval_s, err);
    }
    if (code == OX_OK) {
        code = device_options(args, &options, err);
    }
    if (code == OX_OK) {
        code = events_options(args, &options, err);
    }
    if (code == OX_OK) {
        code = ox_serve_run(&options, cli->stop, &log, &ready, err);
    }
    free(urls);
    return code;
}
