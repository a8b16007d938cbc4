#include "policy_words.h"

#include "client.h"
#include "human.h"

#include <stdarg.h>
#include <string.h>

#define WORDS_MAX 1024
#define NONE (-1) /* no default: what is set is said */

enum kind { NUMBER, TIME, BYTES, FLAG, WORD };

/* Stands for the value in the table below. */
#define GAP "#"

/* To add a setting: a row here. */
static const struct phrase {
    const char *label; /* of the row; those of one label stand together */
    const char *section;
    const char *key;
    enum kind kind;
    double fallback;  /* not said; seconds, bytes */
    const char *word; /* the same of WORD */
    const char *text; /* with a gap for the value, but for flags */
} phrases[] = {
    {"gates", "gates", "success_percent", NUMBER, 0, NULL, "# % have succeeded"},
    {"gates", "gates", "failed_percent", NUMBER, 100, NULL, "# % failures at most"},
    {"gates", "gates", "failed_count", NUMBER, NONE, NULL, "# failures at most"},
    {"gates", "gates", "min_sample", NUMBER, 0, NULL, "of # devices at least"},
    {"gates", "gates", "soak_s", TIME, 0, NULL, "# since the last success"},
    {"gates", "gates", "approval", FLAG, 0, NULL, "approval of each stage"},
    {"silent after", "timeouts", "downloading_s", TIME, 1800, NULL, "# of downloading"},
    {"silent after", "timeouts", "applying_s", TIME, 1800, NULL, "# of applying"},
    {"silent after", "timeouts", "verifying_s", TIME, 1800, NULL, "# of verifying"},
    {"limits", "limits", "in_flight", NUMBER, NONE, NULL, "# devices at a time"},
    {"limits", "limits", "starts_per_minute", NUMBER, NONE, NULL, "# starts a minute"},
    {"limits", "limits", "rate_bps", BYTES, NONE, NULL, "#/s in all"},
    {"limits", "limits", "deadline_s", TIME, NONE, NULL, "aborted after #"},
    {"full files", "bytes", "fallback_full", WORD, 0, "limited", "#"},
    {"full files", "bytes", "fallback_percent", NUMBER, 1, NULL, "for # % of the devices"},
    {"budget", "bytes", "per_device", BYTES, NONE, NULL, "# for each device"},
    {"budget", "bytes", "total", BYTES, NONE, NULL, "# in all"},
    {"conflicts", NULL, "on_conflict", WORD, 0, "supersede", "#"},
    {"late deltas", NULL, "late_delta", WORD, 0, "wait", "# files in their place"},
    {"members", NULL, "follow", FLAG, 0, NULL, "those who join the fleet, too"},
};
#define PHRASES (sizeof(phrases) / sizeof(phrases[0]))

static void add(char words[WORDS_MAX], const char *separator, const char *fmt, ...) OX_PRINTF(3, 4);
static void add(char words[WORDS_MAX], const char *separator, const char *fmt, ...)
{
    size_t used = strlen(words);
    va_list args;

    if (used > 0) {
        (void)snprintf(words + used, WORDS_MAX - used, "%s", separator);
        used = strlen(words);
    }
    va_start(args, fmt);
    (void)vsnprintf(words + used, WORDS_MAX - used, fmt, args);
    va_end(args);
}

/* --- values --- */

static const char *value_text(const struct phrase *row, const json_t *value, char out[OX_HUMAN_MAX])
{
    switch (row->kind) {
    case NUMBER:
        (void)snprintf(out, OX_HUMAN_MAX, "%.10g", json_number_value(value));
        break;
    case TIME:
        return ox_human_duration((uint64_t)(json_number_value(value) * 1000), out);
    case BYTES:
        return ox_human_size((uint64_t)json_number_value(value), out);
    case WORD:
        (void)snprintf(out, OX_HUMAN_MAX, "%.60s", json_string_value(value));
        break;
    case FLAG:
        break;
    }
    return out;
}

static bool goes_without_saying(const struct phrase *row, const json_t *value)
{
    switch (row->kind) {
    case FLAG:
        return !json_is_true(value);
    case WORD:
        return !json_is_string(value) || strcmp(json_string_value(value), row->word) == 0;
    case NUMBER:
    case TIME:
    case BYTES:
        break;
    }
    /* both are what a double holds exactly: settings of the API, and our own */
    return !json_is_number(value) ||
           !(json_number_value(value) < row->fallback || json_number_value(value) > row->fallback);
}

static void say(const struct phrase *row, const json_t *value, char words[WORDS_MAX])
{
    char text[OX_HUMAN_MAX] = "";
    const char *gap = strstr(row->text, GAP);

    if (gap == NULL) {
        add(words, ", ", "%s", row->text);
        return;
    }
    add(words, ", ", "%.*s%s%s", (int)(gap - row->text), row->text, value_text(row, value, text),
        gap + strlen(GAP));
}

/* --- what is no single value --- */

static void say_strategy(const json_t *strategy, char words[WORDS_MAX])
{
    const char *type = ox_cli_text(strategy, "type");
    double wait_s = json_number_value(json_object_get(strategy, "wait_s"));
    char time[OX_HUMAN_MAX];
    json_t *share;
    size_t i;

    add(words, "", "%s", type != NULL ? type : "?");
    if (type == NULL) {
        return;
    }
    if (strcmp(type, "canary") == 0) {
        json_array_foreach(json_object_get(strategy, "stages"), i, share)
        {
            add(words, i == 0 ? ": " : ", ", "%.4g", json_number_value(share));
        }
        add(words, "", " %% of the devices");
    } else if (strcmp(type, "rolling") == 0) {
        add(words, "", ": %llu at a time", (unsigned long long)ox_cli_number(strategy, "batch"));
    } else if (strcmp(type, "exponential") == 0) {
        add(words, "", ": %llu devices, then %.4g times as many at each stage",
            (unsigned long long)ox_cli_number(strategy, "start"),
            json_number_value(json_object_get(strategy, "factor")));
    }
    if (wait_s > 0 && strcmp(type, "all_at_once") != 0) {
        add(words, "", ", %s apart", ox_human_duration((uint64_t)(wait_s * 1000), time));
    }
}

static void say_rules(const json_t *halt, char words[WORDS_MAX])
{
    const char *action = ox_cli_text(halt, "action");
    json_t *rule;
    size_t i;

    json_array_foreach(json_object_get(halt, "rules"), i, rule)
    {
        const char *failure = ox_cli_text(rule, "class");
        double percent = json_number_value(json_object_get(rule, "percent"));
        bool any = failure == NULL || strcmp(failure, "any") == 0;

        add(words, i == 0 ? "" : " or ", "%s", i == 0 ? "at more than " : "more than ");
        if (json_is_integer(json_object_get(rule, "count"))) {
            add(words, "", "%llu", (unsigned long long)ox_cli_number(rule, "count"));
        } else {
            add(words, "", "%.4g %%", percent);
        }
        add(words, "", " failures%s%s", any ? "" : " by ", any ? "" : failure);
        if (ox_cli_number(rule, "min_sample") > 1) {
            add(words, "", " (of %llu devices or more)",
                (unsigned long long)ox_cli_number(rule, "min_sample"));
        }
    }
    if (words[0] != '\0' && action != NULL) {
        add(words, ": ", "%s", action);
    }
}

static void say_windows(const json_t *limits, char words[WORDS_MAX])
{
    json_t *window;
    size_t i;

    json_array_foreach(json_object_get(limits, "windows"), i, window)
    {
        if (json_is_string(window)) {
            add(words, i == 0 ? ", " : " or ", "%s%.40s", i == 0 ? "in " : "",
                json_string_value(window));
        }
    }
}

/* A strategy's own gate goes without saying: no failure, or none at all. */
static void say_gate(const json_t *policy, char words[WORDS_MAX])
{
    const char *type = ox_cli_text(json_object_get(policy, "strategy"), "type");
    bool gated = type != NULL && (strcmp(type, "canary") == 0 || strcmp(type, "exponential") == 0);

    if (gated && json_is_false(json_object_get(policy, "gates"))) {
        add(words, "", "none: stages open by time alone");
    } else if (gated && strcmp(words, "0 failures at most") == 0) {
        words[0] = '\0';
    }
}

static void row(struct ox_table *table, const char *label, const char *words)
{
    if (words[0] != '\0') {
        ox_table_cell(table, label);
        ox_table_cell(table, words);
    }
}

void ox_policy_words(struct ox_table *table, const json_t *policy)
{
    char words[WORDS_MAX] = "";
    size_t i = 0;

    say_strategy(json_object_get(policy, "strategy"), words);
    row(table, "rollout", words);
    words[0] = '\0';
    say_rules(json_object_get(policy, "halt"), words);
    row(table, "halts", words);
    while (i < PHRASES) {
        const char *label = phrases[i].label;

        words[0] = '\0';
        for (; i < PHRASES && strcmp(phrases[i].label, label) == 0; i++) {
            const json_t *object =
                phrases[i].section == NULL ? policy : json_object_get(policy, phrases[i].section);
            const json_t *value = json_object_get(object, phrases[i].key);

            if (!goes_without_saying(&phrases[i], value)) {
                say(&phrases[i], value, words);
            }
        }
        if (strcmp(label, "gates") == 0) {
            say_gate(policy, words);
        } else if (strcmp(label, "limits") == 0) {
            say_windows(json_object_get(policy, "limits"), words);
        }
        row(table, label, words);
    }
}
