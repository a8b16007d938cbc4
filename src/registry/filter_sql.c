/* Every condition is either true or false, never null: a value that is not there passes no test, so
 * "not" and "!=" mean their exact opposites. */
#include "filter_sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct emitter {
    const struct ox_filter *filter;
    const struct ox_filter_moment *moment;
    const struct ox_filter_fleets *fleets;
    struct ox_sql *sql;
    struct ox_err *err;
};

void ox_sql_clear(struct ox_sql *sql)
{
    ox_buf_clear(&sql->text);
    free(sql->values);
    *sql = (struct ox_sql){.count = 0};
}

static enum ox_code bind(struct ox_sql *sql, const struct ox_db_value *value, struct ox_err *err)
{
    if (sql->count == sql->room) {
        size_t room = sql->room == 0 ? 16 : sql->room * 2;
        struct ox_db_value *grown = realloc(sql->values, room * sizeof(*grown));

        if (grown == NULL) {
            return ox_err_nomem(err, "a filter");
        }
        sql->values = grown;
        sql->room = room;
    }
    sql->values[sql->count++] = *value;
    return ox_buf_printf(&sql->text, err, "?%zu", sql->count);
}

enum ox_code ox_sql_put(struct ox_sql *sql, const char *text, const struct ox_db_value *values,
                        struct ox_err *err)
{
    size_t len = strcspn(text, "@");
    enum ox_code code = ox_buf_append(&sql->text, text, len, err);

    while (code == OX_OK && values != NULL && text[len] == '@') {
        text += len + 1;
        len = strcspn(text, "@");
        if ((code = bind(sql, values++, err)) == OX_OK) {
            code = ox_buf_append(&sql->text, text, len, err);
        }
    }
    return code;
}

static enum ox_code put(struct emitter *emitter, const char *text, const struct ox_db_value *value)
{
    return ox_sql_put(emitter->sql, text, value, emitter->err);
}

static struct ox_db_value value_of(const struct emitter *emitter,
                                   const struct ox_filter_value *value, bool as_text)
{
    if (as_text || value->type == OX_VALUE_TEXT) {
        return (struct ox_db_value){.type = OX_DB_TEXT, .text = value->text};
    }
    if (value->type == OX_VALUE_REAL) {
        return (struct ox_db_value){.type = OX_DB_REAL, .real = value->real};
    }
    return (struct ox_db_value){.type = OX_DB_INT,
                                .number = value->type == OX_VALUE_AGO
                                              ? emitter->moment->now_ms - value->number
                                              : value->number};
}

static const struct ox_filter_value *first_value(const struct emitter *emitter,
                                                 const struct ox_filter_test *test)
{
    return &emitter->filter->values[test->first];
}

/* An expression of ours, whose "@" is `param`, then "op" and the test's value or values. */
static enum ox_code put_op(struct emitter *emitter, const struct ox_filter_test *test,
                           const char *value, const struct ox_db_value *param, bool as_text)
{
    static const struct {
        unsigned ops;
        const char *plain;   /* of numbers, times and equal texts */
        const char *natural; /* of texts that have an order */
    } rows[] = {
        {OX_FILTER_EQ | OX_FILTER_NE, " = @", " = @"},
        {OX_FILTER_LT, " < @", ", @) < 0"},
        {OX_FILTER_LE, " <= @", ", @) <= 0"},
        {OX_FILTER_GT, " > @", ", @) > 0"},
        {OX_FILTER_GE, " >= @", ", @) >= 0"},
        {OX_FILTER_GLOB, " GLOB @", " GLOB @"},
        {OX_FILTER_IN | OX_FILTER_NOT_IN, " IN (@", " IN (@"},
    };
    bool lists = (test->op & (OX_FILTER_IN | OX_FILTER_NOT_IN)) != 0;
    enum ox_code code = OX_OK;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ox_db_value bound;

        if ((rows[i].ops & (unsigned)test->op) == 0) {
            continue;
        }
        bound = value_of(emitter, first_value(emitter, test), as_text);
        if (as_text && rows[i].plain != rows[i].natural) {
            code = put(emitter, "ox_natural(", NULL);
        }
        if (code == OX_OK && (code = put(emitter, value, param)) == OX_OK) {
            code = put(emitter, as_text ? rows[i].natural : rows[i].plain, &bound);
        }
    }
    for (size_t i = 1; code == OX_OK && lists && i < test->count; i++) {
        struct ox_db_value bound =
            value_of(emitter, &emitter->filter->values[test->first + i], as_text);

        code = put(emitter, ", @", &bound);
    }
    return code == OX_OK && lists ? put(emitter, ")", NULL) : code;
}

static enum ox_code put_guarded(struct emitter *emitter, const struct ox_filter_test *test,
                                const char *guard_front, const char *guard_back, const char *value,
                                const struct ox_db_value *param, bool as_text)
{
    enum ox_code code;

    if ((code = put(emitter, guard_front, NULL)) != OX_OK ||
        (code = put(emitter, value, param)) != OX_OK ||
        (code = put(emitter, guard_back, NULL)) != OX_OK) {
        return code;
    }
    if (test->op != OX_FILTER_EXISTS && test->op != OX_FILTER_HOLDS &&
        ((code = put(emitter, " AND ", NULL)) != OX_OK ||
         (code = put_op(emitter, test, value, param, as_text)) != OX_OK)) {
        return code;
    }
    return put(emitter, ")", NULL);
}

#define THERE "(", " IS NOT NULL"
#define A_NUMBER "(typeof(", ") IN ('integer', 'real')"
#define A_TEXT "(typeof(", ") = 'text'"

/* JSON holds numbers and texts: a number is compared with both, as what each is. */
static enum ox_code put_any(struct emitter *emitter, const struct ox_filter_test *test,
                            const char *value, const struct ox_db_value *param)
{
    bool numbers = test->count > 0;
    enum ox_code code;

    for (size_t i = 0; i < test->count; i++) {
        numbers = numbers && first_value(emitter, test)[i].type != OX_VALUE_TEXT;
    }
    if (!numbers || test->op == OX_FILTER_GLOB) {
        char text[256];

        if (test->op == OX_FILTER_EXISTS) {
            return put_guarded(emitter, test, THERE, value, param, true);
        }
        (void)snprintf(text, sizeof(text), "CAST(%s AS TEXT)", value);
        return put_guarded(emitter, test, THERE, text, param, true);
    }
    if ((code = put(emitter, "(", NULL)) == OX_OK &&
        (code = put_guarded(emitter, test, A_NUMBER, value, param, false)) == OX_OK &&
        (code = put(emitter, " OR ", NULL)) == OX_OK &&
        (code = put_guarded(emitter, test, A_TEXT, value, param, true)) == OX_OK) {
        code = put(emitter, ")", NULL);
    }
    return code;
}

static enum ox_code compare(struct emitter *emitter, const struct ox_filter_test *test,
                            const char *value, const struct ox_db_value *param)
{
    switch (test->field->kind) {
    case OX_FILTER_ANY:
        return put_any(emitter, test, value, param);
    case OX_FILTER_NUMBER:
    case OX_FILTER_TIME:
        return put_guarded(emitter, test, THERE, value, param, false);
    case OX_FILTER_TEXT:
    case OX_FILTER_STATUS:
    case OX_FILTER_FLEET:
    case OX_FILTER_FLAG:
        break;
    }
    return put_guarded(emitter, test, THERE, value, param, true);
}

enum ox_code ox_filter_sql_compare(const struct ox_filter *filter,
                                   const struct ox_filter_moment *moment,
                                   const struct ox_filter_test *test, const char *value,
                                   const struct ox_db_value *param, struct ox_sql *sql,
                                   struct ox_err *err)
{
    struct emitter emitter = {filter, moment, NULL, sql, err};

    return compare(&emitter, test, value, param);
}

/* Is there a row x of the device that passes? Of all devices a set is gathered once, and "+" keeps
 * SQLite from looking each of its members up in devices: of sets that hold many of all devices that
 * takes eight times as long as a scan. One by one, the few rows of a device are looked up. */
static enum ox_code put_rows(struct emitter *emitter, const struct ox_filter_test *test,
                             const struct ox_db_value *param)
{
    const struct ox_filter_field *field = test->field;
    bool one = emitter->moment->one_by_one;
    enum ox_code code;

    if ((code = put(emitter, one ? "EXISTS (SELECT 1 FROM " : "+d.id IN (SELECT x.device_id FROM ",
                    NULL)) != OX_OK ||
        (code = put(emitter, field->from, NULL)) != OX_OK ||
        (code = put(emitter, one ? " x WHERE x.device_id = d.id AND " : " x WHERE ", NULL)) !=
            OX_OK ||
        (field->where != NULL && ((code = put(emitter, field->where, param)) != OX_OK ||
                                  (code = put(emitter, " AND ", NULL)) != OX_OK)) ||
        (code = compare(emitter, test, field->value, NULL)) != OX_OK) {
        return code;
    }
    return put(emitter, ")", NULL);
}

static enum ox_code put_test(struct emitter *emitter, const struct ox_filter_test *test)
{
    const struct ox_filter_field *field = test->field;
    struct ox_db_value param = {.type = OX_DB_TEXT, .text = test->param};
    bool opposite = (test->op & (OX_FILTER_NE | OX_FILTER_NOT_IN)) != 0;
    enum ox_code code;

    if (field->param == OX_FILTER_NOW) {
        param = (struct ox_db_value){.type = OX_DB_INT, .number = emitter->moment->now_ms};
    }
    if ((code = put(emitter, opposite ? "NOT (" : "(", NULL)) != OX_OK ||
        (code = field->from != NULL ? put_rows(emitter, test, &param)
                                    : compare(emitter, test, field->value, &param)) != OX_OK ||
        (field->kind == OX_FILTER_FLEET &&
         (code = emitter->fleets->put(emitter->fleets->ctx, emitter->filter, test, emitter->sql,
                                      emitter->err)) != OX_OK)) {
        return code;
    }
    return put(emitter, ")", NULL);
}

/* Recursion is bounded by what a filter may hold: its tests and how deep they stand. */
static enum ox_code put_node(struct emitter *emitter, uint32_t index)
{
    const struct ox_filter_node *node = &emitter->filter->nodes[index];
    enum ox_code code;

    if (node->kind == OX_NODE_TEST) {
        return put_test(emitter, &emitter->filter->tests[node->left]);
    }
    if ((code = put(emitter, node->kind == OX_NODE_NOT ? "NOT (" : "(", NULL)) != OX_OK ||
        (code = put_node(emitter, node->left)) != OX_OK) {
        return code;
    }
    if (node->kind != OX_NODE_NOT &&
        ((code = put(emitter, node->kind == OX_NODE_AND ? " AND " : " OR ", NULL)) != OX_OK ||
         (code = put_node(emitter, node->right)) != OX_OK)) {
        return code;
    }
    return put(emitter, ")", NULL);
}

enum ox_code ox_filter_sql(const struct ox_filter *filter, const struct ox_filter_moment *moment,
                           const struct ox_filter_fleets *fleets, struct ox_sql *sql,
                           struct ox_err *err)
{
    struct emitter emitter = {filter, moment, fleets, sql, err};

    return put_node(&emitter, filter->root);
}
