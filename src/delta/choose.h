/** Which predictor fits a tensor: all that may are tried on samples, and the cheapest is taken. */
#ifndef OXIDE_DELTA_CHOOSE_H
#define OXIDE_DELTA_CHOOSE_H

#include "numbers.h"
#include "pairs.h"

/** Numbers of this dtype, as the coder knows them; false if it has no model for them. */
bool number_kind_of(enum ox_dtype dtype, enum number_kind *kind);

/** What is taken where nothing is tried: the same number, or nothing. */
struct prediction prediction_default(const struct tensor_pair *pair);

/** What the last trial of scales found, of each nature of numbers that choose_scales.c knows.
 *  Tensors smaller than that one for which they do not pay tell nothing. */
#define CHOOSER_NATURES 3
struct chooser_scales {
    uint8_t way; /* place in the list of ways + 1; 0: none pays */
    uint32_t bytes;
};

struct chooser {
    const struct ox_source *base;
    const struct ox_source *target;
    enum stream_mixing mixing; /* may the slow coder be used? */
    struct numbers numbers;
    struct ox_buf from; /* samples */
    struct ox_buf to;
    struct ox_buf bodies[2];
    uint64_t seen; /* numbers of the tensors so far, and those on which the slow coder was tried */
    uint64_t tried;
    uint64_t mixed;        /* numbers that are coded slowly */
    bool pays;             /* what the last trial found */
    uint64_t fitted;       /* numbers on which factors were tried */
    uint8_t rank;          /* what the last trial found; 0: they do not pay */
    uint64_t scale_trials; /* bytes on which scales were tried */
    struct chooser_scales scales[CHOOSER_NATURES];
};
void chooser_clear(struct chooser *self);

/** The first bytes of both sides, as many as both have, into `from` and `to`. Errors: OX_ENOMEM,
 *  the sources' own. */
enum ox_code chooser_read_front(struct chooser *self, const struct tensor_pair *pair,
                                uint32_t bytes, struct ox_err *err);

/** Set pair->prediction and pair->mixes. Errors: OX_ENOMEM, the sources' own. */
enum ox_code choose_prediction(struct chooser *self, struct tensor_pair *pair, struct ox_err *err);

/** Set what follows from a part's numbers: the threshold of pruned ones, how far scaled ones are
 *  off. Errors: OX_ENOMEM. */
enum ox_code settle_part(struct numbers *numbers, struct part *part, const uint8_t *target,
                         const uint8_t *base, struct ox_err *err);

/** The threshold that tells best which of n bytes of numbers became zero: see PREDICT_PRUNED. 0 if
 *  none did. */
uint32_t choose_threshold(enum number_kind kind, const uint8_t *base, const uint8_t *target,
                          size_t n);

#endif
