/* What the log tells of requests: their ids, and a line for each. */
#include "request.h"

#include "oxide/base/clock.h"
#include "oxide/base/random.h"
#include "oxide/wire/header.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define PEER_MAX (OX_ADDRESS_MAX + 16)

/* What proxies and tracers make: UUIDs, hex, base 64, dotted paths. */
static bool is_request_id(const char *text)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:+/=-";
    size_t len = text == NULL ? 0 : strnlen(text, OX_REQUEST_ID_MAX + 1);

    return len > 0 && len <= OX_REQUEST_ID_MAX && strspn(text, allowed) == len;
}

void ox_request_identify(struct ox_request *request)
{
    const char *given = ox_request_header(request, OX_HEADER_REQUEST_ID);
    struct ox_rng rng;
    uint64_t number;

    if (is_request_id(given)) {
        (void)snprintf(request->id, sizeof(request->id), "%s", given);
        return;
    }
    ox_rng_init(&rng, request->api->id_seed + atomic_fetch_add(&request->api->id_count, 1));
    number = ox_rng_u64(&rng);
    for (size_t i = 16; i-- > 0; number >>= 4) {
        request->id[i] = "0123456789abcdef"[number & 15];
    }
}

const char *ox_request_address(const struct ox_request *request, char out[OX_ADDRESS_MAX],
                               unsigned *port)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *from = info == NULL ? NULL : info->client_addr;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (from != NULL && from->sa_family == AF_INET) {
        memcpy(&v4, from, sizeof(v4));
        *port = ntohs(v4.sin_port);
        return inet_ntop(AF_INET, &v4.sin_addr, out, OX_ADDRESS_MAX);
    }
    if (from != NULL && from->sa_family == AF_INET6) {
        memcpy(&v6, from, sizeof(v6));
        *port = ntohs(v6.sin6_port);
        return IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)
                   ? inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], out, OX_ADDRESS_MAX)
                   : inet_ntop(AF_INET6, &v6.sin6_addr, out, OX_ADDRESS_MAX);
    }
    return NULL;
}

static void peer_of(const struct ox_request *request, char out[PEER_MAX])
{
    char address[OX_ADDRESS_MAX];
    unsigned port = 0;
    const char *host = ox_request_address(request, address, &port);

    (void)snprintf(out, PEER_MAX, host != NULL && strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u",
                   host == NULL ? "?" : host, port);
}

void ox_request_bind(struct ox_request *request)
{
    unsigned port = 0;

    if (request == NULL) {
        ox_log_bind(NULL);
        ox_control_act_for(NULL);
        return;
    }
    request->caller.actor = ox_request_address(request, request->address, &port);
    request->caller.request_id = request->id;
    ox_log_bind(request->id);
    ox_control_act_for(&request->caller);
}

static void log_line(const struct ox_request *request, bool whole)
{
    char peer[PEER_MAX];
    const struct ox_log_field fields[] = {
        {"method", request->method, 0},
        {"path", request->path, 0},
        {"status", NULL, request->status},
        {"bytes", NULL, (int64_t)request->answer_bytes},
        {"duration_ms", NULL, (int64_t)(ox_clock_now_ns() - request->begun_ns) / 1000000},
        {"peer", peer, 0},
        {0},
    };

    peer_of(request, peer);
    ox_log_bind(request->id);
    ox_log_fields(request->api->log, OX_LOG_DEBUG, fields, whole ? "request" : "request broke off");
    ox_log_bind(NULL);
}

void ox_request_log(const struct ox_request *request, bool whole)
{
    const struct ox_log *log = request->api->log;

    if (log != NULL && log->level >= OX_LOG_DEBUG) { /* most do without: it costs a format */
        log_line(request, whole);
    }
}
