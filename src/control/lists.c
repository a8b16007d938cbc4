#include "inner.h"

#include "oxide/control/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A page under way: one transaction, and the rows so far. */
struct page {
    struct ox_tx tx;
    struct ox_page_filter filters[OX_LIST_FILTERS_MAX + 1];
    struct ox_page spec;
    struct ox_filter *filter; /* of devices; owned */
    struct ox_selection selection;
    json_t *rows;
    const char *next; /* as long as the transaction */
};

static enum ox_code begin(struct ox_control *control, const struct ox_list_query *query,
                          struct page *page, struct ox_err *err)
{
    *page = (struct page){.tx = OX_TX_INIT, .rows = json_array()};
    page->spec = (struct ox_page){.sort = query->sort,
                                  .cursor = query->cursor,
                                  .limit = query->limit,
                                  .filters = page->filters,
                                  .filter_count = query->filter_count};
    for (size_t i = 0; i < query->filter_count; i++) {
        page->filters[i] = (struct ox_page_filter){query->filters[i].name, query->filters[i].value};
    }
    return page->rows == NULL ? ox_err_nomem(err, "a list")
                              : ox_registry_begin(control->registry, OX_TX_READ, &page->tx, err);
}

static enum ox_code end(struct page *page, enum ox_code so_far, json_t **rows, char **next,
                        struct ox_err *err)
{
    char *copy = NULL;
    enum ox_code code = so_far == OX_OK ? ox_strdup(&copy, page->next, err) : so_far;

    ox_registry_end(&page->tx);
    ox_filter_free(page->filter);
    if (code != OX_OK) {
        json_decref(page->rows);
        return code;
    }
    *rows = page->rows;
    *next = copy;
    return OX_OK;
}

static enum ox_code append(struct page *page, enum ox_code code, json_t *take_row,
                           struct ox_err *err)
{
    return code == OX_OK ? ox_json_append(page->rows, take_row, err) : code;
}

/* The value of a filter; NULL if it was not given. */
static const char *filter_of(const struct ox_list_query *query, const char *name)
{
    for (size_t i = 0; i < query->filter_count; i++) {
        if (strcmp(query->filters[i].name, name) == 0) {
            return query->filters[i].value;
        }
    }
    return NULL;
}

/* --- devices --- */

/*
 * The status of a device is what it said, unless it has been silent for too long, and when it was
 * heard last may be in memory alone. So the registry is asked for all that may have the status, and
 * of its rows those are kept that do.
 */
static void narrow_by_status(struct ox_control *control, struct page *page, char now[static 24])
{
    static const char yes[] = "1";

    for (size_t i = 0; i < page->spec.filter_count; i++) {
        struct ox_page_filter *filter = &page->filters[i];

        if (strcmp(filter->name, "status") != 0) {
            continue;
        }
        if (strcmp(filter->value, ox_device_status_word(OX_DEVICE_UNKNOWN)) == 0) {
            *filter = (struct ox_page_filter){"never_seen", yes};
        } else if (strcmp(filter->value, ox_device_status_word(OX_DEVICE_OFFLINE)) == 0) {
            (void)snprintf(now, 24, "%lld", (long long)ox_control_now(control));
            *filter = (struct ox_page_filter){"silent", now};
        } else if (strcmp(filter->value, ox_device_status_word(OX_DEVICE_CONFLICT)) == 0) {
            *filter = (struct ox_page_filter){"in_conflict", yes};
        } else {
            filter->name = "said";
        }
    }
}

/* Leave a filter to the selection. */
static void drop_filter(struct page *page, const char *name)
{
    size_t kept = 0;

    for (size_t i = 0; i < page->spec.filter_count; i++) {
        if (strcmp(page->filters[i].name, name) != 0) {
            page->filters[kept++] = page->filters[i];
        }
    }
    page->spec.filter_count = kept;
}

/* By a filter, and by a fleet that has one; a fleet that is a list is one of the registry's own
 * filters, which goes by its members. */
static enum ox_code narrow_by_selection(struct ox_control *control,
                                        const struct ox_list_query *query, struct page *page,
                                        struct ox_err *err)
{
    const char *text = filter_of(query, "filter");
    const char *fleet_id = filter_of(query, "fleet");
    struct ox_fleet_row fleet = {.filter = NULL};
    enum ox_code code = text == NULL ? OX_OK : ox_filter_parse(&page->filter, text, err);

    if (code == OX_OK && fleet_id != NULL) {
        code = ox_registry_fleet_get(&page->tx, fleet_id, &fleet, err);
        if (code == OX_ENOTFOUND) { /* nobody is in it, as with any other filter */
            ox_err_clear(err);
            code = OX_OK;
        }
    }
    if (code != OX_OK) {
        return code;
    }
    drop_filter(page, "filter");
    if (fleet.filter != NULL) {
        drop_filter(page, "fleet");
    }
    page->selection = ox_select_now(control, fleet.filter != NULL ? fleet_id : NULL, page->filter);
    page->spec.selection = &page->selection;
    return OX_OK;
}

/* What heartbeats change is written before the first page, if it is asked for. */
static enum ox_code refresh(struct ox_control *control, const struct ox_list_query *query,
                            struct page *page, struct ox_err *err)
{
    bool live = false;
    enum ox_code code = OX_OK;

    if (query->cursor == NULL) {
        code = ox_registry_selection_is_live(&page->tx, &page->selection, &live, err);
    }
    if (code == OX_OK && live) {
        ox_registry_end(&page->tx);
        if ((code = ox_live_flush(control, err)) == OX_OK) {
            code = ox_registry_begin(control->registry, OX_TX_READ, &page->tx, err);
        }
    }
    return code;
}

OX_CONTROL_LIST(devices)
{
    const char *status = filter_of(query, "status");
    struct ox_device_row *found = NULL;
    struct page page;
    char now[24];
    size_t count = 0;
    enum ox_code code = begin(control, query, &page, err);

    if (code == OX_OK && (code = narrow_by_selection(control, query, &page, err)) == OX_OK &&
        (code = refresh(control, query, &page, err)) == OX_OK) {
        narrow_by_status(control, &page, now);
        code = ox_registry_device_page(&page.tx, &page.spec, &found, &count, &page.next, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        json_t *row = NULL;

        if (status == NULL || strcmp(status, ox_device_status(control, &found[i])) == 0) {
            code = ox_device_json(control, &page.tx, &found[i], &row, err);
            code = append(&page, code, row, err);
        }
    }
    return end(&page, code, rows, next, err);
}

/* --- fleets --- */

OX_CONTROL_LIST(fleets)
{
    const char *device = filter_of(query, "device");
    struct ox_fleet_row *found = NULL;
    struct page page;
    size_t count = 0;
    enum ox_code code = begin(control, query, &page, err);

    if (code == OX_OK) {
        code = ox_registry_fleet_page(&page.tx, &page.spec, &found, &count, &page.next, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        const struct ox_selection members = ox_select_now(control, found[i].id, NULL);
        json_t *row = NULL;
        bool holds = true;

        if (device != NULL && found[i].filter != NULL) {
            code = ox_registry_selected_has(&page.tx, &members, device, &holds, err);
        }
        if (code == OX_OK && holds) {
            code = ox_fleet_json(control, &page.tx, &found[i], query->brief, &row, err);
            code = append(&page, code, row, err);
        }
    }
    return end(&page, code, rows, next, err);
}

/* --- models --- */

OX_CONTROL_LIST(models)
{
    struct ox_model_row *found = NULL;
    struct page page;
    size_t count = 0;
    enum ox_code code = begin(control, query, &page, err);

    if (code == OX_OK) {
        code = ox_registry_model_page(&page.tx, &page.spec, &found, &count, &page.next, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        json_t *row = NULL;

        code = ox_model_json(&found[i], &row, err);
        code = append(&page, code, row, err);
    }
    return end(&page, code, rows, next, err);
}

OX_CONTROL_LIST(versions)
{
    const char *model = filter_of(query, "model");
    struct ox_version_row *found = NULL;
    struct page page;
    size_t count = 0;
    enum ox_code code = begin(control, query, &page, err);

    if (code == OX_OK) {
        code = ox_registry_version_page(&page.tx, &page.spec, &found, &count, &page.next, err);
    }
    if (code == OX_OK && count == 0 && query->cursor == NULL) {
        code = ox_err_set(err, OX_ENOTFOUND, "there is no model %s: push a version of it",
                          model == NULL ? "" : model);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        json_t *row = NULL;

        code = ox_version_row_json(&page.tx, &found[i], &row, err);
        code = append(&page, code, row, err);
    }
    return end(&page, code, rows, next, err);
}

/* --- campaigns --- */

OX_CONTROL_LIST(campaigns)
{
    struct ox_campaign_row *found = NULL;
    struct page page;
    size_t count = 0;
    enum ox_code code = begin(control, query, &page, err);

    if (code == OX_OK) {
        code = ox_registry_campaign_page(&page.tx, &page.spec, &found, &count, &page.next, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        json_t *row = NULL;

        code = ox_campaign_row_json(&page.tx, &found[i], &row, err);
        code = append(&page, code, row, err);
    }
    return end(&page, code, rows, next, err);
}

OX_CONTROL_LIST(campaign_devices)
{
    const char *campaign_id = filter_of(query, "campaign");
    struct ox_campaign_device_row *found = NULL;
    struct ox_campaign_row campaign;
    struct page page;
    size_t count = 0;
    enum ox_code code = begin(control, query, &page, err);

    if (code == OX_OK &&
        (code = ox_registry_campaign_get(&page.tx, campaign_id == NULL ? "" : campaign_id,
                                         &campaign, err)) == OX_OK) {
        code =
            ox_registry_campaign_device_page(&page.tx, &page.spec, &found, &count, &page.next, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        json_t *row = NULL;

        code = ox_campaign_device_json(control, &found[i], &row, err);
        code = append(&page, code, row, err);
    }
    return end(&page, code, rows, next, err);
}

/* --- delta jobs --- */

OX_CONTROL_LIST(jobs)
{
    struct ox_job_row *found = NULL;
    struct page page;
    size_t count = 0;
    enum ox_code code = begin(control, query, &page, err);

    if (code == OX_OK) {
        code = ox_registry_job_page(&page.tx, &page.spec, &found, &count, &page.next, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        json_t *row = NULL;

        code = ox_job_json(control, &page.tx, &found[i], &row, err);
        code = append(&page, code, row, err);
    }
    return end(&page, code, rows, next, err);
}

/* --- what ran where --- */

OX_CONTROL_LIST(device_history)
{
    const char *device_id = filter_of(query, "device");
    struct ox_history_row *found = NULL;
    struct ox_device_row device;
    struct page page;
    size_t count = 0;
    enum ox_code code = begin(control, query, &page, err);

    page.spec.sort = query->sort == NULL ? "-id" : query->sort;
    if (code == OX_OK) {
        code = ox_registry_history_page(&page.tx, &page.spec, &found, &count, &page.next, err);
    }
    if (code == OX_OK && count == 0 && query->cursor == NULL) { /* it may be gone */
        code = ox_registry_device_get(&page.tx, device_id == NULL ? "" : device_id, &device, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        code = append(&page, OX_OK, ox_history_json(&found[i], true), err);
    }
    return end(&page, code, rows, next, err);
}

OX_CONTROL_LIST(model_where)
{
    struct ox_history_row *found = NULL;
    struct page page;
    char at[24];
    int64_t at_ms = 0;
    size_t count = 0;
    enum ox_code code = begin(control, query, &page, err);

    page.spec.sort = query->sort == NULL ? "device" : query->sort;
    for (size_t i = 0; i < page.spec.filter_count; i++) { /* our own stands behind the others */
        if (strcmp(page.filters[i].name, "at") == 0) {
            page.filters[i] = page.filters[--page.spec.filter_count];
        }
    }
    if (code == OX_OK) {
        code = ox_history_time(control, filter_of(query, "at"), &at_ms, err);
    }
    if (code == OX_OK) {
        (void)snprintf(at, sizeof(at), "%lld", (long long)at_ms);
        page.filters[page.spec.filter_count++] = (struct ox_page_filter){"at", at};
        code = ox_registry_history_page(&page.tx, &page.spec, &found, &count, &page.next, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        code = append(&page, OX_OK, ox_history_json(&found[i], false), err);
    }
    return end(&page, code, rows, next, err);
}

/* --- devices that are not known --- */

OX_CONTROL_LIST(pending_devices)
{
    struct ox_pending_row *found = NULL;
    struct page page;
    size_t count = 0;
    enum ox_code code = begin(control, query, &page, err);

    if (filter_of(query, "state") == NULL) {
        page.filters[page.spec.filter_count++] = (struct ox_page_filter){"state", "pending"};
    }
    if (code == OX_OK) {
        code = ox_registry_pending_page(&page.tx, &page.spec, &found, &count, &page.next, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        code = append(&page, OX_OK, ox_pending_json(&found[i]), err);
    }
    return end(&page, code, rows, next, err);
}
