#include "inner.h"
#include "meta.h"
#include "variants.h"

#include "oxide/base/file.h"
#include "oxide/patch/oxdl.h"

#include <string.h>
#include <unistd.h>

/* --- reading --- */

enum ox_code ox_model_json(const struct ox_model_row *row, json_t **out, struct ox_err *err)
{
    *out = json_pack("{s:s, s:I, s:s, s:I}", "model_id", row->model_id, "versions",
                     (json_int_t)row->versions, "latest", row->latest, "size_bytes",
                     (json_int_t)row->size_bytes);
    return *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
}

static enum ox_code variant_json(const struct ox_artifact_row *row, json_t **out,
                                 struct ox_err *err)
{
    json_t *json = json_pack("{s:o, s:I, s:s, s:o}", "sha256", ox_json_of_digest(&row->digest),
                             "size_bytes", (json_int_t)row->size_bytes, "format", row->format,
                             "uploaded_at", ox_json_of_time(row->uploaded_ms));
    enum ox_code code =
        json == NULL ? ox_err_nomem(err, "an answer") : ox_meta_put_variant(json, row, err);

    if (code != OX_OK) {
        json_decref(json);
        return code;
    }
    *out = json;
    return OX_OK;
}

static enum ox_code variants_json(const struct ox_artifact_row *rows, size_t count, json_t **out,
                                  struct ox_err *err)
{
    json_t *list = json_array();
    enum ox_code code = list == NULL ? ox_err_nomem(err, "an answer") : OX_OK;

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        json_t *json = NULL;

        code = variant_json(&rows[i], &json, err);
        if (code == OX_OK) {
            code = ox_json_append(list, json, err);
        }
    }
    if (code != OX_OK) {
        json_decref(list);
        return code;
    }
    *out = list;
    return OX_OK;
}

enum ox_code ox_version_row_json(struct ox_tx *tx, const struct ox_version_row *version,
                                 json_t **out, struct ox_err *err)
{
    struct ox_artifact_row row;
    struct ox_artifact_row *rows = NULL;
    size_t count = 0;
    json_t *json = NULL;
    json_t *variants = NULL;
    enum ox_code code =
        ox_registry_artifact_get(tx, version->model_id, version->version, &row, err);

    if (code == OX_OK) {
        json = json_pack("{s:s, s:o, s:I, s:o}", "version", version->version, "sha256",
                         ox_json_of_digest(&row.digest), "size_bytes", (json_int_t)row.size_bytes,
                         "uploaded_at", ox_json_of_time(row.uploaded_ms));
        code = json == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    if (code == OX_OK && (code = ox_meta_put_version(json, version, err)) == OX_OK &&
        (code = ox_registry_variants(tx, version->model_id, version->version, &rows, &count,
                                     err)) == OX_OK &&
        (code = variants_json(rows, count, &variants, err)) == OX_OK) {
        code = ox_json_set(json, "variants", variants, err);
    }
    if (code != OX_OK) {
        json_decref(json);
        return code;
    }
    *out = json;
    return OX_OK;
}

/* One variant with its files, what is said of it and of its version, and the other variants. */
static enum ox_code meta_json(struct ox_tx *tx, const struct ox_artifact_row *row, json_t **out,
                              struct ox_err *err)
{
    struct ox_manifest manifest = OX_MANIFEST_INIT;
    struct ox_version_row version;
    struct ox_artifact_row *rows = NULL;
    size_t count = 0;
    json_t *files = NULL;
    json_t *variants = NULL;
    json_t *json = json_pack("{s:s, s:s, s:o, s:I, s:o, s:s}", "model_id", row->model_id, "version",
                             row->version, "sha256", ox_json_of_digest(&row->digest), "size_bytes",
                             (json_int_t)row->size_bytes, "uploaded_at",
                             ox_json_of_time(row->uploaded_ms), "format", row->format);
    enum ox_code code = json == NULL ? ox_err_nomem(err, "an answer") : OX_OK;

    if (code == OX_OK &&
        (code = ox_registry_artifact_files(tx, row->id, &manifest, err)) == OX_OK &&
        (code = ox_manifest_to_json(&manifest, &files, err)) == OX_OK &&
        (code = ox_json_set(json, "files", files, err)) == OX_OK &&
        (code = ox_registry_version_get(tx, row->model_id, row->version, &version, err)) == OX_OK &&
        (code = ox_meta_put_version(json, &version, err)) == OX_OK &&
        (code = ox_meta_put_variant(json, row, err)) == OX_OK &&
        (code = ox_registry_variants(tx, row->model_id, row->version, &rows, &count, err)) ==
            OX_OK &&
        (code = variants_json(rows, count, &variants, err)) == OX_OK) {
        code = ox_json_set(json, "variants", variants, err);
    }
    ox_manifest_clear(&manifest);
    if (code != OX_OK) {
        json_decref(json);
        return code;
    }
    *out = json;
    return OX_OK;
}

enum ox_code ox_control_variant(struct ox_control *control, const char *model_id,
                                const char *version, const char *variant, json_t **out,
                                struct ox_err *err)
{
    struct ox_artifact_row row;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err);

    if (code == OX_OK &&
        (code = ox_variant_find(&tx, model_id, version, variant, &row, err)) == OX_OK) {
        code = meta_json(&tx, &row, out, err);
    }
    ox_registry_end(&tx);
    return code;
}

enum ox_code ox_control_version(struct ox_control *control, const char *model_id,
                                const char *version, json_t **out, struct ox_err *err)
{
    return ox_control_variant(control, model_id, version, NULL, out, err);
}

enum ox_code ox_control_version_patch(struct ox_control *control, const char *model_id,
                                      const char *version, const json_t *body, json_t **out,
                                      struct ox_err *err)
{
    const char *variant = "";
    struct ox_artifact_row row;
    struct ox_tx tx = OX_TX_INIT;
    json_t *json = NULL;
    enum ox_code code;

    if ((code = ox_meta_check(body, &variant, err)) == OX_OK &&
        (code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = ox_variant_find(&tx, model_id, version, variant[0] == '\0' ? NULL : variant, &row,
                                err)) == OX_OK &&
        (code = ox_meta_apply(&tx, &row, body, err)) == OX_OK &&
        (code = ox_event(control, &tx, "model.changed",
                         json_pack("{s:s, s:s, s:s*}", "model_id", row.model_id, "version",
                                   row.version, "variant",
                                   row.variant[0] == '\0' ? NULL : row.variant),
                         err)) == OX_OK &&
        (code = ox_registry_artifact_by_id(&tx, row.id, &row, err)) == OX_OK &&
        (code = meta_json(&tx, &row, &json, err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    if (code != OX_OK) {
        json_decref(json);
        return code;
    }
    *out = json;
    return OX_OK;
}

/* --- downloading --- */

/* By its first bytes: the registry is not asked for every range of a blob. */
static enum ox_sent sent_as(const struct ox_blob *blob)
{
    char magic[sizeof(OX_OXDL_MAGIC) - 1];

    return blob->size_bytes >= sizeof(magic) &&
                   ox_pread_full(blob->fd, 0, magic, sizeof(magic), "a blob", NULL) == OX_OK &&
                   memcmp(magic, OX_OXDL_MAGIC, sizeof(magic)) == 0
               ? OX_SENT_PATCH
               : OX_SENT_BLOB;
}

enum ox_code ox_control_blob(struct ox_control *control, const struct ox_digest *digest,
                             struct ox_download *out, struct ox_err *err)
{
    struct ox_blob blob = OX_BLOB_INIT;
    enum ox_code code = ox_store_read(control->store, digest, &blob, err);

    if (code == OX_OK) {
        *out = (struct ox_download){.fd = blob.fd,
                                    .size_bytes = blob.size_bytes,
                                    .digest = *digest,
                                    .sent = sent_as(&blob)};
    }
    return code;
}

/* What there is to send for a version, found in one transaction. */
struct found {
    struct ox_artifact_row artifact;
    struct ox_digest single; /* the blob of its one file */
    size_t file_count;
    struct ox_job_row job;
    bool has_patch;
    bool pending;
    bool is_wanted; /* nobody has queued the patch yet */
    struct ox_wanted wanted;
};

/* The base that the asker names: of the same variant if it has one, else what stands for it. */
static enum ox_code find_base(struct ox_tx *tx, const struct ox_download_ask *ask,
                              struct ox_artifact_row *out, struct ox_err *err)
{
    enum ox_code code = OX_ENOTFOUND;

    if (ask->variant != NULL) {
        code = ox_variant_find(tx, ask->model_id, ask->base_version, ask->variant, out, err);
    }
    if (code == OX_ENOTFOUND) {
        ox_err_clear(err);
        code = ox_registry_artifact_get(tx, ask->model_id, ask->base_version, out, err);
    }
    return code;
}

static enum ox_code find_patch(struct ox_tx *tx, const struct ox_download_ask *ask,
                               struct found *found, struct ox_err *err)
{
    struct ox_artifact_row base;
    uint64_t ops = 0;
    const char *format = ox_assign_format(ask->reads == NULL ? 0 : 1, ask->reads, &ops);
    bool possible = false;
    enum ox_code code = find_base(tx, ask, &base, err);

    if (code == OX_ENOTFOUND ||
        (code == OX_OK &&
         (format == NULL || ox_digest_equal(&base.digest, &found->artifact.digest)))) {
        ox_err_clear(err);
        return OX_OK; /* the whole file will do */
    }
    if (code == OX_OK) {
        code = ox_job_possible(tx, &base.digest, &found->artifact.digest, format, &possible, err);
    }
    if (code != OX_OK || !possible) {
        return code;
    }
    code = ox_registry_job_get(tx, &base.digest, &found->artifact.digest, format, &found->job, err);
    if (code == OX_ENOTFOUND || (code == OX_OK && strcmp(found->job.state, "evicted") == 0)) {
        ox_err_clear(err);
        found->wanted = (struct ox_wanted){base.digest, found->artifact.digest, format};
        found->is_wanted = true;
        found->pending = true;
        return OX_OK;
    }
    if (code == OX_OK) {
        found->has_patch = strcmp(found->job.state, "ready") == 0 &&
                           (strcmp(format, "oxdl/1") == 0 || (found->job.ops & ~ops) == 0);
        found->pending =
            strcmp(found->job.state, "queued") == 0 || strcmp(found->job.state, "running") == 0;
        found->job.strategy =
            found->job.strategy != NULL && strcmp(found->job.strategy, "tensor") == 0 ? "tensor"
                                                                                      : "binary";
    }
    return code;
}

static enum ox_code find(struct ox_control *control, const struct ox_download_ask *ask,
                         struct found *found, struct ox_err *err)
{
    struct ox_manifest files = OX_MANIFEST_INIT;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code;

    if ((code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err)) == OX_OK &&
        (code = ox_variant_find(&tx, ask->model_id, ask->version, ask->variant, &found->artifact,
                                err)) == OX_OK &&
        (code = ox_registry_artifact_files(&tx, found->artifact.id, &files, err)) == OX_OK) {
        found->file_count = files.count;
        found->single = files.files[0].sha256;
        if (ask->base_version != NULL) {
            code = find_patch(&tx, ask, found, err);
        }
    }
    ox_manifest_clear(&files);
    ox_registry_end(&tx);
    return code;
}

enum ox_code ox_control_download(struct ox_control *control, const char *model_id,
                                 const char *version, const char *base_version, const char *reads,
                                 struct ox_download *out, struct ox_err *err)
{
    const struct ox_download_ask ask = {model_id, version, NULL, base_version, reads};

    return ox_control_download_variant(control, &ask, out, err);
}

enum ox_code ox_control_download_variant(struct ox_control *control,
                                         const struct ox_download_ask *ask, struct ox_download *out,
                                         struct ox_err *err)
{
    struct found found = {.file_count = 0};
    enum ox_code code = find(control, ask, &found, err);

    if (code == OX_OK && found.is_wanted) {
        code = ox_jobs_queue_wanted(control, &found.wanted, 1, err);
    }
    if (code == OX_OK && !found.has_patch && found.file_count != 1) {
        code = ox_err_set(err, OX_ECONFLICT,
                          "%s@%s has %zu files: fetch them one by one from /api/v1/blobs/, their "
                          "digests stand in its meta",
                          ask->model_id, ask->version, found.file_count);
    }
    if (code == OX_OK) {
        code =
            ox_control_blob(control, found.has_patch ? &found.job.patch : &found.single, out, err);
    }
    if (code != OX_OK) {
        return code;
    }
    out->artifact_id = found.artifact.id;
    out->pending = found.pending;
    out->sent = found.has_patch ? OX_SENT_PATCH : OX_SENT_VERSION;
    if (found.has_patch) {
        ox_patch_cache_used(control, found.job.id);
        out->is_patch = true;
        out->strategy = found.job.strategy;
        out->base = found.job.base;
        out->target = found.artifact.digest;
        out->target_bytes = found.artifact.size_bytes;
    }
    return OX_OK;
}
