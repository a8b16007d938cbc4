/**
 * A growable byte buffer. Zero-initialise it (or OX_BUF_INIT), release it with ox_buf_clear.
 * `data` is lent until the next append and is NULL while cap_bytes is 0.
 */
#ifndef OXIDE_BASE_BUF_H
#define OXIDE_BASE_BUF_H

#include "oxide/base/err.h"

#include <stdint.h>

struct ox_buf {
    uint8_t *data;
    size_t len_bytes;
    size_t cap_bytes;
};

#define OX_BUF_INIT                                                                                \
    {                                                                                              \
        NULL, 0, 0                                                                                 \
    }

/** Free the memory and become empty. */
void ox_buf_clear(struct ox_buf *buf);

/** Make room for `extra_bytes` more. Errors: OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_buf_reserve(struct ox_buf *buf, size_t extra_bytes, struct ox_err *err);

/** Append bytes. Errors: OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_buf_append(struct ox_buf *buf, const void *bytes, size_t len_bytes,
                                       struct ox_err *err);

/** Append formatted text; the buffer stays NUL-terminated behind len_bytes. Errors: OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_buf_printf(struct ox_buf *buf, struct ox_err *err, const char *fmt, ...)
    OX_PRINTF(3, 4);

/** Append little-endian integers and LEB128 varints. Errors: OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_buf_put_u8(struct ox_buf *buf, uint8_t value, struct ox_err *err);
OX_MUST_USE enum ox_code ox_buf_put_u16le(struct ox_buf *buf, uint16_t value, struct ox_err *err);
OX_MUST_USE enum ox_code ox_buf_put_u32le(struct ox_buf *buf, uint32_t value, struct ox_err *err);
OX_MUST_USE enum ox_code ox_buf_put_u64le(struct ox_buf *buf, uint64_t value, struct ox_err *err);
OX_MUST_USE enum ox_code ox_buf_put_varint(struct ox_buf *buf, uint64_t value, struct ox_err *err);

/** Format into fresh memory that the caller frees. *out is untouched on failure. */
OX_MUST_USE enum ox_code ox_strf(char **out, struct ox_err *err, const char *fmt, ...)
    OX_PRINTF(3, 4);

/** Copy a string into fresh memory that the caller frees; NULL stays NULL. */
OX_MUST_USE enum ox_code ox_strdup(char **out, const char *text, struct ox_err *err);

#endif
