/** Words, quoted texts and signs of a filter. */
#ifndef OX_REGISTRY_FILTER_LEX_H
#define OX_REGISTRY_FILTER_LEX_H

#include "oxide/base/err.h"

enum ox_token_kind { OX_TOKEN_END, OX_TOKEN_WORD, OX_TOKEN_TEXT, OX_TOKEN_SIGN };

struct ox_token {
    enum ox_token_kind kind;
    const char *from; /* in the source, with its quotes */
    size_t len;
    size_t column;
    bool joined; /* no blank before it */
};

struct ox_lexer {
    const char *at;
    size_t column;
};

/** Read the next token. Errors: OX_EINVAL with the place, for an open quote or a stray character.
 */
OX_MUST_USE enum ox_code ox_filter_lex(struct ox_lexer *lexer, struct ox_token *out,
                                       struct ox_err *err);

/** Is it this word (without regard to case) or sign? */
bool ox_token_is(const struct ox_token *token, const char *text);

/** Copy its text, a quoted one without quotes and escapes, and a NUL: at most len + 1 bytes.
 *  Returns how many were written, with the NUL. */
size_t ox_token_text(const struct ox_token *token, char *out);

/** ox_err_set with the place in front. */
#define ox_filter_fault(err, column, ...)                                                          \
    (ox_filter_record((err), (column), __VA_ARGS__), ox_err_same(OX_EINVAL))
void ox_filter_record(struct ox_err *err, size_t column, const char *fmt, ...) OX_PRINTF(3, 4);

/** "'tag'", "the end": a token for messages. Returns out. */
#define OX_TOKEN_SHOWN_MAX 80
const char *ox_token_shown(const struct ox_token *token, char out[OX_TOKEN_SHOWN_MAX]);

#endif
