#include "oxide/app/agent_ask.h"

#include "agent_tuning.h"

#include "oxide/agent/ask.h"
#include "oxide/agent/by_hand.h"
#include "oxide/base/buf.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MAX_MS 10000
/* How often to look how far it is: soon at first, since much is done at once. */
#define LOOK_FIRST_MS 10
#define LOOK_EVERY_MS 200

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

/* --- by hand --- */

static const struct {
    enum ox_by_hand kind;
    const char *word; /* of the request */
} kinds[] = {
    [OX_APP_ROLLBACK] = {OX_BY_HAND_ROLLBACK, "rollback"},
    [OX_APP_APPLY] = {OX_BY_HAND_APPLY, "apply"},
    [OX_APP_ADOPT] = {OX_BY_HAND_ADOPT, "adopt"},
};

static enum ox_code ask_word(const char *model_dir, const char *word, json_t **out,
                             struct ox_err *err)
{
    json_t *request = json_pack("{s:s}", "request", word);
    enum ox_code code = request == NULL ? ox_err_nomem(err, "a request")
                                        : ox_agent_ask(model_dir, request, ANSWER_MAX_MS, out, err);

    json_decref(request);
    return code;
}

/* Has request `number` ended, and how? */
static enum ox_code look(const char *model_dir, json_int_t number, bool *ended, struct ox_err *err)
{
    json_t *status = NULL;
    const json_t *hand;
    const json_t *error;
    const char *message;
    enum ox_code code = ask_word(model_dir, "status", &status, err);

    if (code != OX_OK) {
        return code;
    }
    hand = json_object_get(status, "by_hand");
    error = json_object_get(hand, "error");
    message = json_string_value(json_object_get(error, "message"));
    *ended = json_integer_value(json_object_get(hand, "number")) != number ||
             strcmp(json_string_value(json_object_get(hand, "state")), "done") == 0;
    if (*ended && json_is_object(error)) {
        if (!ox_code_parse(json_string_value(json_object_get(error, "code")), &code)) {
            code = OX_EFAILED;
        }
        code = ox_err_set(err, code, "%s", message == NULL ? "it failed" : message);
    }
    json_decref(status);
    return code;
}

/* The agent that runs does it; OX_ENET if there is none. */
static enum ox_code ask_by_hand(const char *model_dir, const struct ox_app_by_hand_spec *spec,
                                struct ox_stop *stop, struct ox_err *err)
{
    json_t *request =
        json_pack("{s:s, s:s*, s:s*, s:s*}", "request", kinds[spec->kind].word, "model_id",
                  spec->model_id, "version", spec->version, "path", spec->path);
    json_t *answer = NULL;
    bool ended = false;
    int64_t look_ms = LOOK_FIRST_MS;
    json_int_t number;
    enum ox_code code = request == NULL
                            ? ox_err_nomem(err, "a request")
                            : ox_agent_ask(model_dir, request, ANSWER_MAX_MS, &answer, err);

    number = json_integer_value(json_object_get(answer, "number"));
    json_decref(answer);
    json_decref(request);
    while (code == OX_OK && (code = look(model_dir, number, &ended, err)) == OX_OK && !ended) {
        look_ms = look_ms * 2 < LOOK_EVERY_MS ? look_ms * 2 : LOOK_EVERY_MS;
        if (ox_stop_wait(stop, look_ms)) {
            code =
                ox_err_set(err, OX_ECANCELED,
                           "the agent goes on with it: 'oxide agent status' shows how far it is");
        }
    }
    return code;
}

/* Nobody runs there: we do it, as the agent would. */
static enum ox_code do_by_hand(const struct ox_agent_config_sources *sources, const char *model_dir,
                               const struct ox_app_by_hand_spec *spec, const char *release,
                               bool verbose, struct ox_stop *stop,
                               struct ox_config_problems *problems, struct ox_err *err)
{
    const struct ox_by_hand_spec wanted = {kinds[spec->kind].kind, spec->model_id, spec->version,
                                           spec->path};
    const struct ox_log log = {STDERR_FILENO, OX_LOG_INFO, OX_LOG_TEXT};
    struct ox_agent_options agent = {.model_dir = model_dir, .linger_ms = OX_AGENT_LINGER_MS};
    char device_id[OX_ID_MAX + 1] = "";
    struct ox_agent_config *config = NULL;
    char *control_plane = NULL;
    char *user_agent = NULL;
    enum ox_code code;

    if ((code = ox_agent_config_load(sources, &config, problems, err)) == OX_OK &&
        (code = ox_agent_config_device_id(config, device_id, err)) == OX_OK &&
        (code = ox_strdup(&control_plane, config->values[OX_AGENT_SETTING_CONTROL_PLANE].text,
                          err)) == OX_OK &&
        (code = ox_strf(&user_agent, err, "oxide/%s", release)) == OX_OK &&
        (code = ox_agent_tuning_of(&config, &agent.tuning, err)) == OX_OK) {
        agent.device_id = device_id;
        agent.control_plane = control_plane;
        agent.agent = user_agent;
        code = ox_agent_by_hand(&agent, &wanted, stop, verbose ? &log : NULL, err);
    }
    ox_agent_config_free(config);
    free(user_agent);
    free(control_plane);
    return code;
}

enum ox_code ox_app_agent_by_hand(const struct ox_agent_config_sources *sources,
                                  const struct ox_app_by_hand_spec *spec, const char *release,
                                  bool verbose, struct ox_stop *stop,
                                  struct ox_config_problems *problems, struct ox_err *err)
{
    char *dir = NULL;
    enum ox_code code = ox_app_agent_folder(sources, &dir, problems, err);

    if (code == OX_OK) {
        code = ask_by_hand(dir, spec, stop, err);
        if (code == OX_ENET || code == OX_ENOTFOUND) { /* nobody runs there, or ever did */
            ox_err_clear(err);
            code = do_by_hand(sources, dir, spec, release, verbose, stop, problems, err);
        }
    }
    free(dir);
    return code;
}
