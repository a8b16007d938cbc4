#include "lists.h"

#include "oxide/base/percent.h"
#include "oxide/wire/header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_ROWS 100 /* of a page that says no limit */
#define PIECE_ROWS 250

/* A list on its way out. */
struct walk {
    struct ox_request *request; /* ends after us */
    const struct ox_list_answer *list;
    struct ox_list_query query;
    char *cursor; /* of the next page; owned */
    bool begun;
    bool has_rows;
};

static void clear(void *arg)
{
    struct walk *walk = arg;

    free(walk->cursor);
    free(walk);
}

/* --- what is asked for --- */

static bool is_of_all_lists(const char *name)
{
    static const char *const names[] = {"limit", "cursor", "sort", "devices"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void read_query(const struct ox_request *request, const struct ox_list_answer *list,
                       struct ox_list_query *out)
{
    *out = (struct ox_list_query){.sort = ox_request_query(request, "sort"),
                                  .cursor = ox_request_query(request, "cursor"),
                                  .limit = ox_request_query_u64(request, "limit", PAGE_ROWS),
                                  .brief = !ox_request_query_flag(request, "devices", true)};
    if (list->parent != NULL) {
        out->filters[0].name = list->parent;
        out->filters[out->filter_count++].value = request->params.value[0];
    }
    for (size_t i = 0; i < request->query.count && out->filter_count < OX_LIST_FILTERS_MAX; i++) {
        const char *name = ox_parameter_name(request->query.given[i].parameter);

        if (!is_of_all_lists(name)) {
            out->filters[out->filter_count].name = name;
            out->filters[out->filter_count++].value = request->query.given[i].value;
        }
    }
}

/* --- rows --- */

static enum ox_code append_rows(struct walk *walk, const json_t *rows, struct ox_buf *out,
                                struct ox_err *err)
{
    json_t *row;
    size_t i;
    enum ox_code code = OX_OK;

    json_array_foreach(rows, i, row)
    {
        char *text = NULL;

        if (code == OX_OK && walk->has_rows) {
            code = ox_buf_append(out, ",", 1, err);
        }
        if (code == OX_OK && (code = ox_json_text(row, &text, err)) == OX_OK) {
            code = ox_buf_append(out, text, strlen(text), err);
        }
        free(text);
        walk->has_rows = true;
    }
    return code;
}

static enum ox_code append_head(struct walk *walk, struct ox_buf *out, struct ox_err *err)
{
    const struct ox_list_answer *list = walk->list;

    walk->begun = true;
    return list->head != NULL ? list->head(walk->request, out, err)
                              : ox_buf_append(out, list->before, strlen(list->before), err);
}

/* One page of the walk; walk->cursor is NULL behind the last. */
static enum ox_code step(struct walk *walk, struct ox_buf *out, struct ox_err *err)
{
    json_t *rows = NULL;
    char *next = NULL;
    enum ox_code code =
        walk->list->page(walk->request->api->control, &walk->query, &rows, &next, err);

    if (code != OX_OK) {
        return code;
    }
    free(walk->cursor);
    walk->cursor = next;
    walk->query.cursor = next;
    code = walk->begun ? OX_OK : append_head(walk, out, err);
    if (code == OX_OK) {
        code = append_rows(walk, rows, out, err);
    }
    json_decref(rows);
    return code;
}

static enum ox_code append_tail(const struct walk *walk, struct ox_buf *out, struct ox_err *err)
{
    return ox_buf_append(out, walk->list->after, strlen(walk->list->after), err);
}

/* --- all of it --- */

static enum ox_code next_piece(void *arg, struct ox_buf *out, bool *end, struct ox_err *err)
{
    struct walk *walk = arg;
    enum ox_code code = step(walk, out, err);

    *end = walk->cursor == NULL;
    return code == OX_OK && *end ? append_tail(walk, out, err) : code;
}

/* --- one page --- */

/* The address of the next page: the same question with another cursor. */
static enum ox_code next_link(const struct walk *walk, struct ox_buf *out, struct ox_err *err)
{
    const struct ox_query *query = &walk->request->query;
    enum ox_code code = ox_buf_printf(out, err, "<%s?cursor=%s", walk->request->path, walk->cursor);

    for (size_t i = 0; code == OX_OK && i < query->count; i++) {
        const char *name = ox_parameter_name(query->given[i].parameter);

        if (strcmp(name, "cursor") != 0 &&
            (code = ox_buf_printf(out, err, "&%s=", name)) == OX_OK) {
            code = ox_percent_encode(out, query->given[i].value, err);
        }
    }
    return code == OX_OK ? ox_buf_printf(out, err, ">; rel=\"next\"") : code;
}

static enum ox_code reply_page(struct walk *walk, struct ox_err *err)
{
    struct ox_request *request = walk->request;
    struct ox_buf body = OX_BUF_INIT;
    struct ox_buf link = OX_BUF_INIT;
    enum ox_code code = step(walk, &body, err);

    if (code == OX_OK) {
        code = append_tail(walk, &body, err);
    }
    if (code == OX_OK && walk->cursor != NULL && (code = next_link(walk, &link, err)) == OX_OK) {
        ox_request_set_header(request, OX_HEADER_NEXT_CURSOR, "%s", walk->cursor);
        ox_request_set_header(request, "Link", "%s", (const char *)link.data);
    }
    if (code == OX_OK) {
        code = ox_reply_bytes(request, 200, OX_MEDIA_JSON, (char *)body.data, body.len_bytes, err);
        body = (struct ox_buf)OX_BUF_INIT; /* taken */
    }
    ox_buf_clear(&body);
    ox_buf_clear(&link);
    return code;
}

enum ox_code ox_reply_list(struct ox_request *request, const struct ox_list_answer *list,
                           struct ox_err *err)
{
    static const struct ox_pieces pieces = {next_piece, clear};
    bool paged =
        ox_request_query(request, "limit") != NULL || ox_request_query(request, "cursor") != NULL;
    struct walk *walk = calloc(1, sizeof(*walk));
    enum ox_code code;

    if (walk == NULL) {
        return ox_err_nomem(err, "a list");
    }
    walk->request = request;
    walk->list = list;
    read_query(request, list, &walk->query);
    if (paged) {
        code = reply_page(walk, err);
        clear(walk);
        return code;
    }
    walk->query.limit = list->piece_rows != 0 ? list->piece_rows : PIECE_ROWS;
    return ox_reply_pieces(request, 200, OX_MEDIA_JSON, &pieces, walk, err);
}
