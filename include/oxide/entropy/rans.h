/**
 * Static range coding by asymmetric numeral systems: symbols of up to 256 kinds, a table of
 * frequencies per context, states interleaved so that processors decode many at once.
 *
 * The stream of n symbols: the final states of the encoder, 4 bytes each, then 16-bit words in the
 * order in which a decoder wants them. Integer arithmetic only: every machine gives the same bytes.
 * Source: Duda, "Asymmetric numeral systems" (2013); Giesen, "Interleaved entropy coders" (2014).
 */
#ifndef OXIDE_ENTROPY_RANS_H
#define OXIDE_ENTROPY_RANS_H

#include "oxide/base/buf.h"
#include "oxide/base/reader.h"

#define OX_RANS_SCALE_BITS 12 /* frequencies of a context add up to 2^12 */
#define OX_RANS_SCALE (1u << OX_RANS_SCALE_BITS)
#define OX_RANS_CONTEXTS_MAX 32
#define OX_RANS_SYMBOLS_MAX 256
#define OX_RANS_LANES 16 /* states that are interleaved, where there are symbols enough */

/** How often each symbol occurs in each context. */
struct ox_rans_counts {
    uint32_t count[OX_RANS_CONTEXTS_MAX][OX_RANS_SYMBOLS_MAX];
};

/** What the coder works with. A context that does not occur is all zero; one of a single symbol has
 *  OX_RANS_SCALE there. */
struct ox_rans_freqs {
    unsigned contexts;
    uint16_t freq[OX_RANS_CONTEXTS_MAX][OX_RANS_SYMBOLS_MAX];
};

/**
 * Turn counts into frequencies that are cheap to describe: five significant bits each.
 */
void ox_rans_freqs_from_counts(struct ox_rans_freqs *out, const struct ox_rans_counts *counts,
                               unsigned contexts);

/** Describe frequencies, and read them back. Errors: OX_ENOMEM; OX_ECORRUPT. */
OX_MUST_USE enum ox_code ox_rans_freqs_put(const struct ox_rans_freqs *freqs, struct ox_buf *out,
                                           struct ox_err *err);
OX_MUST_USE enum ox_code ox_rans_freqs_read(struct ox_rans_freqs *out, struct ox_reader *reader,
                                            struct ox_err *err);

/** Bits that the symbols counted would take with these frequencies, in 1/256 of a bit, without
 *  tables. Integer arithmetic: a choice by cost is the same everywhere. */
uint64_t ox_rans_cost(const struct ox_rans_counts *counts, const struct ox_rans_freqs *freqs);

/**
 * Append the coded symbols. contexts[i] < freqs->contexts, and every symbol has a frequency in its
 * context. Errors: OX_ENOMEM, OX_EINVAL for a symbol without one.
 */
OX_MUST_USE enum ox_code ox_rans_encode(const struct ox_rans_freqs *freqs, const uint8_t *contexts,
                                        const uint8_t *symbols, size_t n, struct ox_buf *out,
                                        struct ox_err *err);

/** A decoder's tables, built once per set of frequencies: 16 KiB per context. */
struct ox_rans_decoder;
OX_MUST_USE enum ox_code ox_rans_decoder_new(struct ox_rans_decoder **out, struct ox_err *err);
void ox_rans_decoder_free(struct ox_rans_decoder *decoder);
void ox_rans_decoder_load(struct ox_rans_decoder *decoder, const struct ox_rans_freqs *freqs);

/**
 * Decode n symbols, whose contexts are known, from the front of `reader`, which then stands behind
 * them. contexts[i] < OX_RANS_CONTEXTS_MAX. Errors: OX_ECORRUPT for a stream that ends early or
 * whose states do not come back to where the encoder began. Damage within may also give other
 * symbols: who calls has a sum of the whole.
 */
OX_MUST_USE enum ox_code ox_rans_decode(const struct ox_rans_decoder *decoder,
                                        const uint8_t *contexts, uint8_t *symbols, size_t n,
                                        struct ox_reader *reader, struct ox_err *err);

#endif
