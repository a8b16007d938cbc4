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

/** At most so many watch. */
#define OX_EVENTS_WATCHERS_MAX 4
/** Call `wake(ctx)` whenever events have become durable: from any thread, under locks, so it shall
 *  only signal somebody. `ctx` names it when it stops watching; once that returned, no call runs.
 */
void ox_control_events_watch(struct ox_control *control, void (*wake)(void *ctx), void *ctx);
void ox_control_events_unwatch(struct ox_control *control, void *ctx);

#endif
