#include "oxide/entropy/mix.h"

#include <string.h>

/* e^(-1/256) in 2^-32 */
#define DECAY 4278222805u

/* --- tables --- */

void ox_mix_tables_init(struct ox_mix_tables *tables)
{
    uint64_t power = (uint64_t)1 << 32; /* e^(-x / 256) in 2^-32 */
    unsigned at = 0;

    for (unsigned x = 0; x <= OX_MIX_LOGIT_MAX; x++) {
        /* 1 / (1 + e^-x); the other half mirrors it */
        uint32_t p = (uint32_t)(((uint64_t)1 << 48) / (((uint64_t)1 << 32) + power));

        tables->squash[OX_MIX_LOGIT_MAX + x] = (uint16_t)p;
        tables->squash[OX_MIX_LOGIT_MAX - x] = (uint16_t)(65536 - p);
        power = power * DECAY >> 32;
    }
    for (unsigned p = 0; p < 4096; p++) {
        while (at < 2 * OX_MIX_LOGIT_MAX && tables->squash[at] < 16 * p + 8) {
            at++;
        }
        tables->stretch[p] = (int16_t)((int)at - OX_MIX_LOGIT_MAX);
    }
    for (unsigned n = 0; n < OX_MIX_COUNT_LIMITS; n++) {
        tables->step[n] = (int32_t)(65536 / (2 * n + 3));
    }
}

/* --- the coder --- */

struct ox_mix_coder ox_mix_encoder(struct ox_mix_io *io, const struct ox_mix_tables *tables,
                                   struct ox_buf *out)
{
    *io = (struct ox_mix_io){.out = out, .out_start = out->len_bytes};
    return (struct ox_mix_coder){tables, io, 0, UINT64_MAX};
}

struct ox_mix_coder ox_mix_decoder(struct ox_mix_io *io, const struct ox_mix_tables *tables,
                                   const uint8_t *data, size_t len_bytes)
{
    struct ox_mix_coder coder = {tables, io, 0, UINT64_MAX};

    *io = (struct ox_mix_io){.at = data,
                             .end = data + len_bytes,
                             .ends_in_zero = len_bytes > 0 && data[len_bytes - 1] == 0};
    coder.low = (uint64_t)ox_mix_next(io) << 32;
    coder.low |= ox_mix_next(io);
    return coder;
}

/* There is room for the 1, since the whole message is a number below 1. */
void ox_mix_carry(struct ox_mix_io *io)
{
    size_t at = io->out->len_bytes;

    while (at > io->out_start && ++io->out->data[--at] == 0) {
    }
}

void ox_mix_put(struct ox_mix_io *io, uint32_t word)
{
    struct ox_buf *out = io->out;

    if (out->cap_bytes - out->len_bytes < 4 && ox_buf_reserve(out, 4096, NULL) != OX_OK) {
        io->failed = OX_ENOMEM;
        return;
    }
    for (unsigned i = 0; i < 4; i++) {
        out->data[out->len_bytes++] = (uint8_t)(word >> (24 - 8 * i));
    }
}

uint32_t ox_mix_next(struct ox_mix_io *io)
{
    uint32_t word = 0;

    for (unsigned i = 0; i < 4; i++) {
        word <<= 8;
        if (io->at < io->end) {
            word |= *io->at++;
        } else {
            io->past++;
        }
    }
    return word;
}

/* How far above the start of an interval its number is that ends in the most zeros. */
static uint64_t to_roundest(uint64_t low, uint64_t range)
{
    for (unsigned zeros = 63; zeros > 0; zeros--) {
        uint64_t by = (0 - low) & (((uint64_t)1 << zeros) - 1);

        if (by < range) {
            return by;
        }
    }
    return 0;
}

enum ox_code ox_mix_encoder_end(struct ox_mix_coder coder, struct ox_err *err)
{
    struct ox_mix_io *io = coder.io;
    struct ox_buf *out = io->out;

    ox_mix_raise(&coder, to_roundest(coder.low, coder.range));
    ox_mix_put(io, (uint32_t)(coder.low >> 32));
    ox_mix_put(io, (uint32_t)coder.low);
    if (io->failed != OX_OK) {
        return ox_err_nomem(err, "coded numbers");
    }
    while (out->len_bytes > io->out_start && out->data[out->len_bytes - 1] == 0) {
        out->len_bytes--;
    }
    return OX_OK;
}

bool ox_mix_decoder_ended(const struct ox_mix_coder *coder)
{
    const struct ox_mix_io *io = coder->io;
    uint64_t code = 0; /* the last 8 bytes taken */

    if (io->at != io->end || io->ends_in_zero) {
        return false;
    }
    for (size_t i = 8; i-- > 0;) {
        code = code << 8 | (i < io->past ? 0 : io->end[-1 - (ptrdiff_t)(i - io->past)]);
    }
    return to_roundest(code - coder->low, coder->range) == coder->low;
}
