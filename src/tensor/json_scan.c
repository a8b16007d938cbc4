#include "json_scan.h"

#include "oxide/tensor/limits.h"

#include <inttypes.h>
#include <string.h>

static enum ox_code malformed(const struct ox_stream *stream, const char *what, struct ox_err *err)
{
    return ox_err_set(err, OX_ECORRUPT, "%s is no JSON at offset %" PRIu64 ": %s", stream->name,
                      stream->pos, what);
}

enum ox_code ox_scan_peek(struct ox_stream *stream, uint8_t *out, struct ox_err *err)
{
    while (stream->pos < stream->end) {
        uint8_t byte = 0;
        enum ox_code code = ox_stream_u8(stream, &byte, err);

        if (code != OX_OK) {
            return code;
        }
        if (byte != ' ' && byte != '\t' && byte != '\n' && byte != '\r') {
            stream->pos--;
            *out = byte;
            return OX_OK;
        }
    }
    *out = 0;
    return OX_OK;
}

enum ox_code ox_scan_expect(struct ox_stream *stream, char wanted, struct ox_err *err)
{
    uint8_t byte = 0;
    enum ox_code code = ox_scan_peek(stream, &byte, err);

    if (code == OX_OK && (stream->pos == stream->end || byte != (uint8_t)wanted)) {
        const char what[] = {'\'', wanted, '\'', ' ', 'e', 'x', 'p', 'e', 'c', 't', 'e', 'd', 0};

        return malformed(stream, what, err);
    }
    if (code == OX_OK) {
        stream->pos++;
    }
    return code;
}

enum ox_code ox_scan_next(struct ox_stream *stream, char close, bool first, bool *more,
                          struct ox_err *err)
{
    uint8_t byte = 0;
    enum ox_code code = ox_scan_peek(stream, &byte, err);

    if (code != OX_OK) {
        return code;
    }
    if (byte == (uint8_t)close && stream->pos < stream->end) {
        stream->pos++;
        *more = false;
        return OX_OK;
    }
    *more = true;
    return first ? OX_OK : ox_scan_expect(stream, ',', err);
}

static enum ox_code append_utf8(struct ox_buf *out, uint32_t point, struct ox_err *err)
{
    uint8_t bytes[4];
    size_t len = 0;

    if (point < 0x80) {
        bytes[len++] = (uint8_t)point;
    } else if (point < 0x800) {
        bytes[len++] = (uint8_t)(0xc0 | point >> 6);
        bytes[len++] = (uint8_t)(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        bytes[len++] = (uint8_t)(0xe0 | point >> 12);
        bytes[len++] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
        bytes[len++] = (uint8_t)(0x80 | (point & 0x3f));
    } else {
        bytes[len++] = (uint8_t)(0xf0 | point >> 18);
        bytes[len++] = (uint8_t)(0x80 | (point >> 12 & 0x3f));
        bytes[len++] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
        bytes[len++] = (uint8_t)(0x80 | (point & 0x3f));
    }
    return ox_buf_append(out, bytes, len, err);
}

static enum ox_code four_hex(struct ox_stream *stream, uint32_t *out, struct ox_err *err)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    uint8_t text[4] = {0};
    uint32_t value = 0;
    enum ox_code code = ox_stream_read(stream, text, sizeof(text), err);

    for (size_t i = 0; i < sizeof(text) && code == OX_OK; i++) {
        const char *digit = text[i] == 0 ? NULL : strchr(digits, text[i]);

        if (digit == NULL) {
            return malformed(stream, "four hex digits expected", err);
        }
        value = value * 16 + (uint32_t)(digit - digits < 16 ? digit - digits : digit - digits - 6);
    }
    *out = value;
    return code;
}

/* Behind "\u": surrogates come in pairs, high before low. */
static enum ox_code unicode_escape(struct ox_stream *stream, struct ox_buf *out, struct ox_err *err)
{
    uint32_t point = 0;
    uint32_t low = 0;
    uint8_t mark[2] = {0};
    enum ox_code code = four_hex(stream, &point, err);

    if (code == OX_OK && point >= 0xd800 && point < 0xdc00) {
        code = ox_stream_read(stream, mark, sizeof(mark), err);
        if (code == OX_OK && mark[0] == '\\' && mark[1] == 'u') {
            code = four_hex(stream, &low, err);
        }
        if (code == OX_OK && (low < 0xdc00 || low > 0xdfff)) {
            return malformed(stream, "an unpaired surrogate", err);
        }
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
    if (code != OX_OK) {
        return code;
    }
    if (point == 0 || (point >= 0xd800 && point <= 0xdfff)) {
        return malformed(stream, "an escaped NUL or unpaired surrogate", err);
    }
    return append_utf8(out, point, err);
}

static enum ox_code escape(struct ox_stream *stream, struct ox_buf *out, struct ox_err *err)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    uint8_t byte = 0;
    const char *name;
    enum ox_code code = ox_stream_u8(stream, &byte, err);

    if (code != OX_OK) {
        return code;
    }
    if (byte == 'u') {
        return unicode_escape(stream, out, err);
    }
    name = byte == 0 ? NULL : strchr(names, byte);
    if (name == NULL) {
        return malformed(stream, "an unknown escape", err);
    }
    return ox_buf_append(out, &values[name - names], 1, err);
}

enum ox_code ox_scan_string(struct ox_stream *stream, size_t max_bytes, struct ox_buf *out,
                            struct ox_err *err)
{
    enum ox_code code = ox_scan_expect(stream, '"', err);

    out->len_bytes = 0;
    while (code == OX_OK) {
        uint8_t byte = 0;

        code = ox_stream_u8(stream, &byte, err);
        if (code != OX_OK) {
            break;
        }
        if (byte == '"') {
            code = ox_buf_append(out, "", 1, err);
            out->len_bytes -= code == OX_OK;
            break;
        }
        if (byte < ' ') {
            return malformed(stream, "a control character in a string", err);
        }
        if (out->len_bytes >= max_bytes) {
            return ox_err_set(err, OX_ETOOBIG,
                              "a string before offset %" PRIu64 " of %s exceeds %zu bytes",
                              stream->pos, stream->name, max_bytes);
        }
        code = byte == '\\' ? escape(stream, out, err) : ox_buf_append(out, &byte, 1, err);
    }
    return code;
}

enum ox_code ox_scan_u64(struct ox_stream *stream, uint64_t *out, struct ox_err *err)
{
    uint64_t value = 0;
    uint64_t start;
    uint8_t byte = 0;
    enum ox_code code = ox_scan_peek(stream, &byte, err);

    start = stream->pos;
    while (code == OX_OK && stream->pos < stream->end) {
        code = ox_stream_u8(stream, &byte, err);
        if (code == OX_OK && (byte < '0' || byte > '9')) {
            stream->pos--;
            break;
        }
        if (code == OX_OK &&
            (value > (UINT64_MAX - (byte - '0')) / 10 || (value == 0 && stream->pos - start > 1))) {
            return malformed(stream, "a whole number under 2^64 expected", err);
        }
        value = value * 10 + (uint64_t)(byte - '0');
    }
    if (code == OX_OK && stream->pos == start) {
        return malformed(stream, "a whole number expected", err);
    }
    if (code == OX_OK) {
        *out = value;
    }
    return code;
}

static enum ox_code skip_string(struct ox_stream *stream, struct ox_err *err)
{
    uint8_t byte = 0;
    enum ox_code code = ox_scan_expect(stream, '"', err);

    while (code == OX_OK) {
        code = ox_stream_u8(stream, &byte, err);
        if (code == OX_OK && byte == '"') {
            break;
        }
        if (code == OX_OK && byte == '\\') {
            code = ox_stream_skip(stream, 1, err);
        }
    }
    return code;
}

/* Numbers, true, false, null: their letters, without a look at the order. */
static enum ox_code skip_word(struct ox_stream *stream, struct ox_err *err)
{
    uint64_t start = stream->pos;

    while (stream->pos < stream->end) {
        uint8_t byte = 0;
        enum ox_code code = ox_stream_u8(stream, &byte, err);

        if (code != OX_OK) {
            return code;
        }
        if (byte == 0 || strchr("+-.0123456789Eaeflnrstu", byte) == NULL) {
            stream->pos--;
            break;
        }
    }
    return stream->pos > start ? OX_OK : malformed(stream, "a value expected", err);
}

enum ox_code ox_scan_skip(struct ox_stream *stream, unsigned depth, struct ox_err *err)
{
    uint8_t byte = 0;
    bool more = true;
    enum ox_code code = ox_scan_peek(stream, &byte, err);

    if (code == OX_OK && depth >= OX_SAFETENSORS_DEPTH_MAX) {
        return ox_err_set(err, OX_ETOOBIG, "%s nests deeper than %d", stream->name,
                          OX_SAFETENSORS_DEPTH_MAX);
    }
    if (code != OX_OK) {
        return code;
    }
    if (byte == '"') {
        return skip_string(stream, err);
    }
    if (byte != '{' && byte != '[') {
        return skip_word(stream, err);
    }
    stream->pos++;
    for (bool first = true; code == OX_OK; first = false) {
        code = ox_scan_next(stream, byte == '{' ? '}' : ']', first, &more, err);
        if (code != OX_OK || !more) {
            break;
        }
        if (byte == '{') {
            code = skip_string(stream, err);
            if (code == OX_OK) {
                code = ox_scan_expect(stream, ':', err);
            }
        }
        if (code == OX_OK) {
            code = ox_scan_skip(stream, depth + 1, err);
        }
    }
    return code;
}
