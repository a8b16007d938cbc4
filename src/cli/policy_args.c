#include "policy_args.h"

#include "oxide/base/file.h"
#include "oxide/base/suggest.h"

#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)1 << 20) /* what the API takes */
#define VALUE_MAX 256              /* of an option that is taken apart */
#define TIME_MAX_MS ((uint64_t)3660 * 86400000)
#define COUNT_MAX 1000000000000

const struct ox_policy_arg ox_policy_args_rows[] = {
    {"rollout", "strategy", "type", NULL, OX_POLICY_WORD},
    {"stages", "strategy", "stages", "canary", OX_POLICY_STAGES},
    {"batch", "strategy", "batch", "rolling", OX_POLICY_COUNT},
    {"start", "strategy", "start", "exponential", OX_POLICY_COUNT},
    {"factor", "strategy", "factor", "exponential", OX_POLICY_FACTOR},
    {"wait-between", "strategy", "wait_s", NULL, OX_POLICY_SECONDS},
    {"gate", "gates", NULL, NULL, OX_POLICY_GATE},
    {"approve-stages", "gates", "approval", NULL, OX_POLICY_FLAG},
    {"halt", "halt", "rules", NULL, OX_POLICY_RULES},
    {"on-halt", "halt", "action", NULL, OX_POLICY_WORD},
    {"silent-after", "timeouts", NULL, NULL, OX_POLICY_TIMES},
    {"in-flight", "limits", "in_flight", NULL, OX_POLICY_COUNT},
    {"starts-per-minute", "limits", "starts_per_minute", NULL, OX_POLICY_COUNT},
    {"rate", "limits", "rate_bps", NULL, OX_POLICY_BYTES},
    {"window", "limits", "windows", NULL, OX_POLICY_TEXTS},
    {"deadline", "limits", "deadline_s", NULL, OX_POLICY_SECONDS},
    {"fallback", "bytes", "fallback_full", NULL, OX_POLICY_WORD},
    {"fallback-percent", "bytes", "fallback_percent", NULL, OX_POLICY_PERCENT},
    {"max-bytes-per-device", "bytes", "per_device", NULL, OX_POLICY_BYTES},
    {"max-bytes", "bytes", "total", NULL, OX_POLICY_BYTES},
    {"on-conflict", NULL, "on_conflict", NULL, OX_POLICY_WORD},
    {"late-delta", NULL, "late_delta", NULL, OX_POLICY_WORD},
    {"follow", NULL, "follow", NULL, OX_POLICY_FLAG},
    {NULL, NULL, NULL, NULL, OX_POLICY_WORD},
};

/* Options that are lists of settings, "success=95,soak=30m": what each becomes. */
struct part {
    const char *name;
    const char *key;
    const char *percent_key; /* where the value ends in "%"; NULL: it may not */
    enum ox_policy_kind kind;
};
static const struct part gate_parts[] = {
    {"success", "success_percent", "success_percent", OX_POLICY_PERCENT},
    {"failed", "failed_count", "failed_percent", OX_POLICY_COUNT},
    {"min", "min_sample", NULL, OX_POLICY_COUNT},
    {"soak", "soak_s", NULL, OX_POLICY_SECONDS},
    {NULL, NULL, NULL, OX_POLICY_WORD}};
static const struct part time_parts[] = {{"downloading", "downloading_s", NULL, OX_POLICY_SECONDS},
                                         {"applying", "applying_s", NULL, OX_POLICY_SECONDS},
                                         {"verifying", "verifying_s", NULL, OX_POLICY_SECONDS},
                                         {NULL, NULL, NULL, OX_POLICY_WORD}};
static const struct part rule_parts[] = {{"min", "min_sample", NULL, OX_POLICY_COUNT},
                                         {NULL, NULL, NULL, OX_POLICY_WORD}};

/* --- single values --- */

static enum ox_code wrong(const char *option, const char *text, const char *expected,
                          struct ox_err *err)
{
    return ox_err_set(err, OX_EINVAL, "--%s cannot be '%s': it is %s", option, text, expected);
}

/* Digits, and with `point` a part behind it: strtod alone would take signs, "inf" and "0x1". */
static bool is_number(const char *text, bool point)
{
    size_t whole = strspn(text, "0123456789");
    size_t part = point && text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;

    return whole > 0 && whole <= 15 && part <= 15 &&
           text[whole + (part > 0 ? part + 1 : 0)] == '\0';
}

static enum ox_code read_count(const char *option, const char *text, json_t **out,
                               struct ox_err *err)
{
    long long value = is_number(text, false) ? strtoll(text, NULL, 10) : -1;

    if (value < 0 || value > COUNT_MAX) {
        return wrong(option, text, "a whole number, up to a million millions", err);
    }
    *out = json_integer(value);
    return OX_OK;
}

/* "95" or "95%" */
static enum ox_code read_percent(const char *option, const char *text, json_t **out,
                                 struct ox_err *err)
{
    char number[VALUE_MAX];
    size_t len = strlen(text);

    len -= len > 0 && text[len - 1] == '%';
    (void)snprintf(number, sizeof(number), "%.*s", (int)len, text);
    if (!is_number(number, true) || strtod(number, NULL) > 100) {
        return wrong(option, text, "percent, 0 to 100", err);
    }
    *out = json_real(strtod(number, NULL));
    return OX_OK;
}

static enum ox_code read_seconds(const char *option, const char *text, json_t **out,
                                 struct ox_err *err)
{
    uint64_t ms = 0;
    enum ox_code code = ox_args_read_seconds(option, text, TIME_MAX_MS, &ms, err);

    if (code == OX_OK && ms % 1000 != 0) {
        return wrong(option, text, "a time of whole seconds", err);
    }
    if (code == OX_OK) {
        *out = json_integer((json_int_t)(ms / 1000));
    }
    return code;
}

static enum ox_code read_value(const char *option, const char *text, enum ox_policy_kind kind,
                               json_t **out, struct ox_err *err)
{
    return kind == OX_POLICY_COUNT     ? read_count(option, text, out, err)
           : kind == OX_POLICY_PERCENT ? read_percent(option, text, out, err)
                                       : read_seconds(option, text, out, err);
}

/* --- values that are taken apart --- */

/* A copy to cut up. */
static enum ox_code copy(const char *option, const char *text, char out[VALUE_MAX],
                         struct ox_err *err)
{
    if (strlen(text) >= VALUE_MAX) {
        return ox_err_set(err, OX_EINVAL, "--%s is too long: it has up to %d bytes", option,
                          VALUE_MAX - 1);
    }
    (void)snprintf(out, VALUE_MAX, "%s", text);
    return OX_OK;
}

/* "failed=3": into `object`. */
static enum ox_code read_part(const char *option, const char *text, const struct part *parts,
                              json_t *object, struct ox_err *err)
{
    size_t name_len = strcspn(text, "=");
    const char *value = text + name_len + (text[name_len] == '=');
    bool percent = *value != '\0' && value[strlen(value) - 1] == '%';
    char known[96] = "";
    size_t used = 0;

    for (const struct part *part = parts; part->name != NULL; part++) {
        json_t *json = NULL;
        enum ox_code code;

        used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s=", used > 0 ? ", " : "",
                                 part->name);
        if (strlen(part->name) != name_len || strncmp(part->name, text, name_len) != 0) {
            continue;
        }
        if (percent && part->percent_key != NULL) {
            code = read_percent(option, value, &json, err);
            return code == OX_OK ? ox_json_set(object, part->percent_key, json, err) : code;
        }
        code = read_value(option, value, part->kind, &json, err);
        if (code != OX_OK) {
            ox_err_context(err, "%s", part->name);
            return code;
        }
        return ox_json_set(object, part->key, json, err);
    }
    return ox_err_set(err, OX_EINVAL, "--%s does not know '%s': it takes %s", option, text, known);
}

static enum ox_code read_parts(const char *option, const char *text, const struct part *parts,
                               json_t **out, struct ox_err *err)
{
    json_t *object = json_object();
    char buffer[VALUE_MAX];
    char *rest = buffer;
    enum ox_code code = copy(option, text, buffer, err);

    while (code == OX_OK && rest != NULL) {
        code = read_part(option, strsep(&rest, ","), parts, object, err);
    }
    if (code != OX_OK) {
        json_decref(object);
        return code;
    }
    *out = object;
    return OX_OK;
}

static enum ox_code read_stages(const char *option, const char *text, json_t **out,
                                struct ox_err *err)
{
    json_t *list = json_array();
    char buffer[VALUE_MAX];
    char *rest = buffer;
    enum ox_code code = copy(option, text, buffer, err);

    while (code == OX_OK && rest != NULL) {
        json_t *share = NULL;

        code = read_percent(option, strsep(&rest, ","), &share, err);
        if (code == OX_OK) {
            code = ox_json_append(list, share, err);
        }
    }
    if (code != OX_OK) {
        json_decref(list);
        return code;
    }
    *out = list;
    return OX_OK;
}

/* "health:3", "any:10%:min=20" */
static enum ox_code read_rule(const char *option, const char *text, json_t **out,
                              struct ox_err *err)
{
    json_t *rule = json_object();
    json_t *limit = NULL;
    char buffer[VALUE_MAX];
    char *rest = buffer;
    const char *failure;
    const char *number = NULL;
    bool percent;
    enum ox_code code = copy(option, text, buffer, err);

    if (code != OX_OK) {
        goto out;
    }
    failure = strsep(&rest, ":");
    number = rest != NULL ? strsep(&rest, ":") : "";
    percent = *number != '\0' && number[strlen(number) - 1] == '%';
    if (*failure == '\0' || *number == '\0') {
        code = wrong(option, text,
                     "a class of failures and how many are too many, such as health:3 or "
                     "any:10%:min=20",
                     err);
        goto out;
    }
    if ((code = percent ? read_percent(option, number, &limit, err)
                        : read_count(option, number, &limit, err)) != OX_OK ||
        (code = ox_json_set_str(rule, "class", failure, err)) != OX_OK) {
        json_decref(limit);
        goto out;
    }
    code = ox_json_set(rule, percent ? "percent" : "count", limit, err);
    while (code == OX_OK && rest != NULL) {
        code = read_part(option, strsep(&rest, ":"), rule_parts, rule, err);
    }
out:
    if (code != OX_OK) {
        json_decref(rule);
        return code;
    }
    *out = rule;
    return OX_OK;
}

/* Every value that was given is an element. */
static enum ox_code read_list(const struct ox_args *args, const struct ox_policy_arg *row,
                              json_t **out, struct ox_err *err)
{
    json_t *list = json_array();
    const char *text;
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && (text = ox_args_nth(args, row->option, i)) != NULL; i++) {
        json_t *json = NULL;

        if (row->kind == OX_POLICY_RULES) {
            code = read_rule(row->option, text, &json, err);
        } else {
            json = json_string(text);
        }
        if (code == OX_OK) {
            code = ox_json_append(list, json, err);
        }
    }
    if (code != OX_OK) {
        json_decref(list);
        return code;
    }
    *out = list;
    return OX_OK;
}

/* --- options --- */

static enum ox_code read_option(const struct ox_args *args, const struct ox_policy_arg *row,
                                json_t **out, struct ox_err *err)
{
    const char *text = ox_args_value(args, row->option, "");
    uint64_t bytes = 0;
    enum ox_code code = OX_OK;

    switch (row->kind) {
    case OX_POLICY_WORD:
        *out = json_string(text);
        break;
    case OX_POLICY_FLAG:
        *out = json_true();
        break;
    case OX_POLICY_COUNT:
    case OX_POLICY_PERCENT:
    case OX_POLICY_SECONDS:
        return read_value(row->option, text, row->kind, out, err);
    case OX_POLICY_FACTOR:
        if (!is_number(text, true)) {
            return wrong(row->option, text, "a number such as 2 or 1.5", err);
        }
        *out = json_real(strtod(text, NULL));
        break;
    case OX_POLICY_BYTES:
        code = ox_args_size(args, row->option, 1, (uint64_t)1 << 60, &bytes, err);
        *out = code == OX_OK ? json_integer((json_int_t)bytes) : NULL;
        break;
    case OX_POLICY_STAGES:
        return read_stages(row->option, text, out, err);
    case OX_POLICY_TEXTS:
    case OX_POLICY_RULES:
        return read_list(args, row, out, err);
    case OX_POLICY_GATE:
        if (strcmp(text, "none") == 0) {
            *out = json_false();
            break;
        }
        return read_parts(row->option, text, gate_parts, out, err);
    case OX_POLICY_TIMES:
        return read_parts(row->option, text, time_parts, out, err);
    }
    return code;
}

/* A section as an object, made where it is none yet; a strategy that is a word becomes its type. */
static enum ox_code section_of(json_t *body, const char *section, json_t **out, struct ox_err *err)
{
    json_t *have = json_object_get(body, section);
    json_t *made;
    enum ox_code code = OX_OK;

    if (json_is_object(have)) {
        *out = have;
        return OX_OK;
    }
    made = json_object();
    if (json_is_string(have)) {
        code = ox_json_set_str(made, "type", json_string_value(have), err);
    }
    if (code != OX_OK) {
        json_decref(made);
        return code;
    }
    *out = made;
    return ox_json_set(body, section, made, err);
}

static enum ox_code set(json_t *body, const struct ox_policy_arg *row, json_t *take_value,
                        struct ox_err *err)
{
    json_t *object = body;
    enum ox_code code = OX_OK;

    if (row->key == NULL) {
        return ox_json_set(body, row->section, take_value, err);
    }
    if (row->section != NULL) {
        code = section_of(body, row->section, &object, err);
    }
    if (code != OX_OK) {
        json_decref(take_value);
        return code;
    }
    return ox_json_set(object, row->key, take_value, err);
}

/* The settings of a strategy name it, unless it is named; they must be of the one that is. */
static enum ox_code check_strategy(const struct ox_args *args, json_t *body, struct ox_err *err)
{
    json_t *strategy = json_object_get(body, "strategy");
    const char *type = json_string_value(json_object_get(strategy, "type"));

    for (const struct ox_policy_arg *row = ox_policy_args_rows; row->option != NULL; row++) {
        if (row->implies == NULL || !ox_args_has(args, row->option)) {
            continue;
        }
        if (type == NULL) {
            enum ox_code code = ox_json_set_str(strategy, "type", row->implies, err);

            if (code != OX_OK) {
                return code;
            }
            type = row->implies;
        } else if (strcmp(type, row->implies) != 0) {
            return ox_err_set(err, OX_EINVAL,
                              "--%s is for --rollout %s alone: leave it out, or the other one",
                              row->option, row->implies);
        }
    }
    return json_is_object(strategy) && type == NULL
               ? ox_err_set(err, OX_EINVAL,
                            "--wait-between needs to know between what: say --rollout, too")
               : OX_OK;
}

/* A gate of approval alone would let failures pass: what stages are approved for is that none
 * failed in them, unless something else is said. */
static enum ox_code guard_approval(const struct ox_args *args, json_t *body, struct ox_err *err)
{
    json_t *gates = json_object_get(body, "gates");

    if (!ox_args_has(args, "approve-stages") ||
        strcmp(ox_args_value(args, "gate", ""), "none") == 0 ||
        ox_json_has(gates, "failed_count") || ox_json_has(gates, "failed_percent") ||
        ox_json_has(gates, "success_percent")) {
        return OX_OK;
    }
    return ox_json_set_u64(gates, "failed_count", 0, err);
}

/* --- the file --- */

/* Keys of a policy, blanks between them; NULL: a value. */
static const struct {
    const char *section;
    const char *keys;
} known[] = {
    {"strategy", "type stages batch start factor wait_s"},
    {"gates", "success_percent failed_percent failed_count min_sample soak_s approval"},
    {"halt", "action rules"},
    {"timeouts", "downloading_s applying_s verifying_s"},
    {"limits", "in_flight starts_per_minute rate_bps windows deadline_s"},
    {"bytes", "fallback_full fallback_percent per_device total"},
    {"on_conflict", NULL},
    {"late_delta", NULL},
    {"follow", NULL},
};
#define RULE_KEYS "class count percent min_sample"

/* Are all keys of the object among these words? `path` is where it stands, "limits.". */
static enum ox_code check_keys(const char *path, const json_t *object, const char *words,
                               struct ox_err *err)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)object, key, value)
    {
        struct ox_suggestion near = {NULL, 0};
        char buffer[VALUE_MAX];
        char *rest = buffer;
        bool found = false;

        (void)snprintf(buffer, sizeof(buffer), "%s", words);
        while (rest != NULL) {
            const char *word = strsep(&rest, " ");

            found = found || strcmp(word, key) == 0;
            ox_suggest(&near, key, word);
        }
        if (!found) {
            return near.best != NULL
                       ? ox_err_set(err, OX_EINVAL,
                                    "a policy has no \"%s%.64s\": did you mean \"%s%s\"?", path,
                                    key, path, near.best)
                       : ox_err_set(err, OX_EINVAL,
                                    "a policy has no \"%s%.64s\": it is one of %s here", path, key,
                                    words);
        }
    }
    return OX_OK;
}

static enum ox_code check_policy(const json_t *policy, struct ox_err *err)
{
    const json_t *rules = json_object_get(json_object_get(policy, "halt"), "rules");
    char sections[VALUE_MAX] = "";
    size_t used = 0;
    enum ox_code code;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        used += (size_t)snprintf(sections + used, sizeof(sections) - used, "%s%s", i > 0 ? " " : "",
                                 known[i].section);
    }
    code = check_keys("", policy, sections, err);
    for (size_t i = 0; code == OX_OK && i < sizeof(known) / sizeof(known[0]); i++) {
        char path[32];

        (void)snprintf(path, sizeof(path), "%s.", known[i].section);
        if (known[i].keys != NULL) {
            code = check_keys(path, json_object_get(policy, known[i].section), known[i].keys, err);
        }
    }
    for (size_t i = 0; code == OX_OK && i < json_array_size(rules); i++) {
        code = check_keys("halt.rules.", json_array_get(rules, i), RULE_KEYS, err);
    }
    return code;
}

static enum ox_code read_file(const char *path, json_t *body, struct ox_err *err)
{
    struct ox_buf text = OX_BUF_INIT;
    json_t *policy = NULL;
    enum ox_code code = ox_file_read_all(path, FILE_MAX, &text, err);

    if (code == OX_OK) {
        code = ox_json_parse_object(text.data, text.len_bytes, &policy, err);
    }
    if (code == OX_OK) {
        code = check_policy(policy, err);
    }
    if (code == OX_OK && json_object_update(body, policy) != 0) {
        code = ox_err_nomem(err, "the policy");
    }
    if (code != OX_OK) {
        ox_err_context(err, "--policy %s", path);
    }
    json_decref(policy);
    ox_buf_clear(&text);
    return code;
}

enum ox_code ox_policy_args(const struct ox_args *args, json_t *body, struct ox_err *err)
{
    const char *path = ox_args_value(args, "policy", NULL);
    enum ox_code code = path != NULL ? read_file(path, body, err) : OX_OK;

    for (const struct ox_policy_arg *row = ox_policy_args_rows;
         code == OX_OK && row->option != NULL; row++) {
        json_t *value = NULL;

        if (!ox_args_has(args, row->option)) {
            continue;
        }
        code = read_option(args, row, &value, err);
        if (code == OX_OK) {
            code = set(body, row, value, err);
        }
    }
    if (code == OX_OK) {
        code = check_strategy(args, body, err);
    }
    return code == OX_OK ? guard_approval(args, body, err) : code;
}
