#include "synthetic.h"

#include "draw.h"
#include "front.h"
#include "must.h"
#include "oxide/base/reader.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LAYERS 8
#define TENSORS (LAYERS * 5 + 2)
#define ROW 1024 /* every tensor is a multiple of it: rows of scales, groups of int8 */
#define QUANT_BLOCK 32
#define PATH_MAX_BYTES 4096

enum purpose { DRAW_SIGMA = 1, DRAW_WEIGHTS, DRAW_UPDATE };

/* --- dtypes -----------------------------------------------------------------------------------*/

struct dtype {
    const char *name;
    const char *suffix;
    const char *safetensors; /* its word there; NULL: a GGUF file */
    uint32_t gguf;           /* its number there */
    size_t block;            /* weights that are stored together */
    size_t block_bytes;
    void (*store)(const float *values, uint8_t *out); /* one block */
};

static void store_f32(const float *values, uint8_t *out)
{
    uint32_t bits;

    memcpy(&bits, values, sizeof(bits));
    ox_store_u32le(out, bits);
}

static void store_bf16(const float *values, uint8_t *out)
{
    store_u16le(out, bf16_of(*values));
}

static void store_f16(const float *values, uint8_t *out)
{
    store_u16le(out, f16_of(*values));
}

/* The value that is largest by magnitude. */
static float extreme(const float *values, size_t count)
{
    float most = values[0];

    for (size_t i = 1; i < count; i++) {
        most = fabsf(values[i]) > fabsf(most) ? values[i] : most;
    }
    return most;
}

static void store_steps(const float *values, size_t count, float step, uint8_t *out)
{
    for (size_t i = 0; i < count; i++) {
        float steps = step == 0 ? 0 : rintf(values[i] / step);

        out[i] = (uint8_t)(int8_t)(steps > 127 ? 127 : steps < -127 ? -127 : steps);
    }
}

/* The scale of a group lies elsewhere in such files: here, nowhere. */
static void store_i8(const float *values, uint8_t *out)
{
    store_steps(values, ROW, fabsf(extreme(values, ROW)) / 127, out);
}

static void store_q8_0(const float *values, uint8_t *out)
{
    float scale = fabsf(extreme(values, QUANT_BLOCK)) / 127;

    store_u16le(out, f16_of(scale));
    store_steps(values, QUANT_BLOCK, scale, out + 2);
}

static void store_q4_0(const float *values, uint8_t *out)
{
    float scale = extreme(values, QUANT_BLOCK) / -8;
    uint8_t steps[QUANT_BLOCK];

    for (size_t i = 0; i < QUANT_BLOCK; i++) {
        float step = floorf((scale == 0 ? 0 : values[i] / scale) + 8.5f);

        steps[i] = (uint8_t)(step > 15 ? 15 : step < 0 ? 0 : step);
    }
    store_u16le(out, f16_of(scale));
    for (size_t i = 0; i < QUANT_BLOCK / 2; i++) {
        out[2 + i] = (uint8_t)(steps[i] | steps[i + QUANT_BLOCK / 2] << 4);
    }
}

static const struct dtype dtypes[] = {
    {"f32", "safetensors", "F32", 0, 1, 4, store_f32},
    {"bf16", "safetensors", "BF16", 0, 1, 2, store_bf16},
    {"f16", "safetensors", "F16", 0, 1, 2, store_f16},
    {"i8", "safetensors", "I8", 0, ROW, ROW, store_i8},
    {"q8_0", "gguf", NULL, 8, QUANT_BLOCK, 2 + QUANT_BLOCK, store_q8_0},
    {"q4_0", "gguf", NULL, 2, QUANT_BLOCK, 2 + QUANT_BLOCK / 2, store_q4_0},
};
#define DTYPE_COUNT (sizeof(dtypes) / sizeof(dtypes[0]))

/* --- changes ----------------------------------------------------------------------------------*/

/* A tensor on its way: `sigma` is the one that it was drawn with, `deviation` what it shows. */
struct tensor {
    char name[40];
    size_t count;
    float sigma;
    float deviation;
    float *weights;
    float *noise; /* room for as many numbers */
};

struct change {
    const char *name;
    void (*update)(struct tensor *tensor, double size, struct ox_rng *rng);
    double size; /* in deviations */
    const char *help;
};

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void draw_weights(struct tensor *tensor, struct ox_rng *rng)
{
    bool norm = strstr(tensor->name, "norm") != NULL;
    float middle = norm ? 1.0f : 0.0f;
    float sigma = norm ? 0.05f : tensor->sigma;

    draw_normals(rng, tensor->weights, tensor->count);
    for (size_t i = 0; i < tensor->count; i++) {
        tensor->weights[i] = middle + sigma * tensor->weights[i];
    }
}

static void update_none(struct tensor *tensor, double size, struct ox_rng *rng)
{
    (void)tensor;
    (void)size;
    (void)rng;
}

static void update_all(struct tensor *tensor, double size, struct ox_rng *rng)
{
    float step = tensor->deviation * (float)size;

    draw_normals(rng, tensor->noise, tensor->count);
    for (size_t i = 0; i < tensor->count; i++) {
        tensor->weights[i] += step * tensor->noise[i];
    }
}

static void update_head(struct tensor *tensor, double size, struct ox_rng *rng)
{
    if (has_prefix(tensor->name, "head")) {
        update_all(tensor, size, rng);
    }
}

static void update_sparse(struct tensor *tensor, double size, struct ox_rng *rng)
{
    float step = tensor->deviation * (float)size;

    for (uint64_t i = draw_gap(rng, 0.05); i < tensor->count; i += 1 + draw_gap(rng, 0.05)) {
        float noise;

        draw_normals(rng, &noise, 1);
        tensor->weights[i] += step * noise;
    }
}

static void update_rows(struct tensor *tensor, double size, struct ox_rng *rng)
{
    float scale = 0;

    for (size_t i = 0; i < tensor->count; i++) {
        if (i % ROW == 0) {
            draw_normals(rng, &scale, 1);
            scale = tensor->deviation * (float)size * expf(scale);
        }
        tensor->weights[i] += scale * (float)draw_laplace(rng, 0.7071);
    }
}

static void update_new(struct tensor *tensor, double size, struct ox_rng *rng)
{
    (void)size;
    draw_weights(tensor, rng);
}

static const struct change changes[] = {
    {"base", update_none, 0, "before any change"},
    {"head", update_head, 1e-2, "the last 5 % of the weights by 1e-2 sigma"},
    {"sparse", update_sparse, 0.1, "5 % of the positions by 0.1 sigma"},
    {"n4", update_all, 1e-4, "all weights by 1e-4 sigma"},
    {"n3", update_all, 1e-3, "all weights by 1e-3 sigma"},
    {"n2", update_all, 1e-2, "all weights by 1e-2 sigma"},
    {"rows", update_rows, 3e-3, "all, Laplace, scale lognormal per 1,024 values, median 3e-3"},
    {"new", update_new, 0, "retrained: nothing in common"},
};
#define CHANGE_COUNT (sizeof(changes) / sizeof(changes[0]))

/* --- tensors ----------------------------------------------------------------------------------*/

static void name_tensors(struct tensor tensors[TENSORS], uint64_t weights, struct ox_rng *rng)
{
    static const char *const parts[] = {"attn.qkv", "attn.out", "mlp.up", "mlp.down", "norm"};
    size_t count = (size_t)weights;
    size_t embed = count / 4 / ROW * ROW;
    size_t head = count / 20 / ROW * ROW;
    size_t layer = (count - embed - head) / LAYERS;
    size_t part = layer / 4 / ROW * ROW;
    const size_t sizes[] = {part, part, part, (layer - 3 * part) / ROW * ROW, ROW};

    (void)snprintf(tensors[0].name, sizeof(tensors[0].name), "embed.weight");
    tensors[0].count = embed;
    for (size_t i = 0; i < (size_t)LAYERS * 5; i++) {
        struct tensor *tensor = &tensors[1 + i];

        (void)snprintf(tensor->name, sizeof(tensor->name), "layers.%zu.%s.weight", i / 5,
                       parts[i % 5]);
        tensor->count = sizes[i % 5];
    }
    (void)snprintf(tensors[TENSORS - 1].name, sizeof(tensors[0].name), "head.weight");
    tensors[TENSORS - 1].count = head;
    for (size_t i = 0; i < TENSORS; i++) {
        tensors[i].sigma = (float)(0.01 + 0.05 * draw_uniform(rng));
    }
}

static float deviation(const float *values, size_t count)
{
    double sum = 0;
    double squares = 0;

    for (size_t i = 0; i < count; i++) {
        sum += (double)values[i];
        squares += (double)values[i] * (double)values[i];
    }
    sum /= (double)count;
    return (float)sqrt(squares / (double)count - sum * sum);
}

static size_t stored_bytes(const struct dtype *dtype, const struct tensor *tensor)
{
    return tensor->count / dtype->block * dtype->block_bytes;
}

/* --- files ------------------------------------------------------------------------------------*/

static void put_front(struct front *front, const struct dtype *dtype, const struct tensor *tensors)
{
    struct front_tensor list[TENSORS];

    for (size_t i = 0; i < TENSORS; i++) {
        list[i] = (struct front_tensor){.name = tensors[i].name,
                                        .safetensors = dtype->safetensors,
                                        .gguf = dtype->gguf,
                                        .rows = tensors[i].count,
                                        .len_bytes = stored_bytes(dtype, &tensors[i])};
    }
    (dtype->safetensors != NULL ? front_put_safetensors : front_put_gguf)(front, list, TENSORS);
}

static void write_tensor(FILE *file, const struct dtype *dtype, const struct tensor *tensor,
                         const char *path)
{
    size_t len = stored_bytes(dtype, tensor);
    size_t pad = dtype->safetensors == NULL ? front_padding(len, GGUF_ALIGNMENT) : 0;
    uint8_t *bytes = must_alloc(len + pad, 1);

    for (size_t i = 0; i < tensor->count / dtype->block; i++) {
        dtype->store(tensor->weights + i * dtype->block, bytes + i * dtype->block_bytes);
    }
    must_write(file, bytes, len + pad, path);
    free(bytes);
}

static void write_file(const char *folder, const struct dtype *dtype, const struct change *change,
                       uint64_t mib)
{
    uint64_t weights = (mib << 20) * dtype->block / dtype->block_bytes / ROW * ROW;
    struct tensor tensors[TENSORS] = {0};
    struct front front = {.len = 0};
    char path[PATH_MAX_BYTES];
    struct ox_rng rng;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s-%s.%s", folder, dtype->name, change->name,
                   dtype->suffix);
    draw_init(&rng, DRAW_SIGMA, weights, 0);
    name_tensors(tensors, weights, &rng);
    put_front(&front, dtype, tensors);
    file = must_create(path);
    must_write(file, front.bytes, front.len, path);
    for (size_t i = 0; i < TENSORS; i++) {
        struct tensor *tensor = &tensors[i];

        tensor->weights = must_alloc(tensor->count, sizeof(float));
        tensor->noise = must_alloc(tensor->count, sizeof(float));
        draw_init(&rng, DRAW_WEIGHTS, weights, i);
        draw_weights(tensor, &rng);
        tensor->deviation = deviation(tensor->weights, tensor->count);
        draw_init(&rng, DRAW_UPDATE, weights, i);
        change->update(tensor, change->size, &rng);
        write_tensor(file, dtype, tensor, path);
        free(tensor->weights);
        free(tensor->noise);
    }
    must_close(file, path);
}

/* --- what was asked for -----------------------------------------------------------------------*/

/* Is `name` a word of the list, or is there no list? */
static bool listed(const char *list, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, len) == 0 && (at[len] == ',' || at[len] == '\0')) {
            return true;
        }
    }
    return list == NULL;
}

/* The first word of the list that is the name of no row, which begins with it; or NULL. */
static const char *unknown(const char *list, const void *rows, size_t count, size_t row_bytes)
{
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        bool found = false;

        at += *at == ',';
        for (size_t i = 0; i < count && !found; i++) {
            const char *name = *(const char *const *)((const char *)rows + i * row_bytes);

            found = strlen(name) == strcspn(at, ",") && strncmp(at, name, strlen(name)) == 0;
        }
        if (!found) {
            return at;
        }
    }
    return NULL;
}

const char *synthetic_write(const char *folder, uint64_t mib, const char *dtype_list,
                            const char *case_list)
{
    const char *wrong = unknown(dtype_list, dtypes, DTYPE_COUNT, sizeof(dtypes[0]));

    if (wrong == NULL) {
        wrong = unknown(case_list, changes, CHANGE_COUNT, sizeof(changes[0]));
    }
    for (size_t i = 0; wrong == NULL && i < DTYPE_COUNT * CHANGE_COUNT; i++) {
        const struct dtype *dtype = &dtypes[i / CHANGE_COUNT];
        const struct change *change = &changes[i % CHANGE_COUNT];

        if (listed(dtype_list, dtype->name) && listed(case_list, change->name)) {
            write_file(folder, dtype, change, mib);
        }
    }
    return wrong;
}

void synthetic_help(FILE *to)
{
    fprintf(to, "  DTYPE:");
    for (size_t i = 0; i < DTYPE_COUNT; i++) {
        fprintf(to, " %s", dtypes[i].name);
    }
    fprintf(to, "\n");
    for (size_t i = 0; i < CHANGE_COUNT; i++) {
        fprintf(to, "  %-8s %s\n", changes[i].name, changes[i].help);
    }
}
