#include "oxide/entropy/bits.h"

enum ox_code ox_bits_put(struct ox_bits_writer *writer, uint32_t value, unsigned count,
                         struct ox_err *err)
{
    enum ox_code code = OX_OK;

    writer->pending |= ((uint64_t)value & (((uint64_t)1 << count) - 1)) << writer->count;
    writer->count += count;
    while (code == OX_OK && writer->count >= 8) {
        code = ox_buf_put_u8(writer->out, (uint8_t)writer->pending, err);
        writer->pending >>= 8;
        writer->count -= 8;
    }
    return code;
}

enum ox_code ox_bits_end(struct ox_bits_writer *writer, struct ox_err *err)
{
    return writer->count == 0 ? OX_OK : ox_bits_put(writer, 0, 8 - writer->count, err);
}

/* The 8 bytes from `at` on; zeros behind the end. */
static uint64_t word_at(const struct ox_bits_reader *reader, size_t at)
{
    uint64_t word = 0;

    if (reader->len_bytes - at >= 8) {
        return ox_load_u64le(reader->data + at);
    }
    for (size_t i = at; i < reader->len_bytes; i++) {
        word |= (uint64_t)reader->data[i] << (8 * (i - at));
    }
    return word;
}

enum ox_code ox_bits_get(struct ox_bits_reader *reader, unsigned count, uint32_t *out,
                         struct ox_err *err)
{
    size_t at = (size_t)(reader->pos_bits >> 3);

    if (count > (uint64_t)reader->len_bytes * 8 - reader->pos_bits) {
        return ox_err_set(err, OX_ECORRUPT, "coded bits end early");
    }
    *out = (uint32_t)(word_at(reader, at) >> (reader->pos_bits & 7) & (((uint64_t)1 << count) - 1));
    reader->pos_bits += count;
    return OX_OK;
}

enum ox_code ox_bits_put_gamma(struct ox_bits_writer *writer, uint32_t value, struct ox_err *err)
{
    unsigned below = 0;
    enum ox_code code;

    while (value >> 1 >> below != 0) {
        below++;
    }
    /* `below` zeros and a one */
    code = ox_bits_put(writer, 0, below, err);
    if (code == OX_OK) {
        code = ox_bits_put(writer, 1, 1, err);
    }
    return code == OX_OK ? ox_bits_put(writer, value, below, err) : code;
}

enum ox_code ox_bits_get_gamma(struct ox_bits_reader *reader, uint32_t *out, struct ox_err *err)
{
    uint64_t left = (uint64_t)reader->len_bytes * 8 - reader->pos_bits;
    uint64_t word = word_at(reader, (size_t)(reader->pos_bits >> 3)) >> (reader->pos_bits & 7);
    unsigned below = 0;
    uint32_t rest = 0;
    enum ox_code code;

    while (below < 32 && (word >> below & 1) == 0) {
        below++;
    }
    if (below >= left) {
        return ox_err_set(err, OX_ECORRUPT, "coded bits end early");
    }
    if (below > 31) {
        return ox_err_set(err, OX_ECORRUPT, "a coded number is longer than 32 bits");
    }
    reader->pos_bits += below + 1;
    code = ox_bits_get(reader, below, &rest, err);
    if (code == OX_OK) {
        *out = (uint32_t)((uint64_t)1 << below) | rest;
    } else {
        reader->pos_bits -= below + 1;
    }
    return code;
}
