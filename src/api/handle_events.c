#include "handlers.h"

#include "feed.h"

#include "oxide/base/clock.h"
#include "oxide/wire/header.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_DEFAULT 100

/* A page looks at so many stretches of the log for events of rare kinds before it says where to go
 * on: a quarter of a second at the most. */
#define PAGE_TRIES 64

static enum ox_code from_of_header(const char *text, struct ox_event_from *out, struct ox_err *err)
{
    char *end = NULL;

    out->how = OX_EVENTS_FROM_AFTER;
    out->value = strtoll(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0'
               ? OX_OK
               : ox_err_set(err, OX_EINVAL, "Last-Event-ID must be the id of an event, a number");
}

/* Where to begin. Last-Event-ID wins: who reconnects repeats its first URL. */
static enum ox_code from_of(const struct ox_request *request, struct ox_event_from *out,
                            struct ox_err *err)
{
    const char *resumed = ox_request_header(request, "Last-Event-ID");
    const char *after = ox_request_query(request, "after");
    const char *since = ox_request_query(request, "since");
    const char *last = ox_request_query(request, "last");

    if ((after != NULL) + (since != NULL) + (last != NULL) > 1) {
        return ox_err_set(err, OX_EINVAL, "of after, since and last, name one");
    }
    if (resumed != NULL && resumed[0] != '\0') {
        return from_of_header(resumed, out, err);
    }
    if (since != NULL) {
        out->how = OX_EVENTS_FROM_SINCE;
        return ox_time_parse(since, &out->value, err);
    }
    if (after != NULL || last != NULL) {
        out->how = after != NULL ? OX_EVENTS_FROM_AFTER : OX_EVENTS_FROM_LAST;
        out->value = (int64_t)ox_request_query_u64(request, after != NULL ? "after" : "last", 0);
    }
    return OX_OK;
}

static bool wants_json(const struct ox_request *request)
{
    const char *format = ox_request_query(request, "format");
    const char *accept = ox_request_header(request, "Accept");

    if (format != NULL) {
        return strcmp(format, "json") == 0;
    }
    return accept != NULL && strstr(accept, OX_MEDIA_JSON) != NULL &&
           strstr(accept, "text/event-stream") == NULL;
}

static enum ox_code page(struct ox_request *request, const struct ox_event_query *query,
                         int64_t after, size_t limit, struct ox_err *err)
{
    struct ox_control *control = request->api->control;
    struct ox_event_page found = {.events = NULL};
    enum ox_code code = ox_control_events(control, query, after, limit, &found, err);

    for (int tries = 1;
         code == OX_OK && found.count == 0 && found.next < found.newest && tries < PAGE_TRIES;
         tries++) {
        json_decref(found.events);
        code = ox_control_events(control, query, found.next, limit, &found, err);
    }
    return code == OX_OK
               ? ox_reply_json(request, 200,
                               json_pack("{s:o, s:I, s:I, s:I}", "events", found.events, "next",
                                         (json_int_t)found.next, "oldest", (json_int_t)found.oldest,
                                         "newest", (json_int_t)found.newest),
                               err)
               : code;
}

OX_HANDLER(events)
{
    const struct ox_event_query query = {ox_request_query(request, "kind"),
                                         ox_request_query(request, "device"),
                                         ox_request_query(request, "campaign")};
    struct ox_event_from from = {OX_EVENTS_FROM_NOW, 0};
    size_t limit = (size_t)ox_request_query_u64(request, "limit", PAGE_DEFAULT);
    bool as_json = wants_json(request);
    int64_t after = 0;
    enum ox_code code = from_of(request, &from, err);

    if (code == OX_OK && query.kinds != NULL) {
        code = ox_control_event_kinds_check(query.kinds, err);
    }
    if (as_json && from.how == OX_EVENTS_FROM_NOW) {
        from = (struct ox_event_from){OX_EVENTS_FROM_LAST, (int64_t)limit};
    }
    if (code == OX_OK) {
        code = ox_control_events_start(request->api->control, &query, &from, &after, err);
    }
    if (code != OX_OK) {
        return code;
    }
    return as_json ? page(request, &query, after, limit, err)
                   : ox_feed_subscribe(request->api->feed, request, &query, after, err);
}
