#include "agent_tuning.h"

#include "oxide/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOWN_MAX 128 /* of a value, in lines of the log */

/* --- as the agent takes them --- */

/* What a tuning has of its own beside the config that it lends from. */
struct owned {
    struct ox_agent_config *config;
    struct ox_agent_model_options *models;
};

static void owned_free(void *owner)
{
    struct owned *owned = owner;

    ox_agent_config_free(owned->config);
    free(owned->models);
    free(owned);
}

/* What is said of a model or, where that is NULL, of all. */
static struct ox_agent_model_options model_options(const struct ox_agent_config *config,
                                                   const char *model_id)
{
#define OF(setting) ox_agent_config_get(config, model_id, OX_AGENT_SETTING_##setting)
    return (struct ox_agent_model_options){
        .model_id = model_id,
        .preflight_command = OF(PREFLIGHT_COMMAND)->text,
        .health_check = OF(HEALTH_CHECK)->text,
        .health_timeout_ms = (int64_t)OF(HEALTH_TIMEOUT)->number,
        .soak_ms = (int64_t)OF(SOAK)->number,
        .consumer = {.busy_lock = OF(BUSY_LOCK)->text,
                     .pre_activate = OF(PRE_ACTIVATE)->text,
                     .post_activate = OF(POST_ACTIVATE)->text,
                     .notify_url = OF(NOTIFY_URL)->text,
                     .notify_body = OF(NOTIFY_BODY)->text,
                     .pid_file = OF(PID_FILE)->text,
                     .signal = (enum ox_consumer_signal)OF(SIGNAL)->number,
                     .probe_url = OF(PROBE_URL)->text,
                     .probe_expect = OF(PROBE_EXPECT)->text,
                     .probe_timeout_ms = (int64_t)OF(PROBE_TIMEOUT)->number},
        .activate_windows = OF(ACTIVATE_WINDOW)->windows,
        .activate_windows_count = OF(ACTIVATE_WINDOW)->windows_count,
        .layout = (enum ox_model_layout)OF(LAYOUT)->number,
        .group = OF(GROUP)->text,
        .keep = (size_t)OF(KEEP)->number,
    };
#undef OF
}

enum ox_code ox_agent_tuning_of(struct ox_agent_config **take_config, struct ox_agent_tuning *out,
                                struct ox_err *err)
{
    struct ox_agent_config *config = *take_config;
    struct owned *owned = calloc(1, sizeof(*owned));
    struct ox_agent_model_options *models = calloc(config->models_count + 1, sizeof(*models));

    *take_config = NULL;
    if (owned == NULL || models == NULL) {
        free(owned);
        free(models);
        ox_agent_config_free(config);
        return ox_err_nomem(err, "the agent's settings");
    }
    *owned = (struct owned){config, models};
    for (size_t i = 0; i < config->models_count; i++) {
        models[i] = model_options(config, config->models[i].model_id);
    }
#define OF(setting) ox_agent_config_get(config, NULL, OX_AGENT_SETTING_##setting)
    *out = (struct ox_agent_tuning){
        .poll_ms = (int64_t)OF(POLL_INTERVAL)->number,
        .metered = OF(METERED)->number != 0,
        .rate_bps = OF(RATE_LIMIT)->number,
        .stall_s = (int64_t)(OF(STALL_TIMEOUT)->number + 999) / 1000,
        .download_windows = OF(DOWNLOAD_WINDOW)->windows,
        .download_windows_count = OF(DOWNLOAD_WINDOW)->windows_count,
        .all = model_options(config, NULL),
        .models = models,
        .models_count = config->models_count,
        .owner = owned,
        .done = owned_free,
    };
#undef OF
    return OX_OK;
}

void ox_agent_log_set(const struct ox_agent_config *config, struct ox_log *log)
{
    /* in the order of the words of log_format and log_level */
    static const enum ox_log_level levels[] = {OX_LOG_ERROR, OX_LOG_WARN, OX_LOG_INFO,
                                               OX_LOG_DEBUG};
    uint64_t format = config->values[OX_AGENT_SETTING_LOG_FORMAT].number;
    bool json = format == 2 || (format == 0 && isatty(log->fd) == 0);

    log->level = levels[config->values[OX_AGENT_SETTING_LOG_LEVEL].number];
    log->format = json ? OX_LOG_JSON : OX_LOG_TEXT;
}

/* --- what is not the same --- */

static const struct ox_agent_config_model *model_of(const struct ox_agent_config *config,
                                                    const char *model_id)
{
    for (size_t i = 0; i < config->models_count; i++) {
        if (strcmp(config->models[i].model_id, model_id) == 0) {
            return &config->models[i];
        }
    }
    return NULL;
}

/* A value of a model, or of all where the model has none; NULL: it is not set there. */
static const struct ox_setting_value *own_value(const struct ox_agent_config_model *model, size_t i)
{
    return model == NULL || model->values[i].source == OX_SETTING_DEFAULT ? NULL
                                                                          : &model->values[i];
}

static const char *show(const struct ox_setting_value *value, char out[SHOWN_MAX])
{
    if (value == NULL) {
        return "as for all";
    }
    return value->text == NULL ? "none" : ox_text_escape(value->text, out, SHOWN_MAX);
}

static void compare(size_t index, const char *model_id, const struct ox_setting_value *before,
                    const struct ox_setting_value *after, ox_agent_change *tell, void *ctx)
{
    const struct ox_setting *row = &ox_agent_settings[index];
    char name[OX_ID_MAX + OX_SETTING_NAME_MAX];
    char texts[2][SHOWN_MAX];
    bool same = before == after || (before != NULL && after != NULL &&
                                    (before->text == NULL || after->text == NULL
                                         ? before->text == after->text
                                         : strcmp(before->text, after->text) == 0));

    if (same) {
        return;
    }
    if (model_id != NULL) {
        (void)snprintf(name, sizeof(name), "[model %s] %s", model_id, row->key);
    } else {
        (void)snprintf(name, sizeof(name), "[%s] %s", row->section, row->key);
    }
    tell(ctx, row, name, show(before, texts[0]), show(after, texts[1]));
}

void ox_agent_config_compare(const struct ox_agent_config *before,
                             const struct ox_agent_config *after, ox_agent_change *tell, void *ctx)
{
    for (size_t i = 0; i < OX_AGENT_SETTING_COUNT; i++) {
        compare(i, NULL, &before->values[i], &after->values[i], tell, ctx);
    }
    for (size_t m = 0; m < before->models_count + after->models_count; m++) {
        bool is_old = m < before->models_count;
        const char *id =
            is_old ? before->models[m].model_id : after->models[m - before->models_count].model_id;
        const struct ox_agent_config_model *old = model_of(before, id);
        const struct ox_agent_config_model *new = model_of(after, id);

        for (size_t i = 0; i < OX_AGENT_SETTING_COUNT && (is_old || old == NULL); i++) {
            compare(i, id, own_value(old, i), own_value(new, i), tell, ctx);
        }
    }
}
