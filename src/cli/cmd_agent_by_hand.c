/* What people ask of the agent of this machine. */
#include "agent_args.h"
#include "args.h"
#include "client.h"
#include "version.h"

#include "oxide/app/agent_ask.h"
#include "oxide/base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static enum ox_code do_it(struct ox_cli *cli, const struct ox_args *args,
                          const struct ox_app_by_hand_spec *spec, struct ox_err *err)
{
    struct ox_config_problems problems = {.count = 0};
    struct ox_agent_config_flag *flags = NULL;
    struct ox_agent_config_sources sources;
    enum ox_code code = ox_agent_args_sources(cli, args, &sources, &flags, err);

    if (code == OX_OK) {
        code = ox_app_agent_by_hand(&sources, spec, OX_VERSION, cli->verbose, cli->stop, &problems,
                                    err);
    }
    ox_agent_args_problems(cli, &problems);
    ox_config_problems_clear(&problems);
    free(flags);
    return code;
}

/* The whole path: the agent may work elsewhere. */
static enum ox_code resolve(const char *path, char **out, struct ox_err *err)
{
    *out = realpath(path, NULL);
    return *out == NULL ? ox_err_sys(err, errno, "%s", path) : OX_OK;
}

enum ox_code ox_run_agent_rollback(struct ox_cli *cli, const struct ox_args *args,
                                   struct ox_err *err)
{
    const struct ox_app_by_hand_spec spec = {.kind = OX_APP_ROLLBACK,
                                             .model_id = ox_args_word(args, 0)};
    enum ox_code code = do_it(cli, args, &spec, err);

    if (code == OX_OK) {
        (void)fprintf(cli->out,
                      "%s is what it was before; what it was is quarantined here\n"
                      "next: oxide agent status; to allow it again: oxide agent free %s\n",
                      spec.model_id, spec.model_id);
    }
    return code;
}

static enum ox_code bring(struct ox_cli *cli, const struct ox_args *args,
                          struct ox_app_by_hand_spec *spec, const char *path, struct ox_err *err)
{
    char *whole = NULL;
    enum ox_code code = resolve(path, &whole, err);

    spec->path = whole;
    spec->version = ox_args_value(args, "version", NULL);
    if (code == OX_OK && (code = do_it(cli, args, spec, err)) == OX_OK) {
        (void)fprintf(cli->out, "%s is active\nnext: oxide agent status\n", path);
    }
    free(whole);
    return code;
}

enum ox_code ox_run_agent_apply(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    struct ox_app_by_hand_spec spec = {.kind = OX_APP_APPLY,
                                       .model_id = ox_args_value(args, "model", NULL)};

    return bring(cli, args, &spec, ox_args_word(args, 0), err);
}

enum ox_code ox_run_agent_adopt(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    struct ox_app_by_hand_spec spec = {.kind = OX_APP_ADOPT, .model_id = ox_args_word(args, 0)};

    return bring(cli, args, &spec, ox_args_word(args, 1), err);
}

enum ox_code ox_run_agent_free(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    json_t *request = json_pack("{s:s, s:s, s:s*}", "request", "free", "model_id",
                                ox_args_word(args, 0), "version", ox_args_word(args, 1));
    json_t *answer = NULL;
    enum ox_code code = ox_agent_args_ask(cli, args, request, &answer, err);

    if (code == OX_OK && cli->json) {
        code = ox_cli_print_json(cli, answer, err);
    } else if (code == OX_OK) {
        uint64_t freed = ox_cli_number(answer, "freed");

        (void)fprintf(cli->out, "%llu version%s freed\n", (unsigned long long)freed,
                      freed == 1 ? "" : "s");
    }
    json_decref(answer);
    return code;
}
