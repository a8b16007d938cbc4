#include "status_line.h"

#include "human.h"
#include "progress.h"

#include "oxide/base/text.h"

#include <stdarg.h>

void ox_status_line_start(struct ox_status_line *line, const struct ox_cli *cli)
{
    *line = (struct ox_status_line){cli->notes, cli->notes_is_terminal, false};
}

void ox_status_line_show(struct ox_status_line *line, const char *fmt, ...)
{
    char text[512];
    va_list args;

    if (!line->terminal) {
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    ox_text_clean(text);
    ox_human_cut_end(text, ox_terminal_columns(line->out) - 1);
    (void)fprintf(line->out, "\r\033[K%s", text);
    (void)fflush(line->out);
    line->drawn = true;
}

void ox_status_line_end(struct ox_status_line *line)
{
    if (line->drawn) {
        (void)fputs("\r\033[K", line->out);
        (void)fflush(line->out);
    }
    line->drawn = false;
}
