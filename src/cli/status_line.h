/** One line on a terminal that is drawn over as things go on; nothing elsewhere. */
#ifndef OXIDE_CLI_STATUS_LINE_H
#define OXIDE_CLI_STATUS_LINE_H

#include "command.h"

struct ox_status_line {
    FILE *out;
    bool terminal;
    bool drawn;
};

void ox_status_line_start(struct ox_status_line *line, const struct ox_cli *cli);
/** Show this text, cut where the terminal is narrower; it may come from outside. */
void ox_status_line_show(struct ox_status_line *line, const char *fmt, ...) OX_PRINTF(2, 3);
/** Take it away. */
void ox_status_line_end(struct ox_status_line *line);

/** Columns that lines of data may take: COLUMNS if that is set, else the terminal's; SIZE_MAX in a
 *  file. */
size_t ox_cli_columns(const struct ox_cli *cli);

#endif
