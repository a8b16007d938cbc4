#include "choose_scales.h"

/* Trials are on so many bytes, and rationed, too; scales must save that much, of 100. Those of
 * nibbles are on as much as a frame holds: their scales may stand in rows of 128 each. */
#define SCALES_BYTES ((uint64_t)1 << 15)
#define SCALES_NIBBLE_BYTES ((uint64_t)STREAM_GIVEN_MAX / 2)
#define SCALES_ALLOWANCE ((uint64_t)1 << 18)
#define SCALES_SHARE 256
#define SCALES_PAY_BY 1
#define SCALES_MIN ((uint64_t)1024)

/* Of bytes so many are looked at to see whether they are two numbers each. */
#define PACKED_BYTES 4096u

/* What numbers are: NIBBLES are integers of 4 bits, be they in bytes or in words. */
enum nature { NATURE_INTEGERS, NATURE_FLOATS, NATURE_NIBBLES, NATURE_NONE };

#define INTEGERS (1U << NATURE_INTEGERS)
#define FLOATS (1U << NATURE_FLOATS)
#define NIBBLES (1U << NATURE_NIBBLES)

/* What is tried. Of integers of 8 bits none are published that have a scale for each tile. To add
 * one: a row. */
static const struct scales_way {
    unsigned natures;
    enum predictor predictor;
    enum scales_axis axis;
    struct scales_tile tile;
} scales_ways[] = {
    {INTEGERS | FLOATS, PREDICT_SCALED, SCALES_ALL, {0, 0}},
    {INTEGERS | FLOATS, PREDICT_SCALED, SCALES_ROWS, {0, 0}},
    {INTEGERS | FLOATS, PREDICT_SCALED, SCALES_COLUMNS, {0, 0}},
    /* DeepSeek-V3 and those who followed: weight_scale_inv. */
    {FLOATS, PREDICT_SCALED, SCALES_TILES, {128, 128}},
    {NIBBLES, PREDICT_SCALED_NIBBLES, SCALES_ALL, {0, 0}},
    {NIBBLES, PREDICT_SCALED_NIBBLES, SCALES_ROWS, {0, 0}},
    {NIBBLES, PREDICT_SCALED_NIBBLES, SCALES_COLUMNS, {0, 0}},
    /* AWQ: groups down columns. */
    {NIBBLES, PREDICT_SCALED_NIBBLES, SCALES_TILES, {128, 1}},
    {NIBBLES, PREDICT_SCALED_NIBBLES, SCALES_TILES, {64, 1}},
    {NIBBLES, PREDICT_SCALED_NIBBLES, SCALES_TILES, {32, 1}},
    /* GPTQ: the same, eight of a column beside each other; the last: one group. */
    {NIBBLES, PREDICT_SCALED_NIBBLES, SCALES_TILES, {16, 8}},
    {NIBBLES, PREDICT_SCALED_NIBBLES, SCALES_TILES, {8, 8}},
    {NIBBLES, PREDICT_SCALED_NIBBLES, SCALES_TILES, {4, 8}},
    {NIBBLES, PREDICT_SCALED_NIBBLES, SCALES_TILES, {UINT16_MAX, 8}},
    /* compressed-tensors, ONNX's MatMulNBits and others: along rows. */
    {NIBBLES, PREDICT_SCALED_NIBBLES, SCALES_TILES, {1, 128}},
    {NIBBLES, PREDICT_SCALED_NIBBLES, SCALES_TILES, {1, 64}},
    {NIBBLES, PREDICT_SCALED_NIBBLES, SCALES_TILES, {1, 32}},
};
#define SCALES_WAYS (sizeof(scales_ways) / sizeof(scales_ways[0]))

/* Are both halves spread alike, and not evenly? The lower ones of one integer are even, unless it
 * is small, and then its upper ones have few values. Normal weights of 4 bits, of any scale,
 * have 1.2 and more of what must be above 1.1 here, and nearly all in common; those of 8 bits 1.05
 * and less, or two fifths in common. */
static bool look_packed(const uint8_t *bytes, size_t n)
{
    uint64_t low[16] = {0};
    uint64_t high[16] = {0};
    uint64_t squares = 0;
    uint64_t common = 0;

    for (size_t i = 0; i < n; i++) {
        low[bytes[i] & 15]++;
        high[bytes[i] >> 4]++;
    }
    for (size_t k = 0; k < 16; k++) {
        squares += low[k] * low[k];
        common += low[k] < high[k] ? low[k] : high[k];
    }
    return squares * 16 > n * n + n * n / 10 && common > n - n / 4;
}

static enum ox_code find_nature(struct chooser *self, const struct tensor_pair *pair,
                                enum nature *out, struct ox_err *err)
{
    const struct prediction *how = &pair->prediction;
    uint64_t count = tensor_pair_common(pair);
    bool same = how->predictor == PREDICT_SAME;
    enum ox_code code = OX_OK;

    *out = NATURE_NONE;
    if (count < SCALES_MIN) {
        return OX_OK;
    }
    if (how->predictor == PREDICT_NIBBLES) {
        *out = NATURE_NIBBLES;
    } else if (same && (how->kind == NUMBER_F8E4M3 || how->kind == NUMBER_F8E5M2)) {
        *out = NATURE_FLOATS;
    } else if (same && (how->kind == NUMBER_I8 || how->kind == NUMBER_U8)) {
        uint32_t n = count < PACKED_BYTES ? (uint32_t)count : PACKED_BYTES;

        code = chooser_read_front(self, pair, n, err);
        *out = code == OX_OK && look_packed(self->to.data, n) ? NATURE_NIBBLES : NATURE_INTEGERS;
    }
    return code;
}

static struct prediction by_way(const struct tensor_pair *pair, const struct scales_way *way)
{
    const struct ox_dtype_info *info = ox_dtype_info(pair->dtype);
    struct prediction how = {.predictor = way->predictor,
                             .kind = pair->prediction.kind,
                             .axis = (uint8_t)way->axis,
                             .tile = way->tile};
    uint64_t columns = pair->columns;

    if (way->predictor == PREDICT_SCALED_NIBBLES) {
        how.kind = pair->dtype == OX_DTYPE_I4 ? NUMBER_I8 : NUMBER_U8;
        columns *= info->block_elements == 0 ? 0 : 2 * info->block_bytes / info->block_elements;
    }
    how.columns = columns <= UINT32_MAX ? (uint32_t)columns : 0;
    return how;
}

/* The way that costs least of so many bytes at hand, + 1; 0 if none pays. */
static enum ox_code search_ways(struct chooser *self, const struct tensor_pair *pair,
                                enum nature nature, uint32_t bytes, uint8_t *best,
                                struct ox_err *err)
{
    struct part without = {.how = pair->prediction, .target_bytes = bytes};
    uint64_t least = 0;
    uint64_t cost;
    enum ox_code code;

    if (without.how.predictor == PREDICT_SAME) {
        without.how.columns = pair->columns;
    }
    code = numbers_cost(&self->numbers, &without, 1, self->to.data, self->from.data, &least, err);
    least -= least * SCALES_PAY_BY / 100;
    *best = 0;
    for (uint8_t way = 0; code == OX_OK && way < SCALES_WAYS; way++) {
        struct part part = {.how = by_way(pair, &scales_ways[way]), .target_bytes = bytes};

        if ((scales_ways[way].natures >> nature & 1) == 0 || !part_ok(&part)) {
            continue;
        }
        if ((code = settle_part(&self->numbers, &part, self->to.data, self->from.data, err)) !=
                OX_OK ||
            (code = numbers_cost(&self->numbers, &part, 1, self->to.data, self->from.data, &cost,
                                 err)) != OX_OK) {
            break;
        }
        if (cost < least) {
            least = cost;
            *best = way + 1;
        }
    }
    return code;
}

enum ox_code choose_scales(struct chooser *self, struct tensor_pair *pair, struct ox_err *err)
{
    uint64_t count = tensor_pair_common(pair);
    enum nature nature;
    uint64_t most;
    uint32_t bytes;
    struct chooser_scales *last;
    uint8_t way;
    enum ox_code code = find_nature(self, pair, &nature, err);

    if (code != OX_OK || nature == NATURE_NONE) {
        return code;
    }
    most = nature == NATURE_NIBBLES ? SCALES_NIBBLE_BYTES : SCALES_BYTES;
    bytes = (uint32_t)(count < most ? count : most);
    last = &self->scales[nature];
    way = last->way;
    if (self->scale_trials + bytes <= SCALES_ALLOWANCE + self->seen / SCALES_SHARE) {
        if ((code = chooser_read_front(self, pair, bytes, err)) != OX_OK ||
            (code = search_ways(self, pair, nature, bytes, &way, err)) != OX_OK) {
            return code;
        }
        self->scale_trials += bytes;
        if (way > 0 || bytes >= last->bytes) {
            *last = (struct chooser_scales){way, bytes};
        }
    }
    if (way > 0) {
        struct prediction how = by_way(pair, &scales_ways[way - 1]);

        if (part_ok(&(struct part){.how = how, .target_bytes = bytes})) {
            pair->prediction = how;
        }
    }
    return OX_OK;
}
