/* A recursive descent over the grammar of docs/filter.md. */
#include "filter_ast.h"
#include "filter_lex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARAM_MAX (2 * OX_FILTER_MAX)

struct parser {
    struct ox_lexer lexer;
    struct ox_token token; /* the next one */
    struct ox_filter *filter;
    size_t node_room;
    size_t value_room;
    size_t depth;
    struct ox_err *err;
};

static enum ox_code parse_or(struct parser *parser, uint32_t *out);

static enum ox_code next(struct parser *parser)
{
    return ox_filter_lex(&parser->lexer, &parser->token, parser->err);
}

static enum ox_code expected(struct parser *parser, const char *what)
{
    char shown[OX_TOKEN_SHOWN_MAX];

    return ox_filter_fault(parser->err, parser->token.column, "expected %s, found %s", what,
                           ox_token_shown(&parser->token, shown));
}

/* An error of a value or key, without its place so far. */
static enum ox_code at_column(struct parser *parser, size_t column, enum ox_code code)
{
    if (code == OX_EINVAL) {
        (void)ox_err_context(parser->err, "the filter at column %zu", column);
    }
    return code;
}

static bool is_reserved(const struct ox_token *token)
{
    static const char *const words[] = {"and", "or", "not", "in", "exists", "ago"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (ox_token_is(token, words[i])) {
            return true;
        }
    }
    return false;
}

/* Room for one more element of an array of `count`. */
static enum ox_code grow(struct parser *parser, void *array, size_t count, size_t *room,
                         size_t element_bytes)
{
    void **items = array;
    size_t wanted = *room == 0 ? 16 : *room * 2;
    void *grown;

    if (count < *room) {
        return OX_OK;
    }
    grown = realloc(*items, wanted * element_bytes);
    if (grown == NULL) {
        return ox_err_nomem(parser->err, "a filter");
    }
    *items = grown;
    *room = wanted;
    return OX_OK;
}

static enum ox_code add_node(struct parser *parser, enum ox_filter_node_kind kind, uint32_t left,
                             uint32_t right, uint32_t *out)
{
    struct ox_filter *filter = parser->filter;
    enum ox_code code = grow(parser, &filter->nodes, filter->node_count, &parser->node_room,
                             sizeof(*filter->nodes));

    if (code == OX_OK) {
        filter->nodes[filter->node_count] = (struct ox_filter_node){kind, left, right};
        *out = (uint32_t)filter->node_count++;
    }
    return code;
}

/* The token's text, kept with the filter. */
static const char *keep(struct parser *parser, const struct ox_token *token)
{
    char *text = parser->filter->texts + parser->filter->texts_used;

    parser->filter->texts_used += ox_token_text(token, text);
    return text;
}

/* --- a test --- */

static enum ox_code parse_value(struct parser *parser, struct ox_filter_test *test)
{
    struct ox_filter *filter = parser->filter;
    struct ox_token token = parser->token;
    struct ox_filter_value value = {.column = token.column};
    bool ago = false;
    enum ox_code code;

    if ((token.kind != OX_TOKEN_WORD && token.kind != OX_TOKEN_TEXT) || is_reserved(&token)) {
        return expected(parser, "a value (a word, a number or a text in quotes)");
    }
    if (filter->value_count == OX_FILTER_VALUES_MAX) {
        return ox_filter_fault(parser->err, token.column, "a filter has at most %d values",
                               OX_FILTER_VALUES_MAX);
    }
    if ((code = next(parser)) != OX_OK) {
        return code;
    }
    if (ox_token_is(&parser->token, "ago")) {
        ago = true;
        if ((code = next(parser)) != OX_OK) {
            return code;
        }
    }
    if (ago && test->field->kind != OX_FILTER_TIME) {
        return ox_filter_fault(parser->err, token.column, "%s is no time: 'ago' is for times",
                               test->field->name);
    }
    code = ox_filter_value_read(test->field->kind, keep(parser, &token),
                                token.kind == OX_TOKEN_TEXT, ago, &value, parser->err);
    if (code != OX_OK) {
        return at_column(parser, token.column, code);
    }
    code = grow(parser, &filter->values, filter->value_count, &parser->value_room,
                sizeof(*filter->values));
    if (code == OX_OK) {
        filter->values[filter->value_count++] = value;
        test->count++;
    }
    return code;
}

static enum ox_code parse_list(struct parser *parser, struct ox_filter_test *test)
{
    enum ox_code code;

    if (!ox_token_is(&parser->token, "(")) {
        return expected(parser, "'(' and a list of values");
    }
    do {
        if ((code = next(parser)) != OX_OK || (code = parse_value(parser, test)) != OX_OK) {
            return code;
        }
    } while (ox_token_is(&parser->token, ","));
    return ox_token_is(&parser->token, ")") ? next(parser) : expected(parser, "',' or ')'");
}

static const struct {
    enum ox_filter_op op;
    const char *text;
} ops[] = {
#define ROW(symbol, bit, text) {symbol, text},
    OX_FILTER_OPS(ROW)
#undef ROW
};
#define OPS (sizeof(ops) / sizeof(ops[0]))

/* "= != <": operators, for messages. */
static const char *shown_ops(unsigned which, char *out, size_t cap)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < OPS && used < cap; i++) {
        if ((which & (unsigned)ops[i].op) != 0) {
            used +=
                (size_t)snprintf(out + used, cap - used, "%s%s", used == 0 ? "" : " ", ops[i].text);
        }
    }
    return out;
}

static enum ox_code parse_op(struct parser *parser, struct ox_filter_test *test, const char *name)
{
    unsigned allowed = ox_filter_ops_of(test->field->kind);
    struct ox_token token = parser->token;
    unsigned op = 0;
    char shown[96];
    char found[OX_TOKEN_SHOWN_MAX];
    enum ox_code code = OX_OK;

    if (allowed == OX_FILTER_HOLDS) {
        test->op = OX_FILTER_HOLDS;
        return OX_OK;
    }
    if (ox_token_is(&token, "not")) {
        op = OX_FILTER_NOT_IN;
        if ((code = next(parser)) == OX_OK && !ox_token_is(&parser->token, "in")) {
            code = expected(parser, "'in' behind 'not'");
        }
    }
    for (size_t i = 0; i < OPS; i++) {
        op = ox_token_is(&token, ops[i].text) ? ops[i].op : op;
    }
    if (code == OX_OK && (allowed & op) == 0) {
        code = ox_filter_fault(parser->err, token.column, "%.64s takes %s; found %s", name,
                               shown_ops(allowed, shown, sizeof(shown)),
                               ox_token_shown(&token, found));
    }
    if (code == OX_OK) {
        test->op = (enum ox_filter_op)op;
        code = next(parser);
    }
    return code;
}

/* The key behind the dot, in the word itself or in quotes right behind it. */
static enum ox_code parse_key(struct parser *parser, struct ox_filter_test *test,
                              const struct ox_token *word, size_t key_at)
{
    struct ox_token key = {OX_TOKEN_WORD, word->from + key_at, word->len - key_at,
                           word->column + key_at, true};
    char text[OX_FILTER_MAX + 1];
    char param[PARAM_MAX];
    size_t used = parser->filter->texts_used;
    enum ox_code code = OX_OK;

    if (key.len == 0 && parser->token.kind == OX_TOKEN_TEXT && parser->token.joined) {
        key = parser->token;
        code = next(parser);
    }
    (void)ox_token_text(&key, text);
    if (code == OX_OK) {
        code = at_column(parser, key.column,
                         test->field->param_of(text, param, sizeof(param), parser->err));
    }
    if (code == OX_OK) {
        test->param = parser->filter->texts + used;
        memcpy(parser->filter->texts + used, param, strlen(param) + 1);
        parser->filter->texts_used += strlen(param) + 1;
    }
    return code;
}

static enum ox_code parse_test(struct parser *parser, uint32_t *out)
{
    struct ox_filter *filter = parser->filter;
    struct ox_token word = parser->token;
    struct ox_filter_test test = {.first = filter->value_count, .column = word.column};
    char name[OX_FILTER_MAX + 1];
    char what[320];
    size_t key_at = 0;
    enum ox_code code;

    if (word.kind == OX_TOKEN_WORD && !is_reserved(&word)) {
        (void)ox_token_text(&word, name);
        test.field = ox_filter_field_find(name, &key_at);
    }
    if (test.field == NULL) {
        (void)snprintf(what, sizeof(what), "a field (%s)", ox_filter_field_names());
        return expected(parser, what);
    }
    if (filter->test_count == OX_FILTER_TESTS_MAX) {
        return ox_filter_fault(parser->err, word.column, "a filter has at most %d comparisons",
                               OX_FILTER_TESTS_MAX);
    }
    if ((code = next(parser)) != OX_OK ||
        (test.field->param == OX_FILTER_KEY &&
         (code = parse_key(parser, &test, &word, key_at)) != OX_OK) ||
        (code = parse_op(parser, &test, name)) != OX_OK) {
        return code;
    }
    if (test.op == OX_FILTER_IN || test.op == OX_FILTER_NOT_IN) {
        code = parse_list(parser, &test);
    } else if (test.op != OX_FILTER_EXISTS && test.op != OX_FILTER_HOLDS) {
        code = parse_value(parser, &test);
    }
    if (code == OX_OK) {
        filter->tests[filter->test_count] = test;
        code = add_node(parser, OX_NODE_TEST, (uint32_t)filter->test_count++, 0, out);
    }
    return code;
}

/* --- what joins tests --- */

static enum ox_code deeper(struct parser *parser)
{
    return ++parser->depth <= OX_FILTER_DEPTH_MAX
               ? next(parser)
               : ox_filter_fault(parser->err, parser->token.column,
                                 "parentheses and nots stand at most %d deep", OX_FILTER_DEPTH_MAX);
}

static enum ox_code parse_not(struct parser *parser, uint32_t *out)
{
    bool is_not = ox_token_is(&parser->token, "not");
    uint32_t inner = 0;
    enum ox_code code;

    if (!is_not && !ox_token_is(&parser->token, "(")) {
        return parse_test(parser, out);
    }
    if ((code = deeper(parser)) != OX_OK ||
        (code = is_not ? parse_not(parser, &inner) : parse_or(parser, &inner)) != OX_OK) {
        return code;
    }
    parser->depth--;
    if (is_not) {
        return add_node(parser, OX_NODE_NOT, inner, 0, out);
    }
    *out = inner;
    return ox_token_is(&parser->token, ")") ? next(parser) : expected(parser, "'and', 'or' or ')'");
}

static enum ox_code parse_chain(struct parser *parser, const char *word,
                                enum ox_filter_node_kind kind,
                                enum ox_code (*part)(struct parser *, uint32_t *), uint32_t *out)
{
    uint32_t left = 0;
    uint32_t right = 0;
    enum ox_code code = part(parser, &left);

    while (code == OX_OK && ox_token_is(&parser->token, word)) {
        if ((code = next(parser)) == OX_OK && (code = part(parser, &right)) == OX_OK) {
            code = add_node(parser, kind, left, right, &left);
        }
    }
    if (code == OX_OK) {
        *out = left;
    }
    return code;
}

static enum ox_code parse_and(struct parser *parser, uint32_t *out)
{
    return parse_chain(parser, "and", OX_NODE_AND, parse_not, out);
}

static enum ox_code parse_or(struct parser *parser, uint32_t *out)
{
    return parse_chain(parser, "or", OX_NODE_OR, parse_and, out);
}

enum ox_code ox_filter_parse(struct ox_filter **out, const char *text, struct ox_err *err)
{
    size_t len = strnlen(text, OX_FILTER_MAX + 1);
    struct parser parser = {.lexer = {text, 1}, .err = err};
    enum ox_code code;

    if (len > OX_FILTER_MAX) {
        return ox_filter_fault(err, OX_FILTER_MAX + 1, "a filter has at most %d bytes",
                               OX_FILTER_MAX);
    }
    parser.filter = calloc(1, sizeof(*parser.filter));
    if (parser.filter == NULL) {
        return ox_err_nomem(err, "a filter");
    }
    /* A token's text is no longer than the token and a NUL; a key becomes a path of "$" and, for
     * each of its names, two quotes and a dot more, where a name and its dot have two bytes. */
    parser.filter->texts = malloc(4 * len + 16);
    code = parser.filter->texts == NULL ? ox_err_nomem(err, "a filter") : next(&parser);
    if (code == OX_OK && (code = parse_or(&parser, &parser.filter->root)) == OX_OK &&
        parser.token.kind != OX_TOKEN_END) {
        code = expected(&parser, "'and', 'or' or the end");
    }
    if (code != OX_OK) {
        ox_filter_free(parser.filter);
        return code;
    }
    *out = parser.filter;
    return OX_OK;
}

void ox_filter_free(struct ox_filter *filter)
{
    if (filter != NULL) {
        free(filter->values);
        free(filter->nodes);
        free(filter->texts);
        free(filter);
    }
}

bool ox_filter_is_live(const struct ox_filter *filter)
{
    for (size_t i = 0; i < filter->test_count; i++) {
        if (filter->tests[i].field->live) {
            return true;
        }
    }
    return false;
}
