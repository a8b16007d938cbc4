#include "daemon.h"

#include "args.h"

#include <string.h>
#include <unistd.h>

struct ox_log ox_daemon_log(const struct ox_cli *cli, const struct ox_args *args)
{
    const char *format = ox_args_value(args, "log-format", "text");

    return (struct ox_log){STDERR_FILENO, cli->verbose ? OX_LOG_DEBUG : OX_LOG_INFO,
                           strcmp(format, "json") == 0 ? OX_LOG_JSON : OX_LOG_TEXT};
}
