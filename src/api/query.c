#include "query.h"

#include "shape.h"

#include "oxide/base/percent.h"
#include "oxide/base/suggest.h"
#include "oxide/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_SHOWN 64 /* longer than any that is known */

/* The next parameter of the query that a route reads, or NULL; *at moves on from route->params. */
static const struct ox_parameter *next_read(const char **at)
{
    const struct ox_parameter *found = NULL;

    while (found == NULL && *at != NULL && **at != '\0') {
        size_t word = strcspn(*at, " ");

        found = ox_parameter_find(OX_IN_QUERY, *at, word);
        *at += word;
        *at += strspn(*at, " ");
    }
    return found;
}

static const struct ox_parameter *read_by(const struct ox_route *route, const char *name)
{
    const char *at = route->params;
    const struct ox_parameter *found;

    while ((found = next_read(&at)) != NULL && strcmp(ox_parameter_name(found), name) != 0) {
    }
    return found;
}

/* A parameter that nobody reads would silently do nothing of what was meant. */
static enum ox_code refuse_unknown(const struct ox_route *route, const char *name,
                                   struct ox_err *err)
{
    struct ox_suggestion near = {NULL, 0};
    const struct ox_parameter *known;
    const char *at = route->params;
    char shown[NAME_MAX_SHOWN];
    char names[256] = "";
    size_t used = 0;

    while ((known = next_read(&at)) != NULL) {
        ox_suggest(&near, name, ox_parameter_name(known));
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used == 0 ? "" : ", ",
                                 ox_parameter_name(known));
        used = used < sizeof(names) ? used : sizeof(names) - 1;
    }
    (void)snprintf(shown, sizeof(shown), "%s", name);
    ox_text_clean(shown);
    if (near.best != NULL) {
        return ox_err_set(err, OX_EINVAL, "there is no parameter %s here: did you mean %s?", shown,
                          near.best);
    }
    return used > 0
               ? ox_err_set(err, OX_EINVAL, "there is no parameter %s here: the query may have %s",
                            shown, names)
               : ox_err_set(err, OX_EINVAL,
                            "there is no parameter %s here: this call takes none in its query",
                            shown);
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
    char name[NAME_MAX_SHOWN];
    const struct ox_parameter *parameter = NULL;
    char *decoded = NULL;
    enum ox_code code;

    if (*key == '\0' && (value == NULL || *value == '\0')) { /* "?a=b&", and "?" alone */
        return OX_OK;
    }
    if (strlen(key) < sizeof(name) && ox_percent_decode(key, strlen(key), name)) {
        parameter = read_by(route, name);
        key = name;
    }
    if (parameter == NULL) {
        return refuse_unknown(route, key, err);
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
