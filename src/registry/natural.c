#include "oxide/registry/natural.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* In the order of their ranks. */
enum part_kind { PART_BEFORE, PART_END, PART_WORD, PART_NUMBER };

struct part {
    enum part_kind kind;
    const char *text; /* of a number: without the zeros in front, so that 0 has none */
    size_t len;
};

/* What is left of a name. */
struct rest {
    const char *at;
    size_t left;
    size_t kept; /* numbers 0 that come next and count, as another number follows them */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80) != 0;
}

static bool tells_version_before(const char *word, size_t len)
{
    static const char *const words[] = {"alpha", "beta", "dev", "pre", "preview", "rc", "snapshot"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strlen(words[i]) == len && strncasecmp(words[i], word, len) == 0) {
            return true;
        }
    }
    return false;
}

/* The next part, with every 0. */
static struct part read_part(struct rest *rest)
{
    struct part part = {PART_END, NULL, 0};
    bool number;

    while (rest->left > 0 && !is_digit(*rest->at) && !is_letter(*rest->at)) {
        rest->at++;
        rest->left--;
    }
    number = rest->left > 0 && is_digit(*rest->at);
    part.text = rest->at;
    while (rest->left > 0 && (number ? is_digit(*rest->at) : is_letter(*rest->at))) {
        rest->at++;
        rest->left--;
        part.len++;
    }
    if (number) {
        part.kind = PART_NUMBER;
        while (part.len > 0 && *part.text == '0') {
            part.text++;
            part.len--;
        }
    } else if (part.len > 0) {
        part.kind = tells_version_before(part.text, part.len) ? PART_BEFORE : PART_WORD;
    }
    return part;
}

static struct part next_part(struct rest *rest)
{
    struct rest ahead;
    struct part first = read_part(rest);
    struct part part = first;

    if (rest->kept > 0) {
        rest->kept--;
        return first;
    }
    ahead = *rest;
    while (part.kind == PART_NUMBER && part.len == 0) {
        part = read_part(&ahead);
        ahead.kept++;
    }
    if (part.kind == PART_NUMBER) {
        rest->kept = ahead.kept > 0 ? ahead.kept - 1 : 0;
        return first;
    }
    ahead.kept = 0;
    *rest = ahead;
    return part;
}

static int compare_parts(const struct part *a, const struct part *b)
{
    size_t common = a->len < b->len ? a->len : b->len;
    int order;

    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    if (a->kind == PART_END) {
        return 0;
    }
    if (a->kind == PART_NUMBER && a->len != b->len) {
        return a->len < b->len ? -1 : 1;
    }
    order = a->kind == PART_NUMBER ? memcmp(a->text, b->text, common)
                                   : strncasecmp(a->text, b->text, common);
    return order != 0 || a->len == b->len ? order : a->len < b->len ? -1 : 1;
}

static struct rest begin(const char *name, size_t len)
{
    struct rest rest = {name, len, 0};

    if (len > 1 && (name[0] == 'v' || name[0] == 'V') && is_digit(name[1])) {
        rest.at++;
        rest.left--;
    }
    return rest;
}

int ox_natural_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    struct rest left = begin(a, a_len);
    struct rest right = begin(b, b_len);
    int order = 0;

    while (order == 0 && (left.left > 0 || right.left > 0)) {
        struct part one = next_part(&left);
        struct part other = next_part(&right);

        order = compare_parts(&one, &other);
    }
    return order;
}
