/* Two versions held against each other, as people see it. */
#include "diff_rows.h"
#include "inner.h"
#include "meta.h"
#include "variants.h"

#include "oxide/control/diff.h"
#include "oxide/patch/oxdl.h"
#include "oxide/wire/reads.h"

#include <stdlib.h>
#include <string.h>

#define FORMAT "oxdl/2"

/* --- the two sides, and the job between them --- */

struct pair {
    struct ox_artifact_row from;
    struct ox_artifact_row to;
    struct ox_job_row job;
    bool has_job;
};

static enum ox_code find_pair(struct ox_tx *tx, const struct ox_diff_ask *ask, struct pair *out,
                              struct ox_err *err)
{
    enum ox_code code;

    out->has_job = false;
    if ((code = ox_variant_find(tx, ask->model_id, ask->from, ask->from_variant, &out->from,
                                err)) != OX_OK ||
        (code = ox_variant_find(tx, ask->model_id, ask->to, ask->to_variant, &out->to, err)) !=
            OX_OK) {
        return code;
    }
    if (out->from.id == out->to.id) {
        return ox_err_set(err, OX_EINVAL,
                          "%s@%s is the same version twice: name two, or two variants of one",
                          ask->model_id, ask->from);
    }
    code = ox_registry_job_get(tx, &out->from.digest, &out->to.digest, FORMAT, &out->job, err);
    if (code == OX_ENOTFOUND) {
        ox_err_clear(err);
        return OX_OK;
    }
    out->has_job = code == OX_OK;
    return code;
}

static bool is_ready(const struct pair *pair)
{
    return pair->has_job && strcmp(pair->job.state, "ready") == 0;
}

/* --- files --- */

static enum ox_code add_file(json_t *list, uint64_t *same, const struct ox_manifest_file *from,
                             const struct ox_manifest_file *to, bool all, struct ox_err *err)
{
    bool is_same = from != NULL && to != NULL && ox_digest_equal(&from->sha256, &to->sha256);
    const struct ox_manifest_file *either = to == NULL ? from : to; /* one of them is there */

    *same += is_same;
    return is_same && !all
               ? OX_OK
               : ox_json_append(
                     list,
                     json_pack("{s:s, s:s, s:o, s:o}", "path", either->path, "status",
                               ox_compared_word(is_same        ? OX_COMPARED_SAME
                                                : from == NULL ? OX_COMPARED_ADDED
                                                : to == NULL   ? OX_COMPARED_REMOVED
                                                               : OX_COMPARED_CHANGED),
                               "from_bytes",
                               from == NULL ? json_null()
                                            : json_integer((json_int_t)from->size_bytes),
                               "to_bytes",
                               to == NULL ? json_null() : json_integer((json_int_t)to->size_bytes)),
                     err);
}

static enum ox_code put_files(struct ox_tx *tx, json_t *json, const struct pair *pair, bool all,
                              struct ox_err *err)
{
    struct ox_manifest from = OX_MANIFEST_INIT;
    struct ox_manifest to = OX_MANIFEST_INIT;
    json_t *list = json_array();
    uint64_t same = 0;
    enum ox_code code = list == NULL ? ox_err_nomem(err, "an answer")
                                     : ox_registry_artifact_files(tx, pair->from.id, &from, err);

    if (code == OX_OK) {
        code = ox_registry_artifact_files(tx, pair->to.id, &to, err);
    }
    for (size_t i = 0; code == OX_OK && i < to.count; i++) {
        size_t was = ox_manifest_find(&from, to.files[i].path);

        code = add_file(list, &same, was == SIZE_MAX ? NULL : &from.files[was], &to.files[i], all,
                        err);
    }
    for (size_t i = 0; code == OX_OK && i < from.count; i++) {
        if (ox_manifest_find(&to, from.files[i].path) == SIZE_MAX) {
            code = add_file(list, &same, &from.files[i], NULL, all, err);
        }
    }
    ox_manifest_clear(&to);
    ox_manifest_clear(&from);
    if (code != OX_OK) {
        json_decref(list);
        return code;
    }
    code = ox_json_set(json, "files", list, err);
    return code == OX_OK ? ox_json_set_u64(json, "files_same", same, err) : code;
}

/* --- what is said of them --- */

static enum ox_code add_difference(json_t *list, const char *group, const char *key,
                                   const json_t *from, const json_t *to, struct ox_err *err)
{
    char *field = NULL;
    enum ox_code code = OX_OK;

    if (from != NULL && to != NULL && json_equal(from, to)) {
        return OX_OK;
    }
    code = ox_strf(&field, err, "%s%s%s", group, group[0] == '\0' ? "" : ".", key);
    if (code == OX_OK) {
        code = ox_json_append(
            list, json_pack("{s:s, s:O?, s:O?}", "field", field, "from", from, "to", to), err);
    }
    free(field);
    return code;
}

/* The fields of two objects that differ; of labels and metrics each by itself. */
static enum ox_code add_differences(json_t *list, const char *group, json_t *from, json_t *to,
                                    struct ox_err *err)
{
    const char *key;
    json_t *value;
    enum ox_code code = OX_OK;

    json_object_foreach(to, key, value)
    {
        json_t *old = json_object_get(from, key);

        if (code == OX_OK && json_is_object(value) && json_is_object(old)) {
            json_t *inner;
            const char *name;

            json_object_foreach(value, name, inner)
            {
                code = code == OX_OK
                           ? add_difference(list, key, name, json_object_get(old, name), inner, err)
                           : code;
            }
            json_object_foreach(old, name, inner)
            {
                if (code == OX_OK && json_object_get(value, name) == NULL) {
                    code = add_difference(list, key, name, inner, NULL, err);
                }
            }
        } else if (code == OX_OK) {
            code = add_difference(list, group, key, old, value, err);
        }
    }
    return code;
}

static enum ox_code said_json(struct ox_tx *tx, const struct ox_artifact_row *row, json_t **out,
                              struct ox_err *err)
{
    struct ox_version_row version;
    json_t *json = json_pack("{s:s}", "format", row->format);
    enum ox_code code;

    if (json == NULL) {
        return ox_err_nomem(err, "an answer");
    }
    if ((code = ox_registry_version_get(tx, row->model_id, row->version, &version, err)) == OX_OK &&
        (code = ox_meta_put_version(json, &version, err)) == OX_OK) {
        code = ox_meta_put_variant(json, row, err);
    }
    (void)json_object_del(json, "variant"); /* they stand in the sides */
    if (code != OX_OK) {
        json_decref(json);
        return code;
    }
    *out = json;
    return OX_OK;
}

static enum ox_code put_meta(struct ox_tx *tx, json_t *json, const struct pair *pair,
                             struct ox_err *err)
{
    json_t *from = NULL;
    json_t *to = NULL;
    json_t *list = json_array();
    enum ox_code code = list == NULL ? ox_err_nomem(err, "an answer") : OX_OK;

    if (code == OX_OK && (code = said_json(tx, &pair->from, &from, err)) == OX_OK &&
        (code = said_json(tx, &pair->to, &to, err)) == OX_OK &&
        (code = add_differences(list, "", from, to, err)) == OX_OK) {
        code = ox_json_set(json, "meta", json_incref(list), err);
    }
    json_decref(list);
    json_decref(to);
    json_decref(from);
    return code;
}

/* --- what it costs --- */

/* The versions by whose way a chain goes. */
static json_t *chain_json(struct ox_tx *tx, const struct ox_chain *chain)
{
    json_t *versions = json_array();

    for (size_t i = 0; i + 1 < chain->count; i++) {
        struct ox_artifact_row row;

        if (ox_registry_artifact_known(tx, &chain->links[i].target, &row, NULL) == OX_OK) {
            (void)json_array_append_new(versions, json_string(row.version));
        }
    }
    return chain->count == 0 ? (json_decref(versions), json_null())
                             : json_pack("{s:I, s:I, s:o}", "patches", (json_int_t)chain->count,
                                         "bytes", (json_int_t)chain->bytes, "versions", versions);
}

/* What the ways cost, and the cheapest one that there is now. */
static enum ox_code put_delta(struct ox_control *control, struct ox_tx *tx, json_t *json,
                              const struct pair *pair, const struct ox_comparison *comparison,
                              struct ox_err *err)
{
    const struct ox_reads reads = {
        .oxdl1 = true, .oxdl2 = true, .oxdl2_ops = OX_OXDL_OPS_KNOWN, .chains = OX_CHAIN_MAX};
    bool same = ox_digest_equal(&pair->from.digest, &pair->to.digest);
    uint64_t best = is_ready(pair) ? pair->job.patch_bytes : pair->to.size_bytes;
    const char *by = same ? "none" : is_ready(pair) ? "patch" : "full";
    struct ox_chain chain = {.count = 0};
    char text[OX_READS_TEXT_MAX];
    uint64_t estimate = 0;
    json_t *job = json_null();
    enum ox_code code = OX_OK;

    for (size_t i = 0; i < comparison->count; i++) {
        estimate += ox_diff_changed_bytes(&comparison->rows[i]);
    }
    if (!same) {
        code = ox_chain_find(control, tx, pair->to.model_id, &pair->from.digest, &pair->to.digest,
                             ox_reads_text(&reads, text), best, &chain, err);
    }
    if (code == OX_OK && chain.count > 0) {
        by = "chain";
        best = chain.bytes;
    }
    if (code == OX_OK && pair->has_job) {
        code = ox_job_json(control, tx, &pair->job, &job, err);
    }
    return code == OX_OK
               ? ox_json_set(json, "delta",
                             json_pack("{s:s, s:I, s:I, s:I, s:o, s:o, s:o}", "best", by,
                                       "best_bytes", (json_int_t)(same ? 0 : best), "full_bytes",
                                       (json_int_t)pair->to.size_bytes, "changed_bytes",
                                       (json_int_t)estimate, "patch_bytes",
                                       is_ready(pair)
                                           ? json_integer((json_int_t)pair->job.patch_bytes)
                                           : json_null(),
                                       "chain", chain_json(tx, &chain), "job", job),
                             err)
               : code;
}

/* --- all of it --- */

static json_t *artifact_json(const struct ox_artifact_row *row)
{
    return json_pack("{s:s, s:o, s:o, s:I}", "version", row->version, "variant",
                     ox_json_of_str(row->variant[0] == '\0' ? NULL : row->variant), "sha256",
                     ox_json_of_digest(&row->digest), "size_bytes", (json_int_t)row->size_bytes);
}

static enum ox_code diff_json(struct ox_control *control, const struct ox_diff_ask *ask,
                              const struct ox_diff_made *made, json_t **out, struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    struct pair pair;
    json_t *json = NULL;
    enum ox_code code;

    if ((code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err)) == OX_OK &&
        (code = find_pair(&tx, ask, &pair, err)) == OX_OK) {
        json = json_pack("{s:s, s:o, s:o, s:o}", "model_id", ask->model_id, "from",
                         artifact_json(&pair.from), "to", artifact_json(&pair.to), "tensors",
                         ox_diff_counts_json(made->comparison));
        code = json == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    if (code == OX_OK && (code = put_files(&tx, json, &pair, ask->all, err)) == OX_OK &&
        (code = put_meta(&tx, json, &pair, err)) == OX_OK &&
        (code = put_delta(control, &tx, json, &pair, made->comparison, err)) == OX_OK) {
        code = ox_diff_put_rows(json, made, ask->all, ask->limit, err);
    }
    ox_registry_end(&tx);
    if (code != OX_OK) {
        json_decref(json);
        return code;
    }
    *out = json;
    return OX_OK;
}

enum ox_code ox_control_diff(struct ox_control *control, const struct ox_diff_ask *ask,
                             json_t **out, int *percent, struct ox_err *err)
{
    struct ox_diff_made made = {NULL, NULL, NULL};
    struct ox_diff_key key;
    struct ox_tx tx = OX_TX_INIT;
    struct pair pair;
    bool ready = false;
    enum ox_code code;

    *out = NULL;
    memset(&key, 0, sizeof(key));
    if ((code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err)) == OX_OK &&
        (code = find_pair(&tx, ask, &pair, err)) == OX_OK) {
        key.base = pair.from.digest;
        key.target = pair.to.digest;
        key.has_patch = is_ready(&pair);
        if (key.has_patch) {
            key.patch = pair.job.patch;
        }
    }
    ox_registry_end(&tx);
    if (code == OX_OK) {
        code = ox_diffs_ask(control->diffs, &key, ask->wait_ms, &made, &ready, percent, err);
    }
    if (code == OX_OK && ready) {
        code = diff_json(control, ask, &made, out, err);
        ox_diffs_release(control->diffs, &made);
    }
    return code;
}

/* Queue it, unless it is made or on its way. */
static enum ox_code order(struct ox_control *control, struct ox_tx *tx, struct pair *pair,
                          struct ox_err *err)
{
    bool queues = !pair->has_job || strcmp(pair->job.state, "failed") == 0 ||
                  strcmp(pair->job.state, "evicted") == 0;
    enum ox_code code = OX_OK;

    if (queues) {
        const struct ox_wanted wanted = {pair->from.digest, pair->to.digest, FORMAT};

        code = ox_job_queue(control, tx, &wanted, 1, err);
    }
    if (code == OX_OK &&
        (code = ox_registry_job_get(tx, &pair->from.digest, &pair->to.digest, FORMAT, &pair->job,
                                    err)) == OX_ENOTFOUND) { /* others are awaited more */
        code = ox_err_set(err, OX_EBUSY, "as many deltas as may be are queued: try again later");
    }
    return code == OX_OK && queues ? ox_job_event(control, tx, "delta.ordered", &pair->job, err)
                                   : code;
}

enum ox_code ox_control_delta_order(struct ox_control *control, const struct ox_diff_ask *ask,
                                    json_t **out, struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    struct pair pair;
    json_t *json = NULL;
    enum ox_code code;

    if ((code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = find_pair(&tx, ask, &pair, err)) == OX_OK &&
        ox_digest_equal(&pair.from.digest, &pair.to.digest)) {
        code = ox_err_set(err, OX_EINVAL, "%s@%s and %s@%s are the same bytes: there is no delta",
                          ask->model_id, ask->from, ask->model_id, ask->to);
    }
    if (code == OX_OK && (code = order(control, &tx, &pair, err)) == OX_OK) {
        code = ox_job_json(control, &tx, &pair.job, &json, err);
    }
    return ox_conclude(control, &tx, code, json, out, err);
}
