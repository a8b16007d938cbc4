/**
 * Connections, watched: what a client may take its time for, and for how long. A thread of its own
 * looks every second; on the connection's thread a change of phase is an atomic store.
 *
 * A client that is too slow gets 408, where it can still be told, and loses its connection. When
 * the limit of connections is near, those that are silent longest are closed, so that there is room
 * for who has something to say.
 */
#ifndef OX_API_CONNECTIONS_H
#define OX_API_CONNECTIONS_H

#include "oxide/base/log.h"

#include <microhttpd.h>

/** What a connection is about. Whoever suspends one that is being answered, and waits for
 * something, enters OX_CONN_OURS before, and OX_CONN_ANSWER once it goes on. */
enum ox_conn_phase {
    OX_CONN_SILENT, /* before its first request, or between two: the next head is awaited */
    OX_CONN_BODY,   /* the body is awaited */
    OX_CONN_OURS,   /* it waits for us */
    OX_CONN_ANSWER, /* the answer is on its way */
    OX_CONN_CLOSED, /* by us: whatever comes now is too late */
};

struct ox_conn;
struct ox_conns;

struct ox_conns_options {
    unsigned connections_max;
    int64_t head_ms;   /* for the first head, and for one behind idle_ms of silence */
    int64_t idle_ms;   /* between two requests */
    int64_t window_ms; /* of a body or an answer: in each, OX_CONN_WINDOW_BYTES must cross */
    const struct ox_log *log;
};

/** In a window of 30 s some 140 bytes per second: less than any link that a device has. */
#define OX_CONN_WINDOW_BYTES 4096

OX_MUST_USE enum ox_code ox_conns_new(struct ox_conns **out, const struct ox_conns_options *options,
                                      struct ox_err *err);
/** Ends the thread. After the daemon's end; NULL is fine. */
void ox_conns_free(struct ox_conns *conns);

/** For MHD_OPTION_NOTIFY_CONNECTION: the context of a socket is its struct ox_conn. */
void ox_conns_notify(void *conns, struct MHD_Connection *connection, void **socket_context,
                     enum MHD_ConnectionNotificationCode how);

/** Connections that are open, and that may be. */
unsigned ox_conns_count(struct ox_conns *conns);
unsigned ox_conns_max(const struct ox_conns *conns);

/** The connection's. NULL where there was no memory for it: it is not watched then. */
struct ox_conn *ox_conn_of(struct MHD_Connection *connection);
/** Its phase from now on; false if it was closed. NULL is fine, and true. */
bool ox_conn_enter(struct ox_conn *conn, enum ox_conn_phase phase);
/** Bytes of the body came. */
void ox_conn_took(struct ox_conn *conn, size_t bytes);

#endif
