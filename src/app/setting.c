#include "oxide/app/setting.h"

#include "oxide/base/buf.h"
#include "oxide/base/quantity.h"
#include "oxide/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 64 /* of what was given, in messages */

void ox_setting_value_clear(struct ox_setting_value *value)
{
    for (size_t i = 0; i < value->items_count; i++) {
        free(value->items[i]);
    }
    free(value->items);
    free(value->windows);
    free(value->text);
    *value = (struct ox_setting_value){0};
}

/* --- what each kind takes ---
 * A reader fills *out, which is zero but for its text, or returns OX_EINVAL: the caller says what
 * was expected, unless the reader has said better (err set). */

typedef enum ox_code read_kind(const struct ox_setting *row, const char *text,
                               struct ox_setting_value *out, struct ox_err *err);

static uint64_t most(const struct ox_setting *row, uint64_t kinds_own)
{
    return row->max == 0 ? kinds_own : row->max;
}

/* Characters that no line of text has; of a command's several lines only the ends are let through.
 */
static bool is_clean(const char *text, bool lines)
{
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;

        if (c == 0x7f || (c < ' ' && c != '\t' && (c != '\n' || !lines))) {
            return false;
        }
    }
    return ox_text_is_utf8(text);
}

static enum ox_code read_text(const struct ox_setting *row, const char *text,
                              struct ox_setting_value *out, struct ox_err *err)
{
    size_t len = strlen(text);

    (void)out;
    (void)err;
    return len >= row->min && len <= most(row, OX_SETTING_TEXT_MAX - 1) &&
                   is_clean(text, row->kind == OX_SETTING_COMMAND)
               ? OX_OK
               : OX_EINVAL;
}

static enum ox_code read_url(const struct ox_setting *row, const char *text,
                             struct ox_setting_value *out, struct ox_err *err)
{
    size_t scheme = strncmp(text, "http://", 7) == 0    ? 7
                    : strncmp(text, "https://", 8) == 0 ? 8
                                                        : 0;

    (void)out;
    (void)err;
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;

        scheme = c <= ' ' || c >= 0x7f || c == '?' || c == '#' ? 0 : scheme;
    }
    return scheme != 0 && strlen(text) <= most(row, OX_SETTING_TEXT_MAX - 1) &&
                   text[scheme] != '\0' && strchr("/:", text[scheme]) == NULL
               ? OX_OK
               : OX_EINVAL;
}

static enum ox_code read_duration(const struct ox_setting *row, const char *text,
                                  struct ox_setting_value *out, struct ox_err *err)
{
    (void)err;
    return ox_time_span_parse(text, most(row, INT64_MAX), &out->number) && out->number >= row->min
               ? OX_OK
               : OX_EINVAL;
}

static enum ox_code read_bytes(const struct ox_setting *row, const char *text,
                               struct ox_setting_value *out, struct ox_err *err)
{
    (void)err;
    return ox_size_parse(text, most(row, INT64_MAX), &out->number) && out->number >= row->min
               ? OX_OK
               : OX_EINVAL;
}

static enum ox_code read_number(const struct ox_setting *row, const char *text,
                                struct ox_setting_value *out, struct ox_err *err)
{
    (void)err;
    return ox_number_parse(text, &out->number) && out->number >= row->min &&
                   out->number <= most(row, INT64_MAX)
               ? OX_OK
               : OX_EINVAL;
}

static enum ox_code read_yes_no(const struct ox_setting *row, const char *text,
                                struct ox_setting_value *out, struct ox_err *err)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};

    (void)row;
    (void)err;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i]) == 0) {
            out->number = i % 2;
            return OX_OK;
        }
    }
    return OX_EINVAL;
}

static enum ox_code read_choice(const struct ox_setting *row, const char *text,
                                struct ox_setting_value *out, struct ox_err *err)
{
    size_t len = strlen(text);
    const char *at = row->value;

    (void)err;
    for (uint64_t place = 0;; place++, at++) {
        size_t word_len = strcspn(at, "|");

        if (word_len == len && strncmp(at, text, len) == 0) {
            out->number = place;
            return OX_OK;
        }
        at += word_len;
        if (*at == '\0') {
            return OX_EINVAL;
        }
    }
}

/* The next entry of text, of which the blanks around it are no part; false at the end. */
static bool next_entry(const char **text, const char *separators, const char **entry, size_t *len)
{
    const char *at = *text + strspn(*text, separators);

    at += strspn(at, " \t");
    while (*at != '\0' && strchr(separators, *at) != NULL) {
        at++;
        at += strspn(at, " \t");
    }
    *entry = at;
    *len = strcspn(at, separators);
    *text = at + *len;
    while (*len > 0 && strchr(" \t", at[*len - 1]) != NULL) {
        (*len)--;
    }
    return *len > 0;
}

static enum ox_code read_windows(const struct ox_setting *row, const char *text,
                                 struct ox_setting_value *out, struct ox_err *err)
{
    const char *entry = NULL;
    size_t len = 0;

    (void)row;
    out->windows = calloc(OX_SETTING_ENTRIES_MAX, sizeof(*out->windows));
    if (out->windows == NULL) {
        return ox_err_nomem(err, "windows");
    }
    while (next_entry(&text, ";\n", &entry, &len)) {
        char one[OX_WINDOW_TEXT_MAX * 2];

        if (len >= sizeof(one) || out->windows_count == OX_SETTING_ENTRIES_MAX) {
            return OX_EINVAL;
        }
        memcpy(one, entry, len);
        one[len] = '\0';
        if (ox_window_parse(one, &out->windows[out->windows_count], NULL) != OX_OK) {
            return OX_EINVAL;
        }
        out->windows_count++;
    }
    return OX_OK;
}

static enum ox_code read_list(const struct ox_setting *row, const char *text,
                              struct ox_setting_value *out, struct ox_err *err)
{
    const char *entry = NULL;
    size_t len = 0;
    enum ox_code code = is_clean(text, true) ? OX_OK : OX_EINVAL;

    (void)row;
    out->items = calloc(OX_SETTING_ENTRIES_MAX, sizeof(*out->items));
    if (out->items == NULL) {
        return ox_err_nomem(err, "a list");
    }
    while (code == OX_OK && next_entry(&text, " \t,\n", &entry, &len)) {
        code = out->items_count == OX_SETTING_ENTRIES_MAX
                   ? OX_EINVAL
                   : ox_strf(&out->items[out->items_count], err, "%.*s", (int)len, entry);
        out->items_count += code == OX_OK;
    }
    return code;
}

/* --- what was expected --- */

typedef void say_kind(const struct ox_setting *row, char out[OX_SETTING_EXPECTED_MAX]);

static void say_text(const struct ox_setting *row, char out[OX_SETTING_EXPECTED_MAX])
{
    (void)snprintf(out, OX_SETTING_EXPECTED_MAX,
                   "%s of %llu to %llu bytes in UTF-8, without control characters",
                   row->kind == OX_SETTING_PATH      ? "a path"
                   : row->kind == OX_SETTING_COMMAND ? "a command for sh -c"
                                                     : "a text",
                   (unsigned long long)row->min,
                   (unsigned long long)most(row, OX_SETTING_TEXT_MAX - 1));
}

static void say_url(const struct ox_setting *row, char out[OX_SETTING_EXPECTED_MAX])
{
    (void)snprintf(out, OX_SETTING_EXPECTED_MAX,
                   "an address like http://HOST:PORT, up to %llu bytes",
                   (unsigned long long)most(row, OX_SETTING_TEXT_MAX - 1));
}

/* "a time such as 30, from 1s to 1d", or " and more" where only the kind bounds it. */
static void say_range(const struct ox_setting *row, const char *what,
                      const char *(*text)(uint64_t value, char out[OX_QUANTITY_TEXT_MAX]),
                      char out[OX_SETTING_EXPECTED_MAX])
{
    char from[OX_QUANTITY_TEXT_MAX];
    char to[OX_QUANTITY_TEXT_MAX];

    (void)snprintf(out, OX_SETTING_EXPECTED_MAX, "%s, %s%s%s%s", what, row->max == 0 ? "" : "from ",
                   text(row->min, from), row->max == 0 ? " or more" : " to ",
                   row->max == 0 ? "" : text(row->max, to));
}

static void say_duration(const struct ox_setting *row, char out[OX_SETTING_EXPECTED_MAX])
{
    say_range(row, "a time such as 30, 500ms, 15m, 1h or 90d", ox_time_span_text, out);
}

static void say_bytes(const struct ox_setting *row, char out[OX_SETTING_EXPECTED_MAX])
{
    say_range(row, "a size in bytes such as 65536, 64K or 1G", ox_size_text, out);
}

static void say_rate(const struct ox_setting *row, char out[OX_SETTING_EXPECTED_MAX])
{
    say_range(row, "bytes per second such as 65536, 64K or 2M", ox_size_text, out);
}

static const char *plain_text(uint64_t value, char out[OX_QUANTITY_TEXT_MAX])
{
    (void)snprintf(out, OX_QUANTITY_TEXT_MAX, "%llu", (unsigned long long)value);
    return out;
}

static void say_number(const struct ox_setting *row, char out[OX_SETTING_EXPECTED_MAX])
{
    say_range(row, "a whole number", plain_text, out);
}

static void say_yes_no(const struct ox_setting *row, char out[OX_SETTING_EXPECTED_MAX])
{
    (void)row;
    (void)snprintf(out, OX_SETTING_EXPECTED_MAX, "yes or no");
}

/* "one of auto, text, json" */
static void say_choice(const struct ox_setting *row, char out[OX_SETTING_EXPECTED_MAX])
{
    size_t used = (size_t)snprintf(out, OX_SETTING_EXPECTED_MAX, "one of ");

    for (const char *at = row->value; *at != '\0' && used + 3 < OX_SETTING_EXPECTED_MAX; at++) {
        used += *at == '|' ? (size_t)snprintf(out + used, 3, ", ")
                           : (size_t)snprintf(out + used, 2, "%c", *at);
    }
}

static void say_windows(const struct ox_setting *row, char out[OX_SETTING_EXPECTED_MAX])
{
    (void)row;
    (void)snprintf(out, OX_SETTING_EXPECTED_MAX,
                   "up to %d windows such as 02:00-05:00, mon-fri 22:00-04:00 or sat,sun "
                   "00:00-24:00, with ';' between them",
                   OX_SETTING_ENTRIES_MAX);
}

static void say_list(const struct ox_setting *row, char out[OX_SETTING_EXPECTED_MAX])
{
    (void)row;
    (void)snprintf(out, OX_SETTING_EXPECTED_MAX,
                   "up to %d words with blanks or commas between them", OX_SETTING_ENTRIES_MAX);
}

/* --- the table of kinds --- */

/* To add one: in enum ox_setting_kind, and here how it is read and what it says it takes. */

static const struct {
    read_kind *read;
    say_kind *say;
} kinds[] = {
    [OX_SETTING_TEXT] = {read_text, say_text},
    [OX_SETTING_PATH] = {read_text, say_text},
    [OX_SETTING_URL] = {read_url, say_url},
    [OX_SETTING_DURATION] = {read_duration, say_duration},
    [OX_SETTING_BYTES] = {read_bytes, say_bytes},
    [OX_SETTING_RATE] = {read_bytes, say_rate},
    [OX_SETTING_NUMBER] = {read_number, say_number},
    [OX_SETTING_YES_NO] = {read_yes_no, say_yes_no},
    [OX_SETTING_CHOICE] = {read_choice, say_choice},
    [OX_SETTING_COMMAND] = {read_text, say_text},
    [OX_SETTING_WINDOWS] = {read_windows, say_windows},
    [OX_SETTING_LIST] = {read_list, say_list},
};

const char *ox_setting_expected(const struct ox_setting *row, char out[OX_SETTING_EXPECTED_MAX])
{
    kinds[row->kind].say(row, out);
    return out;
}

enum ox_code ox_setting_parse(const struct ox_setting *row, const char *text,
                              struct ox_setting_value *out, struct ox_err *err)
{
    struct ox_setting_value fresh = {out->source, out->file, out->line, NULL, 0, NULL, 0, NULL, 0};
    char expected[OX_SETTING_EXPECTED_MAX];
    char given[SHOWN_MAX];
    enum ox_code code = OX_OK;

    if (text[0] != '\0' || row->fallback != NULL) {
        code = ox_strdup(&fresh.text, text, err);
        code = code != OX_OK ? code : kinds[row->kind].read(row, text, &fresh, err);
    }
    if (code == OX_EINVAL) {
        ox_err_set(err, OX_EINVAL, "cannot be '%s': it is %s",
                   ox_text_escape(text, given, sizeof(given)), ox_setting_expected(row, expected));
    }
    if (code != OX_OK) {
        ox_setting_value_clear(&fresh);
        return code;
    }
    ox_setting_value_clear(out);
    *out = fresh;
    return OX_OK;
}

/* --- names --- */

const char *ox_setting_variable(const struct ox_setting *row, char out[OX_SETTING_NAME_MAX])
{
    (void)snprintf(out, OX_SETTING_NAME_MAX, "OXIDE_%s", row->flag);
    for (char *at = out; *at != '\0'; at++) {
        *at = *at == '-' ? '_' : *at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A') : *at;
    }
    return out;
}

const char *ox_setting_origin(const struct ox_setting *row, const struct ox_setting_value *value,
                              char out[OX_SETTING_ORIGIN_MAX])
{
    char variable[OX_SETTING_NAME_MAX];

    switch (value->source) {
    case OX_SETTING_FILE:
        (void)snprintf(out, OX_SETTING_ORIGIN_MAX, "%.480s:%u", value->file, value->line);
        break;
    case OX_SETTING_ENVIRONMENT:
        (void)snprintf(out, OX_SETTING_ORIGIN_MAX, "%s", ox_setting_variable(row, variable));
        break;
    case OX_SETTING_FLAG:
        (void)snprintf(out, OX_SETTING_ORIGIN_MAX, "--%s", row->flag);
        break;
    case OX_SETTING_DEFAULT:
        (void)snprintf(out, OX_SETTING_ORIGIN_MAX, "default");
        break;
    }
    return out;
}
