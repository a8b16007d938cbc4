/** What `serve` and `agent` have in common. */
#ifndef OXIDE_CLI_DAEMON_H
#define OXIDE_CLI_DAEMON_H

#include "command.h"

#include "oxide/base/log.h"

/** The log that --log-format and --verbose ask for, on standard error. */
struct ox_log ox_daemon_log(const struct ox_cli *cli, const struct ox_args *args);

#endif
