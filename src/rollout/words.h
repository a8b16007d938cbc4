/** The words of a policy: each table ends with a row without text. */
#ifndef OX_ROLLOUT_WORDS_H
#define OX_ROLLOUT_WORDS_H

#include "oxide/rollout/policy.h"

struct ox_word {
    const char *text;
    int value; /* of an enum */
};
extern const struct ox_word ox_words_strategy[];
extern const struct ox_word ox_words_action[];
extern const struct ox_word ox_words_fallback[];
extern const struct ox_word ox_words_conflict[];
extern const struct ox_word ox_words_late[];
extern const struct ox_word ox_words_failure[]; /* no class is "" */
extern const struct ox_word ox_words_rule[];    /* the same, but no class is "any" */

/** The word for a value that the table has. */
const char *ox_words_text(const struct ox_word *words, int value);
/** Errors: OX_EINVAL, naming what it is of, the word, and those that are known. */
OX_MUST_USE enum ox_code ox_words_value(const struct ox_word *words, const char *what,
                                        const char *text, int *out, struct ox_err *err);

#endif
