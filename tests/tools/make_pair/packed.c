#include "packed.h"

#include "draw.h"
#include "front.h"
#include "must.h"
#include "oxide/base/reader.h"
#include "packed_blocks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LAYERS 4
#define ROWS 512     /* of a weight: what comes out */
#define COLUMNS 2048 /* ... and what goes in */
#define COUNT ((size_t)ROWS * COLUMNS)
#define TILE 128  /* rows and columns that share a scale of FP8 */
#define GROUP 128 /* columns that share a scale of int4 */
#define GROUPS (COLUMNS / GROUP)
#define FIELDS_MAX 4
#define UPDATE 0.01f

enum purpose { DRAW_LAYER = 301, DRAW_STEP };

/* One tensor of a layer. */
struct field {
    const char *name;
    const char *dtype; /* in safetensors; NULL: GGUF */
    size_t rows;
    size_t columns;
    size_t len_bytes;
};

struct format {
    const char *name;
    const char *help;
    struct field fields[FIELDS_MAX];
    void (*pack)(const float *weights, uint8_t *const fields[FIELDS_MAX]);
    uint32_t gguf;
    size_t block_bytes;
    void (*block)(const float *values, uint8_t *out);
};

/* --- FP8 --- */

/* f8_e4m3: the nearest; most is what 448 stands for. */
static uint8_t e4m3_of(float value)
{
    float size = fabsf(value);
    int exponent = size < ldexpf(1, -6) ? -6 : ilogbf(size);
    int magnitude = (int)rintf(ldexpf(size, 3 - exponent)) + ((exponent + 6) << 3);

    return (uint8_t)((value < 0 ? 0x80 : 0) | (magnitude > 0x7e ? 0x7e : magnitude));
}

static void put_f32(float value, uint8_t *out)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    ox_store_u32le(out, bits);
}

/* A tile of so many rows and columns, by one scale, which is returned. */
static float pack_tile(const float *weights, size_t rows, size_t columns, uint8_t *out)
{
    float most = 0;

    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < columns; j++) {
            most = fmaxf(most, fabsf(weights[i * COLUMNS + j]));
        }
    }
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < columns; j++) {
            out[i * COLUMNS + j] = e4m3_of(weights[i * COLUMNS + j] * 448 / most);
        }
    }
    return most / 448;
}

static void pack_f8(const float *weights, uint8_t *const fields[FIELDS_MAX])
{
    put_f32(pack_tile(weights, ROWS, COLUMNS, fields[0]), fields[1]);
}

static void pack_f8_tiles(const float *weights, uint8_t *const fields[FIELDS_MAX])
{
    for (size_t tile = 0; tile < COUNT / TILE / TILE; tile++) {
        size_t at = tile / (COLUMNS / TILE) * TILE * COLUMNS + tile % (COLUMNS / TILE) * TILE;

        put_f32(pack_tile(weights + at, TILE, TILE, fields[0] + at), fields[1] + 4 * tile);
    }
}

/* --- int4 --- */

static void put_nibble(uint8_t *out, size_t at, unsigned value)
{
    out[at / 2] = (uint8_t)(out[at / 2] | value << (4 * (at % 2)));
}

/* What the levels of a group stand for: (level - zero) * scale. */
struct grid {
    float scale;
    float zero;
};

static unsigned level_of(float value, struct grid grid)
{
    float level = rintf(value / grid.scale) + grid.zero;

    return (unsigned)(level < 0 ? 0 : level > 15 ? 15 : level);
}

/* The smallest and the largest of a group, 0 among them. */
static void range_of(const float *weights, float *low, float *high)
{
    *low = 0;
    *high = 0;
    for (size_t j = 0; j < GROUP; j++) {
        *low = fminf(*low, weights[j]);
        *high = fmaxf(*high, weights[j]);
    }
}

static struct grid symmetric(const float *weights)
{
    float low;
    float high;

    range_of(weights, &low, &high);
    return (struct grid){fmaxf(-low, high) * 2 / 15, 8};
}

static struct grid between(float low, float high)
{
    float scale = (high - low) / 15;

    return (struct grid){scale, rintf(-low / scale)};
}

static struct grid with_zero(const float *weights)
{
    float low;
    float high;

    range_of(weights, &low, &high);
    return between(low, high);
}

/* Of ranges that are cut off by up to a third, the one that makes the least square error. */
static struct grid clipped(const float *weights)
{
    struct grid best = {1, 0};
    float least = INFINITY;
    float low;
    float high;

    range_of(weights, &low, &high);
    for (int cut = 0; cut <= 6; cut++) {
        struct grid grid = between(low * (1 - 0.05f * (float)cut), high * (1 - 0.05f * (float)cut));
        float sum = 0;

        for (size_t j = 0; j < GROUP; j++) {
            float back = ((float)level_of(weights[j], grid) - grid.zero) * grid.scale;

            sum += (weights[j] - back) * (weights[j] - back);
        }
        if (sum < least) {
            least = sum;
            best = grid;
        }
    }
    return best;
}

/* How GPTQ packs: qweight [columns / 8, rows], eight of a column in a number; qzeros [groups,
 * rows / 8], less one; scales [groups, rows]; g_idx. */
static void pack_down(const float *weights, struct grid (*grid_of)(const float *),
                      uint8_t *const fields[FIELDS_MAX])
{
    for (size_t row = 0; row < ROWS; row++) {
        for (size_t group = 0; group < GROUPS; group++) {
            const float *from = weights + row * COLUMNS + group * GROUP;
            struct grid grid = grid_of(from);

            put_nibble(fields[1], group * ROWS + row, (unsigned)(grid.zero + 15) % 16);
            store_u16le(fields[2] + 2 * (group * ROWS + row), f16_of(grid.scale));
            for (size_t j = 0; j < GROUP; j++) {
                size_t column = group * GROUP + j;

                put_nibble(fields[0], (column / 8 * ROWS + row) * 8 + column % 8,
                           level_of(from[j], grid));
            }
        }
    }
    for (size_t column = 0; column < COLUMNS; column++) {
        ox_store_u32le(fields[3] + 4 * column, (uint32_t)(column / GROUP));
    }
}

static void pack_gptq(const float *weights, uint8_t *const fields[FIELDS_MAX])
{
    pack_down(weights, symmetric, fields);
}

static void pack_gptq_zeros(const float *weights, uint8_t *const fields[FIELDS_MAX])
{
    pack_down(weights, with_zero, fields);
}

/* How AWQ packs: qweight [columns, rows / 8], eight rows in a number in an order of its own; qzeros
 * likewise; scales [groups, rows]. */
static void pack_across(const float *weights, struct grid (*grid_of)(const float *),
                        uint8_t *const fields[FIELDS_MAX])
{
    static const uint8_t order[8] = {0, 4, 1, 5, 2, 6, 3, 7};

    for (size_t row = 0; row < ROWS; row++) {
        size_t place = row / 8 * 8 + order[row % 8];

        for (size_t group = 0; group < GROUPS; group++) {
            const float *from = weights + row * COLUMNS + group * GROUP;
            struct grid grid = grid_of(from);

            put_nibble(fields[1], group * ROWS + place, (unsigned)grid.zero);
            store_u16le(fields[2] + 2 * (group * ROWS + row), f16_of(grid.scale));
            for (size_t j = 0; j < GROUP; j++) {
                put_nibble(fields[0], (group * GROUP + j) * ROWS + place, level_of(from[j], grid));
            }
        }
    }
}

static void pack_awq(const float *weights, uint8_t *const fields[FIELDS_MAX])
{
    pack_across(weights, with_zero, fields);
}

static void pack_awq_clipped(const float *weights, uint8_t *const fields[FIELDS_MAX])
{
    pack_across(weights, clipped, fields);
}

/* How compressed-tensors packs: weight_packed [rows, columns / 8], along rows; weight_scale [rows,
 * groups]; weight_zero_point [rows / 8, groups], eight rows in a number. */
static void pack_rows(const float *weights, uint8_t *const fields[FIELDS_MAX])
{
    for (size_t group = 0; group < ROWS * GROUPS; group++) {
        size_t row = group / GROUPS;
        struct grid grid = with_zero(weights + group * GROUP);

        put_nibble(fields[1], (row / 8 * GROUPS + group % GROUPS) * 8 + row % 8,
                   (unsigned)grid.zero);
        store_u16le(fields[2] + 2 * group, f16_of(grid.scale));
        for (size_t j = group * GROUP; j < (group + 1) * GROUP; j++) {
            put_nibble(fields[0], j, level_of(weights[j], grid));
        }
    }
}

/* How MatMulNBits packs: B [rows, columns / 2], along rows; zero points [rows, groups / 2]; scales
 * [rows, groups]. */
static void pack_bytes(const float *weights, uint8_t *const fields[FIELDS_MAX])
{
    for (size_t group = 0; group < ROWS * GROUPS; group++) {
        struct grid grid = with_zero(weights + group * GROUP);

        put_nibble(fields[1], group, (unsigned)grid.zero);
        put_f32(grid.scale, fields[2] + 4 * group);
        for (size_t j = group * GROUP; j < (group + 1) * GROUP; j++) {
            put_nibble(fields[0], j, level_of(weights[j], grid));
        }
    }
}

#define GPTQ_FIELDS                                                                                \
    {                                                                                              \
        {"qweight", "I32", COLUMNS / 8, ROWS, COUNT / 2},                                          \
            {"qzeros", "I32", GROUPS, ROWS / 8, GROUPS * ROWS / 2},                                \
            {"scales", "F16", GROUPS, ROWS, 2 * GROUPS * ROWS},                                    \
        {                                                                                          \
            "g_idx", "I32", COLUMNS, 0, 4 * COLUMNS                                                \
        }                                                                                          \
    }
#define AWQ_FIELDS                                                                                 \
    {                                                                                              \
        {"qweight", "I32", COLUMNS, ROWS / 8, COUNT / 2},                                          \
            {"qzeros", "I32", GROUPS, ROWS / 8, GROUPS * ROWS / 2},                                \
        {                                                                                          \
            "scales", "F16", GROUPS, ROWS, 2 * GROUPS *ROWS                                        \
        }                                                                                          \
    }

/* To add a format: a row. */
static const struct format formats[] = {
    {.name = "f8",
     .help = "float8_e4m3 with a scale for each tensor",
     .fields = {{"weight", "F8_E4M3", ROWS, COLUMNS, COUNT}, {"weight_scale", "F32", 1, 0, 4}},
     .pack = pack_f8},
    {.name = "f8-tiles",
     .help = "... for each tile of 128 x 128",
     .fields = {{"weight", "F8_E4M3", ROWS, COLUMNS, COUNT},
                {"weight_scale_inv", "F32", ROWS / TILE, COLUMNS / TILE, 4 * COUNT / TILE / TILE}},
     .pack = pack_f8_tiles},
    {.name = "gptq",
     .help = "int4 in groups of 128, symmetric, packed down columns",
     .fields = GPTQ_FIELDS,
     .pack = pack_gptq},
    {.name = "gptq-zeros",
     .help = "... with zero points",
     .fields = GPTQ_FIELDS,
     .pack = pack_gptq_zeros},
    {.name = "awq",
     .help = "int4 in groups of 128 with zero points, packed across rows",
     .fields = AWQ_FIELDS,
     .pack = pack_awq},
    {.name = "awq-clip",
     .help = "... the range of each group cut off where the error is least",
     .fields = AWQ_FIELDS,
     .pack = pack_awq_clipped},
    {.name = "int4-rows",
     .help = "int4 in groups of 128 with zero points, packed along rows (compressed-tensors)",
     .fields = {{"weight_packed", "I32", ROWS, COLUMNS / 8, COUNT / 2},
                {"weight_zero_point", "I32", ROWS / 8, GROUPS, GROUPS *ROWS / 2},
                {"weight_scale", "F16", ROWS, GROUPS, 2 * GROUPS *ROWS}},
     .pack = pack_rows},
    {.name = "int4-bytes",
     .help = "... two to a byte (ONNX's MatMulNBits)",
     .fields = {{"weight_Q4", "U8", ROWS, COLUMNS / 2, COUNT / 2},
                {"weight_zero_points", "U8", ROWS, GROUPS / 2, ROWS *GROUPS / 2},
                {"weight_scales", "F32", ROWS, GROUPS, 4 * ROWS *GROUPS}},
     .pack = pack_bytes},
    {.name = "q4_k", .help = "GGUF Q4_K", .gguf = 12, .block_bytes = 144, .block = block_q4_k},
    {.name = "q5_k", .help = "GGUF Q5_K", .gguf = 13, .block_bytes = 176, .block = block_q5_k},
    {.name = "q6_k", .help = "GGUF Q6_K", .gguf = 14, .block_bytes = 210, .block = block_q6_k},
    {.name = "iq4_xs",
     .help = "GGUF IQ4_XS",
     .gguf = 23,
     .block_bytes = 136,
     .block = block_iq4_xs},
};
#define FORMAT_COUNT (sizeof(formats) / sizeof(formats[0]))

/* --- files --- */

static void pack(const struct format *format, const float *weights,
                 uint8_t *const fields[FIELDS_MAX])
{
    if (format->pack != NULL) {
        format->pack(weights, fields);
        return;
    }
    for (size_t i = 0; i < COUNT / K_BLOCK; i++) {
        format->block(weights + i * K_BLOCK, fields[0] + i * format->block_bytes);
    }
}

static void write_file(const struct format *format, const char *path, bool updated)
{
    const struct field blocks = {"weight", NULL, ROWS, COLUMNS,
                                 COUNT / K_BLOCK * format->block_bytes};
    const struct field *fields = format->pack != NULL ? format->fields : &blocks;
    struct front_tensor tensors[LAYERS * FIELDS_MAX];
    char names[LAYERS * FIELDS_MAX][48];
    float *weights = must_alloc(2 * COUNT, sizeof(float));
    struct front front = {.len = 0};
    FILE *file = must_create(path);
    size_t per_layer = 0;
    size_t count = 0;

    while (per_layer < (format->pack != NULL ? FIELDS_MAX : 1u) && fields[per_layer].name != NULL) {
        per_layer++;
    }
    for (; count < LAYERS * per_layer; count++) {
        const struct field *field = &fields[count % per_layer];

        (void)snprintf(names[count], sizeof(names[count]), "layers.%zu.up.%s", count / per_layer,
                       field->name);
        tensors[count] = (struct front_tensor){names[count], field->dtype,   format->gguf,
                                               field->rows,  field->columns, field->len_bytes};
    }
    (format->pack != NULL ? front_put_safetensors : front_put_gguf)(&front, tensors, count);
    must_write(file, front.bytes, front.len, path);
    for (size_t layer = 0; layer < LAYERS; layer++) {
        float sigma = 0.01f * (float)(layer + 1);
        uint8_t *bytes[FIELDS_MAX] = {NULL};
        struct ox_rng rng;

        draw_init(&rng, DRAW_LAYER, layer, 0);
        draw_normals(&rng, weights, COUNT);
        draw_init(&rng, DRAW_STEP, layer, 0);
        draw_normals(&rng, weights + COUNT, COUNT);
        for (size_t i = 0; i < COUNT; i++) {
            weights[i] = sigma * (weights[i] + (updated ? UPDATE * weights[COUNT + i] : 0));
        }
        for (size_t i = 0; i < per_layer; i++) { /* GGUF: a multiple of the alignment */
            bytes[i] = must_alloc(fields[i].len_bytes, 1);
        }
        pack(format, weights, bytes);
        for (size_t i = 0; i < per_layer; i++) {
            must_write(file, bytes[i], fields[i].len_bytes, path);
            free(bytes[i]);
        }
    }
    must_close(file, path);
    free(weights);
}

bool packed_write(const char *format, const char *base, const char *target)
{
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        if (strcmp(formats[i].name, format) == 0) {
            write_file(&formats[i], base, false);
            write_file(&formats[i], target, true);
            return true;
        }
    }
    return false;
}

void packed_help(FILE *to)
{
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        fprintf(to, "  %-10s %s\n", formats[i].name, formats[i].help);
    }
}
