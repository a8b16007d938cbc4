/** What both paths of the coder need: the portable one, and that for the processor's vectors. */
#ifndef OXIDE_ENTROPY_RANS_INNER_H
#define OXIDE_ENTROPY_RANS_INNER_H

#include "oxide/entropy/rans.h"

#define RANS_STATE_LOW 0x10000u /* a state is at least this between symbols */
#define RANS_MASK (OX_RANS_SCALE - 1)

struct ox_rans_decoder {
    /* Per table and slot: symbol, frequency - 1 above 8 bits, slot - start above 20 bits. */
    uint32_t slot[OX_RANS_CONTEXTS_MAX << OX_RANS_SCALE_BITS];
    uint8_t table_of[OX_RANS_CONTEXTS_MAX];
    bool vectors;
    /* Of 8 lanes, those whose bit is set take the next words in turn: row k says which word each
     * takes. */
    uint8_t word_of_lane[256][8];
};

/** Does this processor have what the following two need? They are for 16 and 32 lanes. */
bool rans_have_vectors(void);

/** Encode n symbols, whole rounds, the last first. Their words go in front of *at, which then
 *  stands at the first of them; 16 bytes in front of that are written, too. *known is cleared for a
 *  symbol without a frequency. Errors: OX_ENOMEM. */
enum ox_code rans_encode_vectors(const struct ox_rans_freqs *freqs, unsigned lanes, uint32_t *state,
                                 const uint8_t *contexts, const uint8_t *symbols, size_t n,
                                 uint8_t **at, bool *known, struct ox_err *err);

/** Decode whole rounds while words are plenty; how many symbols. */
size_t rans_decode_vectors(const struct ox_rans_decoder *decoder, struct ox_rans_stream *in,
                           const uint8_t *contexts, uint8_t *symbols, size_t n);

#endif
