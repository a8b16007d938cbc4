/** "Did you mean": the nearest of a list of words. */
#ifndef OXIDE_BASE_SUGGEST_H
#define OXIDE_BASE_SUGGEST_H

#include <stddef.h>

/** The best candidate so far. Zero-initialise, offer every candidate, read `best`. */
struct ox_suggestion {
    const char *best; /* NULL: nothing is near enough */
    size_t distance;
};

/**
 * Offer one candidate. Near enough is a distance of at most a third of the longer word's length,
 * and 1 for short words; of equals the first stays.
 */
void ox_suggest(struct ox_suggestion *suggestion, const char *word, const char *candidate);

/**
 * Edits from a to b: insert, delete, replace, or swap two neighbours, each 1. Words past 63 bytes
 * are far from everything (SIZE_MAX).
 * Source: Damerau-Levenshtein distance, optimal string alignment variant.
 */
size_t ox_edit_distance(const char *a, const char *b);

#endif
