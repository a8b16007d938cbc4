/* The words of policies, and what they stand for. To add one: its value in oxide/rollout/policy.h,
 * its word here; a class of failure stands in two tables. */
#include "words.h"

#include <stdio.h>
#include <string.h>

const struct ox_word ox_words_strategy[] = {{"all_at_once", OX_STRATEGY_ALL_AT_ONCE},
                                            {"rolling", OX_STRATEGY_ROLLING},
                                            {"canary", OX_STRATEGY_CANARY},
                                            {"exponential", OX_STRATEGY_EXPONENTIAL},
                                            {NULL, 0}};
const struct ox_word ox_words_action[] = {
    {"pause", OX_HALT_PAUSE}, {"abort", OX_HALT_ABORT}, {"revert", OX_HALT_REVERT}, {NULL, 0}};
const struct ox_word ox_words_fallback[] = {{"never", OX_FALLBACK_NEVER},
                                            {"limited", OX_FALLBACK_LIMITED},
                                            {"always", OX_FALLBACK_ALWAYS},
                                            {NULL, 0}};
const struct ox_word ox_words_conflict[] = {
    {"supersede", OX_CONFLICT_SUPERSEDE}, {"refuse", OX_CONFLICT_REFUSE}, {NULL, 0}};
const struct ox_word ox_words_late[] = {{"wait", OX_LATE_WAIT}, {"full", OX_LATE_FULL}, {NULL, 0}};
const struct ox_word ox_words_failure[] = {{"", OX_FAILURE_NONE},
                                           {"download", OX_FAILURE_DOWNLOAD},
                                           {"verify", OX_FAILURE_VERIFY},
                                           {"apply", OX_FAILURE_APPLY},
                                           {"health", OX_FAILURE_HEALTH},
                                           {"silent", OX_FAILURE_SILENT},
                                           {"rollback", OX_FAILURE_ROLLBACK},
                                           {"fallback", OX_FAILURE_FALLBACK},
                                           {"disk", OX_FAILURE_DISK},
                                           {"preflight", OX_FAILURE_PREFLIGHT},
                                           {"other", OX_FAILURE_OTHER},
                                           {NULL, 0}};
const struct ox_word ox_words_rule[] = {
    {"any", OX_FAILURE_NONE},          {"download", OX_FAILURE_DOWNLOAD},
    {"verify", OX_FAILURE_VERIFY},     {"apply", OX_FAILURE_APPLY},
    {"health", OX_FAILURE_HEALTH},     {"silent", OX_FAILURE_SILENT},
    {"rollback", OX_FAILURE_ROLLBACK}, {"fallback", OX_FAILURE_FALLBACK},
    {"disk", OX_FAILURE_DISK},         {"preflight", OX_FAILURE_PREFLIGHT},
    {"other", OX_FAILURE_OTHER},       {NULL, 0}};

const char *ox_words_text(const struct ox_word *words, int value)
{
    while (words->value != value) {
        words++;
    }
    return words->text;
}

enum ox_code ox_words_value(const struct ox_word *words, const char *what, const char *text,
                            int *out, struct ox_err *err)
{
    char known[160] = "";
    size_t used = 0;

    for (const struct ox_word *word = words; word->text != NULL; word++) {
        if (strcmp(word->text, text) == 0) {
            *out = word->value;
            return OX_OK;
        }
        if (used < sizeof(known)) {
            used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
                                     used == 0              ? ""
                                     : word[1].text == NULL ? " or "
                                                            : ", ",
                                     word->text);
        }
    }
    return ox_err_set(err, OX_EINVAL, "%s \"%.32s\" is unknown: use %s", what, text, known);
}

const char *ox_strategy_word(enum ox_strategy strategy)
{
    return ox_words_text(ox_words_strategy, (int)strategy);
}

enum ox_code ox_strategy_parse(const char *word, enum ox_strategy *out, struct ox_err *err)
{
    int value = 0;
    enum ox_code code = ox_words_value(ox_words_strategy, "strategy", word, &value, err);

    if (code == OX_OK) {
        *out = (enum ox_strategy)value;
    }
    return code;
}

const char *ox_failure_word(enum ox_failure failure)
{
    return ox_words_text(ox_words_failure, (int)failure);
}

enum ox_code ox_failure_parse(const char *word, enum ox_failure *out, struct ox_err *err)
{
    int value = 0;
    enum ox_code code = ox_words_value(ox_words_failure, "failure class", word, &value, err);

    if (code == OX_OK) {
        *out = (enum ox_failure)value;
    }
    return code;
}

enum ox_failure ox_failure_of_report(const char *error_code)
{
    /* Codes of agents that are no class by themselves. */
    static const struct ox_word codes[] = {
        {"patch", OX_FAILURE_FALLBACK}, {"stage", OX_FAILURE_APPLY},
        {"activate", OX_FAILURE_APPLY}, {"commit", OX_FAILURE_APPLY},
        {"poison", OX_FAILURE_HEALTH},  {NULL, 0},
    };

    for (const struct ox_word *word = codes; error_code != NULL && word->text != NULL; word++) {
        if (strcmp(word->text, error_code) == 0) {
            return (enum ox_failure)word->value;
        }
    }
    for (const struct ox_word *word = ox_words_failure + 1;
         error_code != NULL && word->text != NULL; word++) {
        if (strcmp(word->text, error_code) == 0) {
            return (enum ox_failure)word->value;
        }
    }
    return OX_FAILURE_OTHER;
}
