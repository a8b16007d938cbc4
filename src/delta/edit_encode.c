/*
 * Finding the cheapest tokens for a frame of edits: matches come from two hash tables, from the
 * places that the plan hints at, and from the distances of late; the cheapest way through them is
 * found by dynamic programming, with prices as the model stands.
 */
#include "edit_noise.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW 4096 /* tokens are chosen for at most so many bytes at once */
#define NICE_MAX 512
#define SHORT_BYTES 4 /* of the tables' sums */
#define LONG_BYTES 12
#define BACK_MAX 64 /* bytes before a found copy that may belong to it */
/* Fields that change alike, of which not all bytes did, are better coded as literals throughout:
 * what is common is cheap then. Copies that tear them apart are taken to cost so much more. */
#define TORN_MAX 2
#define TORN_COST EDIT_COST_BIT
#define CANDIDATES_MAX 80
#define PRICES_EVERY 64 /* tokens, after which prices are taken anew */
#define BLOCK                                                                                      \
    ((uint32_t)1 << 14) /* gathered bytes are put into the tables in blocks of this size */
#define BLOCKS_MAX ((8u << 20) / BLOCK)

struct node {
    uint32_t cost;           /* of the cheapest way here */
    uint32_t from;           /* the node before */
    struct edit_token token; /* that leads from there to here */
    struct edit_state state; /* behind it; set once the node is reached */
};

struct edit_encoder {
    struct edit_model *model;
    uint32_t *tables[2]; /* places + 1 in the history, `ways` to a sum */
    size_t places;       /* of each table */
    unsigned shift;
    struct edit_effort effort;
    uint8_t *history;
    uint32_t gathered;
    uint32_t end; /* of the history */
    struct edit_state state;
    uint32_t at;       /* in the history: tokens up to here are coded */
    uint32_t start;    /* ... and nodes[0] is here */
    uint32_t inserted; /* target bytes up to here are in the tables */
    const struct edit_hint *hints;
    size_t hint_count;
    size_t hint;             /* the one in force */
    bool blocks[BLOCKS_MAX]; /* gathered blocks in the tables */
    uint32_t tokens;         /* until prices are taken anew */
    uint32_t kind_price[EDIT_CONTEXTS][EDIT_KIND_COUNT];
    uint32_t len_price[EDIT_LEN_CLASSES][NICE_MAX + 1];
    struct node nodes[WINDOW + NICE_MAX + 1];
};

struct candidate {
    enum edit_kind kind;
    uint32_t len;
    uint32_t dist;
};

/* --- finding matches --- */

static uint64_t load_u64(const uint8_t *bytes)
{
    uint64_t value;

    memcpy(&value, bytes, sizeof(value));
    return value;
}

static uint32_t match_len(const struct edit_encoder *self, uint32_t a, uint32_t b)
{
    uint32_t start = b;

    while (self->end - b >= 8 && load_u64(self->history + a) == load_u64(self->history + b)) {
        a += 8;
        b += 8;
    }
    while (b < self->end && self->history[a] == self->history[b]) {
        a++;
        b++;
    }
    return b - start;
}

static size_t bucket(const struct edit_encoder *self, unsigned table, uint32_t at)
{
    const uint8_t *bytes = self->history + at;
    uint64_t sum = (uint64_t)bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 |
                   (uint64_t)bytes[3] << 24;

    if (table == 1) {
        uint64_t more = 0;

        for (unsigned i = LONG_BYTES; i-- > 4;) {
            more = more << 8 | bytes[i];
        }
        sum ^= (more ^ more >> 29) * 0xbf58476d1ce4e5b9u;
    }
    return (size_t)((sum * 0x9e3779b97f4a7c15u) >> self->shift) * self->effort.ways;
}

/* The newest place of a sum stands first. */
static void insert(struct edit_encoder *self, uint32_t at)
{
    for (unsigned table = 0; table < 2; table++) {
        uint32_t place = at + 1;
        uint32_t *places;

        if (self->end - at < (table == 0 ? SHORT_BYTES : LONG_BYTES)) {
            return;
        }
        places = self->tables[table] + bucket(self, table, at);
        for (unsigned i = 0; i < self->effort.ways; i++) { /* few: memmove is slower */
            uint32_t next = places[i];

            places[i] = place;
            place = next;
        }
    }
}

static void insert_block(struct edit_encoder *self, uint32_t block)
{
    uint32_t at = block * BLOCK;
    uint32_t end = self->gathered - at < BLOCK ? self->gathered : at + BLOCK;

    if (!self->blocks[block]) {
        self->blocks[block] = true;
        for (; at < end; at++) {
            insert(self, at);
        }
    }
}

/* Put the gathered bytes around the place that `at` likely comes from into the tables. */
static void insert_around(struct edit_encoder *self, uint32_t at, uint32_t dist)
{
    uint32_t from = at - dist;
    uint32_t last = (self->gathered - 1) / BLOCK;

    if (self->gathered == 0 || dist > at || from >= self->gathered) {
        return;
    }
    from /= BLOCK;
    if (from > 0) {
        insert_block(self, from - 1);
    }
    if (from < last) {
        insert_block(self, from + 1);
    }
    insert_block(self, from);
}

static uint32_t hinted(struct edit_encoder *self, uint32_t at)
{
    while (self->hint < self->hint_count && self->hints[self->hint].at + self->gathered <= at) {
        self->hint++;
    }
    return self->hint == 0 ? 0 : self->hints[self->hint - 1].dist;
}

static size_t add(const struct edit_encoder *self, struct candidate *out, size_t count,
                  enum edit_kind kind, uint32_t dist, uint32_t at, uint32_t len_min)
{
    uint32_t len;

    if (dist == 0 || dist > at) {
        return count;
    }
    len = match_len(self, at - dist, at);
    if (len < len_min) {
        return count;
    }
    out[count] = (struct candidate){kind, len, dist};
    return count + 1;
}

/* All that the bytes at `at` may be copied from. */
static size_t find(struct edit_encoder *self, const struct edit_state *state, uint32_t at,
                   struct candidate *out)
{
    uint32_t hint = hinted(self, at);
    uint32_t best = 1;
    size_t count = 0;

    for (unsigned kind = EDIT_REP0; kind < EDIT_KIND_COUNT; kind++) {
        if (kind != EDIT_INSERTED || state->run > 0) {
            count = add(self, out, count, (enum edit_kind)kind,
                        edit_state_dist(state, (enum edit_kind)kind), at, 1);
        }
    }
    if (hint != 0 && hint != state->reps[0]) {
        count = add(self, out, count, EDIT_FAR, hint, at, 2);
    }
    for (size_t i = 0; i < count; i++) {
        best = out[i].len > best ? out[i].len : best;
    }
    if (best >= self->effort.nice) {
        return count;
    }
    insert_around(self, at, hint != 0 ? hint : state->reps[0]);
    insert_around(self, at, state->reps[0]);
    best = 2;
    for (unsigned table = 0; table < 2; table++) {
        uint32_t bytes = table == 0 ? SHORT_BYTES : LONG_BYTES;
        const uint32_t *places;

        if (self->end - at < bytes) {
            break;
        }
        places = self->tables[table] + bucket(self, table, at);
        for (unsigned i = 0; i < self->effort.ways && places[i] != 0; i++) {
            uint32_t place = places[i] - 1;

            if (place < at) {
                size_t before = count;

                count = add(self, out, count, EDIT_FAR, at - place, at,
                            table == 0 ? best + 1 : LONG_BYTES);
                if (count > before && out[before].len > best) {
                    best = out[before].len;
                }
            }
        }
    }
    return count;
}

/* --- choosing tokens --- */

static void take_prices(struct edit_encoder *self)
{
    for (unsigned context = 0; context < EDIT_CONTEXTS; context++) {
        for (unsigned kind = 0; kind < EDIT_KIND_COUNT; kind++) {
            self->kind_price[context][kind] =
                edit_price_kind(self->model, context, (enum edit_kind)kind);
        }
    }
    for (unsigned class = 0; class < EDIT_LEN_CLASSES; class ++) {
        for (uint32_t len = 1; len <= self->effort.nice; len++) {
            self->len_price[class][len] = edit_price_len(self->model, class, len);
        }
    }
    self->tokens = PRICES_EVERY;
}

static void relax(struct edit_encoder *self, uint32_t from, uint32_t to, uint32_t cost,
                  const struct edit_token *token, uint32_t *reach)
{
    while (*reach < to) {
        self->nodes[++*reach].cost = UINT32_MAX;
    }
    if (cost < self->nodes[to].cost) {
        self->nodes[to].cost = cost;
        self->nodes[to].from = from;
        self->nodes[to].token = *token;
    }
}

/* The token for a copy: by the nearest way to tell its distance. */
static uint32_t price_copy(struct edit_encoder *self, const struct edit_state *state,
                           const uint32_t *kinds, struct edit_token *token)
{
    struct edit_token near = *token;
    uint32_t cost;
    uint32_t near_cost;

    if (token->kind != EDIT_FAR) {
        return kinds[token->kind];
    }
    cost = kinds[EDIT_FAR] + edit_price_dist(self->model, state, token);
    near.kind = EDIT_NEAR;
    if (near.dist == state->reps[0]) {
        return cost;
    }
    near_cost = kinds[EDIT_NEAR] + edit_price_dist(self->model, state, &near);
    if (near_cost < cost) {
        *token = near;
        return near_cost;
    }
    return cost;
}

/* Ways from node i to those behind node `past`. */
static void relax_candidate(struct edit_encoder *self, uint32_t i, uint32_t past,
                            const struct candidate *candidate, uint32_t *reach)
{
    const struct edit_state *state = &self->nodes[i].state;
    const uint32_t *kinds = self->kind_price[edit_state_context(state)];
    struct edit_token token = {candidate->kind, candidate->len, candidate->dist};
    uint32_t least = candidate->kind == EDIT_FAR ? 2 : 1;
    uint32_t cost = self->nodes[i].cost + price_copy(self, state, kinds, &token);
    const uint32_t *lens = self->len_price[edit_len_class(token.kind)];
    uint32_t torn = token.kind == EDIT_REP0 && state->run > 0 ? TORN_COST : 0;

    least = past - i >= least ? past - i + 1 : least;
    for (uint32_t len = candidate->len; len >= least; len--) {
        token.len = len;
        relax(self, i, i + len, cost + lens[len] + (len <= TORN_MAX ? torn : 0), &token, reach);
    }
}

/* The tables may know a copy only from its second byte on, or later: how many bytes before belong
 * to it? */
static uint32_t bytes_before(const struct edit_encoder *self, uint32_t at, uint32_t dist,
                             uint32_t most)
{
    uint32_t count = 0;

    while (count < most && at - count > dist &&
           self->history[at - count - 1] == self->history[at - count - 1 - dist]) {
        count++;
    }
    return count;
}

/* The bytes before node i, and not before the first, that a far candidate holds for, too. */
static uint32_t back_by(const struct edit_encoder *self, uint32_t i,
                        const struct candidate *candidate)
{
    return candidate->kind != EDIT_FAR
               ? 0
               : bytes_before(self, self->start + i, candidate->dist, i < BACK_MAX ? i : BACK_MAX);
}

static bool has_dist(const struct candidate *candidates, size_t count, uint32_t dist)
{
    for (size_t i = 0; i < count; i++) {
        if (candidates[i].dist == dist) {
            return true;
        }
    }
    return false;
}

/* ... so that they may be part of it. */
static void relax_back(struct edit_encoder *self, uint32_t i, const struct candidate *candidate,
                       uint32_t *reach)
{
    struct candidate longer = *candidate;
    uint32_t by = back_by(self, i, candidate);

    by = by < self->effort.nice - longer.len ? by : self->effort.nice - longer.len;
    longer.len += by;
    if (by > 0) {
        relax_candidate(self, i - by, i, &longer, reach);
    }
}

static void emit(struct edit_encoder *self, struct edit_token *token)
{
    struct edit_history history = {self->history, self->gathered, self->history + self->gathered};

    edit_code(self->model, &self->state, token, &history, self->at - self->gathered);
    edit_state_update(&self->state, token);
    self->at += token->len;
    if (self->tokens-- == 0) {
        take_prices(self);
    }
}

static void emit_path(struct edit_encoder *self, uint32_t last)
{
    uint32_t next = 0;

    /* Turn the links around, then follow them. */
    for (uint32_t i = last; i > 0;) {
        uint32_t from = self->nodes[i].from;

        self->nodes[i].cost = next;
        next = i;
        i = from;
    }
    while (next != 0) {
        uint32_t after = self->nodes[next].cost;

        emit(self, &self->nodes[next].token);
        next = after;
    }
}

/* A copy so long that it is taken as it is; only the way to tell its distance is chosen. */
static void emit_copy(struct edit_encoder *self, const struct candidate *candidate)
{
    struct edit_token token = {candidate->kind, candidate->len, candidate->dist};
    uint32_t context = edit_state_context(&self->state);

    (void)price_copy(self, &self->state, self->kind_price[context], &token);
    emit(self, &token);
    self->inserted = self->at; /* what was copied is in the tables already */
}

/* Code the next tokens: up to a long copy, or where the window ends. */
static void step(struct edit_encoder *self)
{
    struct edit_history history = {self->history, self->gathered, self->history + self->gathered};
    struct node *nodes = self->nodes;
    uint32_t start = self->start = self->at;
    struct candidate lists[2][CANDIDATES_MAX]; /* of this node, and the one before */
    size_t before_count = 0;
    uint32_t reach = 0;
    uint32_t i = 0;

    nodes[0].cost = 0;
    nodes[0].state = self->state;
    for (; i < WINDOW && start + i < self->end; i++) {
        struct candidate *candidates = lists[i % 2];
        const struct candidate *before = lists[(i + 1) % 2];
        struct edit_token literal = {EDIT_LITERAL, 1, 0};
        const uint32_t *kinds;
        size_t count;
        size_t longest = 0;

        if (i > 0) {
            nodes[i].state = nodes[nodes[i].from].state;
            edit_state_update(&nodes[i].state, &nodes[i].token);
        }
        count = find(self, &nodes[i].state, start + i, candidates);
        for (size_t k = 1; k < count; k++) {
            longest = candidates[k].len > candidates[longest].len ? k : longest;
        }
        if (count > 0 && candidates[longest].len >= self->effort.nice) {
            uint32_t by = back_by(self, i, &candidates[longest]);

            candidates[longest].len += by;
            emit_path(self, i - by);
            emit_copy(self, &candidates[longest]);
            return;
        }
        if (self->inserted <= start + i) {
            insert(self, start + i);
            self->inserted = start + i + 1;
        }
        kinds = self->kind_price[edit_state_context(&nodes[i].state)];
        relax(self, i, i + 1,
              nodes[i].cost + kinds[EDIT_LITERAL] +
                  edit_price_literal(self->model, &nodes[i].state, &history,
                                     start + i - self->gathered),
              &literal, &reach);
        for (size_t k = 0; k < count; k++) {
            relax_candidate(self, i, i, &candidates[k], &reach);
            if (candidates[k].kind == EDIT_FAR && candidates[k].len >= LONG_BYTES &&
                !has_dist(before, before_count, candidates[k].dist)) { /* which did that */
                relax_back(self, i, &candidates[k], &reach);
            }
        }
        before_count = count;
        if (reach == i + 1 && i >= 64) { /* all ways meet here */
            i++;
            break;
        }
    }
    emit_path(self, i);
}

/* --- the whole --- */

/* Places of each table, for a history up to self->end. */
static enum ox_code make_tables(struct edit_encoder *self, const struct edit_effort *effort,
                                unsigned *log2, struct ox_err *err)
{
    *log2 = 10;
    while (*log2 < effort->table_log2 && (size_t)1 << *log2 < self->end * (size_t)2) {
        (*log2)++;
    }
    if (self->places < (size_t)1 << *log2) {
        for (unsigned i = 0; i < 2; i++) {
            free(self->tables[i]);
            self->tables[i] = malloc(sizeof(uint32_t) << *log2);
        }
        self->places = (size_t)1 << *log2;
        if (self->tables[0] == NULL || self->tables[1] == NULL) {
            self->places = 0;
            return ox_err_nomem(err, "finding matches");
        }
    }
    return OX_OK;
}

static enum ox_code begin_tables(struct edit_encoder *self, const struct edit_effort *effort,
                                 struct ox_err *err)
{
    unsigned log2 = 0;
    unsigned ways_log2 = 0;
    enum ox_code code = make_tables(self, effort, &log2, err);

    while (1u << ways_log2 < effort->ways) {
        ways_log2++;
    }
    self->shift = 64 - (log2 - ways_log2);
    for (unsigned i = 0; code == OX_OK && i < 2; i++) {
        memset(self->tables[i], 0, sizeof(uint32_t) << log2);
    }
    return code;
}

enum ox_code edit_noise(struct edit_encoder *encoder, const uint8_t *history, uint32_t gathered,
                        uint32_t n, const struct edit_hint *hints, size_t hint_count,
                        const struct edit_effort *effort, uint32_t *out, struct ox_err *err)
{
    struct edit_encoder *self = encoder;
    struct edit_frame frame = {history, gathered, n, hints, hint_count};
    unsigned log2 = 0;
    enum ox_code code;

    self->end = gathered + n;
    code = make_tables(self, effort, &log2, err);
    if (code == OX_OK) {
        *out = edit_noise_find(&frame, self->tables[0], log2);
    }
    return code;
}

enum ox_code edit_encode(struct edit_encoder *encoder, uint8_t *history, uint32_t gathered,
                         uint32_t n, const struct edit_hint *hints, size_t hint_count,
                         const struct edit_effort *effort, size_t limit, struct ox_buf *out,
                         bool *fits, struct ox_err *err)
{
    struct edit_encoder *self = encoder;
    size_t before = out->len_bytes;
    enum ox_code code;

    *fits = false;
    self->effort = *effort;
    self->history = history;
    self->gathered = gathered;
    self->end = gathered + n;
    self->at = gathered;
    self->inserted = gathered;
    self->hints = hints;
    self->hint_count = hint_count;
    self->hint = 0;
    if ((code = begin_tables(self, effort, err)) != OX_OK) {
        return code;
    }
    memset(self->blocks, 0, sizeof(self->blocks));
    for (uint32_t block = 0; effort->everywhere && block * BLOCK < gathered; block++) {
        insert_block(self, block);
    }
    edit_state_init(&self->state, gathered);
    edit_encode_begin(self->model, out);
    take_prices(self);
    while (self->at < self->end) {
        step(self);
        if (out->len_bytes - before >= limit) {
            return OX_OK;
        }
    }
    if ((code = edit_encode_end(self->model, err)) != OX_OK) {
        return code;
    }
    *fits = out->len_bytes - before < limit;
    return OX_OK;
}

enum ox_code edit_encoder_new(struct edit_encoder **out, struct ox_err *err)
{
    struct edit_encoder *self = calloc(1, sizeof(*self));
    enum ox_code code;

    if (self == NULL) {
        return ox_err_nomem(err, "finding edits");
    }
    code = edit_model_new(&self->model, err);
    if (code != OX_OK) {
        free(self);
        return code;
    }
    *out = self;
    return OX_OK;
}

void edit_encoder_free(struct edit_encoder *encoder)
{
    if (encoder != NULL) {
        edit_model_free(encoder->model);
        free(encoder->tables[0]);
        free(encoder->tables[1]);
        free(encoder);
    }
}
