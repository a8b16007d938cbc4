/**
 * What a new version has in common with those that are held: files with the same bytes are shared
 * by hard links, and take no room of their own. Nobody writes to a model's files (access.h).
 */
#ifndef OX_AGENT_REUSE_H
#define OX_AGENT_REUSE_H

#include "update.h"

/** A file of a version that is held. Lent by the update. */
struct ox_held_file {
    const struct ox_installed *version; /* NULL: there is none */
    const struct ox_manifest_file *file;
};

/** The index of the first file with the same bytes as file `index`. */
size_t ox_reuse_first_like(const struct ox_manifest *files, size_t index);

/** One with the same bytes, of the same mode if there is one, in the latest version that has it. */
struct ox_held_file ox_reuse_find(const struct ox_update *update,
                                  const struct ox_manifest_file *file);

/** Does the version really still hold these bytes? */
bool ox_reuse_is_whole(struct ox_update *update, const struct ox_held_file *held);

/** Will this file be linked, as far as can be told without reading it? */
bool ox_reuse_is_likely(const struct ox_update *update, const struct ox_manifest_file *file);

/** Exchange what was rebuilt in staging for links to what is held, where the bytes are the same. */
OX_MUST_USE enum ox_code ox_reuse_link_staged(struct ox_update *update, struct ox_err *err);

#endif
