#include "agent_config_inner.h"
#include "device_id.h"

#include "oxide/base/buf.h"
#include "oxide/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METERED_POLL "15m"

/* --- problems --- */

enum ox_code ox_config_problem(struct ox_config_problems *problems, struct ox_err *err,
                               const char *fmt, ...)
{
    char line[OX_ERR_MSG_MAX];
    enum ox_code code = OX_OK;
    va_list args;

    if (problems->count < OX_CONFIG_PROBLEMS_MAX) {
        va_start(args, fmt);
        (void)vsnprintf(line, sizeof(line), fmt, args);
        va_end(args);
        ox_text_clean(line);
        code = ox_strdup(&problems->lines[problems->count], line, err);
    }
    problems->count += code == OX_OK;
    return code;
}

void ox_config_problems_clear(struct ox_config_problems *problems)
{
    for (size_t i = 0; i < problems->count && i < OX_CONFIG_PROBLEMS_MAX; i++) {
        free(problems->lines[i]);
    }
    *problems = (struct ox_config_problems){.count = 0};
}

/* --- the values --- */

static enum ox_code take_defaults(struct ox_agent_config *config, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < OX_AGENT_SETTING_COUNT; i++) {
        const char *fallback = ox_agent_settings[i].fallback;

        code = ox_setting_parse(&ox_agent_settings[i], fallback == NULL ? "" : fallback,
                                &config->values[i], err);
    }
    return code;
}

/* Take a value from outside of files; one that is wrong becomes a problem. */
static enum ox_code take(struct ox_agent_config *config, size_t index,
                         enum ox_setting_source source, const char *text,
                         struct ox_config_problems *problems, struct ox_err *err)
{
    const struct ox_setting *row = &ox_agent_settings[index];
    struct ox_setting_value from = {.source = source};
    char origin[OX_SETTING_ORIGIN_MAX];
    struct ox_err why = OX_ERR_INIT;
    enum ox_code code = ox_setting_parse(row, text, &from, &why);

    if (code == OX_OK) {
        ox_setting_value_clear(&config->values[index]);
        config->values[index] = from;
        return OX_OK;
    }
    if (code != OX_EINVAL) {
        return ox_err_set(err, code, "%s", why.msg);
    }
    return ox_config_problem(problems, err, "%s %s", ox_setting_origin(row, &from, origin),
                             why.msg);
}

/* What a variable holds, or NULL; an empty one is as good as none. */
static const char *variable_of(const char *const *environment, const char *name)
{
    size_t len = strlen(name);

    for (; environment != NULL && *environment != NULL; environment++) {
        if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=') {
            return (*environment)[len + 1] == '\0' ? NULL : *environment + len + 1;
        }
    }
    return NULL;
}

static enum ox_code take_environment(struct ox_agent_config *config, const char *const *environment,
                                     struct ox_config_problems *problems, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < OX_AGENT_SETTING_COUNT; i++) {
        char name[OX_SETTING_NAME_MAX];
        const char *text =
            variable_of(environment, ox_setting_variable(&ox_agent_settings[i], name));

        if (text != NULL) {
            code = take(config, i, OX_SETTING_ENVIRONMENT, text, problems, err);
        }
    }
    return code;
}

/* What the flags say of one setting: the last, or all of those that may be repeated, joined.
 * *out is NULL if it is not among them; the caller frees it. */
static enum ox_code flag_text(const struct ox_agent_config_sources *sources,
                              const struct ox_setting *row, char **out, struct ox_err *err)
{
    bool repeats = row->kind == OX_SETTING_WINDOWS || row->kind == OX_SETTING_LIST;
    char *text = NULL;
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < sources->flags_count; i++) {
        char *more = NULL;

        if (strcmp(sources->flags[i].flag, row->flag) != 0) {
            continue;
        }
        code = ox_strf(&more, err, "%s%s%s", repeats && text != NULL ? text : "",
                       repeats && text != NULL ? "\n" : "", sources->flags[i].value);
        if (code == OX_OK) {
            free(text);
            text = more;
        }
    }
    if (code == OX_OK) {
        *out = text;
    } else {
        free(text);
    }
    return code;
}

static enum ox_code take_flags(struct ox_agent_config *config,
                               const struct ox_agent_config_sources *sources,
                               struct ox_config_problems *problems, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < OX_AGENT_SETTING_COUNT; i++) {
        char *text = NULL;

        code = flag_text(sources, &ox_agent_settings[i], &text, err);
        if (code == OX_OK && text != NULL) {
            code = take(config, i, OX_SETTING_FLAG, text, problems, err);
        }
        free(text);
    }
    return code;
}

/* The one default that another setting changes. */
static enum ox_code take_metered(struct ox_agent_config *config, struct ox_err *err)
{
    struct ox_setting_value *poll = &config->values[OX_AGENT_SETTING_POLL_INTERVAL];

    return config->values[OX_AGENT_SETTING_METERED].number == 0 ||
                   poll->source != OX_SETTING_DEFAULT
               ? OX_OK
               : ox_setting_parse(&ox_agent_settings[OX_AGENT_SETTING_POLL_INTERVAL], METERED_POLL,
                                  poll, err);
}

static int by_model_id(const void *a, const void *b)
{
    const struct ox_agent_config_model *x = a;
    const struct ox_agent_config_model *y = b;

    return strcmp(x->model_id, y->model_id);
}

static enum ox_code verdict(const struct ox_config_problems *problems, struct ox_err *err)
{
    return problems->count == 0   ? OX_OK
           : problems->count == 1 ? ox_err_set(err, OX_EINVAL, "%s", problems->lines[0])
                                  : ox_err_set(err, OX_EINVAL,
                                               "%zu things are wrong in the configuration: "
                                               "'oxide help agent' and docs/agent-settings.md "
                                               "tell what is expected",
                                               problems->count);
}

enum ox_code ox_agent_config_load(const struct ox_agent_config_sources *sources,
                                  struct ox_agent_config **out, struct ox_config_problems *problems,
                                  struct ox_err *err)
{
    struct ox_agent_config *config = calloc(1, sizeof(*config));
    enum ox_code code;

    if (config == NULL) {
        return ox_err_nomem(err, "a configuration");
    }
    if ((code = take_defaults(config, err)) == OX_OK &&
        (code = ox_agent_config_read_files(
             config, sources->file, variable_of(sources->environment, "CREDENTIALS_DIRECTORY"),
             problems, err)) == OX_OK &&
        (code = take_environment(config, sources->environment, problems, err)) == OX_OK &&
        (code = take_flags(config, sources, problems, err)) == OX_OK &&
        (code = take_metered(config, err)) == OX_OK && (code = verdict(problems, err)) == OX_OK) {
        if (config->models_count > 0) {
            qsort(config->models, config->models_count, sizeof(*config->models), by_model_id);
        }
        *out = config;
        return OX_OK;
    }
    ox_agent_config_free(config);
    return code;
}

void ox_agent_config_free(struct ox_agent_config *config)
{
    if (config == NULL) {
        return;
    }
    for (size_t i = 0; i < OX_AGENT_SETTING_COUNT; i++) {
        ox_setting_value_clear(&config->values[i]);
        for (size_t j = 0; j < config->models_count; j++) {
            ox_setting_value_clear(&config->models[j].values[i]);
        }
    }
    for (size_t i = 0; i < config->files_count; i++) {
        free(config->files[i]);
    }
    free(config->models);
    free(config);
}

/* --- asking --- */

const struct ox_setting_value *ox_agent_config_get(const struct ox_agent_config *config,
                                                   const char *model_id,
                                                   enum ox_agent_setting setting)
{
    for (size_t i = 0; model_id != NULL && i < config->models_count; i++) {
        const struct ox_setting_value *own = &config->models[i].values[setting];

        if (strcmp(config->models[i].model_id, model_id) == 0 &&
            own->source != OX_SETTING_DEFAULT) {
            return own;
        }
    }
    return &config->values[setting];
}

enum ox_code ox_agent_config_device_id(const struct ox_agent_config *config,
                                       char out[OX_ID_MAX + 1], struct ox_err *err)
{
    const struct ox_setting *row = &ox_agent_settings[OX_AGENT_SETTING_DEVICE_ID];
    const struct ox_setting_value *value = &config->values[OX_AGENT_SETTING_DEVICE_ID];
    char origin[OX_SETTING_ORIGIN_MAX];
    enum ox_code code;

    if (value->text == NULL) {
        return ox_err_set(err, OX_EINVAL,
                          "which device is this? --device-id ID, or device_id in %s, as 'oxide "
                          "device register ID' made it known",
                          OX_AGENT_CONFIG_FILE);
    }
    code = ox_device_id_resolve(value->text, "", out, err);
    if (code != OX_OK) {
        ox_err_context(err, "%s", ox_setting_origin(row, value, origin));
    }
    return code;
}
