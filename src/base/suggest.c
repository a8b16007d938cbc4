#include "oxide/base/suggest.h"

#include <stdint.h>
#include <string.h>

#define WORD_MAX 64

static size_t least(size_t a, size_t b, size_t c)
{
    size_t least_ab = a < b ? a : b;

    return least_ab < c ? least_ab : c;
}

size_t ox_edit_distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);

    if (a_len >= WORD_MAX || b_len >= WORD_MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        const size_t *two_above = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t change = above[j - 1] + (a[i - 1] != b[j - 1]);

            row[j] = least(above[j] + 1, row[j - 1] + 1, change);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], two_above[j - 2] + 1, SIZE_MAX);
            }
        }
    }
    return rows[a_len % 3][b_len];
}

void ox_suggest(struct ox_suggestion *suggestion, const char *word, const char *candidate)
{
    size_t word_len = strlen(word);
    size_t candidate_len = strlen(candidate);
    size_t longer = word_len > candidate_len ? word_len : candidate_len;
    size_t near = longer / 3 > 1 ? longer / 3 : 1;
    size_t distance = ox_edit_distance(word, candidate);

    /* A word cut short ("dev") is a likely slip too, however much is missing. */
    if (distance > near && word_len >= 2 && strncmp(word, candidate, word_len) == 0) {
        distance = near;
    }
    if (distance <= near && (suggestion->best == NULL || distance < suggestion->distance)) {
        suggestion->best = candidate;
        suggestion->distance = distance;
    }
}
