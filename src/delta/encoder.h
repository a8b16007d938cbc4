/** What the files that encode frames share: the encoder's working memory, and writing one frame. */
#ifndef OXIDE_DELTA_ENCODER_H
#define OXIDE_DELTA_ENCODER_H

#include "encode.h"
#include "numbers.h"

#include <zstd.h>

#define FRAME_PARTS_MAX 3072 /* of a NUMBERS frame */

struct encoder {
    const struct ox_source *base;
    const struct ox_source *target;
    uint64_t ops;
    const struct effort_row *effort;
    uint64_t useless_bytes; /* a body of so many is not made */
    ZSTD_CCtx *zstd;
    struct numbers numbers;
    struct edit_encoder *edit; /* NULL until it is needed */
    struct ox_buf bytes;       /* the stretch's target bytes */
    struct ox_buf prefix;      /* gathered base bytes */
    struct ox_buf diff;
    struct ox_buf planes;
    struct ox_buf packed;    /* one zstd output */
    struct ox_buf body[2];   /* candidates for a frame's body */
    struct ox_buf frames[2]; /* candidates for the stretch */
    struct ox_buf trial;     /* ... and for bytes among its numbers */
    struct ox_oxdl_range ranges[STRETCH_PIECES_MAX + 1];
    size_t range_count;
    struct edit_hint hints[STRETCH_PIECES_MAX];
    size_t hint_count;
    uint32_t
        noise; /* bytes that edits of what is in `prefix` would only pass on: about, at least */
    uint64_t noise_put; /* ... and so many in what put_bytes_frames put last */
    struct piece cut[STRETCH_PIECES_MAX];
    struct part parts[FRAME_PARTS_MAX]; /* of the NUMBERS frame that is being made */
    size_t part_count;
};

/** May frames of this operation be written? */
static inline bool may(const struct encoder *self, enum ox_oxdl_op op)
{
    return (self->ops >> op & 1) != 0;
}

/** What is slow is not tried where it could save less than this share. */
#define WORTH_SHARE 64

/** Can `limit` bytes become clearly fewer where `noise` of them are noise? */
static inline bool noise_leaves_room(uint64_t noise, size_t limit)
{
    return noise < limit - limit / WORTH_SHARE;
}

/** Fill `out` with len bytes of the source. */
enum ox_code read_bytes(const struct ox_source *source, uint64_t offset, size_t len,
                        struct ox_buf *out, struct ox_err *err);

/** Append one frame and count it. body may be NULL. */
enum ox_code put_frame(struct ox_buf *out, enum ox_oxdl_op op, uint64_t target,
                       const uint8_t *bytes, uint32_t n, const struct ox_oxdl_range *ranges,
                       size_t range_count, const struct ox_buf *body, struct ox_delta_stats *stats,
                       struct ox_err *err);

/* --- encode_bytes.c: bytes without meaning --- */

/**
 * Compress into self->packed, into less than `limit` bytes. far: find long copies in all of the
 * prefix, which a low level does not. *fits is false where that cannot be
 * done: then packed holds nothing of use.
 */
enum ox_code zstd_pack(struct encoder *self, const uint8_t *bytes, size_t n,
                       const struct ox_buf *prefix, int level, bool far, size_t limit, bool *fits,
                       struct ox_err *err);

/**
 * Frames for n bytes of the stretch: EDIT, ZSTD or RAW, whichever is smallest. `beat` is what they
 * must cost less than to be of use: where a fast try is far from it, no better one is made.
 */
enum ox_code put_bytes_frames(struct encoder *self, const struct piece *pieces, size_t count,
                              uint64_t target, const uint8_t *bytes, uint32_t n, size_t beat,
                              struct ox_buf *out, struct ox_delta_stats *stats, struct ox_err *err);

/* --- encode_numbers.c: numbers, and the bytes between them --- */

/** NUMBERS frames for pieces that follow each other, n bytes in all. *fits is false if they do not
 *  fit: then `out` and `stats` hold nothing of use. */
enum ox_code put_numbers_frames(struct encoder *self, const struct piece *pieces, size_t count,
                                uint64_t target, const uint8_t *bytes, struct ox_buf *out,
                                struct ox_delta_stats *stats, bool *fits, struct ox_err *err);

/* --- encode_planes.c: numbers that have no model --- */

/** The better of an XOR and a SUB frame for a piece of numbers of `width` bytes. *fits is false
 * where that would have more bytes than the piece. */
enum ox_code put_planes_frame(struct encoder *self, const struct piece *piece, unsigned width,
                              uint64_t target, const uint8_t *bytes, struct ox_buf *out,
                              struct ox_delta_stats *stats, bool *fits, struct ox_err *err);

#endif
