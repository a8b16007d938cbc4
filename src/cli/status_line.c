#include "status_line.h"

#include "human.h"
#include "progress.h"

#include "oxide/base/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>

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

size_t ox_cli_columns(const struct ox_cli *cli)
{
    const char *told = getenv("COLUMNS");
    unsigned long columns = told == NULL ? 0 : strtoul(told, NULL, 10);
    struct winsize size;

    if (columns == 0 && cli->out_is_terminal && ioctl(fileno(cli->out), TIOCGWINSZ, &size) == 0) {
        columns = size.ws_col;
    }
    return columns == 0 ? SIZE_MAX : columns;
}
