/**
 * Encoding one stretch of the target into frames: every way that fits is tried, and the one with
 * the fewest bytes is kept. Pure but for its sources: the same stretch gives the same bytes on
 * whichever thread.
 */
#ifndef OXIDE_DELTA_ENCODE_H
#define OXIDE_DELTA_ENCODE_H

#include "effort.h"
#include "oxide/delta/delta.h"
#include "pairs.h"

#define STRETCH_MAX ((uint32_t)1 << 20) /* bytes of target, which a RAW frame can always hold */
/* ... of bytes alone, which become edits: what they come from, of the same length, fits the frame.
 */
#define STRETCH_BYTES_MAX ((uint32_t)2 << 20)
#define STRETCH_PIECES_MAX 2048

enum piece_kind {
    PIECE_BYTES,  /* of no known meaning; or equal to a place of the base, wherever that is */
    PIECE_TENSOR, /* whole or part of a tensor, in its place: predicted as `how` says */
    PIECE_FRESH,  /* of a tensor, but nothing in the base tells of it */
};

struct piece {
    uint32_t len;
    enum piece_kind kind;
    bool has_base; /* PIECE_BYTES: base[base, base + len) is its likely origin */
    bool twin;     /* of a copy: its bytes are those of the target at `base` */
    uint64_t base;
    const struct tensor_pair *pair; /* NULL: bytes. Its prediction belongs to another thread */
    struct prediction how;          /* PIECE_TENSOR */
    bool mixes;                     /* PIECE_TENSOR: the slow coder pays */
};

struct stretch {
    uint64_t target;
    uint32_t len;
    bool copy;      /* all pieces are equal to the base: one COPY frame of up to 4 MiB */
    bool meaning;   /* some of it is of tensors: then at most STRETCH_MAX */
    uint32_t fresh; /* bytes that are not equal to the base: about as many, too */
    size_t piece_count;
    struct piece pieces[STRETCH_PIECES_MAX];
};

struct encoder;

/** ops: the operations that may be used. A patch of useless_bytes is of no use (UINT64_MAX: there
 * is no such limit): work on a frame ends where its body comes to that, and another way is taken.
 */
enum ox_code encoder_new(struct encoder **out, const struct ox_source *base,
                         const struct ox_source *target, uint64_t ops,
                         const struct effort_row *effort, uint64_t useless_bytes,
                         struct ox_err *err);
void encoder_free(struct encoder *encoder);

/** Append the frames of a stretch to `out` and count them in `stats`. */
enum ox_code encoder_run(struct encoder *encoder, const struct stretch *stretch, struct ox_buf *out,
                         struct ox_delta_stats *stats, struct ox_err *err);

/** The whole target, at most 4 MiB, as one frame of edits (or, where those may not be, of zstd) of
 *  the whole base, at most 4 MiB. *done is false if it does not fit a frame, or `limit` bytes. */
enum ox_code encoder_run_whole(struct encoder *encoder, size_t limit, struct ox_buf *out,
                               struct ox_delta_stats *stats, bool *done, struct ox_err *err);

#endif
