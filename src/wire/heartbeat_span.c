#include "oxide/wire/heartbeat.h"

#include <string.h>

/* Text that is walked through byte by byte; `at` never passes `len`. */
struct walk {
    const char *text;
    size_t len;
    size_t at;
};

static char next(const struct walk *walk)
{
    return walk->at < walk->len ? walk->text[walk->at] : '\0';
}

static void skip_blanks(struct walk *walk)
{
    char c = next(walk);

    while (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        walk->at++;
        c = next(walk);
    }
}

/* Step over a string, from quote to quote. */
static bool skip_string(struct walk *walk)
{
    for (walk->at++; walk->at < walk->len; walk->at++) {
        if (walk->text[walk->at] == '"') {
            walk->at++;
            return true;
        }
        walk->at += walk->text[walk->at] == '\\';
    }
    return false;
}

/* Step over a value, to the comma or bracket behind it. */
static bool skip_value(struct walk *walk, bool *flat)
{
    size_t depth = 0;

    *flat = true;
    for (;;) {
        char c = next(walk);

        if (c == '\0') {
            return false;
        }
        if (c == '"') {
            if (!skip_string(walk)) {
                return false;
            }
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}' || c == ']')) {
            return true;
        }
        if (c == '{' || c == '[') {
            *flat = *flat && depth == 0;
            depth++;
        } else if (c == '}' || c == ']') {
            depth--;
        }
        walk->at++;
    }
}

static bool is_metrics(const struct walk *walk, size_t key)
{
    static const char wanted[] = "\"metrics\"";

    return walk->at - key == sizeof(wanted) - 1 &&
           memcmp(walk->text + key, wanted, sizeof(wanted) - 1) == 0;
}

/* One "key": value; *begin and *end are set where it is the metrics. */
static bool walk_member(struct walk *walk, size_t *begin, size_t *end)
{
    bool flat = false;
    bool metrics;
    size_t key;

    skip_blanks(walk);
    key = walk->at;
    if (next(walk) != '"' || !skip_string(walk) ||
        memchr(walk->text + key, '\\', walk->at - key) != NULL) {
        return false;
    }
    metrics = is_metrics(walk, key);
    skip_blanks(walk);
    if (next(walk) != ':') {
        return false;
    }
    walk->at++;
    skip_blanks(walk);
    key = walk->at;
    if (!skip_value(walk, &flat)) {
        return false;
    }
    if (metrics && walk->text[key] == '{') {
        if (*end > 0 || !flat) {
            return false;
        }
        *begin = key;
        *end = walk->at;
    }
    return true;
}

bool ox_heartbeat_metrics_span(const char *body, size_t len_bytes, size_t *begin, size_t *end)
{
    struct walk walk = {body, len_bytes, 0};

    *begin = len_bytes;
    *end = 0;
    skip_blanks(&walk);
    if (walk.at == len_bytes) { /* a heartbeat that says nothing */
        *end = *begin;
        return true;
    }
    if (next(&walk) != '{') {
        return false;
    }
    walk.at++;
    skip_blanks(&walk);
    if (next(&walk) != '}') {
        do {
            if (!walk_member(&walk, begin, end)) {
                return false;
            }
        } while (next(&walk) == ',' && ++walk.at > 0);
    }
    if (next(&walk) != '}') {
        return false;
    }
    walk.at++;
    skip_blanks(&walk);
    if (*end == 0) {
        *end = *begin;
    }
    return walk.at == len_bytes;
}

/* --- plain metrics --- */

#define PLAIN_MAX 16        /* members; each is compared with all before it */
#define PLAIN_DIGITS_MAX 15 /* on either side of the point: such a number has no range to leave */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_plain_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
           c == '-' || c == '.';
}

/* Step over "name"; *name is set to it, without quotes. */
static bool walk_plain_name(struct walk *walk, struct walk *name)
{
    if (next(walk) != '"') {
        return false;
    }
    *name = (struct walk){walk->text + ++walk->at, 0, 0};
    while (is_plain_letter(next(walk))) {
        walk->at++;
        name->len++;
    }
    if (name->len == 0 || next(walk) != '"') {
        return false;
    }
    walk->at++;
    return true;
}

static bool walk_digits(struct walk *walk)
{
    size_t begin = walk->at;

    while (is_digit(next(walk))) {
        walk->at++;
    }
    return walk->at > begin && walk->at - begin <= PLAIN_DIGITS_MAX;
}

/* Step over -12.5: no exponent, no zero in front of others. */
static bool walk_plain_number(struct walk *walk)
{
    size_t begin;

    walk->at += next(walk) == '-';
    begin = walk->at;
    if (!walk_digits(walk) || (walk->text[begin] == '0' && walk->at - begin > 1)) {
        return false;
    }
    if (next(walk) != '.') {
        return true;
    }
    walk->at++;
    return walk_digits(walk);
}

bool ox_heartbeat_metrics_are_plain(const char *metrics, size_t len_bytes)
{
    struct walk walk = {metrics, len_bytes, 0};
    struct walk names[PLAIN_MAX];
    size_t count = 0;

    if (next(&walk) != '{') {
        return false;
    }
    do {
        walk.at++; /* the bracket, or a comma */
        if (count == PLAIN_MAX || !walk_plain_name(&walk, &names[count]) || next(&walk) != ':') {
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            if (names[i].len == names[count].len &&
                memcmp(names[i].text, names[count].text, names[count].len) == 0) {
                return false;
            }
        }
        count++;
        walk.at++;
        if (!walk_plain_number(&walk)) {
            return false;
        }
    } while (next(&walk) == ',');
    return next(&walk) == '}' && walk.at + 1 == len_bytes;
}
