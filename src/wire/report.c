#include "report.h"

#include "fields.h"

#include <stdlib.h>
#include <string.h>

static const char *const strategies[] = {"delta", "full", "none"};
static const char *const origin_words[OX_ORIGINS] = {
    [OX_ORIGIN_CONTROL_PLANE] = "control_plane",
    [OX_ORIGIN_MIRROR] = "mirror",
    [OX_ORIGIN_EARLIER] = "earlier",
    [OX_ORIGIN_HAND] = "by_hand",
};

void ox_device_report_clear(struct ox_device_report *report)
{
    free(report->campaign_id);
    free(report->model_id);
    free(report->version);
    free(report->error_code);
    free(report->error_message);
    free(report->strategy);
    free(report->stage);
    json_decref(report->stages_ms);
    *report = (struct ox_device_report){0};
}

/* --- numbers under words --- */

enum ox_code ox_origins_put(json_t *object, const char *key, const uint64_t origins[OX_ORIGINS],
                            struct ox_err *err)
{
    json_t *json = NULL;
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < OX_ORIGINS; i++) {
        if (origins[i] == 0) {
            continue;
        }
        json = json == NULL ? json_object() : json;
        code = ox_json_set_u64(json, origin_words[i], origins[i], err);
    }
    if (code != OX_OK || json == NULL) {
        json_decref(json);
        return code;
    }
    return ox_json_set(object, key, json, err);
}

enum ox_code ox_origins_take(const json_t *object, const char *key, uint64_t origins[OX_ORIGINS],
                             struct ox_err *err)
{
    const json_t *json = NULL;
    enum ox_code code = ox_json_opt_object(object, key, &json, err);

    for (size_t i = 0; code == OX_OK && json != NULL && i < OX_ORIGINS; i++) {
        code = ox_json_opt_u64(json, origin_words[i], &origins[i], err);
    }
    return code == OX_OK ? OX_OK : (ox_err_context(err, "\"%s\"", key), code);
}

enum ox_code ox_stages_ms_take(const json_t *object, const char *key, json_t **out,
                               struct ox_err *err)
{
    const json_t *json = NULL;
    const char *stage;
    json_t *value;
    enum ox_code code = ox_json_opt_object(object, key, &json, err);

    if (code != OX_OK || json == NULL) {
        return code;
    }
    if (json_object_size(json) > OX_REPORT_STAGES_MAX) {
        return ox_err_set(err, OX_EINVAL, "\"%s\" has %zu numbers, at most %d", key,
                          json_object_size(json), OX_REPORT_STAGES_MAX);
    }
    json_object_foreach((json_t *)json, stage, value)
    {
        if (strlen(stage) > OX_STAGE_WORD_MAX || !json_is_integer(value) ||
            json_integer_value(value) < 0 || json_integer_value(value) > OX_STAGE_MS_MAX) {
            return ox_err_set(err, OX_EINVAL,
                              "\"%s\" holds whole numbers of 0 or more under words of at most %d "
                              "bytes",
                              key, OX_STAGE_WORD_MAX);
        }
    }
    json_decref(*out);
    *out = json_deep_copy(json);
    return *out == NULL ? ox_err_nomem(err, "times of stages") : OX_OK;
}

/* --- a report --- */

const char *ox_report_strategy(const char *text)
{
    for (size_t i = 0; text != NULL && i < sizeof(strategies) / sizeof(strategies[0]); i++) {
        if (strcmp(strategies[i], text) == 0) {
            return strategies[i];
        }
    }
    return NULL;
}

static enum ox_code check_strategy(const char *strategy, struct ox_err *err)
{
    return strategy == NULL || ox_report_strategy(strategy) != NULL
               ? OX_OK
               : ox_err_set(err, OX_EINVAL, "\"strategy\" must be \"delta\", \"full\" or \"none\"");
}

enum ox_code ox_wire_parse_report(const json_t *entry, struct ox_device_report *report,
                                  struct ox_err *err)
{
    const json_t *error = NULL;
    const char *state = NULL;
    enum ox_code code;

    if ((code = ox_json_get_u64(entry, "seq", &report->seq, err)) != OX_OK ||
        (code = ox_wire_opt_id(entry, "campaign_id", &report->campaign_id, err)) != OX_OK ||
        (code = ox_wire_get_id(entry, "model_id", &report->model_id, err)) != OX_OK ||
        (code = ox_wire_get_id(entry, "model_version", &report->version, err)) != OX_OK ||
        (code = ox_json_get_str(entry, "state", &state, err)) != OX_OK ||
        (code = ox_rollout_state_parse(state, &report->state, err)) != OX_OK ||
        (code = ox_wire_opt_text(entry, "strategy", &report->strategy, err)) != OX_OK ||
        (code = check_strategy(report->strategy, err)) != OX_OK ||
        (code = ox_json_opt_u64(entry, "bytes_received", &report->bytes_received, err)) != OX_OK ||
        (code = ox_json_opt_u64(entry, "bytes_full", &report->bytes_full, err)) != OX_OK ||
        (code = ox_json_opt_u64(entry, "duration_ms", &report->duration_ms, err)) != OX_OK ||
        (code = ox_wire_opt_text(entry, "stage", &report->stage, err)) != OX_OK ||
        (code = ox_origins_take(entry, "sources", report->origins, err)) != OX_OK ||
        (code = ox_stages_ms_take(entry, "stages_ms", &report->stages_ms, err)) != OX_OK ||
        (code = ox_json_opt_object(entry, "error", &error, err)) != OX_OK) {
        return code;
    }
    if (report->stage != NULL && strlen(report->stage) > OX_STAGE_WORD_MAX) {
        return ox_err_set(err, OX_EINVAL, "\"stage\" is a word of at most %d bytes",
                          OX_STAGE_WORD_MAX);
    }
    if (report->seq == 0 || report->state == OX_ROLLOUT_PENDING) {
        return ox_err_set(err, OX_EINVAL,
                          "a report has a \"seq\" of 1 or more and tells of a "
                          "\"state\" after pending");
    }
    if (error == NULL) {
        return OX_OK;
    }
    code = ox_wire_opt_text(error, "code", &report->error_code, err);
    return code != OX_OK ? code : ox_wire_opt_text(error, "message", &report->error_message, err);
}

enum ox_code ox_wire_build_report(const struct ox_device_report *report, json_t **out,
                                  struct ox_err *err)
{
    json_t *json = json_object();
    enum ox_code code;

    if ((code = ox_json_set_u64(json, "seq", report->seq, err)) == OX_OK &&
        (code = ox_wire_put_text(json, "campaign_id", report->campaign_id, err)) == OX_OK &&
        (code = ox_json_set_str(json, "model_id", report->model_id, err)) == OX_OK &&
        (code = ox_json_set_str(json, "model_version", report->version, err)) == OX_OK &&
        (code = ox_json_set_str(json, "state", ox_rollout_state_word(report->state), err)) ==
            OX_OK &&
        (code = ox_wire_put_text(json, "strategy", report->strategy, err)) == OX_OK &&
        (code = ox_json_set_u64(json, "bytes_received", report->bytes_received, err)) == OX_OK &&
        (code = ox_json_set_u64(json, "bytes_full", report->bytes_full, err)) == OX_OK &&
        (code = ox_wire_put_text(json, "stage", report->stage, err)) == OX_OK &&
        (code = ox_origins_put(json, "sources", report->origins, err)) == OX_OK &&
        (code = ox_json_set_u64(json, "duration_ms", report->duration_ms, err)) == OX_OK &&
        report->stages_ms != NULL) {
        code = ox_json_set(json, "stages_ms", json_incref(report->stages_ms), err);
    }
    if (code == OX_OK && report->error_code != NULL) {
        code = ox_json_set(json, "error",
                           json_pack("{s:s, s:s}", "code", report->error_code, "message",
                                     report->error_message == NULL ? "" : report->error_message),
                           err);
    }
    if (code != OX_OK) {
        json_decref(json);
        return code;
    }
    *out = json;
    return OX_OK;
}
