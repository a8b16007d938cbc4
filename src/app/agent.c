#include "oxide/app/agent.h"

#include "device_id.h"

#include "oxide/agent/agent.h"
#include "oxide/base/buf.h"
#include "oxide/wire/id.h"

#include <stdlib.h>
#include <string.h>

#define CHECK_S_MAX 86400
#define URL_MAX 1024

/* Copy without final slashes; the paths of the API are put behind it. */
static enum ox_code check_control_plane(const char *url, char **out, struct ox_err *err)
{
    size_t len = url == NULL ? 0 : strnlen(url, URL_MAX + 1);
    size_t scheme = 0;

    if (len == 0) {
        return ox_err_set(err, OX_EINVAL,
                          "--control-plane is missing: give it as http://HOST:PORT");
    }
    scheme = strncmp(url, "http://", 7) == 0 ? 7 : strncmp(url, "https://", 8) == 0 ? 8 : 0;
    for (size_t i = 0; i < len; i++) {
        bool odd = (unsigned char)url[i] <= ' ' || (unsigned char)url[i] >= 0x7f || url[i] == '?' ||
                   url[i] == '#';

        scheme = odd ? 0 : scheme;
    }
    if (scheme == 0 || len > URL_MAX || url[scheme] == '\0' || strchr("/:", url[scheme]) != NULL) {
        return ox_err_set(err, OX_EINVAL,
                          "--control-plane \"%.64s\" is no address like http://HOST:PORT", url);
    }
    while (url[len - 1] == '/') {
        len--;
    }
    return ox_strf(out, err, "%.*s", (int)len, url);
}

static enum ox_code check_seconds(const char *flag, uint64_t given, uint64_t preset, uint64_t max,
                                  int64_t *out_ms, struct ox_err *err)
{
    uint64_t seconds = given == 0 ? preset : given;

    if (seconds > max) {
        return ox_err_set(err, OX_EINVAL, "%s takes at most %llu seconds", flag,
                          (unsigned long long)max);
    }
    *out_ms = (int64_t)seconds * 1000;
    return OX_OK;
}

enum ox_code ox_app_agent_run(const struct ox_app_agent_options *options, struct ox_stop *stop,
                              const struct ox_log *log, struct ox_err *err)
{
    char device_id[OX_ID_MAX + 1] = "";
    struct ox_agent_options agent = {
        .device_id = device_id,
        .model_dir =
            options->model_dir == NULL ? OX_APP_AGENT_MODEL_DIR_DEFAULT : options->model_dir,
        .tuning = {.rate_bps = options->rate_bps, .all = {.health_check = options->health_check}},
    };
    char *control_plane = NULL;
    char *user_agent = NULL;
    enum ox_code code = check_control_plane(options->control_plane, &control_plane, err);

    if (code != OX_OK) {
        return code;
    }
    if (options->device_id == NULL) {
        code = ox_err_set(err, OX_EINVAL,
                          "--device-id is missing: give the id that this device "
                          "is registered under");
        goto out;
    }
    if ((code = ox_device_id_resolve(options->device_id, "", device_id, err)) != OX_OK) {
        ox_err_context(err, "--device-id");
        goto out;
    }
    if (agent.model_dir[0] == '\0') {
        code = ox_err_set(err, OX_EINVAL, "--model-dir is empty: name a folder");
        goto out;
    }
    if ((code =
             check_seconds("--poll-interval", options->poll_interval_s, OX_APP_AGENT_POLL_S_DEFAULT,
                           OX_APP_AGENT_POLL_S_MAX, &agent.tuning.poll_ms, err)) != OX_OK ||
        (code = check_seconds("--health-timeout", options->health_timeout_s,
                              OX_APP_AGENT_CHECK_S_DEFAULT, CHECK_S_MAX,
                              &agent.tuning.all.health_timeout_ms, err)) != OX_OK ||
        (code = ox_strf(&user_agent, err, "oxide/%s", options->version)) != OX_OK) {
        goto out;
    }
    agent.control_plane = control_plane;
    agent.agent = user_agent;
    code = ox_agent_run(&agent, stop, log, err);
out:
    free(user_agent);
    free(control_plane);
    return code;
}
