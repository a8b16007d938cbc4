/**
 * How far a patch had been applied while it arrived, so that another process can go on: beside the
 * parts, under the digest of the patch,
 *
 *     SHA256.head     the patch's header
 *     SHA256.mark     the last frame's end; true unless the machine went down meanwhile
 *     SHA256.durable  an earlier one up to which all lies on the disk
 *     SHA256.tail     what came behind the mark (tail.h)
 */
#ifndef OX_AGENT_BOOKMARK_H
#define OX_AGENT_BOOKMARK_H

#include "boot.h"
#include "folders.h"
#include "oxide/patch/oxdl.h"

/** Names of a blob in the download folder begin with its digest and end so. */
#define OX_BOOKMARK_SUFFIXES 4
extern const char *const ox_bookmark_suffixes[OX_BOOKMARK_SUFFIXES];

struct ox_bookmark {
    char boot[OX_BOOT_ID_MAX]; /* which run of the machine this is; "": the system does not tell */
    char *head_path;
    char *mark_path;
    char *durable_path;
    char *tail_path;
};

OX_MUST_USE enum ox_code ox_bookmark_init(struct ox_bookmark *out, const struct ox_folders *folders,
                                          const struct ox_digest *patch, struct ox_err *err);
void ox_bookmark_clear(struct ox_bookmark *bookmark);

/** Is there one? */
bool ox_bookmark_exists(const struct ox_bookmark *bookmark);
/** The furthest mark that holds, and the header; the caller clears *head. Errors: OX_ENOTFOUND, and
 *  OX_ECORRUPT for what we did not write: then begin anew. */
OX_MUST_USE enum ox_code ox_bookmark_load(const struct ox_bookmark *bookmark, struct ox_buf *head,
                                          struct ox_oxdl_mark *mark, struct ox_err *err);
OX_MUST_USE enum ox_code ox_bookmark_save_head(const struct ox_bookmark *bookmark,
                                               const void *bytes, size_t len_bytes,
                                               struct ox_err *err);
/** `durable`: what it stands for has been synced, and so is it. */
OX_MUST_USE enum ox_code ox_bookmark_save(const struct ox_bookmark *bookmark,
                                          const struct ox_oxdl_mark *mark, bool durable,
                                          struct ox_err *err);
/** Absent is success. */
OX_MUST_USE enum ox_code ox_bookmark_remove(const struct ox_bookmark *bookmark, struct ox_err *err);

#endif
