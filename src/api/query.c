#include "query.h"

#include "shape.h"

#include "oxide/base/percent.h"
#include "oxide/base/text.h"

#include <stdlib.h>
#include <string.h>

/* The parameter of the query that a route reads under this name, or NULL. */
static const struct ox_parameter *read_by(const struct ox_route *route, const char *name)
{
    const char *at = route->params == NULL ? "" : route->params;

    while (*at != '\0') {
        size_t word = strcspn(at, " ");
        const struct ox_parameter *found = ox_parameter_find(OX_IN_QUERY, at, word);

        if (found != NULL && strcmp(ox_parameter_name(found), name) == 0) {
            return found;
        }
        at += word;
        at += strspn(at, " ");
    }
    return NULL;
}

static enum ox_code decode_value(const char *name, const char *raw, char **out, struct ox_err *err)
{
    char *value = malloc(strlen(raw) + 1);
    enum ox_code code = OX_OK;

    if (value == NULL) {
        return ox_err_nomem(err, "a query");
    }
    if (!ox_percent_decode(raw, strlen(raw), value)) {
        code = ox_err_set(err, OX_EINVAL,
                          "the parameter %s is badly percent-encoded: %% is followed by two "
                          "hexadecimal digits, not by 00",
                          name);
    } else if (!ox_text_is_utf8(value)) {
        code = ox_err_set(err, OX_EINVAL, "the parameter %s is no valid UTF-8", name);
    } else if (strlen(value) > OX_QUERY_VALUE_MAX) {
        code = ox_err_set(err, OX_EINVAL, "the parameter %s has at most %d bytes", name,
                          OX_QUERY_VALUE_MAX);
    }
    if (code != OX_OK) {
        free(value);
        return code;
    }
    *out = value;
    return OX_OK;
}

enum ox_code ox_query_take(struct ox_query *query, const struct ox_route *route, const char *key,
                           const char *value, struct ox_err *err)
{
    char name[64];
    const struct ox_parameter *parameter = NULL;
    char *decoded = NULL;
    enum ox_code code;

    if (strlen(key) < sizeof(name) && ox_percent_decode(key, strlen(key), name)) {
        parameter = read_by(route, name);
    }
    if (parameter == NULL) {
        return OX_OK;
    }
    if (ox_query_text(query, name) != NULL) {
        return ox_err_set(err, OX_EINVAL, "the parameter %s is given twice", name);
    }
    if (query->count == OX_QUERY_MAX) {
        return ox_err_set(err, OX_EINTERNAL, "more parameters than there is room for");
    }
    code = decode_value(name, value == NULL ? "" : value, &decoded, err);
    if (code == OX_OK && (code = ox_shape_check(parameter->shape, decoded, err)) != OX_OK) {
        (void)ox_err_context(err, "the parameter %s", name);
    }
    if (code != OX_OK) {
        free(decoded);
        return code;
    }
    query->given[query->count].parameter = parameter;
    query->given[query->count++].value = decoded;
    return OX_OK;
}

void ox_query_clear(struct ox_query *query)
{
    while (query->count > 0) {
        free(query->given[--query->count].value);
    }
}

const char *ox_query_text(const struct ox_query *query, const char *name)
{
    for (size_t i = 0; i < query->count; i++) {
        if (strcmp(ox_parameter_name(query->given[i].parameter), name) == 0) {
            return query->given[i].value;
        }
    }
    return NULL;
}
