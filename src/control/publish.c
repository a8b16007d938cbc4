#include "inner.h"
#include "meta.h"

#include "oxide/crypto/artifact.h"
#include "oxide/tensor/layout.h"
#include "oxide/wire/id.h"

#include <stdio.h>
#include <stdlib.h>

/* An artifact of many files is of the format of the first that has one; the files are sorted, and
 * configuration and labels sort among the shards, so a few are looked at. */
#define FORMAT_TRIES 16

/* What is left free for the registry and for patches, which may be as large as what came. */
#define DISK_SLACK_BYTES ((uint64_t)64 << 20)

struct ox_publish {
    struct ox_control *control;
    char *model_id;
    char *version;
    json_t *meta; /* what is said of it, checked; NULL: nothing */
    struct ox_store_writer *writer;
};

static void free_publish(struct ox_publish *publish)
{
    json_decref(publish->meta);
    free(publish->model_id);
    free(publish->version);
    free(publish);
}

enum ox_code ox_control_check_space(struct ox_control *control, uint64_t size_bytes,
                                    struct ox_err *err)
{
    uint64_t free_bytes = 0;
    enum ox_code code = ox_store_free_bytes(control->store, &free_bytes, err);

    if (code == OX_OK && size_bytes != OX_SIZE_UNKNOWN &&
        (free_bytes < DISK_SLACK_BYTES || size_bytes > free_bytes - DISK_SLACK_BYTES)) {
        return ox_err_set(err, OX_ENOSPC,
                          "%llu bytes do not fit on the disk of the control plane: free space",
                          (unsigned long long)size_bytes);
    }
    return code;
}

static enum ox_code check_ids(const char *model_id, const char *version, struct ox_err *err)
{
    enum ox_code code = ox_id_check("model id", model_id, err);

    return code == OX_OK ? ox_id_check("version", version, err) : code;
}

enum ox_code ox_control_publish_begin(struct ox_control *control, const char *model_id,
                                      const char *version, uint64_t size_bytes,
                                      struct ox_publish **out, struct ox_err *err)
{
    struct ox_publish *publish;
    enum ox_code code = check_ids(model_id, version, err);

    if (code == OX_OK) {
        code = ox_control_check_space(control, size_bytes, err);
    }
    if (code != OX_OK) {
        return code;
    }
    publish = calloc(1, sizeof(*publish));
    if (publish == NULL) {
        return ox_err_nomem(err, "an upload");
    }
    publish->control = control;
    if ((code = ox_strdup(&publish->model_id, model_id, err)) != OX_OK ||
        (code = ox_strdup(&publish->version, version, err)) != OX_OK ||
        (code = ox_store_begin(control->store, &publish->writer, err)) != OX_OK) {
        free_publish(publish);
        return code;
    }
    *out = publish;
    return OX_OK;
}

enum ox_code ox_control_publish_meta(struct ox_publish *publish, json_t *take_meta,
                                     struct ox_err *err)
{
    const char *variant;

    json_decref(publish->meta);
    publish->meta = take_meta;
    return ox_meta_check(take_meta, &variant, err);
}

enum ox_code ox_control_publish_write(struct ox_publish *publish, const void *bytes,
                                      size_t len_bytes, struct ox_err *err)
{
    return ox_store_write(publish->writer, bytes, len_bytes, err);
}

void ox_control_publish_abort(struct ox_publish *take_publish)
{
    if (take_publish != NULL) {
        ox_store_abort(take_publish->writer);
        free_publish(take_publish);
    }
}

/* --- registering --- */

static enum ox_code format_of_blob(struct ox_control *control, const struct ox_digest *digest,
                                   enum ox_format *out, struct ox_err *err)
{
    struct ox_layout layout = OX_LAYOUT_INIT;
    struct ox_blob blob = OX_BLOB_INIT;
    struct ox_source source;
    enum ox_code code = ox_store_read(control->store, digest, &blob, err);

    if (code != OX_OK) {
        return code;
    }
    source = ox_blob_source(&blob);
    code = ox_layout_read(&layout, &source, err);
    if (code == OX_OK) {
        *out = layout.format;
    } else if (code == OX_EUNSUPPORTED || code == OX_ECORRUPT || code == OX_ETOOBIG) {
        ox_err_clear(err); /* simply bytes */
        code = OX_OK;
    }
    ox_layout_clear(&layout);
    ox_blob_close(&blob);
    return code;
}

static enum ox_code queue_deltas(struct ox_control *control, struct ox_tx *tx,
                                 const struct ox_artifact_row *artifact, struct ox_err *err)
{
    struct ox_artifact_row before;
    enum ox_code code = ox_registry_artifact_before(tx, artifact, &before, err);

    if (code == OX_OK && !ox_digest_equal(&before.digest, &artifact->digest)) {
        const struct ox_wanted wanted = {before.digest, artifact->digest, "oxdl/2"};

        code = ox_job_queue(control, tx, &wanted, 0, err);
    } else if (code == OX_ENOTFOUND) {
        ox_err_clear(err);
        code = OX_OK;
    }
    return code == OX_OK ? ox_jobs_for_version(control, tx, artifact, err) : code;
}

/* "m@v1", or "m@v1 (int8)". */
static const char *name_of(const struct ox_artifact_row *row, char out[OX_ERR_MSG_MAX])
{
    (void)snprintf(out, OX_ERR_MSG_MAX, row->variant[0] == '\0' ? "%s@%s" : "%s@%s (%s)",
                   row->model_id, row->version, row->variant);
    return out;
}

static enum ox_code version_differs(const struct ox_artifact_row *held, struct ox_err *err)
{
    char name[OX_ERR_MSG_MAX];
    char hex[OX_DIGEST_HEX_MAX];

    return ox_err_set(err, OX_ECONFLICT,
                      "%s %s with other bytes (sha256 %.12s...): a version never changes, publish "
                      "a new one",
                      name_of(held, name),
                      held->removed_ms == 0 ? "is published already"
                                            : "was removed, but stood here",
                      ox_digest_hex(&held->digest, hex));
}

/* In the transaction: add the artifact, or hold it again, unless the same one stands there. */
static enum ox_code put_artifact(struct ox_control *control, struct ox_tx *tx,
                                 struct ox_artifact_row *row, const struct ox_manifest *files,
                                 bool *created, struct ox_err *err)
{
    struct ox_artifact_row held;
    enum ox_code code =
        ox_registry_artifact_find(tx, row->model_id, row->version, row->variant, &held, err);

    if (code == OX_OK && !ox_digest_equal(&held.digest, &row->digest)) {
        return version_differs(&held, err);
    }
    *created = code == OX_ENOTFOUND || (code == OX_OK && held.removed_ms != 0);
    if (code == OX_ENOTFOUND) {
        ox_err_clear(err);
        code = ox_registry_artifact_add(tx, row, files, err);
    } else if (code == OX_OK) {
        row->id = held.id;
        code = *created ? ox_registry_artifact_restore(tx, held.id, row->uploaded_ms, files, err)
                        : OX_OK;
    }
    return code == OX_OK && *created ? queue_deltas(control, tx, row, err) : code;
}

static enum ox_code published_event(struct ox_control *control, struct ox_tx *tx,
                                    const struct ox_artifact_row *row, struct ox_err *err)
{
    return ox_event(control, tx, "model.published",
                    json_pack("{s:s, s:s, s:s*, s:o, s:I, s:s}", "model_id", row->model_id,
                              "version", row->version, "variant",
                              row->variant[0] == '\0' ? NULL : row->variant, "sha256",
                              ox_json_of_digest(&row->digest), "size_bytes",
                              (json_int_t)row->size_bytes, "format", row->format),
                    err);
}

/* Insert the artifact with what is said of it. Durable when it returns. */
static enum ox_code register_artifact(struct ox_control *control, struct ox_artifact_row *row,
                                      const struct ox_manifest *files, const json_t *meta,
                                      bool *created, struct ox_err *err)
{
    struct ox_artifact_row held;
    char name[OX_ERR_MSG_MAX];
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code;

    if ((code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = put_artifact(control, &tx, row, files, created, err)) == OX_OK &&
        (code = ox_registry_artifact_by_id(&tx, row->id, &held, err)) == OX_OK &&
        (code = ox_meta_apply(&tx, &held, meta, err)) == OX_OK &&
        (!*created || (code = published_event(control, &tx, row, err)) == OX_OK)) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    if (code == OX_OK && *created) {
        ox_jobs_wake(control);
        ox_log(control->log, OX_LOG_INFO, "published %s: %llu bytes", name_of(row, name),
               (unsigned long long)row->size_bytes);
    }
    return code;
}

static json_t *published_json(const struct ox_artifact_row *row)
{
    return json_pack("{s:s, s:s, s:o, s:I, s:o}", "model_id", row->model_id, "version",
                     row->version, "sha256", ox_json_of_digest(&row->digest), "size_bytes",
                     (json_int_t)row->size_bytes, "variant",
                     ox_json_of_str(row->variant[0] == '\0' ? NULL : row->variant));
}

/* What is published: the names, and what is said of it. */
struct naming {
    const char *model_id;
    const char *version;
    const char *variant;
    const json_t *meta;
};

static enum ox_code publish_files(struct ox_control *control, const struct naming *naming,
                                  const struct ox_manifest *files, enum ox_format format,
                                  bool *created, json_t **out, struct ox_err *err)
{
    struct ox_artifact_row row = {
        .model_id = naming->model_id,
        .version = naming->version,
        .variant = naming->variant,
        .rank = OX_RANK_DEFAULT,
        .size_bytes = ox_manifest_size(files),
        .format = ox_format_word(format),
        .uploaded_ms = ox_control_now(control),
    };
    enum ox_code code = ox_artifact_digest(files, &row.digest, err);

    *created = false;
    if (code == OX_OK &&
        (code = register_artifact(control, &row, files, naming->meta, created, err)) == OX_OK) {
        *out = published_json(&row);
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    return code;
}

static enum ox_code naming_of(const struct ox_publish *publish, struct naming *out,
                              struct ox_err *err)
{
    *out = (struct naming){publish->model_id, publish->version, "", publish->meta};
    return ox_meta_check(publish->meta, &out->variant, err);
}

/* --- one file --- */

/* What stands, or stood, under this name: its digest and whether it is removed, no texts.
 * *stands is false if the name is new. */
static enum ox_code find_standing(struct ox_control *control, const struct naming *naming,
                                  struct ox_artifact_row *out, bool *stands, struct ox_err *err)
{
    struct ox_artifact_row held;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err);

    *stands = false;
    if (code == OX_OK) {
        code = ox_registry_artifact_find(&tx, naming->model_id, naming->version, naming->variant,
                                         &held, err);
    }
    if (code == OX_OK) {
        *stands = true;
        *out = (struct ox_artifact_row){.model_id = naming->model_id,
                                        .version = naming->version,
                                        .variant = naming->variant,
                                        .digest = held.digest,
                                        .removed_ms = held.removed_ms};
    } else if (code == OX_ENOTFOUND) {
        ox_err_clear(err);
        code = OX_OK;
    }
    ox_registry_end(&tx);
    return code;
}

/* Other bytes for a version that stands are dropped before they become a blob. */
static enum ox_code commit_blob(struct ox_publish *publish, const struct naming *naming,
                                struct ox_digest *digest, uint64_t *size_bytes, struct ox_err *err)
{
    struct ox_store_writer *writer = publish->writer;
    struct ox_artifact_row standing;
    bool stands = false;
    enum ox_code code = find_standing(publish->control, naming, &standing, &stands, err);

    if (code != OX_OK) {
        return code;
    }
    publish->writer = NULL;
    code = ox_store_commit(writer, stands ? &standing.digest : NULL, digest, size_bytes, err);
    return code == OX_EDIGEST && stands ? version_differs(&standing, err) : code;
}

static enum ox_code commit_single(struct ox_publish *publish, const struct naming *naming,
                                  struct ox_manifest *files, enum ox_format *format,
                                  struct ox_err *err)
{
    struct ox_digest digest;
    uint64_t size = 0;
    char *path = NULL;
    enum ox_code code = commit_blob(publish, naming, &digest, &size, err);

    if (code == OX_OK) {
        code = format_of_blob(publish->control, &digest, format, err);
    }
    if (code == OX_OK) {
        code = ox_strf(&path, err, "model.%s", ox_format_word(*format));
    }
    if (code == OX_OK) {
        code = ox_manifest_single(files, path, size, &digest, err);
    }
    free(path);
    return code;
}

enum ox_code ox_control_publish_finish(struct ox_publish *take_publish, bool *created, json_t **out,
                                       struct ox_err *err)
{
    struct ox_publish *publish = take_publish;
    struct ox_manifest files = OX_MANIFEST_INIT;
    enum ox_format format = OX_FORMAT_UNKNOWN;
    struct naming naming;
    enum ox_code code = naming_of(publish, &naming, err);

    if (code == OX_OK && ox_store_written(publish->writer) == 0) {
        code = ox_err_set(err, OX_EINVAL, "the body is empty: send the bytes of the model file");
    }
    if (code == OX_OK && (code = commit_single(publish, &naming, &files, &format, err)) == OX_OK) {
        code = publish_files(publish->control, &naming, &files, format, created, out, err);
    }
    ox_manifest_clear(&files);
    ox_control_publish_abort(publish);
    return code;
}

/* --- several files --- */

static enum ox_code check_held(struct ox_control *control, const struct ox_manifest *files,
                               struct ox_err *err)
{
    for (size_t i = 0; i < files->count; i++) {
        const struct ox_manifest_file *file = &files->files[i];
        uint64_t size = 0;
        enum ox_code code = ox_store_touch(control->store, &file->sha256, err);

        if (code == OX_OK) {
            code = ox_store_size(control->store, &file->sha256, &size, err);
        }
        if (code != OX_OK) {
            char hex[OX_DIGEST_HEX_MAX];

            return code == OX_ENOTFOUND
                       ? ox_err_set(err, code,
                                    "blob %s (file \"%s\") is not held here: PUT it to "
                                    "/api/v1/blobs/ first",
                                    ox_digest_hex(&file->sha256, hex), file->path)
                       : code;
        }
        if (size != file->size_bytes) {
            return ox_err_set(err, OX_EINVAL, "file \"%s\" has %llu bytes, not %llu", file->path,
                              (unsigned long long)size, (unsigned long long)file->size_bytes);
        }
    }
    return OX_OK;
}

enum ox_code ox_control_publish_manifest(struct ox_control *control, const char *model_id,
                                         const char *version, const json_t *body, bool *created,
                                         json_t **out, struct ox_err *err)
{
    struct ox_manifest files = OX_MANIFEST_INIT;
    struct naming naming = {model_id, version, "", body};
    enum ox_format format = OX_FORMAT_UNKNOWN;
    enum ox_code code = check_ids(model_id, version, err);

    if (code == OX_OK && (code = ox_meta_check(body, &naming.variant, err)) == OX_OK &&
        (code = ox_manifest_from_json(json_object_get(body, "files"), &files, err)) == OX_OK) {
        code = check_held(control, &files, err);
    }
    for (size_t i = 0;
         code == OX_OK && format == OX_FORMAT_UNKNOWN && i < files.count && i < FORMAT_TRIES; i++) {
        code = format_of_blob(control, &files.files[i].sha256, &format, err);
    }
    if (code == OX_OK) {
        code = publish_files(control, &naming, &files, format, created, out, err);
    }
    ox_manifest_clear(&files);
    return code;
}
