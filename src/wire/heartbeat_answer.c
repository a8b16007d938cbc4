#include "chain.h"
#include "fields.h"
#include "oxide/wire/heartbeat.h"
#include "oxide/wire/id.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of one address in blob_urls: what every server and proxy takes in a request line. */
#define URL_MAX 2048

void ox_assignment_clear(struct ox_assignment *assignment)
{
    free(assignment->campaign_id);
    free(assignment->model_id);
    free(assignment->version);
    ox_manifest_clear(&assignment->files);
    free(assignment->base_version);
    free(assignment->patch.format);
    free(assignment->patch.strategy);
    ox_wire_chain_clear(assignment);
    for (size_t i = 0; i < assignment->blob_urls_count; i++) {
        free(assignment->blob_urls[i]);
    }
    *assignment = (struct ox_assignment){0};
}

void ox_heartbeat_answer_clear(struct ox_heartbeat_answer *answer)
{
    free(answer->assigned_model);
    free(answer->assigned_version);
    for (size_t i = 0; i < answer->assignments_count; i++) {
        ox_assignment_clear(&answer->assignments[i]);
    }
    free(answer->assignments);
    free(answer->device_id);
    *answer = (struct ox_heartbeat_answer){0};
}

/* --- building --- */

static enum ox_code put_base(json_t *json, const struct ox_assignment *assignment,
                             struct ox_err *err)
{
    char hex[OX_DIGEST_HEX_MAX];

    if (!assignment->base_present) {
        return ox_json_set(json, "base", json_null(), err);
    }
    return ox_json_set(json, "base",
                       json_pack("{s:s, s:s}", "model_version", assignment->base_version, "digest",
                                 ox_digest_hex(&assignment->base_digest, hex)),
                       err);
}

static enum ox_code put_patch(json_t *json, const struct ox_patch_ref *patch, struct ox_err *err)
{
    json_t *object = NULL;
    enum ox_code code;

    if (!patch->present) {
        return ox_json_set(json, "patch", json_null(), err);
    }
    code = ox_wire_patch_to_json(patch, &object, err);
    return code == OX_OK ? ox_json_set(json, "patch", object, err) : code;
}

static enum ox_code put_urls(json_t *json, const struct ox_assignment *assignment,
                             struct ox_err *err)
{
    json_t *urls = json_array();
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < assignment->blob_urls_count; i++) {
        code = ox_json_append(urls, json_string(assignment->blob_urls[i]), err);
    }
    if (code != OX_OK) {
        json_decref(urls);
        return code;
    }
    return ox_json_set(json, "blob_urls", urls, err);
}

/* How it may go about it: only what is not as ever. */
static enum ox_code put_limits(json_t *json, const struct ox_assignment *assignment,
                               struct ox_err *err)
{
    json_t *windows = NULL;
    enum ox_code code = OX_OK;

    if (assignment->remove) {
        code = ox_json_set(json, "remove", json_true(), err);
    }
    if (code == OX_OK && assignment->urgent) {
        code = ox_json_set(json, "urgent", json_true(), err);
    }
    if (code == OX_OK && assignment->patch_only) {
        code = ox_json_set(json, "patch_only", json_true(), err);
    }
    if (code == OX_OK && assignment->rate_bps > 0) {
        code = ox_json_set_u64(json, "rate_bps", assignment->rate_bps, err);
    }
    if (code != OX_OK || assignment->windows_count == 0) {
        return code;
    }
    windows = json_array();
    for (size_t i = 0; code == OX_OK && i < assignment->windows_count; i++) {
        char text[OX_WINDOW_TEXT_MAX];

        code = ox_json_append(windows, json_string(ox_window_text(&assignment->windows[i], text)),
                              err);
    }
    if (code != OX_OK) {
        json_decref(windows);
        return code;
    }
    return ox_json_set(json, "windows", windows, err);
}

static enum ox_code build_assignment(const struct ox_assignment *assignment, json_t **out,
                                     struct ox_err *err)
{
    json_t *json = json_object();
    json_t *files = NULL;
    enum ox_code code;

    if ((code = ox_json_set_str(json, "campaign_id", assignment->campaign_id, err)) == OX_OK &&
        (code = ox_json_set_str(json, "model_id", assignment->model_id, err)) == OX_OK &&
        (code = ox_json_set_str(json, "model_version", assignment->version, err)) == OX_OK &&
        (code = ox_wire_set_digest(json, "digest", &assignment->digest, err)) == OX_OK &&
        (code = ox_manifest_to_json(&assignment->files, &files, err)) == OX_OK &&
        (code = ox_json_set(json, "files", files, err)) == OX_OK &&
        (code = put_base(json, assignment, err)) == OX_OK &&
        (code = put_patch(json, &assignment->patch, err)) == OX_OK &&
        (code = ox_wire_put_chain(json, assignment, err)) == OX_OK &&
        (code = put_urls(json, assignment, err)) == OX_OK &&
        (code = put_limits(json, assignment, err)) == OX_OK) {
        *out = json;
        return OX_OK;
    }
    json_decref(json);
    return code;
}

static enum ox_code put_assignments(json_t *json, const struct ox_heartbeat_answer *answer,
                                    struct ox_err *err)
{
    json_t *list = json_array();
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < answer->assignments_count; i++) {
        json_t *assignment = NULL;

        code = build_assignment(&answer->assignments[i], &assignment, err);
        if (code == OX_OK) {
            code = ox_json_append(list, assignment, err);
        }
    }
    if (code != OX_OK) {
        json_decref(list);
        return code;
    }
    return ox_json_set(json, "assignments", list, err);
}

/* What the installation is told of itself. */
static enum ox_code put_identity(json_t *json, const struct ox_heartbeat_answer *answer,
                                 struct ox_err *err)
{
    enum ox_code code = OX_OK;

    if (answer->device_id != NULL) {
        code = ox_json_set_str(json, "device_id", answer->device_id, err);
    }
    if (code == OX_OK && answer->instance[0] != '\0') {
        code = ox_json_set_str(json, "instance", answer->instance, err);
    }
    if (code == OX_OK && answer->replaced) {
        code = ox_json_set(json, "replaced", json_true(), err);
    }
    if (code == OX_OK && answer->resend) {
        code = ox_json_set(json, "resend", json_true(), err);
    }
    return code;
}

static enum ox_code put_pair(json_t *json, const struct ox_heartbeat_answer *answer,
                             struct ox_err *err)
{
    enum ox_code code = ox_json_set_str(json, "assigned_model", answer->assigned_model, err);

    return code != OX_OK
               ? code
               : ox_json_set_str(json, "assigned_model_version", answer->assigned_version, err);
}

enum ox_code ox_heartbeat_answer_build(const struct ox_heartbeat_answer *answer, char **out,
                                       struct ox_err *err)
{
    bool tells_assignments =
        answer->assignments_present || answer->assignments_count > 0 || answer->reports_ack_present;
    json_t *json = json_object();
    enum ox_code code;

    if ((code = ox_json_set_str(json, "status", "ok", err)) == OX_OK &&
        (answer->brief || (code = put_pair(json, answer, err)) == OX_OK) &&
        (!tells_assignments || (code = put_assignments(json, answer, err)) == OX_OK) &&
        (answer->brief || !answer->reports_ack_present ||
         (code = ox_json_set_u64(json, "reports_ack", answer->reports_ack, err)) == OX_OK) &&
        (answer->poll_interval_s == 0 ||
         (code = ox_json_set_u64(json, "poll_interval_s", answer->poll_interval_s, err)) ==
             OX_OK) &&
        (answer->time_ms == 0 ||
         (code = ox_json_set_u64(json, "time", answer->time_ms, err)) == OX_OK) &&
        (code = put_identity(json, answer, err)) == OX_OK) {
        code = ox_json_text(json, out, err);
    }
    json_decref(json);
    return code;
}

/* --- parsing --- */

static enum ox_code parse_base(const json_t *json, struct ox_assignment *out, struct ox_err *err)
{
    const json_t *base = NULL;
    enum ox_code code = ox_json_opt_object(json, "base", &base, err);

    if (code != OX_OK || base == NULL) {
        return code;
    }
    out->base_present = true;
    code = ox_wire_get_id(base, "model_version", &out->base_version, err);
    return code != OX_OK ? code : ox_wire_get_digest(base, "digest", &out->base_digest, err);
}

static enum ox_code parse_patch(const json_t *json, struct ox_assignment *out, struct ox_err *err)
{
    const json_t *patch = NULL;
    enum ox_code code = ox_json_opt_object(json, "patch", &patch, err);

    if (code != OX_OK || patch == NULL) {
        return code;
    }
    if (!out->base_present) {
        return ox_err_set(err, OX_EINVAL, "a \"patch\" needs a \"base\"");
    }
    return ox_wire_patch_from_json(patch, &out->patch, err);
}

static bool is_plain_url(const char *url)
{
    size_t len = strnlen(url, URL_MAX + 1);

    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)url[i] <= ' ' || (unsigned char)url[i] >= 0x7f) {
            return false;
        }
    }
    return len <= URL_MAX && (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0);
}

static enum ox_code parse_urls(const json_t *json, struct ox_assignment *out, struct ox_err *err)
{
    const json_t *urls = NULL;
    enum ox_code code = ox_json_opt_array(json, "blob_urls", &urls, err);

    if (code != OX_OK) {
        return code;
    }
    if (json_array_size(urls) > OX_HEARTBEAT_URLS_MAX) {
        return ox_err_set(err, OX_EINVAL, "\"blob_urls\" has at most %d entries",
                          OX_HEARTBEAT_URLS_MAX);
    }
    for (size_t i = 0; code == OX_OK && i < json_array_size(urls); i++) {
        const char *url = json_string_value(json_array_get(urls, i));

        if (url == NULL || !is_plain_url(url)) {
            return ox_err_set(err, OX_EINVAL,
                              "each of \"blob_urls\" is an http:// or https:// "
                              "address without blanks, of at most %d bytes",
                              URL_MAX);
        }
        code = ox_strdup(&out->blob_urls[i], url, err);
        out->blob_urls_count += code == OX_OK;
    }
    return code;
}

static enum ox_code parse_limits(const json_t *json, struct ox_assignment *out, struct ox_err *err)
{
    const json_t *windows = NULL;
    enum ox_code code;

    if ((code = ox_json_opt_bool(json, "urgent", &out->urgent, err)) != OX_OK ||
        (code = ox_json_opt_bool(json, "patch_only", &out->patch_only, err)) != OX_OK ||
        (code = ox_json_opt_u64(json, "rate_bps", &out->rate_bps, err)) != OX_OK ||
        (code = ox_json_opt_array(json, "windows", &windows, err)) != OX_OK) {
        return code;
    }
    if (json_array_size(windows) > OX_ASSIGNMENT_WINDOWS_MAX) {
        return ox_err_set(err, OX_EINVAL, "\"windows\" has at most %d entries",
                          OX_ASSIGNMENT_WINDOWS_MAX);
    }
    for (size_t i = 0; code == OX_OK && i < json_array_size(windows); i++) {
        const char *text = json_string_value(json_array_get(windows, i));

        code = text == NULL ? ox_err_set(err, OX_EINVAL, "each of \"windows\" is a text")
                            : ox_window_parse(text, &out->windows[i], err);
        out->windows_count += code == OX_OK;
    }
    return code;
}

static enum ox_code parse_assignment(const json_t *json, struct ox_assignment *out,
                                     struct ox_err *err)
{
    enum ox_code code;

    if (!json_is_object(json)) {
        return ox_err_set(err, OX_EINVAL, "each must be an object");
    }
    if ((code = ox_wire_opt_id(json, "campaign_id", &out->campaign_id, err)) != OX_OK ||
        (code = ox_wire_get_id(json, "model_id", &out->model_id, err)) != OX_OK ||
        (code = ox_wire_get_id(json, "model_version", &out->version, err)) != OX_OK ||
        (code = ox_wire_get_digest(json, "digest", &out->digest, err)) != OX_OK ||
        (code = ox_json_opt_bool(json, "remove", &out->remove, err)) != OX_OK) {
        return code;
    }
    if ((!out->remove && (code = ox_manifest_from_json(json_object_get(json, "files"), &out->files,
                                                       err)) != OX_OK) ||
        (code = parse_base(json, out, err)) != OX_OK ||
        (code = parse_patch(json, out, err)) != OX_OK ||
        (code = ox_wire_parse_chain(json, out, err)) != OX_OK ||
        (code = parse_limits(json, out, err)) != OX_OK) {
        return code;
    }
    return parse_urls(json, out, err);
}

static enum ox_code parse_assignments(const json_t *json, struct ox_heartbeat_answer *out,
                                      struct ox_err *err)
{
    const json_t *list = NULL;
    enum ox_code code = ox_json_opt_array(json, "assignments", &list, err);

    out->assignments_present = ox_json_has(json, "assignments");
    if (code != OX_OK || json_array_size(list) == 0) {
        return code;
    }
    if (json_array_size(list) > OX_HEARTBEAT_MODELS_MAX) {
        return ox_err_set(err, OX_EINVAL, "\"assignments\" has at most %d entries",
                          OX_HEARTBEAT_MODELS_MAX);
    }
    out->assignments = calloc(json_array_size(list), sizeof(*out->assignments));
    if (out->assignments == NULL) {
        return ox_err_nomem(err, "assignments");
    }
    for (size_t i = 0; code == OX_OK && i < json_array_size(list); i++) {
        code = parse_assignment(json_array_get(list, i),
                                &out->assignments[out->assignments_count++], err);
    }
    if (code != OX_OK) {
        ox_err_context(err, "\"assignments\"");
    }
    return code;
}

static enum ox_code parse_identity(const json_t *json, struct ox_heartbeat_answer *out,
                                   struct ox_err *err)
{
    const char *instance = NULL;
    enum ox_code code;

    if ((code = ox_wire_opt_id(json, "device_id", &out->device_id, err)) != OX_OK ||
        (code = ox_json_opt_str(json, "instance", &instance, err)) != OX_OK ||
        (code = ox_json_opt_bool(json, "replaced", &out->replaced, err)) != OX_OK ||
        (code = ox_json_opt_bool(json, "resend", &out->resend, err)) != OX_OK || instance == NULL ||
        (code = ox_instance_check("instance", instance, err)) != OX_OK) {
        return code;
    }
    memcpy(out->instance, instance, OX_INSTANCE_HEX + 1);
    return OX_OK;
}

/* Whatever stands between may answer with some object; to take that for a word of the control
 * plane's would end an update and drop reports. The first generation says status, too. */
static enum ox_code check_kind(const json_t *json, struct ox_err *err)
{
    return ox_json_has(json, "status") || ox_json_has(json, "assigned_model") ||
                   ox_json_has(json, "assignments")
               ? OX_OK
               : ox_err_set(err, OX_EINVAL,
                            "it has neither \"status\", \"assigned_model\" nor \"assignments\"");
}

enum ox_code ox_heartbeat_answer_parse(const void *body, size_t len_bytes,
                                       struct ox_heartbeat_answer *out, struct ox_err *err)
{
    struct ox_heartbeat_answer answer = {0};
    json_t *json = NULL;
    enum ox_code code = ox_json_parse_object(body, len_bytes, &json, err);

    if (code == OX_OK && (code = check_kind(json, err)) == OX_OK &&
        (code = ox_wire_opt_id(json, "assigned_model", &answer.assigned_model, err)) == OX_OK &&
        (code = ox_wire_opt_id(json, "assigned_model_version", &answer.assigned_version, err)) ==
            OX_OK &&
        (code = parse_assignments(json, &answer, err)) == OX_OK &&
        (code = ox_json_opt_u64(json, "reports_ack", &answer.reports_ack, err)) == OX_OK &&
        (code = ox_json_opt_u64(json, "time", &answer.time_ms, err)) == OX_OK &&
        (code = parse_identity(json, &answer, err)) == OX_OK) {
        answer.reports_ack_present = ox_wire_value(json, "reports_ack") != NULL;
        code = ox_json_opt_u64(json, "poll_interval_s", &answer.poll_interval_s, err);
    }
    json_decref(json);
    if (code == OX_OK) {
        *out = answer;
        return OX_OK;
    }
    ox_heartbeat_answer_clear(&answer);
    if (code == OX_EINVAL || code == OX_ETOOBIG) { /* the peer's fault, not our caller's */
        code = OX_EPROTO;
        if (err != NULL) {
            err->code = code;
        }
    }
    ox_err_context(err, "the server's answer to a heartbeat");
    return code;
}
