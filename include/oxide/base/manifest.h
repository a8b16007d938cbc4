/**
 * A manifest: the files of one artifact, sorted by path.
 *
 * Canonical JSON (what the digest of an artifact of several files is taken over) is compact, with
 * keys in this order: {"files":[{"mode":"0644","path":"a/b","sha256":"<hex>","size":1},...]}
 */
#ifndef OXIDE_BASE_MANIFEST_H
#define OXIDE_BASE_MANIFEST_H

#include "oxide/base/digest.h"
#include "oxide/base/json.h"

#define OX_MANIFEST_FILES_MAX 4096    /* shards, tokenizers, labels: hundreds at most */
#define OX_MANIFEST_PATH_MAX 1024     /* bytes of one path */
#define OX_MANIFEST_COMPONENT_MAX 255 /* NAME_MAX of every file system that we meet */
#define OX_MANIFEST_DEPTH_MAX 32      /* components of one path: ox_remove_tree can take it away */

struct ox_manifest_file {
    char *path; /* relative, '/' between components; owned by the manifest */
    uint64_t size_bytes;
    struct ox_digest sha256;
    bool executable; /* mode 0755, else 0644 */
};

struct ox_manifest {
    struct ox_manifest_file *files; /* owned */
    size_t count;
};
#define OX_MANIFEST_INIT                                                                           \
    {                                                                                              \
        NULL, 0                                                                                    \
    }

void ox_manifest_clear(struct ox_manifest *manifest);

/** Append a copy of one file; order and rules are checked by ox_manifest_finish. */
OX_MUST_USE enum ox_code ox_manifest_add(struct ox_manifest *manifest, const char *path,
                                         uint64_t size_bytes, const struct ox_digest *sha256,
                                         bool executable, struct ox_err *err);

/**
 * Sort by path and check every rule: 1 to OX_MANIFEST_FILES_MAX files; paths are valid UTF-8
 * without control characters or backslashes, relative, at most OX_MANIFEST_DEPTH_MAX components
 * deep, none of them empty, "." or ".."; none stands twice or is the folder of another; sizes
 * together under 2^63. Errors: OX_EINVAL, OX_ETOOBIG.
 */
OX_MUST_USE enum ox_code ox_manifest_finish(struct ox_manifest *manifest, struct ox_err *err);

/** Deep copy. */
OX_MUST_USE enum ox_code ox_manifest_copy(struct ox_manifest *out,
                                          const struct ox_manifest *manifest, struct ox_err *err);

/** A manifest of one file. */
OX_MUST_USE enum ox_code ox_manifest_single(struct ox_manifest *out, const char *path,
                                            uint64_t size_bytes, const struct ox_digest *sha256,
                                            struct ox_err *err);

/** Sizes of all files together. */
uint64_t ox_manifest_size(const struct ox_manifest *manifest);

/** Index of the file with this path in a finished manifest, or SIZE_MAX. */
size_t ox_manifest_find(const struct ox_manifest *manifest, const char *path);

/** The array of files as JSON, and back (order and rules are checked). The caller owns *out. */
OX_MUST_USE enum ox_code ox_manifest_to_json(const struct ox_manifest *manifest, json_t **out,
                                             struct ox_err *err);
OX_MUST_USE enum ox_code ox_manifest_from_json(const json_t *files, struct ox_manifest *out,
                                               struct ox_err *err);

/** Canonical JSON text, which the caller frees. */
OX_MUST_USE enum ox_code ox_manifest_canonical(const struct ox_manifest *manifest, char **out,
                                               struct ox_err *err);

#endif
