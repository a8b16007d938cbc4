#include "oxide/base/random.h"
#include "oxide/entropy/rans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N_MAX 40000

struct world {
    struct ox_rans_counts counts;
    struct ox_rans_freqs freqs;
    struct ox_rans_freqs read;
    struct ox_rans_decoder *decoder;
    uint8_t contexts[N_MAX];
    uint8_t symbols[N_MAX];
    uint8_t got[N_MAX];
    struct ox_buf out;
};

static int set_up(void **state)
{
    struct world *self = calloc(1, sizeof(*self));

    *state = self;
    return self == NULL || ox_rans_decoder_new(&self->decoder, NULL) != OX_OK;
}

static int tear_down(void **state)
{
    struct world *self = *state;

    ox_rans_decoder_free(self->decoder);
    ox_buf_clear(&self->out);
    free(self);
    return 0;
}

/* Symbols of about two octaves, whose place moves with the context; sometimes any. */
static void fill(struct world *self, size_t n, unsigned contexts, uint64_t seed)
{
    struct ox_rng rng;

    ox_rng_init(&rng, seed);
    for (size_t i = 0; i < n; i++) {
        unsigned c = (unsigned)ox_rng_below(&rng, contexts);
        unsigned s = (unsigned)(ox_rng_below(&rng, 6) + ox_rng_below(&rng, 6)) + 4 * c;

        self->contexts[i] = (uint8_t)c;
        self->symbols[i] = (uint8_t)(ox_rng_below(&rng, 100) == 0 ? ox_rng_u64(&rng) : s);
    }
}

static void count(struct world *self, size_t n)
{
    ox_rans_counts_clear(&self->counts, OX_RANS_CONTEXTS_MAX, OX_RANS_SYMBOLS_MAX);
    for (size_t i = 0; i < n; i++) {
        self->counts.count[self->contexts[i]][self->symbols[i]]++;
    }
    ox_rans_freqs_from_counts(&self->freqs, &self->counts, false);
}

/* Tables and symbols into self->out, the same by vectors and without. */
static void encode(struct world *self, size_t n, unsigned lanes)
{
    struct ox_buf portable = OX_BUF_INIT;
    size_t tables;

    self->out.len_bytes = 0;
    assert_int_equal(ox_rans_freqs_put(&self->freqs, &self->out, NULL), OX_OK);
    tables = self->out.len_bytes;
    assert_int_equal(ox_rans_encode(&self->freqs, lanes, true, self->contexts, self->symbols, n,
                                    &self->out, NULL),
                     OX_OK);
    assert_int_equal(ox_rans_encode(&self->freqs, lanes, false, self->contexts, self->symbols, n,
                                    &portable, NULL),
                     OX_OK);
    assert_int_equal(portable.len_bytes, self->out.len_bytes - tables);
    assert_memory_equal(portable.data, self->out.data + tables, portable.len_bytes);
    ox_buf_clear(&portable);
}

static enum ox_code decode(struct world *self, const void *bytes, size_t len, size_t n)
{
    struct ox_reader reader;
    enum ox_code code;

    ox_reader_init(&reader, bytes, len, "symbols");
    code = ox_rans_freqs_read(&self->read, &reader, NULL);
    if (code == OX_OK) {
        ox_rans_decoder_load(self->decoder, &self->read);
        code = ox_rans_decode(self->decoder, self->contexts, self->got, n, &reader, NULL);
    }
    return code == OX_OK ? ox_reader_end(&reader, NULL) : code;
}

static void freqs__add_up_and_know_every_symbol(void **state)
{
    struct world *self = *state;

    fill(self, N_MAX, 32, 1);
    count(self, N_MAX);
    assert_in_range(self->freqs.tables, 1, 32);
    for (unsigned t = 0; t < self->freqs.tables; t++) {
        unsigned sum = 0;

        for (unsigned s = 0; s < OX_RANS_SYMBOLS_MAX; s++) {
            sum += self->freqs.table[t].freq[s];
        }
        assert_int_equal(sum, OX_RANS_SCALE);
    }
    for (size_t i = 0; i < N_MAX; i++) {
        unsigned t = self->freqs.table_of[self->contexts[i]];

        assert_true(self->freqs.table[t].freq[self->symbols[i]] > 0);
    }
}

static void freqs__come_back_as_they_were(void **state)
{
    struct world *self = *state;

    for (unsigned contexts = 1; contexts <= 32; contexts += 5) {
        struct ox_reader reader;

        fill(self, 1000 * (size_t)contexts, contexts, contexts);
        count(self, 1000 * (size_t)contexts);
        self->out.len_bytes = 0;
        assert_int_equal(ox_rans_freqs_put(&self->freqs, &self->out, NULL), OX_OK);
        ox_reader_init(&reader, self->out.data, self->out.len_bytes, "tables");
        assert_int_equal(ox_rans_freqs_read(&self->read, &reader, NULL), OX_OK);
        assert_int_equal(ox_reader_left(&reader), 0);
        assert_int_equal(self->read.tables, self->freqs.tables);
        assert_memory_equal(self->read.table_of, self->freqs.table_of, 32);
        for (unsigned t = 0; t < self->freqs.tables; t++) {
            assert_memory_equal(self->read.table[t].freq, self->freqs.table[t].freq,
                                sizeof(self->freqs.table[t].freq));
        }
    }
}

static void freqs__are_shared_where_contexts_are_alike(void **state)
{
    struct world *self = *state;

    fill(self, N_MAX, 1, 5); /* one distribution, spread over all contexts */
    for (size_t i = 0; i < N_MAX; i++) {
        self->contexts[i] = (uint8_t)(i % 32);
    }
    count(self, N_MAX);
    assert_int_equal(self->freqs.tables, 1);
    fill(self, N_MAX, 8, 5); /* and eight that differ */
    count(self, N_MAX);
    assert_int_equal(self->freqs.tables, 8);
}

static void freqs__of_few_symbols_are_short(void **state)
{
    struct world *self = *state;

    for (unsigned i = 0; i < 30; i++) {
        self->contexts[i] = (uint8_t)i;
        self->symbols[i] = (uint8_t)(i % 7);
    }
    count(self, 30);
    encode(self, 30, 1);
    assert_in_range(self->out.len_bytes, 10, 30);
}

static void freqs__of_nothing_can_be_described(void **state)
{
    struct world *self = *state;

    count(self, 0);
    encode(self, 0, 1);
    assert_int_equal(decode(self, self->out.data, self->out.len_bytes, 0), OX_OK);
}

static void freqs__refuse_damage(void **state)
{
    struct world *self = *state;
    static const struct {
        const char *what;
        uint8_t bytes[4];
        size_t len;
    } bad[] = {
        {"nothing", {0}, 0},
        {"no contexts", {0, 0xff}, 2},
        {"33 contexts", {33, 0xff}, 2},
        {"a table that is cut", {1}, 1},
        {"endless low", {1, 0, 0, 0}, 4},
        {"symbols over 255", {1, 0x00, 0x03, 0xff}, 4},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ox_reader reader;

        ox_reader_init(&reader, bad[i].bytes, bad[i].len, bad[i].what);
        if (ox_rans_freqs_read(&self->read, &reader, NULL) != OX_ECORRUPT) {
            fail_msg("%s was read", bad[i].what);
        }
    }
}

static void freqs__look_at_nothing_beyond_the_bounds_of_counts(void **state)
{
    struct world *self = *state;
    struct ox_rans_counts bounded;
    struct ox_rans_freqs freqs;

    fill(self, N_MAX, 7, 5);
    for (size_t i = 0; i < N_MAX; i++) {
        self->symbols[i] %= 40;
    }
    count(self, N_MAX);
    memset(&bounded, 0xff, sizeof(bounded));
    bounded.contexts = 7;
    bounded.symbols = 40;
    for (unsigned c = 0; c < bounded.contexts; c++) {
        memcpy(bounded.count[c], self->counts.count[c], 40 * sizeof(bounded.count[c][0]));
    }
    ox_rans_freqs_from_counts(&freqs, &bounded, false);
    assert_memory_equal(&freqs, &self->freqs, sizeof(freqs));
    assert_int_equal(ox_rans_cost(&bounded, &freqs), ox_rans_cost(&self->counts, &self->freqs));
}

static void cost__is_about_the_coded_size(void **state)
{
    struct world *self = *state;
    uint64_t cost;
    size_t tables;

    fill(self, N_MAX, 8, 3);
    count(self, N_MAX);
    cost = ox_rans_cost(&self->counts, &self->freqs) / 2048;
    self->out.len_bytes = 0;
    assert_int_equal(ox_rans_freqs_put(&self->freqs, &self->out, NULL), OX_OK);
    tables = self->out.len_bytes;
    encode(self, N_MAX, 1);
    assert_in_range(self->out.len_bytes - tables, cost - cost / 500, cost + cost / 500 + 8);
}

static void decode__returns_what_was_encoded(void **state)
{
    struct world *self = *state;
    static const size_t lengths[] = {0, 1, 2, 31, 32, 33, 100, 4096, 10007, N_MAX};

    for (unsigned vectors = 0; vectors < 2; vectors++) {
        ox_rans_decoder_use_vectors(self->decoder, vectors != 0);
        for (unsigned lanes = 1; lanes <= OX_RANS_LANES_MAX; lanes *= 2) {
            for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
                size_t n = lengths[k];

                fill(self, n, 1 + (unsigned)k * 3, k);
                count(self, n);
                encode(self, n, lanes);
                memset(self->got, 0x5a, n);
                assert_int_equal(decode(self, self->out.data, self->out.len_bytes, n), OX_OK);
                assert_memory_equal(self->got, self->symbols, n);
            }
        }
    }
}

/* States are highest, above 2^31, where a symbol has most of a table; quotients are where it has
 * least. */
static void decode__returns_what_is_nearly_all_one_symbol(void **state)
{
    struct world *self = *state;

    for (unsigned others = 1; others <= N_MAX / 2; others *= 3) {
        for (unsigned lanes = 4; lanes <= OX_RANS_LANES_MAX; lanes *= 2) {
            fill(self, N_MAX, 3, others);
            for (size_t i = 0; i < N_MAX; i++) {
                self->symbols[i] = i * 7 % N_MAX < others ? self->symbols[i] : 9;
            }
            count(self, N_MAX);
            encode(self, N_MAX, lanes);
            assert_int_equal(decode(self, self->out.data, self->out.len_bytes, N_MAX), OX_OK);
            assert_memory_equal(self->got, self->symbols, N_MAX);
        }
    }
}

static void decode__of_one_symbol_takes_no_words(void **state)
{
    struct world *self = *state;

    memset(self->contexts, 0, N_MAX);
    memset(self->symbols, 200, N_MAX);
    count(self, N_MAX);
    encode(self, N_MAX, 4);
    assert_in_range(self->out.len_bytes, 17, 22);
    assert_int_equal(decode(self, self->out.data, self->out.len_bytes, N_MAX), OX_OK);
    assert_memory_equal(self->got, self->symbols, N_MAX);
}

static void decode__gives_the_same_symbols_in_parts(void **state)
{
    struct world *self = *state;
    struct ox_rans_stream stream;
    struct ox_reader reader;

    fill(self, N_MAX, 32, 9);
    count(self, N_MAX);
    encode(self, N_MAX, 32);
    for (unsigned vectors = 0; vectors < 2; vectors++) {
        ox_rans_decoder_use_vectors(self->decoder, vectors != 0);
        ox_reader_init(&reader, self->out.data, self->out.len_bytes, "symbols");
        assert_int_equal(ox_rans_freqs_read(&self->read, &reader, NULL), OX_OK);
        ox_rans_decoder_load(self->decoder, &self->read);
        assert_int_equal(ox_rans_decode_begin(&stream, &reader, NULL), OX_OK);
        for (size_t i = 0, n = 0; i < N_MAX; i += n) {
            n = N_MAX - i < 96 ? N_MAX - i : 96;
            ox_rans_decode_next(self->decoder, &stream, self->contexts + i, self->got + i, n);
        }
        assert_int_equal(ox_rans_decode_end(&stream, &reader, NULL), OX_OK);
        assert_int_equal(ox_reader_left(&reader), 0);
        assert_memory_equal(self->got, self->symbols, N_MAX);
    }
}

static void encode__refuses_symbols_without_a_frequency(void **state)
{
    struct world *self = *state;
    size_t before;

    fill(self, 1000, 2, 4);
    count(self, 1000);
    before = self->out.len_bytes;
    for (unsigned s = 0; s < OX_RANS_SYMBOLS_MAX; s++) {
        if (self->freqs.table[self->freqs.table_of[self->contexts[7]]].freq[s] == 0) {
            self->symbols[7] = (uint8_t)s;
        }
    }
    for (unsigned lanes = 4; lanes <= OX_RANS_LANES_MAX; lanes *= 2) {
        assert_int_equal(ox_rans_encode(&self->freqs, lanes, true, self->contexts, self->symbols,
                                        1000, &self->out, NULL),
                         OX_EINVAL);
        assert_int_equal(self->out.len_bytes, before);
    }
}

/* On the heap with exact bounds, which a sanitizer watches. */
static void decode__survives_truncation_and_flipped_bytes(void **state)
{
    struct world *self = *state;
    const size_t n = 700;

    fill(self, n, 3, 11);
    count(self, n);
    for (unsigned lanes = 1; lanes <= 32; lanes *= 4) {
        encode(self, n, lanes);
        for (size_t len = 0; len < self->out.len_bytes; len++) {
            uint8_t *exact = malloc(len + 1);

            assert_non_null(exact);
            memcpy(exact + 1, self->out.data, len);
            assert_int_equal(decode(self, exact + 1, len, n), OX_ECORRUPT);
            free(exact);
        }
        for (size_t at = 0; at < self->out.len_bytes; at++) {
            uint8_t *exact = malloc(self->out.len_bytes);

            assert_non_null(exact);
            memcpy(exact, self->out.data, self->out.len_bytes);
            exact[at] ^= (uint8_t)(1u << at % 8);
            (void)decode(self, exact, self->out.len_bytes, n);
            free(exact);
        }
    }
}

static void decode__refuses_states_that_cannot_be(void **state)
{
    struct world *self = *state;
    size_t tables;

    fill(self, 100, 1, 2);
    count(self, 100);
    self->out.len_bytes = 0;
    assert_int_equal(ox_rans_freqs_put(&self->freqs, &self->out, NULL), OX_OK);
    tables = self->out.len_bytes;
    encode(self, 100, 1);
    self->out.data[tables] = 6; /* 64 states */
    assert_int_equal(decode(self, self->out.data, self->out.len_bytes, 100), OX_ECORRUPT);
    self->out.data[tables] = 0;
    memset(self->out.data + tables + 3, 0, 2); /* a state under 2^16 */
    assert_int_equal(decode(self, self->out.data, self->out.len_bytes, 100), OX_ECORRUPT);
}

static void bytes__are_pinned(void **state)
{
    struct world *self = *state;
    static const uint8_t want[] = {0x02, 0x0d, 0x28, 0xa7, 0x01, 0x01, 0x88, 0x70,
                                   0x67, 0xe1, 0x00, 0x00, 0x01, 0x00, 0x00, 0x1c};

    for (unsigned i = 0; i < 40; i++) {
        self->contexts[i] = (uint8_t)(i % 2);
        self->symbols[i] = (uint8_t)(i % 2 == 0 ? i % 3 : 5);
    }
    count(self, 40);
    encode(self, 40, 2);
    if (self->out.len_bytes != sizeof(want) || memcmp(self->out.data, want, sizeof(want)) != 0) {
        for (size_t i = 0; i < self->out.len_bytes; i++) {
            print_message("0x%02x, ", self->out.data[i]);
        }
        fail_msg("the bytes of coded symbols changed: patches that are out cannot be read");
    }
}

/* Each state takes 4 bytes: they are many where that is little, or symbols are so many that time
 * counts. */
static void lanes__are_few_for_small_streams(void **state)
{
    (void)state;
    assert_int_equal(ox_rans_lanes(100, 200), 1);
    assert_int_equal(ox_rans_lanes(4000, 2000), 4);
    assert_int_equal(ox_rans_lanes(100000, 500), 4);
    assert_int_equal(ox_rans_lanes(20000, 9000), 16);
    assert_int_equal(ox_rans_lanes(262144, 1023), 4);
    assert_int_equal(ox_rans_lanes(262144, 1024), 16);
    assert_int_equal(ox_rans_lanes(100000, 20000), 32);
    assert_int_equal(ox_rans_lanes(1000000, 1000000), 32);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(freqs__add_up_and_know_every_symbol),
        TEST(freqs__come_back_as_they_were),
        TEST(freqs__are_shared_where_contexts_are_alike),
        TEST(freqs__of_few_symbols_are_short),
        TEST(freqs__of_nothing_can_be_described),
        TEST(freqs__refuse_damage),
        TEST(freqs__look_at_nothing_beyond_the_bounds_of_counts),
        TEST(cost__is_about_the_coded_size),
        TEST(decode__returns_what_was_encoded),
        TEST(decode__returns_what_is_nearly_all_one_symbol),
        TEST(decode__of_one_symbol_takes_no_words),
        TEST(decode__gives_the_same_symbols_in_parts),
        TEST(encode__refuses_symbols_without_a_frequency),
        TEST(decode__survives_truncation_and_flipped_bytes),
        TEST(decode__refuses_states_that_cannot_be),
        TEST(bytes__are_pinned),
        cmocka_unit_test(lanes__are_few_for_small_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
