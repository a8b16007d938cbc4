#include "retention.h"

#include "inner.h"
#include "meta.h"

#include "oxide/control/retention.h"

#include <stdlib.h>
#include <string.h>

#define KEEP_LABELS_MAX 32
#define KEEP_NEWEST_MAX 1000000
#define KEEP_FOR_MAX_S ((uint64_t)100 * 365 * 86400)

/* --- deciding --- */

const char *ox_retention_keeps(const struct ox_retention_row *rule,
                               const struct ox_version_row *version, size_t newer, int64_t now_ms)
{
    json_t *labels;
    json_t *label;
    size_t i;
    bool has = false;

    if (newer < rule->keep_newest) {
        return "it is one of the newest";
    }
    if (now_ms - version->published_ms < (int64_t)rule->keep_for_s * 1000) {
        return "it is young";
    }
    labels = ox_json_of_text(rule->keep_labels);
    json_array_foreach(labels, i, label)
    {
        has = has || ox_meta_has_label(version->labels, json_string_value(label));
    }
    json_decref(labels);
    return has ? "it has a label that is kept" : NULL;
}

enum ox_code ox_retention_find(struct ox_tx *tx, const char *model_id, struct ox_retention_row *out,
                               struct ox_err *err)
{
    enum ox_code code = ox_registry_retention_get(tx, model_id, out, err);

    if (code == OX_ENOTFOUND && model_id[0] != '\0') {
        ox_err_clear(err);
        code = ox_registry_retention_get(tx, "", out, err);
    }
    return code;
}

/* --- showing and setting --- */

static enum ox_code rule_json(const struct ox_retention_row *rule, json_t **out, struct ox_err *err)
{
    *out =
        json_pack("{s:o, s:I, s:o, s:I}", "model_id",
                  ox_json_of_str(rule->model_id[0] == '\0' ? NULL : rule->model_id), "keep_newest",
                  (json_int_t)rule->keep_newest, "keep_labels", ox_json_of_text(rule->keep_labels),
                  "keep_for_s", (json_int_t)rule->keep_for_s);
    return *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
}

enum ox_code ox_control_retention(struct ox_control *control, const char *model_id, json_t **out,
                                  struct ox_err *err)
{
    struct ox_retention_row rule;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err);

    if (code == OX_OK && (code = ox_retention_find(&tx, model_id, &rule, err)) == OX_OK) {
        code = rule_json(&rule, out, err);
    } else if (code == OX_ENOTFOUND) {
        code = ox_err_set(err, code, "%s%s: all versions are kept",
                          model_id[0] == '\0' ? "there is no general rule"
                                              : "there is no rule for model ",
                          model_id);
    }
    ox_registry_end(&tx);
    return code;
}

static enum ox_code read_labels(const json_t *body, char **out, struct ox_err *err)
{
    const json_t *labels = NULL;
    json_t *label;
    size_t i;
    enum ox_code code = ox_json_opt_array(body, "keep_labels", &labels, err);

    if (code == OX_OK && json_array_size(labels) > KEEP_LABELS_MAX) {
        return ox_err_set(err, OX_EINVAL, "\"keep_labels\" has at most %d entries",
                          KEEP_LABELS_MAX);
    }
    json_array_foreach(labels, i, label)
    {
        const char *text = json_string_value(label);

        if (code == OX_OK) {
            code = text == NULL ? ox_err_set(err, OX_EINVAL,
                                             "each of \"keep_labels\" is \"key\" or \"key=value\"")
                                : ox_meta_check_label(text, err);
        }
    }
    if (code != OX_OK) {
        return code;
    }
    return labels == NULL ? ox_strdup(out, "[]", err) : ox_json_text(labels, out, err);
}

/* A rule that keeps nothing but what is needed has to say so: 0 is written out. */
static enum ox_code read_rule(const json_t *body, struct ox_retention_row *rule, char **labels,
                              struct ox_err *err)
{
    enum ox_code code;

    if ((code = ox_json_get_u64(body, "keep_newest", &rule->keep_newest, err)) != OX_OK ||
        (code = ox_json_opt_u64(body, "keep_for_s", &rule->keep_for_s, err)) != OX_OK ||
        (code = read_labels(body, labels, err)) != OX_OK) {
        return code;
    }
    rule->keep_labels = *labels;
    if (rule->keep_newest > KEEP_NEWEST_MAX || rule->keep_for_s > KEEP_FOR_MAX_S) {
        return ox_err_set(err, OX_EINVAL,
                          "\"keep_newest\" is at most %d, \"keep_for_s\" a hundred years",
                          KEEP_NEWEST_MAX);
    }
    return OX_OK;
}

/* Without a model: of the general rule. */
static enum ox_code set_event(struct ox_control *control, struct ox_tx *tx,
                              const struct ox_retention_row *rule, struct ox_err *err)
{
    return ox_event(control, tx, "retention.set",
                    json_pack("{s:s*, s:I, s:o, s:I}", "model_id",
                              rule->model_id[0] == '\0' ? NULL : rule->model_id, "keep_newest",
                              (json_int_t)rule->keep_newest, "keep_labels",
                              ox_json_of_text(rule->keep_labels), "keep_for_s",
                              (json_int_t)rule->keep_for_s),
                    err);
}

enum ox_code ox_control_retention_set(struct ox_control *control, const char *model_id,
                                      const json_t *body, json_t **out, struct ox_err *err)
{
    struct ox_retention_row rule = {.model_id = model_id};
    struct ox_tx tx = OX_TX_INIT;
    char *labels = NULL;
    json_t *json = NULL;
    enum ox_code code = read_rule(body, &rule, &labels, err);

    if (code == OX_OK &&
        (code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = ox_registry_retention_put(&tx, &rule, ox_control_now(control), err)) == OX_OK &&
        (code = set_event(control, &tx, &rule, err)) == OX_OK &&
        (code = rule_json(&rule, &json, err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    free(labels);
    if (code != OX_OK) {
        json_decref(json);
        return code;
    }
    *out = json;
    return OX_OK;
}

enum ox_code ox_control_retention_remove(struct ox_control *control, const char *model_id,
                                         json_t **out, struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);

    if (code == OX_OK && (code = ox_registry_retention_remove(&tx, model_id, err)) == OX_OK &&
        (code = ox_event(control, &tx, "retention.removed",
                         json_pack("{s:s*}", "model_id", model_id[0] == '\0' ? NULL : model_id),
                         err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    if (code == OX_OK) {
        *out = json_pack("{s:s}", "status", "removed");
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    return code;
}
