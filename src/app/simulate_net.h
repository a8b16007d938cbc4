/**
 * Connections of simulated agents: non-blocking sockets of one epoll descriptor, on each one
 * HTTP/1.1 exchange at a time. All on one thread.
 */
#ifndef OX_APP_SIMULATE_NET_H
#define OX_APP_SIMULATE_NET_H

#include "simulate_http.h"
#include "simulate_stats.h"

#include "oxide/base/buf.h"

#include <sys/socket.h>

#define OX_SIM_NEVER INT64_MAX

/** Where connections go to. */
struct ox_sim_authority {
    char name[272]; /* host:port, as the Host header has it */
    struct sockaddr_storage address;
    socklen_t address_len;
    bool loopback; /* IPv4: sources of our own there, so that ports do not run out */
};

struct ox_sim_conn;

struct ox_sim_net {
    int epoll_fd;
    int64_t now_us; /* monotonic, of this round */
    struct ox_sim_stats stats;
    struct ox_sim_authority *authorities[64]; /* owned */
    size_t authorities_count;
    size_t open; /* sockets */
    size_t open_max;
    struct ox_sim_conn *dead; /* freed at the end of the round */
    char *scratch;
};

/** The user of a connection, who is told how an exchange goes. */
struct ox_sim_user {
    void *ctx;
    /** A run of the body of a 2xx; NULL: it is collected in conn->body. */
    void (*on_body)(void *ctx, const char *bytes, size_t len);
    /** The end. Without an answer `code` is not OX_OK and `problem` says why. The user may begin
     *  the next exchange, or free the connection. */
    void (*on_end)(void *ctx, struct ox_sim_conn *conn, enum ox_code code, const char *problem);
    /** ox_sim_conn_due is sooner than it was. May be NULL where there is no rate. */
    void (*on_due)(void *ctx);
};

struct ox_sim_conn {
    struct ox_sim_net *net;
    const struct ox_sim_authority *to;
    uint32_t source; /* number of the device, for its address */
    int fd;          /* -1: not open */
    uint32_t events; /* that epoll waits for */
    bool connected;
    bool busy;   /* an exchange is under way */
    bool reused; /* it is not the first one of this socket, and no byte of its answer came */
    enum ox_simulate_kind kind;
    struct ox_sim_user user;
    struct ox_buf out;
    size_t out_at;
    struct ox_sim_http http;
    struct ox_buf body; /* NUL-terminated behind len_bytes */
    uint64_t rate_bps;
    int64_t started_us;
    int64_t resume_us;   /* the rate allows no byte before; OX_SIM_NEVER: it is not held up */
    int64_t deadline_us; /* for the next byte; OX_SIM_NEVER while not busy */
    struct ox_sim_conn *next_dead;
};

OX_MUST_USE enum ox_code ox_sim_net_init(struct ox_sim_net *net, struct ox_err *err);
void ox_sim_net_clear(struct ox_sim_net *net);
int64_t ox_sim_now_us(void);

/** Split http://host[:port][/path] and find the address; *path is lent from url. Lasts as long as
 *  the net. Errors: OX_EINVAL, OX_EUNSUPPORTED (https), OX_ENET. */
OX_MUST_USE enum ox_code ox_sim_authority(struct ox_sim_net *net, const char *url,
                                          const struct ox_sim_authority **out, const char **path,
                                          struct ox_err *err);

/** A connection that opens with its first exchange; NULL without memory. */
struct ox_sim_conn *ox_sim_conn_new(struct ox_sim_net *net, const struct ox_sim_authority *to,
                                    uint32_t source);
/** Close it; its user hears no more. NULL is fine. */
void ox_sim_conn_free(struct ox_sim_conn *conn);

/**
 * Begin an exchange on a connection that is not busy. The head is "METHOD path" and further header
 * lines (each ended by \r\n, may be ""); body may be NULL. How it ends, also at once, is told to
 * the user, never before this returns.
 */
void ox_sim_conn_call(struct ox_sim_conn *conn, enum ox_simulate_kind kind,
                      const struct ox_sim_user *user, const char *line, const char *headers,
                      const char *body);

/** When it needs ox_sim_conn_wake next, by the clock of now_us. */
int64_t ox_sim_conn_due(const struct ox_sim_conn *conn);
/** Time has come: go on where the rate held it up, or fail where the peer is silent. */
void ox_sim_conn_wake(struct ox_sim_conn *conn);

/** Wait until `until_us`, or a tenth of a second, for what the sockets bring, and take it in. */
OX_MUST_USE enum ox_code ox_sim_net_round(struct ox_sim_net *net, int64_t until_us,
                                          struct ox_err *err);

#endif
