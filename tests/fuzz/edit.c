/* uses: delta */
/*
 * Frames of edits. The input is gathered bytes, and a body: decoded it must stay within its bounds;
 * and what it gives, and the body's own bytes, come back when they are encoded.
 */
#include "../../src/delta/edit.h"

#include <stdlib.h>
#include <string.h>

#define TARGET_MAX 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void round_trip(struct edit_model *model, const uint8_t *gathered, uint32_t gathered_bytes,
                       const uint8_t *target, uint32_t n, uint32_t dist)
{
    static const struct edit_effort efforts[] = {{10, 1, 24, false}, {12, 4, 100, true}};
    uint8_t *history = malloc(gathered_bytes + n + 1);
    uint8_t *rebuilt = malloc(n + 1);
    static struct edit_encoder *encoder;
    struct edit_hint hints[2] = {{0, gathered_bytes}, {n / 2, dist}};
    struct ox_buf body = OX_BUF_INIT;
    bool fits = false;

    must(history != NULL && rebuilt != NULL);
    if (gathered_bytes > 0) {
        memcpy(history, gathered, gathered_bytes);
    }
    if (n > 0) {
        memcpy(history + gathered_bytes, target, n);
    }
    must(encoder != NULL || edit_encoder_new(&encoder, NULL) == OX_OK);
    must(edit_encode(encoder, history, gathered_bytes, n, hints, 2, &efforts[dist % 2], SIZE_MAX,
                     &body, &fits, NULL) == OX_OK);
    must(fits);
    must(edit_decode(model, gathered, gathered_bytes, rebuilt, n, body.data, body.len_bytes,
                     NULL) == OX_OK);
    must(n == 0 || memcmp(rebuilt, target, n) == 0);
    ox_buf_clear(&body);
    free(history);
    free(rebuilt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct edit_model *model; /* kept: a frame begins with all of it as new */
    uint8_t *target;
    uint32_t gathered_bytes;
    uint32_t n;
    size_t body_bytes;

    if (size < 4 || size > TARGET_MAX) {
        return 0;
    }
    gathered_bytes =
        (uint32_t)((data[0] | (uint32_t)data[1] << 8) % (size - 3)); /* of the rest: size - 4 */
    n = 1 + (data[2] | (uint32_t)data[3] << 8) % TARGET_MAX;
    data += 4;
    body_bytes = size - 4 - gathered_bytes;
    target = calloc(1, n);
    must(target != NULL && (model != NULL || edit_model_new(&model, NULL) == OX_OK));
    if (edit_decode(model, data, gathered_bytes, target, n, data + gathered_bytes, body_bytes,
                    NULL) == OX_OK) {
        round_trip(model, data, gathered_bytes, target, n, n);
    }
    round_trip(model, data, gathered_bytes, data + gathered_bytes, (uint32_t)body_bytes, n);
    free(target);
    return 0;
}
