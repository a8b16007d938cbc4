/**
 * A setting of a daemon: what a row of a table of settings says of it, and a value that it has.
 * Files, environment, flags, help, the reference page and the sample file all come from the rows.
 */
#ifndef OXIDE_APP_SETTING_H
#define OXIDE_APP_SETTING_H

#include "oxide/base/err.h"
#include "oxide/base/window.h"

#include <stdint.h>

enum ox_setting_kind {
    OX_SETTING_TEXT,
    OX_SETTING_PATH,
    OX_SETTING_URL,      /* http:// or https:// */
    OX_SETTING_DURATION, /* min and max, and its number, are milliseconds */
    OX_SETTING_BYTES,
    OX_SETTING_RATE, /* bytes per second */
    OX_SETTING_NUMBER,
    OX_SETTING_YES_NO,  /* its number is 1 or 0 */
    OX_SETTING_CHOICE,  /* one of the words in `value`; its number is the word's place */
    OX_SETTING_COMMAND, /* for sh -c; may have several lines */
    OX_SETTING_WINDOWS, /* may be repeated, or be several with ';' between them */
    OX_SETTING_LIST,    /* words with blanks, commas or line ends between them */
};

/** What a model's own section may override, and what there is one of. */
enum ox_setting_scope { OX_SETTING_OF_AGENT, OX_SETTING_OF_MODEL };
/** When a new value takes effect, after the files were read again. */
enum ox_setting_change { OX_SETTING_AT_RESTART, OX_SETTING_AT_RELOAD };

struct ox_setting {
    const char *section;
    const char *key;  /* in files */
    const char *flag; /* of the command line, without dashes; the environment's name follows from
                         it: "poll-interval" is OXIDE_POLL_INTERVAL */
    enum ox_setting_kind kind;
    uint64_t min;         /* of the number; of texts and the like the least length in bytes */
    uint64_t max;         /* the same; 0: the kind's own bound */
    const char *value;    /* what help calls the value; of a choice its words, with '|' between */
    const char *fallback; /* the default, as it would be given; NULL: none, which may be asked for
                             by an empty value */
    const char *shown;    /* what help shows as the default; NULL: nothing */
    enum ox_setting_scope scope;
    enum ox_setting_change change;
    const char *help; /* no full stop */
};

enum ox_setting_source {
    OX_SETTING_DEFAULT,
    OX_SETTING_FILE,
    OX_SETTING_ENVIRONMENT,
    OX_SETTING_FLAG,
};

/** Zero-initialise it; what is owned goes with ox_setting_value_clear. */
struct ox_setting_value {
    enum ox_setting_source source;
    const char *file;          /* of OX_SETTING_FILE; lent by who read it */
    unsigned line;             /* in that file, from 1 */
    char *text;                /* as given, or the fallback; owned; NULL: none */
    uint64_t number;           /* as the kind says */
    struct ox_window *windows; /* owned */
    size_t windows_count;
    char **items; /* of a list; owned, with their texts */
    size_t items_count;
};

void ox_setting_value_clear(struct ox_setting_value *value);

/** A text holds at most this many bytes, windows and lists this many entries. */
#define OX_SETTING_TEXT_MAX 4096
#define OX_SETTING_ENTRIES_MAX 64

/**
 * Read a value as the row wants it into *out, whose source, file and line stay as they are; what it
 * held is freed. Empty is none, where the row has no fallback.
 * Errors: OX_EINVAL with the message "cannot be 'soon': it is a time such as 30, ...", to be put
 * behind what names the setting; OX_ENOMEM. *out is untouched then.
 */
OX_MUST_USE enum ox_code ox_setting_parse(const struct ox_setting *row, const char *text,
                                          struct ox_setting_value *out, struct ox_err *err);

#define OX_SETTING_EXPECTED_MAX 256
/** What the row's values are: "a time such as 30, 500ms, 15m or 1h, from 1s to 1d"; returns out. */
const char *ox_setting_expected(const struct ox_setting *row, char out[OX_SETTING_EXPECTED_MAX]);

#define OX_SETTING_NAME_MAX 64
/** The name in the environment: "OXIDE_POLL_INTERVAL"; returns out. */
const char *ox_setting_variable(const struct ox_setting *row, char out[OX_SETTING_NAME_MAX]);

#define OX_SETTING_ORIGIN_MAX 512
/** Where a value comes from: "/etc/oxide/agent.conf:3", "OXIDE_POLL_INTERVAL", "--poll-interval" or
 *  "default"; returns out. */
const char *ox_setting_origin(const struct ox_setting *row, const struct ox_setting_value *value,
                              char out[OX_SETTING_ORIGIN_MAX]);

#endif
