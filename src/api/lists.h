/** Lists as answers: whole, streamed in bounded memory, or one page of them. */
#ifndef OX_API_LISTS_H
#define OX_API_LISTS_H

#include "request.h"

#include "oxide/control/list.h"

/* Parameters of every list, for its row in routes.c. */
#define OX_LIST_PARAMS "limit cursor sort"

/** A list: where its rows come from, and what stands around them. */
struct ox_list_answer {
    enum ox_code (*page)(struct ox_control *control, const struct ox_list_query *query,
                         json_t **rows, char **next, struct ox_err *err);
    const char *before;  /* of the rows: "[", or "{\"models\":[" */
    const char *after;   /* "]", "]}" */
    const char *parent;  /* a filter whose value is the first parameter of the path; NULL: none */
    uint64_t piece_rows; /* of a whole list, how many are in memory; 0: 250 */
    /** In place of `before`; NULL: that. */
    enum ox_code (*head)(struct ox_request *request, struct ox_buf *out, struct ox_err *err);
};

/**
 * With `limit` or `cursor`: one page, whose next one the headers Link and X-Oxide-Next-Cursor tell.
 * Without: all of it, piece by piece. Parameters that the route reads beside those of lists and
 * "devices" are filters, by their names.
 */
OX_MUST_USE enum ox_code ox_reply_list(struct ox_request *request,
                                       const struct ox_list_answer *list, struct ox_err *err);

#endif
