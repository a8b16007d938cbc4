#include "mixing_contexts.h"

#define MIXED_BITS 3 /* below the top one that all models mix for */

/* --- coding --- */

enum walk { WALK_FIRST = 0, WALK_UP = 1, WALK_DOWN = 2 };

/* Is the octave at least `at`? */
OX_MIX_INLINE bool code_step(struct run *run, struct ox_mix_coder *coder, bool encodes, bool bit,
                             const struct number *n, ox_mix_state *const base[OCTAVE_MODELS],
                             enum walk walk, int at)
{
    unsigned first = (unsigned)walk * NODE_OCTAVES;
    unsigned node = first + (unsigned)mixing_clamp(at, 0, NODE_OCTAVES - 1);
    int ratio = mixing_clamp(((n->level_beyond - n->level_error) >> 4) + 1, 0, 3);
    ox_mix_state *states[OCTAVE_MODELS];

    for (unsigned m = 0; m < OCTAVE_MODELS; m++) {
        states[m] = base[m] + node;
    }
    /* this one is alike at every size: its octaves count from the error's */
    states[MODEL_blurred] = base[MODEL_blurred] + first +
                            mixing_clamp(at - (n->level_error >> 4) + 12, 0, NODE_OCTAVES - 1);
    return ox_mix_code(coder, encodes, bit, states, run->self->octave_weights[ratio][node],
                       OCTAVE_MODELS, 255, 6) != 0;
}

/* From the octave that is expected up or down to where it is. */
OX_MIX_INLINE int code_octave(struct run *run, struct ox_mix_coder *coder, bool encodes, int octave,
                              const struct number *n)
{
    int at = mixing_clamp((n->level + OCTAVE) >> 4, run->octave_low + 1, run->octave_high);
#define BASE(name) run->self->octave[MODEL_##name][context_##name(run, n)],
    ox_mix_state *const base[OCTAVE_MODELS] = {MIXING_OCTAVE_MODELS(BASE)};
#undef BASE

    if (code_step(run, coder, encodes, octave >= at, n, base, WALK_FIRST, at)) {
        while (at < run->octave_high &&
               code_step(run, coder, encodes, octave > at, n, base, WALK_UP, at + 1)) {
            at++;
        }
        return at;
    }
    while (at > run->octave_low + 1) {
        at--;
        if (code_step(run, coder, encodes, octave >= at, n, base, WALK_DOWN, at)) {
            return at;
        }
    }
    return run->octave_low;
}

/* The bits below the top one, `bits` of them: the first are mixed, some more have one model, the
 * rest are raw. */
OX_MIX_INLINE uint32_t code_below(struct run *run, struct ox_mix_coder *coder, bool encodes,
                                  uint32_t value, int octave, unsigned bits, const struct number *n)
{
#define BASE(name) run->self->below[BELOW_##name][below_##name(n, octave)],
    ox_mix_state *const base[BELOW_MODELS] = {MIXING_BELOW_MODELS(BASE)};
#undef BASE
    unsigned modelled = bits < MIXING_BELOW_BITS ? bits : MIXING_BELOW_BITS;
    unsigned mixed = bits < MIXED_BITS ? bits : MIXED_BITS;
    unsigned node = 1;

    bits -= modelled;
    for (unsigned k = modelled; k-- > modelled - mixed;) {
        ox_mix_state *states[BELOW_MODELS];

        for (unsigned m = 0; m < BELOW_MODELS; m++) {
            states[m] = base[m] + node;
        }
        node = node << 1 | ox_mix_code(coder, encodes, value >> (bits + k) & 1, states,
                                       run->self->below_weights[node], BELOW_MODELS, 1000, 3);
    }
    for (unsigned k = modelled - mixed; k-- > 0;) {
        node = node << 1 | ox_mix_code_one(coder, encodes, value >> (bits + k) & 1,
                                           base[BELOW_value] + node, 1000);
    }
    node ^= 1u << modelled;
    while (bits > 0) {
        unsigned take = bits < 16 ? bits : 16;

        bits -= take;
        node = node << take |
               ox_mix_code_raw(coder, encodes, value >> bits & ((1u << take) - 1), take);
    }
    return node;
}

/* inward: towards 0, or for fresh floats below 0 */
OX_MIX_INLINE bool code_sign(struct run *run, struct ox_mix_coder *coder, bool encodes, bool inward,
                             int octave, const struct number *n)
{
    int ratio = mixing_clamp(((n->level_beyond - n->level_error) >> 4) + 1, 0, 3);
#define STATE(name) &run->self->sign[SIGN_##name][sign_##name(run, n, octave)],
    ox_mix_state *const states[SIGN_MODELS] = {MIXING_SIGN_MODELS(STATE)};
#undef STATE

    return ox_mix_code(coder, encodes, inward, states, run->self->sign_weights[ratio], SIGN_MODELS,
                       1000, 3) != 0;
}

/* --- learning --- */

static void begin_row(struct run *run)
{
    run->column = 0;
    run->row_count = 0;
    run->above_left_sign = 0;
    run->agreement = 0;
}

static void begin_part(struct run *run, const struct stream_part *part)
{
    bool tracked = part->columns > 0 && part->columns <= MIXING_COLUMNS_MAX;

    run->columns = tracked ? part->columns : 0;
    begin_row(run);
    run->column = tracked ? part->column % part->columns : 0;
    run->rows = 0;
    run->part_count = 0;
    run->sizes.part = run->sizes.row = 0;
    run->errors.part = run->errors.row = 0;
    memset(run->self->columns, 0, (tracked ? run->columns : 1) * sizeof(run->self->columns[0]));
    run->guesses = run->floats && !run->fresh && tracked && part->columns >= 8 &&
                   part->columns <= LOWRANK_COLUMNS_MAX && part->count / part->columns >= 4;
    run->plain = run->guessed = 0;
    run->nearer = 0;
    if (run->guesses) {
        lowrank_begin(&run->self->lowrank, run->columns, run->column);
    }
}

static inline void learn_guess(struct run *run, double update, double guess)
{
    double off = update - guess;

    if (!(update < UPDATE_MAX && update > -UPDATE_MAX)) {
        update = 0;
        off = 0;
    }
    run->plain += ((update < 0 ? -update : update) - run->plain) * (1.0 / 128);
    run->guessed += ((off < 0 ? -off : off) - run->guessed) * (1.0 / 128);
    lowrank_learn(&run->self->lowrank, update);
}

static inline void learn_sign(struct run *run, struct mixing_column *column, int sign)
{
    run->left2_sign = run->left_sign;
    run->left_sign = sign;
    run->above_left_sign = column->sign;
    if (sign != 0 && run->columns > 0) {
        int agrees = (column->balance < 0) == (sign < 0) ? 65536 : -65536;

        run->agreement += column->balance == 0 ? 0 : (agrees - run->agreement) / 16;
        column->balance += ((run->agreement < 0 ? -sign : sign) * 65536 - column->balance) / 8;
    }
    column->sign = run->columns > 0 ? sign : 0;
}

static inline void advance(struct run *run)
{
    run->part_count++;
    run->row_count++;
    if (run->columns > 0 && ++run->column == run->columns) {
        begin_row(run);
        run->rows++;
    }
}

/* How far a number is from its prediction in the prediction's steps, also where the exponent is
 * another: in the order of floats each octave has the same length. */
static inline uint64_t straight(const struct run *run, const struct place *base, uint32_t target,
                                uint32_t steps)
{
    int up;

    if (!run->floats || steps >> run->mantissa_bits == 0) {
        return (uint64_t)steps << base->shift;
    }
    up = place_of(run, target).exponent - base->exponent;
    return (uint64_t)1 << (base->shift + (int)run->mantissa_bits + mixing_clamp(up, 0, 10));
}

/* --- one number --- */

/* One that has a prediction. */
OX_MIX_INLINE uint32_t code_near(struct run *run, struct ox_mix_coder *coder, bool encodes,
                                 uint32_t target, size_t i)
{
    struct mixing_column *column = &run->self->columns[run->column];
    const struct number n = look(run, column, i);
    uint32_t from = ordered(run, n.from.bits);
    uint32_t steps = 0;
    uint32_t size = 0;
    bool inward = false;
    int octave;

    if (encodes) {
        steps = extend(run, ordered(run, target) - from);
        inward = (steps >> 31 != 0) != n.from.negative;
        size = steps >> 31 != 0 ? 0 - steps : steps;
    }
    octave = code_octave(run, coder, encodes, (int)mixing_bit_length(size), &n);
    if (octave < 2) {
        size = (uint32_t)octave;
    } else {
        size = 1u << (octave - 1) |
               code_below(run, coder, encodes, size, octave, (unsigned)octave - 1, &n);
    }
    inward = size != 0 && code_sign(run, coder, encodes, inward, octave, &n);
    steps = inward != n.from.negative ? 0 - size : size;
    target = ordered(run, from + steps) & (2 * run->magnitude_mask + 1);
    if (run->guesses) {
        uint64_t off = distance((int64_t)size * (inward ? -16 : 16) - n.beyond);
        uint64_t error = off << (n.from.shift - 4);

        learn_means(run, &run->errors, &column->error, error);
        learn_guess(run, value_of(run, target) - value_of(run, n.base.bits), n.guess);
        steps = extend(run, ordered(run, target) - ordered(run, n.base.bits));
        size = steps >> 31 != 0 ? 0 - steps : steps;
        if (size != 0) {
            run->nearer +=
                ((level_of((uint64_t)size << 4) - level_of(off)) * 256 - run->nearer) >> 7;
        }
    }
    learn_means(run, &run->sizes, &column->size, straight(run, &n.base, target, size));
    learn_sign(run, column, size == 0 ? 0 : steps >> 31 != 0 ? -1 : 1);
    advance(run);
    return target;
}

/* One float by itself: its exponent is the octave, its mantissa the bits below. */
OX_MIX_INLINE uint32_t code_fresh(struct run *run, struct ox_mix_coder *coder, bool encodes,
                                  uint32_t target, size_t i)
{
    struct mixing_column *column = &run->self->columns[run->column];
    const struct number n = look(run, column, i);
    uint32_t one = 1u << run->mantissa_bits;
    int offset = FRESH_REFERENCE - run->reference;
    int octave = (int)((target & run->magnitude_mask) >> run->mantissa_bits) + offset;
    uint32_t mantissa;
    uint64_t size;
    int up;
    bool negative;

    octave = code_octave(run, coder, encodes, octave, &n);
    mantissa = code_below(run, coder, encodes, target & (one - 1), octave, run->mantissa_bits, &n);
    negative = code_sign(run, coder, encodes, target >> run->sign_bit != 0, octave, &n);
    up = mixing_clamp(octave - FRESH_REFERENCE, -40, 20);
    size = (uint64_t)(mantissa | one) << UNIT_SHIFT >> run->mantissa_bits;
    learn_means(run, &run->sizes, &column->size, up < 0 ? size >> -up : size << up);
    learn_sign(run, column, negative ? -1 : 1);
    advance(run);
    return (uint32_t)(octave - offset) << run->mantissa_bits | mantissa |
           (uint32_t)negative << run->sign_bit;
}

/* --- streams --- */

OX_MIX_INLINE void code_all(struct run *run, struct ox_mix_coder *lent, bool encodes,
                            const uint8_t *in, uint8_t *out)
{
    const struct stream *stream = run->stream;
    struct ox_mix_coder coder = *lent;
    size_t i = 0;

    for (size_t p = 0; i < stream->count; p++) {
        const struct stream_part rest = {(uint32_t)(stream->count - i), 0, 0};
        const struct stream_part *part = p < stream->part_count ? &stream->parts[p] : &rest;
        size_t end = part->count < stream->count - i ? i + part->count : stream->count;

        begin_part(run, part);
        for (; i < end; i++) {
            uint32_t number = encodes ? load(in, i, run->width) : 0;

            number = run->fresh ? code_fresh(run, &coder, encodes, number, i)
                                : code_near(run, &coder, encodes, number, i);
            if (!encodes) {
                store(out, i, run->width, number);
            }
        }
    }
    *lent = coder;
}

unsigned mixing_reference(const uint8_t *numbers, size_t count, const struct number_kind_row *kind)
{
    uint32_t counts[256] = {0};
    unsigned bits = 8u * kind->width - 1 - kind->mantissa_bits;
    size_t above = 0;
    unsigned exponent = 255;

    for (size_t i = 0; i < count; i++) {
        counts[load(numbers, i, kind->width) >> kind->mantissa_bits & ((1u << bits) - 1)]++;
    }
    while (exponent > 1 && above + counts[exponent] <= count / 256) {
        above += counts[exponent--];
    }
    return exponent;
}

/* Powers of 2, exactly. */
static void set_units(struct mixing_numbers *self, int reference, int mantissa_bits)
{
    for (int e = 0; e < 256; e++) {
        int up = (e > 0 ? e : 1) - reference - mantissa_bits;

        self->unit[e] = 1;
        for (; up > 0; up--) {
            self->unit[e] *= 2;
        }
        for (; up < 0; up++) {
            self->unit[e] /= 2;
        }
    }
}

static void reset(struct mixing_numbers *self)
{
    mixing_fill(&self->octave[0][0][0], sizeof(self->octave));
    mixing_fill(&self->below[0][0][0], sizeof(self->below));
    mixing_fill(&self->sign[0][0], sizeof(self->sign));
    mixing_fill_weights(&self->octave_weights[0][0][0], sizeof(self->octave_weights),
                        OX_MIX_WEIGHT_ONE / 4);
    mixing_fill_weights(&self->below_weights[0][0], sizeof(self->below_weights),
                        OX_MIX_WEIGHT_ONE / 2);
    mixing_fill_weights(&self->sign_weights[0][0], sizeof(self->sign_weights),
                        OX_MIX_WEIGHT_ONE / 3);
}

void mixing_numbers_code(struct mixing_coder *self, struct ox_mix_coder *coder,
                         const struct stream *stream, unsigned reference, const uint8_t *in,
                         uint8_t *out)
{
    const struct number_kind_row *kind = &number_kinds[stream->kind];
    struct run run = {
        .self = &self->models.numbers,
        .tables = &self->tables,
        .stream = stream,
        .width = kind->width,
        .mantissa_bits = kind->mantissa_bits,
        .sign_bit = 8u * kind->width - 1,
        .magnitude_mask = 0x7fffffffu >> (32 - 8 * kind->width),
        .floats = kind->sign_magnitude,
        .fresh = stream->fresh && kind->sign_magnitude,
        .reference = (int)reference,
        .octave_high = 8 * kind->width,
    };

    if (run.fresh) {
        run.octave_low = FRESH_REFERENCE - run.reference;
        run.octave_high = run.octave_low + (int)(run.magnitude_mask >> run.mantissa_bits);
    }
    reset(run.self);
    set_units(run.self, run.reference, kind->mantissa_bits);
    if (out == NULL) {
        code_all(&run, coder, true, in, NULL);
    } else {
        code_all(&run, coder, false, NULL, out);
    }
}
