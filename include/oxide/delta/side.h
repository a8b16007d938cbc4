/**
 * One side of a delta: an artifact whose bytes are at hand. A file, or a folder of files.
 */
#ifndef OXIDE_DELTA_SIDE_H
#define OXIDE_DELTA_SIDE_H

#include "oxide/base/io.h"
#include "oxide/base/manifest.h"
#include "oxide/base/stop.h"

struct ox_delta_side {
    const struct ox_manifest *manifest; /* lent: sorted files with sizes and digests */
    const struct ox_source *files;      /* lent: one per file of the manifest, thread-safe */
    struct ox_digest digest;            /* of the artifact */
};

/** An artifact on disk, opened and hashed: a file, or a folder with all files below it. */
struct ox_artifact_files;

/**
 * Open the file or folder at `path`. In a folder every regular file counts, hidden ones and the
 * folder .git do not; symlinks are followed as long as they end inside the folder or, as Hugging
 * Face snapshots have them, in a sibling folder "blobs" of the cache; others are refused.
 * A lone file's path in the manifest is "model.<format>", as on devices.
 * Errors: OX_ENOTFOUND, OX_EINVAL (empty folder, device file, symlink that leaves), OX_ECANCELED,
 * ... stop and progress (bytes hashed) may be NULL. The caller closes *out.
 */
OX_MUST_USE enum ox_code ox_artifact_open(struct ox_artifact_files **out, const char *path,
                                          struct ox_stop *stop, const struct ox_progress *progress,
                                          struct ox_err *err);

/**
 * Open the files of a known manifest below `dir` without hashing them: who calls has verified them
 * before. For one pass by one thread: what was read does not stay in the system's cache.
 * Errors: OX_ENOTFOUND, OX_EDIGEST if a size differs.
 */
OX_MUST_USE enum ox_code ox_artifact_open_known(struct ox_artifact_files **out, const char *dir,
                                                const struct ox_manifest *manifest,
                                                struct ox_err *err);

/**
 * Has no file been written to since it was opened? Who made a patch asks at the end: if one was,
 * the digests may be of other bytes than the patch. A file whose place another took, by rename, has
 * not changed: what was opened is what is read.
 * Errors: OX_EIO, naming the file.
 */
OX_MUST_USE enum ox_code ox_artifact_check_unchanged(const struct ox_artifact_files *files,
                                                     struct ox_err *err);

/** As a side of a delta; lives as long as the files are open. */
const struct ox_delta_side *ox_artifact_side(const struct ox_artifact_files *files);
/** Is it a folder (be it of one file)? */
bool ox_artifact_is_dir(const struct ox_artifact_files *files);
/** Path on disk of file number `index`, as it was opened. Lent. */
const char *ox_artifact_disk_path(const struct ox_artifact_files *files, size_t index);
void ox_artifact_close(struct ox_artifact_files *files);

#endif
