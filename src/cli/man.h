/** Manual pages and shell completion, written from the table of commands. */
#ifndef OXIDE_CLI_MAN_H
#define OXIDE_CLI_MAN_H

#include "command.h"

/** oxide(1): one command, or for NULL all of them, as roff with the man macros. */
void ox_man_page(const struct ox_command *command, const char *version, FILE *out);

/** A bash completion script: commands, options, and the words that options take. */
void ox_completion_bash(FILE *out);

#endif
