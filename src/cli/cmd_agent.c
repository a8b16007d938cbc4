#include "args.h"
#include "daemon.h"
#include "version.h"

#include "oxide/app/agent.h"

enum ox_code ox_run_agent(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    struct ox_app_agent_options options = {
        .control_plane = ox_args_value(args, "control-plane", "http://127.0.0.1:8080"),
        .device_id = ox_args_value(args, "device-id", NULL),
        .version = OX_VERSION,
        .model_dir = ox_args_value(args, "model-dir", OX_APP_AGENT_MODEL_DIR_DEFAULT),
        .health_check = ox_args_value(args, "health-check", NULL),
    };
    struct ox_log log = ox_daemon_log(cli, args);
    uint64_t timeout_ms = 0;
    enum ox_code code;

    if (options.device_id == NULL) {
        return ox_err_set(
            err, OX_EINVAL,
            "which device is this? --device-id ID, as 'oxide device register ID' made "
            "it known");
    }
    code = ox_args_number(args, "poll-interval", 1, OX_APP_AGENT_POLL_S_MAX,
                          &options.poll_interval_s, err);
    if (code == OX_OK) {
        code = ox_args_seconds(args, "health-timeout", 24 * 3600000ull, &timeout_ms, err);
        options.health_timeout_s = (timeout_ms + 999) / 1000;
    }
    if (code == OX_OK) {
        code = ox_args_number(args, "rate-limit", 1, INT64_MAX, &options.rate_bps, err);
    }
    if (code == OX_OK) {
        code = ox_app_agent_run(&options, cli->stop, &log, err);
    }
    return code;
}
