/** Percent-encoding. Source: RFC 3986, section 2.1. */
#ifndef OXIDE_BASE_PERCENT_H
#define OXIDE_BASE_PERCENT_H

#include "oxide/base/buf.h"

/** Decode text[0, len) into out, which has room for len + 1 bytes and ends with a NUL. False where
 *  "%" is not followed by two hexadecimal digits, or where a NUL comes out. */
bool ox_percent_decode(const char *text, size_t len, char *out);

/** Append `text` fit for a part of a path or a value of a query: all but letters, digits and - . _
 * ~ is encoded. The buffer stays NUL-terminated behind len_bytes. */
OX_MUST_USE enum ox_code ox_percent_encode(struct ox_buf *out, const char *text,
                                           struct ox_err *err);

#endif
