#include "agent_args.h"

#include "oxide/app/agent_ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MAX_MS 10000

extern char **environ;

static bool is_setting(const char *flag)
{
    for (size_t i = 0; i < OX_AGENT_SETTING_COUNT; i++) {
        if (strcmp(ox_agent_settings[i].flag, flag) == 0) {
            return true;
        }
    }
    return false;
}

/* The flags that are settings, in order; --verbose is one where --log-level is not given. */
static enum ox_code collect_flags(const struct ox_cli *cli, const struct ox_args *args,
                                  struct ox_agent_config_flag **out, size_t *out_count,
                                  struct ox_err *err)
{
    struct ox_agent_config_flag *flags = calloc(args->given_count + 1, sizeof(*flags));
    size_t count = 0;

    if (flags == NULL) {
        return ox_err_nomem(err, "the command line");
    }
    if (cli->verbose) {
        flags[count++] = (struct ox_agent_config_flag){"log-level", "debug"};
    }
    for (size_t i = 0; i < args->given_count; i++) {
        const struct ox_given *given = &args->given[i];

        if (given->value != NULL && is_setting(given->option->name)) {
            flags[count++] = (struct ox_agent_config_flag){given->option->name, given->value};
        }
    }
    *out = flags;
    *out_count = count;
    return OX_OK;
}

void ox_agent_args_problems(const struct ox_cli *cli, const struct ox_config_problems *problems)
{
    for (size_t i = 0; problems->count > 1 && i < problems->count && i < OX_CONFIG_PROBLEMS_MAX;
         i++) {
        (void)fprintf(cli->notes, "oxide: %s\n", problems->lines[i]);
    }
    if (problems->count > OX_CONFIG_PROBLEMS_MAX) {
        (void)fprintf(cli->notes, "oxide: and %zu more\n",
                      problems->count - OX_CONFIG_PROBLEMS_MAX);
    }
}

enum ox_code ox_agent_args_sources(const struct ox_cli *cli, const struct ox_args *args,
                                   struct ox_agent_config_sources *out,
                                   struct ox_agent_config_flag **flags, struct ox_err *err)
{
    *out = (struct ox_agent_config_sources){.file = ox_args_value(args, "config", NULL),
                                            .environment = (const char *const *)environ};
    *flags = NULL;
    if (collect_flags(cli, args, flags, &out->flags_count, err) != OX_OK) {
        return OX_ENOMEM;
    }
    out->flags = *flags;
    return OX_OK;
}

enum ox_code ox_agent_args_folder(const struct ox_cli *cli, const struct ox_args *args, char **out,
                                  struct ox_err *err)
{
    struct ox_config_problems problems = {.count = 0};
    struct ox_agent_config_flag *flags = NULL;
    struct ox_agent_config_sources sources;
    enum ox_code code = ox_agent_args_sources(cli, args, &sources, &flags, err);

    if (code == OX_OK) {
        code = ox_app_agent_folder(&sources, out, &problems, err);
    }
    ox_agent_args_problems(cli, &problems);
    ox_config_problems_clear(&problems);
    free(flags);
    return code;
}

enum ox_code ox_agent_args_ask(const struct ox_cli *cli, const struct ox_args *args,
                               json_t *take_request, json_t **out, struct ox_err *err)
{
    char *dir = NULL;
    enum ox_code code = take_request == NULL ? ox_err_nomem(err, "a request")
                                             : ox_agent_args_folder(cli, args, &dir, err);

    if (code == OX_OK &&
        (code = ox_app_agent_ask(dir, take_request, ANSWER_MAX_MS, out, err)) == OX_ENET) {
        ox_err_context(err, "folder %s", dir);
    }
    json_decref(take_request);
    free(dir);
    return code;
}
