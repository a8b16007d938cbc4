#include "args.h"
#include "man.h"

#include <string.h>

static bool in_family(const struct ox_command *command, const char *family)
{
    size_t len = strlen(family);

    return strncmp(command->path, family, len) == 0 && command->path[len] == ' ';
}

/* Does an option of this name stand in an earlier row of the table, or earlier in this one? */
static bool is_repeated(const struct ox_command *command, const struct ox_option *option)
{
    for (const struct ox_command *row = ox_commands; row <= command; row++) {
        const struct ox_option *other = row->options;

        for (; other != NULL && other->name != NULL && other != option; other++) {
            if (strcmp(other->name, option->name) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* The patterns of every option that takes a value, so that the value is not taken for a word. */
static void value_options(FILE *out)
{
    (void)fputs("        --server", out);
    for (const struct ox_command *command = ox_commands; command->path != NULL; command++) {
        const struct ox_option *row = command->options;

        for (; row != NULL && row->name != NULL; row++) {
            if (row->value != NULL && !is_repeated(command, row)) {
                (void)fprintf(out, " | --%s", row->name);
                if (row->letter != 0) {
                    (void)fprintf(out, " | -%c", row->letter);
                }
            }
        }
    }
    (void)fputs(") i=$((i + 1)) ;;\n", out);
}

static void value_words(FILE *out)
{
    for (const struct ox_command *command = ox_commands; command->path != NULL; command++) {
        const struct ox_option *row = command->options;

        for (; row != NULL && row->name != NULL; row++) {
            if (row->value == NULL) {
                continue;
            }
            (void)fprintf(out, "    '%s --%s'", command->path, row->name);
            if (row->letter != 0) {
                (void)fprintf(out, " | '%s -%c'", command->path, row->letter);
            }
            (void)fputs(") words='", out);
            for (const char *c = strchr(row->value, '|') != NULL ? row->value : ""; *c != '\0';
                 c++) {
                (void)fputc(*c == '|' ? ' ' : *c, out);
            }
            (void)fputs("' value=yes ;;\n", out);
        }
    }
}

static void first_words(FILE *out)
{
    (void)fputs("    '') words='", out);
    for (const struct ox_command *command = ox_commands; command->path != NULL; command++) {
        if (strchr(command->path, ' ') == NULL) {
            (void)fprintf(out, "%s ", command->path);
        }
    }
    for (const struct ox_family *family = ox_families; family->name != NULL; family++) {
        if (ox_command_find(family->name) == NULL) { /* else it stands there already */
            (void)fprintf(out, "%s ", family->name);
        }
    }
    (void)fputs("--help --version' ;;\n", out);
    for (const struct ox_family *family = ox_families; family->name != NULL; family++) {
        (void)fprintf(out, "    %s) words='", family->name);
        for (const struct ox_command *command = ox_commands; command->path != NULL; command++) {
            if (in_family(command, family->name)) {
                (void)fprintf(out, "%s ", command->path + strlen(family->name) + 1);
            }
        }
        (void)fputs("--help' ;;\n", out);
    }
}

static void options_of(const struct ox_command *command, FILE *out)
{
    const struct ox_option *row = command->options;

    (void)fprintf(out, "    '%s') options='", command->path);
    for (; row != NULL && row->name != NULL; row++) {
        (void)fprintf(out, "--%s ", row->name);
    }
    for (row = ox_global_options; row->name != NULL; row++) {
        if (ox_command_takes(command, row)) {
            (void)fprintf(out, "--%s ", row->name);
        }
    }
    (void)fputs("' ;;\n", out);
}

void ox_completion_bash(FILE *out)
{
    (void)fputs("# bash completion of oxide, printed by: oxide completion bash\n"
                "_oxide() {\n"
                "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
                "    local path='' words='' options='' value='' i\n"
                "    COMPREPLY=()\n"
                "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                "        case ${COMP_WORDS[i]} in\n",
                out);
    value_options(out);
    (void)fputs("        -*) ;;\n        *) case $path in\n            ''", out);
    for (const struct ox_family *family = ox_families; family->name != NULL; family++) {
        (void)fprintf(out, " | %s", family->name);
    }
    (void)fputs(") path=\"${path:+$path }${COMP_WORDS[i]}\" ;;\n            esac ;;\n"
                "        esac\n    done\n"
                "    case \"$path $prev\" in\n",
                out);
    value_words(out);
    (void)fputs("    esac\n    [ -z \"$value\" ] && case \"$path\" in\n", out);
    first_words(out);
    for (const struct ox_command *command = ox_commands; command->path != NULL; command++) {
        options_of(command, out);
    }
    (void)fputs(
        "    esac\n"
        "    [[ $cur == -* ]] && words=\"$words $options\"\n"
        "    [ -n \"$words\" ] && mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
        "    return 0\n"
        "}\n"
        "complete -o default -F _oxide oxide\n",
        out);
}
