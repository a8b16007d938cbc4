/** Base 64 for URLs, without padding. Source: RFC 4648, section 5. */
#ifndef OXIDE_BASE_BASE64_H
#define OXIDE_BASE_BASE64_H

#include "oxide/base/buf.h"

/** Append the text of bytes. Errors: OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_base64_encode(struct ox_buf *out, const void *bytes, size_t len_bytes,
                                          struct ox_err *err);
/** Append the bytes of a text. Errors: OX_EINVAL where it is none, OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_base64_decode(struct ox_buf *out, const char *text, struct ox_err *err);

#endif
