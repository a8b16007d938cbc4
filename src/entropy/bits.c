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

enum ox_code ox_bits_get(struct ox_bits_reader *reader, unsigned count, uint32_t *out,
                         struct ox_err *err)
{
    uint64_t value = 0;

    if (count > (uint64_t)reader->len_bytes * 8 - reader->pos_bits) {
        return ox_err_set(err, OX_ECORRUPT, "coded bits end early");
    }
    for (unsigned got = 0; got < count;) {
        unsigned skip = (unsigned)(reader->pos_bits & 7);
        unsigned take = 8 - skip < count - got ? 8 - skip : count - got;
        uint64_t byte = reader->data[reader->pos_bits >> 3];

        value |= ((byte >> skip) & ((1u << take) - 1)) << got;
        got += take;
        reader->pos_bits += take;
    }
    *out = (uint32_t)value;
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
    unsigned below = 0;
    uint32_t bit = 0;
    uint32_t rest = 0;
    enum ox_code code;

    for (;;) {
        code = ox_bits_get(reader, 1, &bit, err);
        if (code != OX_OK) {
            return code;
        }
        if (bit != 0) {
            break;
        }
        if (++below > 31) {
            return ox_err_set(err, OX_ECORRUPT, "a coded number is longer than 32 bits");
        }
    }
    code = ox_bits_get(reader, below, &rest, err);
    if (code == OX_OK) {
        *out = (uint32_t)((uint64_t)1 << below) | rest;
    }
    return code;
}
