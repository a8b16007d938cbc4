#include "filter_lex.h"

#include "oxide/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char word_characters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+:-";

/* Longer ones first. */
static const char *const signs[] = {"!=", "<=", ">=", "=", "<", ">", "~", "(", ")", ","};

void ox_filter_record(struct ox_err *err, size_t column, const char *fmt, ...)
{
    char said[OX_ERR_MSG_MAX - 64];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(said, sizeof(said), fmt, args);
    va_end(args);
    ox_err_record(err, OX_EINVAL, "the filter at column %zu: %s", column, said);
}

const char *ox_token_shown(const struct ox_token *token, char out[OX_TOKEN_SHOWN_MAX])
{
    if (token->kind == OX_TOKEN_END) {
        return "the end";
    }
    (void)snprintf(out, OX_TOKEN_SHOWN_MAX, "%s%.*s%s", token->kind == OX_TOKEN_TEXT ? "" : "'",
                   token->len > 60 ? 60 : (int)token->len, token->from,
                   token->kind == OX_TOKEN_TEXT ? "" : "'");
    ox_text_clean(out);
    return out;
}

/* Take bytes; those that go on with a character of UTF-8 are no columns. */
static void take(struct ox_lexer *lexer, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        lexer->column += (*lexer->at & 0xc0) != 0x80;
        lexer->at++;
    }
}

static enum ox_code quoted(struct ox_lexer *lexer, struct ox_token *out, struct ox_err *err)
{
    char quote = *lexer->at;

    take(lexer, 1);
    while (*lexer->at != quote) {
        if (*lexer->at == '\\' && lexer->at[1] != '\0') {
            if (strchr("\"'\\", lexer->at[1]) == NULL) {
                return ox_filter_fault(err, lexer->column,
                                       "in quotes a backslash stands before a quote or another "
                                       "backslash: write two for one");
            }
            take(lexer, 1);
        }
        if (*lexer->at == '\0') {
            return ox_filter_fault(err, out->column, "the quote (%c) is not closed", quote);
        }
        take(lexer, 1);
    }
    take(lexer, 1);
    out->kind = OX_TOKEN_TEXT;
    out->len = (size_t)(lexer->at - out->from);
    return OX_OK;
}

static enum ox_code sign(struct ox_lexer *lexer, struct ox_token *out, struct ox_err *err)
{
    char shown[OX_TOKEN_SHOWN_MAX];

    out->kind = OX_TOKEN_SIGN;
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        out->len = strlen(signs[i]);
        if (strncmp(lexer->at, signs[i], out->len) == 0) {
            take(lexer, out->len);
            return OX_OK;
        }
    }
    out->len = 1;
    while ((lexer->at[out->len] & 0xc0) == 0x80) {
        out->len++;
    }
    return ox_filter_fault(
        err, out->column,
        "%s means nothing here: texts stand in quotes (\"...\"), comparisons are "
        "= != < <= > >= ~, and what joins them are the words and, or, not",
        ox_token_shown(out, shown));
}

enum ox_code ox_filter_lex(struct ox_lexer *lexer, struct ox_token *out, struct ox_err *err)
{
    size_t blank = strspn(lexer->at, " \t\r\n");

    take(lexer, blank);
    *out = (struct ox_token){OX_TOKEN_END, lexer->at, 0, lexer->column, blank == 0};
    if (*lexer->at == '\0') {
        return OX_OK;
    }
    if (*lexer->at == '"' || *lexer->at == '\'') {
        return quoted(lexer, out, err);
    }
    out->len = strspn(lexer->at, word_characters);
    if (out->len > 0) {
        out->kind = OX_TOKEN_WORD;
        take(lexer, out->len);
        return OX_OK;
    }
    return sign(lexer, out, err);
}

bool ox_token_is(const struct ox_token *token, const char *text)
{
    return (token->kind == OX_TOKEN_WORD || token->kind == OX_TOKEN_SIGN) &&
           strlen(text) == token->len && strncasecmp(token->from, text, token->len) == 0;
}

size_t ox_token_text(const struct ox_token *token, char *out)
{
    size_t used = 0;
    bool in_quotes = token->kind == OX_TOKEN_TEXT;

    for (size_t i = in_quotes; i + in_quotes < token->len; i++) {
        i += in_quotes && token->from[i] == '\\';
        out[used++] = token->from[i];
    }
    out[used++] = '\0';
    return used;
}
