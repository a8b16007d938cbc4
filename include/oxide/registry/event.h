/** Events: what happened, in the order in which it became durable. */
#ifndef OXIDE_REGISTRY_EVENT_H
#define OXIDE_REGISTRY_EVENT_H

#include "oxide/registry/registry.h"

struct ox_event_row {
    int64_t id; /* grows in the order of commits and is never used again */
    int64_t at_ms;
    const char *kind;      /* "campaign.paused" */
    const char *device_id; /* NULL: it is about none; so the next two */
    const char *campaign_id;
    const char *model_id;
    const char *actor;      /* who caused it; NULL: the control plane itself */
    const char *request_id; /* of the request that did; NULL: none */
    const char *data;       /* the rest, JSON text of an object */
};
/** NULL fields match everything. */
struct ox_event_filter {
    const char *kinds; /* "campaign,delta.failed": kinds, or their first words, commas between */
    const char *device_id;
    const char *campaign_id;
};
/** Is the kind one of `kinds`, or does it begin with one of them and a dot? NULL: it is. */
bool ox_event_kind_matches(const char *kinds, const char *kind);
/** Where the log begins and ends. */
struct ox_event_bounds {
    int64_t oldest;    /* the first id that is held, newest + 1 if none is */
    int64_t newest;    /* the last id that was ever given, 0 if none was */
    int64_t oldest_ms; /* when the oldest happened, 0 if none is held */
};

/** The id is not read. */
OX_MUST_USE enum ox_code ox_registry_event_add(struct ox_tx *tx, const struct ox_event_row *row,
                                               struct ox_err *err);
/**
 * The first `limit` events behind `after` that match, by id. *next is where to go on: the id of the
 * last row, or, if fewer than `limit` were found, the last one that was looked at. One call looks
 * at a bounded number of events, so an empty answer does not mean that none follows: the end is
 * reached where *next is the newest id.
 */
OX_MUST_USE enum ox_code ox_registry_events(struct ox_tx *tx, const struct ox_event_filter *filter,
                                            int64_t after, size_t limit, struct ox_event_row **rows,
                                            size_t *count, int64_t *next, struct ox_err *err);
/** The id behind which the last `count` matching events stand. */
OX_MUST_USE enum ox_code ox_registry_events_before_last(struct ox_tx *tx,
                                                        const struct ox_event_filter *filter,
                                                        size_t count, int64_t *after,
                                                        struct ox_err *err);
/** The id behind which the events since an instant stand. */
OX_MUST_USE enum ox_code ox_registry_events_since(struct ox_tx *tx, int64_t since_ms,
                                                  int64_t *after, struct ox_err *err);
OX_MUST_USE enum ox_code ox_registry_events_bounds(struct ox_tx *tx, struct ox_event_bounds *out,
                                                   struct ox_err *err);
/** Drop at most `max` of the oldest events: those but the last `keep`, and those of before
 *  `before_ms`. *more: there may be others to drop. */
OX_MUST_USE enum ox_code ox_registry_events_trim(struct ox_tx *tx, uint64_t keep, int64_t before_ms,
                                                 size_t max, bool *more, struct ox_err *err);

/** Call `committed(ctx)` whenever events have become durable: from the thread that committed, under
 *  the writer's lock, so it shall only wake somebody. Set before other threads begin. */
void ox_registry_events_watch(struct ox_registry *registry, void (*committed)(void *ctx),
                              void *ctx);

#endif
