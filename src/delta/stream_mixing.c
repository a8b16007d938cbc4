/*
 * The mixing coder of streams: docs/oxdl.md, "The mixing coder", specifies the bytes. Of each
 * number in turn it predicts what it may be (by lowrank.h, where rows are known), codes the octave
 * of the distance, the bits below and the side, and learns. Every decision that is mixed is a mix
 * of the four models in a table of mixing.h: a state for each context and node, weights for each
 * node. The contexts are the functions of those names in mixing_contexts.h, the statistics are in
 * mixing_known.h. mixing_bytes.c does the same for bytes.
 */
#include "mixing.h"

#include <stdlib.h>

enum ox_code mixing_coder_new(struct mixing_coder **out, struct ox_err *err)
{
    struct mixing_coder *self = malloc(sizeof(*self));

    if (self == NULL) {
        return ox_err_nomem(err, "coding numbers");
    }
    ox_mix_tables_init(&self->tables);
    self->used_known = false;
    *out = self;
    return OX_OK;
}

void mixing_coder_free(struct mixing_coder *coder)
{
    free(coder);
}

enum ox_code mixing_encode(struct mixing_coder *coder, const struct stream *stream,
                           const uint8_t *numbers, struct ox_buf *body, struct ox_err *err)
{
    const struct number_kind_row *kind = &number_kinds[stream->kind];
    unsigned reference =
        kind->sign_magnitude
            ? mixing_reference(stream->fresh ? numbers : stream->predicted, stream->count, kind)
            : 0;
    struct ox_buf coded = OX_BUF_INIT;
    struct ox_mix_io io = {.out = NULL};
    struct ox_mix_coder mix = ox_mix_encoder(&io, &coder->tables, &coded);
    enum ox_code code;

    if (stream->kind == NUMBER_U8) {
        mixing_bytes_code(coder, &mix, stream, numbers, NULL);
    } else {
        mixing_numbers_code(coder, &mix, stream, reference, numbers, NULL);
    }
    if ((code = ox_mix_encoder_end(mix, err)) == OX_OK &&
        (code = ox_buf_put_u8(body, (uint8_t)reference, err)) == OX_OK &&
        (code = ox_buf_put_varint(body, coded.len_bytes, err)) == OX_OK) {
        code = ox_buf_append(body, coded.data, coded.len_bytes, err);
    }
    ox_buf_clear(&coded);
    return code;
}

enum ox_code mixing_decode(struct mixing_coder *coder, const struct stream *stream,
                           uint8_t *numbers, struct ox_reader *body, struct ox_err *err)
{
    const uint8_t *data = NULL;
    uint64_t len_bytes = 0;
    uint8_t reference = 0;
    struct ox_mix_coder mix;
    struct ox_mix_io io = {.out = NULL};
    enum ox_code code;

    if ((code = ox_reader_u8(body, &reference, err)) != OX_OK ||
        (code = ox_reader_varint(body, &len_bytes, err)) != OX_OK ||
        (code = ox_reader_bytes(body, len_bytes > SIZE_MAX ? SIZE_MAX : (size_t)len_bytes, &data,
                                err)) != OX_OK) {
        return code;
    }
    mix = ox_mix_decoder(&io, &coder->tables, data, (size_t)len_bytes);
    if (stream->kind == NUMBER_U8) {
        mixing_bytes_code(coder, &mix, stream, NULL, numbers);
    } else {
        mixing_numbers_code(coder, &mix, stream, reference, NULL, numbers);
    }
    return OX_OK;
}
