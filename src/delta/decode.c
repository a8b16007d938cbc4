#include "decode.h"

#include "oxide/base/reader.h"
#include "oxide/crypto/xxh64.h"
#include "planes.h"

#include <string.h>
#include <zstd.h>

enum plane_mode { PLANE_CONSTANT = 0, PLANE_RAW = 1, PLANE_ZSTD = 2 };

void decoder_clear(struct decoder *decoder)
{
    ox_buf_clear(&decoder->out);
    ox_buf_clear(&decoder->gather);
    ox_buf_clear(&decoder->planes);
    numbers_clear(&decoder->numbers);
    edit_model_free(decoder->edit);
    decoder->edit = NULL;
    (void)ZSTD_freeDCtx(decoder->zstd);
    decoder->zstd = NULL;
}

/* What a decoder may hold between frames, beside what the next one needs anyway. */
#define HELD_BYTES ((size_t)7 << 20)
#define NUMBERS_HELD ((size_t)21 << 18) /* what a frame of numbers may need */
#define EDIT_HELD ((size_t)5 << 19)

static size_t held(const struct decoder *decoder)
{
    return decoder->out.cap_bytes + decoder->gather.cap_bytes + decoder->planes.cap_bytes +
           numbers_held(&decoder->numbers) + (decoder->edit == NULL ? 0 : EDIT_HELD);
}

static void keep_small(struct ox_buf *buf, size_t len_bytes)
{
    if (buf->cap_bytes > 2 * len_bytes) {
        ox_buf_clear(buf);
    }
}

/* A patch whose frames make each of the buffers large in turn must not have them all at a time. */
static void let_go(struct decoder *decoder, const struct ox_oxdl_frame *frame)
{
    bool numbers = frame->op == OX_OXDL_NUMBERS;
    bool edit = frame->op == OX_OXDL_EDIT;
    size_t more = (size_t)frame->target_bytes + frame->body_bytes +
                  (frame->op == OX_OXDL_COPY ? 0 : frame->ranges_bytes) +
                  (numbers ? NUMBERS_HELD : 0) + (edit ? EDIT_HELD : 0);

    if (held(decoder) + more <= HELD_BYTES) {
        return;
    }
    if (!numbers || numbers_held(&decoder->numbers) > NUMBERS_HELD) {
        numbers_clear(&decoder->numbers);
    }
    if (!edit) {
        edit_model_free(decoder->edit);
        decoder->edit = NULL;
    }
    ox_buf_clear(&decoder->planes);
    keep_small(&decoder->out, frame->target_bytes);
    keep_small(&decoder->gather, frame->ranges_bytes);
}

enum ox_code buf_resize(struct ox_buf *buf, size_t len_bytes, struct ox_err *err)
{
    enum ox_code code;

    buf->len_bytes = 0;
    code = ox_buf_reserve(buf, len_bytes, err);
    if (code == OX_OK) {
        buf->len_bytes = len_bytes;
    }
    return code;
}

static enum ox_code gather(const struct decode_input *input, const struct ox_oxdl_frame *frame,
                           struct ox_buf *into, struct ox_err *err)
{
    size_t at = 0;
    enum ox_code code = buf_resize(into, frame->ranges_bytes, err);

    for (size_t i = 0; code == OX_OK && i < frame->range_count; i++) {
        const struct ox_oxdl_range *range = &frame->ranges[i];
        size_t len = (size_t)range->len_bytes;

        if (!range->from_target) {
            code = ox_source_read(input->base, range->offset, into->data + at, len, err);
        } else if (input->target_read_at == NULL) {
            code = ox_err_set(err, OX_EUNSUPPORTED,
                              "the patch reads target bytes back, which cannot be done here");
        } else {
            code =
                input->target_read_at(input->target_ctx, range->offset, into->data + at, len, err);
        }
        at += len;
    }
    return code;
}

static enum ox_code wrong_lengths(const struct ox_oxdl_frame *frame, struct ox_err *err)
{
    return ox_err_set(err, OX_ECORRUPT,
                      "a frame of operation %s has %u bytes of target, %u of ranges, %u of body, "
                      "which do not fit each other",
                      ox_oxdl_op_word(frame->op), frame->target_bytes, frame->ranges_bytes,
                      frame->body_bytes);
}

/* One zstd frame that must fill out exactly, with an optional prefix. zstd itself would also take
 * several frames, and skippable ones: docs/oxdl.md speaks of one. */
static enum ox_code unzstd(struct decoder *decoder, uint8_t *out, size_t out_bytes,
                           const uint8_t *in, size_t in_bytes, const struct ox_buf *prefix,
                           struct ox_err *err)
{
    size_t got = ZSTD_findFrameCompressedSize(in, in_bytes);

    if (ZSTD_isError(got) || got != in_bytes) {
        return ox_err_set(err, OX_ECORRUPT, "zstd data in a frame is not one whole zstd frame");
    }
    if (decoder->zstd == NULL) {
        decoder->zstd = ZSTD_createDCtx();
        if (decoder->zstd == NULL) {
            return ox_err_nomem(err, "a zstd decoder");
        }
    }
    if (prefix != NULL && prefix->len_bytes > 0) {
        got = ZSTD_DCtx_refPrefix(decoder->zstd, prefix->data, prefix->len_bytes);
        if (ZSTD_isError(got)) {
            return ox_err_set(err, OX_EINTERNAL, "zstd: %s", ZSTD_getErrorName(got));
        }
    }
    got = ZSTD_decompressDCtx(decoder->zstd, out, out_bytes, in, in_bytes);
    if (ZSTD_isError(got)) {
        return ox_err_set(err, OX_ECORRUPT, "zstd data in a frame is damaged: %s",
                          ZSTD_getErrorName(got));
    }
    if (got != out_bytes) {
        return ox_err_set(err, OX_ECORRUPT, "zstd data in a frame gives %zu bytes, not %zu", got,
                          out_bytes);
    }
    return OX_OK;
}

static enum ox_code read_plane(struct decoder *decoder, struct ox_reader *body, uint8_t *out,
                               size_t len_bytes, struct ox_err *err)
{
    uint8_t mode = 0;
    uint8_t constant = 0;
    uint64_t packed = 0;
    const uint8_t *bytes = NULL;
    enum ox_code code = ox_reader_u8(body, &mode, err);

    if (code != OX_OK) {
        return code;
    }
    switch (mode) {
    case PLANE_CONSTANT:
        code = ox_reader_u8(body, &constant, err);
        if (code == OX_OK) {
            memset(out, constant, len_bytes);
        }
        return code;
    case PLANE_RAW:
        code = ox_reader_bytes(body, len_bytes, &bytes, err);
        if (code == OX_OK) {
            memcpy(out, bytes, len_bytes);
        }
        return code;
    case PLANE_ZSTD:
        if ((code = ox_reader_varint(body, &packed, err)) != OX_OK ||
            (code = ox_reader_bytes(body, packed > SIZE_MAX ? SIZE_MAX : (size_t)packed, &bytes,
                                    err)) != OX_OK) {
            return code;
        }
        return unzstd(decoder, out, len_bytes, bytes, (size_t)packed, NULL, err);
    default:
        return ox_err_set(err, OX_ECORRUPT, "a plane has unknown mode %u", mode);
    }
}

/* XOR and SUB: width, stride, planes; see docs/oxdl.md. */
static enum ox_code decode_planes(struct decoder *decoder, const struct ox_oxdl_frame *frame,
                                  struct ox_err *err)
{
    size_t n = frame->target_bytes;
    struct ox_reader body;
    uint8_t width = 0;
    uint64_t stride = 0;
    size_t at = 0;
    enum ox_code code;

    ox_reader_init(&body, frame->body, frame->body_bytes, "frame body");
    if ((code = ox_reader_u8(&body, &width, err)) != OX_OK ||
        (code = ox_reader_varint(&body, &stride, err)) != OX_OK) {
        return code;
    }
    if (stride > PLANES_STRIDE_MAX || !planes_shape_ok(width, (unsigned)stride) ||
        (width != 1 && frame->op == OX_OXDL_XOR)) {
        return ox_err_set(err, OX_ECORRUPT, "a frame has width %u and stride %llu", width,
                          (unsigned long long)stride);
    }
    code = buf_resize(&decoder->planes, n, err);
    for (unsigned k = 0; code == OX_OK && k < stride; k++) {
        size_t len = planes_len(n, (unsigned)stride, k);

        if (len > 0) {
            code = read_plane(decoder, &body, decoder->planes.data + at, len, err);
        }
        at += len;
    }
    if (code != OX_OK || (code = ox_reader_end(&body, err)) != OX_OK) {
        return code;
    }
    planes_merge(decoder->out.data, decoder->planes.data, n, (unsigned)stride);
    if (frame->op == OX_OXDL_XOR) {
        planes_xor(decoder->out.data, decoder->out.data, decoder->gather.data, n);
    } else {
        planes_add(decoder->out.data, decoder->gather.data, n, width);
    }
    return OX_OK;
}

static enum ox_code unedit(struct decoder *decoder, const struct ox_oxdl_frame *frame,
                           struct ox_err *err)
{
    enum ox_code code = decoder->edit == NULL ? edit_model_new(&decoder->edit, err) : OX_OK;

    return code == OX_OK ? edit_decode(decoder->edit, decoder->gather.data, frame->ranges_bytes,
                                       decoder->out.data, frame->target_bytes, frame->body,
                                       frame->body_bytes, err)
                         : code;
}

enum ox_code decode_frame(struct decoder *decoder, const struct decode_input *input,
                          const struct ox_oxdl_frame *frame, struct ox_err *err)
{
    uint32_t n = frame->target_bytes;
    struct ox_reader body;
    enum ox_code code;

    if (!ox_oxdl_frame_fits(frame->op, n, frame->ranges_bytes, frame->body_bytes)) {
        return wrong_lengths(frame, err);
    }
    let_go(decoder, frame);
    switch (frame->op) {
    case OX_OXDL_COPY:
        code = frame->ranges_bytes != n || frame->body_bytes != 0
                   ? wrong_lengths(frame, err)
                   : gather(input, frame, &decoder->out, err);
        break;
    case OX_OXDL_RAW:
        if (frame->ranges_bytes != 0 || frame->body_bytes != n) {
            return wrong_lengths(frame, err);
        }
        code = buf_resize(&decoder->out, n, err);
        if (code == OX_OK) {
            memcpy(decoder->out.data, frame->body, n);
        }
        break;
    case OX_OXDL_ZSTD:
        if ((code = gather(input, frame, &decoder->gather, err)) == OX_OK &&
            (code = buf_resize(&decoder->out, n, err)) == OX_OK) {
            code = unzstd(decoder, decoder->out.data, n, frame->body, frame->body_bytes,
                          &decoder->gather, err);
        }
        break;
    case OX_OXDL_XOR:
    case OX_OXDL_SUB:
        if (frame->ranges_bytes != n) {
            return wrong_lengths(frame, err);
        }
        if ((code = gather(input, frame, &decoder->gather, err)) == OX_OK &&
            (code = buf_resize(&decoder->out, n, err)) == OX_OK) {
            code = decode_planes(decoder, frame, err);
        }
        break;
    case OX_OXDL_NUMBERS:
        ox_reader_init(&body, frame->body, frame->body_bytes, "frame body");
        if ((code = gather(input, frame, &decoder->gather, err)) == OX_OK &&
            (code = buf_resize(&decoder->out, n, err)) == OX_OK) {
            code = numbers_decode(&decoder->numbers, &body, decoder->gather.data,
                                  decoder->gather.len_bytes, decoder->out.data, n, err);
        }
        break;
    case OX_OXDL_EDIT:
        if ((code = gather(input, frame, &decoder->gather, err)) == OX_OK &&
            (code = buf_resize(&decoder->out, n, err)) == OX_OK) {
            code = unedit(decoder, frame, err);
        }
        break;
    default:
        return ox_err_set(err, OX_EUNSUPPORTED, "a frame has operation %u", (unsigned)frame->op);
    }
    if (code == OX_OK && ox_xxh64(decoder->out.data, n, frame->target_offset) != frame->sum) {
        code = ox_err_set(err, OX_ECORRUPT,
                          "the frame at target offset %llu rebuilds other bytes than its sum says: "
                          "the patch or the base is damaged",
                          (unsigned long long)frame->target_offset);
    }
    return code;
}
