#include "oxide/app/agent.h"

#include "agent_tuning.h"

#include "oxide/base/buf.h"

#include <stdlib.h>
#include <string.h>

/* What is needed to read the settings again. The agent's thread alone uses it. */
struct reloader {
    const struct ox_agent_config_sources *sources;
    struct ox_log *log;
    const struct ox_agent_config *started; /* by what cannot change since */
    const struct ox_agent_config *current; /* what the agent was told last; the agent's */
    size_t changes;
};

static void say_change(void *ctx, const struct ox_setting *row, const char *name,
                       const char *before, const char *after)
{
    struct reloader *reloader = ctx;

    if (row->change == OX_SETTING_AT_RELOAD) {
        reloader->changes++;
        ox_log(reloader->log, OX_LOG_INFO, "%s is %s now, no longer %s", name, after, before);
    }
}

static void say_needs_restart(void *ctx, const struct ox_setting *row, const char *name,
                              const char *before, const char *after)
{
    struct reloader *reloader = ctx;

    if (row->change == OX_SETTING_AT_RESTART) {
        reloader->changes++;
        ox_log(reloader->log, OX_LOG_WARN, "%s stays %s until the agent is started again, then %s",
               name, before, after);
    }
}

static void say_problems(const struct reloader *reloader, const struct ox_config_problems *problems,
                         const struct ox_err *err)
{
    for (size_t i = 0; problems->count > 1 && i < problems->count && i < OX_CONFIG_PROBLEMS_MAX;
         i++) {
        ox_log(reloader->log, OX_LOG_ERROR, "%s", problems->lines[i]);
    }
    ox_log(reloader->log, OX_LOG_ERROR, "the settings stay as they were: %s", err->msg);
}

/* Read all again, for the agent. */
static bool retune(void *ctx, struct ox_agent_tuning *out)
{
    struct reloader *reloader = ctx;
    struct ox_agent_config *config = NULL;
    const struct ox_agent_config *lent;
    struct ox_config_problems problems = {.count = 0};
    struct ox_err err = OX_ERR_INIT;
    enum ox_code code = ox_agent_config_load(reloader->sources, &config, &problems, &err);

    if (code == OX_OK) {
        lent = config;
        ox_agent_log_set(config, reloader->log);
        reloader->changes = 0;
        ox_agent_config_compare(reloader->current, config, say_change, reloader);
        ox_agent_config_compare(reloader->started, config, say_needs_restart, reloader);
        if (reloader->changes == 0) {
            ox_log(reloader->log, OX_LOG_INFO, "the settings were read again: nothing has changed");
        }
        code = ox_agent_tuning_of(&config, out, &err);
        reloader->current = code == OX_OK ? lent : reloader->current;
    }
    if (code != OX_OK) {
        say_problems(reloader, &problems, &err);
    }
    ox_config_problems_clear(&problems);
    return code == OX_OK;
}

/* Without final slashes: the paths of the API are put behind it. */
static enum ox_code trim_url(const char *url, char **out, struct ox_err *err)
{
    size_t len = strlen(url);

    while (len > 0 && url[len - 1] == '/') {
        len--;
    }
    return ox_strf(out, err, "%.*s", (int)len, url);
}

/* Run by two readings of the same: one stays as it was at the start, one is the agent's. */
static enum ox_code run(const struct ox_app_agent_options *options,
                        const struct ox_agent_config *started, struct ox_agent_config **take_config,
                        struct ox_stop *stop, struct ox_err *err)
{
    struct ox_log log = {options->log_fd, OX_LOG_INFO, OX_LOG_TEXT};
    char device_id[OX_ID_MAX + 1] = "";
    struct reloader reloader = {&options->sources, &log, started, *take_config, 0};
    struct ox_agent_options agent = {
        .device_id = device_id,
        .model_dir = started->values[OX_AGENT_SETTING_MODEL_DIR].text,
        .retune = options->reload_fd < 0 ? NULL : retune,
        .retune_ctx = &reloader,
        .retune_fd = options->reload_fd,
        .linger_ms = OX_AGENT_LINGER_MS,
    };
    char *control_plane = NULL;
    char *user_agent = NULL;
    enum ox_code code;

    ox_agent_log_set(started, &log);
    if ((code = ox_agent_config_device_id(started, device_id, err)) == OX_OK &&
        (code = trim_url(started->values[OX_AGENT_SETTING_CONTROL_PLANE].text, &control_plane,
                         err)) == OX_OK &&
        (code = ox_strf(&user_agent, err, "oxide/%s", options->version)) == OX_OK &&
        (code = ox_agent_tuning_of(take_config, &agent.tuning, err)) == OX_OK) {
        agent.control_plane = control_plane;
        agent.agent = user_agent;
        code = ox_agent_run(&agent, stop, &log, err);
    }
    free(user_agent);
    free(control_plane);
    return code;
}

enum ox_code ox_app_agent_run(const struct ox_app_agent_options *options, struct ox_stop *stop,
                              struct ox_config_problems *problems, struct ox_err *err)
{
    struct ox_agent_config *started = NULL;
    struct ox_agent_config *config = NULL;
    enum ox_code code = ox_agent_config_load(&options->sources, &started, problems, err);

    if (code == OX_OK) {
        code = ox_agent_config_load(&options->sources, &config, problems, err);
    }
    if (code == OX_OK) {
        code = run(options, started, &config, stop, err);
    }
    ox_agent_config_free(config);
    ox_agent_config_free(started);
    return code;
}
