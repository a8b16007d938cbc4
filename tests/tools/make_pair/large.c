#include "large.h"

#include "draw.h"
#include "must.h"
#include "oxide/base/reader.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)1 << 20) /* drawn by itself, so that a case can change it alone */
#define SIDE 8192                     /* of a tensor: 128 MiB */
#define TENSOR_BYTES ((uint64_t)SIDE * SIDE * 2)
#define QUANTILES 65536
#define SPARSE_CHANCE 1e-4
#define SIGMA 0.02

enum purpose { DRAW_CONTENT = 101, DRAW_PLACES };

/* Numbers of the standard normal distribution whose ranks are evenly apart, as bf16: one look-up
 * per weight. Found by bisection of the distribution function. */
static void fill_quantiles(uint8_t table[QUANTILES][2])
{
    double low = -6;

    for (size_t i = 0; i < QUANTILES; i++) {
        double want = ((double)i + 0.5) / QUANTILES;
        double from = low;
        double to = 6;

        while (to - from > 1e-7) {
            double middle = (from + to) / 2;

            if (0.5 * erfc(-middle / sqrt(2)) < want) {
                from = middle;
            } else {
                to = middle;
            }
        }
        low = from;
        store_u16le(table[i], bf16_of((float)(SIGMA * from)));
    }
}

static void fill_block(uint8_t *block, uint64_t index, uint8_t (*table)[2])
{
    struct ox_rng rng;

    draw_init(&rng, DRAW_CONTENT, table != NULL, index);
    for (size_t at = 0; at < BLOCK_BYTES; at += 8) {
        uint64_t bits = ox_rng_u64(&rng);

        if (table == NULL) {
            ox_store_u64le(block + at, bits);
            continue;
        }
        for (size_t i = 0; i < 4; i++) {
            memcpy(block + at + 2 * i, table[bits >> (16 * i) & 0xffff], 2);
        }
    }
}

/* Other bytes than before; in a weight the lower byte, whose top bit is the exponent's last. */
static void change_places(uint8_t *block, uint64_t index, size_t unit)
{
    struct ox_rng rng;

    draw_init(&rng, DRAW_PLACES, unit, index);
    for (uint64_t i = draw_gap(&rng, SPARSE_CHANCE); i < BLOCK_BYTES / unit;
         i += 1 + draw_gap(&rng, SPARSE_CHANCE)) {
        block[i * unit] = (uint8_t)(block[i * unit] + 1 + ox_rng_below(&rng, 16));
    }
}

static void write_header(FILE *file, uint64_t gib, const char *path)
{
    size_t count = (size_t)((gib << 30) / TENSOR_BYTES);
    size_t room = 16 + count * 128;
    char *text = must_alloc(room, 1);
    size_t len = 0;
    uint8_t front[8];

    for (size_t i = 0; i < count; i++) {
        len += (size_t)snprintf(text + len, room - len,
                                "%s\"layers.%zu.weight\":{\"dtype\":\"BF16\",\"shape\":[%d,%d],"
                                "\"data_offsets\":[%llu,%llu]}",
                                i == 0 ? "{" : ",", i, SIDE, SIDE,
                                (unsigned long long)(i * TENSOR_BYTES),
                                (unsigned long long)((i + 1) * TENSOR_BYTES));
    }
    text[len++] = '}';
    while (len % 8 != 0) {
        text[len++] = ' ';
    }
    ox_store_u64le(front, len);
    must_write(file, front, sizeof(front), path);
    must_write(file, text, len, path);
    free(text);
}

void large_write(const char *path, bool weights, enum large_case kind, uint64_t gib)
{
    uint8_t(*table)[2] = weights ? must_alloc(QUANTILES, 2) : NULL;
    uint8_t *block = must_alloc(BLOCK_BYTES, 1);
    FILE *file = must_create(path);

    if (weights) {
        fill_quantiles(table);
    }
    if (kind == LARGE_INSERT1) {
        must_write(file, "+", 1, path);
    }
    if (weights) {
        write_header(file, gib, path);
    }
    for (uint64_t i = 0; i < gib << 10; i++) {
        fill_block(block, i, table);
        if (kind == LARGE_SPARSE) {
            change_places(block, i, weights ? 2 : 1);
        } else if (kind == LARGE_CHANGE1 && i == 0) {
            block[0]++;
        }
        must_write(file, block, BLOCK_BYTES, path);
    }
    must_close(file, path);
    free(block);
    free(table);
}
