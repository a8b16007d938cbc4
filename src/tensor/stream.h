/**
 * A bounds-checked cursor over a source, read through a small window: the one way in which the
 * parsers of this module see a file. Moving the cursor reads nothing, so payloads are skipped for
 * free; the window grows while reading goes straight on and starts small after a jump.
 */
#ifndef TENSOR_STREAM_H
#define TENSOR_STREAM_H

#include "oxide/base/err.h"
#include "oxide/base/io.h"

#include <stdint.h>

struct ox_stream {
    const struct ox_source *source; /* lent */
    const char *name;               /* what messages call the input, e.g. "GGUF header" */
    uint64_t pos;
    uint64_t end; /* nothing is read behind it; at most the source's size */
    uint8_t *window;
    uint64_t window_at;
    size_t window_len;
    size_t next_fill;
};

/** Start at offset 0, ending with the source. Errors: OX_ENOMEM. Clear it in any case. */
OX_MUST_USE enum ox_code ox_stream_init(struct ox_stream *stream, const struct ox_source *source,
                                        const char *name, struct ox_err *err);
void ox_stream_clear(struct ox_stream *stream);

/** Consume bytes. Errors: OX_ECORRUPT past the end, or the source's own. */
OX_MUST_USE enum ox_code ox_stream_read(struct ox_stream *stream, void *out, size_t len_bytes,
                                        struct ox_err *err);
OX_MUST_USE enum ox_code ox_stream_u8(struct ox_stream *stream, uint8_t *out, struct ox_err *err);
OX_MUST_USE enum ox_code ox_stream_u32le(struct ox_stream *stream, uint32_t *out,
                                         struct ox_err *err);
OX_MUST_USE enum ox_code ox_stream_u64le(struct ox_stream *stream, uint64_t *out,
                                         struct ox_err *err);

/** Move on without reading. Errors: OX_ECORRUPT past the end. */
OX_MUST_USE enum ox_code ox_stream_skip(struct ox_stream *stream, uint64_t len_bytes,
                                        struct ox_err *err);

/** A name fit for a message: at most 60 bytes, printable ASCII, the rest as '?'. Returns `out`. */
#define OX_SHOWN_MAX 64
const char *ox_shown(const char *name, char out[OX_SHOWN_MAX]);

#endif
