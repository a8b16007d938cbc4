/* What came back: looked at, and let go. */
#include "oxide/net/http.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void ox_http_answer_clear(struct ox_http_answer *answer)
{
    ox_buf_clear(&answer->head);
    ox_buf_clear(&answer->body);
    *answer = (struct ox_http_answer)OX_HTTP_ANSWER_INIT;
}

bool ox_http_answer_header(const struct ox_http_answer *answer, const char *name, char *out,
                           size_t cap)
{
    size_t name_len = strlen(name);
    const char *at = (const char *)answer->head.data;
    const char *end = at == NULL ? NULL : at + answer->head.len_bytes;

    while (at != NULL && at < end) {
        size_t line_len = (size_t)(end - at);
        const char *newline = memchr(at, '\n', line_len);
        const char *next = newline == NULL ? end : newline + 1;

        line_len = (size_t)(next - at);
        if (line_len > name_len && at[name_len] == ':' && strncasecmp(at, name, name_len) == 0) {
            const char *value = at + name_len + 1;
            size_t len;

            while (value < next && (*value == ' ' || *value == '\t')) {
                value++;
            }
            len = (size_t)(next - value);
            while (len > 0 && strchr(" \t\r\n", value[len - 1]) != NULL) {
                len--;
            }
            len = len < cap ? len : cap - 1;
            memcpy(out, value, len);
            out[len] = '\0';
            return true;
        }
        at = next;
    }
    return false;
}

/* Seconds since 1970, the lower 32 bits of them: on a 32-bit processor libcurl may have been built
 * with a time_t of so many, while ours has 64. */
static bool date_parse(const char *text, uint32_t *out)
{
    *out = (uint32_t)curl_getdate(text, NULL);
    return *out != UINT32_MAX;
}

int64_t ox_http_retry_after_s(const struct ox_http_answer *answer)
{
    char text[64];
    char date[64];
    uint32_t until = 0;
    uint32_t from = 0;
    char *end = NULL;
    long long value;

    if (!ox_http_answer_header(answer, "Retry-After", text, sizeof(text))) {
        return 0;
    }
    value = strtoll(text, &end, 10);
    if (end == text || *end != '\0') { /* a date, by the server's own clock: ours may be wrong */
        value = ox_http_answer_header(answer, "Date", date, sizeof(date)) &&
                        date_parse(text, &until) && date_parse(date, &from)
                    ? (int32_t)(until - from)
                    : 0;
    }
    return value < 0 ? 0 : value < INT32_MAX ? value : INT32_MAX;
}
