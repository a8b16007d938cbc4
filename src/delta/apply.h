/** What the reader of version 1 needs of an apply. */
#ifndef OXIDE_DELTA_APPLY_PRIVATE_H
#define OXIDE_DELTA_APPLY_PRIVATE_H

#include "oxide/delta/delta.h"
#include "oxide/patch/oxdl1.h"

/** The header is known: check the base, get ready to verify the target. */
enum ox_code apply_begin(struct ox_apply *self, const struct ox_oxdl_header *header,
                         struct ox_err *err);
/** The next bytes of the target: write, hash, compare. */
enum ox_code apply_write(struct ox_apply *self, const uint8_t *bytes, size_t len_bytes,
                         struct ox_err *err);
/** Apply a whole patch of version 1. */
enum ox_code apply_v1(struct ox_apply *self, const struct ox_source *base,
                      const struct ox_buf *patch, struct ox_err *err);

#endif
