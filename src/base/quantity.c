#include "oxide/base/quantity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The larger unit stands behind the smaller one; the first is the one that needs no word. */
struct unit {
    const char *word;
    uint64_t factor;
};
static const struct unit time_units[] = {{"", 1000},   {"ms", 1},      {"s", 1000},
                                         {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
static const struct unit size_units[] = {{"", 1},
                                         {"K", 1024},
                                         {"M", (uint64_t)1 << 20},
                                         {"G", (uint64_t)1 << 30},
                                         {"T", (uint64_t)1 << 40}};
#define TIME_UNITS (sizeof(time_units) / sizeof(time_units[0]))
#define SIZE_UNITS (sizeof(size_units) / sizeof(size_units[0]))

/* Digits alone: strtoull would take signs, blanks and hexadecimal prefixes too. */
static bool parse_digits(const char *text, const char **end, uint64_t *out)
{
    uint64_t value = 0;
    const char *at = text;

    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');

        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *end = at;
    *out = value;
    return at != text;
}

bool ox_number_parse(const char *text, uint64_t *out)
{
    const char *end = NULL;
    uint64_t value = 0;

    if (!parse_digits(text, &end, &value) || *end != '\0') {
        return false;
    }
    *out = value;
    return true;
}

static bool parse_units(const char *text, const struct unit *units, size_t count,
                        int (*compare)(const char *a, const char *b), uint64_t max, uint64_t *out)
{
    const char *end = NULL;
    uint64_t value = 0;

    if (!parse_digits(text, &end, &value)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (compare(end, units[i].word) == 0 && value <= max / units[i].factor) {
            *out = value * units[i].factor;
            return true;
        }
    }
    return false;
}

bool ox_time_span_parse(const char *text, uint64_t max_ms, uint64_t *out_ms)
{
    return parse_units(text, time_units, TIME_UNITS, strcmp, max_ms, out_ms);
}

bool ox_size_parse(const char *text, uint64_t max_bytes, uint64_t *out_bytes)
{
    return parse_units(text, size_units, SIZE_UNITS, strcasecmp, max_bytes, out_bytes);
}

static const char *units_text(uint64_t value, const struct unit *units, size_t count,
                              char out[OX_QUANTITY_TEXT_MAX])
{
    size_t best = 0;

    for (size_t i = 1; i < count; i++) {
        if (value > 0 && value % units[i].factor == 0) {
            best = i;
        }
    }
    (void)snprintf(out, OX_QUANTITY_TEXT_MAX, "%" PRIu64 "%s", value / units[best].factor,
                   units[best].word);
    return out;
}

const char *ox_time_span_text(uint64_t ms, char out[OX_QUANTITY_TEXT_MAX])
{
    return units_text(ms, time_units, TIME_UNITS, out);
}

const char *ox_size_text(uint64_t bytes, char out[OX_QUANTITY_TEXT_MAX])
{
    return units_text(bytes, size_units, SIZE_UNITS, out);
}
