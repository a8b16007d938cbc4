#include "agent_args.h"
#include "args.h"
#include "client.h"
#include "exit_status.h"
#include "signals.h"
#include "table.h"
#include "version.h"

#include "oxide/app/agent.h"
#include "oxide/app/agent_reference.h"
#include "oxide/base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* --- --check-config --- */

/* Told of every value that holds; model_id NULL: of all models. */
typedef enum ox_code see_value(void *ctx, const struct ox_setting *row, const char *model_id,
                               const struct ox_setting_value *value, struct ox_err *err);

static enum ox_code each_value(const struct ox_agent_config *config, see_value *see, void *ctx,
                               struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < OX_AGENT_SETTING_COUNT; i++) {
        code = see(ctx, &ox_agent_settings[i], NULL, &config->values[i], err);
    }
    for (size_t m = 0; code == OX_OK && m < config->models_count; m++) {
        const struct ox_agent_config_model *model = &config->models[m];

        for (size_t i = 0; code == OX_OK && i < OX_AGENT_SETTING_COUNT; i++) {
            if (model->values[i].source != OX_SETTING_DEFAULT) {
                code = see(ctx, &ox_agent_settings[i], model->model_id, &model->values[i], err);
            }
        }
    }
    return code;
}

static enum ox_code add_row(void *ctx, const struct ox_setting *row, const char *model_id,
                            const struct ox_setting_value *value, struct ox_err *err)
{
    struct ox_table *table = ctx;
    char origin[OX_SETTING_ORIGIN_MAX];

    (void)err;
    if (model_id == NULL) {
        ox_table_cellf(table, "[%s] %s", row->section, row->key);
    } else {
        ox_table_cellf(table, "[model %s] %s", model_id, row->key);
    }
    ox_table_cell(table, value->text);
    ox_table_cell(table, ox_setting_origin(row, value, origin));
    return OX_OK;
}

static enum ox_code print_text(struct ox_cli *cli, const struct ox_agent_config *config,
                               const char *device_id, struct ox_err *err)
{
    static const struct ox_column columns[] = {
        {"SETTING", OX_LEFT}, {"VALUE", OX_LEFT}, {"FROM", OX_LEFT}};
    struct ox_table table;
    enum ox_code code;

    ox_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
    if ((code = each_value(config, add_row, &table, err)) == OX_OK) {
        code = ox_table_print(&table, cli->out, cli->colour, err);
    }
    ox_table_clear(&table);
    if (code == OX_OK) {
        (void)fprintf(cli->out, "\nall of it is right; this device is %s\n", device_id);
    }
    return code;
}

/* A value as scripts want it: times in seconds. */
static json_t *json_of_value(const struct ox_setting *row, const struct ox_setting_value *value)
{
    json_t *list;

    if (value->text == NULL) {
        return json_null();
    }
    switch (row->kind) {
    case OX_SETTING_DURATION:
        return value->number % 1000 == 0 ? json_integer((json_int_t)(value->number / 1000))
                                         : json_real((double)value->number / 1000);
    case OX_SETTING_BYTES:
    case OX_SETTING_RATE:
    case OX_SETTING_NUMBER:
        return json_integer((json_int_t)value->number);
    case OX_SETTING_YES_NO:
        return json_boolean(value->number != 0);
    case OX_SETTING_WINDOWS:
        list = json_array();
        for (size_t i = 0; list != NULL && i < value->windows_count; i++) {
            char text[OX_WINDOW_TEXT_MAX];

            (void)json_array_append_new(list,
                                        json_string(ox_window_text(&value->windows[i], text)));
        }
        return list;
    case OX_SETTING_LIST:
        list = json_array();
        for (size_t i = 0; list != NULL && i < value->items_count; i++) {
            (void)json_array_append_new(list, json_string(value->items[i]));
        }
        return list;
    case OX_SETTING_TEXT:
    case OX_SETTING_PATH:
    case OX_SETTING_URL:
    case OX_SETTING_CHOICE:
    case OX_SETTING_COMMAND:
        break;
    }
    return json_string(value->text);
}

static enum ox_code add_json(void *ctx, const struct ox_setting *row, const char *model_id,
                             const struct ox_setting_value *value, struct ox_err *err)
{
    static const char *const sources[] = {"default", "file", "environment", "flag"};
    bool in_file = value->source == OX_SETTING_FILE;
    json_t *json = json_pack("{s:s, s:s, s:s?, s:o, s:s, s:s?, s:o}", "section", row->section,
                             "key", row->key, "model", model_id, "value", json_of_value(row, value),
                             "from", sources[value->source], "file", in_file ? value->file : NULL,
                             "line", in_file ? json_integer(value->line) : json_null());

    return ox_json_append(ctx, json, err);
}

static enum ox_code print_json(struct ox_cli *cli, const struct ox_agent_config *config,
                               const char *device_id, struct ox_err *err)
{
    json_t *settings = json_array();
    json_t *files = json_array();
    json_t *json = NULL;
    enum ox_code code = each_value(config, add_json, settings, err);

    for (size_t i = 0; code == OX_OK && i < config->files_count; i++) {
        code = ox_json_append(files, json_string(config->files[i]), err);
    }
    if (code == OX_OK) {
        json = json_pack("{s:s, s:O, s:O}", "device_id", device_id, "files", files, "settings",
                         settings);
        code = json == NULL ? ox_err_nomem(err, "settings") : ox_cli_print_json(cli, json, err);
    }
    json_decref(json);
    json_decref(files);
    json_decref(settings);
    return code;
}

static enum ox_code check_config(struct ox_cli *cli, const struct ox_agent_config_sources *sources,
                                 struct ox_config_problems *problems, struct ox_err *err)
{
    struct ox_agent_config *config = NULL;
    char device_id[OX_ID_MAX + 1];
    enum ox_code code = ox_agent_config_load(sources, &config, problems, err);

    if (code == OX_OK && (code = ox_agent_config_device_id(config, device_id, err)) != OX_OK) {
        cli->outcome = OX_EXIT_USAGE; /* whatever the machine lacks */
    }
    if (code == OX_OK) {
        code = (cli->json ? print_json : print_text)(cli, config, device_id, err);
    }
    ox_agent_config_free(config);
    return code;
}

/* --- the command --- */

static enum ox_code print_sample(struct ox_cli *cli, struct ox_err *err)
{
    struct ox_buf text = OX_BUF_INIT;
    enum ox_code code = ox_agent_sample(&text, err);

    if (code == OX_OK) {
        (void)fputs((const char *)text.data, cli->out);
    }
    ox_buf_clear(&text);
    return code;
}

static enum ox_code run_agent(struct ox_cli *cli, const struct ox_agent_config_sources *sources,
                              struct ox_config_problems *problems, struct ox_err *err)
{
    struct ox_app_agent_options options = {
        .sources = *sources, .version = OX_VERSION, .log_fd = STDERR_FILENO};
    enum ox_code code;

    options.reload_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (options.reload_fd < 0) {
        return ox_err_sys(err, errno, "making an eventfd");
    }
    ox_signals_catch_reload(options.reload_fd);
    code = ox_app_agent_run(&options, cli->stop, problems, err);
    ox_signals_catch_reload(-1);
    (void)close(options.reload_fd);
    return code;
}

enum ox_code ox_run_agent(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    struct ox_agent_config_sources sources;
    struct ox_agent_config_flag *flags = NULL;
    struct ox_config_problems problems = {.count = 0};
    enum ox_code code;

    if (ox_args_has(args, "sample-config")) {
        return print_sample(cli, err);
    }
    code = ox_agent_args_sources(cli, args, &sources, &flags, err);
    if (code == OX_OK) {
        code = (ox_args_has(args, "check-config") ? check_config : run_agent)(cli, &sources,
                                                                              &problems, err);
    }
    ox_agent_args_problems(cli, &problems);
    ox_config_problems_clear(&problems);
    free(flags);
    return code;
}
