#include "routes.h"

#include <stdio.h>
#include <string.h>

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *found = c == '\0' ? NULL : strchr(digits, c);
    int value = found == NULL ? -1 : (int)(found - digits);

    return value > 15 ? value - 6 : value;
}

/* Decode one part of a path, of len bytes. Names what it is in messages. */
static enum ox_code decode(const char *name, const char *part, size_t len, char out[OX_ID_MAX + 1],
                           struct ox_err *err)
{
    size_t used = 0;

    for (size_t i = 0; i < len; i++) {
        char c = part[i];

        if (c == '%') {
            int high = len - i > 2 ? hex_digit(part[i + 1]) : -1;
            int low = high < 0 ? -1 : hex_digit(part[i + 2]);

            if (low < 0) {
                return ox_err_set(err, OX_EINVAL, "the %s in the path is badly percent-encoded",
                                  name);
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (used == OX_ID_MAX || c == '\0') {
            return ox_err_set(err, OX_EINVAL, "the %s in the path is no identifier", name);
        }
        out[used++] = c;
    }
    out[used] = '\0';
    return ox_id_check(name, out, err);
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
        size_t want = strcspn(++pattern, "/");
        size_t have = strcspn(++path, "/");

        if (*pattern == ':') {
            const char *name = "name";

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
        } else if (want != have || strncmp(pattern, path, want) != 0) {
            return OX_OK;
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

    allow[0] = '\0';
    for (size_t i = 0; i < ox_routes_count; i++) {
        bool matches = false;
        enum ox_code code = match(ox_routes[i].pattern, path, NULL, &matches, err);

        if (code != OX_OK || !matches) {
            continue;
        }
        if (strcmp(ox_routes[i].method, wanted) == 0) {
            *out = &ox_routes[i];
            *params = (struct ox_params){{{0}}};
            return match(ox_routes[i].pattern, path, params, &matches, err);
        }
        add_allowed(allow, ox_routes[i].method);
    }
    if (allow[0] != '\0') {
        return ox_err_set(err, OX_EMETHOD, "%.16s is not for this path: it knows %s", method,
                          allow);
    }
    return ox_err_set(err, OX_ENOTFOUND, "no such route: docs/rest.md lists them");
}
