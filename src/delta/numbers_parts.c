#include "numbers_parts.h"

/*
 * A part: u8 predictor, with bit 7 set if columns follow; u8 kind; varint bytes of target; varint
 * columns and varint column, if so; parameters of the predictor.
 */
#define PART_HAS_COLUMNS 0x80
#define CAST_TRUNCATES 0x80
#define SCALED_SORT_AT 4

/* What a cast is from. */
static enum ox_code put_source(const struct prediction *how, struct ox_buf *body,
                               struct ox_err *err)
{
    return ox_buf_put_u8(body, (uint8_t)(how->from | (how->truncates ? CAST_TRUNCATES : 0)), err);
}

static enum ox_code read_source(struct ox_reader *body, struct prediction *how, struct ox_err *err)
{
    uint8_t from = 0;
    enum ox_code code = ox_reader_u8(body, &from, err);

    how->truncates = (from & CAST_TRUNCATES) != 0;
    how->from = from & (CAST_TRUNCATES - 1);
    return code;
}

static enum ox_code put_scales(const struct part *part, struct ox_buf *body, struct ox_err *err)
{
    const struct prediction *how = &part->how;
    enum ox_code code =
        ox_buf_put_u8(body, (uint8_t)(how->axis | how->sort << SCALED_SORT_AT), err);

    if (code != OX_OK || how->axis != SCALES_TILES) {
        return code;
    }
    if ((code = ox_buf_put_varint(body, how->tile.rows, err)) != OX_OK ||
        (code = ox_buf_put_varint(body, how->tile.columns, err)) != OX_OK) {
        return code;
    }
    return ox_buf_put_varint(body, part->row, err);
}

enum ox_code part_put(const struct part *part, struct ox_buf *body, struct ox_err *err)
{
    const struct prediction *how = &part->how;
    bool columns = how->columns > 0;
    enum ox_code code;

    if ((code = ox_buf_put_u8(body, (uint8_t)(how->predictor | (columns ? PART_HAS_COLUMNS : 0)),
                              err)) != OX_OK ||
        (code = ox_buf_put_u8(body, how->kind, err)) != OX_OK ||
        (code = ox_buf_put_varint(body, part->target_bytes, err)) != OX_OK) {
        return code;
    }
    if (columns && ((code = ox_buf_put_varint(body, how->columns, err)) != OX_OK ||
                    (code = ox_buf_put_varint(body, part->column, err)) != OX_OK)) {
        return code;
    }
    switch (how->predictor) {
    case PREDICT_CAST:
        return put_source(how, body, err);
    case PREDICT_PRUNED:
        return ox_buf_put_u32le(body, how->threshold, err);
    case PREDICT_GROWN:
        return ox_buf_put_varint(body, how->base_columns, err);
    case PREDICT_GROWN_CAST:
        code = put_source(how, body, err);
        return code == OX_OK ? ox_buf_put_varint(body, how->base_columns, err) : code;
    case PREDICT_FACTORS:
        return ox_buf_put_u8(body, how->rank, err);
    case PREDICT_SCALED:
    case PREDICT_SCALED_NIBBLES:
        return put_scales(part, body, err);
    default:
        return OX_OK;
    }
}

static enum ox_code read_u32(struct ox_reader *body, uint32_t *out, struct ox_err *err)
{
    uint64_t value = 0;
    enum ox_code code = ox_reader_varint(body, &value, err);

    if (code == OX_OK && value > UINT32_MAX) {
        return ox_err_set(err, OX_ECORRUPT, "a part of a frame has a number over 32 bits");
    }
    *out = (uint32_t)value;
    return code;
}

static enum ox_code read_scales(struct ox_reader *body, struct part *part, struct ox_err *err)
{
    struct prediction *how = &part->how;
    uint32_t rows = 0;
    uint32_t columns = 0;
    enum ox_code code = ox_reader_u8(body, &how->axis, err);

    how->sort = how->axis >> SCALED_SORT_AT;
    how->axis &= (1 << SCALED_SORT_AT) - 1;
    if (code != OX_OK || how->axis != SCALES_TILES) {
        return code;
    }
    if ((code = read_u32(body, &rows, err)) != OX_OK ||
        (code = read_u32(body, &columns, err)) != OX_OK ||
        (code = read_u32(body, &part->row, err)) != OX_OK) {
        return code;
    }
    if (rows > UINT16_MAX || columns > UINT16_MAX) {
        return ox_err_set(err, OX_ECORRUPT, "a part of a frame has tiles of %u x %u, at most %u",
                          rows, columns, UINT16_MAX);
    }
    how->tile = (struct scales_tile){(uint16_t)rows, (uint16_t)columns};
    return OX_OK;
}

enum ox_code part_read(struct ox_reader *body, struct part *part, struct ox_err *err)
{
    struct prediction *how = &part->how;
    uint8_t predictor = 0;
    enum ox_code code;

    *part = (struct part){.column = 0};
    if ((code = ox_reader_u8(body, &predictor, err)) != OX_OK ||
        (code = ox_reader_u8(body, &how->kind, err)) != OX_OK ||
        (code = read_u32(body, &part->target_bytes, err)) != OX_OK) {
        return code;
    }
    if ((predictor & PART_HAS_COLUMNS) != 0) {
        if ((code = read_u32(body, &how->columns, err)) != OX_OK ||
            (code = read_u32(body, &part->column, err)) != OX_OK) {
            return code;
        }
        predictor ^= PART_HAS_COLUMNS;
        if (how->columns == 0) {
            return ox_err_set(err, OX_ECORRUPT, "a part of a frame has no columns");
        }
    }
    how->predictor = (enum predictor)predictor;
    switch (how->predictor) {
    case PREDICT_CAST:
        code = read_source(body, how, err);
        break;
    case PREDICT_PRUNED:
        code = ox_reader_u32le(body, &how->threshold, err);
        break;
    case PREDICT_GROWN:
        code = read_u32(body, &how->base_columns, err);
        break;
    case PREDICT_GROWN_CAST:
        code = read_source(body, how, err);
        code = code == OX_OK ? read_u32(body, &how->base_columns, err) : code;
        break;
    case PREDICT_FACTORS:
        code = ox_reader_u8(body, &how->rank, err);
        break;
    case PREDICT_SCALED:
    case PREDICT_SCALED_NIBBLES:
        code = read_scales(body, part, err);
        break;
    default:
        break;
    }
    if (code == OX_OK && !part_ok(part)) {
        code = ox_err_set(err, OX_ECORRUPT, "a part of a frame has predictor %u, kind %u, %u bytes",
                          predictor, how->kind, part->target_bytes);
    }
    return code;
}
