/**
 * Static range coding by asymmetric numeral systems: symbols of up to 256 kinds, a table of
 * frequencies per context, states interleaved so that processors decode many at once.
 *
 * The stream of n symbols: a byte, log2 of the number of states (0 to 5); the encoder's final
 * states, 4 bytes each; then 16-bit words in the order in which a decoder wants them. Symbol i
 * belongs to state i modulo their number. Integer arithmetic only: every machine gives the same
 * bytes. docs/oxdl.md, "The static coder", specifies it.
 * Source: Duda, "Asymmetric numeral systems" (2013); Giesen, "Interleaved entropy coders" (2014).
 */
#ifndef OXIDE_ENTROPY_RANS_H
#define OXIDE_ENTROPY_RANS_H

#include "oxide/base/buf.h"
#include "oxide/base/reader.h"

#define OX_RANS_SCALE_BITS 12 /* frequencies of a table add up to 2^12 */
#define OX_RANS_SCALE (1u << OX_RANS_SCALE_BITS)
#define OX_RANS_CONTEXTS_MAX 32
#define OX_RANS_SYMBOLS_MAX 256
#define OX_RANS_LANES_MAX 32 /* states that are interleaved */

/** How often each symbol occurs in each context. Most streams use few of both: what lies beyond the
 *  bounds is not looked at. */
struct ox_rans_counts {
    unsigned contexts, symbols; /* no context, no symbol is as high */
    uint32_t count[OX_RANS_CONTEXTS_MAX][OX_RANS_SYMBOLS_MAX];
};

/** None yet, within these bounds. */
void ox_rans_counts_clear(struct ox_rans_counts *counts, unsigned contexts, unsigned symbols);

/** One table: frequencies that add up to OX_RANS_SCALE. */
struct ox_rans_table {
    uint16_t freq[OX_RANS_SYMBOLS_MAX];
    uint8_t top;      /* the symbol that has what the others leave: it is not described */
    uint8_t mantissa; /* bits of the others' frequencies that are described, below the highest */
};

/** What the coder works with. Neighbouring contexts may share a table. */
struct ox_rans_freqs {
    unsigned contexts; /* 1 and up; higher ones share the last's table */
    unsigned tables;
    uint8_t table_of[OX_RANS_CONTEXTS_MAX]; /* table_of[0] is 0; each next is the same or one up */
    struct ox_rans_table table[OX_RANS_CONTEXTS_MAX];
};

/**
 * Turn counts, at most 2^32 - 1 together, into frequencies that are cheap to describe. Contexts
 * that cost less with one table than with two share one. `quick` frequencies are described more
 * finely than pays: good enough to tell which of two ways to count is the better one.
 */
void ox_rans_freqs_from_counts(struct ox_rans_freqs *out, const struct ox_rans_counts *counts,
                               bool quick);

/** Describe frequencies, and read them back. Errors: OX_ENOMEM; OX_ECORRUPT. */
OX_MUST_USE enum ox_code ox_rans_freqs_put(const struct ox_rans_freqs *freqs, struct ox_buf *out,
                                           struct ox_err *err);
OX_MUST_USE enum ox_code ox_rans_freqs_read(struct ox_rans_freqs *out, struct ox_reader *reader,
                                            struct ox_err *err);

/** Bits that the symbols counted would take with these frequencies, in 1/256 of a bit, without
 *  tables. Integer arithmetic: a choice by cost is the same everywhere. */
uint64_t ox_rans_cost(const struct ox_rans_counts *counts, const struct ox_rans_freqs *freqs);

/** How many states suit n symbols that take about cost_bytes: many are fast, each takes 4 bytes. */
unsigned ox_rans_lanes(size_t n, uint64_t cost_bytes);

/**
 * Append the coded symbols. contexts[i] < OX_RANS_CONTEXTS_MAX; lanes is a power of two. The
 * processor's vectors are used where it has them, or never: both give the same bytes.
 * Errors: OX_ENOMEM, OX_EINVAL for a symbol without a frequency in its context.
 */
OX_MUST_USE enum ox_code ox_rans_encode(const struct ox_rans_freqs *freqs, unsigned lanes,
                                        bool vectors, const uint8_t *contexts,
                                        const uint8_t *symbols, size_t n, struct ox_buf *out,
                                        struct ox_err *err);

/** A decoder's tables, built once per set of frequencies: 16 KiB each. */
struct ox_rans_decoder;
OX_MUST_USE enum ox_code ox_rans_decoder_new(struct ox_rans_decoder **out, struct ox_err *err);
void ox_rans_decoder_free(struct ox_rans_decoder *decoder);
void ox_rans_decoder_load(struct ox_rans_decoder *decoder, const struct ox_rans_freqs *freqs);

/** Use the processor's vectors where it has them (as a new decoder does), or never. Both give the
 *  same symbols; tests compare them. */
void ox_rans_decoder_use_vectors(struct ox_rans_decoder *decoder, bool vectors);

/** A stream that is being decoded. */
struct ox_rans_stream {
    uint32_t state[OX_RANS_LANES_MAX];
    unsigned lanes;
    const uint8_t *at; /* the next word, in the reader's memory */
    const uint8_t *end;
    bool ended_early;
};

/** Begin at the reader, which stays where it is until ox_rans_decode_end. Errors: OX_ECORRUPT. */
OX_MUST_USE enum ox_code ox_rans_decode_begin(struct ox_rans_stream *stream,
                                              const struct ox_reader *reader, struct ox_err *err);

/**
 * Decode the next n symbols, whose contexts (each < OX_RANS_CONTEXTS_MAX) are known. In all calls
 * but the last n is a multiple of OX_RANS_LANES_MAX. Damage gives wrong symbols, each of them one
 * that the loaded frequencies know, and shows at the end.
 */
void ox_rans_decode_next(const struct ox_rans_decoder *decoder, struct ox_rans_stream *stream,
                         const uint8_t *contexts, uint8_t *symbols, size_t n);

/**
 * End behind the last symbol, where the reader then stands. Errors: OX_ECORRUPT for a stream that
 * ended early or whose states do not come back to where the encoder began. Damage within may go
 * unseen: who calls has a sum of the whole.
 */
OX_MUST_USE enum ox_code ox_rans_decode_end(const struct ox_rans_stream *stream,
                                            struct ox_reader *reader, struct ox_err *err);

/** The three in one call. */
OX_MUST_USE enum ox_code ox_rans_decode(const struct ox_rans_decoder *decoder,
                                        const uint8_t *contexts, uint8_t *symbols, size_t n,
                                        struct ox_reader *reader, struct ox_err *err);

#endif
