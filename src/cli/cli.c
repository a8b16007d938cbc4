#include "oxide/cli/cli.h"

#include "args.h"
#include "exit_status.h"
#include "help.h"
#include "signals.h"
#include "version.h"

#include "oxide/base/buf.h"
#include "oxide/base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVER_DEFAULT "http://127.0.0.1:8080"

static bool wants_colour(bool terminal)
{
    const char *no_color = getenv("NO_COLOR"); /* no-color.org: set and not empty */

    return terminal && (no_color == NULL || no_color[0] == '\0');
}

/* "oxide: message" on the notes; text from outside cannot drive the terminal. */
static void print_error(const struct ox_cli *cli, struct ox_err *err)
{
    bool colour = wants_colour(cli->notes_is_terminal);

    ox_text_clean(err->msg);
    (void)fflush(cli->out);
    (void)fprintf(cli->notes, "%soxide:%s %s\n", colour ? "\033[31m" : "", colour ? "\033[0m" : "",
                  err->msg);
}

/* Where the filter that was given is wrong: it, and a caret below the place. */
static void print_place(const struct ox_cli *cli, const struct ox_args *args,
                        const struct ox_err *err)
{
    static const char front[] = "the filter at column ";
    const char *filter = ox_args_value(args, "filter", NULL);
    unsigned long column;
    char *text = NULL;

    if (filter == NULL || strncmp(err->msg, front, sizeof(front) - 1) != 0 ||
        ox_strdup(&text, filter, NULL) != OX_OK) {
        return;
    }
    column = strtoul(err->msg + sizeof(front) - 1, NULL, 10);
    ox_text_clean(text);
    if (column > 0 && column <= strlen(text) + 1) {
        (void)fprintf(cli->notes, "  %s\n  %*s\n", text, (int)column, "^");
    }
    free(text);
}

/* What asks for no command to run. Returns the exit status, or -1 to go on. */
static int answer_help(struct ox_cli *cli, const struct ox_args *args)
{
    bool asked = ox_args_has(args, "help");
    FILE *to = asked ? cli->out : cli->notes;

    if (ox_args_asks(args, "version")) {
        (void)fprintf(cli->out, "oxide %s%s\n", OX_VERSION,
                      OX_FULL_BUILD ? "" : ", the agent alone");
        return OX_EXIT_OK;
    }
    if (args->command == NULL && args->family == NULL) {
        ox_help_overview(to, asked && cli->colour);
    } else if (args->family != NULL) {
        ox_help_family(args->family, to, asked && cli->colour);
    } else if (asked) {
        ox_help_command(args->command, to, cli->colour);
    } else {
        return -1;
    }
    return asked ? OX_EXIT_OK : OX_EXIT_USAGE;
}

static enum ox_code run(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    struct ox_stop stop;
    const char *server = getenv("OXIDE_SERVER");
    enum ox_code code = ox_stop_init(&stop, err);

    if (code != OX_OK) {
        return code;
    }
    server = server != NULL && server[0] != '\0' ? server : SERVER_DEFAULT;
    cli->verbose = ox_args_has(args, "verbose");
    cli->json = ox_args_has(args, "json");
    cli->server = ox_args_value(args, "server", server);
    cli->stop = &stop;
    ox_signals_catch(&stop);
    code = args->command->run(cli, args, err);
    if (code == OX_OK && (fflush(cli->out) != 0 || ferror(cli->out))) {
        code = ox_err_sys(err, errno, "writing to standard output");
    }
    ox_signals_release();
    cli->stop = NULL;
    ox_stop_clear(&stop);
    return code;
}

int ox_cli_main(int argc, const char *const *argv, FILE *out, FILE *notes)
{
    struct ox_err err = OX_ERR_INIT;
    struct ox_args args = OX_ARGS_INIT;
    struct ox_cli cli = {.out = out, .notes = notes};
    enum ox_code code;
    int status = -1;

    cli.out_is_terminal = isatty(fileno(out)) == 1;
    cli.notes_is_terminal = isatty(fileno(notes)) == 1;
    cli.colour = wants_colour(cli.out_is_terminal);
    code = ox_args_parse(&args, argc, argv, &err);
    if (code == OX_OK) {
        status = answer_help(&cli, &args);
    }
    if (code == OX_OK && status < 0) {
        code = run(&cli, &args, &err);
    }
    if (code != OX_OK) {
        /* A reader that closed its pipe has what it wanted ("oxide device list | head"). */
        if (err.sys_errno != EPIPE) {
            print_error(&cli, &err);
            print_place(&cli, &args, &err);
        }
        status = cli.outcome != 0 ? cli.outcome : (int)ox_exit_of(code);
    }
    ox_args_clear(&args);
    return status < 0 ? OX_EXIT_OK : status;
}
