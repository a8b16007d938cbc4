/** Parsing a command line by the rows of the table in commands.c. */
#ifndef OXIDE_CLI_ARGS_H
#define OXIDE_CLI_ARGS_H

#include "command.h"

#include <stdint.h>

struct ox_given {
    const struct ox_option *option;
    const char *value; /* NULL for a flag; lent from argv */
};

/** A parsed command line. Everything but the two arrays is lent from argv and the table. */
struct ox_args {
    const struct ox_command *command; /* NULL: none was named */
    const char *family;               /* "device" where its second word is missing */
    struct ox_given *given;
    size_t given_count;
    const char **words;
    size_t word_count;
};
#define OX_ARGS_INIT                                                                               \
    {                                                                                              \
        NULL, NULL, NULL, 0, NULL, 0                                                               \
    }

/**
 * Parse argv[1] and on. Options may stand anywhere, also before the command's words; "--" ends
 * them. With --help or --version the rest is not checked.
 * Errors: OX_EINVAL with a hint (unknown command or option, missing or superfluous value or word, a
 * value that is none of the option's words). The caller clears *out in every case.
 */
OX_MUST_USE enum ox_code ox_args_parse(struct ox_args *out, int argc, const char *const *argv,
                                       struct ox_err *err);
void ox_args_clear(struct ox_args *args);

/** The command whose words are exactly `path` ("device list"), or NULL. */
const struct ox_command *ox_command_find(const char *path);

/** Is this global option given ("help", "version"), not one of the command's own of that name? */
bool ox_args_asks(const struct ox_args *args, const char *global);

/** Is it given? */
bool ox_args_has(const struct ox_args *args, const char *option);

/** The last value given, else `fallback`. */
const char *ox_args_value(const struct ox_args *args, const char *option, const char *fallback);

/** Number `index` of the values of an option that may be repeated; NULL past the last. */
const char *ox_args_nth(const struct ox_args *args, const char *option, size_t index);

/** Word number `index`, or NULL. */
const char *ox_args_word(const struct ox_args *args, size_t index);

/** A whole number within [min, max]; *out keeps its value if the option is not given.
 *  Errors: OX_EINVAL, naming option and bounds. */
OX_MUST_USE enum ox_code ox_args_number(const struct ox_args *args, const char *option,
                                        uint64_t min, uint64_t max, uint64_t *out,
                                        struct ox_err *err);

/** Bytes, given as "65536", "64K", "256M" or "1G" (powers of 1024), within [min, max]; *out keeps
 *  its value if the option is not given. Errors: OX_EINVAL, naming option and bounds. */
OX_MUST_USE enum ox_code ox_args_size(const struct ox_args *args, const char *option, uint64_t min,
                                      uint64_t max, uint64_t *out, struct ox_err *err);

/** Seconds, given as "30", "90s", "15m", "1h", "90d" or "500ms", in milliseconds; *out_ms keeps its
 *  value if the option is not given. Errors: OX_EINVAL, naming option and bound. */
OX_MUST_USE enum ox_code ox_args_seconds(const struct ox_args *args, const char *option,
                                         uint64_t max_ms, uint64_t *out_ms, struct ox_err *err);
/** The same of a text, a value of the option or a part of it. */
OX_MUST_USE enum ox_code ox_args_read_seconds(const char *option, const char *text, uint64_t max_ms,
                                              uint64_t *out_ms, struct ox_err *err);

#endif
