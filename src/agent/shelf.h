/**
 * A shelf: where the versions of one model lie, and how consumers find the active one. All kinds
 * have a home with versions/FOLDER/..., and the symlinks `current` and `previous` into it; a row of
 * the table in shelf.c says where that is and what consumers see instead:
 *
 *     versions   home MODEL_DIR/MODEL         they open MODEL_DIR/MODEL/current/...
 *     flat       home MODEL_DIR/.kept/MODEL   MODEL_DIR/MODEL is a symlink to the home's `current`
 *     triton     home MODEL_DIR/.kept/MODEL   MODEL_DIR/MODEL/N/..., the highest number is active
 *
 * `current` is switched first, what consumers see after it; each function may be called again after
 * a kill at any instant, and completes what the first call began. No symlink is followed.
 */
#ifndef OX_AGENT_SHELF_H
#define OX_AGENT_SHELF_H

#include "folders.h"
#include "oxide/agent/agent.h"

struct ox_shelf {
    enum ox_model_layout layout;
    char *hidden;     /* MODEL_DIR/.kept/NAME */
    char *shown;      /* MODEL_DIR/NAME */
    const char *home; /* one of them */
    char *kept;       /* MODEL_DIR/.kept */
    char *leads;      /* ".kept/NAME/current" */
    char *numbers; /* OWN/numbers/NAME: a symlink N for each number, saying which folder it is of;
                      the highest one stays, so that no number is given twice */
    char *fresh;   /* OWN/fresh: what is about to be seen */
    char *gone;    /* OWN/gone: what is no longer */
};

/** A version that consumers are to see. Lent. */
struct ox_shown {
    const char *folder;
    const struct ox_manifest *files;
};

/** "flat"; and back. Errors: OX_EINVAL. */
const char *ox_shelf_word(enum ox_model_layout layout);
OX_MUST_USE enum ox_code ox_shelf_parse(const char *word, enum ox_model_layout *out,
                                        struct ox_err *err);

/** Only where it is. The caller clears *out. Errors: OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_shelf_open(struct ox_shelf *out, const struct ox_folders *folders,
                                       const char *model_id, enum ox_model_layout layout,
                                       struct ox_err *err);
void ox_shelf_clear(struct ox_shelf *shelf);

/** Is what stands in the place of a folder of ours a folder, or nothing? Errors: OX_EPERM. */
OX_MUST_USE enum ox_code ox_shelf_check(const struct ox_shelf *shelf, struct ox_err *err);

/** Make its folders. Errors: those of check; OX_ECONFLICT if what consumers would see cannot be put
 *  where something else stands. */
OX_MUST_USE enum ox_code ox_shelf_make(const struct ox_shelf *shelf, const struct ox_access *access,
                                       struct ox_err *err);

/** May a model that lies in another layout come over to this one? Errors: OX_ECONFLICT, OX_EPERM.
 */
OX_MUST_USE enum ox_code ox_shelf_may_move_in(const struct ox_shelf *shelf, struct ox_err *err);

/** Versions that lie in the home of another layout come over to this one. */
OX_MUST_USE enum ox_code ox_shelf_move_in(const struct ox_shelf *shelf, struct ox_err *err);

/** Switch to a version, durably and atomically. Who still reads the one before goes on to do so. */
OX_MUST_USE enum ox_code ox_shelf_activate(const struct ox_shelf *shelf,
                                           const struct ox_shown *version, struct ox_err *err);

/** Switch back to a version, or to none for NULL, likewise; what came after it is seen no more. */
OX_MUST_USE enum ox_code ox_shelf_restore(const struct ox_shelf *shelf,
                                          const struct ox_shown *version, struct ox_err *err);

/** Let consumers no longer see anything: `current` stays. */
OX_MUST_USE enum ox_code ox_shelf_hide(const struct ox_shelf *shelf, struct ox_err *err);

/** Remove every version but those in keep[0, keep_count), which may be NULL. */
OX_MUST_USE enum ox_code ox_shelf_prune(const struct ox_shelf *shelf, const char *const *keep,
                                        size_t keep_count, struct ox_err *err);

/** Remove what is empty: the model is gone. What others put there stays. */
OX_MUST_USE enum ox_code ox_shelf_remove_empty(const struct ox_shelf *shelf, struct ox_err *err);

/** Where consumers see the version of a folder, in fresh memory. */
OX_MUST_USE enum ox_code ox_shelf_seen(const struct ox_shelf *shelf, const char *folder, char **out,
                                       struct ox_err *err);

/** What is wrong with what consumers see, where the version in `folder` is active: empty if nothing
 *  is. */
OX_MUST_USE enum ox_code ox_shelf_examine(const struct ox_shelf *shelf, const char *folder,
                                          char *what, size_t what_bytes, struct ox_err *err);

#endif
