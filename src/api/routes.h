/** The table of routes, and how a request finds its row. */
#ifndef OX_API_ROUTES_H
#define OX_API_ROUTES_H

#include "oxide/base/err.h"
#include "oxide/wire/id.h"

struct ox_request;

enum ox_body_kind {
    OX_BODY_NONE,   /* what comes is read and dropped */
    OX_BODY_JSON,   /* at most OX_API_BODY_MAX; parsed before the handler runs */
    OX_BODY_TEXT,   /* as JSON, but the handler parses; may be empty */
    OX_BODY_STREAM, /* begin, write, finish */
};

#define OX_ROUTE_PARAMS_MAX 2

/** Parts of the path, percent-decoded and checked. */
struct ox_params {
    char value[OX_ROUTE_PARAMS_MAX][OX_ID_MAX + 1];
};

/** A body that streams: `begin` runs before it, `write` per piece, and the route's handler at its
 *  end. All run on worker threads. `drop` runs where it broke off. */
struct ox_stream {
    enum ox_code (*begin)(struct ox_request *request, struct ox_err *err);
    enum ox_code (*write)(struct ox_request *request, const void *bytes, size_t len_bytes,
                          struct ox_err *err);
    void (*drop)(struct ox_request *request, bool disk_full);
};

/** Where a handler runs. */
enum ox_route_pool {
    OX_RUN_QUICK, /* reads a few rows, or commits some */
    OX_RUN_SLOW,  /* writes, syncs or hashes bodies; walks long lists */
};

/** What a route says of itself for people and machines: openapi.c makes the document of it. */
struct ox_route {
    const char *name; /* its handler's; the document's operationId */
    const char *method;
    const char *pattern; /* parts that begin with ':' are parameters */
    enum ox_body_kind body;
    enum ox_route_pool pool;
    enum ox_code (*handle)(struct ox_request *request, struct ox_err *err);
    const struct ox_stream *stream; /* NULL unless the body is OX_BODY_STREAM */
    const char *summary;
    const char *params;   /* names in ox_parameters, blanks between; NULL: only those of the path */
    const char *request;  /* "none", or "[MEDIA ]SHAPE, ..." (shape.h); MEDIA alone is bytes */
    const char *response; /* "STATUS [MEDIA ][SHAPE], ..." */
    const char *errors;   /* statuses, blanks between */
    /* NULL, or: answer on the connection's own thread, without blocking; false: the handler does.
     */
    bool (*at_once)(struct ox_request *request);
};

extern const struct ox_route ox_routes[];
extern const size_t ox_routes_count;

#define OX_ALLOW_MAX 64

/**
 * Find the row for a method and a raw path (without query). HEAD is answered by GET's row.
 * Errors: OX_ENOTFOUND; OX_EMETHOD, with `allow` set to the methods that the path knows;
 * OX_EINVAL if a parameter is no identifier.
 */
OX_MUST_USE enum ox_code ox_route_find(const char *method, const char *path,
                                       const struct ox_route **out, struct ox_params *params,
                                       char allow[OX_ALLOW_MAX], struct ox_err *err);

#endif
