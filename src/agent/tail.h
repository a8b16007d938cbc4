/**
 * Bytes of a patch behind the last mark (bookmark.h) that no frame is complete of yet: kept in
 * SHA256.tail, so that a killed download does not ask for them again.
 *
 *     0  8  where in the patch they begin, little-endian
 *     8     the bytes
 *
 * They cost no sync, and nothing fails for want of them: after a power cut the file may hold
 * anything, which the frame's sum tells; then there is no tail.
 */
#ifndef OX_AGENT_TAIL_H
#define OX_AGENT_TAIL_H

#include "oxide/base/err.h"

#include <stdint.h>

struct ox_tail {
    const char *path; /* lent */
    int fd;           /* -1: it is not open */
    uint64_t begin;   /* of what it holds, in the patch */
    uint64_t end;
};

void ox_tail_init(struct ox_tail *tail, const char *path);
void ox_tail_close(struct ox_tail *tail);

/** Open what an earlier run left. Does it reach behind `marked`, and not behind patch_bytes? Then
 *  bytes from `marked` to tail->end can be read. */
bool ox_tail_open(struct ox_tail *tail, uint64_t marked, uint64_t patch_bytes);
OX_MUST_USE enum ox_code ox_tail_read(const struct ox_tail *tail, uint64_t at, void *out,
                                      size_t len_bytes, struct ox_err *err);

/** len_bytes of the patch came from `at` on, and it is marked up to `marked`: keep what is behind.
 */
void ox_tail_keep(struct ox_tail *tail, uint64_t at, const uint8_t *bytes, size_t len_bytes,
                  uint64_t marked);
/** It is not what it should be. */
void ox_tail_drop(struct ox_tail *tail);

#endif
