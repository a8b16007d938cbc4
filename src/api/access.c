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

#define PEER_MAX (INET6_ADDRSTRLEN + 16)

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

    if (is_request_id(given)) {
        (void)snprintf(request->id, sizeof(request->id), "%s", given);
        return;
    }
    ox_rng_init(&rng, request->api->id_seed + atomic_fetch_add(&request->api->id_count, 1));
    (void)snprintf(request->id, sizeof(request->id), "%016" PRIx64, ox_rng_u64(&rng));
}

static void peer_of(struct MHD_Connection *connection, char out[PEER_MAX])
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char host[INET6_ADDRSTRLEN] = "?";
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    unsigned port = 0;

    if (info != NULL && info->client_addr != NULL && info->client_addr->sa_family == AF_INET) {
        memcpy(&v4, info->client_addr, sizeof(v4));
        (void)inet_ntop(AF_INET, &v4.sin_addr, host, sizeof(host));
        port = ntohs(v4.sin_port);
    } else if (info != NULL && info->client_addr != NULL &&
               info->client_addr->sa_family == AF_INET6) {
        memcpy(&v6, info->client_addr, sizeof(v6));
        (void)inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof(host));
        port = ntohs(v6.sin6_port);
    }
    (void)snprintf(out, PEER_MAX, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, port);
}

static void log_line(const struct ox_request *request, bool whole)
{
    char peer[PEER_MAX];
    const struct ox_log_field fields[] = {
        {"method", request->method, 0},
        {"path", request->path, 0},
        {"status", NULL, request->status},
        {"bytes", NULL, (int64_t)request->answer_bytes},
        {"duration_ms", NULL, ox_clock_system()->mono_ms(NULL) - request->begun_mono_ms},
        {"peer", peer, 0},
        {0},
    };

    peer_of(request->connection, peer);
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
