#include "devices.h"
#include "filter_ast.h"

#include "oxide/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A path within JSON: '$."a"."b"' of "a.b". */
static enum ox_code path_of(const char *key, char *out, size_t cap, struct ox_err *err)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t used = (size_t)snprintf(out, cap, "$");

    while (used < cap) {
        size_t len = strspn(key, allowed);

        if (len == 0 || (key[len] != '\0' && key[len] != '.')) {
            return ox_err_set(err, OX_EINVAL,
                              "names here are made of letters, digits, _ and -, with dots between");
        }
        used += (size_t)snprintf(out + used, cap - used, ".\"%.*s\"", (int)len, key);
        if (key[len] == '\0') {
            break;
        }
        key += len + 1;
    }
    return OX_OK;
}

/* A member of one JSON object, whose name may be any text that SQLite's paths can hold. */
static enum ox_code member_of(const char *key, char *out, size_t cap, struct ox_err *err)
{
    for (const char *at = key; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\' || (unsigned char)*at < ' ') {
            return ox_err_set(err, OX_EINVAL,
                              "a tag whose name holds a quote, a backslash or a control character "
                              "cannot be asked for");
        }
    }
    if (*key == '\0') {
        return ox_err_set(err, OX_EINVAL, "the name of a tag was expected, as in tag.site");
    }
    (void)snprintf(out, cap, "$.\"%s\"", key);
    return OX_OK;
}

static enum ox_code model_of(const char *key, char *out, size_t cap, struct ox_err *err)
{
    if (*key == '\0') {
        return ox_err_set(err, OX_EINVAL, "the name of a model was expected, as in model.yolo");
    }
    (void)snprintf(out, cap, "%s", key);
    return OX_OK;
}

#define JSON(column) "json_extract(" column ", @)"

/*
 * To add a field: a row here, one in docs/filter.md, good and bad lines in tests/golden/filter. `@`
 * is its parameter; SQL of its own is all that stands here, nothing of what users write.
 */
static const struct ox_filter_field fields[] = {
    {.name = "id", .kind = OX_FILTER_TEXT, .value = "d.id"},
    {.name = "name", .kind = OX_FILTER_TEXT, .value = "d.name"},
    {.name = "status",
     .kind = OX_FILTER_STATUS,
     .param = OX_FILTER_NOW,
     .value = OX_DEVICE_STATUS_AT,
     .live = true},
    {.name = "tag.",
     .kind = OX_FILTER_TEXT,
     .param_of = member_of,
     .param = OX_FILTER_KEY,
     .value = JSON("d.tags")},
    {.name = "platform.",
     .kind = OX_FILTER_ANY,
     .param_of = path_of,
     .param = OX_FILTER_KEY,
     .value = JSON("d.platform")},
    {.name = "metrics.",
     .kind = OX_FILTER_ANY,
     .param_of = path_of,
     .param = OX_FILTER_KEY,
     .value = JSON("d.metrics"),
     .live = true},
    {.name = "disk.free_bytes",
     .kind = OX_FILTER_NUMBER,
     .value = "CASE WHEN coalesce(d.disk_total_bytes, 0) > 0 THEN d.disk_free_bytes END"},
    {.name = "disk.total_bytes",
     .kind = OX_FILTER_NUMBER,
     .value = "nullif(d.disk_total_bytes, 0)"},
    {.name = "agent", .kind = OX_FILTER_TEXT, .value = "substr(d.agent, instr(d.agent, '/') + 1)"},
    {.name = "model.",
     .kind = OX_FILTER_TEXT,
     .param_of = model_of,
     .param = OX_FILTER_KEY,
     .value = "x.version",
     .from = "device_models",
     .where = "x.model_id = @"},
    {.name = "pinned", .kind = OX_FILTER_FLAG, .value = "x.model_id", .from = "device_pins"},
    {.name = "pinned.",
     .kind = OX_FILTER_FLAG,
     .param_of = model_of,
     .param = OX_FILTER_KEY,
     .value = "x.model_id",
     .from = "device_pins",
     .where = "x.model_id IN ('', @)"}, /* '' is all models */
    {.name = "fleet", .kind = OX_FILTER_FLEET, .value = "x.fleet_id", .from = "fleet_devices"},
    {.name = "last_seen",
     .kind = OX_FILTER_TIME,
     .value = "nullif(d.last_heartbeat, 0)",
     .live = true},
    {.name = "registered", .kind = OX_FILTER_TIME, .value = "d.registered_at"},
};

const struct ox_filter_field *ox_filter_field_find(const char *word, size_t *key_at)
{
    for (size_t i = 0; i < COUNT(fields); i++) {
        size_t len = strlen(fields[i].name);
        bool keyed = fields[i].name[len - 1] == '.';

        if (strncasecmp(fields[i].name, word, len) == 0 && (keyed || word[len] == '\0')) {
            *key_at = len;
            return &fields[i];
        }
    }
    return NULL;
}

const char *ox_filter_field_names(void)
{
    return "id, name, status, tag.NAME, platform.NAME, metrics.NAME, disk.free_bytes, "
           "disk.total_bytes, agent, model.NAME, pinned, fleet, last_seen, registered";
}

unsigned ox_filter_ops_of(enum ox_filter_kind kind)
{
    static const unsigned orders = OX_FILTER_LT | OX_FILTER_LE | OX_FILTER_GT | OX_FILTER_GE;
    static const unsigned equals = OX_FILTER_EQ | OX_FILTER_NE | OX_FILTER_IN | OX_FILTER_NOT_IN;

    switch (kind) {
    case OX_FILTER_TEXT:
    case OX_FILTER_ANY:
        return orders | equals | OX_FILTER_GLOB | OX_FILTER_EXISTS;
    case OX_FILTER_NUMBER:
        return orders | equals | OX_FILTER_EXISTS;
    case OX_FILTER_TIME:
        return orders | OX_FILTER_EXISTS;
    case OX_FILTER_STATUS:
        return equals;
    case OX_FILTER_FLEET:
        return equals | OX_FILTER_GLOB | OX_FILTER_EXISTS;
    case OX_FILTER_FLAG:
        break;
    }
    return OX_FILTER_HOLDS;
}

/* --- values --- */

#define EXACT_MAX 9007199254740992.0 /* 2^53: whole numbers below it are exact */

/* "1024", "1.5", "-3", "4G": powers of 1024 behind K, M, G, T. */
static bool number_of(const char *text, struct ox_filter_value *out)
{
    static const char units[] = "KMGT";
    size_t len = strspn(text, "+-.0123456789");
    const char *unit = text[len] == '\0' ? NULL : strchr(units, text[len] & ~0x20);
    char *end = NULL;
    double value;

    if (len == 0 || len > 40 || text[len + (text[len] != '\0')] != '\0' ||
        (text[len] != '\0' && unit == NULL)) {
        return false;
    }
    value = strtod(text, &end);
    if (end != text + len) {
        return false;
    }
    for (const char *at = units; unit != NULL && at <= unit; at++) {
        value *= 1024;
    }
    out->type = OX_VALUE_REAL;
    out->real = value;
    if (value > -EXACT_MAX && value < EXACT_MAX && value == (double)(int64_t)value) {
        out->type = OX_VALUE_INT;
        out->number = (int64_t)value;
    }
    return true;
}

/* "4Gx", "5ms", "1e9": meant as a number, but none; as a text it would match nothing. What has
 * digits or signs further on ("22.04-lts", "1.0rc1") is a version or a name. */
static bool is_misspelt_number(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t number = strspn(text, "+-.0123456789");
    const char *unit = text + number;
    char *end = NULL;

    (void)strtod(text, &end);
    if (number == 0 || end < unit) { /* "1.2.3a" */
        return false;
    }
    return unit[strspn(unit, letters)] == '\0' ||
           ((*unit & ~0x20) == 'E' && unit[1 + strspn(unit + 1, "+-0123456789")] == '\0');
}

/* "90s", "15m", "12h", "7d", "2w" before now. */
static bool ago_of(const char *text, int64_t *out_ms)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}, {'w', 604800000}};
    size_t len = strspn(text, "0123456789");

    for (size_t i = 0; i < COUNT(units); i++) {
        if (len > 0 && len <= 9 && text[len] == units[i].unit && text[len + 1] == '\0') {
            *out_ms = strtol(text, NULL, 10) * units[i].ms;
            return true;
        }
    }
    return false;
}

static enum ox_code time_of(const char *text, bool ago, struct ox_filter_value *out,
                            struct ox_err *err)
{
    bool ok = ago ? ago_of(text, &out->number) : ox_time_parse(text, &out->number, NULL) == OX_OK;

    out->type = ago ? OX_VALUE_AGO : OX_VALUE_INT;
    return ok ? OX_OK
              : ox_err_set(err, OX_EINVAL,
                           "a time was expected: how long ago, as in 7d ago (s, m, h, d or w), or "
                           "when, as in 2026-11-20 or 2026-11-20T13:05:00Z");
}

/* The words of the REST API. */
static enum ox_code status_of(const char *text, struct ox_err *err)
{
    static const char *const words[] = {"online", "offline", "updating",
                                        "error",  "unknown", "conflict"};

    for (size_t i = 0; i < COUNT(words); i++) {
        if (strcmp(words[i], text) == 0) {
            return OX_OK;
        }
    }
    return ox_err_set(err, OX_EINVAL,
                      "a status is one of online, offline, updating, error, unknown and conflict");
}

enum ox_code ox_filter_value_read(enum ox_filter_kind kind, const char *text, bool quoted, bool ago,
                                  struct ox_filter_value *out, struct ox_err *err)
{
    out->type = OX_VALUE_TEXT;
    out->text = text;
    switch (kind) {
    case OX_FILTER_NUMBER:
        return number_of(text, out)
                   ? OX_OK
                   : ox_err_set(err, OX_EINVAL,
                                "a number was expected, as in 4, 0.5 or 512M (K, M, G and T are "
                                "powers of 1024)");
    case OX_FILTER_ANY:
        if (quoted || number_of(text, out)) {
            return OX_OK;
        }
        if (is_misspelt_number(text)) {
            return ox_err_set(
                err, OX_EINVAL,
                "%.40s is no number: behind its digits stands nothing, or K, M, G or T "
                "(powers of 1024); a text like this stands in quotes",
                text);
        }
        if (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0) {
            out->type = OX_VALUE_INT;
            out->number = strcasecmp(text, "true") == 0;
        }
        return OX_OK;
    case OX_FILTER_TIME:
        return time_of(text, ago, out, err);
    case OX_FILTER_STATUS:
        return status_of(text, err);
    case OX_FILTER_TEXT:
    case OX_FILTER_FLEET:
    case OX_FILTER_FLAG:
        break;
    }
    return OX_OK;
}
