#include "daemon.h"

#include "args.h"

#include <string.h>
#include <unistd.h>

struct ox_log ox_daemon_log(const struct ox_cli *cli, const struct ox_args *args)
{
    const char *format = ox_args_value(args, "log-format", "auto");
    bool json =
        strcmp(format, "json") == 0 || (strcmp(format, "auto") == 0 && isatty(STDERR_FILENO) == 0);

    return (struct ox_log){STDERR_FILENO, cli->verbose ? OX_LOG_DEBUG : OX_LOG_INFO,
                           json ? OX_LOG_JSON : OX_LOG_TEXT};
}
