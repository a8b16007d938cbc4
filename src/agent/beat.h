/** One heartbeat: build it from the state, send it, read the answer. */
#ifndef OX_AGENT_BEAT_H
#define OX_AGENT_BEAT_H

#include "core.h"
#include "device_time.h"
#include "oxide/net/http.h"

/** Every so many heartbeats all is said again, should the server have forgotten us. */
#define OX_BEAT_WHOLE_EVERY 60

struct ox_beat {
    struct ox_http *http;
    uint64_t since_whole; /* heartbeats since all was said; 0: say all now */
    int64_t poll_ms;      /* how often they go out, to be said */
    bool metered;         /* a failure alone is no reason to say all again */
    bool replaced;        /* the server said so last */
    char *said;           /* owned: the short heartbeat that was acknowledged last; NULL: none */
    struct ox_device_time time;
    int64_t told_offset_s; /* of the local time, when all was said */
    int64_t total_ms;      /* that one may take; 0: 5 min */
    int64_t rest_s;        /* what the last answer, a refusal, said by Retry-After; 0: nothing */
};

/**
 * Send one and read the answer, which the caller clears; acknowledged reports leave the queue. What
 * is the same as the last time is not said again: then it is the installation's id alone.
 * Errors: OX_ENET, OX_ETIMEOUT, OX_ECANCELED; OX_ENOTFOUND (not registered; the message says what
 * to type); OX_EPROTO (an answer that makes no sense). After an error all is said
 * again; where the link is metered, after OX_ENOTFOUND alone.
 */
void ox_beat_clear(struct ox_beat *beat);
OX_MUST_USE enum ox_code ox_beat_send(struct ox_beat *beat, struct ox_agent *agent, bool updating,
                                      struct ox_heartbeat_answer *out, struct ox_err *err);

#endif
