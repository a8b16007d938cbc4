/** The contexts of the models in the tables of mixing.h, by their names: of mixing_numbers.c alone.
 */
#ifndef OXIDE_DELTA_MIXING_CONTEXTS_H
#define OXIDE_DELTA_MIXING_CONTEXTS_H

#include "mixing_known.h"

#define NAME(name) MODEL_##name,
enum { MIXING_OCTAVE_MODELS(NAME) };
#undef NAME
#define NAME(name) BELOW_##name,
enum { MIXING_BELOW_MODELS(NAME) };
#undef NAME
#define NAME(name) SIGN_##name,
enum { MIXING_SIGN_MODELS(NAME) };
#undef NAME

OX_MIX_INLINE unsigned level_context(int level)
{
    return (unsigned)mixing_clamp((level >> 2) + 32, 0, 127);
}

OX_MIX_INLINE unsigned context_place(const struct run *run, const struct number *n)
{
    uint32_t bits = n->from.bits;

    if (n->context >= 0) {
        return (unsigned)n->context * 8 +
               (unsigned)mixing_clamp((int)mixing_bit_length(bits & run->magnitude_mask), 0, 7);
    }
    if (!run->floats) {
        return run->width == 1 ? bits : mixing_bit_length(bits);
    }
    return (unsigned)mixing_clamp(n->from.exponent - run->reference + 48, 0, 63) << 2 |
           (bits >> (run->mantissa_bits - 2) & 3);
}

OX_MIX_INLINE unsigned context_about(const struct run *run, const struct number *n)
{
    (void)run;
    return level_context((n->level_expected + n->level_recent) >> 1);
}

OX_MIX_INLINE unsigned context_blurred(const struct run *run, const struct number *n)
{
    (void)run;
    return (unsigned)mixing_clamp(((n->level_beyond - n->level_error) >> 2) + 8, 0, 15) << 4 |
           (unsigned)(n->level_error >> 2 & 3) << 2 |
           (unsigned)mixing_clamp((n->level_error >> 4) + 2, 0, 3);
}

OX_MIX_INLINE unsigned context_guessed(const struct run *run, const struct number *n)
{
    (void)run;
    return level_context(n->level_beyond) * 2 + (n->level_beyond > n->level_error);
}

OX_MIX_INLINE unsigned below_octave(const struct run *run, const struct number *n, int octave)
{
    (void)run;
    return (unsigned)mixing_clamp(octave, 0, 63) << 2 | n->ratio;
}

OX_MIX_INLINE unsigned below_place(const struct run *run, const struct number *n, int octave)
{
    (void)octave;
    return context_place(run, n);
}

OX_MIX_INLINE unsigned below_beside(const struct run *run, const struct number *n, int octave)
{
    (void)run;
    return (unsigned)mixing_clamp(((OCTAVE * octave - n->level_beyond) >> 1) + 32, 0, 63) << 2 |
           (unsigned)mixing_clamp(((n->level_beyond - n->level_error) >> 3) + 1, 0, 3);
}

OX_MIX_INLINE unsigned below_value(const struct run *run, const struct number *n, int octave)
{
    (void)run;
    return n->context >= 0 ? (unsigned)(n->context * 8 + mixing_clamp(octave, 0, 7))
                           : (unsigned)mixing_clamp(octave + n->from.shift + 28, 0, 63);
}

OX_MIX_INLINE unsigned sign_size(const struct run *run, const struct number *n, int octave)
{
    unsigned over = (unsigned)mixing_clamp(((OCTAVE * octave - n->level_expected) >> 3) + 8, 0, 15);

    if (n->context >= 0) {
        return ((unsigned)n->context << 4 | over) << 1 | n->from.negative;
    }
    return over << 4 | (unsigned)mixing_clamp(n->from.exponent - run->reference + 12, 0, 15);
}

OX_MIX_INLINE unsigned sign_neighbours(const struct run *run, const struct number *n, int octave)
{
    const struct mixing_column *column = &run->self->columns[run->column];

    (void)octave;
    return (unsigned)((run->left_sign + 1) * 6 + (column->sign + 1) * 2 + n->from.negative);
}

OX_MIX_INLINE int outer(const struct run *run)
{
    return (int)((int64_t)run->agreement * run->self->columns[run->column].balance / 65536);
}

OX_MIX_INLINE unsigned sign_outer(const struct run *run, const struct number *n, int octave)
{
    int product = outer(run);

    (void)octave;
    return (unsigned)mixing_clamp(
               (int)mixing_bit_length((unsigned)(product < 0 ? -product : product)) - 9, 0, 7)
               << 2 |
           (unsigned)(product < 0) << 1 | n->from.negative;
}

OX_MIX_INLINE unsigned sign_side(const struct run *run, const struct number *n, int octave)
{
    (void)run;
    return (unsigned)mixing_clamp(((OCTAVE * octave - n->level_beyond) >> 3) + 8, 0, 15) << 6 |
           (unsigned)mixing_clamp(((n->level_error - n->level_beyond) >> 2) + 16, 0, 31) << 1 |
           n->inward;
}

#endif
