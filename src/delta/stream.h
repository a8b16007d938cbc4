/**
 * Coding a stream of numbers against predictions of them that both sides know. docs/oxdl.md,
 * operation "numbers", specifies the bytes.
 *
 * Every kind of number is mapped to integers in its own order, a bijection, so that neighbours
 * differ by 1 and every NaN comes back as it was. What is coded is the integer difference to the
 * prediction, under contexts that both sides know: the magnitude of the prediction, the size of the
 * update near by; or, where nothing predicts, the number itself by its own statistics.
 *
 * To add a coder: a value in enum coder_id and its cases in stream.c, its functions in a file of
 * its own, a section in docs/oxdl.md.
 */
#ifndef OXIDE_DELTA_STREAM_H
#define OXIDE_DELTA_STREAM_H

#include "oxide/base/buf.h"
#include "oxide/base/reader.h"

/** Most numbers of one stream: a decoder's memory is bounded by it. */
#define STREAM_COUNT_MAX ((size_t)1 << 20)

/** The same of a stream that comes with contexts. */
#define STREAM_GIVEN_MAX ((size_t)1 << 19)

/** Contexts that a predictor may tell apart by itself. */
#define STREAM_CONTEXTS_MAX 32

/** What the numbers are; little-endian. Values are pinned: they stand in patches. */
enum number_kind {
    NUMBER_U8 = 0, /* bytes, or small unsigned values, of no known meaning */
    NUMBER_I8 = 1,
    NUMBER_I16 = 2,
    NUMBER_I32 = 3,
    NUMBER_F8E4M3 = 4,
    NUMBER_F8E5M2 = 5,
    NUMBER_F16 = 6,
    NUMBER_BF16 = 7,
    NUMBER_F32 = 8,
    NUMBER_KIND_COUNT = 9,
};

struct number_kind_row {
    uint8_t width;         /* bytes */
    bool sign_magnitude;   /* a float: the top bit is the sign, the rest the magnitude */
    uint8_t mantissa_bits; /* floats */
};
extern const struct number_kind_row number_kinds[NUMBER_KIND_COUNT];

/** The bits of a number without its sign; of integers, the absolute value. */
uint32_t number_magnitude(enum number_kind kind, const uint8_t *number);

/** Numbers of a stream that come from one tensor: where a coder learns by row and column. */
struct stream_part {
    uint32_t count;
    uint32_t columns; /* numbers of a row; 0: not known, or one row */
    uint32_t column;  /* of the part's first number */
};

/** What both sides know of a stream. All lent. */
struct stream {
    enum number_kind kind;
    bool fresh;                      /* nothing predicts these: `predicted` is all zero */
    size_t count;                    /* of numbers, at most STREAM_COUNT_MAX */
    const uint8_t *predicted;        /* count numbers */
    const uint8_t *contexts;         /* count, each < STREAM_CONTEXTS_MAX; NULL: by `predicted` */
    const struct stream_part *parts; /* their counts add up to count */
    size_t part_count;
};

/** Working memory of all coders, kept from stream to stream. */
struct stream_coder;
enum ox_code stream_coder_new(struct stream_coder **out, struct ox_err *err);
void stream_coder_free(struct stream_coder *coder);
/** Bytes that a decoder holds, about. */
size_t stream_coder_held(const struct stream_coder *coder);

/** May streams be coded by the slow coder, too, that learns as it goes? */
enum stream_mixing {
    MIX_NEVER,
    MIX_WHERE_IT_PAYS, /* encode_numbers.c: in tensors that a trial found it to win much for */
    MIX_ALWAYS,        /* wherever it is smaller */
};

/** Append the coding of `numbers` (stream->count of them): the smaller one, if `mixes`. */
enum ox_code stream_encode(struct stream_coder *coder, const struct stream *stream,
                           const uint8_t *numbers, bool mixes, struct ox_buf *body,
                           struct ox_err *err);

/** About how many bytes stream_encode would take, tables and all, in a fraction of its time. */
enum ox_code stream_cost(struct stream_coder *coder, const struct stream *stream,
                         const uint8_t *numbers, uint64_t *cost_bytes, struct ox_err *err);

/** Decode stream->count numbers from the front of `body`, which then stands behind them.
 *  Errors: OX_ECORRUPT, OX_ENOMEM. */
enum ox_code stream_decode(struct stream_coder *coder, const struct stream *stream,
                           uint8_t *numbers, struct ox_reader *body, struct ox_err *err);

#endif
