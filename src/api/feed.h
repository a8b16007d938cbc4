/**
 * Subscribers of events: answers that do not end (server-sent events, HTML Living Standard, section
 * 9.2). One thread serves them all. A connection is suspended while nothing is to be sent, so it
 * costs no thread; what it has not seen yet stays in the log, so a slow one costs no memory but the
 * piece that is on its way.
 */
#ifndef OX_API_FEED_H
#define OX_API_FEED_H

#include "request.h"

#include "oxide/control/event.h"

/** Subscribers at a time: each is a query per event that comes. */
#define OX_FEED_SUBSCRIBERS_MAX 64
#define OX_FEED_KEEP_ALIVE_MS 15000

struct ox_feed;

/** Start the thread. */
OX_MUST_USE enum ox_code ox_feed_new(struct ox_feed **out, struct ox_control *control,
                                     const struct ox_log *log, struct ox_err *err);
/** End all answers and the thread. Subscribers that have not left yet still need ox_feed_free. */
void ox_feed_stop(struct ox_feed *feed);
/** Once all have left. NULL is fine. */
void ox_feed_free(struct ox_feed *feed);

/** How many there are. */
unsigned ox_feed_count(struct ox_feed *feed);

/** Answer a request with the events that match, from behind `after` on. What `query` points at is
 *  copied. Errors: OX_EBUSY if there are too many subscribers. */
OX_MUST_USE enum ox_code ox_feed_subscribe(struct ox_feed *feed, struct ox_request *request,
                                           const struct ox_event_query *query, int64_t after,
                                           struct ox_err *err);

#endif
