/**
 * Predictors: from the base's bytes, what the numbers of the target likely are. A predictor is a
 * row in the table of predict.c; docs/oxdl.md, operation "numbers", specifies each.
 *
 * A part is a run of numbers of the target that one predictor covers. Its numbers go to slots: each
 * slot is one stream of a frame, in which all parts' numbers of one nature stand together. Slots
 * are coded in ascending order, and a prediction may use what stands in lower ones.
 */
#ifndef OXIDE_DELTA_PREDICT_H
#define OXIDE_DELTA_PREDICT_H

#include "blocks.h"
#include "factors.h"
#include "scales.h"
#include "stream.h"

/** Values are pinned: they stand in patches. */
enum predictor {
    PREDICT_NONE = 0,   /* nothing known: fresh data */
    PREDICT_SAME = 1,   /* the base's number */
    PREDICT_CAST = 2,   /* the base's number, rounded to another float */
    PREDICT_PRUNED = 3, /* the base's number, or 0 where its magnitude is below a threshold */
    PREDICT_GROWN = 4,  /* the base's number in the same row and column of shorter or longer rows */
    PREDICT_BLOCKS = 5, /* quantised blocks, through the change of their scales */
    PREDICT_NIBBLES = 6,    /* 4-bit numbers, two to a byte: the base's nibble is the context */
    PREDICT_FACTORS = 7,    /* the base's number, and an update of few factors: factors.h */
    PREDICT_SCALED = 8,     /* the base's quantised number, by the ratio of the scales: scales.h */
    PREDICT_GROWN_CAST = 9, /* GROWN, the base's number rounded as CAST does */
    PREDICT_SCALED_NIBBLES = 10, /* SCALED, of 4-bit numbers, two to a byte: scales_nibbles.h */
    PREDICTOR_COUNT = 11,
};

enum slot {
    SLOT_SENT = 0, /* factors, scales: numbers that are not the target's */
    SLOT_KIND,     /* + number_kind: predicted numbers */
    SLOT_FRESH = SLOT_KIND + NUMBER_KIND_COUNT, /* + number_kind: fresh ones */
    SLOT_SUBS = SLOT_FRESH + NUMBER_KIND_COUNT, /* sub-scales of blocks */
    SLOT_QUANTS,  /* unsigned quants of blocks, nibbles, scaled ones */
    SLOT_QUANTS8, /* int8 quants of blocks, scaled i8 */
    SLOT_COUNT,
};

/** How a tensor, or a part of one, is predicted. */
struct prediction {
    enum predictor predictor;
    uint8_t kind;   /* enum number_kind of the target; BLOCKS: row of block_formats */
    uint8_t from;   /* CAST, GROWN_CAST: enum number_kind of the base */
    bool truncates; /* CAST, GROWN_CAST: cut off instead of rounded to the nearest, ties to even */
    uint32_t threshold; /* PRUNED: magnitudes (bits without the sign) below it become 0 */
    uint8_t rank;       /* FACTORS: 1 to FACTORS_RANK_MAX */
    uint8_t axis;       /* SCALED*: enum scales_axis */
    uint8_t sort;       /* SCALED: below SCALES_SORTS, or SCALES_FLOAT_SORTS */
    struct scales_tile tile;
    uint32_t columns;      /* numbers in a row; 0: not known. GROWN*, FACTORS: at least 1 */
    uint32_t base_columns; /* GROWN*: in a row of the base, at least 1 */
};

struct part {
    struct prediction how;
    uint32_t target_bytes; /* whole numbers or blocks */
    uint32_t column;       /* of the first number; below how.columns where that is known */
    uint32_t row;          /* SCALED*: scales_shape.row */
    const uint8_t *sent;   /* FACTORS, SCALED*: the numbers of SLOT_SENT, lent, for part_predict */
};

const char *predictor_word(enum predictor predictor);

bool prediction_equal(const struct prediction *a, const struct prediction *b);
/** Does it find the base's numbers elsewhere than side by side with the target's? */
bool prediction_jumps(const struct prediction *how);
/** Does it send numbers of its own, SLOT_SENT? */
bool prediction_sends(const struct prediction *how);
/** The same without them: SAME, or NIBBLES. */
struct prediction prediction_unsent(const struct prediction *how);
/** Is it one that the format allows? */
bool part_ok(const struct part *part);
/** Bytes of one number, or block, of the target; and how many of the numbers that rows are counted
 *  in these are. */
uint32_t prediction_unit(const struct prediction *how);
uint32_t prediction_numbers(const struct prediction *how);
/** Bytes of the base that the part is predicted from: they follow each other. */
uint64_t part_base_bytes(const struct part *part);
/** Where those begin, in the tensor of the base, for a part at `target_at` in the tensor of the
 *  target (both in bytes; target_at in whole units). */
uint64_t part_base_offset(const struct prediction *how, uint64_t target_at);
/** Bytes of a target's tensor, from its front, that are predicted from a tensor of so many bytes.
 */
uint64_t prediction_reach(const struct prediction *how, uint64_t base_bytes);

/** Numbers that the part has in a slot. */
size_t part_count(const struct part *part, enum slot slot);
/** FACTORS, SCALED*: the part as what is sent sees it. */
struct factors_shape part_factors(const struct part *part);
struct scales_shape part_scales(const struct part *part);
/** Are the part's numbers in a slot its bytes, as they stand in the target? */
bool part_is_plain(const struct part *part, enum slot slot);
enum number_kind slot_kind(enum slot slot);
bool slot_is_fresh(enum slot slot);
/** Do parts give explicit contexts in this slot? */
bool slot_has_contexts(enum slot slot);

/** Predict the part's numbers in a slot. `target` holds those of lower slots in their places.
 *  contexts is NULL where the slot has none. */
void part_predict(const struct part *part, enum slot slot, const uint8_t *base,
                  const uint8_t *target, uint8_t *predicted, uint8_t *contexts);
/** Take the part's numbers in a slot, not SLOT_SENT, out of the target, and put them into it. */
void part_extract(const struct part *part, enum slot slot, const uint8_t *target, uint8_t *numbers);
void part_place(const struct part *part, enum slot slot, const uint8_t *numbers, uint8_t *target);

#endif
