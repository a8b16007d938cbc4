/**
 * Pages of lists. Rows are sorted by one of the list's columns and, where that is the same, by the
 * list's key; a page begins behind the row that ended the one before (keyset paging), so it costs
 * the same wherever it lies, and rows that come and go meanwhile neither repeat nor hide others.
 */
#ifndef OXIDE_REGISTRY_PAGE_H
#define OXIDE_REGISTRY_PAGE_H

#include "oxide/registry/registry.h"

#define OX_PAGE_FILTERS_MAX 8
struct ox_page_filter {
    const char *name;
    const char *value;
};

struct ox_selection;

/** What is asked for. */
struct ox_page {
    const char *sort;   /* a column's name, with - in front for falling; NULL: the list's own */
    const char *cursor; /* what the page before gave; NULL: from the start */
    uint64_t limit;     /* rows, 1 or more */
    const struct ox_page_filter *filters;
    size_t filter_count;
    const struct ox_selection *selection; /* of devices (select.h); NULL: all of them */
};

/* Each list has a function ox_registry_..._page(tx, page, &rows, &count, &next, err), beside its
 * table. *next is the cursor of the next page, NULL behind the last row; it lives as long as the
 * transaction. Errors: OX_EINVAL for a sort that the list does not know, or a cursor that is not of
 * this list and sort. */

#endif
