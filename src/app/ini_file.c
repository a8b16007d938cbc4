/*
 * How libinih is fed. It reads lines of a fixed length (199 bytes in Debian's build), cuts names of
 * sections, takes " ;" for the begin of a comment within a value (which would cut a shell command),
 * and tells of the first broken line alone. So each line is looked at here first; a long one is
 * handed on in pieces, each but the first behind a blank, which libinih takes for lines that go on
 * with a value; and a ';' goes by it as another byte.
 */
#include "ini_file.h"

#include "oxide/base/buf.h"
#include "oxide/base/text.h"

#include <ini.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define SEMICOLON '\001' /* stands for ';' on the way: no line holds that byte, it is checked */

/* What the line that libinih has in its hands is. */
enum line_kind { LINE_KEY, LINE_MORE, LINE_PIECE };

struct reader {
    const struct ox_ini_sink *sink;
    struct ox_err *err;
    enum ox_code code; /* once it is not OX_OK nothing more is told */

    const char *at; /* what was not read yet */
    const char *end;
    unsigned line; /* the last that was begun */
    char text[OX_INI_LINE_MAX + 1];
    size_t text_len;
    size_t handed;  /* of the text; the rest is to come */
    bool has_begun; /* some of it was handed on */

    enum line_kind kind;
    char section[OX_INI_NAME_MAX + 1];
    bool has_key; /* in this section: what is indented goes on with it */
    char key[OX_INI_KEY_MAX + 1];
    unsigned key_line;
    struct ox_buf value;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void problem(struct reader *reader, const char *what)
{
    if (reader->code == OX_OK) {
        reader->code = reader->sink->problem(reader->sink->ctx, reader->line, what, reader->err);
    }
}

/* Tell of the entry that is whole now, if there is one. */
static void flush(struct reader *reader)
{
    if (reader->key[0] != '\0' && reader->code == OX_OK) {
        reader->code =
            reader->sink->entry(reader->sink->ctx, reader->section, reader->key,
                                reader->value.data == NULL ? "" : (const char *)reader->value.data,
                                reader->key_line, reader->err);
    }
    reader->key[0] = '\0';
    reader->value.len_bytes = 0;
}

/* --- one line --- */

/* What no line may hold, or NULL. */
static const char *unclean(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)line[i];

        if (c == 0) {
            return "has a NUL byte: this is no text";
        }
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return "has a control character: only tabs and line ends are taken";
        }
    }
    return NULL;
}

/* Take the next line into the text. Returns false at the end, and for a line that is wrong, which
 * was told, leaves the text empty. */
static bool take_line(struct reader *reader)
{
    const char *line = reader->at;
    const char *feed;
    const char *wrong;
    size_t len;

    if (line == reader->end) {
        return false;
    }
    feed = memchr(line, '\n', (size_t)(reader->end - line));
    len = (size_t)((feed == NULL ? reader->end : feed) - line);
    reader->at = feed == NULL ? reader->end : feed + 1;
    reader->line++;
    len -= len > 0 && line[len - 1] == '\r';
    reader->text_len = reader->handed = 0;
    reader->has_begun = false;
    wrong = len > OX_INI_LINE_MAX
                ? "is too long: a line holds 4096 bytes, indent the next one to go on"
                : unclean(line, len);
    if (wrong == NULL) {
        memcpy(reader->text, line, len);
        reader->text_len = len;
    }
    reader->text[reader->text_len] = '\0';
    if (wrong == NULL && !ox_text_is_utf8(reader->text)) {
        wrong = "is not valid UTF-8";
        reader->text_len = 0;
    }
    if (wrong != NULL) {
        problem(reader, wrong);
    }
    while (reader->text_len > 0 && is_blank(reader->text[reader->text_len - 1])) {
        reader->text_len--;
    }
    reader->text[reader->text_len] = '\0';
    return true;
}

/* "[name]": tell of it. */
static void take_section(struct reader *reader, const char *start)
{
    size_t len = strcspn(start + 1, "]");

    flush(reader);
    reader->has_key = false;
    if (start[1 + len] != ']' || start[2 + len] != '\0' || len == 0 || len > OX_INI_NAME_MAX) {
        problem(reader, "is no section: write [agent] or [model NAME], and nothing behind it");
        return;
    }
    memcpy(reader->section, start + 1, len);
    reader->section[len] = '\0';
    if (reader->code == OX_OK) {
        reader->code =
            reader->sink->section(reader->sink->ctx, reader->section, reader->line, reader->err);
    }
}

/* Look at the line. Returns whether libinih is to have it; sections and comments are done here. */
static bool look_at_line(struct reader *reader)
{
    const char *start = reader->text + strspn(reader->text, " \t");
    size_t key_len = strcspn(start, "=:");

    if (*start == '\0' || *start == '#' || *start == ';') {
        return false;
    }
    if (reader->has_key && start > reader->text) {
        reader->kind = LINE_MORE;
        return true;
    }
    if (*start == '[') {
        take_section(reader, start);
        return false;
    }
    if (start[key_len] == '\0' || key_len == 0 || key_len > OX_INI_KEY_MAX) {
        problem(reader, "is not understood: it should be key = value");
        return false;
    }
    reader->kind = LINE_KEY;
    reader->has_key = true;
    reader->handed = (size_t)(start - reader->text); /* indented or not, it goes on with nothing */
    return true;
}

/* --- between libinih and us --- */

/* Where to cut what is left, so that no blank stands at either side, for libinih strips them, and
 * no '#' begins a piece; 0: nowhere. */
static size_t cut(const char *text, size_t len, size_t most)
{
    size_t at = most;

    if (len <= most) {
        return len;
    }
    while (at > 0 && (is_blank(text[at - 1]) || is_blank(text[at]) || text[at] == '#')) {
        at--;
    }
    return at;
}

/* Put the next piece of the line into out[0, room). */
static void hand_piece(struct reader *reader, char *out, size_t room)
{
    const char *text = reader->text + reader->handed;
    bool first = !reader->has_begun;
    size_t len =
        cut(text, reader->text_len - reader->handed, room - 3); /* a blank, a line feed, a NUL */
    size_t put = 0;

    if (len == 0) {
        problem(reader, "has too many blanks in a row");
        reader->handed = reader->text_len;
        memcpy(out, "\n", 2);
        return;
    }
    if (!first) {
        reader->kind = LINE_PIECE;
        out[put++] = ' ';
    }
    memcpy(out + put, text, len);
    for (size_t i = 0; i < len; i++) {
        out[put + i] = out[put + i] == ';' ? SEMICOLON : out[put + i];
    }
    memcpy(out + put + len, "\n", 2);
    reader->handed += len;
    reader->has_begun = true;
}

/* libinih's fgets. */
static char *next_line(char *out, int room, void *stream)
{
    struct reader *reader = stream;

    if (reader->handed < reader->text_len) {
        hand_piece(reader, out, (size_t)room);
        return out;
    }
    while (reader->code == OX_OK && take_line(reader)) {
        if (reader->text_len > 0 && look_at_line(reader)) {
            hand_piece(reader, out, (size_t)room);
            return out;
        }
        reader->text_len = reader->handed = 0;
    }
    return NULL;
}

/* What stood for ';' is it again. */
static void bring_back(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        text[i] = text[i] == SEMICOLON ? ';' : text[i];
    }
}

/* libinih's handler: a key with the begin of its value, or more of it. 0 is an error to it. */
static int take_value(void *ctx, const char *section, const char *key, const char *value)
{
    struct reader *reader = ctx;
    struct ox_buf *out = &reader->value;
    size_t before = 0;

    (void)section; /* cut to 49 bytes; ours is whole */
    if (reader->code != OX_OK) {
        return 0;
    }
    if (reader->kind == LINE_KEY) {
        flush(reader);
        (void)snprintf(reader->key, sizeof(reader->key), "%s", key);
        bring_back(reader->key, strlen(reader->key));
        reader->key_line = reader->line;
    }
    before = out->len_bytes;
    if (before + strlen(value) + 1 > OX_INI_VALUE_MAX) {
        problem(reader, "makes the value too long: 16384 bytes are taken");
        return 0;
    }
    if (reader->code == OX_OK) {
        reader->code = ox_buf_printf(out, reader->err, "%s%s",
                                     reader->kind == LINE_MORE && before > 0 ? "\n" : "", value);
    }
    if (reader->code == OX_OK) {
        bring_back((char *)out->data + before, out->len_bytes - before);
    }
    return reader->code == OX_OK;
}

enum ox_code ox_ini_read(const void *bytes, size_t len_bytes, const struct ox_ini_sink *sink,
                         struct ox_err *err)
{
    struct reader reader = {.sink = sink, .err = err};
    int told;

    reader.at = len_bytes == 0 ? "" : bytes;
    reader.end = reader.at + len_bytes;
    if (len_bytes >= 3 && memcmp(reader.at, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark */
        reader.at += 3;
    }
    told = ini_parse_stream(next_line, &reader, take_value, &reader);
    if (told < 0 && reader.code == OX_OK) {
        reader.code = ox_err_nomem(err, "a line of a file");
    }
    flush(&reader);
    ox_buf_clear(&reader.value);
    return reader.code;
}
