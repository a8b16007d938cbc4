/**
 * The body of a NUMBERS frame: parts, each with its predictor, and the streams of what their
 * numbers differ by. docs/oxdl.md, operation "numbers", specifies it.
 */
#ifndef OXIDE_DELTA_NUMBERS_H
#define OXIDE_DELTA_NUMBERS_H

#include "predict.h"

#include "oxide/patch/oxdl.h"

#define NUMBERS_PARTS_MAX 4096                 /* parts of one frame */
#define NUMBERS_BASE_MAX OX_OXDL_NUMBERS_MAX   /* bytes of the base that it is predicted from */
#define NUMBERS_TARGET_MAX OX_OXDL_NUMBERS_MAX /* bytes that one frame rebuilds */

/** Working memory. Zero-initialise; release with numbers_clear. */
struct numbers {
    struct stream_coder *coder;
    struct ox_buf predicted;
    struct ox_buf contexts;
    struct ox_buf values;
    struct ox_buf stream_parts;
    struct ox_buf sent; /* of all parts */
    struct ox_buf fitting;
    struct ox_buf parts; /* decoder: of the frame at hand */
};
void numbers_clear(struct numbers *self);
/** Bytes that it holds, about. */
size_t numbers_held(const struct numbers *self);

/** Append the body for parts that together have n bytes of target; `base` holds the bytes that
 *  they are predicted from, one part's after the other's. */
enum ox_code numbers_encode(struct numbers *self, const struct part *parts, size_t part_count,
                            const uint8_t *target, const uint8_t *base, bool mixes,
                            struct ox_buf *body, struct ox_err *err);

/** About what numbers_encode would append. */
enum ox_code numbers_cost(struct numbers *self, const struct part *parts, size_t part_count,
                          const uint8_t *target, const uint8_t *base, uint64_t *cost_bytes,
                          struct ox_err *err);

/** Rebuild n bytes of target from a body and the gathered base bytes.
 *  Errors: OX_ECORRUPT, OX_ENOMEM. */
enum ox_code numbers_decode(struct numbers *self, struct ox_reader *body, const uint8_t *base,
                            size_t base_bytes, uint8_t *target, size_t n, struct ox_err *err);

/** Read the parts at the front of a body into self->parts; *count says how many. */
enum ox_code numbers_read_parts(struct numbers *self, struct ox_reader *body, size_t n,
                                size_t *count, struct ox_err *err);

/** Read what those parts send, which comes next, into self->sent, and lend it to them. */
enum ox_code numbers_read_sent(struct numbers *self, struct ox_reader *body, size_t part_count,
                               struct ox_err *err);

#endif
