/** Help, written from the table of commands. */
#ifndef OXIDE_CLI_HELP_H
#define OXIDE_CLI_HELP_H

#include "command.h"

#define OX_TAGLINE "Ships only the bytes of a machine-learning model that changed"

/** All commands, a line each. */
void ox_help_overview(FILE *out, bool colour);

/** The commands of a family, a line each. */
void ox_help_family(const char *family, FILE *out, bool colour);

/** One command in full. */
void ox_help_command(const struct ox_command *command, FILE *out, bool colour);

/** "oxide push MODEL VERSION PATH [OPTIONS]", without a line feed. */
void ox_help_usage(const struct ox_command *command, FILE *out);

/** Print text broken at blanks to `columns`, each line after `indent` blanks. */
void ox_help_wrap(const char *text, unsigned indent, unsigned columns, FILE *out);

#endif
