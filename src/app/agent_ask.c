#include "oxide/app/agent_ask.h"

#include "oxide/agent/ask.h"
#include "oxide/base/buf.h"

#include <string.h>

enum ox_code ox_app_agent_folder(const struct ox_agent_config_sources *sources, char **out,
                                 struct ox_config_problems *problems, struct ox_err *err)
{
    const char *flag = ox_agent_settings[OX_AGENT_SETTING_MODEL_DIR].flag;
    struct ox_agent_config *config = NULL;
    enum ox_code code;

    for (size_t i = sources->flags_count; i > 0; i--) { /* then the settings need not be readable */
        if (strcmp(sources->flags[i - 1].flag, flag) == 0) {
            return ox_strdup(out, sources->flags[i - 1].value, err);
        }
    }
    code = ox_agent_config_load(sources, &config, problems, err);
    if (code == OX_OK) {
        code = ox_strdup(out, config->values[OX_AGENT_SETTING_MODEL_DIR].text, err);
    }
    ox_agent_config_free(config);
    return code;
}

enum ox_code ox_app_agent_ask(const char *model_dir, const json_t *request, int64_t timeout_ms,
                              json_t **out, struct ox_err *err)
{
    return ox_agent_ask(model_dir, request, timeout_ms, out, err);
}
