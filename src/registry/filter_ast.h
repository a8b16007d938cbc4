/** A parsed filter, as filter_parse.c builds it and filter_sql.c reads it. */
#ifndef OX_REGISTRY_FILTER_AST_H
#define OX_REGISTRY_FILTER_AST_H

#include "oxide/registry/filter.h"

#include <stdint.h>

/* X(symbol, its bit, as it is written) */
#define OX_FILTER_OPS(X)                                                                           \
    X(OX_FILTER_EQ, 1, "=")                                                                        \
    X(OX_FILTER_NE, 2, "!=")                                                                       \
    X(OX_FILTER_LT, 4, "<")                                                                        \
    X(OX_FILTER_LE, 8, "<=")                                                                       \
    X(OX_FILTER_GT, 16, ">")                                                                       \
    X(OX_FILTER_GE, 32, ">=")                                                                      \
    X(OX_FILTER_GLOB, 64, "~")                                                                     \
    X(OX_FILTER_IN, 128, "in")                                                                     \
    X(OX_FILTER_NOT_IN, 256, "not in")                                                             \
    X(OX_FILTER_EXISTS, 512, "exists")                                                             \
    X(OX_FILTER_HOLDS, 1024, "nothing") /* a yes or no stands alone */
enum ox_filter_op {
#define OX_FILTER_OP_ENUM(symbol, bit, text) symbol = bit,
    OX_FILTER_OPS(OX_FILTER_OP_ENUM)
#undef OX_FILTER_OP_ENUM
};

/** What a field's value is, which decides its operators and how values are read. */
enum ox_filter_kind {
    OX_FILTER_TEXT,
    OX_FILTER_NUMBER,
    OX_FILTER_ANY, /* text or number, as the value that it is compared with */
    OX_FILTER_TIME,
    OX_FILTER_STATUS,
    OX_FILTER_FLEET,
    OX_FILTER_FLAG,
};

/** What the parameter "@" in a field's SQL stands for. */
enum ox_filter_param {
    OX_FILTER_NO_PARAM,
    OX_FILTER_KEY, /* the key, as `param` of the test */
    OX_FILTER_NOW, /* the time */
};

struct ox_filter_field {
    const char *name; /* ends in a dot: a key follows */
    enum ox_filter_kind kind;
    enum ox_code (*param_of)(const char *key, char *out, size_t cap, struct ox_err *err);
    enum ox_filter_param param;
    const char *value; /* SQL of the value, of device d or of the row x */
    const char *from;  /* of x: a table with a device_id; NULL: the value is the device's own */
    const char *where; /* which rows x; NULL: all */
    bool live;
};

/** The field that a word names, and its key within the word: *key_at is where it begins, the end of
 *  the word if it is to follow in quotes. NULL for none. */
const struct ox_filter_field *ox_filter_field_find(const char *word, size_t *key_at);
/** What may stand where a field was expected, for messages. */
const char *ox_filter_field_names(void);
/** The operators of a kind, as bits. */
unsigned ox_filter_ops_of(enum ox_filter_kind kind);

enum ox_filter_value_type { OX_VALUE_TEXT, OX_VALUE_INT, OX_VALUE_REAL, OX_VALUE_AGO };
struct ox_filter_value {
    enum ox_filter_value_type type;
    const char *text;
    int64_t number; /* milliseconds of times and of how long ago */
    double real;
    size_t column;
};

/** Read a value of a kind. `ago`: the word "ago" followed. Errors: OX_EINVAL without the place. */
OX_MUST_USE enum ox_code ox_filter_value_read(enum ox_filter_kind kind, const char *text,
                                              bool quoted, bool ago, struct ox_filter_value *out,
                                              struct ox_err *err);

struct ox_filter_test {
    const struct ox_filter_field *field;
    enum ox_filter_op op;
    const char *param; /* what the key becomes; NULL: none */
    size_t first;      /* of its values */
    size_t count;
    size_t column;
};

enum ox_filter_node_kind { OX_NODE_TEST, OX_NODE_NOT, OX_NODE_AND, OX_NODE_OR };
struct ox_filter_node {
    enum ox_filter_node_kind kind;
    uint32_t left; /* a node; of a test: which */
    uint32_t right;
};

struct ox_filter {
    struct ox_filter_test tests[OX_FILTER_TESTS_MAX];
    size_t test_count;
    struct ox_filter_value *values;
    size_t value_count;
    struct ox_filter_node *nodes;
    size_t node_count;
    uint32_t root;
    char *texts; /* values, keys and paths, each with its NUL */
    size_t texts_used;
};

#endif
