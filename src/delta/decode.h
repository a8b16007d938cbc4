/** Rebuild the target bytes of one frame. */
#ifndef OXIDE_DELTA_DECODE_H
#define OXIDE_DELTA_DECODE_H

#include "edit.h"
#include "numbers.h"
#include "oxide/patch/oxdl.h"

/** Working memory, kept from frame to frame. Zero-initialise; release with decoder_clear. */
struct decoder {
    struct ox_buf out;    /* the rebuilt bytes */
    struct ox_buf gather; /* the bytes of the ranges */
    struct ox_buf planes;
    struct numbers numbers;
    struct edit_model *edit; /* NULL until it is needed */
    void *zstd;
};

void decoder_clear(struct decoder *decoder);

/** Where a frame's ranges read from: the base, and the target rebuilt so far (read_at may be NULL:
 *  then such ranges are OX_EUNSUPPORTED). */
struct decode_input {
    const struct ox_source *base;
    void *target_ctx;
    enum ox_code (*target_read_at)(void *ctx, uint64_t offset, void *out, size_t len_bytes,
                                   struct ox_err *err);
};

/** Rebuild into decoder->out (frame->target_bytes long) and check the frame's sum.
 *  Errors: OX_ECORRUPT, OX_ENOMEM, the inputs' own. */
enum ox_code decode_frame(struct decoder *decoder, const struct decode_input *input,
                          const struct ox_oxdl_frame *frame, struct ox_err *err);

/** Make room for len_bytes in a working buffer, contents lost, and set its length. */
enum ox_code buf_resize(struct ox_buf *buf, size_t len_bytes, struct ox_err *err);

#endif
