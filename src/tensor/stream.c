#include "stream.h"

#include "oxide/base/reader.h"
#include "oxide/tensor/limits.h"

#include <stdlib.h>
#include <string.h>

/* After a jump only some field headers are likely to be wanted: one page. */
#define FIRST_FILL_BYTES 4096u

enum ox_code ox_stream_init(struct ox_stream *stream, const struct ox_source *source,
                            const char *name, struct ox_err *err)
{
    size_t window_bytes = OX_STREAM_WINDOW_BYTES;

    *stream = (struct ox_stream){.source = source, .name = name, .end = source->size_bytes};
    if (source->size_bytes < window_bytes) {
        window_bytes = (size_t)source->size_bytes;
    }
    stream->next_fill = OX_STREAM_WINDOW_BYTES / 2; /* the first fill doubles it */
    stream->window = malloc(window_bytes + 1);
    return stream->window == NULL ? ox_err_nomem(err, "a read window") : OX_OK;
}

void ox_stream_clear(struct ox_stream *stream)
{
    free(stream->window);
    stream->window = NULL;
    stream->window_len = 0;
}

static enum ox_code ends_early(const struct ox_stream *stream, uint64_t need, struct ox_err *err)
{
    return ox_err_set(
        err, OX_ECORRUPT,
        "%s is damaged or cut short: %llu bytes needed at offset %llu, %llu are there",
        stream->name, (unsigned long long)need, (unsigned long long)stream->pos,
        (unsigned long long)(stream->end - stream->pos));
}

static enum ox_code fill(struct ox_stream *stream, struct ox_err *err)
{
    uint64_t left = stream->source->size_bytes - stream->pos;
    bool straight_on = stream->pos == stream->window_at + stream->window_len;
    size_t take = straight_on ? stream->next_fill * 2 : FIRST_FILL_BYTES;
    enum ox_code code;

    take = take < OX_STREAM_WINDOW_BYTES ? take : OX_STREAM_WINDOW_BYTES;
    stream->next_fill = take;
    take = take < left ? take : (size_t)left;
    stream->window_len = 0;
    code = ox_source_read(stream->source, stream->pos, stream->window, take, err);
    if (code == OX_OK) {
        stream->window_at = stream->pos;
        stream->window_len = take;
    }
    return code;
}

enum ox_code ox_stream_read(struct ox_stream *stream, void *out, size_t len_bytes,
                            struct ox_err *err)
{
    uint8_t *to = out;

    if (len_bytes > stream->end - stream->pos) {
        return ends_early(stream, len_bytes, err);
    }
    while (len_bytes > 0) {
        size_t at;
        size_t take;

        if (stream->pos < stream->window_at ||
            stream->pos - stream->window_at >= stream->window_len) {
            enum ox_code code = fill(stream, err);

            if (code != OX_OK) {
                return code;
            }
        }
        at = (size_t)(stream->pos - stream->window_at);
        take = stream->window_len - at;
        take = take < len_bytes ? take : len_bytes;
        memcpy(to, stream->window + at, take);
        to += take;
        len_bytes -= take;
        stream->pos += take;
    }
    return OX_OK;
}

enum ox_code ox_stream_u8(struct ox_stream *stream, uint8_t *out, struct ox_err *err)
{
    if (stream->pos < stream->end && stream->pos >= stream->window_at &&
        stream->pos - stream->window_at < stream->window_len) {
        *out = stream->window[stream->pos - stream->window_at];
        stream->pos++;
        return OX_OK;
    }
    return ox_stream_read(stream, out, 1, err);
}

enum ox_code ox_stream_u32le(struct ox_stream *stream, uint32_t *out, struct ox_err *err)
{
    uint8_t bytes[4] = {0};
    enum ox_code code = ox_stream_read(stream, bytes, sizeof(bytes), err);

    if (code == OX_OK) {
        *out = ox_load_u32le(bytes);
    }
    return code;
}

enum ox_code ox_stream_u64le(struct ox_stream *stream, uint64_t *out, struct ox_err *err)
{
    uint8_t bytes[8] = {0};
    enum ox_code code = ox_stream_read(stream, bytes, sizeof(bytes), err);

    if (code == OX_OK) {
        *out = ox_load_u64le(bytes);
    }
    return code;
}

enum ox_code ox_stream_skip(struct ox_stream *stream, uint64_t len_bytes, struct ox_err *err)
{
    if (len_bytes > stream->end - stream->pos) {
        return ends_early(stream, len_bytes, err);
    }
    stream->pos += len_bytes;
    return OX_OK;
}

const char *ox_shown(const char *name, char out[OX_SHOWN_MAX])
{
    size_t len = strnlen(name, OX_SHOWN_MAX);
    bool cut = len > OX_SHOWN_MAX - 4;

    len = cut ? OX_SHOWN_MAX - 4 : len;
    for (size_t i = 0; i < len; i++) {
        out[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
    }
    memcpy(out + len, cut ? "..." : "", cut ? 4 : 1);
    return out;
}
