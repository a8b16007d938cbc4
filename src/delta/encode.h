/**
 * Encoding one stretch of the target, at most 1 MiB, into frames: every way that fits is tried, and
 * the one with the fewest bytes is kept. Pure but for its sources: the same stretch gives the same
 * bytes on whichever thread.
 */
#ifndef OXIDE_DELTA_ENCODE_H
#define OXIDE_DELTA_ENCODE_H

#include "oxide/delta/delta.h"

#define STRETCH_MAX ((uint32_t)1 << 20) /* bytes of target; a body then always fits its frame */
#define STRETCH_PIECES_MAX 1024

struct piece {
    uint32_t len;
    bool has_base;
    uint64_t base;
    uint8_t width; /* 0: not known */
    uint16_t stride;
};

struct stretch {
    uint64_t target;
    uint32_t len;
    bool copy; /* all pieces are equal to the base: one COPY frame of up to 4 MiB */
    size_t piece_count;
    struct piece pieces[STRETCH_PIECES_MAX];
};

struct encoder;

/** ops: the operations that may be used. */
enum ox_code encoder_new(struct encoder **out, const struct ox_source *base,
                         const struct ox_source *target, uint64_t ops, struct ox_err *err);
void encoder_free(struct encoder *encoder);

/** Append the frames of a stretch to `out` and count them in `stats`. */
enum ox_code encoder_run(struct encoder *encoder, const struct stretch *stretch, struct ox_buf *out,
                         struct ox_delta_stats *stats, struct ox_err *err);

/** The whole target, at most 4 MiB, as one ZSTD frame with the whole base, at most 4 MiB, as
 * prefix. *done is false if it does not fit a frame. */
enum ox_code encoder_run_whole(struct encoder *encoder, struct ox_buf *out,
                               struct ox_delta_stats *stats, bool *done, struct ox_err *err);

#endif
