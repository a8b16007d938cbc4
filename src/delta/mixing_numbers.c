#include "mixing_contexts.h"

/* How fast states and weights learn. OCTAVE_PACE measured on fine-tunes by AdamW and SGD and on
 * merged adapters, in f32, f16 and bf16: 0.0025 to 0.007 are within 0.1 % of each other. */
#define FAST (1 / 256.5f) /* states of octaves, which drift */
#define SLOW (1 / 1001.5f)
#define OCTAVE_PACE 0.0042f
#define BELOW_PACE 0.0021f
#define SIGN_PACE 0.0021f

/* Walks begin at most so far from the level that is expected. */
#define BIAS_MAX (12 * OCTAVE)

/* --- coding --- */

enum walk { WALK_FIRST = 0, WALK_UP = 1, WALK_DOWN = 2 };

/* Is the octave at least `at`? */
OX_MIX_INLINE bool code_step(struct run *run, struct ox_mix_coder *coder, bool encodes, bool bit,
                             const struct number *n,
                             struct ox_mix4_state *const base[OCTAVE_MODELS], enum walk walk,
                             int at)
{
    unsigned first = (unsigned)walk * NODE_OCTAVES;
    unsigned node = first + (unsigned)mixing_clamp(at, 0, NODE_OCTAVES - 1);
    struct ox_mix4_state *states[OCTAVE_MODELS];

    for (unsigned m = 0; m < OCTAVE_MODELS; m++) {
        states[m] = base[m] + node;
    }
    /* this one is alike at every size: its octaves count from the error's */
    states[MODEL_blurred] = base[MODEL_blurred] + first +
                            mixing_clamp(at - (n->level_error >> 4) + 12, 0, NODE_OCTAVES - 1);
    return ox_mix4_code(coder, encodes, bit, states, &run->self->octave_weights[n->ratio][node],
                        FAST, OCTAVE_PACE) != 0;
}

OX_MIX_INLINE unsigned use(uint8_t *used, unsigned context)
{
    used[context] = 1;
    return context;
}

/* From the octave that is expected up or down to where it is. */
OX_MIX_INLINE int code_octave(struct run *run, struct ox_mix_coder *coder, bool encodes, int octave,
                              const struct number *n)
{
    int at = mixing_clamp((n->level + OCTAVE + run->bias[n->ratio] / 64) >> 4, run->octave_low + 1,
                          run->octave_high);
#define BASE(name)                                                                                 \
    run->self                                                                                      \
        ->octave[MODEL_##name][use(run->self->used.octave[MODEL_##name], context_##name(run, n))],
    struct ox_mix4_state *const base[OCTAVE_MODELS] = {MIXING_OCTAVE_MODELS(BASE)};
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

/* `modelled` bits of a value, one at least: all models mix for the first, the others have one. What
 * follows either answer is looked up before there is one: a decoder would wait for it. */
OX_MIX_INLINE uint32_t code_modelled(struct run *run, struct ox_mix_coder *coder, bool encodes,
                                     uint32_t value, unsigned modelled,
                                     struct ox_mix4_state *const base[BELOW_MODELS])
{
    struct ox_mix4_state *const states[BELOW_MODELS] = {base[0] + 1, base[1] + 1, base[2] + 1,
                                                        base[3] + 1};
    struct ox_mix4_state *single = base[BELOW_value];
    uint32_t next[2] = {ox_mix4_p1(&single[2]), ox_mix4_p1(&single[3])};
    unsigned node = 2 | ox_mix4_code(coder, encodes, value >> (modelled - 1) & 1, states,
                                     &run->self->below_weights, SLOW, BELOW_PACE);

    for (unsigned k = modelled - 1; k-- > 0;) {
        unsigned child = 2 * node & ((1u << MIXING_BELOW_BITS) - 1); /* of the last: any */
        uint32_t p1 = next[0] ^ ((next[0] ^ next[1]) & (0 - (node & 1)));
        unsigned bit;

        next[0] = ox_mix4_p1(&single[child]);
        next[1] = ox_mix4_p1(&single[child + 1]);
        bit = ox_mix_code_bit(coder, encodes, value >> k & 1, p1);
        ox_mix4_learn(&single[node], bit, SLOW);
        node = node << 1 | bit;
    }
    return node ^ 1u << modelled;
}

/* The bits below the top one, `bits` of them: the first are modelled, the rest are raw. */
OX_MIX_INLINE uint32_t code_below(struct run *run, struct ox_mix_coder *coder, bool encodes,
                                  uint32_t value, int octave, unsigned bits, const struct number *n)
{
#define BASE(name)                                                                                 \
    run->self->below[BELOW_##name]                                                                 \
                    [use(run->self->used.below[BELOW_##name], below_##name(run, n, octave))],
    struct ox_mix4_state *const base[BELOW_MODELS] = {MIXING_BELOW_MODELS(BASE)};
#undef BASE
    uint32_t coded;

    if (bits == 0) {
        return 0;
    }
    if (bits < MIXING_BELOW_BITS) {
        return code_modelled(run, coder, encodes, value, bits, base);
    }
    bits -= MIXING_BELOW_BITS;
    coded = code_modelled(run, coder, encodes, value >> bits, MIXING_BELOW_BITS, base);
    while (bits > 0) {
        unsigned take = bits < 16 ? bits : 16;

        bits -= take;
        coded = coded << take |
                ox_mix_code_raw(coder, encodes, value >> bits & ((1u << take) - 1), take);
    }
    return coded;
}

/* inward: towards 0, or for fresh floats below 0 */
OX_MIX_INLINE bool code_sign(struct run *run, struct ox_mix_coder *coder, bool encodes, bool inward,
                             int octave, const struct number *n)
{
#define STATE(name) &run->self->sign[SIGN_##name][sign_##name(run, n, octave)],
    struct ox_mix4_state *const states[SIGN_MODELS] = {MIXING_SIGN_MODELS(STATE)};
#undef STATE

    return ox_mix4_code(coder, encodes, inward, states, &run->self->sign_weights[n->ratio], SLOW,
                        SIGN_PACE) != 0;
}

/* --- learning --- */

static inline void learn_bias(struct run *run, const struct number *n, int octave)
{
    int off = mixing_clamp(OCTAVE * octave - OCTAVE / 2 - n->level, -BIAS_MAX, BIAS_MAX);

    run->bias[n->ratio] += (off * 64 - run->bias[n->ratio]) >> 5;
}

static void begin_row(struct run *run)
{
    run->column = 0;
    run->row_count = 0;
    run->row_rate = 1;
    run->column_rate =
        run->columns == 0 ? 0
        : run->rows == 0
            ? 1
            : 1 / ((double)(run->rows < COLUMN_LIMIT ? run->rows : COLUMN_LIMIT) + 1.5);
    run->agreement = 0;
}

static void begin_part(struct run *run, const struct stream_part *part)
{
    bool tracked = part->columns > 0 && part->columns <= MIXING_COLUMNS_MAX;

    run->columns = tracked ? part->columns : 0;
    run->rows = 0;
    begin_row(run);
    run->column = tracked ? part->column % part->columns : 0;
    run->part_count = 0;
    run->sizes.part = run->sizes.row = run->floor;
    run->errors = run->sizes;
    run->sizes.level_part = run->errors.level_part = level_of(run->floor);
    for (size_t j = 0; j < (tracked ? run->columns : 1); j++) {
        run->self->columns[j] = (struct mixing_column){run->floor, run->floor, 0, 0};
    }
    run->guesses = run->floats && !run->fresh && tracked && part->columns >= 8 &&
                   part->columns <= LOWRANK_COLUMNS_MAX && part->count / part->columns >= 4;
    run->useful = false;
    run->nearer = 0;
    if (run->guesses) {
        lowrank_begin(&run->self->lowrank, run->columns, run->column);
    }
}

static inline void learn_sign(struct run *run, struct mixing_column *column, int sign)
{
    run->left_sign = sign;
    column->sign = sign;
    if (sign != 0 && run->columns > 0) {
        int agrees = (column->balance < 0) == (sign < 0) ? 65536 : -65536;

        run->agreement += column->balance == 0 ? 0 : (agrees - run->agreement) / 16;
        column->balance += ((run->agreement < 0 ? -sign : sign) * 65536 - column->balance) / 8;
    }
}

static void learn_part(struct means *means, double rate)
{
    means->part += (means->row - means->part) * rate;
    means->level_part = level_of(means->part);
}

static void end_row(struct run *run)
{
    double rate;

    run->part_count += run->row_count;
    rate = (double)run->row_count / (double)run->part_count;
    if (run->part_count > PART_LIMIT) {
        run->part_count = PART_LIMIT;
    }
    learn_part(&run->sizes, rate);
    learn_part(&run->errors, rate);
    run->useful = run->errors.part < run->sizes.part * USEFUL_RATIO;
    run->rows++;
    begin_row(run);
}

static inline void advance(struct run *run)
{
    run->row_count++;
    run->row_rate = 1 / ((double)(run->row_count < ROW_LIMIT ? run->row_count : ROW_LIMIT) + 1.5);
    if (run->columns > 0 && ++run->column == run->columns) {
        end_row(run);
    }
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
    double update;
    int octave;

    if (encodes) {
        steps = (uint32_t)extend(run, ordered(run, target) - from);
        inward = (steps >> 31 != 0) != n.from.negative;
        size = steps >> 31 != 0 ? 0 - steps : steps;
    }
    octave = code_octave(run, coder, encodes, (int)mixing_bit_length(size), &n);
    learn_bias(run, &n, octave);
    if (octave < 2) {
        size = (uint32_t)octave;
    } else {
        size = 1u << (octave - 1) |
               code_below(run, coder, encodes, size, octave, (unsigned)octave - 1, &n);
    }
    inward = size != 0 && code_sign(run, coder, encodes, inward, octave, &n);
    steps = inward != n.from.negative ? 0 - size : size;
    target = ordered(run, from + steps) & run->all_mask;
    update = value_of(run, target) - n.base.value;
    if (run->guesses) {
        double off = absolute(update - n.guess);

        learn_means(run, &run->errors, &column->error, off);
        if (update != 0) {
            int gain = level_of(absolute(update)) - level_of(off + run->floor);

            run->nearer += (gain * 256 - run->nearer) >> 7;
        }
        lowrank_learn(&run->self->lowrank, absolute(update) < UPDATE_MAX ? update : 0);
    }
    learn_means(run, &run->sizes, &column->size, absolute(update));
    learn_sign(run, column, (update > 0) - (update < 0));
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
    bool negative;

    octave = code_octave(run, coder, encodes, octave, &n);
    learn_bias(run, &n, octave);
    mantissa = code_below(run, coder, encodes, target & (one - 1), octave, run->mantissa_bits, &n);
    negative = code_sign(run, coder, encodes, target >> run->sign_bit != 0, octave, &n);
    target = (uint32_t)(octave - offset) << run->mantissa_bits | mantissa;
    learn_means(run, &run->sizes, &column->size, value_of(run, target));
    learn_sign(run, column, negative ? -1 : 1);
    advance(run);
    return target | (uint32_t)negative << run->sign_bit;
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

/* 2^n, exactly. */
static double power(int n)
{
    double value = 1;

    for (; n > 0; n--) {
        value *= 2;
    }
    for (; n < 0; n++) {
        value /= 2;
    }
    return value;
}

static void reset(struct mixing_numbers *self)
{
    for (unsigned context = 0; context < MIXING_CONTEXTS; context++) {
        for (unsigned m = 0; m < OCTAVE_MODELS; m++) {
            if (self->used.octave[m][context] != 0) {
                mixing_fill(self->octave[m][context], MIXING_NODES);
            }
        }
        for (unsigned m = 0; m < BELOW_MODELS; m++) {
            if (self->used.below[m][context] != 0) {
                mixing_fill(self->below[m][context], 1 << MIXING_BELOW_BITS);
            }
        }
    }
    memset(&self->used, 0, sizeof(self->used));
    mixing_fill(&self->sign[0][0], SIGN_MODELS * MIXING_SIGN_CONTEXTS);
    mixing_fill_weights(&self->octave_weights[0][0], sizeof(self->octave_weights),
                        0.25f * OX_MIX4_WEIGHT_ONE);
    mixing_fill_weights(&self->below_weights, sizeof(self->below_weights),
                        0.25f * OX_MIX4_WEIGHT_ONE);
    mixing_fill_weights(&self->sign_weights[0], sizeof(self->sign_weights),
                        0.25f * OX_MIX4_WEIGHT_ONE);
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
        .sign_mask = 1u << (8 * kind->width - 1),
        .all_mask = 0xffffffffu >> (32 - 8 * kind->width),
        .flip_mask = kind->sign_magnitude ? 0x7fffffffu >> (32 - 8 * kind->width) : 0,
        .floats = kind->sign_magnitude,
        .fresh = stream->fresh && kind->sign_magnitude,
        .reference = (int)reference,
        .octave_high = 8 * kind->width,
    };

    if (run.fresh) {
        run.octave_low = FRESH_REFERENCE - run.reference;
        run.octave_high = run.octave_low + (int)(run.magnitude_mask >> run.mantissa_bits);
    }
    if (!self->used_known) {
        memset(&run.self->used, 1, sizeof(run.self->used));
        self->used_known = true;
    }
    reset(run.self);
    run.last_place = power(-(int)kind->mantissa_bits);
    run.subnormal = power(1 - run.reference - (int)kind->mantissa_bits);
    run.floor = run.last_place * FLOOR;
    run.cap = run.last_place * CAP;
    run.sizes.recent = run.errors.recent = run.floor;
    if (out == NULL) {
        code_all(&run, coder, true, in, NULL);
    } else {
        code_all(&run, coder, false, out, out);
    }
}
