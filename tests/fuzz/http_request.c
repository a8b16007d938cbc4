/* uses: api control wire crypto */
/* What a client writes into a request's path and headers: routes, ranges, entity tags. */
#include "../../src/api/range.h"
#include "../../src/api/routes.h"

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
    free(text);
    return 0;
}
