/* state.json: one JSON object, written whole, read strictly. */
#include "state.h"

#include "oxide/base/file.h"
#include "oxide/crypto/artifact.h"
#include "oxide/wire/id.h"
#include "shelf.h"

#include <stdlib.h>
#include <string.h>

/* --- installed versions --- */

enum ox_code ox_installed_to_json(const struct ox_installed *installed, json_t **out,
                                  struct ox_err *err)
{
    char hex[OX_DIGEST_HEX_MAX];
    json_t *files = NULL;
    enum ox_code code;

    if (installed->version == NULL) {
        *out = json_null();
        return OX_OK;
    }
    code = ox_manifest_to_json(&installed->files, &files, err);
    if (code != OX_OK) {
        return code;
    }
    *out = json_pack("{s:s, s:s, s:s, s:o}", "version", installed->version, "digest",
                     ox_digest_hex(&installed->digest, hex), "folder", installed->folder, "files",
                     files);
    return *out == NULL ? ox_err_nomem(err, "JSON") : OX_OK;
}

enum ox_code ox_installed_from_json(const json_t *json, struct ox_installed *out,
                                    struct ox_err *err)
{
    struct ox_installed installed = {0};
    struct ox_digest digest;
    const char *version = NULL;
    const char *folder = NULL;
    const char *hex = NULL;
    enum ox_code code;

    if (json == NULL || json_is_null(json)) {
        *out = installed;
        return OX_OK;
    }
    if ((code = ox_json_get_str(json, "version", &version, err)) != OX_OK ||
        (code = ox_id_check("version", version, err)) != OX_OK ||
        (code = ox_json_get_str(json, "folder", &folder, err)) != OX_OK ||
        (code = ox_json_get_str(json, "digest", &hex, err)) != OX_OK ||
        (code = ox_digest_parse(hex, &installed.digest, err)) != OX_OK ||
        (code = ox_manifest_from_json(json_object_get(json, "files"), &installed.files, err)) !=
            OX_OK ||
        (code = ox_artifact_digest(&installed.files, &digest, err)) != OX_OK ||
        (code = ox_strdup(&installed.version, version, err)) != OX_OK ||
        (code = ox_strdup(&installed.folder, folder, err)) != OX_OK) {
        goto out;
    }
    if (folder[0] == '\0' || folder[0] == '.' || strchr(folder, '/') != NULL ||
        strlen(folder) > OX_MANIFEST_COMPONENT_MAX) {
        code = ox_err_set(err, OX_EINVAL, "\"folder\" is not the name of a folder");
    } else if (!ox_digest_equal(&digest, &installed.digest)) {
        code = ox_err_set(err, OX_EINVAL, "the \"digest\" of version %s is not that of its files",
                          version);
    }
out:
    if (code != OX_OK) {
        ox_installed_clear(&installed);
        return code;
    }
    *out = installed;
    return OX_OK;
}

/* --- writing --- */

/* The first of those that are kept is "previous", as releases before knew it alone. */
static enum ox_code put_kept(json_t *entry, const struct ox_model_state *model, struct ox_err *err)
{
    json_t *older = json_array();
    json_t *json = json_null();
    enum ox_code code = ox_json_set(entry, "older", older, err); /* lives on in the entry */

    if (code == OX_OK && model->kept_count > 0) {
        code = ox_installed_to_json(&model->kept[0], &json, err);
    }
    if (code == OX_OK) {
        code = ox_json_set(entry, "previous", json, err);
    }
    for (size_t i = 1; code == OX_OK && i < model->kept_count; i++) {
        if ((code = ox_installed_to_json(&model->kept[i], &json, err)) == OX_OK) {
            code = ox_json_append(older, json, err);
        }
    }
    return code == OX_OK ? ox_json_set(entry, "replaced", json_boolean(model->replaced), err)
                         : code;
}

static enum ox_code put_models(json_t *json, const struct ox_agent_state *state, struct ox_err *err)
{
    json_t *models = json_array();
    enum ox_code code = ox_json_set(json, "models", models, err);

    for (size_t i = 0; code == OX_OK && i < state->models_count; i++) {
        const struct ox_model_state *model = &state->models[i];
        json_t *entry = json_object();
        json_t *current = NULL;

        code = ox_json_append(models, entry, err); /* lives on in the array */
        if (code == OX_OK && (code = ox_json_set_str(entry, "id", model->model_id, err)) == OX_OK &&
            (code = ox_json_set_str(entry, "layout", ox_shelf_word(model->layout), err)) == OX_OK &&
            (code = ox_installed_to_json(&model->current, &current, err)) == OX_OK &&
            (code = ox_json_set(entry, "current", current, err)) == OX_OK) {
            code = put_kept(entry, model, err);
        }
    }
    return code;
}

static enum ox_code put_poison(json_t *json, const struct ox_agent_state *state, struct ox_err *err)
{
    json_t *list = json_array();
    enum ox_code code = ox_json_set(json, "poison", list, err);

    for (size_t i = 0; code == OX_OK && i < state->poison_count; i++) {
        const struct ox_poison *poison = &state->poison[i];
        char hex[OX_DIGEST_HEX_MAX];

        code = ox_json_append(
            list,
            json_pack("{s:s, s:s, s:s, s:I, s:s?}", "model_id", poison->model_id, "version",
                      poison->version, "digest", ox_digest_hex(&poison->digest, hex), "failures",
                      (json_int_t)poison->failures, "told_campaign", poison->told_campaign),
            err);
    }
    return code;
}

/* Reports have one spelling, that of the heartbeat. */
static enum ox_code put_reports(json_t *json, const struct ox_agent_state *state,
                                struct ox_err *err)
{
    struct ox_heartbeat heartbeat = {
        .reports = (struct ox_device_report *)state->reports, /* only read, not owned */
        .reports_count = state->reports_count,
    };
    char *text = NULL;
    json_t *built = NULL;
    enum ox_code code = ox_heartbeat_build(&heartbeat, &text, err);

    if (code == OX_OK && (code = ox_json_parse_object(text, strlen(text), &built, err)) == OX_OK &&
        state->reports_count > 0) {
        code = ox_json_set(json, "reports", json_incref(json_object_get(built, "reports")), err);
    }
    json_decref(built);
    free(text);
    return code;
}

enum ox_code ox_state_save(const struct ox_agent_state *state, const char *path, struct ox_err *err)
{
    json_t *json = json_object();
    char *text = NULL;
    enum ox_code code;

    if ((code = ox_json_set_u64(json, "format", OX_STATE_FORMAT, err)) == OX_OK &&
        (code = ox_json_set_str(json, "device_id", state->device_id, err)) == OX_OK &&
        (code = ox_json_set_str(json, "release", state->release, err)) == OX_OK &&
        (code = ox_json_set_u64(json, "next_seq", state->next_seq, err)) == OX_OK &&
        (code = ox_json_set_u64(json, "last_attempt", state->last_attempt, err)) == OX_OK &&
        (code = ox_json_set_str(json, "last_model", state->last_model, err)) == OX_OK &&
        (code = ox_json_set(json, "has_result", json_boolean(state->has_result), err)) == OX_OK &&
        (code = ox_json_set_str(json, "result_error", state->result_error, err)) == OX_OK &&
        (code = put_models(json, state, err)) == OX_OK &&
        (code = put_poison(json, state, err)) == OX_OK &&
        (code = put_reports(json, state, err)) == OX_OK &&
        (code = ox_json_text(json, &text, err)) == OX_OK) {
        code = ox_file_replace(path, text, strlen(text), 0600, err);
    }
    free(text);
    json_decref(json);
    return code;
}

/* --- reading --- */

static enum ox_code dup_opt(const json_t *json, const char *key, char **out, struct ox_err *err)
{
    const char *text = NULL;
    enum ox_code code = ox_json_opt_str(json, key, &text, err);

    return code != OX_OK ? code : ox_strdup(out, text, err);
}

static enum ox_code dup_id(const json_t *json, const char *key, char **out, struct ox_err *err)
{
    const char *text = NULL;
    enum ox_code code = ox_json_get_str(json, key, &text, err);

    if (code == OX_OK) {
        code = ox_id_check(key, text, err);
    }
    return code != OX_OK ? code : ox_strdup(out, text, err);
}

static enum ox_code take_kept(const json_t *entry, struct ox_model_state *model, struct ox_err *err)
{
    const json_t *older = NULL;
    enum ox_code code =
        ox_installed_from_json(json_object_get(entry, "previous"), &model->kept[0], err);

    model->kept_count = code == OX_OK && model->kept[0].version != NULL;
    model->replaced = model->kept_count > 0; /* as releases before say it */
    if (code == OX_OK && (code = ox_json_opt_array(entry, "older", &older, err)) == OX_OK &&
        json_array_size(older) > (model->kept_count > 0 ? OX_KEEP_MAX - 1 : 0)) {
        code = ox_err_set(err, OX_EINVAL, "too many in \"older\"");
    }
    for (size_t i = 0; code == OX_OK && i < json_array_size(older); i++) {
        struct ox_installed *kept = &model->kept[model->kept_count];

        code = ox_installed_from_json(json_array_get(older, i), kept, err);
        if (code == OX_OK && kept->version == NULL) {
            code = ox_err_set(err, OX_EINVAL, "nothing in \"older\"");
        }
        model->kept_count += code == OX_OK;
    }
    return code == OX_OK ? ox_json_opt_bool(entry, "replaced", &model->replaced, err) : code;
}

static enum ox_code take_models(const json_t *json, struct ox_agent_state *state,
                                struct ox_err *err)
{
    const json_t *models = NULL;
    enum ox_code code = ox_json_opt_array(json, "models", &models, err);

    if (code == OX_OK && json_array_size(models) > OX_HEARTBEAT_MODELS_MAX) {
        return ox_err_set(err, OX_EINVAL, "too many \"models\"");
    }
    for (size_t i = 0; code == OX_OK && i < json_array_size(models); i++) {
        const json_t *entry = json_array_get(models, i);
        struct ox_model_state *model = &state->models[state->models_count++];
        const char *layout = NULL;

        if ((code = dup_id(entry, "id", &model->model_id, err)) == OX_OK &&
            (code = ox_json_opt_str(entry, "layout", &layout, err)) == OX_OK &&
            (layout == NULL || /* of a release that knew one */
             (code = ox_shelf_parse(layout, &model->layout, err)) == OX_OK) &&
            (code = ox_installed_from_json(json_object_get(entry, "current"), &model->current,
                                           err)) == OX_OK &&
            (code = take_kept(entry, model, err)) == OX_OK && model->current.version == NULL) {
            code = ox_err_set(err, OX_EINVAL, "a model without \"current\"");
        }
    }
    return code;
}

static enum ox_code take_poison(const json_t *json, struct ox_agent_state *state,
                                struct ox_err *err)
{
    const json_t *list = NULL;
    enum ox_code code = ox_json_opt_array(json, "poison", &list, err);

    if (code == OX_OK && json_array_size(list) > OX_STATE_POISON_MAX) {
        return ox_err_set(err, OX_EINVAL, "too many in \"poison\"");
    }
    for (size_t i = 0; code == OX_OK && i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        struct ox_poison *poison = &state->poison[state->poison_count++];
        const char *hex = NULL;

        if ((code = dup_id(entry, "model_id", &poison->model_id, err)) == OX_OK &&
            (code = dup_id(entry, "version", &poison->version, err)) == OX_OK &&
            (code = ox_json_get_str(entry, "digest", &hex, err)) == OX_OK &&
            (code = ox_digest_parse(hex, &poison->digest, err)) == OX_OK &&
            (code = ox_json_get_u64(entry, "failures", &poison->failures, err)) == OX_OK) {
            code = dup_opt(entry, "told_campaign", &poison->told_campaign, err);
        }
    }
    return code;
}

static enum ox_code take_reports(const json_t *json, struct ox_agent_state *state,
                                 struct ox_err *err)
{
    struct ox_heartbeat heartbeat = {0};
    json_t *reports = json_object_get(json, "reports");
    json_t *wrapped;
    char *text = NULL;
    enum ox_code code;

    if (reports == NULL) {
        return OX_OK;
    }
    wrapped = json_pack("{s:O}", "reports", reports);
    code = wrapped == NULL ? ox_err_nomem(err, "JSON") : ox_json_text(wrapped, &text, err);
    if (code == OX_OK) {
        code = ox_heartbeat_parse(text, strlen(text), &heartbeat, err);
    }
    for (size_t i = 0; code == OX_OK && i < heartbeat.reports_count; i++) {
        state->reports[state->reports_count++] = heartbeat.reports[i];
        heartbeat.reports[i] = (struct ox_device_report){0};
        if (state->reports[i].seq >= state->next_seq) {
            code = ox_err_set(err, OX_EINVAL, "a report is ahead of \"next_seq\"");
        }
    }
    ox_heartbeat_clear(&heartbeat);
    free(text);
    json_decref(wrapped);
    return code;
}

static enum ox_code take_all(const json_t *json, struct ox_agent_state *state, struct ox_err *err)
{
    uint64_t format = 0;
    enum ox_code code = ox_json_get_u64(json, "format", &format, err);

    if (code != OX_OK) {
        return code;
    }
    if (format != OX_STATE_FORMAT) {
        return ox_err_set(err, OX_EUNSUPPORTED,
                          "it is of format %llu, this release reads %d: use a newer release",
                          (unsigned long long)format, OX_STATE_FORMAT);
    }
    if ((code = dup_id(json, "device_id", &state->device_id, err)) != OX_OK ||
        (code = dup_opt(json, "release", &state->release, err)) != OX_OK ||
        (code = ox_json_get_u64(json, "next_seq", &state->next_seq, err)) != OX_OK ||
        (code = ox_json_get_u64(json, "last_attempt", &state->last_attempt, err)) != OX_OK ||
        (code = dup_opt(json, "last_model", &state->last_model, err)) != OX_OK ||
        (code = ox_json_opt_bool(json, "has_result", &state->has_result, err)) != OX_OK ||
        (code = dup_opt(json, "result_error", &state->result_error, err)) != OX_OK ||
        (code = take_models(json, state, err)) != OX_OK ||
        (code = take_poison(json, state, err)) != OX_OK) {
        return code;
    }
    return take_reports(json, state, err);
}

enum ox_code ox_state_load(struct ox_agent_state *out, const char *path, struct ox_err *err)
{
    struct ox_agent_state state = {0};
    struct ox_buf text = OX_BUF_INIT;
    json_t *json = NULL;
    enum ox_code code = ox_file_read_own(path, OX_STATE_BYTES_MAX, &text, err);

    if (code == OX_OK &&
        (code = ox_json_parse_object(text.data, text.len_bytes, &json, err)) == OX_OK) {
        code = take_all(json, &state, err);
    }
    json_decref(json);
    ox_buf_clear(&text);
    if (code == OX_OK) {
        *out = state;
        return OX_OK;
    }
    ox_state_clear(&state);
    if (code == OX_EINVAL || code == OX_ETOOBIG) {
        code = ox_err_set(err, OX_ECORRUPT, "%s is damaged: %s", path, err == NULL ? "" : err->msg);
    } else if (code != OX_ENOTFOUND) {
        ox_err_context(err, "%s", path);
    }
    return code;
}
