#include "command.h"

#include "oxide/base/buf.h"
#include "oxide/base/process.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The last line that a command printed, for the message. */
static const char *last_line(char *output)
{
    size_t len = strlen(output);
    char *newline;

    while (len > 0 && strchr(" \t\r\n", output[len - 1]) != NULL) {
        output[--len] = '\0';
    }
    newline = strrchr(output, '\n');
    return newline == NULL ? output : newline + 1;
}

static enum ox_code judge(const struct ox_command_spec *spec, struct ox_process_result *result,
                          struct ox_err *err)
{
    const char *said;

    if (result->stopped) {
        return ox_err_set(err, OX_ECANCELED, "stopped during the %s", spec->what);
    }
    if (result->timed_out) {
        return ox_err_set(err, spec->verdict, "%s took longer than %" PRId64 " s", spec->what,
                          spec->timeout_ms / 1000);
    }
    if (result->exit_code == 0) {
        return OX_OK;
    }
    said = last_line(result->output);
    if (result->signal != 0) {
        return ox_err_set(err, spec->verdict, "%s was ended by signal %d%s%.300s", spec->what,
                          result->signal, said[0] == '\0' ? "" : ": ", said);
    }
    return ox_err_set(err, spec->verdict, "%s ended with status %d%s%.300s", spec->what,
                      result->exit_code, said[0] == '\0' ? "" : ": ", said);
}

enum ox_code ox_command_run(const struct ox_command_spec *spec, char **said, struct ox_err *err)
{
    struct ox_process_result *result = NULL;
    char *env[4] = {NULL};
    enum ox_code code;

    if ((spec->files->count == 1
             ? (code = ox_strf(&env[0], err, "OXIDE_MODEL_PATH=%s/%s", spec->path,
                               spec->files->files[0].path))
             : (code = ox_strf(&env[0], err, "OXIDE_MODEL_PATH=%s", spec->path))) != OX_OK ||
        (code = ox_strf(&env[1], err, "OXIDE_MODEL_ID=%s", spec->model_id)) != OX_OK ||
        (code = ox_strf(&env[2], err, "OXIDE_MODEL_VERSION=%s", spec->version)) != OX_OK) {
        goto out;
    }
    result = calloc(1, sizeof(*result));
    if (result == NULL) {
        code = ox_err_nomem(err, "a command");
        goto out;
    }
    code = ox_process_run(&(struct ox_process_spec){.command = spec->command,
                                                    .env = (const char *const *)env,
                                                    .timeout_ms = spec->timeout_ms,
                                                    .stop = spec->stop},
                          result, err);
    if (code == OX_OK) {
        char *output = NULL;

        code = said == NULL ? OX_OK : ox_strdup(&output, result->output, err);
        code = code != OX_OK ? code : judge(spec, result, err);
        if (code == spec->verdict && said != NULL) {
            *said = output;
            output = NULL;
        }
        free(output);
    }
out:
    free(result);
    for (size_t i = 0; i < sizeof(env) / sizeof(env[0]); i++) {
        free(env[i]);
    }
    return code;
}
