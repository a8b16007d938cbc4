#include "oxide/wire/heartbeat.h"

#include "fields.h"
#include "installation.h"
#include "report.h"

#include <stdlib.h>
#include <string.h>

void ox_heartbeat_clear(struct ox_heartbeat *heartbeat)
{
    free(heartbeat->current_model.value);
    free(heartbeat->current_version.value);
    free(heartbeat->result_error);
    json_decref(heartbeat->metrics);
    json_decref(heartbeat->platform);
    free(heartbeat->agent);
    for (size_t i = 0; i < heartbeat->models_count; i++) {
        free(heartbeat->models[i].model_id);
        free(heartbeat->models[i].version);
    }
    free(heartbeat->models);
    for (size_t i = 0; i < heartbeat->reports_count; i++) {
        ox_device_report_clear(&heartbeat->reports[i]);
    }
    free(heartbeat->reports);
    *heartbeat = (struct ox_heartbeat){0};
}

/* --- parsing --- */

static enum ox_presence presence_of(const json_t *object, const char *key)
{
    if (!ox_json_has(object, key)) {
        return OX_ABSENT;
    }
    return ox_wire_value(object, key) == NULL ? OX_NULL : OX_PRESENT;
}

static enum ox_code parse_opt_id(const json_t *object, const char *key, struct ox_opt_str *out,
                                 struct ox_err *err)
{
    out->presence = presence_of(object, key);
    return ox_wire_opt_id(object, key, &out->value, err);
}

static enum ox_code parse_status(const json_t *object, struct ox_heartbeat *out, struct ox_err *err)
{
    const char *word = NULL;
    enum ox_code code = ox_json_opt_str(object, "status", &word, err);

    out->status_presence = presence_of(object, "status");
    if (code == OX_OK && word != NULL) {
        code = ox_device_status_parse(word, &out->status, err);
        if (code == OX_OK && out->status == OX_DEVICE_CONFLICT) {
            code = ox_err_set(err, OX_EINVAL,
                              "\"status\" cannot be \"conflict\": that is the "
                              "control plane's to say");
        }
    }
    return code;
}

static enum ox_code parse_result(const json_t *object, struct ox_heartbeat *out, struct ox_err *err)
{
    const json_t *result = ox_wire_value(object, "last_update_result");
    const json_t *failed;

    out->result_presence = presence_of(object, "last_update_result");
    if (result == NULL ||
        (json_is_string(result) && strcmp(json_string_value(result), "success") == 0)) {
        return OX_OK;
    }
    failed = json_object_get(result, "failed"); /* NULL where result is no object */
    if (!json_is_object(failed)) {
        return ox_err_set(err, OX_EINVAL,
                          "\"last_update_result\" must be \"success\" or "
                          "{\"failed\":{\"error\":\"...\"}}");
    }
    out->result_failed = true;
    return ox_wire_opt_text(failed, "error", &out->result_error, err);
}

static enum ox_code parse_object(const json_t *object, const char *key, json_t **out,
                                 struct ox_err *err)
{
    const json_t *value = NULL;
    enum ox_code code = ox_json_opt_object(object, key, &value, err);

    if (code == OX_OK && value != NULL) {
        *out = json_incref(json_object_get(object, key));
    }
    return code;
}

static enum ox_code parse_reads(const json_t *object, struct ox_heartbeat *out, struct ox_err *err)
{
    const char *text = NULL;
    enum ox_code code = ox_json_opt_str(object, "reads", &text, err);

    out->reads_presence = presence_of(object, "reads");
    if (code == OX_OK && text != NULL && (code = ox_reads_parse(text, &out->reads, err)) != OX_OK) {
        ox_err_context(err, "\"reads\"");
    }
    return code;
}

/* Get the array at key, of at most `max` objects. *out stays NULL where it is absent or null. */
static enum ox_code get_objects(const json_t *object, const char *key, size_t max,
                                const json_t **out, struct ox_err *err)
{
    enum ox_code code = ox_json_opt_array(object, key, out, err);

    if (code != OX_OK || *out == NULL) {
        return code;
    }
    if (json_array_size(*out) > max) {
        return ox_err_set(err, OX_EINVAL, "\"%s\" has at most %zu entries", key, max);
    }
    for (size_t i = 0; i < json_array_size(*out); i++) {
        if (!json_is_object(json_array_get(*out, i))) {
            return ox_err_set(err, OX_EINVAL, "each of \"%s\" must be an object", key);
        }
    }
    return OX_OK;
}

static enum ox_code parse_model(const json_t *entry, struct ox_heartbeat *out, struct ox_err *err)
{
    struct ox_device_model *model = &out->models[out->models_count++]; /* cleared with out */
    enum ox_code code;

    if ((code = ox_wire_get_id(entry, "id", &model->model_id, err)) != OX_OK ||
        (code = ox_wire_get_id(entry, "version", &model->version, err)) != OX_OK ||
        (code = ox_wire_get_digest(entry, "digest", &model->digest, err)) != OX_OK) {
        return code;
    }
    for (size_t i = 0; i + 1 < out->models_count; i++) {
        if (strcmp(out->models[i].model_id, model->model_id) == 0) {
            return ox_err_set(err, OX_EINVAL, "model \"%s\" stands twice", model->model_id);
        }
    }
    return OX_OK;
}

static enum ox_code parse_models(const json_t *object, struct ox_heartbeat *out, struct ox_err *err)
{
    const json_t *models = NULL;
    enum ox_code code = get_objects(object, "models", OX_HEARTBEAT_MODELS_MAX, &models, err);

    out->models_presence = presence_of(object, "models");
    if (code != OX_OK || json_array_size(models) == 0) {
        return code;
    }
    out->models = calloc(json_array_size(models), sizeof(*out->models));
    if (out->models == NULL) {
        return ox_err_nomem(err, "a list of models");
    }
    for (size_t i = 0; code == OX_OK && i < json_array_size(models); i++) {
        code = parse_model(json_array_get(models, i), out, err);
    }
    return code == OX_OK ? OX_OK : (ox_err_context(err, "\"models\""), code);
}

static enum ox_code parse_reports(const json_t *object, struct ox_heartbeat *out,
                                  struct ox_err *err)
{
    const json_t *reports = NULL;
    enum ox_code code = get_objects(object, "reports", OX_HEARTBEAT_REPORTS_MAX, &reports, err);

    if (code != OX_OK || json_array_size(reports) == 0) {
        return code;
    }
    out->reports = calloc(json_array_size(reports), sizeof(*out->reports));
    if (out->reports == NULL) {
        return ox_err_nomem(err, "a list of reports");
    }
    for (size_t i = 0; code == OX_OK && i < json_array_size(reports); i++) {
        code = ox_wire_parse_report(json_array_get(reports, i), &out->reports[out->reports_count++],
                                    err);
    }
    return code == OX_OK ? OX_OK : (ox_err_context(err, "\"reports\""), code);
}

enum ox_code ox_heartbeat_parse(const void *body, size_t len_bytes, struct ox_heartbeat *out,
                                struct ox_err *err)
{
    struct ox_heartbeat heartbeat = {0};
    json_t *json = NULL;
    enum ox_code code = OX_OK;

    if (len_bytes == 0) {
        *out = heartbeat;
        return OX_OK;
    }
    code = ox_json_parse_object(body, len_bytes, &json, err);
    if (code != OX_OK) {
        return code;
    }
    if ((code = parse_opt_id(json, "current_model", &heartbeat.current_model, err)) == OX_OK &&
        (code = parse_opt_id(json, "current_model_version", &heartbeat.current_version, err)) ==
            OX_OK &&
        (code = parse_status(json, &heartbeat, err)) == OX_OK &&
        (code = parse_result(json, &heartbeat, err)) == OX_OK &&
        (code = parse_object(json, "metrics", &heartbeat.metrics, err)) == OX_OK &&
        (code = parse_object(json, "platform", &heartbeat.platform, err)) == OX_OK &&
        (code = ox_wire_opt_text(json, "agent", &heartbeat.agent, err)) == OX_OK &&
        (code = ox_json_opt_u64(json, "protocol", &heartbeat.protocol, err)) == OX_OK &&
        (code = ox_wire_parse_installation(json, &heartbeat.installation, err)) == OX_OK &&
        (code = parse_reads(json, &heartbeat, err)) == OX_OK &&
        (code = parse_models(json, &heartbeat, err)) == OX_OK &&
        (code = parse_reports(json, &heartbeat, err)) == OX_OK) {
        *out = heartbeat;
    } else {
        ox_heartbeat_clear(&heartbeat);
    }
    json_decref(json);
    return code;
}

/* --- building --- */

static enum ox_code put_opt_str(json_t *object, const char *key, const struct ox_opt_str *value,
                                struct ox_err *err)
{
    if (value->presence == OX_ABSENT) {
        return OX_OK;
    }
    return ox_json_set_str(object, key, value->presence == OX_NULL ? NULL : value->value, err);
}

static enum ox_code put_result(json_t *json, const struct ox_heartbeat *heartbeat,
                               struct ox_err *err)
{
    if (heartbeat->result_presence == OX_ABSENT) {
        return OX_OK;
    }
    if (heartbeat->result_presence == OX_NULL) {
        return ox_json_set(json, "last_update_result", json_null(), err);
    }
    return ox_json_set(
        json, "last_update_result",
        heartbeat->result_failed
            ? json_pack("{s:{s:s}}", "failed", "error",
                        heartbeat->result_error == NULL ? "unknown" : heartbeat->result_error)
            : json_string("success"),
        err);
}

static enum ox_code put_identity(json_t *json, const struct ox_heartbeat *heartbeat,
                                 struct ox_err *err)
{
    char reads[OX_READS_TEXT_MAX];
    enum ox_code code = ox_wire_put_text(json, "agent", heartbeat->agent, err);

    if (code == OX_OK && heartbeat->protocol != 0) {
        code = ox_json_set_u64(json, "protocol", heartbeat->protocol, err);
    }
    if (code == OX_OK && heartbeat->reads_presence != OX_ABSENT) {
        code = ox_json_set_str(
            json, "reads",
            heartbeat->reads_presence == OX_NULL ? NULL : ox_reads_text(&heartbeat->reads, reads),
            err);
    }
    if (code == OX_OK && heartbeat->platform != NULL) {
        code = ox_json_set(json, "platform", json_incref(heartbeat->platform), err);
    }
    if (code == OX_OK && heartbeat->metrics != NULL) {
        code = ox_json_set(json, "metrics", json_incref(heartbeat->metrics), err);
    }
    return code;
}

static enum ox_code put_models(json_t *json, const struct ox_heartbeat *heartbeat,
                               struct ox_err *err)
{
    json_t *models;
    enum ox_code code = OX_OK;

    if (heartbeat->models_presence == OX_ABSENT) {
        return OX_OK;
    }
    if (heartbeat->models_presence == OX_NULL) {
        return ox_json_set(json, "models", json_null(), err);
    }
    models = json_array();
    for (size_t i = 0; code == OX_OK && i < heartbeat->models_count; i++) {
        const struct ox_device_model *model = &heartbeat->models[i];
        char hex[OX_DIGEST_HEX_MAX];

        code =
            ox_json_append(models,
                           json_pack("{s:s, s:s, s:s}", "id", model->model_id, "version",
                                     model->version, "digest", ox_digest_hex(&model->digest, hex)),
                           err);
    }
    if (code != OX_OK) {
        json_decref(models);
        return code;
    }
    return ox_json_set(json, "models", models, err);
}

static enum ox_code put_reports(json_t *json, const struct ox_heartbeat *heartbeat,
                                struct ox_err *err)
{
    json_t *reports;
    enum ox_code code = OX_OK;

    if (heartbeat->reports_count == 0) {
        return OX_OK;
    }
    reports = json_array();
    for (size_t i = 0; code == OX_OK && i < heartbeat->reports_count; i++) {
        json_t *report = NULL;

        code = ox_wire_build_report(&heartbeat->reports[i], &report, err);
        if (code == OX_OK) {
            code = ox_json_append(reports, report, err);
        }
    }
    if (code != OX_OK) {
        json_decref(reports);
        return code;
    }
    return ox_json_set(json, "reports", reports, err);
}

enum ox_code ox_heartbeat_build(const struct ox_heartbeat *heartbeat, char **out,
                                struct ox_err *err)
{
    json_t *json = json_object();
    enum ox_code code;

    if (json == NULL) {
        return ox_err_nomem(err, "a heartbeat");
    }
    if ((code = put_opt_str(json, "current_model", &heartbeat->current_model, err)) == OX_OK &&
        (code = put_opt_str(json, "current_model_version", &heartbeat->current_version, err)) ==
            OX_OK &&
        (heartbeat->status_presence == OX_ABSENT ||
         (code = ox_json_set_str(json, "status",
                                 heartbeat->status_presence == OX_NULL
                                     ? NULL
                                     : ox_device_status_word(heartbeat->status),
                                 err)) == OX_OK) &&
        (code = put_result(json, heartbeat, err)) == OX_OK &&
        (code = put_identity(json, heartbeat, err)) == OX_OK &&
        (code = ox_wire_put_installation(json, &heartbeat->installation, err)) == OX_OK &&
        (code = put_models(json, heartbeat, err)) == OX_OK &&
        (code = put_reports(json, heartbeat, err)) == OX_OK) {
        code = ox_json_text(json, out, err);
    }
    json_decref(json);
    return code;
}
