#include "man.h"

#include "exit_status.h"
#include "help.h"

#include "oxide/app/agent_settings.h"

#include <ctype.h>
#include <string.h>

/* Text as roff reads it: backslashes and dashes escaped, no line begun by a control character. */
static void roff(const char *text, FILE *out)
{
    bool line_start = true;

    for (; *text != '\0'; text++) {
        if (line_start && (*text == '.' || *text == '\'')) {
            (void)fputs("\\&", out);
        }
        line_start = *text == '\n';
        if (*text == '\\') {
            (void)fputs("\\e", out);
        } else if (*text == '-') {
            (void)fputs("\\-", out);
        } else if (*text == '\'') {
            (void)fputs("\\(aq", out);
        } else {
            (void)fputc(*text, out);
        }
    }
}

static void option(const struct ox_option *row, FILE *out)
{
    (void)fputs(".TP\n", out);
    if (row->letter != 0) {
        (void)fprintf(out, "\\fB\\-%c\\fR, ", row->letter);
    }
    (void)fputs("\\fB\\-\\-", out);
    roff(row->name, out);
    (void)fputs("\\fR", out);
    if (row->value != NULL) {
        (void)fputs(" \\fI", out);
        roff(row->value, out);
        (void)fputs("\\fR", out);
    }
    (void)fputc('\n', out);
    roff(row->help, out);
    if (row->fallback != NULL) {
        (void)fputs(" [", out);
        roff(row->fallback, out);
        (void)fputc(']', out);
    }
    (void)fputs(".\n", out);
}

static void usage(const struct ox_command *command, FILE *out)
{
    (void)fprintf(out, "\\fBoxide %s\\fR", command->path);
    for (const struct ox_positional *word = command->words; word != NULL && word->name != NULL;
         word++) {
        bool optional = word->count == OX_WORD_OPTIONAL;

        (void)fprintf(out, " %s\\fI%s\\fR%s%s", optional ? "[" : "", word->name,
                      word->count == OX_WORD_MANY ? "..." : "", optional ? "]" : "");
    }
    (void)fputs(" [\\fIOPTIONS\\fR]\n", out);
}

static void description(const struct ox_command *command, FILE *out)
{
    roff(command->summary, out);
    (void)fputs(".\n", out);
    if (command->detail != NULL) {
        roff(command->detail, out);
        (void)fputc('\n', out);
    }
    for (const struct ox_positional *word = command->words; word != NULL && word->name != NULL;
         word++) {
        (void)fprintf(out, ".TP\n\\fI%s\\fR\n%s.\n", word->name, word->help);
    }
    for (const struct ox_option *row = command->options; row != NULL && row->name != NULL; row++) {
        option(row, out);
    }
}

static void example(const struct ox_command *command, FILE *out)
{
    (void)fputs(".PP\n.nf\n.RS\n", out);
    roff(command->example, out);
    (void)fputs("\n.RE\n.fi\n", out);
}

static void exits(const struct ox_command *command, FILE *out)
{
    (void)fputs(".SH EXIT STATUS\n", out);
    for (const struct ox_exit_row *row = ox_exit_rows; row->meaning != NULL; row++) {
        if (ox_exit_applies(command, row->status)) {
            (void)fprintf(out, ".TP\n%d\n", (int)row->status);
            roff(row->meaning, out);
            (void)fputs(".\n", out);
        }
    }
}

static void globals(const struct ox_command *command, FILE *out)
{
    for (const struct ox_option *row = ox_global_options; row->name != NULL; row++) {
        if (command == NULL || ox_command_takes(command, row)) {
            option(row, out);
        }
    }
}

static void page_of(const struct ox_command *command, const char *version, FILE *out)
{
    char title[64];
    size_t i = 0;

    for (; command->path[i] != '\0' && i + 1 < sizeof(title); i++) {
        title[i] = command->path[i] == ' ' ? '-' : (char)toupper((unsigned char)command->path[i]);
    }
    title[i] = '\0';
    (void)fprintf(out, ".TH OXIDE\\-%s 1 \"\" \"oxide %s\" \"User Commands\"\n.SH NAME\noxide ",
                  title, version);
    (void)fprintf(out, "%s \\- ", command->path);
    roff(command->summary, out);
    (void)fputs("\n.SH SYNOPSIS\n", out);
    usage(command, out);
    (void)fputs(".SH DESCRIPTION\n", out);
    description(command, out);
    globals(command, out);
    (void)fputs(".SH EXAMPLE\n", out);
    example(command, out);
    exits(command, out);
    (void)fputs(".SH SEE ALSO\n\\fBoxide\\fR(1)\n", out);
}

/* Where each of the agent's settings stands in files, and its variable; the rest is with its flag.
 */
static void agent_settings(FILE *out)
{
    (void)fputs(".SH SETTINGS OF THE AGENT\n"
                "What \\fBoxide agent\\fR takes as a flag may stand in its files, too, and in the "
                "environment.\n"
                "Files are read first, variables win over them, and flags over all; a section\n"
                "[model NAME] wins for that model. An indented line goes on with the value above "
                "it.\n",
                out);
    for (size_t i = 0; i < OX_AGENT_SETTING_COUNT; i++) {
        const struct ox_setting *row = &ox_agent_settings[i];
        char expected[OX_SETTING_EXPECTED_MAX];
        char variable[OX_SETTING_NAME_MAX];

        (void)fprintf(out, ".TP\n[%s] \\fB%s\\fR, \\fB%s\\fR\nAs \\fB\\-\\-", row->section,
                      row->key, ox_setting_variable(row, variable));
        roff(row->flag, out);
        (void)fputs("\\fR; takes ", out);
        roff(ox_setting_expected(row, expected), out);
        (void)fprintf(out, "%s.\n", row->scope == OX_SETTING_OF_MODEL ? "; also by model" : "");
    }
}

void ox_man_page(const struct ox_command *command, const char *version, FILE *out)
{
    if (command != NULL) {
        page_of(command, version, out);
        return;
    }
    (void)fprintf(out, ".TH OXIDE 1 \"\" \"oxide %s\" \"User Commands\"\n.SH NAME\noxide \\- ",
                  version);
    roff("ships only the bytes of a machine-learning model that changed", out);
    (void)fputs(
        "\n.SH SYNOPSIS\n\\fBoxide\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n", out);
    (void)fputs(
        OX_FULL_BUILD
            ? "One executable: the control plane (\\fBoxide serve\\fR), the agent of a device\n"
              "(\\fBoxide agent\\fR), and the tools around them."
            : "The agent of a device (\\fBoxide agent\\fR) alone: the control plane is not in "
              "this build.",
        out);
    (void)fputs(" Options may stand anywhere.\n.SH GLOBAL OPTIONS\n", out);
    globals(NULL, out);
    (void)fputs(".SH COMMANDS\n", out);
    for (const struct ox_command *row = ox_commands; row->path != NULL; row++) {
        (void)fputs(".SS ", out);
        usage(row, out);
        description(row, out);
        example(row, out);
    }
    exits(NULL, out);
    agent_settings(out);
    (void)fputs(".SH ENVIRONMENT\n", out);
    if (OX_FULL_BUILD) {
        (void)fputs(".TP\n\\fBOXIDE_SERVER\\fR\nThe control plane, where \\-\\-server is not "
                    "given.\n",
                    out);
    }
    (void)fputs(
        ".TP\n\\fBNO_COLOR\\fR\nIf set, nothing is coloured.\n"
        ".SH FILES\n.TP\n\\fI/etc/oxide/agent.conf\\fR, \\fI/etc/oxide/agent.conf.d/*.conf\\fR\n"
        "Settings of the agent.\n",
        out);
}
