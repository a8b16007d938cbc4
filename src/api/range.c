#include "range.h"

#include <string.h>
#include <strings.h>

/* Digits at *at, which moves behind them. False where there are none or they pass 2^63. */
static bool number(const char **at, uint64_t *out)
{
    const char *start = *at;
    uint64_t value = 0;

    for (; **at >= '0' && **at <= '9'; (*at)++) {
        if (value > (INT64_MAX - 9) / 10) {
            return false;
        }
        value = value * 10 + (uint64_t)(**at - '0');
    }
    *out = value;
    return *at > start;
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

enum ox_range_kind ox_range_parse(const char *header, uint64_t size_bytes, struct ox_range *out)
{
    const char *at = header;
    uint64_t first = 0;
    uint64_t last = size_bytes;
    bool is_suffix;

    if (at == NULL || strncasecmp(at, "bytes=", 6) != 0) {
        return OX_RANGE_WHOLE;
    }
    at = skip_blanks(at + 6);
    is_suffix = *at == '-';
    if (!is_suffix && !number(&at, &first)) {
        return OX_RANGE_WHOLE;
    }
    if (*at++ != '-') {
        return OX_RANGE_WHOLE;
    }
    if (*skip_blanks(at) != '\0' || is_suffix) {
        if (!number(&at, &last) || *skip_blanks(at) != '\0' || (!is_suffix && last < first)) {
            return OX_RANGE_WHOLE; /* several ranges, or no range at all */
        }
    }
    if (is_suffix) {
        first = last < size_bytes ? size_bytes - last : 0;
        if (last == 0 || size_bytes == 0) {
            return OX_RANGE_OUTSIDE;
        }
        last = size_bytes - 1;
    }
    if (first >= size_bytes) {
        return OX_RANGE_OUTSIDE;
    }
    if (last >= size_bytes) {
        last = size_bytes - 1;
    }
    *out = (struct ox_range){first, last - first + 1};
    return OX_RANGE_PART;
}

enum ox_code ox_content_range_parse(const char *header, uint64_t *first, uint64_t *last,
                                    uint64_t *total, struct ox_err *err)
{
    const char *at = header;
    uint64_t numbers[3];
    bool ok = strncasecmp(at, "bytes ", 6) == 0;

    for (size_t i = 0; ok && i < 3; i++) {
        at = skip_blanks(i == 0 ? at + 6 : at);
        ok = number(&at, &numbers[i]) && *at == "-/"[i]; /* the last one ends with the NUL */
        at += ok && i < 2;
    }
    if (!ok || numbers[0] > numbers[1] || numbers[1] >= numbers[2]) {
        return ox_err_set(err, OX_EINVAL,
                          "Content-Range must be \"bytes FIRST-LAST/TOTAL\" with FIRST <= LAST < "
                          "TOTAL");
    }
    *first = numbers[0];
    *last = numbers[1];
    *total = numbers[2];
    return OX_OK;
}

bool ox_etag_listed(const char *list, const char *etag)
{
    size_t len = strlen(etag);

    for (const char *at = list; at != NULL && *at != '\0';) {
        size_t entry;

        at += strspn(at, " \t,");
        if (*at == '*') {
            return true;
        }
        if (strncmp(at, "W/", 2) == 0) {
            at += 2;
        }
        entry = strcspn(at, ", \t");
        if (entry == len && strncmp(at, etag, len) == 0) {
            return true;
        }
        at += entry;
    }
    return false;
}
