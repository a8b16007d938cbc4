#include "routes.h"

#include "oxide/base/percent.h"

#include <stdio.h>
#include <string.h>

/* Decode one part of a path, of len bytes. Names what it is in messages. */
static enum ox_code decode(const char *name, const char *part, size_t len, char out[OX_ID_MAX + 1],
                           struct ox_err *err)
{
    char text[3 * OX_ID_MAX + 1];

    if (len >= sizeof(text)) { /* longer than any identifier, encoded or not */
        return ox_id_check(name, part, err);
    }
    if (!ox_percent_decode(part, len, text)) {
        return ox_err_set(err, OX_EINVAL, "the %s in the path is badly percent-encoded", name);
    }
    if (strlen(text) <= OX_ID_MAX) {
        memcpy(out, text, strlen(text) + 1);
    }
    return ox_id_check(name, text, err);
}

static bool ends_part(char c)
{
    return c == '/' || c == '\0';
}

/* Walk pattern and path part by part. With params NULL only the shapes are compared. */
static enum ox_code match(const char *pattern, const char *path, struct ox_params *params,
                          bool *matches, struct ox_err *err)
{
    static const struct {
        const char *param;
        const char *name;
    } names[] = {
        {":id", "name"}, {":did", "device id"}, {":ver", "version"}, {":sha256", "digest"}};
    size_t count = 0;

    *matches = false;
    while (*pattern == '/' && *path == '/') {
        const char *name = "name";
        size_t want;
        size_t have;

        pattern++;
        path++;
        if (*pattern != ':') {
            while (*pattern == *path && !ends_part(*pattern)) {
                pattern++;
                path++;
            }
            if (!ends_part(*pattern) || !ends_part(*path)) {
                return OX_OK;
            }
            continue;
        }
        want = strcspn(pattern, "/");
        have = strcspn(path, "/");
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            name = strlen(names[i].param) == want && strncmp(names[i].param, pattern, want) == 0
                       ? names[i].name
                       : name;
        }
        if (have == 0) {
            return OX_OK;
        }
        if (params != NULL) {
            enum ox_code code = decode(name, path, have, params->value[count++], err);

            if (code != OX_OK) {
                return code;
            }
        }
        pattern += want;
        path += have;
    }
    *matches = *pattern == '\0' && *path == '\0';
    return OX_OK;
}

static void add_allowed(char allow[OX_ALLOW_MAX], const char *method)
{
    size_t used = strlen(allow);

    (void)snprintf(allow + used, OX_ALLOW_MAX - used, "%s%s%s", used == 0 ? "" : ", ", method,
                   strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

enum ox_code ox_route_find(const char *method, const char *path, const struct ox_route **out,
                           struct ox_params *params, char allow[OX_ALLOW_MAX], struct ox_err *err)
{
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    bool matches = false;

    allow[0] = '\0';
    for (size_t i = 0; i < ox_routes_count; i++) {
        if (strcmp(ox_routes[i].method, wanted) == 0 &&
            match(ox_routes[i].pattern, path, NULL, &matches, err) == OX_OK && matches) {
            *out = &ox_routes[i];
            *params = (struct ox_params){{{0}}};
            return match(ox_routes[i].pattern, path, params, &matches, err);
        }
    }
    for (size_t i = 0; i < ox_routes_count; i++) {
        if (match(ox_routes[i].pattern, path, NULL, &matches, err) == OX_OK && matches) {
            add_allowed(allow, ox_routes[i].method);
        }
    }
    if (allow[0] != '\0') {
        add_allowed(allow, "OPTIONS");
        return ox_err_set(err, OX_EMETHOD, "%.16s is not for this path: it knows %s", method,
                          allow);
    }
    return ox_err_set(err, OX_ENOTFOUND, "no such route: docs/rest.md lists them");
}
