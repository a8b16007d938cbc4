#include "agent_config_inner.h"
#include "ini_file.h"

#include "oxide/base/buf.h"
#include "oxide/base/file.h"
#include "oxide/base/suggest.h"
#include "oxide/base/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_PREFIX "model "
#define SHOWN_MAX 64 /* of what was given, in messages */

/* One file on its way in. */
struct reading {
    struct ox_agent_config *config;
    const char *file;
    struct ox_config_problems *problems;
    bool skips;                          /* in a section that is none */
    struct ox_agent_config_model *model; /* in its section; NULL: in one of all */
};

/* --- sections --- */

static bool is_section(const char *name)
{
    for (size_t i = 0; i < OX_AGENT_SETTING_COUNT; i++) {
        if (strcmp(ox_agent_settings[i].section, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Go on with the model's own values, made if absent; one model too many is told, and skipped. */
static enum ox_code model_of(struct reading *reading, const char *model_id, unsigned line,
                             struct ox_err *err)
{
    struct ox_agent_config *config = reading->config;
    struct ox_agent_config_model *models;

    for (size_t i = 0; i < config->models_count; i++) {
        if (strcmp(config->models[i].model_id, model_id) == 0) {
            reading->model = &config->models[i];
            return OX_OK;
        }
    }
    if (config->models_count == OX_AGENT_CONFIG_MODELS_MAX) {
        reading->skips = true;
        return ox_config_problem(reading->problems, err,
                                 "%s:%u: [model %.40s] is one too many: %d models may have a "
                                 "section",
                                 reading->file, line, model_id, OX_AGENT_CONFIG_MODELS_MAX);
    }
    models = realloc(config->models, (config->models_count + 1) * sizeof(*models));
    if (models == NULL) {
        return ox_err_nomem(err, "a model's settings");
    }
    config->models = models;
    reading->model = &models[config->models_count++];
    memset(reading->model, 0, sizeof(*reading->model));
    (void)snprintf(reading->model->model_id, sizeof(reading->model->model_id), "%s", model_id);
    return OX_OK;
}

static enum ox_code unknown_section(struct reading *reading, const char *name, unsigned line,
                                    struct ox_err *err)
{
    struct ox_suggestion near = {NULL, 0};
    char known[256] = "";
    char shown[SHOWN_MAX];

    for (size_t i = 0; i < OX_AGENT_SETTING_COUNT; i++) {
        ox_suggest(&near, name, ox_agent_settings[i].section);
    }
    reading->skips = true;
    ox_text_escape(name, shown, sizeof(shown));
    if (near.best != NULL) {
        return ox_config_problem(reading->problems, err,
                                 "%s:%u: there is no section [%s]: did you mean [%s]?",
                                 reading->file, line, shown, near.best);
    }
    for (size_t i = 0; i < OX_AGENT_SETTING_COUNT; i++) {
        const char *section = ox_agent_settings[i].section;
        size_t len = strlen(known);

        if (i == 0 || strcmp(section, ox_agent_settings[i - 1].section) != 0) {
            (void)snprintf(known + len, sizeof(known) - len, "[%s], ", section);
        }
    }
    return ox_config_problem(reading->problems, err,
                             "%s:%u: there is no section [%s]: they are %sand [model NAME]",
                             reading->file, line, shown, known);
}

static enum ox_code take_section(void *ctx, const char *name, unsigned line, struct ox_err *err)
{
    struct reading *reading = ctx;
    struct ox_err why = OX_ERR_INIT;

    reading->model = NULL;
    reading->skips = false;
    if (strncmp(name, MODEL_PREFIX, strlen(MODEL_PREFIX)) == 0) {
        const char *model_id = name + strlen(MODEL_PREFIX);

        model_id += strspn(model_id, " \t");
        if (ox_id_check("model", model_id, &why) == OX_OK) {
            return model_of(reading, model_id, line, err);
        }
        reading->skips = true;
        return ox_config_problem(reading->problems, err, "%s:%u: [%.60s]: %s", reading->file, line,
                                 name, why.msg);
    }
    return is_section(name) ? OX_OK : unknown_section(reading, name, line, err);
}

/* --- keys --- */

static bool may_stand(const struct reading *reading, const char *section,
                      const struct ox_setting *row)
{
    return reading->model != NULL ? row->scope == OX_SETTING_OF_MODEL
                                  : strcmp(row->section, section) == 0;
}

static enum ox_code unknown_key(struct reading *reading, const char *section, const char *key,
                                unsigned line, struct ox_err *err)
{
    struct ox_suggestion near = {NULL, 0};
    const char *elsewhere = NULL;
    char shown[SHOWN_MAX];

    for (size_t i = 0; i < OX_AGENT_SETTING_COUNT; i++) {
        const struct ox_setting *row = &ox_agent_settings[i];

        if (may_stand(reading, section, row)) {
            ox_suggest(&near, key, row->key);
        }
        elsewhere = strcmp(row->key, key) == 0 ? row->section : elsewhere;
    }
    ox_text_escape(key, shown, sizeof(shown));
    if (section[0] == '\0') {
        return ox_config_problem(
            reading->problems, err, "%s:%u: %s stands in no section: write [%s] above it",
            reading->file, line, shown, elsewhere == NULL ? "agent" : elsewhere);
    }
    if (elsewhere != NULL) {
        return ox_config_problem(reading->problems, err,
                                 "%s:%u: %s does not belong in [%.60s]: it is a setting of [%s]%s",
                                 reading->file, line, shown, section, elsewhere,
                                 reading->model != NULL ? ", for all models alike" : "");
    }
    if (near.best != NULL) {
        return ox_config_problem(reading->problems, err,
                                 "%s:%u: [%.60s] has no setting %s: did you mean %s?",
                                 reading->file, line, section, shown, near.best);
    }
    return ox_config_problem(reading->problems, err,
                             "%s:%u: [%.60s] has no setting %s: docs/agent-settings.md and 'oxide "
                             "agent --sample-config' list them",
                             reading->file, line, section, shown);
}

/* An indented line that is a setting itself was hardly meant to go on with the one above. */
static const char *swallowed(const char *value)
{
    for (const char *at = strchr(value, '\n'); at != NULL; at = strchr(at, '\n')) {
        size_t len = strcspn(++at, " \t=:\n");
        const char *behind = at + len + strspn(at + len, " \t");

        for (size_t i = 0; *behind == '=' && i < OX_AGENT_SETTING_COUNT; i++) {
            const char *key = ox_agent_settings[i].key;

            if (strlen(key) == len && strncmp(key, at, len) == 0) {
                return key;
            }
        }
    }
    return NULL;
}

/* Set once in this file already: those that may be repeated are joined, others refused. */
static enum ox_code take_again(struct reading *reading, const struct ox_setting *row,
                               struct ox_setting_value *value, const char *text, unsigned line,
                               struct ox_err *err)
{
    struct ox_err why = OX_ERR_INIT;
    char *joined = NULL;
    enum ox_code code;

    if (row->kind != OX_SETTING_WINDOWS && row->kind != OX_SETTING_LIST) {
        return ox_config_problem(reading->problems, err,
                                 "%s:%u: %s is given twice: line %u has it already", reading->file,
                                 line, row->key, value->line);
    }
    code = ox_strf(&joined, err, "%s\n%s", value->text == NULL ? "" : value->text, text);
    if (code == OX_OK && (code = ox_setting_parse(row, joined, value, &why)) == OX_EINVAL) {
        char expected[OX_SETTING_EXPECTED_MAX];
        char shown[SHOWN_MAX];

        code = ox_config_problem(reading->problems, err, "%s:%u: %s cannot be '%s': it is %s",
                                 reading->file, line, row->key,
                                 ox_text_escape(text, shown, sizeof(shown)),
                                 ox_setting_expected(row, expected));
    }
    free(joined);
    return code;
}

static enum ox_code take_value(struct reading *reading, size_t index, const char *text,
                               unsigned line, struct ox_err *err)
{
    const struct ox_setting *row = &ox_agent_settings[index];
    struct ox_setting_value *value =
        reading->model != NULL ? &reading->model->values[index] : &reading->config->values[index];
    struct ox_setting_value fresh = {
        .source = OX_SETTING_FILE, .file = reading->file, .line = line};
    const char *lost = swallowed(text);
    struct ox_err why = OX_ERR_INIT;
    enum ox_code code;

    if (lost != NULL) {
        return ox_config_problem(reading->problems, err,
                                 "%s:%u: an indented line goes on with %s above it, and looks like "
                                 "the setting %s: begin it at the margin",
                                 reading->file, line, row->key, lost);
    }
    if (value->source == OX_SETTING_FILE && value->file == reading->file) {
        return take_again(reading, row, value, text, line, err);
    }
    code = ox_setting_parse(row, text, &fresh, &why);
    if (code == OX_OK) {
        ox_setting_value_clear(value);
        *value = fresh;
        return OX_OK;
    }
    return code == OX_EINVAL ? ox_config_problem(reading->problems, err, "%s:%u: %s %s",
                                                 reading->file, line, row->key, why.msg)
                             : ox_err_set(err, code, "%s", why.msg);
}

static enum ox_code take_entry(void *ctx, const char *section, const char *key, const char *value,
                               unsigned line, struct ox_err *err)
{
    struct reading *reading = ctx;

    if (reading->skips) {
        return OX_OK;
    }
    for (size_t i = 0; i < OX_AGENT_SETTING_COUNT; i++) {
        if (strcmp(ox_agent_settings[i].key, key) == 0 &&
            may_stand(reading, section, &ox_agent_settings[i])) {
            return take_value(reading, i, value, line, err);
        }
    }
    return unknown_key(reading, section, key, line, err);
}

static enum ox_code take_problem(void *ctx, unsigned line, const char *what, struct ox_err *err)
{
    struct reading *reading = ctx;

    return ox_config_problem(reading->problems, err, "%s:%u: the line %s", reading->file, line,
                             what);
}

enum ox_code ox_agent_config_read(struct ox_agent_config *config, const char *name,
                                  const void *bytes, size_t len_bytes,
                                  struct ox_config_problems *problems, struct ox_err *err)
{
    struct reading reading = {config, name, problems, false, NULL};
    const struct ox_ini_sink sink = {&reading, take_section, take_entry, take_problem};

    return ox_ini_read(bytes, len_bytes, &sink, err);
}

/* --- files --- */

/* Read one; take_path is the config's from here on. */
static enum ox_code read_file(struct ox_agent_config *config, char *take_path, bool may_be_absent,
                              struct ox_config_problems *problems, struct ox_err *err)
{
    struct ox_buf bytes = OX_BUF_INIT;
    struct ox_err why = OX_ERR_INIT;
    enum ox_code code;

    if (config->files_count == OX_AGENT_CONFIG_FILES_MAX) {
        code = ox_config_problem(problems, err, "%s is one file too many: %d are read", take_path,
                                 OX_AGENT_CONFIG_FILES_MAX);
        free(take_path);
        return code;
    }
    code = ox_file_read_all(take_path, OX_AGENT_CONFIG_FILE_BYTES_MAX, &bytes, &why);
    if (code == OX_ENOTFOUND && may_be_absent) {
        free(take_path);
        return OX_OK;
    }
    config->files[config->files_count++] = take_path;
    if (code == OX_ENOMEM) {
        (void)ox_err_set(err, code, "%s", why.msg);
    } else if (code != OX_OK) {
        code = ox_config_problem(problems, err, "%s", why.msg);
    } else {
        code = ox_agent_config_read(config, take_path, bytes.data, bytes.len_bytes, problems, err);
    }
    ox_buf_clear(&bytes);
    return code;
}

static int is_conf(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".conf") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* alphasort would ask the locale */
}

static enum ox_code read_folder(struct ox_agent_config *config, const char *folder,
                                struct ox_config_problems *problems, struct ox_err *err)
{
    struct dirent **names = NULL;
    int count = scandir(folder, &names, is_conf, by_bytes);
    enum ox_code code = OX_OK;

    if (count < 0) {
        struct ox_err why = OX_ERR_INIT;

        if (errno == ENOENT) {
            return OX_OK;
        }
        (void)ox_err_sys(&why, errno, "reading folder %s", folder);
        return ox_config_problem(problems, err, "%s", why.msg);
    }
    for (int i = 0; i < count; i++) {
        char *path = NULL;

        if (code == OX_OK && (code = ox_path_join(&path, folder, names[i]->d_name, err)) == OX_OK) {
            code = read_file(config, path, false, problems, err);
        }
        free(names[i]);
    }
    free(names);
    return code;
}

enum ox_code ox_agent_config_read_files(struct ox_agent_config *config, const char *file,
                                        const char *credentials,
                                        struct ox_config_problems *problems, struct ox_err *err)
{
    char *secrets = NULL;
    char *path = NULL;
    char *folder = NULL;
    enum ox_code code = ox_strdup(&path, file == NULL ? OX_AGENT_CONFIG_FILE : file, err);

    if (code == OX_OK && (code = ox_strf(&folder, err, "%s.d", path)) != OX_OK) {
        free(path);
    }
    if (code == OX_OK && (code = read_file(config, path, file == NULL, problems, err)) == OX_OK) {
        code = read_folder(config, folder, problems, err);
    }
    if (code == OX_OK && credentials != NULL &&
        (code = ox_path_join(&secrets, credentials, OX_AGENT_CONFIG_CREDENTIAL, err)) == OX_OK) {
        code = read_file(config, secrets, true, problems, err);
    }
    free(folder);
    return code;
}
