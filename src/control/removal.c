/* Removing versions: by rule, or by hand; never one that something needs. */
#include "gc.h"

#include "inner.h"
#include "retention.h"

#include "oxide/control/retention.h"
#include "oxide/registry/need.h"
#include "oxide/registry/patch.h"

#include <stdlib.h>
#include <string.h>

#define REPORT_ROWS_MAX 1000 /* of each list of a report */

/* Blobs of a version on its way out, to be looked at once the database has forgotten them. */
struct leaving {
    struct ox_digest *blobs;
    uint64_t *sizes;
    size_t count;
    uint64_t size_bytes; /* of all variants */
};

static void leaving_clear(struct leaving *leaving)
{
    free(leaving->blobs);
    free(leaving->sizes);
}

static enum ox_code add_blobs(struct ox_tx *tx, const struct ox_artifact_row *artifact,
                              struct leaving *leaving, struct ox_err *err)
{
    struct ox_manifest files = OX_MANIFEST_INIT;
    enum ox_code code = ox_registry_artifact_files(tx, artifact->id, &files, err);
    size_t room = leaving->count + files.count + 1;
    struct ox_digest *blobs;
    uint64_t *sizes;

    if (code != OX_OK) {
        return code;
    }
    blobs = realloc(leaving->blobs, room * sizeof(*blobs));
    leaving->blobs = blobs == NULL ? leaving->blobs : blobs;
    sizes = realloc(leaving->sizes, room * sizeof(*sizes));
    leaving->sizes = sizes == NULL ? leaving->sizes : sizes;
    if (blobs == NULL || sizes == NULL) {
        code = ox_err_nomem(err, "a list of blobs");
    }
    for (size_t i = 0; code == OX_OK && i < files.count; i++) {
        leaving->blobs[leaving->count] = files.files[i].sha256;
        leaving->sizes[leaving->count++] = files.files[i].size_bytes;
    }
    leaving->size_bytes += artifact->size_bytes;
    ox_manifest_clear(&files);
    return code;
}

/* --- what needs it --- */

/* *why is NULL if nothing does; else what does, in words that live as long as the transaction. */
static enum ox_code find_needs(struct ox_control *control, struct ox_tx *tx,
                               const struct ox_artifact_row *rows, size_t count, const char **why,
                               struct ox_err *err)
{
    *why = NULL;
    for (size_t i = 0; i < count; i++) {
        struct ox_need *needs = NULL;
        size_t need_count = 0;
        enum ox_code code =
            ox_registry_needs(tx, &rows[i], ox_gc_seen_since_ms(control), &needs, &need_count, err);

        if (code != OX_OK) {
            return code;
        }
        if (need_count > 0) {
            *why = needs[0].text;
            return OX_OK;
        }
    }
    return OX_OK;
}

/* --- removing --- */

static enum ox_code forget(struct ox_control *control, struct ox_tx *tx,
                           const struct ox_artifact_row *artifact, const char *reason,
                           struct leaving *leaving, struct ox_err *err)
{
    struct ox_artifact_row other;
    enum ox_code code;

    if ((code = add_blobs(tx, artifact, leaving, err)) != OX_OK ||
        (code = ox_registry_artifact_remove(tx, artifact->id, ox_control_now(control), err)) !=
            OX_OK ||
        (code =
             ox_event(control, tx, "model.removed",
                      json_pack("{s:s, s:s, s:s*, s:o, s:s}", "model_id", artifact->model_id,
                                "version", artifact->version, "variant",
                                artifact->variant[0] == '\0' ? NULL : artifact->variant, "sha256",
                                ox_json_of_digest(&artifact->digest), "reason", reason),
                      err)) != OX_OK) {
        return code;
    }
    code = ox_registry_artifact_by_digest(tx, &artifact->digest, &other, err);
    if (code == OX_ENOTFOUND) { /* patches of bytes that no other version has */
        ox_err_clear(err);
        code = ox_registry_patches_forget(tx, &artifact->digest, err);
    }
    return code;
}

/* Remove artifacts that nothing needs; else *why says what does and nothing is done. */
static enum ox_code remove_all(struct ox_control *control, struct ox_tx *tx,
                               const struct ox_artifact_row *rows, size_t count, const char *reason,
                               struct leaving *leaving, const char **why, struct ox_err *err)
{
    enum ox_code code = find_needs(control, tx, rows, count, why, err);

    for (size_t i = 0; code == OX_OK && *why == NULL && i < count; i++) {
        code = forget(control, tx, &rows[i], reason, leaving, err);
    }
    return code;
}

static enum ox_code answer_of(const struct leaving *leaving, const struct ox_gc_report *report,
                              json_t **out, struct ox_err *err)
{
    *out =
        json_pack("{s:s, s:I, s:I}", "status", "removed", "size_bytes",
                  (json_int_t)leaving->size_bytes, "freed_bytes", (json_int_t)report->blob_bytes);
    return *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
}

/* The held variants that are meant: all of a version, or one. */
static enum ox_code find_variants(struct ox_tx *tx, const char *model_id, const char *version,
                                  const char *variant, struct ox_artifact_row **rows, size_t *count,
                                  struct ox_err *err)
{
    enum ox_code code = ox_registry_variants(tx, model_id, version, rows, count, err);
    size_t kept = 0;

    for (size_t i = 0; code == OX_OK && variant != NULL && i < *count; i++) {
        if (strcmp((*rows)[i].variant, variant) == 0) {
            (*rows)[kept++] = (*rows)[i];
        }
    }
    if (variant != NULL) {
        *count = kept;
    }
    return code == OX_OK && *count == 0
               ? ox_err_set(err, OX_ENOTFOUND, "%s@%s%s%s is not held here", model_id, version,
                            variant == NULL ? "" : ", variant ", variant == NULL ? "" : variant)
               : code;
}

enum ox_code ox_control_version_remove(struct ox_control *control, const char *model_id,
                                       const char *version, const char *variant, json_t **out,
                                       struct ox_err *err)
{
    struct ox_gc_report report = {.dry_run = false};
    struct leaving leaving = {NULL, NULL, 0, 0};
    struct ox_artifact_row *rows = NULL;
    struct ox_tx tx = OX_TX_INIT;
    const char *why = NULL;
    size_t count = 0;
    enum ox_code code;

    if ((code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = find_variants(&tx, model_id, version, variant, &rows, &count, err)) == OX_OK &&
        (code = remove_all(control, &tx, rows, count, "by an operator", &leaving, &why, err)) ==
            OX_OK) {
        code = why != NULL
                   ? ox_err_set(err, OX_ECONFLICT, "%s@%s is needed: %s", model_id, version, why)
                   : ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    if (code == OX_OK) {
        ox_chains_changed(control);
        ox_log(control->log, OX_LOG_INFO, "removed %s@%s%s%s", model_id, version,
               variant == NULL ? "" : ", variant ", variant == NULL ? "" : variant);
        code = ox_gc_blobs(control, leaving.blobs, leaving.sizes, leaving.count, &report, err);
    }
    if (code == OX_OK) {
        code = answer_of(&leaving, &report, out, err);
    }
    leaving_clear(&leaving);
    return code;
}

/* --- by rule --- */

/* A version that the rule lets go. */
struct candidate {
    char *version;
    uint64_t size_bytes;
};

static void free_candidates(struct candidate *candidates, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(candidates[i].version);
    }
    free(candidates);
}

static enum ox_code tell_kept(struct ox_gc_report *report, const struct ox_version_row *version,
                              const char *why, struct ox_err *err)
{
    if (report->kept == NULL || json_array_size(report->kept) >= REPORT_ROWS_MAX) {
        return OX_OK;
    }
    return ox_json_append(report->kept,
                          json_pack("{s:s, s:s, s:s}", "model_id", version->model_id, "version",
                                    version->version, "why", why),
                          err);
}

/* Judge one version: add it to the candidates, or tell why it stays all the same. */
static enum ox_code judge(struct ox_control *control, struct ox_tx *tx,
                          const struct ox_version_row *version, struct ox_gc_report *report,
                          struct candidate *candidates, size_t *count, struct ox_err *err)
{
    struct ox_artifact_row *rows = NULL;
    const char *why = NULL;
    size_t row_count = 0;
    enum ox_code code =
        ox_registry_variants(tx, version->model_id, version->version, &rows, &row_count, err);

    if (code == OX_OK) {
        code = find_needs(control, tx, rows, row_count, &why, err);
    }
    if (code == OX_OK && why != NULL) {
        return tell_kept(report, version, why, err);
    }
    if (code == OX_OK &&
        (code = ox_strdup(&candidates[*count].version, version->version, err)) == OX_OK) {
        for (size_t i = 0; i < row_count; i++) {
            candidates[*count].size_bytes += rows[i].size_bytes;
        }
        (*count)++;
    }
    return code;
}

static enum ox_code find_candidates(struct ox_control *control, const char *model_id, size_t limit,
                                    struct ox_gc_report *report, struct candidate **out,
                                    size_t *out_count, struct ox_err *err)
{
    struct ox_version_row *versions = NULL;
    struct candidate *candidates = NULL;
    struct ox_retention_row rule;
    struct ox_tx tx = OX_TX_INIT;
    size_t count = 0;
    size_t found = 0;
    enum ox_code code;

    if ((code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err)) == OX_OK &&
        (code = ox_retention_find(&tx, model_id, &rule, err)) == OX_OK &&
        (code = ox_registry_versions(&tx, model_id, &versions, &count, err)) == OX_OK &&
        (candidates = calloc(count + 1, sizeof(*candidates))) == NULL) {
        code = ox_err_nomem(err, "a list of versions");
    }
    for (size_t i = 0; code == OX_OK && i < count && found < limit; i++) {
        if (ox_retention_keeps(&rule, &versions[i], count - 1 - i, ox_control_now(control)) ==
            NULL) {
            code = judge(control, &tx, &versions[i], report, candidates, &found, err);
        }
    }
    ox_registry_end(&tx);
    if (code == OX_ENOTFOUND) { /* the rule was removed meanwhile */
        ox_err_clear(err);
        code = OX_OK;
    }
    *out = candidates;
    *out_count = found;
    return code;
}

/* It may have come to be needed meanwhile: then it stays. */
static enum ox_code remove_candidate(struct ox_control *control, const char *model_id,
                                     const struct candidate *candidate, struct ox_gc_report *report,
                                     bool *removed, struct ox_err *err)
{
    struct leaving leaving = {NULL, NULL, 0, 0};
    struct ox_artifact_row *rows = NULL;
    struct ox_tx tx = OX_TX_INIT;
    const char *why = NULL;
    size_t count = 0;
    enum ox_code code;

    *removed = false;
    if ((code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = ox_registry_variants(&tx, model_id, candidate->version, &rows, &count, err)) ==
            OX_OK &&
        (code = remove_all(control, &tx, rows, count, "by its rule of retention", &leaving, &why,
                           err)) == OX_OK &&
        why == NULL) {
        code = ox_registry_commit(&tx, err);
        *removed = code == OX_OK;
    }
    ox_registry_end(&tx);
    if (*removed) {
        ox_chains_changed(control);
        ox_log(control->log, OX_LOG_INFO, "removed %s@%s by its rule of retention", model_id,
               candidate->version);
        code = ox_gc_blobs(control, leaving.blobs, leaving.sizes, leaving.count, report, err);
    }
    leaving_clear(&leaving);
    return code;
}

enum ox_code ox_gc_model(struct ox_control *control, const char *model_id, size_t limit,
                         struct ox_gc_report *report, bool *more, struct ox_err *err)
{
    struct candidate *candidates = NULL;
    size_t count = 0;
    size_t gone = 0;
    enum ox_code code = find_candidates(control, model_id, limit, report, &candidates, &count, err);

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        bool removed = report->dry_run;

        if (!report->dry_run) {
            code = remove_candidate(control, model_id, &candidates[i], report, &removed, err);
        }
        gone += removed;
        if (code == OX_OK && removed && report->versions != NULL &&
            json_array_size(report->versions) < REPORT_ROWS_MAX) {
            code = ox_json_append(report->versions,
                                  json_pack("{s:s, s:s, s:I}", "model_id", model_id, "version",
                                            candidates[i].version, "size_bytes",
                                            (json_int_t)candidates[i].size_bytes),
                                  err);
        }
    }
    free_candidates(candidates, count);
    *more = gone == limit; /* what could not go would only be tried again */
    return code;
}
