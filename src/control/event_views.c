#include "inner.h"

#include "oxide/registry/event.h"

#include <string.h>

static bool is_known(const char *word, size_t len)
{
    for (size_t i = 0; i < ox_event_kinds_count; i++) {
        const char *kind = ox_event_kinds[i].word;

        if (strncmp(kind, word, len) == 0 && (kind[len] == '\0' || kind[len] == '.')) {
            return true;
        }
    }
    return false;
}

enum ox_code ox_control_event_kinds_check(const char *kinds, struct ox_err *err)
{
    const char *at = kinds;

    for (;; at++) {
        size_t len = strcspn(at, ",");

        if (len == 0 || !is_known(at, len)) {
            return ox_err_set(err, OX_EINVAL,
                              "\"%.*s\" is no kind of event, nor the first word of one, such as "
                              "\"campaign\" or \"campaign.paused\"",
                              len < 64 ? (int)len : 64, at);
        }
        at += len;
        if (*at == '\0') {
            return OX_OK;
        }
    }
}

static struct ox_event_filter filter_of(const struct ox_event_query *query)
{
    return (struct ox_event_filter){query->kinds, query->device_id, query->campaign_id};
}

enum ox_code ox_control_events_start(struct ox_control *control, const struct ox_event_query *query,
                                     const struct ox_event_from *from, int64_t *after,
                                     struct ox_err *err)
{
    struct ox_event_filter filter = filter_of(query);
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = OX_OK;

    if (from->how == OX_EVENTS_FROM_AFTER) {
        *after = from->value;
        return OX_OK;
    }
    code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err);
    if (code == OX_OK) {
        code = from->how == OX_EVENTS_FROM_SINCE
                   ? ox_registry_events_since(&tx, from->value, after, err)
                   : ox_registry_events_before_last(
                         &tx, &filter, from->how == OX_EVENTS_FROM_LAST ? (size_t)from->value : 0,
                         after, err);
    }
    ox_registry_end(&tx);
    return code;
}

json_t *ox_event_json(const struct ox_event_row *row)
{
    return json_pack("{s:I, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "id", (json_int_t)row->id,
                     "at", ox_json_of_time(row->at_ms), "kind", row->kind, "device_id",
                     ox_json_of_str(row->device_id), "campaign_id",
                     ox_json_of_str(row->campaign_id), "model_id", ox_json_of_str(row->model_id),
                     "actor", ox_json_of_str(row->actor), "request_id",
                     ox_json_of_str(row->request_id), "data", ox_json_of_text(row->data));
}

enum ox_code ox_control_events(struct ox_control *control, const struct ox_event_query *query,
                               int64_t after, size_t limit, struct ox_event_page *out,
                               struct ox_err *err)
{
    struct ox_event_filter filter = filter_of(query);
    struct ox_event_page page = {.events = json_array()};
    struct ox_event_bounds bounds;
    struct ox_event_row *rows = NULL;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err);

    if (code == OX_OK && (code = ox_registry_events_bounds(&tx, &bounds, err)) == OX_OK) {
        page.oldest = bounds.oldest;
        page.newest = bounds.newest;
        code = ox_registry_events(&tx, &filter, after,
                                  limit < OX_EVENTS_PAGE_MAX ? limit : OX_EVENTS_PAGE_MAX, &rows,
                                  &page.count, &page.next, err);
    }
    for (size_t i = 0; code == OX_OK && i < page.count; i++) {
        code = ox_json_append(page.events, ox_event_json(&rows[i]), err);
    }
    ox_registry_end(&tx);
    if (code != OX_OK) {
        json_decref(page.events);
        return code;
    }
    *out = page;
    return OX_OK;
}
