#include "stream.h"

#include "stream_mixing.h"
#include "stream_static.h"

#include <stdlib.h>

const struct number_kind_row number_kinds[NUMBER_KIND_COUNT] = {
    [NUMBER_U8] = {1, false, 0},  [NUMBER_I8] = {1, false, 0},    [NUMBER_I16] = {2, false, 0},
    [NUMBER_I32] = {4, false, 0}, [NUMBER_F8E4M3] = {1, true, 3}, [NUMBER_F8E5M2] = {1, true, 2},
    [NUMBER_F16] = {2, true, 10}, [NUMBER_BF16] = {2, true, 7},   [NUMBER_F32] = {4, true, 23},
};

uint32_t number_magnitude(enum number_kind kind, const uint8_t *number)
{
    const struct number_kind_row *row = &number_kinds[kind];
    uint32_t bits = row->width == 4   ? ox_load_u32le(number)
                    : row->width == 2 ? ox_load_u16le(number)
                                      : number[0];
    uint32_t sign = 1u << (8 * row->width - 1);

    if (row->sign_magnitude) {
        return bits & ~sign;
    }
    return kind != NUMBER_U8 && (bits & sign) != 0 ? (0 - bits) & (2 * sign - 1) : bits;
}

/* Which coder a stream's body is of: its first byte. */
enum coder_id { CODER_STATIC = 0, CODER_MIXING = 1 };

struct stream_coder {
    struct static_coder *fast;
    struct mixing_coder *mixing; /* made when it is first needed */
    struct ox_buf body;
};

enum ox_code stream_coder_new(struct stream_coder **out, struct ox_err *err)
{
    struct stream_coder *self = calloc(1, sizeof(*self));
    enum ox_code code;

    if (self == NULL) {
        return ox_err_nomem(err, "coding numbers");
    }
    code = static_coder_new(&self->fast, err);
    if (code != OX_OK) {
        free(self);
        return code;
    }
    *out = self;
    return OX_OK;
}

void stream_coder_free(struct stream_coder *coder)
{
    if (coder != NULL) {
        static_coder_free(coder->fast);
        mixing_coder_free(coder->mixing);
        ox_buf_clear(&coder->body);
        free(coder);
    }
}

#define STATIC_HELD ((size_t)1 << 20)
#define MIXING_HELD ((size_t)3 << 20)

size_t stream_coder_held(const struct stream_coder *coder)
{
    return STATIC_HELD + (coder->mixing == NULL ? 0 : MIXING_HELD);
}

static enum ox_code want_mixing(struct stream_coder *self, struct ox_err *err)
{
    return self->mixing != NULL ? OX_OK : mixing_coder_new(&self->mixing, err);
}

enum ox_code stream_encode(struct stream_coder *coder, const struct stream *stream,
                           const uint8_t *numbers, bool mixes, struct ox_buf *body,
                           struct ox_err *err)
{
    size_t start = body->len_bytes;
    enum ox_code code;

    if ((code = ox_buf_put_u8(body, CODER_STATIC, err)) != OX_OK ||
        (code = static_encode(coder->fast, stream, numbers, body, err)) != OX_OK || !mixes) {
        return code;
    }
    coder->body.len_bytes = 0;
    if ((code = want_mixing(coder, err)) != OX_OK ||
        (code = ox_buf_put_u8(&coder->body, CODER_MIXING, err)) != OX_OK ||
        (code = mixing_encode(coder->mixing, stream, numbers, &coder->body, err)) != OX_OK ||
        coder->body.len_bytes >= body->len_bytes - start) {
        return code;
    }
    body->len_bytes = start;
    return ox_buf_append(body, coder->body.data, coder->body.len_bytes, err);
}

enum ox_code stream_cost(struct stream_coder *coder, const struct stream *stream,
                         const uint8_t *numbers, uint64_t *cost_bytes, struct ox_err *err)
{
    return static_cost(coder->fast, stream, numbers, cost_bytes, err);
}

enum ox_code stream_decode(struct stream_coder *coder, const struct stream *stream,
                           uint8_t *numbers, struct ox_reader *body, struct ox_err *err)
{
    uint8_t id = 0;
    enum ox_code code = ox_reader_u8(body, &id, err);

    if (code != OX_OK) {
        return code;
    }
    switch (id) {
    case CODER_STATIC:
        return static_decode(coder->fast, stream, numbers, body, err);
    case CODER_MIXING:
        code = want_mixing(coder, err);
        return code == OX_OK ? mixing_decode(coder->mixing, stream, numbers, body, err) : code;
    default:
        return ox_err_set(err, OX_ECORRUPT, "a frame has numbers of unknown coding %u", id);
    }
}
