/**
 * The folders below MODEL_DIR. No symlink is followed on the way to anything that we write, apart
 * from MODEL_DIR itself, which is the operator's choice.
 */
#ifndef OX_AGENT_FOLDERS_H
#define OX_AGENT_FOLDERS_H

#include "access.h"
#include "oxide/base/buf.h"
#include "oxide/base/digest.h"
#include "oxide/base/log.h"
#include "oxide/base/manifest.h"

/** A folder's name with its final NUL. Longer identifiers are cut and get a piece of their hash. */
#define OX_FOLDER_NAME_MAX 256

struct ox_folders {
    char *root;     /* MODEL_DIR */
    char *kept;     /* MODEL_DIR/.kept: homes of models that consumers see elsewhere (shelf.h) */
    char *own;      /* MODEL_DIR/.oxide */
    char *state;    /* own/state.json */
    char *identity; /* own/identity.json */
    char *journal;  /* own/journal.json */
    char *lock;     /* own/lock */
    char *download; /* own/download: SHA256.part */
    char *staging;  /* own/staging: the one version that is being built */
    char *fresh;    /* own/fresh: what consumers are about to see */
    char *gone;     /* own/gone: what they no longer do */
    char *numbers;  /* own/numbers: of numbered folders */
    char *before_upgrade; /* own/before-upgrade: copies of what another release wrote */
    char *between;        /* own/between: what a chain of patches rebuilds on its way there */
};

/** Only where they are; model_dir must be there. The caller clears *out. */
OX_MUST_USE enum ox_code ox_folders_locate(struct ox_folders *out, const char *model_dir,
                                           struct ox_err *err);
/** Make them. Errors: OX_EPERM for a planted symlink, and the system's. The caller clears *out. */
OX_MUST_USE enum ox_code ox_folders_open(struct ox_folders *out, const char *model_dir,
                                         struct ox_err *err);
void ox_folders_clear(struct ox_folders *folders);

/** Is it a file that was to replace one of ours, by its name in `own`? */
bool ox_folders_is_temporary(const char *name);
/** Remove those that a kill left. Nobody else may be writing: the lock is ours. */
OX_MUST_USE enum ox_code ox_folders_drop_temporary(const struct ox_folders *folders,
                                                   struct ox_err *err);

/** Remove what was being built. */
OX_MUST_USE enum ox_code ox_folders_drop_built(const struct ox_folders *folders,
                                               struct ox_err *err);

/** Make a folder unless it is there; what is no real folder is refused with OX_EPERM. */
OX_MUST_USE enum ox_code ox_folder_make(const char *path, mode_t mode, struct ox_err *err);

/** The folder's name of an identifier. Errors: OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_folder_name(const char *id, char out[OX_FOLDER_NAME_MAX],
                                        struct ox_err *err);

/** Another name for a version whose own name is taken by other bytes: NAME~DIGEST. */
void ox_folder_name_with_digest(const char *name, const struct ox_digest *digest,
                                char out[OX_FOLDER_NAME_MAX]);

/* A model's home holds versions/ and the symlinks into it; where it is, shelf.h tells. */

/** HOME/versions/FOLDER in fresh memory. */
OX_MUST_USE enum ox_code ox_folders_version(const char *home, const char *folder, char **out,
                                            struct ox_err *err);

/** OWN/download/SHA256.part in fresh memory. */
OX_MUST_USE enum ox_code ox_folders_part(const struct ox_folders *folders,
                                         const struct ox_digest *digest, char **out,
                                         struct ox_err *err);

/** The folder that the symlink HOME/NAME names, in fresh memory; NULL if there is no such link.
 *  Errors: OX_ECONFLICT if something else is there, or it leads elsewhere. */
OX_MUST_USE enum ox_code ox_folders_link(const char *home, const char *name, char **out,
                                         struct ox_err *err);

/** Point HOME/NAME at versions/FOLDER, or remove it for NULL: durably, atomically, and not at all
 *  if it says so already. Errors: OX_ECONFLICT if something else than a symlink is there. */
OX_MUST_USE enum ox_code ox_folders_switch(const char *home, const char *name, const char *folder,
                                           struct ox_err *err);

/** Remove every version but those named in keep[0, keep_count), which may be NULL. */
OX_MUST_USE enum ox_code ox_folders_prune(const char *home, const char *const *keep,
                                          size_t keep_count, struct ox_err *err);

/** Remove all in a folder but the names in keep[0, keep_count). */
OX_MUST_USE enum ox_code ox_folder_clean(const char *path, const char *const *keep,
                                         size_t keep_count, struct ox_err *err);

/** Make the files of a version durable: groups and modes, then bytes, then folders. */
OX_MUST_USE enum ox_code ox_folder_sync(const char *path, const struct ox_manifest *files,
                                        const struct ox_access *access, struct ox_err *err);

/** Rename a file that cannot be understood to PATH.bad-TIME and log it. */
OX_MUST_USE enum ox_code ox_set_aside(const char *path, int64_t wall_ms, const char *why,
                                      const struct ox_log *log, struct ox_err *err);

#endif
