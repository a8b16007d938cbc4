#include "stream_contexts.h"

#include <string.h>

#define RUN 1024 /* numbers that share a class */
#define SHORT_RUN 256
#define CLASSES 128  /* half octaves of the size of an update */
#define CLASS_SAME 0 /* of a run in which every number is as predicted */
#define INDICES 256  /* of a prediction: see index_of */
#define SPAN 20      /* octaves that the sums of a run keep apart */
#define FEW 7        /* of so many numbers one is looked at where a sample will do */

/* --- what a prediction tells --- */

static unsigned clamp(int value, unsigned max)
{
    return value < 0 ? 0 : (unsigned)value > max ? max : (unsigned)value;
}

static inline unsigned bit_length(uint32_t value)
{
    return value == 0 ? 0 : 32 - (unsigned)__builtin_clz(value);
}

/* What contexts are made of: a float's exponent, a byte itself, the bit length of an integer. */
static inline __attribute__((always_inline)) unsigned index_of(const uint8_t *predicted, size_t i,
                                                               enum number_kind kind)
{
    switch (kind) {
    case NUMBER_F32:
        return ox_load_u32le(predicted + 4 * i) >> 23 & 0xff;
    case NUMBER_BF16:
        return (unsigned)ox_load_u16le(predicted + 2 * i) >> 7 & 0xff;
    case NUMBER_F16:
        return (unsigned)ox_load_u16le(predicted + 2 * i) >> 10 & 0x1f;
    case NUMBER_I32: {
        uint32_t x = ox_load_u32le(predicted + 4 * i);

        return bit_length((int32_t)x < 0 ? 0u - x : x);
    }
    case NUMBER_I16: {
        uint32_t x = ox_load_u16le(predicted + 2 * i);

        return bit_length((x & 0x8000) != 0 ? 0x10000 - x : x);
    }
    default:
        return predicted[i];
    }
}

static unsigned rank_of(unsigned index, enum number_kind kind)
{
    switch (kind) {
    case NUMBER_U8:
        return index >> 3;
    case NUMBER_I8:
        return (index < 128 ? index : 256 - index) >> 2;
    case NUMBER_F8E4M3:
    case NUMBER_F8E5M2:
        return (index & 0x7f) >> 2;
    default:
        return index;
    }
}

static unsigned octave_of(unsigned index, enum number_kind kind)
{
    switch (kind) {
    case NUMBER_F8E4M3:
    case NUMBER_F8E5M2:
        return (index & 0x7f) >> number_kinds[kind].mantissa_bits;
    default:
        return number_kinds[kind].sign_magnitude ? index : 0;
    }
}

static void look_up(uint8_t *contexts, const uint8_t *predicted, size_t from, size_t to,
                    enum number_kind kind, const uint8_t lut[INDICES])
{
#define LOOK_UP(constant_kind)                                                                     \
    for (size_t i = from; i < to; i++) {                                                           \
        *contexts++ = lut[index_of(predicted, i, constant_kind)];                                  \
    }                                                                                              \
    break
    switch (kind) {
    case NUMBER_F32:
        LOOK_UP(NUMBER_F32);
    case NUMBER_BF16:
        LOOK_UP(NUMBER_BF16);
    case NUMBER_F16:
        LOOK_UP(NUMBER_F16);
    case NUMBER_I32:
        LOOK_UP(NUMBER_I32);
    case NUMBER_I16:
        LOOK_UP(NUMBER_I16);
    default:
        LOOK_UP(NUMBER_U8);
    }
#undef LOOK_UP
}

/* The lowest value that matters: that of all but 1/256 of the numbers. */
static unsigned lowest_of(const struct stream *stream,
                          unsigned (*value_of)(unsigned index, enum number_kind kind))
{
    uint32_t hits[INDICES] = {0};
    uint32_t by_value[INDICES] = {0};
    size_t below = 0;
    unsigned value = 0;

    for (size_t i = 0; i < stream->count; i += FEW) {
        hits[index_of(stream->predicted, i, stream->kind)]++;
    }
    for (unsigned i = 0; i < INDICES; i++) {
        by_value[value_of(i, stream->kind)] += hits[i];
    }
    while (value < INDICES - 1 && below + by_value[value] <= stream->count / FEW / 256) {
        below += by_value[value++];
    }
    return value;
}

/* --- simple schemes --- */

static bool never_suits(const struct stream *stream, enum symbol_meaning meaning)
{
    (void)stream;
    (void)meaning;
    return false;
}

/* Where contexts are given, those that are alike share a table: as good as one for all. */
static bool one_suits(const struct stream *stream, enum symbol_meaning meaning)
{
    (void)meaning;
    return stream->contexts == NULL;
}

static void one_set(const struct contexts *self, const struct stream *stream, size_t from,
                    size_t to, uint8_t *out)
{
    (void)self;
    (void)stream;
    memset(out, 0, to - from);
}

static bool given_suits(const struct stream *stream, enum symbol_meaning meaning)
{
    (void)meaning;
    return stream->contexts != NULL;
}

static void given_set(const struct contexts *self, const struct stream *stream, size_t from,
                      size_t to, uint8_t *out)
{
    (void)self;
    memcpy(out, stream->contexts + from, to - from);
}

static bool magnitude_suits(const struct stream *stream, enum symbol_meaning meaning)
{
    (void)meaning;
    return stream->contexts == NULL && !stream->fresh;
}

static void magnitude_fit(struct contexts *self, const struct stream *stream,
                          const struct symbols *symbols, const uint8_t *split)
{
    (void)symbols;
    (void)split;
    self->low = (uint8_t)lowest_of(stream, rank_of);
}

static enum ox_code magnitude_put(struct contexts *self, struct ox_buf *out, struct ox_err *err)
{
    return ox_buf_put_u8(out, self->low, err);
}

static enum ox_code magnitude_read(struct contexts *self, const struct stream *stream,
                                   struct ox_reader *body, struct ox_err *err)
{
    (void)stream;
    return ox_reader_u8(body, &self->low, err);
}

static void magnitude_set(const struct contexts *self, const struct stream *stream, size_t from,
                          size_t to, uint8_t *out)
{
    uint8_t lut[INDICES];

    for (unsigned i = 0; i < INDICES; i++) {
        lut[i] = (uint8_t)clamp((int)rank_of(i, stream->kind) - self->low, STREAM_CONTEXTS_MAX - 1);
    }
    look_up(out, stream->predicted, from, to, stream->kind, lut);
}

/* --- runs --- */

/* Where runs end: every `unit` numbers of the stream, or, where unit is 0, with each row of each
 * tensor; but no sooner than after CONTEXT_RUN_MIN numbers. */
static void cut_runs(struct contexts *self, const struct stream *stream, size_t unit)
{
    const struct stream_part rest = {.count = (uint32_t)stream->count};
    size_t parts = unit == 0 ? stream->part_count : 0;
    size_t begin = 0; /* of the run */
    size_t at = 0;    /* of the part */

    self->run_count = 0;
    for (size_t p = 0; p <= parts && at < stream->count; p++) {
        const struct stream_part *part = p < parts ? &stream->parts[p] : &rest;
        size_t end = part->count < stream->count - at ? at + part->count : stream->count;
        bool rows = part->columns > 0 && part->columns <= CONTEXT_ROW_MAX;
        size_t row = rows ? part->columns : unit == 0 ? RUN : unit;
        size_t next = rows ? at + row - part->column % row : at + row;

        for (; next < end; next += row) {
            if (next - begin >= CONTEXT_RUN_MIN) {
                self->run_end[self->run_count++] = (uint32_t)next;
                begin = next;
            }
        }
        if (end - begin >= CONTEXT_RUN_MIN || end == stream->count) {
            self->run_end[self->run_count++] = (uint32_t)end;
            begin = end;
        }
        at = end;
    }
}

static size_t unit_of(enum context_scheme scheme)
{
    return scheme == CONTEXT_RUNS ? RUN : scheme == CONTEXT_SHORT_RUNS ? SHORT_RUN : 0;
}

static bool runs_suit(const struct stream *stream, enum symbol_meaning meaning)
{
    return stream->contexts == NULL && meaning != SYMBOL_NUMBER && stream->count > RUN;
}

static bool rows_suit(const struct stream *stream, enum symbol_meaning meaning)
{
    bool any = false;

    for (size_t p = 0; !any && p < stream->part_count; p++) {
        any = stream->parts[p].columns > 0;
    }
    return any && runs_suit(stream, meaning);
}

static unsigned class_of_mean(uint64_t sum, size_t count)
{
    uint64_t mean;
    unsigned octave;

    if (sum == 0) {
        return CLASS_SAME;
    }
    if (sum >= (uint64_t)1 << 59) {
        return CLASSES - 1;
    }
    mean = (sum << 4) / count; /* in 1/16: where few change, means are small */
    if (mean == 0) {
        return 1;
    }
    octave = 63 - (unsigned)__builtin_clzll(mean);
    /* the upper half of an octave begins at sqrt 2, 181/128 */
    return clamp(
        (int)(2 + 2 * octave +
              (octave >= 7 ? (mean >> (octave - 7)) >= 181 : (mean << (7 - octave)) >= 181)),
        CLASSES - 1);
}

/* Classes by the mean size of updates, each in spacings at the octave `low`. */
static void class_steps(struct contexts *self, const struct stream *stream,
                        const struct symbols *symbols, const uint8_t *split)
{
    uint32_t middle[SYMBOL_COUNT];
    uint8_t up[INDICES];
    uint8_t ups[CONTEXT_RUN_MAX];
    size_t i = 0;

    for (unsigned s = 0; s < SYMBOL_COUNT; s++) {
        middle[s] = symbols->first[s] + (1u << symbols->raw_bits[s] >> 1);
    }
    for (unsigned k = 0; k < INDICES; k++) {
        up[k] = (uint8_t)clamp((int)octave_of(k, stream->kind) - self->low, SPAN);
    }
    for (size_t run = 0; run < self->run_count; run++) {
        size_t begin = i;
        uint64_t sum = 0;

        look_up(ups, stream->predicted, begin, self->run_end[run], stream->kind, up);
        for (; i < self->run_end[run]; i++) {
            sum += (uint64_t)middle[split[i]] << ups[i - begin];
        }
        self->run_class[run] = (uint8_t)class_of_mean(sum, i - begin);
    }
}

/* Classes of fresh floats by the mean of their exponents, in quarter octaves over the least. */
static void class_tops(struct contexts *self, const struct stream *stream,
                       const struct symbols *symbols, const uint8_t *split)
{
    unsigned mantissa = number_kinds[stream->kind].mantissa_bits;
    uint64_t least = UINT64_MAX;

    for (unsigned round = 0; round < 2; round++) { /* the first for the least */
        size_t i = 0;

        for (size_t run = 0; run < self->run_count; run++) {
            uint64_t sum = 0;
            uint64_t count = 0;

            for (; i < self->run_end[run]; i++) {
                bool counts = split[i] > SYMBOL_ZERO;

                sum += counts ? symbols->first[split[i]] >> (mantissa - 2) : 0;
                count += counts;
            }
            if (round == 0) {
                least = count > 0 && sum / count < least ? sum / count : least;
            } else if (count == 0) {
                self->run_class[run] = CLASS_SAME;
            } else {
                self->run_class[run] =
                    (uint8_t)(1 + (sum / count - least < CLASSES - 2 ? sum / count - least
                                                                     : CLASSES - 2));
            }
        }
    }
}

/* The lowest context: so that few numbers expect less. */
static unsigned lowest_expected(const struct contexts *self, const struct stream *stream)
{
    uint32_t hits[CLASSES] = {0};
    size_t below = 0;
    size_t run = 0;
    unsigned at = 0;

    for (size_t i = 0; i < stream->count; i += FEW) {
        unsigned octave = octave_of(index_of(stream->predicted, i, stream->kind), stream->kind);

        while (i >= self->run_end[run]) {
            run++;
        }
        if (self->run_class[run] != CLASS_SAME) {
            hits[clamp(self->run_class[run] - 2 * ((int)octave - self->low), CLASSES - 1)]++;
        }
    }
    while (at < CLASSES - 1 && below + hits[at] <= stream->count / FEW / 256) {
        below += hits[at++];
    }
    return at == 0 ? 0 : at - 1;
}

static void runs_fit(struct contexts *self, const struct stream *stream,
                     const struct symbols *symbols, const uint8_t *split)
{
    cut_runs(self, stream, unit_of(self->scheme));
    if (symbols->meaning == SYMBOL_TOP) {
        self->low = 0;
        self->lowest = 0;
        class_tops(self, stream, symbols, split);
    } else {
        self->low = (uint8_t)lowest_of(stream, octave_of);
        class_steps(self, stream, symbols, split);
        self->lowest = (uint8_t)lowest_expected(self, stream);
    }
}

static enum ox_code runs_put(struct contexts *self, struct ox_buf *out, struct ox_err *err)
{
    unsigned before = 0;
    enum ox_code code;

    ox_rans_counts_clear(&self->counts, 1, OX_RANS_SYMBOLS_MAX);
    for (size_t i = 0; i < self->run_count; i++) {
        int step = (int)self->run_class[i] - (int)before;

        self->steps[i] = (uint8_t)(step < 0 ? -2 * step - 1 : 2 * step);
        self->counts.count[0][self->steps[i]]++;
        before = self->run_class[i];
    }
    ox_rans_freqs_from_counts(&self->freqs, &self->counts, false);
    if ((code = ox_buf_put_u8(out, self->low, err)) != OX_OK ||
        (code = ox_buf_put_u8(out, self->lowest, err)) != OX_OK ||
        (code = ox_rans_freqs_put(&self->freqs, out, err)) != OX_OK) {
        return code;
    }
    return ox_rans_encode(&self->freqs, 1, false, self->zeros, self->steps, self->run_count, out,
                          err);
}

static enum ox_code runs_read(struct contexts *self, const struct stream *stream,
                              struct ox_reader *body, struct ox_err *err)
{
    int class = 0;
    enum ox_code code;

    cut_runs(self, stream, unit_of(self->scheme));
    if ((code = ox_reader_u8(body, &self->low, err)) != OX_OK ||
        (code = ox_reader_u8(body, &self->lowest, err)) != OX_OK ||
        (code = ox_rans_freqs_read(&self->freqs, body, err)) != OX_OK) {
        return code;
    }
    ox_rans_decoder_load(self->decoder, &self->freqs);
    code = ox_rans_decode(self->decoder, self->zeros, self->steps, self->run_count, body, err);
    for (size_t i = 0; code == OX_OK && i < self->run_count; i++) {
        unsigned step = self->steps[i];

        class += (step & 1) != 0 ? -(int)(step / 2) - 1 : (int)(step / 2);
        if (class < 0 || class >= CLASSES) {
            return ox_err_set(err, OX_ECORRUPT, "numbers have a size class out of bounds");
        }
        self->run_class[i] = (uint8_t) class;
    }
    return code;
}

/* The first run that ends behind number i. */
static size_t run_at(const struct contexts *self, size_t i)
{
    size_t low = 0;
    size_t high = self->run_count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (self->run_end[middle] <= i) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void runs_set(const struct contexts *self, const struct stream *stream, size_t from,
                     size_t to, uint8_t *out)
{
    bool octaves = number_kinds[stream->kind].sign_magnitude;
    int16_t least[INDICES]; /* the class whose context is 0 */
    uint8_t lut[INDICES];
    int class = -1;

    for (unsigned i = 0; i < INDICES; i++) {
        least[i] = (int16_t)(2 * ((int)octave_of(i, stream->kind) - self->low) + self->lowest);
    }
    for (size_t run = run_at(self, from); from < to; run++) {
        size_t end = self->run_end[run] < to ? self->run_end[run] : to;

        if (self->run_class[run] != class) {
            class = self->run_class[run];
            for (unsigned i = 0; i < INDICES; i++) {
                int context = class - least[i];

                context = context < 0 || class == CLASS_SAME ? 0 : context;
                lut[i] =
                    (uint8_t)(context < STREAM_CONTEXTS_MAX ? context : STREAM_CONTEXTS_MAX - 1);
            }
        }
        if (octaves) {
            look_up(out, stream->predicted, from, end, stream->kind, lut);
        } else {
            memset(out, lut[0], end - from);
        }
        out += end - from;
        from = end;
    }
}

/* --- the table --- */

/* To add one: in enum context_scheme, here, and in docs/oxdl.md. */

static const struct scheme_row {
    const char *name;
    bool (*suits)(const struct stream *stream, enum symbol_meaning meaning);
    void (*fit)(struct contexts *self, const struct stream *stream, const struct symbols *symbols,
                const uint8_t *split);
    enum ox_code (*put)(struct contexts *self, struct ox_buf *out, struct ox_err *err);
    enum ox_code (*read)(struct contexts *self, const struct stream *stream, struct ox_reader *body,
                         struct ox_err *err);
    void (*set)(const struct contexts *self, const struct stream *stream, size_t from, size_t to,
                uint8_t *out);
} schemes[CONTEXT_SCHEME_COUNT] = {
    [CONTEXT_SAME] = {"same", never_suits, NULL, NULL, NULL, one_set},
    [CONTEXT_ONE] = {"one", one_suits, NULL, NULL, NULL, one_set},
    [CONTEXT_GIVEN] = {"given", given_suits, NULL, NULL, NULL, given_set},
    [CONTEXT_MAGNITUDE] = {"magnitude", magnitude_suits, magnitude_fit, magnitude_put,
                           magnitude_read, magnitude_set},
    [CONTEXT_RUNS] = {"runs", runs_suit, runs_fit, runs_put, runs_read, runs_set},
    [CONTEXT_SHORT_RUNS] = {"short runs", runs_suit, runs_fit, runs_put, runs_read, runs_set},
    [CONTEXT_ROWS] = {"rows", rows_suit, runs_fit, runs_put, runs_read, runs_set},
};

bool contexts_suit(enum context_scheme scheme, const struct stream *stream,
                   enum symbol_meaning meaning)
{
    return schemes[scheme].suits(stream, meaning);
}

void contexts_fit(struct contexts *contexts, const struct stream *stream,
                  const struct symbols *symbols, const uint8_t *split)
{
    if (schemes[contexts->scheme].fit != NULL) {
        schemes[contexts->scheme].fit(contexts, stream, symbols, split);
    }
}

enum ox_code contexts_put(struct contexts *contexts, struct ox_buf *out, struct ox_err *err)
{
    const struct scheme_row *row = &schemes[contexts->scheme];

    return row->put == NULL ? OX_OK : row->put(contexts, out, err);
}

enum ox_code contexts_read(struct contexts *contexts, const struct stream *stream,
                           struct ox_reader *body, struct ox_err *err)
{
    const struct scheme_row *row = &schemes[contexts->scheme];

    return row->read == NULL ? OX_OK : row->read(contexts, stream, body, err);
}

void contexts_set(const struct contexts *contexts, const struct stream *stream, size_t from,
                  size_t to, uint8_t *out)
{
    schemes[contexts->scheme].set(contexts, stream, from, to, out);
}
