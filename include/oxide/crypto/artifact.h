/** The digest of an artifact: its one file's SHA-256, or that of its canonical manifest. */
#ifndef OXIDE_CRYPTO_ARTIFACT_H
#define OXIDE_CRYPTO_ARTIFACT_H

#include "oxide/base/manifest.h"

/** Errors: OX_EINVAL for an empty manifest, OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_artifact_digest(const struct ox_manifest *manifest,
                                            struct ox_digest *out, struct ox_err *err);

#endif
