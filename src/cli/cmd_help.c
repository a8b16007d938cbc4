#include "args.h"
#include "help.h"
#include "man.h"
#include "version.h"

#include <string.h>

/* The command that the words of `args` name, or a family; NULL and NULL where there are none. */
static enum ox_code named(const struct ox_args *args, struct ox_args *found, struct ox_err *err)
{
    /* --help: words that the command itself needs are not asked for */
    const char *argv[4] = {"oxide", "--help", NULL, NULL};
    int argc = 2;

    for (size_t i = 0; i < args->word_count && argc < 4; i++) {
        argv[argc++] = args->words[i];
    }
    return ox_args_parse(found, argc, argv, err);
}

enum ox_code ox_run_help(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    struct ox_args found = OX_ARGS_INIT;
    enum ox_code code = named(args, &found, err);

    if (code == OX_OK && found.command != NULL) {
        ox_help_command(found.command, cli->out, cli->colour);
    } else if (code == OX_OK && found.family != NULL) {
        ox_help_family(found.family, cli->out, cli->colour);
    } else if (code == OX_OK) {
        ox_help_overview(cli->out, cli->colour);
    }
    ox_args_clear(&found);
    return code;
}

enum ox_code ox_run_man(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    struct ox_args found = OX_ARGS_INIT;
    enum ox_code code = named(args, &found, err);

    if (code == OX_OK && found.family != NULL) {
        code = ox_err_set(err, OX_EINVAL, "'oxide %s' has several commands: name one of them",
                          found.family);
    } else if (code == OX_OK) {
        ox_man_page(found.command, OX_VERSION, cli->out);
    }
    ox_args_clear(&found);
    return code;
}

enum ox_code ox_run_completion(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    const char *shell = ox_args_word(args, 0);

    if (strcmp(shell, "bash") != 0) {
        return ox_err_set(err, OX_EINVAL, "no completion for the shell '%s': bash is known", shell);
    }
    ox_completion_bash(cli->out);
    return OX_OK;
}
