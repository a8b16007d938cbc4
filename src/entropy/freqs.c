/* Frequencies: from counts, described in few bits, and what they cost. */
#include "oxide/entropy/bits.h"
#include "oxide/entropy/rans.h"

#include <string.h>

/* A frequency keeps its highest bit and 1 to 4 below it: tables of few symbols are described
 * coarsely. With four, what is lost is under 0.1 % of the coded size. */
#define MANTISSA_MAX 4
#define FIRST_LENGTH 6 /* a middling length of a frequency, which the first is told against */
#define LOG_BITS 16

static unsigned bit_length(uint32_t value)
{
    return value == 0 ? 0 : 32 - (unsigned)__builtin_clz(value);
}

/* log2(value) in 1/2^16, for value >= 1: a table with straight lines between, off by 5e-5. */
static uint32_t log2_fixed(uint32_t value)
{
    static const uint32_t logs[65] = {
        0,     1466,  2909,  4331,  5732,  7112,  8473,  9814,  11136, 12440, 13727, 14996, 16248,
        17484, 18704, 19909, 21098, 22272, 23433, 24579, 25711, 26830, 27936, 29029, 30109, 31178,
        32234, 33279, 34312, 35334, 36346, 37346, 38336, 39316, 40286, 41246, 42196, 43137, 44068,
        44990, 45904, 46809, 47705, 48593, 49472, 50344, 51207, 52063, 52911, 53751, 54584, 55410,
        56229, 57040, 57845, 58643, 59434, 60219, 60997, 61769, 62534, 63294, 64047, 64794, 65536};
    unsigned whole = bit_length(value | 1) - 1;
    uint32_t x = value << (31 - whole);
    uint32_t i = x >> 25 & 63;
    uint32_t between = x >> 9 & 0xffff;

    return ((uint32_t)whole << LOG_BITS) + logs[i] +
           (((logs[i + 1] - logs[i]) * between) >> LOG_BITS);
}

void ox_rans_counts_clear(struct ox_rans_counts *counts, unsigned contexts, unsigned symbols)
{
    counts->contexts = contexts;
    counts->symbols = symbols;
    for (unsigned c = 0; c < contexts; c++) {
        memset(counts->count[c], 0, symbols * sizeof(counts->count[c][0]));
    }
}

/* --- which contexts share a table --- */

/* Groups of neighbouring contexts, and what each costs: in 1/2^16 bits, its table about. */
struct groups {
    unsigned count;
    unsigned symbols; /* no symbol is as high */
    uint8_t first[OX_RANS_CONTEXTS_MAX];
    uint64_t cost[OX_RANS_CONTEXTS_MAX];
    uint64_t saving[OX_RANS_CONTEXTS_MAX]; /* by joining with the next; may be none */
    uint32_t hits[OX_RANS_CONTEXTS_MAX][OX_RANS_SYMBOLS_MAX];
};

#define TABLE_BITS 16 /* of a table, besides its frequencies */
#define FREQ_BITS 5   /* of a frequency, about */

static uint64_t cost_of(const uint32_t *a, const uint32_t *b, unsigned symbols)
{
    uint64_t total = 0;
    uint64_t logs = 0;
    unsigned used = 0;
    unsigned unused = 0; /* between the used ones */
    unsigned gap = 0;

    for (unsigned s = 0; s < symbols; s++) {
        uint32_t count = a[s] + (b == NULL ? 0 : b[s]);

        if (count == 0) {
            gap++;
            continue;
        }
        unused += used > 0 ? gap : 0;
        gap = 0;
        used++;
        total += count;
        logs += (uint64_t)count * log2_fixed(count);
    }
    return used == 0 ? 0
                     : total * log2_fixed((uint32_t)total) - logs +
                           ((uint64_t)(TABLE_BITS + FREQ_BITS * (used - 1) + unused) << LOG_BITS);
}

static void weigh(struct groups *groups, unsigned g)
{
    if (g + 1 < groups->count) {
        uint64_t both = cost_of(groups->hits[g], groups->hits[g + 1], groups->symbols);
        uint64_t apart = groups->cost[g] + groups->cost[g + 1];

        groups->saving[g] = apart > both ? apart - both : 0;
    }
}

static void join(struct groups *groups, unsigned g)
{
    unsigned behind = groups->count - g - 2;

    for (unsigned s = 0; s < groups->symbols; s++) {
        groups->hits[g][s] += groups->hits[g + 1][s];
    }
    groups->cost[g] += groups->cost[g + 1] - groups->saving[g];
    memmove(&groups->hits[g + 1], &groups->hits[g + 2], behind * sizeof(groups->hits[0]));
    memmove(&groups->first[g + 1], &groups->first[g + 2], behind * sizeof(groups->first[0]));
    memmove(&groups->cost[g + 1], &groups->cost[g + 2], behind * sizeof(groups->cost[0]));
    memmove(&groups->saving[g + 1], &groups->saving[g + 2], behind * sizeof(groups->saving[0]));
    groups->count--;
    weigh(groups, g);
    if (g > 0) {
        weigh(groups, g - 1);
    }
}

/* The first symbol from which on none occurs. */
static unsigned symbols_used(const uint32_t *count, unsigned high)
{
    while (high > 0 && count[high - 1] == 0) {
        high--;
    }
    return high;
}

/* Each context that occurs begins a group (the first takes those below it, too); then the pair that
 * saves most is joined, while one saves. */
static unsigned group_contexts(struct groups *groups, const struct ox_rans_counts *counts)
{
    unsigned contexts = 1;

    groups->count = 0;
    groups->symbols = 1;
    for (unsigned c = 0; c < counts->contexts; c++) {
        unsigned high = symbols_used(counts->count[c], counts->symbols);

        if (high > 0) {
            memcpy(groups->hits[groups->count], counts->count[c],
                   counts->symbols * sizeof(groups->hits[0][0]));
            groups->first[groups->count] = (uint8_t)(groups->count == 0 ? 0 : c);
            groups->count++;
            groups->symbols = high > groups->symbols ? high : groups->symbols;
            contexts = c + 1;
        }
    }
    for (unsigned g = 0; g < groups->count; g++) {
        groups->cost[g] = cost_of(groups->hits[g], NULL, groups->symbols);
    }
    for (unsigned g = 0; g < groups->count; g++) {
        weigh(groups, g);
    }
    for (;;) {
        unsigned best = 0;

        for (unsigned g = 1; g + 1 < groups->count; g++) {
            best = groups->saving[g] > groups->saving[best] ? g : best;
        }
        if (groups->count < 2 || groups->saving[best] == 0) {
            return contexts;
        }
        join(groups, best);
    }
}

/* --- one table --- */

static uint32_t round_down(uint32_t freq, unsigned mantissa)
{
    unsigned length = bit_length(freq);
    unsigned drop = length > mantissa + 1 ? length - mantissa - 1 : 0;

    return freq >> drop << drop;
}

static uint32_t round_near(uint32_t freq, unsigned mantissa)
{
    unsigned length = bit_length(freq);
    unsigned drop = length > mantissa + 1 ? length - mantissa - 1 : 0;

    return drop == 0 ? freq : round_down(freq + (1u << (drop - 1)), mantissa);
}

static unsigned largest(const uint16_t *freq, unsigned but)
{
    unsigned best = but == 0 ? 1 : 0;

    for (unsigned s = 0; s < OX_RANS_SYMBOLS_MAX; s++) {
        if (s != but && freq[s] > freq[best]) {
            best = s;
        }
    }
    return best;
}

/* The most frequent symbol, of some that occur, takes what the others leave. */
static void fill_table(struct ox_rans_table *table, const uint32_t *hits, unsigned symbols,
                       unsigned mantissa)
{
    uint16_t *freq = table->freq;
    uint64_t total = 0;
    uint32_t others = 0;
    unsigned top = 0;
    uint32_t want_top;

    memset(freq, 0, sizeof(table->freq));
    for (unsigned s = 0; s < symbols; s++) {
        total += hits[s];
        top = hits[s] > hits[top] ? s : top;
    }
    total = total == 0 ? 1 : total;
    for (unsigned s = 0; s < symbols; s++) {
        if (hits[s] > 0 && s != top) {
            uint64_t exact = ((uint64_t)hits[s] * OX_RANS_SCALE + total / 2) / total;

            freq[s] = (uint16_t)(exact == 0 ? 1 : round_near((uint32_t)exact, mantissa));
            others += freq[s];
        }
    }
    /* Rounding up must not starve the top: lower the largest others until it has most of its own.
     */
    want_top = (uint32_t)((uint64_t)hits[top] * OX_RANS_SCALE / total) * 3 / 4;
    while (others + (want_top == 0 ? 1 : want_top) > OX_RANS_SCALE) {
        unsigned next = largest(freq, top);

        others -= freq[next];
        freq[next] = (uint16_t)round_down(freq[next] - 1u, mantissa);
        others += freq[next];
    }
    freq[top] = (uint16_t)(OX_RANS_SCALE - others);
    table->top = (uint8_t)top;
    table->mantissa = (uint8_t)mantissa;
}

static unsigned stored_bits(unsigned length, unsigned mantissa)
{
    return length > mantissa + 1 ? mantissa : length > 0 ? length - 1 : 0;
}

static uint32_t folded(int step)
{
    return step > 0 ? (uint32_t)step * 2 : (uint32_t)(-step) * 2 + 1;
}

/* Bits of symbols and description, in 1/2^16; what is the same for every mantissa left out. */
static uint64_t cost_of_table(const struct ox_rans_table *table, const uint32_t *hits,
                              unsigned symbols)
{
    uint64_t cost = 0;
    unsigned before = FIRST_LENGTH;
    unsigned low = 0;

    while (table->freq[low] == 0) {
        low++;
    }
    for (unsigned s = low; s < symbols; s++) {
        unsigned length = bit_length(table->freq[s]);

        if (hits[s] > 0) {
            cost +=
                (uint64_t)hits[s] * ((OX_RANS_SCALE_BITS << LOG_BITS) - log2_fixed(table->freq[s]));
        }
        if (s != table->top) {
            unsigned bits = 2 * bit_length(folded((int)length - (int)before)) - 1 +
                            stored_bits(length, table->mantissa);

            cost += (uint64_t)bits << LOG_BITS;
            before = length;
        }
    }
    return cost;
}

/* The most bits first. Where a table is for few numbers fewer may do. */
static void choose_table(struct ox_rans_table *out, const uint32_t *hits, unsigned symbols,
                         unsigned least)
{
    uint64_t best = UINT64_MAX;

    for (unsigned mantissa = MANTISSA_MAX; mantissa >= least; mantissa--) {
        struct ox_rans_table table = {.top = 0};
        uint64_t cost;

        fill_table(&table, hits, symbols, mantissa);
        cost = least < MANTISSA_MAX ? cost_of_table(&table, hits, symbols) : 0;
        if (cost < best) {
            best = cost;
            *out = table;
        }
    }
}

void ox_rans_freqs_from_counts(struct ox_rans_freqs *out, const struct ox_rans_counts *counts,
                               bool quick)
{
    struct groups groups;

    memset(out, 0, sizeof(*out));
    out->contexts = group_contexts(&groups, counts);
    out->tables = groups.count;
    if (groups.count == 0) { /* nothing to code: a table must stand there all the same */
        out->tables = 1;
        out->table[0].freq[0] = OX_RANS_SCALE;
        out->table[0].mantissa = 1;
    }
    for (unsigned g = 0; g < groups.count; g++) {
        unsigned end = g + 1 < groups.count ? groups.first[g + 1] : OX_RANS_CONTEXTS_MAX;

        memset(out->table_of + groups.first[g], (int)g, end - groups.first[g]);
        choose_table(&out->table[g], groups.hits[g], groups.symbols, quick ? MANTISSA_MAX : 1);
    }
}

/* --- description --- */

static enum ox_code put_table(const struct ox_rans_table *table, struct ox_bits_writer *bits,
                              struct ox_err *err)
{
    unsigned low = 0;
    unsigned high = OX_RANS_SYMBOLS_MAX - 1;
    unsigned before = FIRST_LENGTH;
    enum ox_code code;

    while (low < high && table->freq[low] == 0) {
        low++;
    }
    while (high > low && table->freq[high] == 0) {
        high--;
    }
    if ((code = ox_bits_put_gamma(bits, low + 1, err)) != OX_OK ||
        (code = ox_bits_put_gamma(bits, high - low + 1, err)) != OX_OK ||
        (code = ox_bits_put(bits, table->top - low, bit_length(high - low), err)) != OX_OK ||
        low == high || (code = ox_bits_put(bits, table->mantissa - 1u, 2, err)) != OX_OK) {
        return code;
    }
    for (unsigned s = low; code == OX_OK && s <= high; s++) {
        unsigned length = bit_length(table->freq[s]);
        unsigned stored = stored_bits(length, table->mantissa);

        if (s == table->top) {
            continue;
        }
        code = ox_bits_put_gamma(bits, folded((int)length - (int)before), err);
        if (code == OX_OK && stored > 0) {
            code =
                ox_bits_put(bits, (uint32_t)table->freq[s] >> (length - 1 - stored), stored, err);
        }
        before = length;
    }
    return code;
}

enum ox_code ox_rans_freqs_put(const struct ox_rans_freqs *freqs, struct ox_buf *out,
                               struct ox_err *err)
{
    struct ox_bits_writer bits = {.out = out};
    enum ox_code code = ox_buf_put_u8(out, (uint8_t)freqs->contexts, err);

    for (unsigned c = 0; code == OX_OK && c < freqs->contexts; c++) {
        bool own = c == 0 || freqs->table_of[c] != freqs->table_of[c - 1];

        if (c > 0) {
            code = ox_bits_put(&bits, own, 1, err);
        }
        if (code == OX_OK && own) {
            code = put_table(&freqs->table[freqs->table_of[c]], &bits, err);
        }
    }
    return code == OX_OK ? ox_bits_end(&bits, err) : code;
}

static enum ox_code read_one(struct ox_bits_reader *bits, unsigned mantissa, unsigned *length,
                             uint32_t *freq, struct ox_err *err)
{
    uint32_t coded = 0;
    uint32_t low = 0;
    unsigned stored;
    int64_t next;
    enum ox_code code = ox_bits_get_gamma(bits, &coded, err);

    if (code != OX_OK) {
        return code;
    }
    next = (int64_t)*length + ((coded & 1) != 0 ? -(int64_t)(coded >> 1) : (int64_t)(coded >> 1));
    if (next < 0 || next > OX_RANS_SCALE_BITS) {
        return ox_err_set(err, OX_ECORRUPT, "a table of frequencies is out of bounds");
    }
    *length = (unsigned)next;
    stored = stored_bits(*length, mantissa);
    code = ox_bits_get(bits, stored, &low, err);
    if (code == OX_OK) {
        *freq = *length == 0 ? 0 : ((1u << stored) | low) << (*length - 1 - stored);
    }
    return code;
}

static enum ox_code read_table(struct ox_rans_table *table, struct ox_bits_reader *bits,
                               struct ox_err *err)
{
    uint32_t low = 0;
    uint32_t span = 0;
    uint32_t top = 0;
    uint32_t mantissa = 0;
    uint32_t others = 0;
    unsigned length = FIRST_LENGTH;
    enum ox_code code;

    if ((code = ox_bits_get_gamma(bits, &low, err)) != OX_OK ||
        (code = ox_bits_get_gamma(bits, &span, err)) != OX_OK) {
        return code;
    }
    low--; /* both are told by one more than they are */
    span--;
    if (low >= OX_RANS_SYMBOLS_MAX || span >= OX_RANS_SYMBOLS_MAX - low) {
        return ox_err_set(err, OX_ECORRUPT, "a table of frequencies has too many symbols");
    }
    if ((code = ox_bits_get(bits, bit_length(span), &top, err)) != OX_OK ||
        (span > 0 && (code = ox_bits_get(bits, 2, &mantissa, err)) != OX_OK)) {
        return code;
    }
    if (top > span) {
        return ox_err_set(err, OX_ECORRUPT, "a table of frequencies is out of order");
    }
    table->top = (uint8_t)(low + top);
    table->mantissa = (uint8_t)(mantissa + 1);
    for (uint32_t s = low; code == OX_OK && s <= low + span; s++) {
        uint32_t one = 0;

        if (s != table->top) {
            code = read_one(bits, table->mantissa, &length, &one, err);
            table->freq[s] = (uint16_t)one;
            others += one;
        }
    }
    if (code == OX_OK && others >= OX_RANS_SCALE) {
        code = ox_err_set(err, OX_ECORRUPT, "a table of frequencies adds up to too much");
    }
    if (code == OX_OK) {
        table->freq[table->top] = (uint16_t)(OX_RANS_SCALE - others);
    }
    return code;
}

enum ox_code ox_rans_freqs_read(struct ox_rans_freqs *out, struct ox_reader *reader,
                                struct ox_err *err)
{
    struct ox_bits_reader bits;
    const uint8_t *skipped = NULL;
    uint8_t contexts = 0;
    enum ox_code code = ox_reader_u8(reader, &contexts, err);

    if (code != OX_OK) {
        return code;
    }
    if (contexts == 0 || contexts > OX_RANS_CONTEXTS_MAX) {
        return ox_err_set(err, OX_ECORRUPT, "coded symbols claim %u contexts, 1 to %d can be",
                          contexts, OX_RANS_CONTEXTS_MAX);
    }
    memset(out, 0, sizeof(*out));
    out->contexts = contexts;
    bits = (struct ox_bits_reader){reader->data + reader->pos, ox_reader_left(reader), 0};
    for (unsigned c = 0; code == OX_OK && c < OX_RANS_CONTEXTS_MAX; c++) {
        uint32_t own = c == 0;

        if (c > 0 && c < contexts) {
            code = ox_bits_get(&bits, 1, &own, err);
        }
        if (code == OX_OK && own != 0) {
            code = read_table(&out->table[out->tables++], &bits, err);
        }
        out->table_of[c] = (uint8_t)(out->tables - 1);
    }
    return code == OX_OK ? ox_reader_bytes(reader, (size_t)((bits.pos_bits + 7) / 8), &skipped, err)
                         : code;
}

uint64_t ox_rans_cost(const struct ox_rans_counts *counts, const struct ox_rans_freqs *freqs)
{
    uint64_t cost = 0;

    for (unsigned c = 0; c < counts->contexts; c++) {
        const uint16_t *freq = freqs->table[freqs->table_of[c]].freq;

        for (unsigned s = 0; s < counts->symbols; s++) {
            if (counts->count[c][s] > 0 && freq[s] > 0) {
                cost += (uint64_t)counts->count[c][s] *
                        ((OX_RANS_SCALE_BITS << LOG_BITS) - log2_fixed(freq[s]));
            }
        }
    }
    return cost >> (LOG_BITS - 8);
}
