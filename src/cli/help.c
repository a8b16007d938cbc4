#include "help.h"

#include "args.h"
#include "exit_status.h"

#include <string.h>

#define COLUMNS 80
#define OPTION_COLUMN 26 /* where the text of an option begins */

static void heading(const char *text, FILE *out, bool colour)
{
    (void)fprintf(out, "\n%s%s:%s\n", colour ? "\033[1m" : "", text, colour ? "\033[0m" : "");
}

void ox_help_wrap(const char *text, unsigned indent, unsigned columns, FILE *out)
{
    unsigned at = 0;

    while (*text != '\0') {
        size_t len = strcspn(text, " ");

        if (at > 0 && at + 1 + len > columns - indent) {
            (void)fputc('\n', out);
            at = 0;
        }
        (void)fprintf(out, "%*s%.*s", at == 0 ? (int)indent : 1, "", (int)len, text);
        at += (unsigned)len + (at > 0);
        text += len + (text[len] == ' ');
    }
    (void)fputc('\n', out);
}

/* A term and its explanation beside it, or below where the term is long. */
static void definition(const char *term, const char *text, unsigned column, FILE *out)
{
    size_t len = strlen(term) + 2;
    bool below = len + 2 > column;

    (void)fprintf(out, "  %s%*s", term, below ? 0 : (int)(column - len), "");
    if (below) {
        (void)fputc('\n', out);
        ox_help_wrap(text, column, COLUMNS, out);
    } else {
        const char *rest = text; /* the first line stands behind the term */
        size_t room = COLUMNS - column;

        if (strlen(text) > room) {
            for (rest = text + room; rest > text && *rest != ' ';) {
                rest--;
            }
            (void)fprintf(out, "%.*s\n", (int)(rest - text), text);
            ox_help_wrap(rest + (*rest == ' '), column, COLUMNS, out);
        } else {
            (void)fprintf(out, "%s\n", text);
        }
    }
}

void ox_help_usage(const struct ox_command *command, FILE *out)
{
    const struct ox_positional *word;

    (void)fprintf(out, "oxide %s", command->path);
    for (word = command->words; word != NULL && word->name != NULL; word++) {
        bool optional = word->count == OX_WORD_OPTIONAL;

        (void)fprintf(out, " %s%s%s%s", optional ? "[" : "", word->name,
                      word->count == OX_WORD_MANY ? "..." : "", optional ? "]" : "");
    }
    (void)fputs(" [OPTIONS]", out);
}

static void option_line(const struct ox_option *option, FILE *out)
{
    char term[96];
    char text[512];

    (void)snprintf(term, sizeof(term), "%s%c%s--%s%s%s", option->letter != 0 ? "-" : "  ",
                   option->letter != 0 ? option->letter : ' ', option->letter != 0 ? ", " : " ",
                   option->name, option->value != NULL ? " " : "",
                   option->value != NULL ? option->value : "");
    (void)snprintf(
        text, sizeof(text), "%s%s%s%s", option->help, option->fallback != NULL ? " [" : "",
        option->fallback != NULL ? option->fallback : "", option->fallback != NULL ? "]" : "");
    definition(term, text, OPTION_COLUMN, out);
}

static void command_line(const struct ox_command *command, FILE *out)
{
    definition(command->path, command->summary, 22, out);
}

static bool has_family(const char *name)
{
    const struct ox_family *family = ox_families;

    while (family->name != NULL && strcmp(family->name, name) != 0) {
        family++;
    }
    return family->name != NULL;
}

static void family_lines(const char *family, FILE *out)
{
    size_t len = strlen(family);

    for (const struct ox_command *row = ox_commands; row->path != NULL; row++) {
        if (strncmp(row->path, family, len) == 0 && row->path[len] == ' ') {
            command_line(row, out);
        }
    }
}

void ox_help_command(const struct ox_command *command, FILE *out, bool colour)
{
    const char *line = command->example;

    (void)fprintf(out, "%s.\n", command->summary);
    heading("Usage", out, colour);
    (void)fputs("  ", out);
    ox_help_usage(command, out);
    (void)fputc('\n', out);
    if (command->detail != NULL) {
        (void)fputc('\n', out);
        ox_help_wrap(command->detail, 0, COLUMNS, out);
    }
    if (command->words != NULL) {
        heading("Arguments", out, colour);
        for (const struct ox_positional *word = command->words; word->name != NULL; word++) {
            definition(word->name, word->help, 14, out);
        }
    }
    if (has_family(command->path)) {
        heading("Commands", out, colour);
        family_lines(command->path, out);
    }
    heading("Options", out, colour);
    for (const struct ox_option *row = command->options; row != NULL && row->name != NULL; row++) {
        option_line(row, out);
    }
    for (const struct ox_option *row = ox_global_options; row->name != NULL; row++) {
        if (ox_command_takes(command, row)) {
            option_line(row, out);
        }
    }
    heading("Example", out, colour);
    while (line != NULL) {
        const char *end = strchr(line, '\n');

        (void)fprintf(out, "  %.*s\n", end != NULL ? (int)(end - line) : (int)strlen(line), line);
        line = end != NULL ? end + 1 : NULL;
    }
    heading("Exit status", out, colour);
    for (const struct ox_exit_row *row = ox_exit_rows; row->meaning != NULL; row++) {
        char number[16];

        if (ox_exit_applies(command, row->status)) {
            (void)snprintf(number, sizeof(number), "%3d", (int)row->status);
            definition(number, row->meaning, 7, out);
        }
    }
}

void ox_help_family(const char *family, FILE *out, bool colour)
{
    (void)fprintf(out, "Usage: oxide %s COMMAND\n", family);
    heading("Commands", out, colour);
    family_lines(family, out);
    (void)fprintf(out, "\n'oxide help %s COMMAND' tells more.\n", family);
}

static bool is_about_oxide_itself(const struct ox_command *command)
{
    return command->run == ox_run_help || command->run == ox_run_completion ||
           command->run == ox_run_man;
}

void ox_help_overview(FILE *out, bool colour)
{
    (void)fprintf(out, "oxide: %s.\n\nUsage: oxide COMMAND [OPTIONS]\n", OX_TAGLINE);
    heading("Commands", out, colour);
    for (const struct ox_command *row = ox_commands; row->path != NULL; row++) {
        if (strchr(row->path, ' ') == NULL && !is_about_oxide_itself(row)) {
            command_line(row, out);
        }
    }
    for (const struct ox_family *family = ox_families; family->name != NULL; family++) {
        char title[96];

        (void)snprintf(title, sizeof(title), "%c%s", (char)(family->summary[0] - 'a' + 'A'),
                       family->summary + 1);
        heading(title, out, colour);
        family_lines(family->name, out);
    }
    heading("Help", out, colour);
    for (const struct ox_command *row = ox_commands; row->path != NULL; row++) {
        if (is_about_oxide_itself(row)) {
            command_line(row, out);
        }
    }
    (void)fputs(
        "\nEvery command has --help with an example. Options may stand anywhere; --verbose\n"
        "says more, --json prints data for scripts",
        out);
    (void)fputs(OX_FULL_BUILD ? ", --server URL (or OXIDE_SERVER) names\nthe control plane.\n"
                              : ".\nThis build of oxide is that of the agent alone.\n",
                out);
}
