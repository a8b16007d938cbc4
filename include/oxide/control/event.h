/** The log of events: what happened, as operators and their programs see it. What control.h says of
 * all functions holds. */
#ifndef OXIDE_CONTROL_EVENT_H
#define OXIDE_CONTROL_EVENT_H

#include "oxide/control/control.h"

/** A kind of event. The table is in control/event_kinds.c. */
struct ox_event_kind {
    const char *word; /* "campaign.paused" */
    const char *data; /* the fields that its data has */
    const char *what; /* one line for people */
};
extern const struct ox_event_kind ox_event_kinds[];
extern const size_t ox_event_kinds_count;

/** Which events; NULL fields match everything. */
struct ox_event_query {
    const char *kinds; /* kinds or their first words, commas between: "campaign,delta.failed" */
    const char *device_id;
    const char *campaign_id;
};
/** Where to begin. */
struct ox_event_from {
    enum {
        OX_EVENTS_FROM_NOW,
        OX_EVENTS_FROM_AFTER, /* behind the id `value` */
        OX_EVENTS_FROM_SINCE, /* at the instant `value`, in ms of wall time */
        OX_EVENTS_FROM_LAST,  /* with the last `value` that match */
    } how;
    int64_t value;
};
struct ox_event_page {
    json_t *events; /* an array, which the caller releases */
    size_t count;
    int64_t next;   /* go on behind it; the end is reached where it is the newest */
    int64_t oldest; /* the first id that is held: what is before it was dropped */
    int64_t newest; /* the last id that was given */
};

/** Are these kinds, or first words of some? Errors: OX_EINVAL naming the one that is not. */
OX_MUST_USE enum ox_code ox_control_event_kinds_check(const char *kinds, struct ox_err *err);
/** The id behind which to read. */
OX_MUST_USE enum ox_code ox_control_events_start(struct ox_control *control,
                                                 const struct ox_event_query *query,
                                                 const struct ox_event_from *from, int64_t *after,
                                                 struct ox_err *err);
/** Up to OX_EVENTS_PAGE_MAX events behind `after`, oldest first. Looks at a bounded number, so that
 *  few or none may be found before the end. */
#define OX_EVENTS_PAGE_MAX 1000
OX_MUST_USE enum ox_code ox_control_events(struct ox_control *control,
                                           const struct ox_event_query *query, int64_t after,
                                           size_t limit, struct ox_event_page *out,
                                           struct ox_err *err);

/** At most so many watch. */
#define OX_EVENTS_WATCHERS_MAX 4
/** Call `wake(ctx)` whenever events have become durable: from any thread, under locks, so it shall
 *  only signal somebody. `ctx` names it when it stops watching; once that returned, no call runs.
 */
void ox_control_events_watch(struct ox_control *control, void (*wake)(void *ctx), void *ctx);
void ox_control_events_unwatch(struct ox_control *control, void *ctx);

#endif
