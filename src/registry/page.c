#include "page.h"

#include "select.h"

#include "oxide/base/base64.h"
#include "oxide/base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A value of the sort column or of the key. */
struct value {
    const char *text; /* NULL: a number */
    int64_t number;
};

/* How the rows of a page are sorted, and behind which row they begin. */
struct order {
    const struct ox_list_sort *sort;
    bool falling;
    bool by_key; /* the sort column is the key itself */
    const char *from;
    const char *key;
    bool is_rare;
    const char *word; /* as asked for, or the list's own */
    bool has_last;
    struct value last;
    struct value last_key;
};

/* --- the sort --- */

static enum ox_code unknown_sort(const struct ox_list *list, const char *word, struct ox_err *err)
{
    char known[256] = "";
    size_t used = 0;

    for (const struct ox_list_sort *at = list->sorts; at->name != NULL; at++) {
        used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", used == 0 ? "" : ", ",
                                 at->name);
    }
    return ox_err_set(err, OX_EINVAL,
                      "sort: %s cannot be sorted by \"%.64s\": one of %s, with - in front for "
                      "falling",
                      list->name, word, known);
}

static enum ox_code parse_sort(const struct ox_list *list, const char *word, struct order *out,
                               struct ox_err *err)
{
    const char *name;

    out->word = word == NULL || word[0] == '\0' ? list->sorts[0].name : word;
    out->falling = out->word[0] == '-';
    name = out->word + (out->falling ? 1 : 0);
    for (out->sort = list->sorts; out->sort->name != NULL; out->sort++) {
        if (strcmp(out->sort->name, name) == 0) {
            out->by_key = strcmp(out->sort->sql, list->key) == 0;
            return OX_OK;
        }
    }
    return unknown_sort(list, out->word, err);
}

/* --- cursors: base 64 of ["list", "sort", value, key] --- */

static json_t *value_json(const struct value *value)
{
    return value->text != NULL ? json_string(value->text) : json_integer(value->number);
}

static bool take_value(const json_t *json, bool is_text, struct value *out)
{
    out->text = json_string_value(json);
    out->number = json_integer_value(json);
    return is_text ? json_is_string(json) : json_is_integer(json);
}

static enum ox_code write_cursor(struct ox_tx *tx, const struct ox_list *list,
                                 const struct order *order, const struct value *last,
                                 const struct value *key, const char **out, struct ox_err *err)
{
    json_t *json =
        json_pack("[s, s, o, o]", list->name, order->word, value_json(last), value_json(key));
    struct ox_buf cursor = OX_BUF_INIT;
    char *text = NULL;
    void *kept = NULL;
    enum ox_code code =
        json == NULL ? ox_err_nomem(err, "a cursor") : ox_json_text(json, &text, err);

    if (code == OX_OK && (code = ox_base64_encode(&cursor, text, strlen(text), err)) == OX_OK &&
        (code = ox_db_alloc(tx, cursor.len_bytes + 1, &kept, err)) == OX_OK) {
        memcpy(kept, cursor.data, cursor.len_bytes);
        *out = kept;
    }
    ox_buf_clear(&cursor);
    free(text);
    json_decref(json);
    return code;
}

/* *json keeps the values; the caller releases it. */
static enum ox_code read_cursor(const struct ox_list *list, const char *cursor, struct order *out,
                                json_t **json, struct ox_err *err)
{
    struct ox_buf text = OX_BUF_INIT;
    enum ox_code code = ox_base64_decode(&text, cursor, NULL);
    bool fits = code == OX_OK && ox_json_parse(text.data == NULL ? (const void *)"" : text.data,
                                               text.len_bytes, json, NULL) == OX_OK;
    const char *name = fits ? json_string_value(json_array_get(*json, 0)) : NULL;
    const char *word = fits ? json_string_value(json_array_get(*json, 1)) : NULL;

    ox_buf_clear(&text);
    if (code == OX_ENOMEM) {
        return ox_err_nomem(err, "a cursor");
    }
    out->has_last = fits && name != NULL && strcmp(name, list->name) == 0 && word != NULL &&
                    json_array_size(*json) == 4 && strcmp(word, out->word) == 0 &&
                    take_value(json_array_get(*json, 2), out->sort->is_text, &out->last) &&
                    take_value(json_array_get(*json, 3), list->key_is_text, &out->last_key);
    return out->has_last
               ? OX_OK
               : ox_err_set(err, OX_EINVAL,
                            "the cursor is not of %s sorted by %.64s: take it as the page before "
                            "gave it, with the same sort, or begin without one",
                            list->name, out->word);
}

/* --- the query --- */

/* Find each filter, and what it says of where the rows are. */
static enum ox_code find_filters(const struct ox_list *list, const struct ox_page *page,
                                 const struct ox_list_filter **out, struct order *order,
                                 struct ox_err *err)
{
    order->from = list->from;
    order->key = list->key;
    for (size_t i = 0; i < page->filter_count; i++) {
        const struct ox_list_filter *at = list->filters;

        while (at->name != NULL && strcmp(at->name, page->filters[i].name) != 0) {
            at++;
        }
        if (at->name == NULL) {
            return ox_err_set(err, OX_EINVAL, "%s have no filter \"%.64s\"", list->name,
                              page->filters[i].name);
        }
        order->from = at->from != NULL ? at->from : order->from;
        order->key = at->key != NULL ? at->key : order->key;
        order->is_rare = order->is_rare || at->is_rare;
        out[i] = at;
    }
    return OX_OK;
}

static enum ox_code write_where(struct ox_selecting *selecting,
                                const struct ox_list_filter *const *filters,
                                const struct ox_page *page, const struct order *order,
                                struct ox_err *err)
{
    struct ox_buf *sql = &selecting->sql.text;
    char than = order->falling ? '<' : '>';
    enum ox_code code = ox_buf_printf(sql, err, " WHERE 1");

    if (code == OX_OK && page->selection != NULL &&
        (code = ox_buf_printf(sql, err, " AND ")) == OX_OK) {
        code = ox_select_put(selecting, page->selection, err);
    }
    for (size_t i = 0; code == OX_OK && i < page->filter_count; i++) {
        code = ox_buf_printf(sql, err, " AND %s", filters[i]->sql);
    }
    if (code == OX_OK && order->has_last) {
        code = order->by_key ? ox_buf_printf(sql, err, " AND %s %c ?", order->key, than)
                             : ox_buf_printf(sql, err, " AND (%s, %s) %c (?, ?)", order->sort->sql,
                                             order->key, than);
    }
    return code;
}

static enum ox_code write_order(struct ox_buf *sql, const struct order *order, const char *key,
                                struct ox_err *err)
{
    const char *way = order->falling ? " DESC" : "";

    if (order->by_key) {
        return ox_buf_printf(sql, err, " ORDER BY %s%s", key, way);
    }
    /* "+" keeps SQLite from walking the sort's index in search of the few that fit */
    return ox_buf_printf(sql, err, " ORDER BY %s%s%s, %s%s", order->is_rare ? "+" : "",
                         order->sort->sql, way, key, way);
}

/* Which rows are on the page: the part of the query that has all of its values. */
static enum ox_code write_page(struct ox_selecting *selecting,
                               const struct ox_list_filter *const *filters,
                               const struct ox_page *page, const struct order *order,
                               struct ox_err *err)
{
    struct ox_buf *sql = &selecting->sql.text;
    enum ox_code code = ox_buf_printf(sql, err, " FROM %s", order->from);

    if (code == OX_OK && (code = write_where(selecting, filters, page, order, err)) == OX_OK &&
        (code = write_order(sql, order, order->key, err)) == OX_OK) {
        code = ox_buf_printf(sql, err, " LIMIT ?");
    }
    return code;
}

static enum ox_code write_sql(struct ox_selecting *selecting, const struct ox_list *list,
                              const struct ox_page *page, struct order *order, struct ox_err *err)
{
    struct ox_buf *sql = &selecting->sql.text;
    const struct ox_list_filter *filters[OX_PAGE_FILTERS_MAX];
    const char *sort;
    bool late;
    enum ox_code code =
        page->filter_count > OX_PAGE_FILTERS_MAX
            ? ox_err_set(err, OX_EINVAL, "a list has at most %d filters", OX_PAGE_FILTERS_MAX)
            : find_filters(list, page, filters, order, err);

    if (code != OX_OK) {
        return code;
    }
    late = list->is_wide && !order->by_key;
    sort = order->by_key ? order->key : order->sort->sql;
    code = ox_buf_printf(sql, err, "SELECT %s, %s, %s", list->columns, sort,
                         late ? list->key : order->key);
    if (code == OX_OK && late) {
        code = ox_buf_printf(sql, err, " FROM %s WHERE %s IN (SELECT %s", list->from, list->key,
                             order->key);
    }
    if (code == OX_OK) {
        code = write_page(selecting, filters, page, order, err);
    }
    if (code == OX_OK && late && (code = ox_buf_printf(sql, err, ")")) == OX_OK) {
        code = write_order(sql, order, list->key, err);
    }
    return code;
}

static int bind_value(sqlite3_stmt *statement, int index, const struct value *value)
{
    return value->text != NULL
               ? sqlite3_bind_text(statement, index, value->text, -1, SQLITE_TRANSIENT)
               : sqlite3_bind_int64(statement, index, value->number);
}

/* A selection's parameters are the first, and have numbers; the others follow in order. */
static enum ox_code bind(struct ox_selecting *selecting, sqlite3_stmt *statement,
                         const struct ox_page *page, const struct order *order, struct ox_err *err)
{
    int index = (int)selecting->sql.count + 1;
    int result = SQLITE_OK;

    for (size_t i = 0; result == SQLITE_OK && i < page->filter_count; i++) {
        result =
            sqlite3_bind_text(statement, index++, page->filters[i].value, -1, SQLITE_TRANSIENT);
    }
    if (result == SQLITE_OK && order->has_last && !order->by_key) {
        result = bind_value(statement, index++, &order->last);
    }
    if (result == SQLITE_OK && order->has_last) {
        result = bind_value(statement, index++, &order->last_key);
    }
    if (result == SQLITE_OK) { /* one more than asked for tells whether there is a next page */
        result = sqlite3_bind_int64(statement, index, (sqlite3_int64)page->limit + 1);
    }
    return result == SQLITE_OK ? OX_OK
                               : ox_db_error(selecting->tx->connection->db, "binding a value", err);
}

/* --- the rows --- */

static struct value read_value(struct ox_db_row *row, bool is_text)
{
    struct value value = {NULL, 0};

    if (is_text) {
        value.text = ox_db_text(row);
        value.text = value.text == NULL ? "" : value.text;
    } else {
        value.number = ox_db_i64(row);
    }
    return value;
}

static enum ox_code read_rows(struct ox_tx *tx, sqlite3_stmt *statement, const struct ox_list *list,
                              const struct ox_page *page, const struct order *order, char *rows,
                              size_t *count, const char **next, struct ox_err *err)
{
    struct value last = {NULL, 0};
    struct value key = {NULL, 0};
    enum ox_code code = OX_OK;

    while (code == OX_OK) {
        struct ox_db_row row = {tx, statement, 0, OX_OK, err};
        bool found = false;

        code = ox_db_step(tx, statement, &found, err);
        if (code != OX_OK || !found) {
            break;
        }
        if (*count == page->limit) {
            return write_cursor(tx, list, order, &last, &key, next, err);
        }
        list->read(&row, rows + *count * list->row_bytes);
        last = read_value(&row, order->sort->is_text);
        key = read_value(&row, list->key_is_text);
        (*count)++;
        code = row.code;
    }
    return code;
}

enum ox_code ox_list_page(struct ox_tx *tx, const struct ox_list *list, const struct ox_page *page,
                          void **rows, size_t *count, const char **next, struct ox_err *err)
{
    struct order order = {.sort = NULL};
    struct ox_selecting selecting = {.tx = tx, .moment = {.one_by_one = true}};
    sqlite3_stmt *statement = NULL;
    json_t *cursor = NULL;
    const char *found_next = NULL;
    size_t found = 0;
    void *array = NULL;
    enum ox_code code = parse_sort(list, page->sort, &order, err);

    if (code == OX_OK && page->cursor != NULL) {
        code = read_cursor(list, page->cursor, &order, &cursor, err);
    }
    if (code == OX_OK && (code = write_sql(&selecting, list, page, &order, err)) == OX_OK &&
        (code = ox_db_once(tx, (const char *)selecting.sql.text.data, selecting.sql.values,
                           selecting.sql.count, &statement, err)) == OX_OK &&
        (code = bind(&selecting, statement, page, &order, err)) == OX_OK &&
        (code = ox_db_alloc(tx, page->limit * list->row_bytes, &array, err)) == OX_OK) {
        code = read_rows(tx, statement, list, page, &order, array, &found, &found_next, err);
    }
    ox_db_done(statement);
    json_decref(cursor);
    ox_selecting_clear(&selecting);
    if (code == OX_OK) {
        *rows = array;
        *count = found;
        *next = found_next;
    }
    return code;
}
