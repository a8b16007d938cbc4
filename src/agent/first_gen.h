/** Updates from a control plane of the first generation: no digests in advance, no ranges. */
#ifndef OX_AGENT_FIRST_GEN_H
#define OX_AGENT_FIRST_GEN_H

#include "fetch.h"

/**
 * Ask for the metadata of a version and make an assignment of it: one file, of a name yet to be
 * found out (OX_FIRST_GEN_PATH) unless `path` tells it. The caller clears *out.
 * Errors: OX_ENOTFOUND, OX_EPROTO, OX_ENET, OX_ETIMEOUT, OX_ECANCELED.
 */
OX_MUST_USE enum ox_code ox_first_gen_assignment(const struct ox_fetch *fetch, const char *model_id,
                                                 const char *version, const char *path,
                                                 struct ox_assignment *out, struct ox_err *err);

/** The name of a lone file whose format is not known yet. */
#define OX_FIRST_GEN_PATH "model.bin"

/**
 * Download into the file at `path`, which is emptied first: a patch from base_version if that is
 * not NULL and the server has one (*is_patch), else the whole file. Nothing is verified here.
 * Errors: as above, and local ones.
 */
OX_MUST_USE enum ox_code ox_first_gen_download(const struct ox_fetch *fetch,
                                               const struct ox_assignment *assignment,
                                               const char *base_version, const char *path,
                                               bool *is_patch, struct ox_err *err);

#endif
