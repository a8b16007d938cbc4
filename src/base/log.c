#include "oxide/base/log.h"

#include "oxide/base/clock.h"
#include "oxide/base/json.h"
#include "oxide/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

static const char *const level_words[] = {"error", "warn", "info", "debug"};

static void write_line(int fd, const char *line, size_t len_bytes)
{
    ssize_t put = write(fd, line, len_bytes);

    (void)put; /* there is no second place to say that the log cannot be written */
}

static _Thread_local const char *bound_id;

void ox_log_bind(const char *id)
{
    bound_id = id;
}

const char *ox_log_bound(void)
{
    return bound_id;
}

/* A text from outside as a JSON string, however it is encoded. */
static json_t *clean_string(const char *text)
{
    char *copy = strdup(text);
    json_t *json = NULL;

    if (copy != NULL) {
        ox_text_clean(copy);
        json = json_string(copy);
    }
    free(copy);
    return json;
}

static void write_json(int fd, const char *when, const char *level, const char *message,
                       const struct ox_log_field *fields)
{
    json_t *json = json_pack("{s:s, s:s, s:s}", "time", when, "level", level, "message", message);
    char *text;

    for (const struct ox_log_field *at = fields; json != NULL && at->key != NULL; at++) {
        (void)json_object_set_new(
            json, at->key, at->text != NULL ? clean_string(at->text) : json_integer(at->number));
    }
    text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    if (text != NULL) {
        size_t len = strlen(text);

        text[len] = '\n'; /* where the NUL was */
        write_line(fd, text, len + 1);
    }
    free(text);
    json_decref(json);
}

/* key=value, in quotes where it would not be told from what follows. Returns the new length. */
static size_t put_field(char *line, size_t len, const struct ox_log_field *field)
{
    char text[512];
    const char *quote = "";
    int put;

    if (field->text == NULL) {
        (void)snprintf(text, sizeof(text), "%lld", (long long)field->number);
    } else {
        (void)snprintf(text, sizeof(text), "%s", field->text);
        ox_text_clean(text);
        for (char *at = text; *at != '\0'; at++) {
            *at = *at == '"' ? '\'' : *at; /* what is in quotes ends at the next one */
        }
        quote = text[0] == '\0' || strpbrk(text, " =") != NULL ? "\"" : "";
    }
    put = snprintf(line + len, LINE_MAX_BYTES - 1 - len, " %s=%s%s%s", field->key, quote, text,
                   quote);
    return put < 0 ? len : len + (size_t)put < LINE_MAX_BYTES - 2 ? len + (size_t)put : len;
}

static void write_text(int fd, const char *when, const char *level, const char *message,
                       const struct ox_log_field *fields)
{
    char line[LINE_MAX_BYTES];
    int put = snprintf(line, sizeof(line) - 1, "%s %-5s %s", when, level, message);
    size_t len = put < 0 ? 0 : (size_t)put < sizeof(line) - 2 ? (size_t)put : sizeof(line) - 2;

    for (const struct ox_log_field *at = fields; at->key != NULL; at++) {
        len = put_field(line, len, at);
    }
    line[len] = '\n';
    write_line(fd, line, len + 1);
}

static void log_line(const struct ox_log *log, enum ox_log_level level,
                     const struct ox_log_field *fields, const char *fmt, va_list args)
    OX_PRINTF(4, 0);
static void log_line(const struct ox_log *log, enum ox_log_level level,
                     const struct ox_log_field *fields, const char *fmt, va_list args)
{
    struct ox_log_field all[OX_LOG_FIELDS_MAX + 2] = {{0}};
    char when[OX_TIME_TEXT_MAX];
    char message[LINE_MAX_BYTES - 64];
    size_t count = 0;

    if (log == NULL || level > log->level) {
        return;
    }
    for (; fields != NULL && fields[count].key != NULL && count < OX_LOG_FIELDS_MAX; count++) {
        all[count] = fields[count];
    }
    if (bound_id != NULL) {
        all[count] = (struct ox_log_field){"request_id", bound_id, 0};
    }
    (void)vsnprintf(message, sizeof(message), fmt, args);
    ox_text_clean(message); /* a name from outside can neither forge nor swallow a line */
    ox_time_text(ox_clock_system()->wall_ms(NULL), when);
    (log->format == OX_LOG_JSON ? write_json : write_text)(log->fd, when, level_words[level],
                                                           message, all);
}

void ox_log(const struct ox_log *log, enum ox_log_level level, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    log_line(log, level, NULL, fmt, args);
    va_end(args);
}

void ox_log_fields(const struct ox_log *log, enum ox_log_level level,
                   const struct ox_log_field *fields, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    log_line(log, level, fields, fmt, args);
    va_end(args);
}
