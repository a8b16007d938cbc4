/**
 * An index of the base by content: anchors are places where a rolling hash of the last 64 bytes has
 * zeros on top, so the same bytes give the same anchors wherever they stand. Memory does not grow
 * with the base: anchors are as much rarer as the base is larger.
 * Source: the gear hash of Ddelta (Xia et al., 2014) and FastCDC (Xia et al., 2016), section 3.
 */
#ifndef OXIDE_DELTA_INDEX_H
#define OXIDE_DELTA_INDEX_H

#include "oxide/base/io.h"
#include "oxide/base/stop.h"

#define INDEX_WINDOW 64 /* bytes that the hash sees */

struct anchor_index;

/** The rolling hash: feed byte after byte. */
struct roll {
    uint64_t hash;
};
extern const uint64_t roll_gear[256];
static inline uint64_t roll_byte(struct roll *roll, uint8_t byte)
{
    roll->hash = (roll->hash << 1) + roll_gear[byte];
    return roll->hash;
}

/** Read the whole base once. Errors: OX_ENOMEM, OX_ECANCELED, the base's own. */
enum ox_code anchor_index_new(struct anchor_index **out, const struct ox_source *base,
                              struct ox_stop *stop, struct ox_err *err);
void anchor_index_free(struct anchor_index *index);

/** Is this hash one of an anchor? Then its window's end in the base may be at *out_offset. */
bool anchor_index_find(const struct anchor_index *index, uint64_t hash, uint64_t *out_offset);

#endif
