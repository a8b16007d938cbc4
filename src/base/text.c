#include "oxide/base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the UTF-8 sequence at `at`, with its code point; 0 if it is none. NUL ends a sequence
 * like any other byte that does not continue it, so nothing is read behind the string. */
static size_t sequence(const unsigned char *at, uint32_t *point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* by length */
    size_t len = at[0] < 0x80   ? 1
                 : at[0] < 0xc0 ? 0
                 : at[0] < 0xe0 ? 2
                 : at[0] < 0xf0 ? 3
                 : at[0] < 0xf8 ? 4
                                : 0;

    *point = len == 1 ? at[0] : at[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        *point = *point << 6 | (at[i] & 0x3fu);
    }
    if (len > 0 && (*point < least[len] || *point > 0x10ffff || (*point >> 11) == 0x1b)) {
        return 0; /* over-long, past the end of Unicode, or half of a surrogate pair */
    }
    return len;
}

void ox_text_clean(char *text)
{
    for (char *at = text; *at != '\0';) {
        uint32_t point = 0;
        size_t len = sequence((const unsigned char *)at, &point);

        if (len == 0) {
            *at++ = '?';
        } else if (point < 0x20 || (point >= 0x7f && point < 0xa0)) {
            for (size_t i = 0; i < len; i++) {
                *at++ = ' ';
            }
        } else {
            at += len;
        }
    }
}

bool ox_text_is_utf8(const char *text)
{
    uint32_t point = 0;
    size_t len;

    for (; *text != '\0'; text += len) {
        len = sequence((const unsigned char *)text, &point);
        if (len == 0) {
            return false;
        }
    }
    return true;
}

const char *ox_text_escape(const char *text, char *out, size_t out_bytes)
{
    size_t at = 0;

    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (out_bytes - at < 4 + sizeof("...")) { /* the longest escape, and room to say so */
            memcpy(out + at, "...", 4);
            return out;
        }
        if (c == '\\') {
            memcpy(out + at, "\\\\", 2);
            at += 2;
        } else if (c >= 0x20 && c < 0x7f) {
            out[at++] = (char)c;
        } else {
            at += (size_t)snprintf(out + at, out_bytes - at, "\\x%02x", c);
        }
    }
    out[at] = '\0';
    return out;
}
