/**
 * An index of the base by its chunks. What is found has the same 64-bit sum and must be compared.
 * Memory: 16 bytes in a table of at least two places per chunk, at most 16 MiB. Bases over 512 GiB
 * are indexed thinned out: only chunks whose sums end in enough zero bits count, on both sides.
 */
#ifndef OXIDE_DELTA_POOL_INDEX_H
#define OXIDE_DELTA_POOL_INDEX_H

#include "fastcdc.h"
#include "oxide/base/io.h"
#include "oxide/base/stop.h"
#include "oxide/crypto/xxh64.h"

/** The chunk that begins at an offset of a source. */
struct pool_chunk {
    uint32_t len_bytes;
    uint64_t sum; /* XXH64 */
};

struct cursor;
/** Find where the chunk ends that begins at `offset`, which is before the source's end. */
enum ox_code pool_chunk_at(struct cursor *cursor, uint64_t offset, struct pool_chunk *out,
                           struct ox_err *err);

struct pool_index;

/** Read the whole base once. progress is told of the base's bytes. Errors: OX_ENOMEM, OX_ECANCELED,
 *  the base's own. */
enum ox_code pool_index_new(struct pool_index **out, const struct ox_source *base,
                            struct ox_stop *stop, const struct ox_progress *progress,
                            struct ox_err *err);
void pool_index_free(struct pool_index *index);

/** Is there a chunk in the base with this sum? Its first one is at *out_offset. */
bool pool_index_find(const struct pool_index *index, uint64_t sum, uint64_t *out_offset);

#endif
