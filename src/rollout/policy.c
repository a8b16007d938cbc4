#include "oxide/rollout/policy.h"

#include "oxide/base/suggest.h"
#include "words.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- the table of settings --- */

enum kind {
    COUNT,      /* a whole number, of field uint64_t */
    SECONDS,    /* whole seconds, of field int64_t */
    SECONDS_MS, /* whole seconds, of field int64_t in milliseconds */
    PERCENT,    /* of field uint32_t in basis points */
    HUNDREDTHS, /* of field uint32_t, hundred times the number */
    FLAG,       /* of field bool */
    WORD,       /* of an enum field */
};

/* To add a setting: a field in struct ox_policy, a row here, a line in docs/campaigns.md. A row
 * without a section stands in the object itself. What is not set is written as null. */
struct setting {
    const char *section;
    const char *key;
    enum kind kind;
    size_t offset;
    double min; /* of the number as it stands in JSON */
    double max;
    const struct ox_word *words; /* of WORD */
};

#define AT(field) offsetof(struct ox_policy, field)
#define MANY 1e12
#define YEAR_S (366.0 * 86400)

static const struct setting settings[] = {
    {"strategy", "batch", COUNT, AT(batch), 1, 1e9, NULL},
    {"strategy", "start", COUNT, AT(start), 1, 1e9, NULL},
    {"strategy", "factor", HUNDREDTHS, AT(factor_pct), 1.01, 1000, NULL},
    {"strategy", "wait_s", SECONDS_MS, AT(wait_ms), 0, YEAR_S, NULL},
    {"gates", "success_percent", PERCENT, AT(gate.success_bp), 0, 100, NULL},
    {"gates", "failed_percent", PERCENT, AT(gate.failed_bp), 0, 100, NULL},
    {"gates", "failed_count", COUNT, AT(gate.failed_count), 0, MANY, NULL},
    {"gates", "min_sample", COUNT, AT(gate.min_sample), 0, 1e9, NULL},
    {"gates", "soak_s", SECONDS_MS, AT(gate.soak_ms), 0, YEAR_S, NULL},
    {"gates", "approval", FLAG, AT(gate.approval), 0, 1, NULL},
    {"halt", "action", WORD, AT(halt_action), 0, 0, ox_words_action},
    {"timeouts", "downloading_s", SECONDS_MS, AT(silence_ms[0]), 10, YEAR_S, NULL},
    {"timeouts", "applying_s", SECONDS_MS, AT(silence_ms[1]), 10, YEAR_S, NULL},
    {"timeouts", "verifying_s", SECONDS_MS, AT(silence_ms[2]), 10, YEAR_S, NULL},
    {"limits", "in_flight", COUNT, AT(in_flight), 1, 1e9, NULL},
    {"limits", "starts_per_minute", COUNT, AT(starts_per_minute), 1, 1e9, NULL},
    {"limits", "rate_bps", COUNT, AT(rate_bps), 1024, 1e15, NULL},
    {"limits", "deadline_s", SECONDS, AT(deadline_s), 60, 10 * YEAR_S, NULL},
    {"bytes", "fallback_full", WORD, AT(fallback), 0, 0, ox_words_fallback},
    {"bytes", "fallback_percent", PERCENT, AT(fallback_bp), 0, 100, NULL},
    {"bytes", "per_device", COUNT, AT(device_max_bytes), 1, 9e18, NULL},
    {"bytes", "total", COUNT, AT(total_max_bytes), 1, 9e18, NULL},
    {NULL, "on_conflict", WORD, AT(on_conflict), 0, 0, ox_words_conflict},
    {NULL, "late_delta", WORD, AT(late_delta), 0, 0, ox_words_late},
    {NULL, "follow", FLAG, AT(follow), 0, 1, NULL},
};
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

/* A number is unset where its field holds this. */
static bool is_unset(const struct setting *row, const void *field)
{
    switch (row->kind) {
    case COUNT:
        /* No rate and no count are other defaults: a rate of 0 is none, a count of all is none. */
        return *(const uint64_t *)field == OX_UNLIMITED ||
               (row->min > 0 && *(const uint64_t *)field == 0);
    case SECONDS:
        return *(const int64_t *)field == 0;
    case HUNDREDTHS:
        return *(const uint32_t *)field == 0;
    case SECONDS_MS:
    case PERCENT:
    case FLAG:
    case WORD:
        break;
    }
    return false;
}

/* --- reading --- */

/* Of a number that is not negative, to the nearest. */
static uint32_t hundredths(double number)
{
    return (uint32_t)(number * 100 + 0.5);
}

static enum ox_code wrong(const struct setting *row, const char *expected, struct ox_err *err)
{
    return ox_err_set(err, OX_EINVAL, "\"%s%s%s\" is %s", row->section == NULL ? "" : row->section,
                      row->section == NULL ? "" : ".", row->key, expected);
}

static enum ox_code read_number(const struct setting *row, const json_t *value, void *field,
                                struct ox_err *err)
{
    bool whole = row->kind == COUNT || row->kind == SECONDS || row->kind == SECONDS_MS;
    double number = json_number_value(value);
    char expected[96];

    (void)snprintf(expected, sizeof(expected), "a %snumber from %.16g to %.16g",
                   whole ? "whole " : "", row->min, row->max);
    if (!json_is_number(value) || (whole && !json_is_integer(value)) || !isfinite(number) ||
        number < row->min || number > row->max) {
        return wrong(row, expected, err);
    }
    switch (row->kind) {
    case COUNT:
        *(uint64_t *)field = (uint64_t)json_integer_value(value);
        break;
    case SECONDS:
        *(int64_t *)field = json_integer_value(value);
        break;
    case SECONDS_MS:
        *(int64_t *)field = json_integer_value(value) * 1000;
        break;
    case PERCENT:
    case HUNDREDTHS:
        *(uint32_t *)field = hundredths(number);
        break;
    case FLAG:
    case WORD:
        break;
    }
    return OX_OK;
}

static enum ox_code read_setting(const struct setting *row, const json_t *object,
                                 struct ox_policy *out, struct ox_err *err)
{
    const json_t *value = json_object_get(object, row->key);
    void *field = (char *)out + row->offset;
    int word = 0;
    enum ox_code code;

    if (value == NULL || json_is_null(value)) {
        return OX_OK;
    }
    switch (row->kind) {
    case FLAG:
        if (!json_is_boolean(value)) {
            return wrong(row, "true or false", err);
        }
        *(bool *)field = json_is_true(value);
        return OX_OK;
    case WORD:
        if (!json_is_string(value)) {
            return wrong(row, "a word", err);
        }
        code = ox_words_value(row->words, row->key, json_string_value(value), &word, err);
        if (code == OX_OK) { /* every enum here is an int to both compilers */
            memcpy(field, &word, sizeof(word));
        }
        return code;
    case COUNT:
    case SECONDS:
    case SECONDS_MS:
    case PERCENT:
    case HUNDREDTHS:
        break;
    }
    return read_number(row, value, field, err);
}
_Static_assert(sizeof(enum ox_fallback) == sizeof(int), "enums are ints");

static const char *const sections[] = {"strategy", "gates", "halt", "timeouts", "limits", "bytes"};
#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Keys of sections that are no settings of one value. */
#define RULE "halt.rules"
static const struct {
    const char *section;
    const char *key;
} others[] = {
    {"strategy", "type"}, {"strategy", "stages"}, {"halt", "rules"}, {"limits", "windows"},
    {RULE, "class"},      {RULE, "count"},        {RULE, "percent"}, {RULE, "min_sample"},
};
#define OTHERS (sizeof(others) / sizeof(others[0]))

/* A misspelt key would leave out what was meant: a gate, a limit. */
static enum ox_code check_key(const char *section, const char *key, struct ox_err *err)
{
    struct ox_suggestion near = {NULL, 0};

    for (size_t i = 0; i < SETTINGS + OTHERS; i++) {
        bool is_setting = i < SETTINGS;
        const char *of = is_setting ? settings[i].section : others[i - SETTINGS].section;
        const char *known = is_setting ? settings[i].key : others[i - SETTINGS].key;

        if (!same(of, section)) {
            continue;
        }
        if (strcmp(known, key) == 0) {
            return OX_OK;
        }
        ox_suggest(&near, key, known);
    }
    return ox_err_set(err, OX_EINVAL, "\"%s\" has no \"%.64s\"%s%s%s", section, key,
                      near.best == NULL ? "" : ": did you mean \"",
                      near.best == NULL ? "" : near.best, near.best == NULL ? "" : "\"?");
}

static enum ox_code check_keys(const char *section, const json_t *object, struct ox_err *err)
{
    const char *key;
    json_t *value;
    enum ox_code code = OX_OK;

    json_object_foreach((json_t *)object, key, value)
    {
        code = code == OX_OK ? check_key(section, key, err) : code;
    }
    return code;
}

enum ox_code ox_policy_check_keys(const json_t *object, struct ox_err *err)
{
    const json_t *rules = json_object_get(json_object_get(object, "halt"), "rules");
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < SECTIONS; i++) {
        code = check_keys(sections[i], json_object_get(object, sections[i]), err);
    }
    for (size_t i = 0; code == OX_OK && i < json_array_size(rules); i++) {
        code = check_keys(RULE, json_array_get(rules, i), err);
    }
    return code;
}

static enum ox_code read_section(const char *section, const json_t *object, struct ox_policy *out,
                                 struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < SETTINGS; i++) {
        if (same(settings[i].section, section)) {
            code = read_setting(&settings[i], object, out, err);
        }
    }
    return code;
}

static enum ox_code read_stages(const json_t *strategy, struct ox_policy *out, struct ox_err *err)
{
    const json_t *stages = NULL;
    enum ox_code code = ox_json_opt_array(strategy, "stages", &stages, err);
    size_t count = json_array_size(stages);
    double before = 0;

    if (code != OX_OK || stages == NULL) {
        return code;
    }
    if (count == 0 || count > OX_STAGES_MAX) {
        return ox_err_set(err, OX_EINVAL, "\"strategy.stages\" has 1 to %d shares", OX_STAGES_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(stages, i);
        double share = json_number_value(value);

        if (!json_is_number(value) || !(share > before) || share > 100) {
            return ox_err_set(err, OX_EINVAL,
                              "stage %zu of \"strategy.stages\" is not over %.16g and at most 100: "
                              "shares are percent of all devices, and grow",
                              i + 1, before);
        }
        out->shares_bp[i] = hundredths(share);
        before = share;
    }
    if (out->shares_bp[count - 1] != OX_BP_ALL) {
        return ox_err_set(err, OX_EINVAL, "\"strategy.stages\" ends with %.16g: end with 100",
                          before);
    }
    out->shares_count = count;
    return OX_OK;
}

/* Which strategy is meant where its settings stand without "type": stages for all devices at once
 * would be an accident. Settings of none in particular leave *out as it is. */
static enum ox_code infer_strategy(const json_t *settings_of, enum ox_strategy *out,
                                   struct ox_err *err)
{
    static const struct {
        const char *key;
        enum ox_strategy strategy;
    } owners[] = {
        {"stages", OX_STRATEGY_CANARY},
        {"batch", OX_STRATEGY_ROLLING},
        {"start", OX_STRATEGY_EXPONENTIAL},
        {"factor", OX_STRATEGY_EXPONENTIAL},
    };
    const size_t none = sizeof(owners) / sizeof(owners[0]);
    size_t found = none;

    for (size_t i = 0; i < none; i++) {
        const json_t *value = json_object_get(settings_of, owners[i].key);

        if (value == NULL || json_is_null(value)) {
            continue;
        }
        if (found != none && owners[found].strategy != owners[i].strategy) {
            return ox_err_set(err, OX_EINVAL,
                              "\"strategy.%s\" is of %s and \"strategy.%s\" of %s: say which one "
                              "by \"strategy.type\"",
                              owners[found].key, ox_strategy_word(owners[found].strategy),
                              owners[i].key, ox_strategy_word(owners[i].strategy));
        }
        found = i;
    }
    if (found != none) {
        *out = owners[found].strategy;
    }
    return OX_OK;
}

static enum ox_code read_strategy(const json_t *object, enum ox_strategy fallback,
                                  struct ox_policy *out, struct ox_err *err)
{
    const json_t *value = json_object_get(object, "strategy");
    const json_t *settings_of = json_is_object(value) ? value : NULL;
    enum ox_strategy strategy = fallback;
    const char *word = json_string_value(value);
    enum ox_code code = OX_OK;

    if (settings_of != NULL) {
        code = ox_json_opt_str(settings_of, "type", &word, err);
        if (code == OX_OK && word == NULL) {
            code = infer_strategy(settings_of, &strategy, err);
        }
    } else if (value != NULL && word == NULL && !json_is_null(value)) {
        code = ox_err_set(err, OX_EINVAL,
                          "\"strategy\" is a word, or an object with \"type\" and its settings");
    }
    if (code == OX_OK && word != NULL) {
        code = ox_strategy_parse(word, &strategy, err);
    }
    if (code != OX_OK) {
        return code;
    }
    ox_policy_default(strategy, out);
    code = settings_of == NULL ? OX_OK : read_section("strategy", settings_of, out, err);
    return code == OX_OK && settings_of != NULL ? read_stages(settings_of, out, err) : code;
}

static const struct ox_gate no_gate = {
    .set = false, .success_bp = 0, .failed_bp = OX_BP_ALL, .failed_count = OX_UNLIMITED};

/* An object replaces the strategy's own gate; false takes it away. */
static enum ox_code read_gates(const json_t *object, struct ox_policy *out, struct ox_err *err)
{
    const json_t *value = json_object_get(object, "gates");

    if (value == NULL || json_is_null(value)) {
        return OX_OK;
    }
    if (json_is_false(value)) {
        out->gate = no_gate;
        return OX_OK;
    }
    if (!json_is_object(value)) {
        return ox_err_set(err, OX_EINVAL, "\"gates\" is an object, or false for none");
    }
    out->gate = no_gate;
    out->gate.set = true;
    return read_section("gates", value, out, err);
}

static enum ox_code read_rule(const json_t *rule, struct ox_halt_rule *out, struct ox_err *err)
{
    const json_t *percent = json_object_get(rule, "percent");
    const char *word = "any";
    int failure = 0;
    enum ox_code code;

    *out = (struct ox_halt_rule){OX_FAILURE_NONE, OX_UNLIMITED, OX_BP_ALL, 1};
    if (!json_is_object(rule)) {
        return ox_err_set(err, OX_EINVAL, "each is an object");
    }
    if ((code = ox_json_opt_str(rule, "class", &word, err)) != OX_OK ||
        (code = ox_words_value(ox_words_rule, "failure class", word, &failure, err)) != OX_OK ||
        (code = ox_json_opt_u64(rule, "count", &out->max_count, err)) != OX_OK ||
        (code = ox_json_opt_u64(rule, "min_sample", &out->min_sample, err)) != OX_OK) {
        return code;
    }
    out->failure = (enum ox_failure)failure;
    if (percent != NULL && !json_is_null(percent)) {
        double share = json_number_value(percent);

        if (!json_is_number(percent) || !(share >= 0) || share > 100) {
            return ox_err_set(err, OX_EINVAL, "\"percent\" is a number from 0 to 100");
        }
        out->max_bp = hundredths(share);
    }
    if (out->max_count == OX_UNLIMITED && out->max_bp == OX_BP_ALL) {
        return ox_err_set(err, OX_EINVAL, "it sets neither \"count\" nor \"percent\" below 100");
    }
    return OX_OK;
}

static enum ox_code read_halt(const json_t *object, struct ox_policy *out, struct ox_err *err)
{
    const json_t *halt = NULL;
    const json_t *rules = NULL;
    enum ox_code code = ox_json_opt_object(object, "halt", &halt, err);

    if (code != OX_OK || halt == NULL) {
        return code;
    }
    if ((code = read_section("halt", halt, out, err)) != OX_OK ||
        (code = ox_json_opt_array(halt, "rules", &rules, err)) != OX_OK) {
        return code;
    }
    if (json_array_size(rules) > OX_HALT_RULES_MAX) {
        return ox_err_set(err, OX_EINVAL, "\"halt.rules\" has at most %d rules", OX_HALT_RULES_MAX);
    }
    for (size_t i = 0; code == OX_OK && i < json_array_size(rules); i++) {
        code = read_rule(json_array_get(rules, i), &out->halt[i], err);
        if (code != OX_OK) {
            ox_err_context(err, "rule %zu of \"halt.rules\"", i + 1);
        }
    }
    out->halt_count = json_array_size(rules);
    return code;
}

static enum ox_code read_windows(const json_t *limits, struct ox_policy *out, struct ox_err *err)
{
    const json_t *windows = NULL;
    enum ox_code code = ox_json_opt_array(limits, "windows", &windows, err);

    if (code != OX_OK || windows == NULL) {
        return code;
    }
    if (json_array_size(windows) > OX_WINDOWS_MAX) {
        return ox_err_set(err, OX_EINVAL, "\"limits.windows\" has at most %d windows",
                          OX_WINDOWS_MAX);
    }
    out->windows_count = json_array_size(windows);
    for (size_t i = 0; code == OX_OK && i < out->windows_count; i++) {
        const char *text = json_string_value(json_array_get(windows, i));

        code = text != NULL ? ox_window_parse(text, &out->windows[i], err)
                            : ox_err_set(err, OX_EINVAL, "each of \"limits.windows\" is a text");
    }
    return code;
}

/* A section that is an object where it stands at all. */
static enum ox_code read_object(const json_t *object, const char *section, struct ox_policy *out,
                                const json_t **of, struct ox_err *err)
{
    enum ox_code code;

    *of = NULL;
    code = ox_json_opt_object(object, section, of, err);
    return code == OX_OK && *of != NULL ? read_section(section, *of, out, err) : code;
}

enum ox_code ox_policy_parse(const json_t *object, enum ox_strategy fallback, struct ox_policy *out,
                             struct ox_err *err)
{
    struct ox_policy policy;
    const json_t *limits = NULL;
    const json_t *of = NULL;
    enum ox_code code;

    if ((code = read_strategy(object, fallback, &policy, err)) != OX_OK ||
        (code = read_gates(object, &policy, err)) != OX_OK ||
        (code = read_halt(object, &policy, err)) != OX_OK ||
        (code = read_object(object, "timeouts", &policy, &of, err)) != OX_OK ||
        (code = read_object(object, "limits", &policy, &limits, err)) != OX_OK ||
        (code = read_object(object, "bytes", &policy, &of, err)) != OX_OK ||
        (code = read_section(NULL, object, &policy, err)) != OX_OK) {
        return code;
    }
    code = limits == NULL ? OX_OK : read_windows(limits, &policy, err);
    if (code == OX_OK) {
        *out = policy;
    }
    return code;
}

/* --- what is not said --- */

void ox_policy_default(enum ox_strategy strategy, struct ox_policy *out)
{
    static const int64_t waits_ms[OX_STRATEGIES] = {
        [OX_STRATEGY_ROLLING] = 60 * 1000, [OX_STRATEGY_CANARY] = 300 * 1000};

    *out = (struct ox_policy){
        .strategy = strategy,
        .shares_bp = {500, 2500, 5000, OX_BP_ALL},
        .shares_count = 4,
        .batch = 5,
        .start = 10,
        .factor_pct = 200,
        .wait_ms = waits_ms[strategy],
        .gate = no_gate,
        .halt_action = OX_HALT_PAUSE,
        .silence_ms = {1800 * 1000, 1800 * 1000, 1800 * 1000},
        .in_flight = OX_UNLIMITED,
        .starts_per_minute = OX_UNLIMITED,
        .fallback = OX_FALLBACK_LIMITED,
        .fallback_bp = 100,
        .device_max_bytes = OX_UNLIMITED,
        .total_max_bytes = OX_UNLIMITED,
    };
    if (strategy == OX_STRATEGY_CANARY || strategy == OX_STRATEGY_EXPONENTIAL) {
        out->gate.set = true;
        out->gate.failed_count = 0;
    }
}

/* --- writing --- */

static json_t *json_of(const struct setting *row, const struct ox_policy *policy)
{
    const void *field = (const char *)policy + row->offset;
    int word;

    if (is_unset(row, field)) {
        return json_null();
    }
    switch (row->kind) {
    case COUNT:
        return json_integer((json_int_t) * (const uint64_t *)field);
    case SECONDS:
        return json_integer(*(const int64_t *)field);
    case SECONDS_MS:
        return json_integer(*(const int64_t *)field / 1000);
    case PERCENT:
    case HUNDREDTHS:
        return json_real(*(const uint32_t *)field / 100.0);
    case FLAG:
        return json_boolean(*(const bool *)field);
    case WORD:
        break;
    }
    memcpy(&word, field, sizeof(word));
    return json_string(ox_words_text(row->words, word));
}

static enum ox_code write_section(const char *section, const struct ox_policy *policy, json_t *json,
                                  struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < SETTINGS; i++) {
        if (same(settings[i].section, section)) {
            code = ox_json_set(json, settings[i].key, json_of(&settings[i], policy), err);
        }
    }
    return code;
}

static json_t *stages_json(const struct ox_policy *policy)
{
    json_t *list = json_array();

    for (size_t i = 0; list != NULL && i < policy->shares_count; i++) {
        if (json_array_append_new(list, json_real(policy->shares_bp[i] / 100.0)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *rules_json(const struct ox_policy *policy)
{
    json_t *list = json_array();

    for (size_t i = 0; list != NULL && i < policy->halt_count; i++) {
        const struct ox_halt_rule *rule = &policy->halt[i];
        json_t *json =
            json_pack("{s:s, s:o, s:f, s:I}", "class",
                      ox_words_text(ox_words_rule, (int)rule->failure), "count",
                      rule->max_count == OX_UNLIMITED ? json_null()
                                                      : json_integer((json_int_t)rule->max_count),
                      "percent", rule->max_bp / 100.0, "min_sample", (json_int_t)rule->min_sample);

        if (json_array_append_new(list, json) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *windows_json(const struct ox_policy *policy)
{
    json_t *list = json_array();
    char text[OX_WINDOW_TEXT_MAX];

    for (size_t i = 0; list != NULL && i < policy->windows_count; i++) {
        if (json_array_append_new(list, json_string(ox_window_text(&policy->windows[i], text))) !=
            0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

enum ox_code ox_policy_json(const struct ox_policy *policy, json_t **out, struct ox_err *err)
{
    json_t *json = json_object();
    json_t *parts[SECTIONS] = {NULL};
    enum ox_code code = write_section(NULL, policy, json, err);

    for (size_t i = 0; code == OX_OK && i < SECTIONS; i++) {
        bool none = i == 1 && !policy->gate.set;

        parts[i] = none ? json_false() : json_object();
        code = ox_json_set(json, sections[i], parts[i], err);
        if (code == OX_OK && !none) {
            code = write_section(sections[i], policy, parts[i], err);
        }
    }
    if (code == OX_OK &&
        (code = ox_json_set_str(parts[0], "type", ox_strategy_word(policy->strategy), err)) ==
            OX_OK &&
        (code = ox_json_set(parts[0], "stages", stages_json(policy), err)) == OX_OK &&
        (code = ox_json_set(parts[2], "rules", rules_json(policy), err)) == OX_OK) {
        code = ox_json_set(parts[4], "windows", windows_json(policy), err);
    }
    if (code != OX_OK) {
        json_decref(json);
        return code;
    }
    *out = json;
    return OX_OK;
}
