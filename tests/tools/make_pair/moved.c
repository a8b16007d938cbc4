#include "moved.h"

#include "draw.h"
#include "must.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_MIN 16

enum purpose { DRAW_BLOCKS = 201, DRAW_PASTES };

void moved_blocks(const char *base, const char *target, uint64_t count, uint64_t bytes)
{
    uint8_t *blocks = must_alloc((size_t)count, (size_t)bytes);
    uint64_t *order = must_alloc((size_t)count, sizeof(*order));
    FILE *file = must_create(base);
    struct ox_rng rng;

    draw_init(&rng, DRAW_BLOCKS, count, bytes);
    for (uint64_t i = 0; i < count * bytes; i++) {
        blocks[i] = (uint8_t)ox_rng_u64(&rng);
    }
    must_write(file, blocks, (size_t)(count * bytes), base);
    must_close(file, base);
    file = must_create(target);
    for (uint64_t i = 0; i < count; i++) { /* Fisher and Yates, from the inside out */
        uint64_t at = ox_rng_below(&rng, i + 1);

        order[i] = order[at];
        order[at] = i;
    }
    for (uint64_t i = 0; i < count; i++) {
        must_write(file, blocks + order[i] * bytes, (size_t)bytes, target);
    }
    must_close(file, target);
    free(order);
    free(blocks);
}

static uint8_t *read_all(const char *path, uint64_t *out_len)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = must_alloc(1, (size_t)MOVED_BYTES_MAX);

    if (file == NULL) {
        fprintf(stderr, "make_pair: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    *out_len = fread(bytes, 1, (size_t)MOVED_BYTES_MAX, file);
    if (ferror(file) != 0 || getc(file) != EOF) {
        fprintf(stderr, "make_pair: %s: cannot be read, or has more than 1 GiB\n", path);
        exit(1);
    }
    (void)fclose(file);
    return bytes;
}

void moved_pastes(const char *base, const char *target, bool over, uint64_t count, uint64_t most)
{
    uint64_t len = 0;
    uint8_t *bytes = read_all(base, &len);
    uint64_t at = 0;
    FILE *file;
    struct ox_rng rng;

    if (most < PIECE_MIN || len < most || len / count == 0) {
        fprintf(stderr, "make_pair: %s: too short for such pieces\n", base);
        exit(1);
    }
    file = must_create(target);
    draw_init(&rng, DRAW_PASTES, count, most);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t to = len / count * i + ox_rng_below(&rng, len / count);
        uint64_t piece = PIECE_MIN + ox_rng_below(&rng, most - PIECE_MIN + 1);
        uint64_t from = ox_rng_below(&rng, len - piece + 1);

        if (to >= at) {
            must_write(file, bytes + at, (size_t)(to - at), target);
            must_write(file, bytes + from, (size_t)piece, target);
            at = !over ? to : piece < len - to ? to + piece : len;
        }
    }
    must_write(file, bytes + at, (size_t)(len - at), target);
    must_close(file, target);
    free(bytes);
}
