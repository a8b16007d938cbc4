/* The static coder. docs/oxdl.md, "The static coder", specifies the bytes. */
#include "stream_static.h"

#include "stream_contexts.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK 4096 /* numbers that are decoded at a time: what they need stays in the cache */
#define COUNTS_APART 4
#define COUNT_BLOCK 256
#define QUICK_MIN 2048 /* from so many numbers on frequencies are not refined in trials */
#define SAMPLE_RUNS 24 /* by which longer streams choose how they are coded */
#define SAMPLE_RUN 1024

/* How a stream is coded. */
struct plan {
    enum context_scheme scheme;
    enum symbol_meaning meaning;
    uint8_t kept_bits;
    uint16_t lowest_top;
};

/* Counts beside others: `apart` puts counts of one symbol at places that differ in their low 12
 * bits, by which a processor takes a load to wait for a store. */
struct counts_apart {
    uint8_t apart[1024 / COUNTS_APART];
    uint32_t count[OX_RANS_CONTEXTS_MAX * OX_RANS_SYMBOLS_MAX];
};

struct static_coder {
    enum vector_path vectors;
    struct symbols symbols;
    struct ox_rans_counts counts;
    struct counts_apart others[COUNTS_APART];
    struct ox_rans_freqs freqs;
    struct ox_rans_decoder *decoder;
    struct contexts contexts;
    uint8_t chunk_contexts[CHUNK];
    uint8_t chunk_symbols[CHUNK];
    /* encoder */
    struct ox_buf all_symbols;
    struct ox_buf all_contexts;
    struct ox_buf raw;
    struct ox_buf front;
    struct ox_buf sample; /* predicted, numbers, contexts */
    struct stream_part sample_parts[SAMPLE_RUNS];
};

enum ox_code static_coder_new(struct static_coder **out, struct ox_err *err)
{
    struct static_coder *self = calloc(1, sizeof(*self));
    enum ox_code code;

    if (self == NULL) {
        return ox_err_nomem(err, "coding numbers");
    }
    code = ox_rans_decoder_new(&self->decoder, err);
    if (code != OX_OK) {
        free(self);
        return code;
    }
    self->contexts.decoder = self->decoder;
    static_coder_use_vectors(self, VECTORS_DEPOSIT);
    *out = self;
    return OX_OK;
}

void static_coder_use_vectors(struct static_coder *coder, enum vector_path most)
{
    coder->vectors = most;
    ox_rans_decoder_use_vectors(coder->decoder, most != VECTORS_NONE);
}

void static_coder_free(struct static_coder *coder)
{
    if (coder != NULL) {
        ox_rans_decoder_free(coder->decoder);
        ox_buf_clear(&coder->all_symbols);
        ox_buf_clear(&coder->all_contexts);
        ox_buf_clear(&coder->raw);
        ox_buf_clear(&coder->front);
        ox_buf_clear(&coder->sample);
        free(coder);
    }
}

/* --- meanings --- */

static bool meaning_suits(const struct stream *stream, enum symbol_meaning meaning)
{
    unsigned width = number_kinds[stream->kind].width;
    bool wide_float = width > 1 && number_kinds[stream->kind].sign_magnitude;

    switch (meaning) {
    case SYMBOL_STEP:
        return !stream->fresh || (width > 1 && !wide_float);
    case SYMBOL_NUMBER:
        return width == 1;
    default:
        return stream->fresh && wide_float;
    }
}

static void init_symbols(struct static_coder *self, const struct stream *stream,
                         const struct plan *plan)
{
    self->symbols.kind = stream->kind;
    self->symbols.meaning = plan->meaning;
    self->symbols.kept_bits = plan->kept_bits;
    self->symbols.lowest = plan->lowest_top;
    symbols_init(&self->symbols, self->vectors);
}

#define TOPS_MAX 4096 /* exponents of 8 bits, 4 bits of the mantissa */

/* The window of SYMBOL_TOPS values that covers most. */
static unsigned best_window(const uint32_t *hits, unsigned values)
{
    uint64_t covered = 0;
    uint64_t most = 0;
    unsigned best = 0;

    for (unsigned i = 0; i < values; i++) {
        covered += hits[i];
        covered -= i >= SYMBOL_TOPS ? hits[i - SYMBOL_TOPS] : 0;
        if (covered > most) {
            most = covered;
            best = i >= SYMBOL_TOPS ? i + 1 - SYMBOL_TOPS : 0;
        }
    }
    return best;
}

/* How many mantissa bits a symbol should have, by cost, and where the symbols begin. */
static void fit_tops(struct static_coder *self, const struct stream *stream, const uint8_t *numbers,
                     struct plan *plan)
{
    const struct number_kind_row *row = &number_kinds[stream->kind];
    unsigned most = symbols_kept_max(stream->kind);
    unsigned values = 1u << (8u * row->width - 1 - row->mantissa_bits + most);
    uint32_t hits[TOPS_MAX] = {0};
    uint32_t zeros = 0;
    uint64_t best = UINT64_MAX;

    for (size_t i = 0; i < stream->count; i++) {
        uint32_t bits =
            row->width == 4 ? ox_load_u32le(numbers + 4 * i) : ox_load_u16le(numbers + 2 * i);

        zeros += bits == 0;
        hits[(bits & ~(1u << (8 * row->width - 1))) >> (row->mantissa_bits - most)]++;
    }
    hits[0] -= zeros;
    for (unsigned kept = most + 1; kept-- > 0; values /= 2) {
        unsigned lowest = best_window(hits, values);
        uint64_t cost = 0;

        ox_rans_counts_clear(&self->counts, 1, SYMBOL_COUNT);
        self->counts.count[0][SYMBOL_ZERO] = zeros;
        for (unsigned i = 0; i < values; i++) {
            bool inside = i - lowest < SYMBOL_TOPS;

            self->counts.count[0][inside ? i - lowest + 2 : SYMBOL_ESCAPE] += hits[i];
            cost += (uint64_t)hits[i] * (inside ? row->mantissa_bits - kept + 1 : 8u * row->width) *
                    256;
        }
        ox_rans_freqs_from_counts(&self->freqs, &self->counts, false);
        cost += ox_rans_cost(&self->counts, &self->freqs);
        if (cost < best) {
            best = cost;
            plan->kept_bits = (uint8_t)kept;
            plan->lowest_top = (uint16_t)lowest;
        }
        for (unsigned i = 0; i < values / 2; i++) { /* one bit less */
            hits[i] = hits[2 * i] + hits[2 * i + 1];
        }
    }
}

/* --- encoding --- */

static uint8_t highest(const uint8_t *bytes, size_t count)
{
    uint8_t most = 0;

    for (size_t i = 0; i < count; i++) {
        most = bytes[i] > most ? bytes[i] : most;
    }
    return most;
}

/* Where one symbol is most, counts in one place would wait for each other: numbers take turns.
 * Where they go is found first, in a loop that compilers turn into vectors. */
static void count_block(struct static_coder *self, const uint8_t *contexts, const uint8_t *symbols)
{
    uint16_t places[COUNT_BLOCK];

    for (size_t i = 0; i < COUNT_BLOCK; i++) {
        places[i] = (uint16_t)(contexts[i] * OX_RANS_SYMBOLS_MAX + symbols[i]);
    }
    for (size_t i = 0; i < COUNT_BLOCK; i += COUNTS_APART) {
        for (size_t k = 0; k < COUNTS_APART; k++) {
            self->others[k].count[places[i + k]]++;
        }
    }
}

static void count_symbols(struct static_coder *self, const uint8_t *contexts,
                          const uint8_t *symbols, size_t count)
{
    struct ox_rans_counts *counts = &self->counts;
    size_t i = 0;

    ox_rans_counts_clear(counts, highest(contexts, count) + 1u, highest(symbols, count) + 1u);
    for (unsigned c = 0; c < counts->contexts; c++) {
        for (size_t k = 0; k < COUNTS_APART; k++) {
            memset(&self->others[k].count[c * OX_RANS_SYMBOLS_MAX], 0,
                   counts->symbols * sizeof(self->others[k].count[0]));
        }
    }
    for (; i + COUNT_BLOCK <= count; i += COUNT_BLOCK) {
        count_block(self, contexts + i, symbols + i);
    }
    for (; i < count; i++) {
        counts->count[contexts[i]][symbols[i]]++;
    }
    for (unsigned c = 0; c < counts->contexts; c++) {
        for (size_t k = 0; k < COUNTS_APART; k++) {
            const uint32_t *more = &self->others[k].count[c * OX_RANS_SYMBOLS_MAX];

            for (unsigned s = 0; s < counts->symbols; s++) {
                counts->count[c][s] += more[s];
            }
        }
    }
}

static enum ox_code sized(struct ox_buf *buf, size_t len_bytes, struct ox_err *err)
{
    enum ox_code code;

    buf->len_bytes = 0;
    code = ox_buf_reserve(buf, len_bytes, err);
    if (code == OX_OK) {
        buf->len_bytes = len_bytes;
    }
    return code;
}

/* Symbols and raw bits by the plan. */
static enum ox_code split(struct static_coder *self, const struct stream *stream,
                          const uint8_t *numbers, const struct plan *plan, struct ox_err *err)
{
    enum ox_code code;

    init_symbols(self, stream, plan);
    if ((code = sized(&self->all_symbols, stream->count, err)) != OX_OK ||
        (code = sized(&self->all_contexts, stream->count, err)) != OX_OK ||
        (code = sized(&self->raw, symbols_raw_max(&self->symbols, stream->count), err)) != OX_OK) {
        return code;
    }
    self->raw.len_bytes = symbols_split(&self->symbols, stream->predicted, numbers, stream->count,
                                        self->all_symbols.data, self->raw.data);
    return OX_OK;
}

/* The front of the body in self->front, frequencies in self->freqs, contexts in self->all_contexts;
 * *cost: of what grows with the numbers, in 1/256 of a bit; *front: of what does not, in bytes. */
static enum ox_code make_front(struct static_coder *self, const struct stream *stream,
                               const struct plan *plan, bool quick, uint64_t *cost,
                               size_t *fixed_bytes, struct ox_err *err)
{
    struct contexts *contexts = &self->contexts;
    struct ox_buf *front = &self->front;
    size_t params;
    enum ox_code code;

    front->len_bytes = 0;
    contexts->scheme = plan->scheme;
    contexts_fit(contexts, stream, &self->symbols, self->all_symbols.data);
    if ((code = ox_buf_put_u8(front, (uint8_t)(plan->scheme | plan->meaning << 4), err)) != OX_OK ||
        (plan->meaning == SYMBOL_TOP &&
         ((code = ox_buf_put_u8(front, plan->kept_bits, err)) != OX_OK ||
          (code = ox_buf_put_u16le(front, plan->lowest_top, err)) != OX_OK)) ||
        (code = contexts_put(contexts, front, err)) != OX_OK) {
        return code;
    }
    params = front->len_bytes;
    contexts_set(contexts, stream, 0, stream->count, self->all_contexts.data);
    count_symbols(self, self->all_contexts.data, self->all_symbols.data, stream->count);
    ox_rans_freqs_from_counts(&self->freqs, &self->counts, quick);
    code = ox_rans_freqs_put(&self->freqs, front, err);
    *cost = ox_rans_cost(&self->counts, &self->freqs) +
            ((uint64_t)self->raw.len_bytes + params) * 8 * 256;
    *fixed_bytes = front->len_bytes - params;
    return code;
}

/* Try all there is on (a sample of) a stream, of `whole` numbers in all. */
static enum ox_code choose(struct static_coder *self, const struct stream *stream,
                           const uint8_t *numbers, size_t whole, struct plan *best,
                           uint64_t *best_bytes, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    *best_bytes = UINT64_MAX;
    for (unsigned m = 0; m < SYMBOL_MEANING_COUNT; m++) {
        struct plan plan = {.meaning = (enum symbol_meaning)m};

        if (!meaning_suits(stream, plan.meaning)) {
            continue;
        }
        if (plan.meaning == SYMBOL_TOP) {
            fit_tops(self, stream, numbers, &plan);
        }
        code = split(self, stream, numbers, &plan, err);
        for (unsigned s = 0; code == OX_OK && s < CONTEXT_SCHEME_COUNT; s++) {
            uint64_t cost = 0;
            size_t fixed = 0;
            uint64_t bytes;

            plan.scheme = (enum context_scheme)s;
            if (!contexts_suit(plan.scheme, stream, plan.meaning)) {
                continue;
            }
            code = make_front(self, stream, &plan, stream->count >= QUICK_MIN, &cost, &fixed, err);
            bytes = fixed + cost / 2048 * whole / stream->count;
            if (code == OX_OK && bytes < *best_bytes) {
                *best_bytes = bytes;
                *best = plan;
            }
        }
        if (code != OX_OK) {
            return code;
        }
    }
    return code;
}

/* Some of a long stream for trying: runs evenly spread, each of one part. */
static enum ox_code take_sample(struct static_coder *self, struct stream *stream,
                                const uint8_t **numbers, struct ox_err *err)
{
    size_t width = number_kinds[stream->kind].width;
    size_t count = (size_t)SAMPLE_RUNS * SAMPLE_RUN;
    size_t runs = stream->count / SAMPLE_RUN;
    size_t part = 0;
    size_t part_begin = 0;
    uint8_t *predicted;
    uint8_t *sampled;
    uint8_t *contexts;
    enum ox_code code;

    if (stream->count < 2 * count) {
        return OX_OK;
    }
    code = sized(&self->sample, count * (2 * width + 1), err);
    if (code != OX_OK) {
        return code;
    }
    predicted = self->sample.data;
    sampled = predicted + count * width;
    contexts = sampled + count * width;
    for (size_t r = 0; r < SAMPLE_RUNS; r++) {
        size_t from = r * runs / SAMPLE_RUNS * SAMPLE_RUN;
        size_t to = r * SAMPLE_RUN;

        memcpy(predicted + to * width, stream->predicted + from * width, SAMPLE_RUN * width);
        memcpy(sampled + to * width, *numbers + from * width, SAMPLE_RUN * width);
        if (stream->contexts != NULL) {
            memcpy(contexts + to, stream->contexts + from, SAMPLE_RUN);
        }
        while (part < stream->part_count && from - part_begin >= stream->parts[part].count) {
            part_begin += stream->parts[part++].count;
        }
        self->sample_parts[r] = (struct stream_part){.count = SAMPLE_RUN};
        if (part < stream->part_count && stream->parts[part].columns > 0) {
            const struct stream_part *whole = &stream->parts[part];

            self->sample_parts[r].columns = whole->columns;
            self->sample_parts[r].column =
                (uint32_t)((whole->column + (uint64_t)(from - part_begin)) % whole->columns);
        }
    }
    stream->count = count;
    stream->predicted = predicted;
    stream->contexts = stream->contexts == NULL ? NULL : contexts;
    stream->parts = self->sample_parts;
    stream->part_count = SAMPLE_RUNS;
    *numbers = sampled;
    return OX_OK;
}

static bool all_same(const struct stream *stream, const uint8_t *numbers)
{
    size_t len = stream->count * number_kinds[stream->kind].width;

    return len == 0 || memcmp(stream->predicted, numbers, len) == 0;
}

enum ox_code static_cost(struct static_coder *coder, const struct stream *stream,
                         const uint8_t *numbers, uint64_t *cost_bytes, struct ox_err *err)
{
    struct stream sample = *stream;
    struct plan plan;
    enum ox_code code;

    if (stream->count > STREAM_COUNT_MAX) {
        return ox_err_set(err, OX_EINVAL, "%zu numbers in a stream, %zu can be", stream->count,
                          STREAM_COUNT_MAX);
    }
    if (all_same(stream, numbers)) {
        *cost_bytes = 1;
        return OX_OK;
    }
    code = take_sample(coder, &sample, &numbers, err);
    return code == OX_OK ? choose(coder, &sample, numbers, stream->count, &plan, cost_bytes, err)
                         : code;
}

enum ox_code static_encode(struct static_coder *coder, const struct stream *stream,
                           const uint8_t *numbers, struct ox_buf *body, struct ox_err *err)
{
    struct stream sample = *stream;
    const uint8_t *sampled = numbers;
    struct plan plan = {.scheme = CONTEXT_SAME};
    uint64_t cost = 0;
    size_t fixed = 0;
    size_t start = body->len_bytes;
    enum ox_code code;

    if (stream->count > STREAM_COUNT_MAX) {
        return ox_err_set(err, OX_EINVAL, "%zu numbers in a stream, %zu can be", stream->count,
                          STREAM_COUNT_MAX);
    }
    if (all_same(stream, numbers)) {
        return ox_buf_put_u8(body, CONTEXT_SAME, err);
    }
    if ((code = take_sample(coder, &sample, &sampled, err)) != OX_OK ||
        (code = choose(coder, &sample, sampled, stream->count, &plan, &cost, err)) != OX_OK ||
        (code = split(coder, stream, numbers, &plan, err)) != OX_OK ||
        (code = make_front(coder, stream, &plan, false, &cost, &fixed, err)) != OX_OK ||
        (code = ox_buf_append(body, coder->front.data, coder->front.len_bytes, err)) != OX_OK) {
        goto out;
    }
    if (plan.meaning != SYMBOL_NUMBER &&
        ((code = ox_buf_put_varint(body, coder->raw.len_bytes, err)) != OX_OK ||
         (code = ox_buf_append(body, coder->raw.data, coder->raw.len_bytes, err)) != OX_OK)) {
        goto out;
    }
    code = ox_rans_encode(&coder->freqs, ox_rans_lanes(stream->count, cost / 2048),
                          coder->vectors != VECTORS_NONE, coder->all_contexts.data,
                          coder->all_symbols.data, stream->count, body, err);
out:
    if (code != OX_OK) {
        body->len_bytes = start;
    }
    return code;
}

/* --- decoding --- */

static enum ox_code read_plan(struct static_coder *self, const struct stream *stream,
                              struct plan *plan, struct ox_reader *body, struct ox_err *err)
{
    uint8_t head = 0;
    enum ox_code code = ox_reader_u8(body, &head, err);

    if (code != OX_OK) {
        return code;
    }
    *plan = (struct plan){.scheme = (enum context_scheme)(head & 15),
                          .meaning = (enum symbol_meaning)(head >> 4)};
    if (head == CONTEXT_SAME) {
        return OX_OK;
    }
    if (plan->scheme == CONTEXT_SAME || plan->scheme >= CONTEXT_SCHEME_COUNT ||
        plan->meaning >= SYMBOL_MEANING_COUNT || !meaning_suits(stream, plan->meaning) ||
        (plan->scheme == CONTEXT_GIVEN && stream->contexts == NULL)) {
        return ox_err_set(err, OX_ECORRUPT,
                          "numbers of kind %u are coded in a way, 0x%02x, that "
                          "there is not",
                          (unsigned)stream->kind, head);
    }
    if (plan->meaning == SYMBOL_TOP &&
        ((code = ox_reader_u8(body, &plan->kept_bits, err)) != OX_OK ||
         (code = ox_reader_u16le(body, &plan->lowest_top, err)) != OX_OK)) {
        return code;
    }
    if (plan->kept_bits > symbols_kept_max(stream->kind)) {
        return ox_err_set(err, OX_ECORRUPT, "numbers have %u mantissa bits in a symbol",
                          plan->kept_bits);
    }
    self->contexts.scheme = plan->scheme;
    return contexts_read(&self->contexts, stream, body, err);
}

static enum ox_code read_raw(const struct plan *plan, struct symbols_raw *raw,
                             struct ox_reader *body, struct ox_err *err)
{
    uint64_t len = 0;
    enum ox_code code;

    *raw = (struct symbols_raw){NULL, 0, 0};
    if (plan->meaning == SYMBOL_NUMBER) {
        return OX_OK;
    }
    code = ox_reader_varint(body, &len, err);
    if (code == OX_OK) {
        raw->len_bytes = len > SIZE_MAX ? SIZE_MAX : (size_t)len;
        code = ox_reader_bytes(body, raw->len_bytes, &raw->data, err);
    }
    return code;
}

enum ox_code static_decode(struct static_coder *coder, const struct stream *stream,
                           uint8_t *numbers, struct ox_reader *body, struct ox_err *err)
{
    size_t width = number_kinds[stream->kind].width;
    struct ox_rans_stream coded;
    struct symbols_raw raw;
    struct plan plan;
    enum ox_code code;

    if (stream->count > STREAM_COUNT_MAX) {
        return ox_err_set(err, OX_ECORRUPT, "%zu numbers in a stream, %zu can be", stream->count,
                          STREAM_COUNT_MAX);
    }
    code = read_plan(coder, stream, &plan, body, err);
    if (code != OX_OK) {
        return code;
    }
    if (plan.scheme == CONTEXT_SAME) {
        if (stream->count > 0) {
            memcpy(numbers, stream->predicted, stream->count * width);
        }
        return OX_OK;
    }
    if ((code = ox_rans_freqs_read(&coder->freqs, body, err)) != OX_OK ||
        (code = read_raw(&plan, &raw, body, err)) != OX_OK ||
        (code = ox_rans_decode_begin(&coded, body, err)) != OX_OK) {
        return code;
    }
    ox_rans_decoder_load(coder->decoder, &coder->freqs);
    init_symbols(coder, stream, &plan);
    for (size_t i = 0; i < stream->count; i += CHUNK) {
        size_t n = stream->count - i < CHUNK ? stream->count - i : CHUNK;

        contexts_set(&coder->contexts, stream, i, i + n, coder->chunk_contexts);
        ox_rans_decode_next(coder->decoder, &coded, coder->chunk_contexts, coder->chunk_symbols, n);
        if (!symbols_join(&coder->symbols, stream->predicted + i * width, coder->chunk_symbols,
                          &raw, numbers + i * width, n)) {
            return ox_err_set(err, OX_ECORRUPT, "the raw bits of numbers end early");
        }
    }
    return ox_rans_decode_end(&coded, body, err);
}
