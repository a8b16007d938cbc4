#include "pool_index.h"

#include "cursor.h"

#include <stdlib.h>

#define CHUNKS_MAX_LOG2 19 /* of FASTCDC_AVG_BYTES each: 512 GiB */
#define PLACES_LOG2_MIN 8
#define PROBES_MAX 32 /* sums may be chosen by an adversary */

struct place {
    uint64_t sum;
    uint64_t end; /* offset of the chunk + 1; 0: free */
};

struct pool_index {
    unsigned places_log2;
    uint64_t thin_mask; /* a sum that has one of these bits is left out */
    struct place places[];
};

enum ox_code pool_chunk_at(struct cursor *cursor, uint64_t offset, struct pool_chunk *out,
                           struct ox_err *err)
{
    struct fastcdc cdc = {0, 0};
    struct ox_xxh64 sum;
    uint32_t len_bytes = 0;
    bool ended = false;

    ox_xxh64_init(&sum, 0);
    while (!ended) {
        const uint8_t *bytes = NULL;
        size_t have = 0;
        enum ox_code code = cursor_at(cursor, offset + len_bytes, 1, &bytes, &have, err);

        if (code != OX_OK) {
            return code;
        }
        if (have == 0) {
            break;
        }
        ended = fastcdc_feed(&cdc, bytes, have, &have);
        ox_xxh64_update(&sum, bytes, have);
        len_bytes += (uint32_t)have;
    }
    *out = (struct pool_chunk){len_bytes, ox_xxh64_final(&sum)};
    return OX_OK;
}

static uint64_t first_place(const struct pool_index *index, uint64_t sum)
{
    return sum >> (64 - index->places_log2);
}

static void insert(struct pool_index *index, uint64_t sum, uint64_t offset)
{
    uint64_t mask = ((uint64_t)1 << index->places_log2) - 1;
    uint64_t place = first_place(index, sum);

    for (unsigned probe = 0; probe < PROBES_MAX; probe++, place = (place + 1) & mask) {
        if (index->places[place].end == 0) {
            index->places[place] = (struct place){sum, offset + 1};
            return;
        }
        if (index->places[place].sum == sum) {
            return; /* the same content stood earlier */
        }
    }
}

enum ox_code pool_index_new(struct pool_index **out, const struct ox_source *base,
                            struct ox_stop *stop, const struct ox_progress *progress,
                            struct ox_err *err)
{
    struct cursor cursor = {0};
    struct pool_index *index = NULL;
    unsigned places_log2 = PLACES_LOG2_MIN;
    unsigned thin_log2 = 0;
    enum ox_code code = cursor_init(&cursor, base, err);

    if (code != OX_OK) {
        return code;
    }
    while (places_log2 < CHUNKS_MAX_LOG2 + 1 &&
           (uint64_t)FASTCDC_AVG_BYTES << (places_log2 - 1) < base->size_bytes) {
        places_log2++;
    }
    while ((uint64_t)FASTCDC_AVG_BYTES << CHUNKS_MAX_LOG2 < base->size_bytes >> thin_log2) {
        thin_log2++;
    }
    index = calloc(1, sizeof(*index) + (sizeof(struct place) << places_log2));
    if (index == NULL) {
        cursor_clear(&cursor);
        return ox_err_nomem(err, "an index of the base");
    }
    index->places_log2 = places_log2;
    index->thin_mask = ((uint64_t)1 << thin_log2) - 1;
    for (uint64_t at = 0; at < base->size_bytes;) {
        struct pool_chunk chunk;

        if (ox_stop_requested(stop)) {
            code = ox_err_set(err, OX_ECANCELED, "stopped while indexing the base");
        } else {
            code = pool_chunk_at(&cursor, at, &chunk, err);
        }
        if (code != OX_OK) {
            goto out;
        }
        if ((chunk.sum & index->thin_mask) == 0) {
            insert(index, chunk.sum, at);
        }
        at += chunk.len_bytes;
        ox_progress_update(progress, at, base->size_bytes);
    }
    *out = index;
    index = NULL;
out:
    free(index);
    cursor_clear(&cursor);
    return code;
}

void pool_index_free(struct pool_index *index)
{
    free(index);
}

bool pool_index_find(const struct pool_index *index, uint64_t sum, uint64_t *out_offset)
{
    uint64_t mask = ((uint64_t)1 << index->places_log2) - 1;
    uint64_t place = first_place(index, sum);

    for (unsigned probe = 0; probe < PROBES_MAX && index->places[place].end != 0;
         probe++, place = (place + 1) & mask) {
        if (index->places[place].sum == sum) {
            *out_offset = index->places[place].end - 1;
            return true;
        }
    }
    return false;
}
