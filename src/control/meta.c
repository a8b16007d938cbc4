#include "meta.h"

#include "inner.h"
#include "variants.h"

#include "oxide/wire/id.h"

#include <stdlib.h>
#include <string.h>

#define PAIRS_MAX 64      /* labels of a version, metrics of a variant */
#define KEY_MAX 64        /* bytes of a key of theirs, and of a variant's name */
#define LABEL_MAX 256     /* bytes of a label's value */
#define NOTES_MAX 16384   /* bytes: some pages of text */
#define REFERENCE_MAX 256 /* bytes of a commit or a digest of data */

/* --- checking --- */

static enum ox_code check_key(const char *what, const char *key, struct ox_err *err)
{
    enum ox_code code = ox_id_check(what, key, err);

    return code == OX_OK && strlen(key) > KEY_MAX
               ? ox_err_set(err, OX_EINVAL, "%s \"%.64s...\" has more than %d bytes", what, key,
                            KEY_MAX)
               : code;
}

static bool is_plain(const char *text, size_t max_bytes)
{
    size_t len = strnlen(text, max_bytes + 1);

    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
            return false;
        }
    }
    return len <= max_bytes;
}

static enum ox_code check_label_value(const char *key, const char *value, struct ox_err *err)
{
    return value != NULL && is_plain(value, LABEL_MAX)
               ? OX_OK
               : ox_err_set(err, OX_EINVAL,
                            "label \"%s\" must be a string of one line, of at most %d bytes", key,
                            LABEL_MAX);
}

enum ox_code ox_meta_check_label(const char *label, struct ox_err *err)
{
    const char *equals = strchr(label, '=');
    char *key = NULL;
    enum ox_code code = equals == NULL ? ox_strdup(&key, label, err)
                                       : ox_strf(&key, err, "%.*s", (int)(equals - label), label);

    if (code == OX_OK && (code = check_key("label", key, err)) == OX_OK && equals != NULL) {
        code = check_label_value(key, equals + 1, err);
    }
    free(key);
    return code;
}

static enum ox_code check_label(const char *key, const json_t *value, struct ox_err *err)
{
    return check_label_value(key, json_string_value(value), err);
}

static enum ox_code check_metric(const char *key, const json_t *value, struct ox_err *err)
{
    return json_is_number(value)
               ? OX_OK
               : ox_err_set(err, OX_EINVAL, "metric \"%s\" must be a number", key);
}

/* The two fields that are objects, merged key by key. */
static const struct pairs {
    const char *field;
    const char *one; /* what an entry is called */
    enum ox_code (*check)(const char *key, const json_t *value, struct ox_err *err);
} labels_field = {"labels", "label", check_label},
  metrics_field = {"metrics", "metric", check_metric};

static enum ox_code check_pairs(const struct pairs *pairs, const json_t *meta, struct ox_err *err)
{
    const json_t *object = NULL;
    enum ox_code code = ox_json_opt_object(meta, pairs->field, &object, err);
    void *at = json_object_iter((json_t *)object);

    if (code == OX_OK && json_object_size(object) > PAIRS_MAX) {
        return ox_err_set(err, OX_ETOOBIG, "\"%s\" has at most %d entries", pairs->field,
                          PAIRS_MAX);
    }
    for (; code == OX_OK && at != NULL; at = json_object_iter_next((json_t *)object, at)) {
        const char *key = json_object_iter_key(at);
        const json_t *value = json_object_iter_value(at);

        code = check_key(pairs->one, key, err);
        if (code == OX_OK && !json_is_null(value)) {
            code = pairs->check(key, value, err);
        }
    }
    return code;
}

/* The fields of a version that are texts. */
static const struct text_field {
    const char *field;
    size_t max_bytes;
    bool one_line;
    size_t offset; /* in struct ox_version_row */
} texts[] = {
    {"commit", REFERENCE_MAX, true, offsetof(struct ox_version_row, commit)},
    {"data_digest", REFERENCE_MAX, true, offsetof(struct ox_version_row, data_digest)},
    {"notes", NOTES_MAX, false, offsetof(struct ox_version_row, notes)},
};
#define TEXTS (sizeof(texts) / sizeof(texts[0]))

static enum ox_code check_texts(const json_t *meta, struct ox_err *err)
{
    for (size_t i = 0; i < TEXTS; i++) {
        const char *text = NULL;
        enum ox_code code = ox_json_opt_str(meta, texts[i].field, &text, err);

        if (code != OX_OK) {
            return code;
        }
        if (text != NULL && (texts[i].one_line ? !is_plain(text, texts[i].max_bytes)
                                               : strlen(text) > texts[i].max_bytes)) {
            return ox_err_set(err, OX_EINVAL, "\"%s\" has at most %zu bytes%s", texts[i].field,
                              texts[i].max_bytes, texts[i].one_line ? ", on one line" : "");
        }
    }
    return OX_OK;
}

/* "VERSION" or "MODEL@VERSION". *model is fresh memory, NULL for the model itself; *version is
 * lent. */
static enum ox_code parse_parent(const char *text, char **model, const char **version,
                                 struct ox_err *err)
{
    const char *at = strchr(text, '@');
    char *name = NULL;
    enum ox_code code = OX_OK;

    if (at != NULL) {
        code = ox_strf(&name, err, "%.*s", (int)(at - text), text);
        code = code == OX_OK ? ox_id_check("model of the parent", name, err) : code;
    }
    if (code == OX_OK) {
        code = ox_id_check("parent", at == NULL ? text : at + 1, err);
    }
    if (code != OX_OK) {
        free(name);
        return code;
    }
    *model = name;
    *version = at == NULL ? text : at + 1;
    return OX_OK;
}

static enum ox_code check_parent(const json_t *meta, struct ox_err *err)
{
    const char *text = NULL;
    const char *version;
    char *model = NULL;
    enum ox_code code = ox_json_opt_str(meta, "parent", &text, err);

    if (code == OX_OK && text != NULL) {
        code = parse_parent(text, &model, &version, err);
    }
    free(model);
    return code;
}

static enum ox_code check_variant(const json_t *meta, const char **variant, struct ox_err *err)
{
    const char *requires = NULL;
    uint64_t rank = 0;
    enum ox_code code;

    if ((code = ox_json_opt_str(meta, "variant", variant, err)) != OX_OK ||
        (code = ox_json_opt_str(meta, "requires", &requires, err)) != OX_OK ||
        (code = ox_json_opt_u64(meta, "rank", &rank, err)) != OX_OK) {
        return code;
    }
    if (rank > OX_RANK_MAX) {
        return ox_err_set(err, OX_EINVAL, "\"rank\" is 0 to %d: the lowest is preferred",
                          OX_RANK_MAX);
    }
    if ((*variant)[0] != '\0') {
        code = check_key("variant", *variant, err);
    }
    return code == OX_OK && requires != NULL ? ox_requires_check(requires, err) : code;
}

enum ox_code ox_meta_check(const json_t *meta, const char **variant, struct ox_err *err)
{
    const char *name = "";
    enum ox_code code = OX_OK;

    if (meta == NULL ||
        ((code = check_variant(meta, &name, err)) == OX_OK &&
         (code = check_pairs(&labels_field, meta, err)) == OX_OK &&
         (code = check_pairs(&metrics_field, meta, err)) == OX_OK &&
         (code = check_texts(meta, err)) == OX_OK && (code = check_parent(meta, err)) == OX_OK)) {
        *variant = name;
    }
    return code;
}

/* --- writing --- */

/* *out becomes the text of `before` with the document's entries, which the caller frees. */
static enum ox_code merge_pairs(const struct pairs *pairs, const char *before, const json_t *meta,
                                char **out, struct ox_err *err)
{
    json_t *merged = ox_json_of_text(before);
    json_t *object = json_object_get(meta, pairs->field);
    void *at = json_object_iter(object);
    enum ox_code code = OX_OK;

    if (!json_is_object(merged) ||
        (ox_json_has(meta, pairs->field) && json_is_null(json_object_get(meta, pairs->field)))) {
        json_decref(merged);
        merged = json_object();
    }
    for (; code == OX_OK && at != NULL; at = json_object_iter_next(object, at)) {
        const char *key = json_object_iter_key(at);
        json_t *value = json_object_iter_value(at);

        if (json_is_null(value)) {
            (void)json_object_del(merged, key);
        } else {
            code = ox_json_set(merged, key, json_incref(value), err);
        }
    }
    if (code == OX_OK && json_object_size(merged) > PAIRS_MAX) {
        code = ox_err_set(err, OX_ETOOBIG, "with what stands there \"%s\" has more than %d entries",
                          pairs->field, PAIRS_MAX);
    }
    if (code == OX_OK) {
        code = ox_json_text(merged, out, err);
    }
    json_decref(merged);
    return code;
}

static enum ox_code apply_parent(struct ox_tx *tx, struct ox_version_row *row, const json_t *meta,
                                 char **model, struct ox_err *err)
{
    const char *text = json_string_value(json_object_get(meta, "parent"));
    bool circle = false;
    enum ox_code code;

    if (!ox_json_has(meta, "parent")) {
        return OX_OK;
    }
    row->parent_model = row->parent_version = NULL;
    if (text == NULL) {
        return OX_OK;
    }
    code = parse_parent(text, model, &row->parent_version, err);
    if (code == OX_OK) {
        row->parent_model = *model == NULL ? row->model_id : *model;
        code = ox_registry_version_is_ancestor(tx, row->model_id, row->version, row->parent_model,
                                               row->parent_version, &circle, err);
    }
    return code == OX_OK && circle
               ? ox_err_set(err, OX_ECONFLICT, "%s@%s cannot be the parent of %s@%s: it %s",
                            row->parent_model, row->parent_version, row->model_id, row->version,
                            strcmp(row->parent_model, row->model_id) == 0 &&
                                    strcmp(row->parent_version, row->version) == 0
                                ? "is that version"
                                : "descends from it")
               : code;
}

static enum ox_code apply_to_version(struct ox_tx *tx, const struct ox_artifact_row *artifact,
                                     const json_t *meta, struct ox_err *err)
{
    struct ox_version_row row;
    char *labels = NULL;
    char *parent_model = NULL;
    enum ox_code code =
        ox_registry_version_get(tx, artifact->model_id, artifact->version, &row, err);

    if (code != OX_OK) {
        return code;
    }
    for (size_t i = 0; i < TEXTS; i++) {
        if (ox_json_has(meta, texts[i].field)) {
            const char *text = json_string_value(json_object_get(meta, texts[i].field));

            memcpy((char *)&row + texts[i].offset, &text, sizeof(text));
        }
    }
    if ((code = merge_pairs(&labels_field, row.labels, meta, &labels, err)) == OX_OK &&
        (code = apply_parent(tx, &row, meta, &parent_model, err)) == OX_OK) {
        row.labels = labels;
        code = ox_registry_version_update(tx, &row, err);
    }
    free(parent_model);
    free(labels);
    return code;
}

static enum ox_code apply_to_variant(struct ox_tx *tx, const struct ox_artifact_row *artifact,
                                     const json_t *meta, struct ox_err *err)
{
    struct ox_artifact_row row = *artifact;
    uint64_t rank = OX_RANK_DEFAULT;
    char *metrics = NULL;
    enum ox_code code = merge_pairs(&metrics_field, row.metrics, meta, &metrics, err);

    if (ox_json_has(meta, "requires")) {
        row.requires = json_string_value(json_object_get(meta, "requires"));
    }
    if (code == OX_OK && ox_json_has(meta, "rank")) {
        code = ox_json_opt_u64(meta, "rank", &rank, err);
        row.rank = (int64_t)rank;
    }
    if (code == OX_OK) {
        row.metrics = metrics;
        code = ox_registry_artifact_update(tx, &row, err);
    }
    free(metrics);
    return code;
}

enum ox_code ox_meta_apply(struct ox_tx *tx, const struct ox_artifact_row *artifact,
                           const json_t *meta, struct ox_err *err)
{
    enum ox_code code = meta == NULL ? OX_OK : apply_to_version(tx, artifact, meta, err);

    return code == OX_OK && meta != NULL ? apply_to_variant(tx, artifact, meta, err) : code;
}

/* --- answering --- */

enum ox_code ox_meta_put_version(json_t *json, const struct ox_version_row *version,
                                 struct ox_err *err)
{
    char *parent = NULL;
    enum ox_code code = OX_OK;

    if (version->parent_model != NULL) {
        code = ox_strf(&parent, err, "%s@%s", version->parent_model, version->parent_version);
    }
    if (code == OX_OK &&
        (code = ox_json_set(json, "labels", ox_json_of_text(version->labels), err)) == OX_OK &&
        (code = ox_json_set_str(json, "parent", parent, err)) == OX_OK &&
        (code = ox_json_set_str(json, "commit", version->commit, err)) == OX_OK &&
        (code = ox_json_set_str(json, "data_digest", version->data_digest, err)) == OX_OK) {
        code = ox_json_set_str(json, "notes", version->notes, err);
    }
    free(parent);
    return code;
}

enum ox_code ox_meta_put_variant(json_t *json, const struct ox_artifact_row *artifact,
                                 struct ox_err *err)
{
    const char *name = artifact->variant[0] == '\0' ? NULL : artifact->variant;
    enum ox_code code;

    if ((code = ox_json_set_str(json, "variant", name, err)) == OX_OK &&
        (code = ox_json_set_str(json, "requires", artifact->requires, err)) == OX_OK &&
        (code = ox_json_set(json, "rank", json_integer(artifact->rank), err)) == OX_OK) {
        code = ox_json_set(json, "metrics", ox_json_of_text(artifact->metrics), err);
    }
    return code;
}

bool ox_meta_has_label(const char *labels, const char *label)
{
    json_t *all = ox_json_of_text(labels);
    const char *equals = strchr(label, '=');
    size_t len = equals == NULL ? strlen(label) : (size_t)(equals - label);
    const char *key;
    json_t *value;
    bool has = false;

    json_object_foreach(all, key, value)
    {
        has = has || (strlen(key) == len && strncmp(key, label, len) == 0 &&
                      (equals == NULL || strcmp(json_string_value(value), equals + 1) == 0));
    }
    json_decref(all);
    return has;
}
