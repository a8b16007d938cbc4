/* uses: app */
#include "../../src/app/simulate_http.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct end {
    enum ox_code code;
    enum ox_sim_http_state state;
    unsigned status;
    uint64_t body_bytes;
    size_t taken;
};

static struct end read_in(const char *bytes, size_t len, size_t piece)
{
    struct ox_sim_http http = {.no_body = false};
    struct end end = {.code = OX_OK};

    ox_sim_http_begin(&http);
    while (end.code == OX_OK && end.taken < len && http.state != OX_SIM_HTTP_DONE) {
        size_t take = len - end.taken < piece ? len - end.taken : piece;
        struct ox_sim_span span;
        size_t used = 0;

        end.code = ox_sim_http_feed(&http, bytes + end.taken, take, &used, &span, NULL);
        if (used > take || span.len > used || (used == 0 && end.code == OX_OK)) {
            abort();
        }
        end.taken += used;
    }
    end.state = http.state;
    end.status = http.status;
    end.body_bytes = http.body_bytes;
    return end;
}

/* However an answer is cut, it is read as the same. The first byte tells how. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct end whole;
    struct end pieces;

    if (size == 0) {
        return 0;
    }
    whole = read_in((const char *)data + 1, size - 1, SIZE_MAX);
    pieces = read_in((const char *)data + 1, size - 1, (size_t)data[0] + 1);
    if (whole.code != pieces.code ||
        (whole.code == OX_OK &&
         (whole.state != pieces.state || whole.status != pieces.status ||
          whole.body_bytes != pieces.body_bytes || whole.taken != pieces.taken))) {
        abort();
    }
    return 0;
}
