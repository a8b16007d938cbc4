/** Parts of make_model.c: the tensors of a network, and numbers as bytes. */
#ifndef MAKE_MODEL_ITEMS_H
#define MAKE_MODEL_ITEMS_H

#include "network.h"
#include "oxide/base/buf.h"
#include "oxide/base/err.h"
#include "oxide/base/reader.h"

#define QUANT_BLOCK 32
#define NAME_MAX_BYTES 48

/* --- numbers as bytes -------------------------------------------------------------------------*/

static void check(enum ox_code code, const struct ox_err *err)
{
    if (code != OX_OK) {
        fprintf(stderr, "make_model: %s\n", err->msg);
        exit(2);
    }
}

static uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* Rounded to nearest even; a NaN stays one. */
static uint16_t to_bf16(float value)
{
    uint32_t bits = bits_of(value);

    return isnan(value) ? 0x7fc0 : (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* For scales of blocks: positive, at most 65504, tiny ones become 0. */
static uint16_t to_f16(float value)
{
    uint32_t bits = bits_of(value);
    int exponent = (int)(bits >> 23 & 0xff) - 127 + 15;
    uint32_t mantissa = (bits >> 13 & 0x3ff) + (bits >> 12 & 1);

    if (isnan(value)) {
        return 0x7e00;
    }
    return exponent <= 0 ? 0 : (uint16_t)(((uint32_t)exponent << 10) + mantissa);
}

static float from_f16(uint16_t half)
{
    uint32_t exponent = half >> 10 & 0x1f;

    if (exponent == 31) {
        return NAN;
    }
    return exponent == 0 ? 0 : float_of((exponent + 127 - 15) << 23 | (half & 0x3ffu) << 13);
}

static void put_u16(struct ox_buf *out, uint16_t value)
{
    struct ox_err err = OX_ERR_INIT;

    check(ox_buf_put_u16le(out, value, &err), &err);
}

static void put_u32(struct ox_buf *out, uint32_t value)
{
    struct ox_err err = OX_ERR_INIT;

    check(ox_buf_put_u32le(out, value, &err), &err);
}

static void put_u64(struct ox_buf *out, uint64_t value)
{
    struct ox_err err = OX_ERR_INIT;

    check(ox_buf_put_u64le(out, value, &err), &err);
}

static void put(struct ox_buf *out, const void *bytes, size_t len)
{
    struct ox_err err = OX_ERR_INIT;

    check(ox_buf_append(out, bytes, len, &err), &err);
}

static void put_f32(struct ox_buf *out, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put_u32(out, bits_of(values[i]));
    }
}

static void put_bf16(struct ox_buf *out, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put_u16(out, to_bf16(values[i]));
    }
}

/* ggml's block_q8_0: a scale and 32 numbers from -127 to 127. */
static void put_q8(struct ox_buf *out, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i += QUANT_BLOCK) {
        float most = 0;
        float scale;
        int8_t quants[QUANT_BLOCK];

        for (size_t j = 0; j < QUANT_BLOCK; j++) {
            most = fabsf(values[i + j]) > most ? fabsf(values[i + j]) : most;
            most = isnan(values[i + j]) ? NAN : most;
        }
        scale = most / 127;
        for (size_t j = 0; j < QUANT_BLOCK; j++) {
            quants[j] = scale > 0 ? (int8_t)roundf(values[i + j] / scale) : 0;
        }
        put_u16(out, to_f16(scale));
        put(out, quants, QUANT_BLOCK);
    }
}

enum number_type { AS_F32, AS_BF16, AS_Q8_0 };

static size_t bytes_of(enum number_type type, size_t count)
{
    return type == AS_F32    ? count * 4
           : type == AS_BF16 ? count * 2
                             : count / QUANT_BLOCK * (QUANT_BLOCK + 2);
}

static void put_numbers(struct ox_buf *out, enum number_type type, const float *values,
                        size_t count)
{
    (type == AS_F32 ? put_f32 : type == AS_BF16 ? put_bf16 : put_q8)(out, values, count);
}

static void get_numbers(const uint8_t *bytes, enum number_type type, float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *block = bytes + i / QUANT_BLOCK * (QUANT_BLOCK + 2);

        if (type == AS_F32) {
            values[i] = float_of(ox_load_u32le(bytes + 4 * i));
        } else if (type == AS_BF16) {
            values[i] = float_of((uint32_t)ox_load_u16le(bytes + 2 * i) << 16);
        } else {
            values[i] = from_f16(ox_load_u16le(block)) * (float)(int8_t)block[2 + i % QUANT_BLOCK];
        }
    }
}

/* --- the tensors of a network -----------------------------------------------------------------*/

struct item {
    char name[NAME_MAX_BYTES]; /* "fc1.weight", "fc1.bias", ... */
    size_t rank;
    size_t shape[2]; /* outermost first */
    enum number_type type;
    const float *values;  /* to be written */
    const uint8_t *bytes; /* that were read */
};

struct items {
    size_t count;
    struct item items[2 * LAYERS_MAX];
};

/* Quantised networks keep their biases in f32. */
static void list_items(const struct network *net, enum number_type type, struct items *out)
{
    *out = (struct items){0};
    for (size_t i = 0; i < net->count; i++) {
        const struct layer *layer = &net->layers[i];
        struct item *weight = &out->items[out->count++];
        struct item *bias = &out->items[out->count++];

        *weight = (struct item){
            .rank = 2, .shape = {layer->out, layer->in}, .type = type, .values = layer->weight};
        *bias = (struct item){.rank = 1,
                              .shape = {layer->out, 1},
                              .type = type == AS_Q8_0 ? AS_F32 : type,
                              .values = layer->bias};
        (void)snprintf(weight->name, sizeof(weight->name), "fc%zu.weight", i + 1);
        (void)snprintf(bias->name, sizeof(bias->name), "fc%zu.bias", i + 1);
    }
}

static size_t item_count(const struct item *item)
{
    return item->shape[0] * (item->rank == 2 ? item->shape[1] : 1);
}

static size_t item_bytes(const struct item *item)
{
    return bytes_of(item->type, item_count(item));
}

static const struct item *find_item(const struct items *items, size_t layer, const char *part)
{
    char name[NAME_MAX_BYTES];

    (void)snprintf(name, sizeof(name), "fc%zu.%s", layer + 1, part);
    for (size_t i = 0; i < items->count; i++) {
        if (strcmp(items->items[i].name, name) == 0) {
            return &items->items[i];
        }
    }
    return NULL;
}

/* The network that tensors make up; false where they make none. */
static bool assemble(const struct items *items, struct network *net)
{
    size_t width = PIXELS;

    *net = (struct network){0};
    while (net->count < LAYERS_MAX) {
        const struct item *weight = find_item(items, net->count, "weight");
        const struct item *bias = find_item(items, net->count, "bias");
        struct layer *layer = &net->layers[net->count];

        if (weight == NULL || bias == NULL) {
            break;
        }
        if (weight->rank != 2 || bias->rank != 1 || weight->shape[1] != width ||
            weight->shape[0] != bias->shape[0] || width % 8 != 0 || width > WIDTH_MAX ||
            weight->shape[0] > WIDTH_MAX) {
            return false;
        }
        *layer = (struct layer){.in = width, .out = weight->shape[0]};
        layer->weight = must_alloc(layer->in * layer->out, sizeof(float));
        layer->bias = must_alloc(layer->out, sizeof(float));
        get_numbers(weight->bytes, weight->type, layer->weight, layer->in * layer->out);
        get_numbers(bias->bytes, bias->type, layer->bias, layer->out);
        width = layer->out;
        net->count++;
    }
    return net->count > 0 && width == DIGITS;
}

#endif
