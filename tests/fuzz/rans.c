/* uses: entropy */
/*
 * Frequencies and coded symbols. The first byte says how the rest is meant:
 *   0  2 bytes of a count, a byte of contexts, then frequencies and coded symbols: decoded with the
 *      processor's vectors and without, whole and in parts
 *   1  the same count and contexts, then symbols: encoded and decoded
 */
#include "oxide/entropy/rans.h"
#include "fuzz.h"

#define COUNT_MAX 8192
#define PART (4 * OX_RANS_LANES_MAX)

static void set_contexts(uint8_t *contexts, size_t count, uint8_t pattern)
{
    for (size_t i = 0; i < count; i++) {
        contexts[i] = (uint8_t)((i >> (pattern & 7)) * (pattern >> 3) % OX_RANS_CONTEXTS_MAX);
    }
}

static enum ox_code decode(struct ox_rans_decoder *decoder, const uint8_t *contexts,
                           uint8_t *symbols, size_t count, struct ox_reader *reader, bool vectors)
{
    struct ox_rans_stream stream;
    enum ox_code code = ox_rans_decode_begin(&stream, reader, NULL);

    ox_rans_decoder_use_vectors(decoder, vectors);
    for (size_t i = 0; code == OX_OK && i < count; i += PART) {
        ox_rans_decode_next(decoder, &stream, contexts + i, symbols + i,
                            count - i < PART ? count - i : PART);
    }
    return code == OX_OK ? ox_rans_decode_end(&stream, reader, NULL) : code;
}

/* All ways to decode agree. Symbols stand in `symbols` then. */
static enum ox_code decode_all_ways(const struct ox_rans_freqs *freqs, const uint8_t *contexts,
                                    uint8_t *symbols, size_t count, struct ox_reader *reader)
{
    struct ox_rans_decoder *decoder = NULL;
    uint8_t *others = exact_memory(count);
    struct ox_reader at = *reader;
    enum ox_code code;

    memset(symbols, 0, count);
    memset(others, 0, count);
    must(ox_rans_decoder_new(&decoder, NULL) == OX_OK);
    ox_rans_decoder_load(decoder, freqs);
    code = ox_rans_decode(decoder, contexts, symbols, count, reader, NULL);
    for (unsigned vectors = 0; vectors < 2; vectors++) {
        struct ox_reader again = at;

        must(decode(decoder, contexts, others, count, &again, vectors != 0) == code);
        must(code != OX_OK || again.pos == reader->pos);
        must(memcmp(others, symbols, count) == 0);
    }
    ox_rans_decoder_free(decoder);
    free(others);
    return code;
}

static void check_freqs(const struct ox_rans_freqs *freqs)
{
    must(freqs->contexts >= 1 && freqs->contexts <= OX_RANS_CONTEXTS_MAX);
    must(freqs->tables >= 1 && freqs->tables <= freqs->contexts);
    for (unsigned t = 0; t < freqs->tables; t++) {
        uint32_t sum = 0;

        for (unsigned s = 0; s < OX_RANS_SYMBOLS_MAX; s++) {
            sum += freqs->table[t].freq[s];
        }
        must(sum == OX_RANS_SCALE);
    }
}

static void decode_raw(struct fuzz_input *input, const uint8_t *contexts, uint8_t *symbols,
                       size_t count)
{
    struct ox_rans_freqs freqs;
    struct ox_reader reader;
    uint8_t *bytes = exact_memory(input->size);

    if (input->size > 0) {
        memcpy(bytes, input->data, input->size);
    }
    ox_reader_init(&reader, bytes, input->size, "symbols");
    if (ox_rans_freqs_read(&freqs, &reader, NULL) == OX_OK) {
        check_freqs(&freqs);
        (void)!decode_all_ways(&freqs, contexts, symbols, count, &reader);
    }
    free(bytes);
}

static void round_trip(struct fuzz_input *input, const uint8_t *contexts, uint8_t *symbols,
                       size_t count)
{
    static struct ox_rans_counts counts;
    struct ox_rans_freqs freqs;
    struct ox_rans_freqs read;
    struct ox_reader reader;
    struct ox_buf out = OX_BUF_INIT;
    struct ox_buf portable = OX_BUF_INIT;
    size_t tables;
    unsigned lanes = 1u << take_u8(input) % 6;
    uint8_t *wanted = exact_memory(count);

    ox_rans_counts_clear(&counts, OX_RANS_CONTEXTS_MAX, OX_RANS_SYMBOLS_MAX);
    for (size_t i = 0; i < count; i++) {
        wanted[i] = input->size == 0 ? 0 : input->data[i % input->size];
        counts.count[contexts[i]][wanted[i]]++;
    }
    ox_rans_freqs_from_counts(&freqs, &counts, false);
    check_freqs(&freqs);
    must(ox_rans_freqs_put(&freqs, &out, NULL) == OX_OK);
    tables = out.len_bytes;
    must(ox_rans_encode(&freqs, lanes, true, contexts, wanted, count, &out, NULL) == OX_OK);
    must(ox_rans_encode(&freqs, lanes, false, contexts, wanted, count, &portable, NULL) == OX_OK);
    must(portable.len_bytes == out.len_bytes - tables &&
         memcmp(portable.data, out.data + tables, portable.len_bytes) == 0);
    ox_reader_init(&reader, out.data, out.len_bytes, "symbols");
    must(ox_rans_freqs_read(&read, &reader, NULL) == OX_OK);
    must(decode_all_ways(&read, contexts, symbols, count, &reader) == OX_OK);
    must(ox_reader_left(&reader) == 0);
    must(memcmp(symbols, wanted, count) == 0);
    free(wanted);
    ox_buf_clear(&portable);
    ox_buf_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    bool there_and_back = (take_u8(&input) & 1) != 0;
    size_t count = take_u16(&input) % COUNT_MAX;
    uint8_t *contexts = exact_memory(count);
    uint8_t *symbols = exact_memory(count);

    set_contexts(contexts, count, take_u8(&input));
    if (there_and_back) {
        round_trip(&input, contexts, symbols, count);
    } else {
        decode_raw(&input, contexts, symbols, count);
    }
    free(contexts);
    free(symbols);
    return 0;
}
