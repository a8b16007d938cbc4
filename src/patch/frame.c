/* Writing frames; docs/oxdl.md, section "Frames". */
#include "oxide/patch/oxdl.h"

static uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value < 0 ? -1 : 0);
}

static enum ox_code put_ranges(struct ox_buf *out, const struct ox_oxdl_frame *frame,
                               struct ox_err *err)
{
    uint64_t expected = frame->target_offset;
    enum ox_code code = ox_buf_put_varint(out, frame->range_count, err);

    for (size_t i = 0; code == OX_OK && i < frame->range_count; i++) {
        const struct ox_oxdl_range *range = &frame->ranges[i];

        code = ox_buf_put_varint(out, range->len_bytes << 1 | (range->from_target ? 1 : 0), err);
        if (code != OX_OK) {
            break;
        }
        if (range->from_target) {
            code = ox_buf_put_varint(out, frame->target_offset - range->offset, err);
        } else {
            code = ox_buf_put_varint(out, zigzag((int64_t)(range->offset - expected)), err);
            expected = range->offset + range->len_bytes;
        }
    }
    return code;
}

enum ox_code ox_oxdl_put_frame(struct ox_buf *out, const struct ox_oxdl_frame *frame,
                               struct ox_err *err)
{
    enum ox_code code;

    if ((code = ox_buf_put_u8(out, (uint8_t)frame->op, err)) != OX_OK ||
        (code = ox_buf_put_varint(out, frame->target_bytes, err)) != OX_OK ||
        (code = ox_buf_put_varint(out, frame->body_bytes, err)) != OX_OK ||
        (code = put_ranges(out, frame, err)) != OX_OK ||
        (code = ox_buf_put_u64le(out, frame->sum, err)) != OX_OK) {
        return code;
    }
    return ox_buf_append(out, frame->body, frame->body_bytes, err);
}

enum ox_code ox_oxdl_put_end(struct ox_buf *out, uint64_t frames, struct ox_err *err)
{
    enum ox_code code = ox_buf_put_u8(out, OX_OXDL_END, err);

    return code == OX_OK ? ox_buf_put_varint(out, frames, err) : code;
}
