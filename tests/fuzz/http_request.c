/* uses: api control wire crypto */
/* What a client writes into a request's path, query and headers: routes, parameters, cursors,
 * ranges, entity tags. */
#include "../../src/api/query.h"
#include "../../src/api/range.h"
#include "../../src/api/routes.h"

#include "oxide/base/base64.h"
#include "oxide/base/percent.h"
#include "oxide/base/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(const char *path)
{
    const struct ox_route *route = NULL;
    struct ox_params params;
    char allow[OX_ALLOW_MAX];

    if (ox_route_find("GET", path, &route, &params, allow, NULL) == OX_OK) {
        for (size_t i = 0; i < OX_ROUTE_PARAMS_MAX; i++) { /* what handlers get is an identifier */
            if (params.value[i][0] != '\0' &&
                ox_id_check("parameter", params.value[i], NULL) != OX_OK) {
                abort();
            }
        }
    }
    (void)(ox_route_find("POST", path, &route, &params, allow, NULL) == OX_OK);
}

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* What is taken is UTF-8 without a NUL, and encoded again it is taken as the same. */
static void check_taken(const struct ox_query *query, const struct ox_route *route)
{
    for (size_t i = 0; i < query->count; i++) {
        const char *name = ox_parameter_name(query->given[i].parameter);
        struct ox_query again = {.count = 0};
        struct ox_buf encoded = OX_BUF_INIT;

        must(ox_text_is_utf8(query->given[i].value));
        must(ox_percent_encode(&encoded, query->given[i].value, NULL) == OX_OK);
        must(ox_query_take(&again, route, name,
                           encoded.data == NULL ? "" : (const char *)encoded.data, NULL) == OX_OK);
        must(strcmp(ox_query_text(&again, name), query->given[i].value) == 0);
        ox_query_clear(&again);
        ox_buf_clear(&encoded);
    }
}

/* Cut as libmicrohttpd does, and taken by each route that reads parameters. */
static void check_query(const char *text)
{
    for (size_t i = 0; i < ox_routes_count; i++) {
        struct ox_query query = {.count = 0};
        struct ox_err err = OX_ERR_INIT;
        char *copy = ox_routes[i].params == NULL ? NULL : strdup(text);
        char *rest = NULL;
        enum ox_code code = OX_OK;

        for (char *pair = copy == NULL ? NULL : strtok_r(copy, "&", &rest);
             code == OX_OK && pair != NULL; pair = strtok_r(NULL, "&", &rest)) {
            char *value = strchr(pair, '=');

            if (value != NULL) {
                *value++ = '\0';
            }
            code = ox_query_take(&query, &ox_routes[i], pair, value, &err);
        }
        must(code == OX_OK || (code == OX_EINVAL && err.msg[0] != '\0'));
        check_taken(&query, &ox_routes[i]);
        ox_query_clear(&query);
        free(copy);
    }
}

/* Base 64 that is taken is the only text of its bytes. */
static void check_base64(const char *text)
{
    struct ox_buf bytes = OX_BUF_INIT;
    struct ox_buf again = OX_BUF_INIT;

    if (ox_base64_decode(&bytes, text, NULL) == OX_OK) {
        must(ox_base64_encode(&again, bytes.data, bytes.len_bytes, NULL) == OX_OK);
        must(again.len_bytes == strlen(text));
        must(again.len_bytes == 0 || memcmp(again.data, text, again.len_bytes) == 0);
    }
    ox_buf_clear(&bytes);
    ox_buf_clear(&again);
}

static void check_headers(const char *header)
{
    static const uint64_t sizes[] = {0, 1, 100, INT64_MAX};
    uint64_t first = 0;
    uint64_t last = 0;
    uint64_t total = 0;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct ox_range range = {0, 0};

        if (ox_range_parse(header, sizes[i], &range) == OX_RANGE_PART &&
            (range.len_bytes == 0 || range.first >= sizes[i] ||
             range.len_bytes > sizes[i] - range.first)) {
            abort();
        }
    }
    if (ox_content_range_parse(header, &first, &last, &total, NULL) == OX_OK &&
        (first > last || last >= total)) {
        abort();
    }
    (void)ox_etag_listed(header, "\"abc\"");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    check_path(text);
    check_headers(text);
    check_query(text);
    check_base64(text);
    free(text);
    return 0;
}
