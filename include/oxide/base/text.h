/** Text from outside, made fit to be shown: in logs, messages, JSON and on terminals. */
#ifndef OXIDE_BASE_TEXT_H
#define OXIDE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/**
 * Clean a string in place: control characters (C0, DEL, and C1, which terminals obey too) become
 * spaces, bytes that are no valid UTF-8 question marks. What is left is valid UTF-8 on one line, so
 * JSON can hold it. The string never grows. Source: RFC 3629, section 4.
 */
void ox_text_clean(char *text);

/** Is the string valid UTF-8? Source: RFC 3629, section 4. */
bool ox_text_is_utf8(const char *text);

/**
 * Write `text` into out[0, out_bytes) so that each byte can be told: printable ASCII as it is but
 * for a backslash, which is doubled, and any other byte as \xHH. What does not fit ends in "...";
 * out_bytes is 8 or more. Returns out.
 */
const char *ox_text_escape(const char *text, char *out, size_t out_bytes);

#endif
