#include "oxide/base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ox_buf_clear(struct ox_buf *buf)
{
    free(buf->data);
    *buf = (struct ox_buf)OX_BUF_INIT;
}

enum ox_code ox_buf_reserve(struct ox_buf *buf, size_t extra_bytes, struct ox_err *err)
{
    size_t want;
    size_t cap;
    uint8_t *data;

    if (extra_bytes > SIZE_MAX / 2 - buf->len_bytes) {
        return ox_err_nomem(err, "a buffer");
    }
    want = buf->len_bytes + extra_bytes;
    if (want <= buf->cap_bytes) {
        return OX_OK;
    }
    cap = buf->cap_bytes < 64 ? 64 : buf->cap_bytes;
    while (cap < want) {
        cap += cap / 2;
    }
    data = realloc(buf->data, cap);
    if (data == NULL) {
        return ox_err_nomem(err, "a buffer");
    }
    buf->data = data;
    buf->cap_bytes = cap;
    return OX_OK;
}

enum ox_code ox_buf_append(struct ox_buf *buf, const void *bytes, size_t len_bytes,
                           struct ox_err *err)
{
    enum ox_code code = ox_buf_reserve(buf, len_bytes, err);

    if (code == OX_OK && len_bytes > 0) {
        memcpy(buf->data + buf->len_bytes, bytes, len_bytes);
        buf->len_bytes += len_bytes;
    }
    return code;
}

enum ox_code ox_buf_printf(struct ox_buf *buf, struct ox_err *err, const char *fmt, ...)
{
    va_list args;
    int need;
    enum ox_code code;

    va_start(args, fmt);
    need = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (need < 0) {
        return ox_err_set(err, OX_EINTERNAL, "a message could not be formatted");
    }
    code = ox_buf_reserve(buf, (size_t)need + 1, err);
    if (code != OX_OK) {
        return code;
    }
    va_start(args, fmt);
    (void)vsnprintf((char *)buf->data + buf->len_bytes, (size_t)need + 1, fmt, args);
    va_end(args);
    buf->len_bytes += (size_t)need;
    return OX_OK;
}

enum ox_code ox_buf_put_u8(struct ox_buf *buf, uint8_t value, struct ox_err *err)
{
    return ox_buf_append(buf, &value, 1, err);
}

static enum ox_code put_le(struct ox_buf *buf, uint64_t value, size_t width, struct ox_err *err)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < width; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    return ox_buf_append(buf, bytes, width, err);
}

enum ox_code ox_buf_put_u16le(struct ox_buf *buf, uint16_t value, struct ox_err *err)
{
    return put_le(buf, value, 2, err);
}

enum ox_code ox_buf_put_u32le(struct ox_buf *buf, uint32_t value, struct ox_err *err)
{
    return put_le(buf, value, 4, err);
}

enum ox_code ox_buf_put_u64le(struct ox_buf *buf, uint64_t value, struct ox_err *err)
{
    return put_le(buf, value, 8, err);
}

enum ox_code ox_buf_put_varint(struct ox_buf *buf, uint64_t value, struct ox_err *err)
{
    uint8_t bytes[10];
    size_t len = 0;

    while (value >= 0x80) {
        bytes[len++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[len++] = (uint8_t)value;
    return ox_buf_append(buf, bytes, len, err);
}

enum ox_code ox_strf(char **out, struct ox_err *err, const char *fmt, ...)
{
    va_list args;
    int need;
    char *text;

    va_start(args, fmt);
    need = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (need < 0) {
        return ox_err_set(err, OX_EINTERNAL, "a text could not be formatted");
    }
    text = malloc((size_t)need + 1);
    if (text == NULL) {
        return ox_err_nomem(err, "a text");
    }
    va_start(args, fmt);
    (void)vsnprintf(text, (size_t)need + 1, fmt, args);
    va_end(args);
    *out = text;
    return OX_OK;
}

enum ox_code ox_strdup(char **out, const char *text, struct ox_err *err)
{
    char *copy = NULL;

    if (text != NULL) {
        copy = strdup(text);
        if (copy == NULL) {
            return ox_err_nomem(err, "a text");
        }
    }
    *out = copy;
    return OX_OK;
}
