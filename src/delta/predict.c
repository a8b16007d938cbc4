#include "predict.h"

#include "cast.h"
#include "grown.h"
#include "nibbles.h"
#include "scales_nibbles.h"

#include <string.h>

/*
 * To add a predictor: a value in enum predictor, a row here, its parameters in numbers_parts.c,
 * when to try it in choose.c (of scales: a row in choose_scales.c), a section in docs/oxdl.md.
 */
struct predictor_row {
    const char *word;
    bool (*ok)(const struct part *part);
    uint32_t (*unit)(const struct prediction *how);
    uint64_t (*base_bytes)(const struct part *part);
    uint64_t (*base_offset)(const struct prediction *how, uint64_t target_at);
    uint64_t (*reach)(const struct prediction *how, uint64_t base_bytes);
    size_t (*count)(const struct part *part, enum slot slot);
    void (*predict)(const struct part *part, enum slot slot, const uint8_t *base,
                    const uint8_t *target, uint8_t *predicted, uint8_t *contexts);
    void (*extract)(const struct part *part, enum slot slot, const uint8_t *target,
                    uint8_t *numbers);
    void (*place)(const struct part *part, enum slot slot, const uint8_t *numbers, uint8_t *target);
};

/* --- what plain numbers have in common --- */

static uint32_t width_of(const struct prediction *how)
{
    return number_kinds[how->kind].width;
}

static bool plain_ok(const struct part *part)
{
    return part->how.kind < NUMBER_KIND_COUNT;
}

static uint64_t plain_base_bytes(const struct part *part)
{
    return part->target_bytes;
}

static uint64_t plain_base_offset(const struct prediction *how, uint64_t target_at)
{
    (void)how;
    return target_at;
}

static uint64_t plain_reach(const struct prediction *how, uint64_t base_bytes)
{
    (void)how;
    return base_bytes;
}

static size_t plain_count(const struct part *part, enum slot slot)
{
    return slot == SLOT_KIND + (enum slot)part->how.kind ? part->target_bytes / width_of(&part->how)
                                                         : 0;
}

static void plain_extract(const struct part *part, enum slot slot, const uint8_t *target,
                          uint8_t *numbers)
{
    (void)slot;
    memcpy(numbers, target, part->target_bytes);
}

static void plain_place(const struct part *part, enum slot slot, const uint8_t *numbers,
                        uint8_t *target)
{
    (void)slot;
    memcpy(target, numbers, part->target_bytes);
}

/* --- nothing known --- */

static uint64_t none_base_bytes(const struct part *part)
{
    (void)part;
    return 0;
}

static uint64_t none_base_offset(const struct prediction *how, uint64_t target_at)
{
    (void)how;
    (void)target_at;
    return 0;
}

static uint64_t none_reach(const struct prediction *how, uint64_t base_bytes)
{
    (void)how;
    (void)base_bytes;
    return UINT64_MAX;
}

static size_t none_count(const struct part *part, enum slot slot)
{
    return slot == SLOT_FRESH + (enum slot)part->how.kind
               ? part->target_bytes / width_of(&part->how)
               : 0;
}

static void none_predict(const struct part *part, enum slot slot, const uint8_t *base,
                         const uint8_t *target, uint8_t *predicted, uint8_t *contexts)
{
    (void)slot;
    (void)base;
    (void)target;
    (void)contexts;
    memset(predicted, 0, part->target_bytes);
}

/* --- the same number --- */

static void same_predict(const struct part *part, enum slot slot, const uint8_t *base,
                         const uint8_t *target, uint8_t *predicted, uint8_t *contexts)
{
    (void)slot;
    (void)target;
    (void)contexts;
    memcpy(predicted, base, part->target_bytes);
}

/* --- another float --- */

static bool cast_part_ok(const struct part *part)
{
    return cast_ok((enum number_kind)part->how.from, (enum number_kind)part->how.kind);
}

static uint64_t cast_base_offset(const struct prediction *how, uint64_t target_at)
{
    return target_at / width_of(how) * number_kinds[how->from].width;
}

static uint64_t cast_reach(const struct prediction *how, uint64_t base_bytes)
{
    return base_bytes / number_kinds[how->from].width * width_of(how);
}

static uint64_t cast_base_bytes(const struct part *part)
{
    return cast_base_offset(&part->how, part->target_bytes);
}

static void cast_predict(const struct part *part, enum slot slot, const uint8_t *base,
                         const uint8_t *target, uint8_t *predicted, uint8_t *contexts)
{
    (void)slot;
    (void)target;
    (void)contexts;
    cast_numbers((enum number_kind)part->how.from, (enum number_kind)part->how.kind,
                 part->how.truncates, base, part->target_bytes / width_of(&part->how), predicted);
}

/* --- pruned --- */

static void pruned_predict(const struct part *part, enum slot slot, const uint8_t *base,
                           const uint8_t *target, uint8_t *predicted, uint8_t *contexts)
{
    uint32_t threshold = part->how.threshold;

    (void)slot;
    (void)target;
    (void)contexts;
    for (size_t i = 0; i < part->target_bytes; i += width_of(&part->how)) {
        if (number_magnitude((enum number_kind)part->how.kind, base + i) < threshold) {
            memset(predicted + i, 0, width_of(&part->how));
        } else {
            memcpy(predicted + i, base + i, width_of(&part->how));
        }
    }
}

/* --- quantised blocks --- */

static bool blocks_ok(const struct part *part)
{
    return part->how.kind < BLOCK_FORMAT_COUNT;
}

static uint32_t blocks_unit(const struct prediction *how)
{
    return block_formats[how->kind].bytes;
}

static size_t blocks_of(const struct part *part)
{
    return part->target_bytes / block_formats[part->how.kind].bytes;
}

#define SLOT_SUPERS ((enum slot)(SLOT_KIND + NUMBER_F16))

static size_t blocks_count(const struct part *part, enum slot slot)
{
    const struct block_format *format = &block_formats[part->how.kind];

    if (slot == SLOT_SUPERS) {
        return blocks_of(part) * format->supers;
    }
    if (slot == SLOT_SUBS) {
        return blocks_of(part) * format->subs;
    }
    return slot == (format->quants_signed ? SLOT_QUANTS8 : SLOT_QUANTS)
               ? blocks_of(part) * format->elements
               : 0;
}

static void blocks_predict(const struct part *part, enum slot slot, const uint8_t *base,
                           const uint8_t *target, uint8_t *predicted, uint8_t *contexts)
{
    const struct block_format *format = &block_formats[part->how.kind];

    if (slot == SLOT_SUPERS) {
        blocks_get_supers(format, base, blocks_of(part), predicted);
    } else if (slot == SLOT_SUBS) {
        blocks_predict_subs(format, base, target, blocks_of(part), predicted, contexts);
    } else {
        blocks_predict_quants(format, base, target, blocks_of(part), predicted, contexts);
    }
}

static void blocks_extract(const struct part *part, enum slot slot, const uint8_t *target,
                           uint8_t *numbers)
{
    const struct block_format *format = &block_formats[part->how.kind];

    if (slot == SLOT_SUPERS) {
        blocks_get_supers(format, target, blocks_of(part), numbers);
    } else if (slot == SLOT_SUBS) {
        blocks_get_subs(format, target, blocks_of(part), numbers);
    } else {
        blocks_get_quants(format, target, blocks_of(part), numbers);
    }
}

static void blocks_place(const struct part *part, enum slot slot, const uint8_t *numbers,
                         uint8_t *target)
{
    const struct block_format *format = &block_formats[part->how.kind];

    if (slot == SLOT_SUPERS) {
        blocks_put_supers(format, target, blocks_of(part), numbers);
    } else if (slot == SLOT_SUBS) {
        blocks_put_subs(format, target, blocks_of(part), numbers);
    } else {
        blocks_put_quants(format, target, blocks_of(part), numbers);
    }
}

/* --- 4-bit numbers --- */

static bool nibbles_ok(const struct part *part)
{
    return part->how.kind == NUMBER_U8;
}

static uint32_t nibbles_unit(const struct prediction *how)
{
    (void)how;
    return 1;
}

static size_t nibbles_count(const struct part *part, enum slot slot)
{
    return slot == SLOT_QUANTS ? (size_t)part->target_bytes * 2 : 0;
}

static void nibbles_extract(const struct part *part, enum slot slot, const uint8_t *target,
                            uint8_t *numbers)
{
    (void)slot;
    nibbles_unpack(target, part->target_bytes, numbers);
}

static void nibbles_predict(const struct part *part, enum slot slot, const uint8_t *base,
                            const uint8_t *target, uint8_t *predicted, uint8_t *contexts)
{
    (void)target;
    nibbles_extract(part, slot, base, predicted);
    memcpy(contexts, predicted, (size_t)part->target_bytes * 2);
}

static void nibbles_place(const struct part *part, enum slot slot, const uint8_t *numbers,
                          uint8_t *target)
{
    (void)slot;
    nibbles_pack(numbers, part->target_bytes, target);
}

/* --- a sum of outer products --- */

struct factors_shape part_factors(const struct part *part)
{
    return (struct factors_shape){.kind = (enum number_kind)part->how.kind,
                                  .rank = part->how.rank,
                                  .columns = part->how.columns,
                                  .column = part->column,
                                  .count = part->target_bytes / width_of(&part->how)};
}

static bool factors_part_ok(const struct part *part)
{
    struct factors_shape shape;

    if (!plain_ok(part)) {
        return false;
    }
    shape = part_factors(part);
    return factors_ok(&shape);
}

static size_t factors_count(const struct part *part, enum slot slot)
{
    struct factors_shape shape = part_factors(part);

    return slot == SLOT_SENT ? (size_t)shape.rank * factors_stride(&shape)
                             : plain_count(part, slot);
}

static void factors_part_predict(const struct part *part, enum slot slot, const uint8_t *base,
                                 const uint8_t *target, uint8_t *predicted, uint8_t *contexts)
{
    struct factors_shape shape = part_factors(part);

    (void)target;
    (void)contexts;
    if (slot != SLOT_SENT) {
        factors_predict(&shape, part->sent, base, predicted);
    }
}

/* --- scaled anew --- */

struct scales_shape part_scales(const struct part *part)
{
    uint64_t count = (uint64_t)part->target_bytes * prediction_numbers(&part->how);

    return (struct scales_shape){.kind = (enum number_kind)part->how.kind,
                                 .nibbles = part->how.predictor == PREDICT_SCALED_NIBBLES,
                                 .axis = (enum scales_axis)part->how.axis,
                                 .sort = part->how.sort,
                                 .columns = part->how.columns,
                                 .column = part->column,
                                 .count = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX,
                                 .tile = part->how.tile,
                                 .row = part->row};
}

static bool scaled_ok(const struct part *part)
{
    struct scales_shape shape = part_scales(part);

    return scales_ok(&shape);
}

static size_t scaled_count(const struct part *part, enum slot slot)
{
    struct scales_shape shape = part_scales(part);

    if (slot == SLOT_SENT) {
        return scales_count(&shape);
    }
    return slot == (shape.kind == NUMBER_I8 ? SLOT_QUANTS8 : SLOT_QUANTS) ? shape.count : 0;
}

static void scaled_predict(const struct part *part, enum slot slot, const uint8_t *base,
                           const uint8_t *target, uint8_t *predicted, uint8_t *contexts)
{
    struct scales_shape shape = part_scales(part);

    (void)target;
    if (slot != SLOT_SENT) {
        scales_predict(&shape, part->sent, base, predicted, contexts);
    }
}

/* --- 4-bit numbers, scaled anew --- */

static size_t scaled_nibbles_count(const struct part *part, enum slot slot)
{
    return slot == SLOT_SENT ? scaled_count(part, slot) : nibbles_count(part, slot);
}

static void scaled_nibbles_predict(const struct part *part, enum slot slot, const uint8_t *base,
                                   const uint8_t *target, uint8_t *predicted, uint8_t *contexts)
{
    struct scales_shape shape = part_scales(part);

    (void)target;
    if (slot != SLOT_SENT) {
        scales_predict_nibbles(&shape, part->sent, base, predicted, contexts);
    }
}

/* --- the table --- */

static const struct predictor_row rows[PREDICTOR_COUNT] = {
    [PREDICT_NONE] = {"none", plain_ok, width_of, none_base_bytes, none_base_offset, none_reach,
                      none_count, none_predict, plain_extract, plain_place},
    [PREDICT_SAME] = {"same", plain_ok, width_of, plain_base_bytes, plain_base_offset, plain_reach,
                      plain_count, same_predict, plain_extract, plain_place},
    [PREDICT_CAST] = {"cast", cast_part_ok, width_of, cast_base_bytes, cast_base_offset, cast_reach,
                      plain_count, cast_predict, plain_extract, plain_place},
    [PREDICT_PRUNED] = {"pruned", plain_ok, width_of, plain_base_bytes, plain_base_offset,
                        plain_reach, plain_count, pruned_predict, plain_extract, plain_place},
    [PREDICT_GROWN] = {"grown", grown_ok, width_of, grown_base_bytes, grown_base_offset,
                       grown_reach, grown_count, grown_predict, grown_extract, grown_place},
    [PREDICT_BLOCKS] = {"blocks", blocks_ok, blocks_unit, plain_base_bytes, plain_base_offset,
                        plain_reach, blocks_count, blocks_predict, blocks_extract, blocks_place},
    [PREDICT_NIBBLES] = {"nibbles", nibbles_ok, nibbles_unit, plain_base_bytes, plain_base_offset,
                         plain_reach, nibbles_count, nibbles_predict, nibbles_extract,
                         nibbles_place},
    [PREDICT_FACTORS] = {"factors", factors_part_ok, width_of, plain_base_bytes, plain_base_offset,
                         plain_reach, factors_count, factors_part_predict, plain_extract,
                         plain_place},
    [PREDICT_SCALED] = {"scaled", scaled_ok, width_of, plain_base_bytes, plain_base_offset,
                        plain_reach, scaled_count, scaled_predict, plain_extract, plain_place},
    [PREDICT_GROWN_CAST] = {"grown_cast", grown_ok, width_of, grown_base_bytes, grown_base_offset,
                            grown_reach, grown_count, grown_predict, grown_extract, grown_place},
    [PREDICT_SCALED_NIBBLES] = {"scaled_nibbles", scaled_ok, nibbles_unit, plain_base_bytes,
                                plain_base_offset, plain_reach, scaled_nibbles_count,
                                scaled_nibbles_predict, nibbles_extract, nibbles_place},
};

const char *predictor_word(enum predictor predictor)
{
    return rows[predictor].word;
}

bool prediction_equal(const struct prediction *a, const struct prediction *b)
{
    return a->predictor == b->predictor && a->kind == b->kind && a->from == b->from &&
           a->truncates == b->truncates && a->threshold == b->threshold && a->rank == b->rank &&
           a->axis == b->axis && a->sort == b->sort && a->tile.rows == b->tile.rows &&
           a->tile.columns == b->tile.columns && a->columns == b->columns &&
           a->base_columns == b->base_columns;
}

bool prediction_jumps(const struct prediction *how)
{
    return how->predictor == PREDICT_CAST || how->predictor == PREDICT_GROWN ||
           how->predictor == PREDICT_GROWN_CAST;
}

bool prediction_sends(const struct prediction *how)
{
    return how->predictor == PREDICT_FACTORS || how->predictor == PREDICT_SCALED ||
           how->predictor == PREDICT_SCALED_NIBBLES;
}

struct prediction prediction_unsent(const struct prediction *how)
{
    struct prediction without = *how;

    if (how->predictor == PREDICT_SCALED_NIBBLES) {
        without = (struct prediction){.predictor = PREDICT_NIBBLES, .kind = NUMBER_U8};
    } else if (prediction_sends(how)) {
        without.predictor = PREDICT_SAME;
    }
    return without;
}

bool part_ok(const struct part *part)
{
    return part->how.predictor < PREDICTOR_COUNT && rows[part->how.predictor].ok(part) &&
           part->target_bytes > 0 &&
           part->target_bytes % rows[part->how.predictor].unit(&part->how) == 0 &&
           (part->how.columns == 0 ? part->column == 0 : part->column < part->how.columns);
}

uint32_t prediction_unit(const struct prediction *how)
{
    return rows[how->predictor].unit(how);
}

uint32_t prediction_numbers(const struct prediction *how)
{
    return how->predictor == PREDICT_SCALED_NIBBLES ? 2 : 1;
}

uint64_t part_base_bytes(const struct part *part)
{
    return rows[part->how.predictor].base_bytes(part);
}

uint64_t part_base_offset(const struct prediction *how, uint64_t target_at)
{
    return rows[how->predictor].base_offset(how, target_at);
}

uint64_t prediction_reach(const struct prediction *how, uint64_t base_bytes)
{
    return rows[how->predictor].reach(how, base_bytes);
}

size_t part_count(const struct part *part, enum slot slot)
{
    return rows[part->how.predictor].count(part, slot);
}

bool part_is_plain(const struct part *part, enum slot slot)
{
    return slot != SLOT_SENT && rows[part->how.predictor].extract == plain_extract;
}

enum number_kind slot_kind(enum slot slot)
{
    if (slot == SLOT_SENT) {
        return NUMBER_I32;
    }
    if (slot >= SLOT_SUBS) {
        return slot == SLOT_QUANTS8 ? NUMBER_I8 : NUMBER_U8;
    }
    return (enum number_kind)(slot >= SLOT_FRESH ? slot - SLOT_FRESH : slot - SLOT_KIND);
}

bool slot_is_fresh(enum slot slot)
{
    return slot == SLOT_SENT || (slot >= SLOT_FRESH && slot < SLOT_SUBS);
}

bool slot_has_contexts(enum slot slot)
{
    return slot >= SLOT_SUBS;
}

void part_predict(const struct part *part, enum slot slot, const uint8_t *base,
                  const uint8_t *target, uint8_t *predicted, uint8_t *contexts)
{
    rows[part->how.predictor].predict(part, slot, base, target, predicted, contexts);
}

void part_extract(const struct part *part, enum slot slot, const uint8_t *target, uint8_t *numbers)
{
    rows[part->how.predictor].extract(part, slot, target, numbers);
}

void part_place(const struct part *part, enum slot slot, const uint8_t *numbers, uint8_t *target)
{
    rows[part->how.predictor].place(part, slot, numbers, target);
}
