/*
 * The mixing coder of streams, as a decoder sees it. Integers, and IEEE arithmetic without
 * contraction: double in what is known of a number, single in the models. The tables and the
 * arithmetic coder are those of oxide/entropy/mix4.h.
 *
 * A body: reference u8; length of the coded bytes (varint); those. Past their end a decoder reads
 * zeros. Every model starts anew with each stream: states at 1/2, weights of the four models of a
 * decision at 1/4 (of bytes 1/3).
 *
 * Numbers (every kind but U8). A float's exponent e is its exponent field, at least 1; the
 * reference names the exponent that most numbers stay below (0 where there is none): its power of
 * 2 is the unit of values. In the order of its kind a number is its bits as a signed integer, a
 * negative float's magnitude inverted, so that neighbours differ by 1.
 *   1. Predict. In parts whose rows are known (8 to LOWRANK_COLUMNS_MAX numbers, at least 4 rows)
 *      lowrank.h guesses what is added to a float. The guess is context, or, where use_guess() says
 *      so, its sum with the prediction, rounded, is the prediction.
 *   2. Code the size, the distance to the prediction, in order. Its octave is its bit length (0
 *      for 0), found by a walk: is it at least the one expected (the level expected and by how much
 *      walks have ended beside it of late)? Then upwards or downwards until the answer changes.
 *      Then the bits below the top one, from the top: the first mixed, up to MIXING_BELOW_BITS by
 *      one model, the rest raw, at most 16 at once. Then, unless the size is 0, whether it leads
 *      towards 0.
 *   3. Learn: means of the updates' sizes, and of what the guess missed, by part, row, column and
 *      of late; then signs.
 *
 * Every decision of step 2 that is mixed is a mix of the four models in a table of mixing.h: a
 * state for each context and node (what of the number is known by then), weights for each node and
 * for how sharp the guess is. The contexts are the functions of those names in mixing_contexts.h,
 * the statistics are in mixing_known.h.
 *
 * Fresh floats: the octave is the exponent, the bits below are the mantissa, the sign is coded last
 * in any case; sizes are the values themselves.
 *
 * Bytes (U8): is it as predicted? If not, or where nothing predicts, the difference modulo 256, bit
 * by bit from the top, each under those above it; the contexts share the least power of 2 of slots
 * that is not below the stream's count, within MIXING_BYTE_SLOTS_MIN and _MAX.
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
    struct ox_mix_io io;
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
    struct ox_mix_io io;
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
