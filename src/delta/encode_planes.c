/* Numbers without a model: their differences, in byte planes, each packed by zstd. */
#include "decode.h"
#include "encoder.h"
#include "planes.h"

#include <string.h>

#define LEVEL_PLANES 9 /* measured on real fine-tunes: planes hardly gain past 9 */

static enum ox_code put_plane(struct encoder *self, const uint8_t *plane, size_t n,
                              struct ox_buf *body, struct ox_err *err)
{
    bool fits = false;
    enum ox_code code;

    if (memcmp(plane, plane + 1, n - 1) == 0) { /* all bytes are the same */
        uint8_t constant[2] = {0, plane[0]};

        return ox_buf_append(body, constant, sizeof(constant), err);
    }
    code = zstd_pack(self, plane, n, NULL, LEVEL_PLANES, false, n > 4 ? n - 3 : 0, &fits, err);
    if (code != OX_OK) {
        return code;
    }
    if (!fits) {
        code = ox_buf_put_u8(body, 1, err);
        return code == OX_OK ? ox_buf_append(body, plane, n, err) : code;
    }
    if ((code = ox_buf_put_u8(body, 2, err)) != OX_OK ||
        (code = ox_buf_put_varint(body, self->packed.len_bytes, err)) != OX_OK) {
        return code;
    }
    return ox_buf_append(body, self->packed.data, self->packed.len_bytes, err);
}

/* The body of an XOR or SUB frame for n target bytes against as many of the base. */
static enum ox_code put_planes(struct encoder *self, enum ox_oxdl_op op, unsigned width,
                               unsigned stride, const uint8_t *target, const uint8_t *base,
                               size_t n, struct ox_buf *body, struct ox_err *err)
{
    size_t at = 0;
    enum ox_code code;

    body->len_bytes = 0;
    if ((code = buf_resize(&self->diff, n, err)) != OX_OK ||
        (code = buf_resize(&self->planes, n, err)) != OX_OK ||
        (code = ox_buf_put_u8(body, (uint8_t)width, err)) != OX_OK ||
        (code = ox_buf_put_varint(body, stride, err)) != OX_OK) {
        return code;
    }
    if (op == OX_OXDL_XOR) {
        planes_xor(self->diff.data, target, base, n);
    } else {
        planes_sub(self->diff.data, target, base, n, width);
    }
    planes_split(self->planes.data, self->diff.data, n, stride);
    for (unsigned k = 0; code == OX_OK && k < stride; k++) {
        size_t len = planes_len(n, stride, k);

        if (len > 0) {
            code = put_plane(self, self->planes.data + at, len, body, err);
        }
        at += len;
    }
    return code;
}

enum ox_code put_planes_frame(struct encoder *self, const struct piece *piece, unsigned width,
                              uint64_t target, const uint8_t *bytes, struct ox_buf *out,
                              struct ox_delta_stats *stats, bool *fits, struct ox_err *err)
{
    struct ox_oxdl_range range = {false, piece->base, piece->len};
    size_t sub_bytes = SIZE_MAX;
    enum ox_oxdl_op op;
    enum ox_code code = read_bytes(self->base, piece->base, piece->len, &self->prefix, err);

    if (code == OX_OK && may(self, OX_OXDL_SUB)) {
        code = put_planes(self, OX_OXDL_SUB, width, width, bytes, self->prefix.data, piece->len,
                          &self->body[0], err);
        sub_bytes = self->body[0].len_bytes;
    }
    if (code == OX_OK && may(self, OX_OXDL_XOR)) {
        code = put_planes(self, OX_OXDL_XOR, 1, width, bytes, self->prefix.data, piece->len,
                          &self->body[1], err);
    }
    if (code != OX_OK) {
        return code;
    }
    op = may(self, OX_OXDL_XOR) && self->body[1].len_bytes < sub_bytes ? OX_OXDL_XOR : OX_OXDL_SUB;
    *fits = self->body[op == OX_OXDL_XOR ? 1 : 0].len_bytes < piece->len;
    if (!*fits) { /* random: a body may be longer than what it tells */
        return OX_OK;
    }
    return put_frame(out, op, target, bytes, piece->len, &range, 1,
                     &self->body[op == OX_OXDL_XOR ? 1 : 0], stats, err);
}
