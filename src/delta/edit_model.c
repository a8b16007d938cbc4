#include "edit_model.h"

#include "oxide/entropy/mix.h"

#include <stdlib.h>
#include <string.h>

/* How long counters remember, and how fast weights learn: measured on executables, JSON and text
 * of 1 KiB to 16 MiB with edits. */
#define LIMIT_TOKENS 36
#define LIMIT_LITERALS 250
#define LIMIT_REST 250
#define REST_INIT (OX_MIX_STATE_INIT + 6) /* they are random, mostly: else is learnt slowly */
#define WEIGHT_RATE 5

/* Literals are taken to cost an encoder so little until it has coded some. Were they taken for
 * noise, copies of two or three bytes would be preferred, and it would never be seen that fields
 * which all change alike cost next to nothing as literals. Of 1 to 8 the best on real versions,
 * executables and vocabularies whose numbers moved by one (17 KB less of 24). */
#define HOPED_BITS 4

#define CHANCE_MIN 24 /* of 65536: nothing is certain */

#define DIST_CLASSES 4
#define SLOT_BITS 5
#define TOP_BITS 3 /* bits below a number's leading one that are modelled */
#define LOW_BITS 3 /* and of far distances the lowest: things are aligned */

/* Models of a literal: counters for each context of whole bytes and the bits so far. */
#define MODELS 8
#define MODEL_SIZE ((size_t)1 << 16)
#define BYTE_SIZE ((size_t)1 << 8) /* the counters of one byte's bits lie together */
#define RUNS 4 /* literals since the last copy, up to RUNS - 1, are told apart */
#define DELTAS ((size_t)1 << 12)

enum mode { ENCODE, DECODE, PRICE };

/* The bits in the middle of numbers: by whether all above are those of the number before, and then
 * by what that has. */
struct rest {
    ox_mix_state bits[1 << SLOT_BITS][3];
    uint32_t before;
};

/* Adaptive bits of all but literals. */
struct counters {
    struct rest len_rest[EDIT_LEN_CLASSES];
    struct rest far_rest;
    struct rest near_rest;
    ox_mix_state is_literal[EDIT_CONTEXTS];
    ox_mix_state is_rep0[EDIT_CONTEXTS];
    ox_mix_state other[EDIT_CONTEXTS][8];
    ox_mix_state len_slot[EDIT_LEN_CLASSES][1 << SLOT_BITS];
    ox_mix_state len_top[EDIT_LEN_CLASSES][1 << SLOT_BITS][1 << TOP_BITS];
    ox_mix_state far_slot[DIST_CLASSES][1 << SLOT_BITS];
    ox_mix_state far_top[1 << SLOT_BITS][1 << TOP_BITS];
    ox_mix_state far_low[1 << LOW_BITS];
    ox_mix_state near_closer[2];
    ox_mix_state near_slot[2][1 << SLOT_BITS];
    ox_mix_state near_top[1 << SLOT_BITS][1 << TOP_BITS];
};

struct edit_model {
    struct ox_mix_tables tables;
    uint16_t price_of[4096]; /* of a bit whose probability is i / 4096 */
    enum mode mode;
    struct ox_mix_io io;
    struct ox_mix_coder coder;
    uint64_t price;
    struct counters counters;
    uint32_t literal_price[2];  /* of late: the first after a copy, and others */
    uint32_t prices[2][2];      /* ... and by whether they differ as others did; encoders' own */
    uint8_t delta_of_run[RUNS]; /* what changed bytes differed by, last time */
    uint8_t delta_of_next[DELTAS];
    int32_t weights[RUNS][256][MODELS];
    /* Counters of literals are set when they are first needed: most frames have few literals, and
     * memory that is not touched is none. */
    bool is_set[MODELS][MODEL_SIZE / BYTE_SIZE];
    ox_mix_state literals[MODELS][MODEL_SIZE];
};

/* Set n numbers of 32 bits; memcpy is fast even where loops are instrumented. */
static void fill(void *to, size_t n, uint32_t value)
{
    uint8_t *bytes = to;
    size_t total = n * sizeof(value);

    memcpy(bytes, &value, sizeof(value));
    for (size_t done = sizeof(value); done < total; done *= 2) {
        memcpy(bytes + done, bytes, done < total - done ? done : total - done);
    }
}

/* --- bits --- */

/* -log2(i / 4096) in 1/256, by squaring: the same everywhere. */
static uint16_t price_of(uint32_t i)
{
    uint64_t value = i == 0 ? 1 : i;
    uint32_t log = 0;

    while (value >> (log + 1) != 0) {
        log++;
    }
    value <<= 31 - log;
    for (int k = 0; k < 8; k++) {
        value = value * value >> 31;
        log <<= 1;
        if (value >> 32 != 0) {
            value >>= 1;
            log |= 1;
        }
    }
    return (uint16_t)(12 * EDIT_COST_BIT - log);
}

/* Code a bit that is 1 with probability p / 65536. */
static unsigned code_bit(struct edit_model *self, uint32_t p, unsigned bit)
{
    switch (self->mode) {
    case ENCODE:
        return ox_mix_code_bit(&self->coder, true, bit, p);
    case DECODE:
        return ox_mix_code_bit(&self->coder, false, bit, p);
    default:
        self->price += self->price_of[(bit ? p : 65536 - p) >> 4];
        return bit;
    }
}

static unsigned code_counter_to(struct edit_model *self, ox_mix_state *state, unsigned limit,
                                unsigned bit)
{
    uint32_t p = *state >> 16;

    p = p < CHANCE_MIN ? CHANCE_MIN : p > 65536 - CHANCE_MIN ? 65536 - CHANCE_MIN : p;
    bit = code_bit(self, p, bit);
    if (self->mode != PRICE) {
        ox_mix_state_learn(state, bit, limit, &self->tables);
    }
    return bit;
}

static unsigned code_counter(struct edit_model *self, ox_mix_state *state, unsigned bit)
{
    return code_counter_to(self, state, LIMIT_TOKENS, bit);
}

/* The top bit first; the tree has 1 << bits counters. */
static uint32_t code_tree(struct edit_model *self, ox_mix_state *tree, unsigned bits,
                          uint32_t value)
{
    uint32_t node = 1;

    for (unsigned i = bits; i-- > 0;) {
        node = node << 1 | code_counter(self, &tree[node], value >> i & 1);
    }
    return node - (1u << bits);
}

static unsigned bit_length(uint32_t value)
{
    unsigned bits = 0;

    while (value != 0) {
        bits++;
        value >>= 1;
    }
    return bits;
}

/* The bits of a number from `bits` down to `last`, behind those in `out`. Not priced one by one. */
static uint32_t code_rest(struct edit_model *self, struct rest *rest, unsigned bits, unsigned last,
                          uint32_t out, uint32_t value)
{
    if (self->mode == PRICE) {
        self->price += (uint64_t)(bits - last) * EDIT_COST_BIT;
        return value >> last;
    }
    while (bits-- > last) {
        uint32_t before = rest->before >> bits;
        unsigned known = before >> 1 == out ? 1 + (before & 1) : 0;

        out = out << 1 |
              code_counter_to(self, &rest->bits[bits][known], LIMIT_REST, value >> bits & 1);
    }
    return out;
}

/* A number >= 1: how many bits it has, then those below the leading one: the first few modelled,
 * the last few too if there is a tree for them. */
static uint32_t code_number(struct edit_model *self, ox_mix_state *slots,
                            ox_mix_state (*top)[1 << TOP_BITS], struct rest *rest,
                            ox_mix_state *low, uint32_t value)
{
    unsigned bits = code_tree(self, slots, SLOT_BITS, bit_length(value) - 1);
    unsigned modelled = bits < TOP_BITS ? bits : TOP_BITS;
    unsigned last;
    uint32_t out = 1;

    out = out << modelled |
          code_tree(self, top[bits], modelled, value >> (bits - modelled) & ((1u << modelled) - 1));
    bits -= modelled;
    last = low != NULL && bits >= LOW_BITS ? LOW_BITS : 0;
    out = code_rest(self, rest, bits, last, out, value);
    if (last > 0) {
        out = out << last | code_tree(self, low, last, value & ((1u << last) - 1));
    }
    if (self->mode != PRICE) {
        rest->before = out;
    }
    return out;
}

/* --- literals --- */

static uint32_t hash(uint32_t salt, uint32_t context)
{
    context = (context ^ salt) * 0x9e3779b1u;
    return context ^ context >> 15;
}

static uint8_t byte_at(const struct edit_history *history, uint32_t at)
{
    return at < history->gathered_bytes ? history->gathered[at]
                                        : history->target[at - history->gathered_bytes];
}

/* What stood where a literal is, if nothing was inserted or deleted. */
struct old {
    uint8_t byte;
    uint8_t before;
    uint32_t run;  /* literals since the last copy, up to RUNS - 1 */
    uint32_t next; /* the bytes behind it, as a place in delta_of_next */
};

static struct old look_back(const struct edit_state *state, const struct edit_history *history,
                            uint32_t target_at)
{
    uint32_t at = history->gathered_bytes + target_at;
    uint32_t dist = state->reps[0];
    struct old out = {.run = state->run < RUNS ? state->run : RUNS - 1};
    uint32_t next = 0;

    if (dist <= at) {
        out.byte = byte_at(history, at - dist);
        out.before = dist < at ? byte_at(history, at - dist - 1) : 0;
        next = dist > 1 ? byte_at(history, at - dist + 1) : 0u;
        next |= dist > 2 ? (uint32_t)byte_at(history, at - dist + 2) << 8 : 0u;
    }
    out.next = hash(1, next | out.run << 16) % DELTAS;
    return out;
}

/* What the models of one literal look at. */
struct literal {
    ox_mix_state *counters[MODELS]; /* BYTE_SIZE each */
    uint8_t flips[MODELS];          /* bits of a node that are others in its counter's place */
    struct old old;
    uint8_t *delta; /* in delta_of_next */
};

/* Of model k, the counters of a byte in a context. */
static void place(struct edit_model *self, size_t k, uint32_t context, struct literal *out)
{
    size_t at = context % MODEL_SIZE / BYTE_SIZE;
    ox_mix_state *counters = &self->literals[k][at * BYTE_SIZE];

    if (!self->is_set[k][at]) {
        fill(counters, BYTE_SIZE, OX_MIX_STATE_INIT);
        self->is_set[k][at] = true;
    }
    out->counters[k] = counters;
    out->flips[k] = (uint8_t)context;
}

/* What the models look at for the byte at target_at, and where their counters of it are. */
static void look(struct edit_model *self, const struct edit_state *state,
                 const struct edit_history *history, uint32_t target_at, struct literal *out)
{
    uint32_t at = history->gathered_bytes + target_at;
    struct old old = look_back(state, history, target_at);
    uint32_t last[4]; /* bytes before */

    for (uint32_t i = 0; i < 4; i++) {
        last[i] = at > i ? byte_at(history, at - 1 - i) : 0;
    }
    out->old = old;
    out->delta = &self->delta_of_next[old.next];
    place(self, 0, last[0] << 8, out);
    place(self, 1, hash(2, last[0] | last[1] << 8), out);
    place(self, 2, hash(3, last[0] | last[1] << 8 | last[2] << 16), out);
    place(self, 3, hash(4, last[0] | last[1] << 8 | last[2] << 16 | last[3] << 24), out);
    place(self, 4, hash(5, old.byte | old.run << 8), out);
    place(self, 5, hash(6, old.byte | (uint32_t)old.before << 8 | last[0] << 16), out);
    place(self, 6, hash(7, ((old.byte + self->delta_of_run[old.run]) & 255u) | old.run << 8), out);
    place(self, 7, hash(8, ((old.byte + *out->delta) & 255u) | old.run << 8), out);
}

/* One bit of a literal, as the models predict it; its cost is added to *cost. Bits of noise are
 * coded as they are, and learnt from all the same. */
static unsigned code_literal_bit(struct edit_model *self, ox_mix_state *const states[MODELS],
                                 int32_t weights[MODELS], bool noise, unsigned bit, uint32_t *cost)
{
    int32_t logits[MODELS];
    int64_t sum = 0;
    int32_t error;
    uint32_t p;

    for (size_t k = 0; k < MODELS; k++) {
        logits[k] = self->tables.stretch[ox_mix_state_p(*states[k])];
        sum += (int64_t)logits[k] * weights[k];
    }
    sum /= OX_MIX_WEIGHT_ONE;
    sum = sum > OX_MIX_LOGIT_MAX    ? OX_MIX_LOGIT_MAX
          : sum < -OX_MIX_LOGIT_MAX ? -OX_MIX_LOGIT_MAX
                                    : sum;
    p = self->tables.squash[sum + OX_MIX_LOGIT_MAX];
    p = p < CHANCE_MIN ? CHANCE_MIN : p > 65536 - CHANCE_MIN ? 65536 - CHANCE_MIN : p;
    bit = code_bit(self, noise ? 32768 : p, bit);
    *cost += self->price_of[(bit ? p : 65536 - p) >> 4];
    error = ((bit ? 65535 : 0) - (int32_t)p) * WEIGHT_RATE / 16;
    for (size_t k = 0; k < MODELS; k++) {
        /* without signed overflow, whatever a hostile body teaches */
        weights[k] = (int32_t)((uint32_t)weights[k] + (uint32_t)((logits[k] * error + 512) / 1024));
        ox_mix_state_learn(states[k], bit, LIMIT_LITERALS, &self->tables);
    }
    return bit;
}

static uint8_t code_literal(struct edit_model *self, const struct edit_state *state,
                            const struct edit_history *history, uint32_t at, uint8_t byte)
{
    uint32_t *price = &self->literal_price[state->run > 0];
    bool noise = *price >= 8 * EDIT_COST_BIT;
    struct literal literal;
    uint32_t node = 1;
    uint32_t cost = 0;
    uint8_t off;

    look(self, state, history, at, &literal);
    for (unsigned i = 8; i-- > 0;) {
        ox_mix_state *states[MODELS];

        for (size_t k = 0; k < MODELS; k++) {
            states[k] = &literal.counters[k][literal.flips[k] ^ node];
        }
        node = node << 1 | code_literal_bit(self, states, self->weights[literal.old.run][node],
                                            noise, byte >> i & 1, &cost);
    }
    *price = *price - *price / 32 + cost / 32;
    off = (uint8_t)(node - literal.old.byte);
    price = &self->prices[state->run > 0]
                         [off == self->delta_of_run[literal.old.run] || off == *literal.delta];
    *price = *price - *price / 32 + cost / 32;
    self->delta_of_run[literal.old.run] = off;
    *literal.delta = off;
    return (uint8_t)node;
}

/* --- tokens --- */

/* By the leaves of their tree: literals and REP0 are told before. */
static const enum edit_kind other_kinds[8] = {EDIT_RESUMED1, EDIT_RESUMED2, EDIT_INSERTED,
                                              EDIT_REP1,     EDIT_REP2,     EDIT_REP3,
                                              EDIT_NEAR,     EDIT_FAR};

static enum edit_kind code_kind(struct edit_model *self, unsigned context, enum edit_kind kind)
{
    struct counters *counters = &self->counters;

    if (code_counter(self, &counters->is_literal[context], kind == EDIT_LITERAL)) {
        return EDIT_LITERAL;
    }
    if (code_counter(self, &counters->is_rep0[context], kind == EDIT_REP0)) {
        return EDIT_REP0;
    }
    return other_kinds[code_tree(self, counters->other[context], 3, kind % EDIT_RESUMED1)];
}

unsigned edit_len_class(enum edit_kind kind)
{
    return kind == EDIT_REP0 ? 0 : kind == EDIT_FAR ? 1 : kind == EDIT_INSERTED ? 2 : 3;
}

static uint32_t code_len(struct edit_model *self, unsigned class, uint32_t len)
{
    struct counters *counters = &self->counters;

    return code_number(self, counters->len_slot[class], counters->len_top[class],
                       &counters->len_rest[class], NULL, len);
}

static uint32_t code_near(struct edit_model *self, const struct edit_state *state, uint32_t dist)
{
    struct counters *counters = &self->counters;
    unsigned run = state->run > 0;
    uint32_t last = state->reps[0];
    unsigned closer = code_counter(self, &counters->near_closer[run], dist < last);
    uint32_t by = code_number(self, counters->near_slot[run], counters->near_top,
                              &counters->near_rest, NULL, closer ? last - dist : dist - last);

    return closer ? last - by : last + by;
}

static uint32_t code_far(struct edit_model *self, uint32_t len, uint32_t dist)
{
    struct counters *counters = &self->counters;
    unsigned class = len < 3 ? 0 : len < 6 ? 1 : len < 16 ? 2 : 3;

    return code_number(self, counters->far_slot[class], counters->far_top, &counters->far_rest,
                       counters->far_low, dist);
}

static uint32_t code_dist(struct edit_model *self, const struct edit_state *state,
                          const struct edit_token *token)
{
    return token->kind == EDIT_NEAR  ? code_near(self, state, token->dist)
           : token->kind == EDIT_FAR ? code_far(self, token->len, token->dist)
                                     : edit_state_dist(state, token->kind);
}

void edit_code(struct edit_model *model, const struct edit_state *state, struct edit_token *token,
               const struct edit_history *history, uint32_t at)
{
    token->kind = code_kind(model, edit_state_context(state), token->kind);
    if (token->kind == EDIT_LITERAL) {
        history->target[at] = code_literal(model, state, history, at, history->target[at]);
        token->len = 1;
    } else {
        token->len = code_len(model, edit_len_class(token->kind), token->len);
        token->dist = code_dist(model, state, token);
    }
}

/* --- a frame --- */

static void begin_rest(struct rest *rest)
{
    rest->before = 0;
    fill(rest->bits, sizeof(rest->bits) / sizeof(ox_mix_state), REST_INIT);
}

static void begin(struct edit_model *self, enum mode mode)
{
    self->mode = mode;
    fill(&self->counters, sizeof(self->counters) / sizeof(ox_mix_state), OX_MIX_STATE_INIT);
    for (unsigned i = 0; i < EDIT_LEN_CLASSES; i++) {
        begin_rest(&self->counters.len_rest[i]);
    }
    begin_rest(&self->counters.far_rest);
    begin_rest(&self->counters.near_rest);
    memset(self->is_set, 0, sizeof(self->is_set));
    fill(self->weights, sizeof(self->weights) / sizeof(int32_t), OX_MIX_WEIGHT_ONE / 4);
    self->literal_price[0] = 8 * EDIT_COST_BIT; /* noise, until it shows that it is not */
    self->literal_price[1] = 8 * EDIT_COST_BIT;
    fill(self->prices, 4, HOPED_BITS * EDIT_COST_BIT);
    memset(self->delta_of_run, 0, sizeof(self->delta_of_run));
    memset(self->delta_of_next, 0, sizeof(self->delta_of_next));
}

void edit_encode_begin(struct edit_model *model, struct ox_buf *out)
{
    begin(model, ENCODE);
    model->coder = ox_mix_encoder(&model->io, &model->tables, out);
}

enum ox_code edit_encode_end(struct edit_model *model, struct ox_err *err)
{
    return ox_mix_encoder_end(model->coder, err);
}

void edit_decode_begin(struct edit_model *model, const uint8_t *body, size_t len_bytes)
{
    begin(model, DECODE);
    model->coder = ox_mix_decoder(&model->io, &model->tables, body, len_bytes);
}

bool edit_decode_end(const struct edit_model *model)
{
    return ox_mix_decoder_ended(&model->coder);
}

/* --- prices --- */

/* Take what a dry run added up, and go back to encoding. */
static uint32_t take_price(struct edit_model *self)
{
    uint64_t price = self->price;

    self->price = 0;
    self->mode = ENCODE;
    return (uint32_t)price;
}

uint32_t edit_price_kind(struct edit_model *model, unsigned context, enum edit_kind kind)
{
    model->mode = PRICE;
    (void)code_kind(model, context, kind);
    return take_price(model);
}

uint32_t edit_price_len(struct edit_model *model, unsigned class, uint32_t len)
{
    model->mode = PRICE;
    (void)code_len(model, class, len);
    return take_price(model);
}

uint32_t edit_price_dist(struct edit_model *model, const struct edit_state *state,
                         const struct edit_token *token)
{
    model->mode = PRICE;
    (void)code_dist(model, state, token);
    return take_price(model);
}

uint32_t edit_price_literal(const struct edit_model *model, const struct edit_state *state,
                            const struct edit_history *history, uint32_t at)
{
    struct old old = look_back(state, history, at);
    uint8_t off = (uint8_t)(history->target[at] - old.byte);

    return model->prices[old.run > 0][off == model->delta_of_run[old.run] ||
                                      off == model->delta_of_next[old.next]];
}

enum ox_code edit_model_new(struct edit_model **out, struct ox_err *err)
{
    struct edit_model *self = calloc(1, sizeof(*self));

    if (self == NULL) {
        return ox_err_nomem(err, "a coder of edits");
    }
    ox_mix_tables_init(&self->tables);
    for (uint32_t i = 0; i < 4096; i++) {
        self->price_of[i] = price_of(i);
    }
    *out = self;
    return OX_OK;
}

void edit_model_free(struct edit_model *model)
{
    free(model);
}
