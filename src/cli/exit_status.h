/** Exit statuses: one table, by error code. */
#ifndef OXIDE_CLI_EXIT_STATUS_H
#define OXIDE_CLI_EXIT_STATUS_H

#include "command.h"

enum ox_exit {
    OX_EXIT_OK = 0,
    OX_EXIT_FAILED = 1,
    OX_EXIT_USAGE = 2,
    OX_EXIT_NOT_FOUND = 3,
    OX_EXIT_CONFLICT = 4,
    OX_EXIT_UNREACHABLE = 5,
    OX_EXIT_BAD_INPUT = 6,
    OX_EXIT_NO_SPACE = 7,
    OX_EXIT_DENIED = 8,
    OX_EXIT_PAUSED = 9,
    OX_EXIT_ABORTED = 10,
    OX_EXIT_TIMED_OUT = 11,
    OX_EXIT_INTERRUPTED = 130, /* 128 + SIGINT, as shells have it */
};

/** The bit that says in a command's row that this status may come of it. */
#define OX_EXIT_BIT(status) (1u << (unsigned)(status))
#define OX_EXITS_REMOTE                                                                            \
    (OX_EXIT_BIT(OX_EXIT_NOT_FOUND) | OX_EXIT_BIT(OX_EXIT_CONFLICT) |                              \
     OX_EXIT_BIT(OX_EXIT_UNREACHABLE))
/** Of commands that wait for a campaign. */
#define OX_EXITS_OUTCOME                                                                           \
    (OX_EXITS_REMOTE | OX_EXIT_BIT(OX_EXIT_PAUSED) | OX_EXIT_BIT(OX_EXIT_ABORTED) |                \
     OX_EXIT_BIT(OX_EXIT_TIMED_OUT))
#define OX_EXITS_FILES                                                                             \
    (OX_EXIT_BIT(OX_EXIT_NOT_FOUND) | OX_EXIT_BIT(OX_EXIT_BAD_INPUT) |                             \
     OX_EXIT_BIT(OX_EXIT_NO_SPACE) | OX_EXIT_BIT(OX_EXIT_DENIED))

/** The exit status of an error code. */
enum ox_exit ox_exit_of(enum ox_code code);

/** The statuses with what they mean, ended by a row with meaning NULL. */
struct ox_exit_row {
    enum ox_exit status;
    const char *meaning;
};
extern const struct ox_exit_row ox_exit_rows[];

/** Does a command of this row end with this status at times? NULL stands for any command. */
bool ox_exit_applies(const struct ox_command *command, enum ox_exit status);

#endif
