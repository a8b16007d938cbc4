/** Percent-encoding. Source: RFC 3986, section 2.1. */
#ifndef OX_API_PERCENT_H
#define OX_API_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

/** Decode text[0, len) into out, which has room for len + 1 bytes and ends with a NUL. False where
 *  "%" is not followed by two hexadecimal digits, or where a NUL comes out. */
bool ox_percent_decode(const char *text, size_t len, char *out);

#endif
