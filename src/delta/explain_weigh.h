/** How much of what a frame rebuilds has changed, piece by piece: by that its bytes are shared out.
 */
#ifndef OXIDE_DELTA_EXPLAIN_WEIGH_H
#define OXIDE_DELTA_EXPLAIN_WEIGH_H

#include "oxide/patch/oxdl.h"
#include "predict.h"

/** Bytes of a frame's target that belong to one row and are predicted in one way. */
struct piece_share {
    size_t row;
    uint32_t target_bytes;
    uint8_t word; /* how: an operation, or OX_OXDL_OP_COUNT + a predictor */
    uint64_t weight;
};

/** Working memory. Set the sources, zero the rest; release with weigher_clear. */
struct weigher {
    const struct ox_source *base;
    const struct ox_source *target;
    struct ox_buf gathered; /* base bytes of a part */
    struct ox_buf bytes;    /* its target bytes, or a slice of a frame's */
    struct ox_buf predicted;
    struct ox_buf values;
    struct ox_buf contexts;
    struct ox_buf seen; /* a bit for each run of 8 bytes that was seen, by its sum */
};
void weigher_clear(struct weigher *self);

/** Where the next bytes of a frame's ranges, laid end to end, come from. Begin with {frame, 0, 0}.
 */
struct gathering {
    const struct ox_oxdl_frame *frame;
    size_t range;
    uint64_t at; /* in that range */
};

/** Changed bytes of one part of a NUMBERS frame, with what it sends, whose target bytes begin at
 * `target`; the gathering moves on. Errors: OX_ECORRUPT if the ranges end before the part's base
 * bytes do; the sources'. */
enum ox_code weigh_part(struct weigher *self, struct gathering *from, const struct part *part,
                        uint64_t target, uint64_t *changed, struct ox_err *err);

/** Set the weights of all pieces of a frame of another operation. Errors: as above. */
enum ox_code weigh_frame(struct weigher *self, const struct ox_oxdl_frame *frame,
                         struct piece_share *pieces, size_t count, struct ox_err *err);

#endif
