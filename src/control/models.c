#include "inner.h"

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

enum ox_code ox_version_row_json(const struct ox_artifact_row *row, json_t **out,
                                 struct ox_err *err)
{
    *out = json_pack("{s:s, s:o, s:I, s:o}", "version", row->version, "sha256",
                     ox_json_of_digest(&row->digest), "size_bytes", (json_int_t)row->size_bytes,
                     "uploaded_at", ox_json_of_time(row->uploaded_ms));
    return *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
}

enum ox_code ox_control_version(struct ox_control *control, const char *model_id,
                                const char *version, json_t **out, struct ox_err *err)
{
    struct ox_manifest manifest = OX_MANIFEST_INIT;
    struct ox_artifact_row row;
    struct ox_tx tx = OX_TX_INIT;
    json_t *files = NULL;
    enum ox_code code;

    if ((code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err)) == OX_OK &&
        (code = ox_registry_artifact_get(&tx, model_id, version, &row, err)) == OX_OK &&
        (code = ox_registry_artifact_files(&tx, row.id, &manifest, err)) == OX_OK &&
        (code = ox_manifest_to_json(&manifest, &files, err)) == OX_OK) {
        *out = json_pack("{s:s, s:s, s:o, s:I, s:o, s:s, s:o}", "model_id", row.model_id, "version",
                         row.version, "sha256", ox_json_of_digest(&row.digest), "size_bytes",
                         (json_int_t)row.size_bytes, "uploaded_at",
                         ox_json_of_time(row.uploaded_ms), "format", row.format, "files", files);
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    ox_manifest_clear(&manifest);
    ox_registry_end(&tx);
    return code;
}

/* --- downloading --- */

enum ox_code ox_control_blob(struct ox_control *control, const struct ox_digest *digest,
                             struct ox_download *out, struct ox_err *err)
{
    struct ox_blob blob = OX_BLOB_INIT;
    enum ox_code code = ox_store_read(control->store, digest, &blob, err);

    if (code == OX_OK) {
        *out =
            (struct ox_download){.fd = blob.fd, .size_bytes = blob.size_bytes, .digest = *digest};
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

static enum ox_code find_patch(struct ox_tx *tx, const char *base_version, const char *reads,
                               struct found *found, struct ox_err *err)
{
    struct ox_artifact_row base;
    uint64_t ops = 0;
    const char *format = ox_assign_format(reads == NULL ? 0 : 1, reads, &ops);
    bool possible = false;
    enum ox_code code =
        ox_registry_artifact_get(tx, found->artifact.model_id, base_version, &base, err);

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
    if (code == OX_ENOTFOUND) {
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

static enum ox_code find(struct ox_control *control, const char *model_id, const char *version,
                         const char *base_version, const char *reads, struct found *found,
                         struct ox_err *err)
{
    struct ox_manifest files = OX_MANIFEST_INIT;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code;

    if ((code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err)) == OX_OK &&
        (code = ox_registry_artifact_get(&tx, model_id, version, &found->artifact, err)) == OX_OK &&
        (code = ox_registry_artifact_files(&tx, found->artifact.id, &files, err)) == OX_OK) {
        found->file_count = files.count;
        found->single = files.files[0].sha256;
        if (base_version != NULL) {
            code = find_patch(&tx, base_version, reads, found, err);
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
    struct found found = {.file_count = 0};
    enum ox_code code = find(control, model_id, version, base_version, reads, &found, err);

    if (code == OX_OK && found.is_wanted) {
        code = ox_jobs_queue_wanted(control, &found.wanted, 1, err);
    }
    if (code == OX_OK && !found.has_patch && found.file_count != 1) {
        code = ox_err_set(err, OX_ECONFLICT,
                          "%s@%s has %zu files: fetch them one by one from /api/v1/blobs/, their "
                          "digests stand in its meta",
                          model_id, version, found.file_count);
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
    if (found.has_patch) {
        out->is_patch = true;
        out->strategy = found.job.strategy;
        out->base = found.job.base;
        out->target = found.artifact.digest;
        out->target_bytes = found.artifact.size_bytes;
    }
    return OX_OK;
}
