/** The command line: what `main` calls. */
#ifndef OXIDE_CLI_CLI_H
#define OXIDE_CLI_CLI_H

#include <stdio.h>

/**
 * Run one command line: find the command in the table, parse its options, run it. Data goes to
 * `out`, messages and progress to `notes`; both stay the caller's.
 * Returns the exit status (cli/exit_status.c lists them). SIGINT and SIGTERM are caught while it
 * runs.
 */
int ox_cli_main(int argc, const char *const *argv, FILE *out, FILE *notes);

#endif
