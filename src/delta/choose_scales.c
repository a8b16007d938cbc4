#include "choose_scales.h"

/* Trials are on so many numbers, and rationed, too; scales must save that much, of 100. */
#define SCALES_NUMBERS ((uint64_t)1 << 15)
#define SCALES_ALLOWANCE ((uint64_t)1 << 18)
#define SCALES_SHARE 256
#define SCALES_PAY_BY 1
#define SCALES_MIN ((uint64_t)1024)

static bool is_float8(uint8_t kind)
{
    return kind == NUMBER_F8E4M3 || kind == NUMBER_F8E5M2;
}

static bool may_have_scales(uint8_t kind)
{
    return kind == NUMBER_I8 || kind == NUMBER_U8 || is_float8(kind);
}

/* What is tried. Of integers none are published that have a scale for each tile. To add one: a row.
 */
static const struct scales_way {
    enum scales_axis axis;
    struct scales_tile tile;
    bool floats_only;
} scales_ways[] = {
    {SCALES_ALL, {0, 0}, false},
    {SCALES_ROWS, {0, 0}, false},
    {SCALES_COLUMNS, {0, 0}, false},
    {SCALES_TILES, {128, 128}, true}, /* DeepSeek-V3 and those who followed: weight_scale_inv */
};
#define SCALES_WAYS (sizeof(scales_ways) / sizeof(scales_ways[0]))

static void set_way(struct prediction *how, unsigned way)
{
    how->axis = (uint8_t)scales_ways[way].axis;
    how->tile = scales_ways[way].tile;
}

enum ox_code choose_scales(struct chooser *self, struct tensor_pair *pair, struct ox_err *err)
{
    struct prediction how = pair->prediction;
    uint64_t count = tensor_pair_common(pair);
    struct part part = {
        .how = how, .target_bytes = (uint32_t)(count < SCALES_NUMBERS ? count : SCALES_NUMBERS)};
    uint64_t least = 0;
    uint64_t cost;
    enum ox_code code;

    if (how.predictor != PREDICT_SAME || !may_have_scales(how.kind) || count < SCALES_MIN) {
        return OX_OK;
    }
    how.predictor = PREDICT_SCALED;
    how.columns = pair->columns;
    part.how.columns = pair->columns;
    if (self->scale_trials + part.target_bytes <= SCALES_ALLOWANCE + self->seen / SCALES_SHARE) {
        if ((code = chooser_read_front(self, pair, part.target_bytes, err)) != OX_OK ||
            (code = numbers_cost(&self->numbers, &part, 1, self->to.data, self->from.data, &least,
                                 err)) != OX_OK) {
            return code;
        }
        least -= least * SCALES_PAY_BY / 100;
        self->scaled = 0;
        part.how = how;
        for (unsigned way = 0; way < SCALES_WAYS; way++) {
            set_way(&part.how, way);
            if ((scales_ways[way].floats_only && !is_float8(how.kind)) || !part_ok(&part)) {
                continue;
            }
            if ((code = settle_part(&self->numbers, &part, self->to.data, self->from.data, err)) !=
                    OX_OK ||
                (code = numbers_cost(&self->numbers, &part, 1, self->to.data, self->from.data,
                                     &cost, err)) != OX_OK) {
                return code;
            }
            if (cost < least) {
                least = cost;
                self->scaled = way + 1;
            }
        }
        self->scale_trials += part.target_bytes;
    }
    if (self->scaled > 0) {
        set_way(&how, self->scaled - 1);
        part.how = how;
        if (part_ok(&part)) {
            pair->prediction = how;
        }
    }
    return OX_OK;
}
