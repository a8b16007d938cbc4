/**
 * Files of [sections] with `key = value` lines, by libinih, with what it lets pass refused: every
 * byte is checked before it sees it, lines may be long, and nothing is cut silently.
 *
 *     # a comment, as after ';': on a line of its own alone
 *     [section]
 *     key = value
 *       an indented line goes on with the value above
 */
#ifndef OX_APP_INI_FILE_H
#define OX_APP_INI_FILE_H

#include "oxide/base/err.h"

/** A line holds at most this many bytes, and a value, with the lines that go on with it. */
#define OX_INI_LINE_MAX 4096
#define OX_INI_VALUE_MAX 16384
/** The name of a section; a key. */
#define OX_INI_NAME_MAX 300
#define OX_INI_KEY_MAX 100

/** What is told of a file, in the order of its lines, which count from 1. Texts are lent for the
 *  call. A function that fails ends the reading. */
struct ox_ini_sink {
    void *ctx;
    enum ox_code (*section)(void *ctx, const char *name, unsigned line, struct ox_err *err);
    /* The lines of a value are parted by line feeds; `section` is "" before the first one. */
    enum ox_code (*entry)(void *ctx, const char *section, const char *key, const char *value,
                          unsigned line, struct ox_err *err);
    /* What is wrong with a line, and what was expected: "has a NUL byte: ...". */
    enum ox_code (*problem)(void *ctx, unsigned line, const char *what, struct ox_err *err);
};

/** Read the whole file. Errors: OX_ENOMEM, or what the sink returned; a file that is wrong is told
 *  to it. */
OX_MUST_USE enum ox_code ox_ini_read(const void *bytes, size_t len_bytes,
                                     const struct ox_ini_sink *sink, struct ox_err *err);

#endif
