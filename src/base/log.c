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

static void write_json(int fd, const char *when, const char *level, const char *message)
{
    json_t *json = json_pack("{s:s, s:s, s:s}", "time", when, "level", level, "message", message);
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);

    if (text != NULL) {
        size_t len = strlen(text);

        text[len] = '\n'; /* where the NUL was */
        write_line(fd, text, len + 1);
    }
    free(text);
    json_decref(json);
}

void ox_log(const struct ox_log *log, enum ox_log_level level, const char *fmt, ...)
{
    char when[OX_TIME_TEXT_MAX];
    char message[LINE_MAX_BYTES - 64];
    va_list args;

    if (log == NULL || level > log->level) {
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    ox_text_clean(message); /* a name from outside can neither forge nor swallow a line */
    ox_time_text(ox_clock_system()->wall_ms(NULL), when);
    if (log->format == OX_LOG_JSON) {
        write_json(log->fd, when, level_words[level], message);
    } else {
        char line[LINE_MAX_BYTES];
        int len = snprintf(line, sizeof(line), "%s %-5s %s\n", when, level_words[level], message);

        if (len > 0) {
            write_line(log->fd, line, (size_t)len < sizeof(line) ? (size_t)len : sizeof(line) - 1);
        }
    }
}
