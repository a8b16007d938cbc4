/** Query parameters: decoded, and checked against the rows of ox_parameters that a route names. */
#ifndef OX_API_QUERY_H
#define OX_API_QUERY_H

#include "routes.h"
#include "schemas.h"

#define OX_QUERY_MAX 12 /* parameters that one route reads */

/** Bytes of a value, decoded, where its shape does not say less. */
#define OX_QUERY_VALUE_MAX 4096

struct ox_query {
    struct {
        const struct ox_parameter *parameter;
        char *value; /* UTF-8; owned */
    } given[OX_QUERY_MAX];
    size_t count;
};

/**
 * Take one "key=value" as it was sent, still percent-encoded (value NULL: a key alone). Nothing on
 * both sides is ignored. Errors: OX_EINVAL naming the parameter, where the route does not read it
 * (and what it reads), where it is badly encoded, no UTF-8, given twice, or not of its shape.
 */
OX_MUST_USE enum ox_code ox_query_take(struct ox_query *query, const struct ox_route *route,
                                       const char *key, const char *value, struct ox_err *err);
void ox_query_clear(struct ox_query *query);

/** A value; NULL if it was not given. Lent. */
const char *ox_query_text(const struct ox_query *query, const char *name);

#endif
