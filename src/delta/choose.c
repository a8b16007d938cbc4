#include "choose.h"

#include "cast.h"
#include "choose_scales.h"
#include "decode.h"

#include <string.h>

/* A sample: so many windows of so many numbers, in at most so many bytes, spread over the tensor.
 */
#define WINDOWS 8
#define WINDOW_NUMBERS ((uint64_t)1024)
#define WINDOW_BYTES ((uint64_t)4096)

/* Smaller tensors are predicted by default: a trial costs more than it can win. */
#define TRY_MIN ((uint64_t)128)

#define CANDIDATES_MAX 6

/* Blocks are predicted as such unless their bytes cost an eighth less: less may be the sample's. */
#define BLOCKS_BEAT_BY 8

bool number_kind_of(enum ox_dtype dtype, enum number_kind *kind)
{
    static const struct {
        enum ox_dtype dtype;
        enum number_kind kind;
    } rows[] = {
        {OX_DTYPE_F32, NUMBER_F32},        {OX_DTYPE_F16, NUMBER_F16},
        {OX_DTYPE_BF16, NUMBER_BF16},      {OX_DTYPE_F8_E4M3, NUMBER_F8E4M3},
        {OX_DTYPE_F8_E5M2, NUMBER_F8E5M2}, {OX_DTYPE_I32, NUMBER_I32},
        {OX_DTYPE_U32, NUMBER_I32},        {OX_DTYPE_I16, NUMBER_I16},
        {OX_DTYPE_U16, NUMBER_I16},        {OX_DTYPE_I8, NUMBER_I8},
        {OX_DTYPE_F64, NUMBER_KIND_COUNT}, {OX_DTYPE_I64, NUMBER_KIND_COUNT},
        {OX_DTYPE_U64, NUMBER_KIND_COUNT},
    };

    *kind = NUMBER_U8;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].dtype == dtype) {
            *kind = rows[i].kind;
        }
    }
    return *kind != NUMBER_KIND_COUNT;
}

struct prediction prediction_default(const struct tensor_pair *pair)
{
    struct prediction how = {.predictor =
                                 tensor_pair_common(pair) > 0 ? PREDICT_SAME : PREDICT_NONE};
    enum number_kind kind;
    uint8_t format;

    if (number_kind_of(pair->dtype, &kind)) {
        how.kind = (uint8_t)kind;
    }
    if (how.predictor == PREDICT_SAME && block_format_of(pair->dtype, &format)) {
        how.predictor = PREDICT_BLOCKS;
        how.kind = format;
    }
    return how;
}

/* --- pruning --- */

static bool is_zero(const uint8_t *number, unsigned width)
{
    uint8_t any = 0;

    for (unsigned k = 0; k < width; k++) {
        any |= number[k];
    }
    return any == 0;
}

uint32_t choose_threshold(enum number_kind kind, const uint8_t *base, const uint8_t *target,
                          size_t n)
{
    unsigned width = number_kinds[kind].width;
    uint32_t largest_gone = 0;
    uint32_t smallest_kept = UINT32_MAX;

    for (size_t i = 0; i + width <= n; i += width) { /* few: mostly that is all */
        if (is_zero(target + i, width)) {
            uint32_t magnitude = number_magnitude(kind, base + i);

            largest_gone = magnitude > largest_gone ? magnitude : largest_gone;
        }
    }
    if (largest_gone == 0) {
        return 0;
    }
    for (size_t i = 0; i + width <= n; i += width) {
        uint32_t magnitude = number_magnitude(kind, base + i);

        if (magnitude != 0 && magnitude < smallest_kept && !is_zero(target + i, width)) {
            smallest_kept = magnitude;
        }
    }
    return largest_gone < smallest_kept ? largest_gone + 1 : smallest_kept;
}

enum ox_code settle_part(struct numbers *numbers, struct part *part, const uint8_t *target,
                         const uint8_t *base, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    if (part->how.predictor == PREDICT_PRUNED) {
        part->how.threshold =
            choose_threshold((enum number_kind)part->how.kind, base, target, part->target_bytes);
    } else if (part->how.predictor == PREDICT_SCALED) {
        struct scales_shape shape = part_scales(part);

        code = buf_resize(&numbers->sent, 4 * (size_t)scales_count(&shape), err);
        if (code == OX_OK) {
            scales_fit(&shape, base, target, numbers->sent.data);
            part->how.sort = (uint8_t)scales_sort(&shape, numbers->sent.data, base, target);
        }
    }
    return code;
}

/* --- candidates --- */

static bool have_other_rows(const struct tensor_pair *pair)
{
    return pair->columns != pair->base_columns && pair->columns > 0 && pair->base_columns > 0;
}

static size_t list_candidates(const struct tensor_pair *pair, struct prediction *out)
{
    struct prediction how = prediction_default(pair);
    enum number_kind kind;
    enum number_kind from;
    uint8_t format;
    size_t count = 0;

    if (!number_kind_of(pair->dtype, &kind)) {
        return 0;
    }
    if (tensor_pair_common(pair) == 0) {
        if (number_kind_of(pair->base_dtype, &from) && cast_ok(from, kind)) {
            how.predictor = PREDICT_CAST;
            how.from = (uint8_t)from;
            if (have_other_rows(pair)) {
                how.predictor = PREDICT_GROWN_CAST;
                how.columns = pair->columns;
                how.base_columns = pair->base_columns;
            }
            out[count++] = how;
            how.truncates = true;
            out[count++] = how;
        }
        out[count++] = (struct prediction){.predictor = PREDICT_NONE, .kind = (uint8_t)kind};
        return count;
    }
    if (block_format_of(pair->dtype, &format)) {
        out[count++] = how;
        out[count++] = (struct prediction){.predictor = PREDICT_SAME, .kind = NUMBER_U8};
        return count;
    }
    if (have_other_rows(pair)) {
        how.predictor = PREDICT_GROWN;
        how.columns = pair->columns;
        how.base_columns = pair->base_columns;
        out[count++] = how;
        how = prediction_default(pair);
    }
    if (pair->dtype == OX_DTYPE_I4 || pair->dtype == OX_DTYPE_U4 || kind == NUMBER_U8 ||
        kind == NUMBER_I8 || kind == NUMBER_I32) {
        out[count++] = (struct prediction){.predictor = PREDICT_NIBBLES, .kind = NUMBER_U8};
    }
    out[count++] = how;
    how.predictor = PREDICT_PRUNED;
    out[count++] = how;
    how.predictor = PREDICT_NONE;
    out[count++] = how;
    return count;
}

/* --- samples --- */

/* Of all ways to predict, so that they see the same. Blocks have twice as many numbers: of few that
 * changed, a sample of 1,024 in a window told the better way less often. */
static uint64_t window_bytes(enum ox_dtype dtype)
{
    const struct ox_dtype_info *info = ox_dtype_info(dtype);
    uint64_t bytes = info->block_elements <= 2
                         ? WINDOW_NUMBERS * info->block_bytes
                         : 2 * WINDOW_NUMBERS * info->block_bytes / info->block_elements;

    return bytes > 0 && bytes < WINDOW_BYTES ? bytes : WINDOW_BYTES;
}

/* Read the windows that a candidate needs; *parts_count is 0 if it cannot be sampled. */
static enum ox_code read_sample(struct chooser *self, const struct tensor_pair *pair,
                                const struct prediction *how, struct part parts[WINDOWS],
                                size_t *part_count, struct ox_err *err)
{
    uint64_t unit = prediction_unit(how);
    uint64_t length = prediction_jumps(how)            ? tensor_pair_reach(pair, how)
                      : how->predictor == PREDICT_NONE ? pair->target_bytes
                                                       : tensor_pair_common(pair);
    uint64_t window = window_bytes(pair->dtype) / unit * unit;
    uint64_t step = length / WINDOWS / unit * unit;
    enum ox_code code = OX_OK;

    *part_count = 0;
    self->from.len_bytes = 0;
    self->to.len_bytes = 0;
    if (step < window) { /* small: from the front */
        step = window;
    }
    for (uint64_t at = 0; code == OX_OK && at < length && *part_count < WINDOWS; at += step) {
        struct part *part = &parts[*part_count];
        uint64_t left = (length - at) / unit * unit;
        uint64_t base_at = pair->base_offset + part_base_offset(how, at);
        size_t base_bytes;

        *part =
            (struct part){.how = *how, .target_bytes = (uint32_t)(left < window ? left : window)};
        part->column = how->columns == 0 ? 0 : (uint32_t)(at / unit % how->columns);
        base_bytes = (size_t)part_base_bytes(part);
        if (left == 0 || base_bytes > 64 * WINDOW_BYTES ||
            base_at + base_bytes > self->base->size_bytes) {
            break;
        }
        /* one more: memory, even where nothing is read */
        if ((code = ox_buf_reserve(&self->from, base_bytes + 1, err)) != OX_OK ||
            (code = ox_buf_reserve(&self->to, part->target_bytes, err)) != OX_OK ||
            (code = ox_source_read(self->base, base_at, self->from.data + self->from.len_bytes,
                                   base_bytes, err)) != OX_OK ||
            (code = ox_source_read(self->target, pair->target_offset + at,
                                   self->to.data + self->to.len_bytes, part->target_bytes, err)) !=
                OX_OK) {
            break;
        }
        self->from.len_bytes += base_bytes;
        self->to.len_bytes += part->target_bytes;
        ++*part_count;
    }
    return code;
}

static enum ox_code try_candidate(struct chooser *self, const struct tensor_pair *pair,
                                  struct prediction *how, uint64_t *cost, struct ox_err *err)
{
    struct part parts[WINDOWS];
    size_t count = 0;
    enum ox_code code = read_sample(self, pair, how, parts, &count, err);

    *cost = UINT64_MAX;
    if (code != OX_OK || count == 0) {
        return code;
    }
    if (how->predictor == PREDICT_PRUNED) {
        how->threshold = choose_threshold((enum number_kind)how->kind, self->from.data,
                                          self->to.data, self->to.len_bytes);
        if (how->threshold == 0) {
            return OX_OK;
        }
        for (size_t i = 0; i < count; i++) {
            parts[i].how.threshold = how->threshold;
        }
    }
    code = numbers_cost(&self->numbers, parts, count, self->to.data, self->from.data, cost, err);
    *cost = *cost * (WINDOWS * WINDOW_BYTES) / self->to.len_bytes; /* samples differ */
    return code;
}

enum ox_code chooser_read_front(struct chooser *self, const struct tensor_pair *pair,
                                uint32_t bytes, struct ox_err *err)
{
    enum ox_code code;

    if ((code = buf_resize(&self->from, bytes, err)) != OX_OK ||
        (code = buf_resize(&self->to, bytes, err)) != OX_OK ||
        (code = ox_source_read(self->base, pair->base_offset, self->from.data, bytes, err)) !=
            OX_OK) {
        return code;
    }
    return ox_source_read(self->target, pair->target_offset, self->to.data, bytes, err);
}

/* --- factors --- */

/* A trial takes some 60 ns a number, and is on as much of a tensor as a frame holds. They
 * are rationed: a share of all numbers, beyond a first allowance; those that pay count less. */
#define FIT_ALLOWANCE ((uint64_t)1 << 19)
#define FIT_SHARE 32
#define FIT_PAID 4
#define FIT_MIN ((uint64_t)1024)

/* They must save that much, of 100: applying takes longer. */
#define FIT_PAYS_BY 3
/* Where a rank costs more than nothing by so much, of 100, lower ones are not tried either. */
#define FIT_HOPELESS 2

static const uint8_t ranks[] = {1, 2, 4, 8, 16};
#define RANK_FIRST 2
#define RANKS ((int)sizeof(ranks))

struct rank_search {
    struct part *part;
    uint64_t least;
    uint8_t best;
};

static enum ox_code try_rank(struct chooser *self, struct rank_search *search, int i,
                             uint64_t *cost, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    *cost = UINT64_MAX;
    search->part->how.rank = ranks[i];
    if (part_ok(search->part)) {
        code = numbers_cost(&self->numbers, search->part, 1, self->to.data, self->from.data, cost,
                            err);
    }
    if (code == OX_OK && *cost < search->least) {
        search->least = *cost;
        search->best = ranks[i];
    }
    return code;
}

/* From the first rank on up, while that costs less; where it does not at once, down. */
static enum ox_code search_rank(struct chooser *self, struct part *part, uint64_t without,
                                uint8_t *best, struct ox_err *err)
{
    struct rank_search search = {part, without - without * FIT_PAYS_BY / 100, 0};
    uint64_t first = 0;
    uint64_t last;
    uint64_t cost;
    enum ox_code code = try_rank(self, &search, RANK_FIRST, &first, err);

    if (first != UINT64_MAX && first - first * FIT_HOPELESS / 100 > without) {
        *best = 0;
        return code;
    }
    last = first;
    for (int i = RANK_FIRST + 1; code == OX_OK && i < RANKS && last < without; i++) {
        code = try_rank(self, &search, i, &cost, err);
        if (cost >= last) {
            break;
        }
        last = cost;
    }
    if (last == first) {
        for (int i = RANK_FIRST - 1; code == OX_OK && i >= 0; i--) {
            code = try_rank(self, &search, i, &cost, err);
            if (cost >= last) {
                break;
            }
            last = cost;
        }
    }
    *best = search.best;
    return code;
}

static enum ox_code try_factors(struct chooser *self, struct tensor_pair *pair, struct ox_err *err)
{
    struct prediction how = pair->prediction;
    uint32_t unit = prediction_unit(&how);
    uint64_t count = tensor_pair_common(pair) / unit;
    uint64_t n = count < NUMBERS_TARGET_MAX / unit ? count : NUMBERS_TARGET_MAX / unit;
    struct part part = {.how = how, .target_bytes = (uint32_t)(n * unit)};
    uint64_t without = 0;
    enum ox_code code;

    if (how.predictor != PREDICT_SAME) {
        return OX_OK;
    }
    how.predictor = PREDICT_FACTORS;
    how.rank = 1;
    how.columns = pair->columns;
    part.how.columns = how.columns;
    if (!part_ok(&(struct part){.how = how, .target_bytes = part.target_bytes}) || n < FIT_MIN) {
        return OX_OK;
    }
    if (self->fitted + n <= FIT_ALLOWANCE + self->seen / FIT_SHARE) {
        if ((code = chooser_read_front(self, pair, part.target_bytes, err)) != OX_OK ||
            (code = numbers_cost(&self->numbers, &part, 1, self->to.data, self->from.data, &without,
                                 err)) != OX_OK) {
            return code;
        }
        part.how = how;
        code = search_rank(self, &part, without, &self->rank, err);
        if (code != OX_OK) {
            return code;
        }
        self->fitted += self->rank == 0 ? n : n / FIT_PAID;
    }
    if (self->rank > 0) {
        how.rank = self->rank;
        pair->prediction = how;
    }
    return OX_OK;
}

/* --- the slow coder --- */

/* It codes some 5 million numbers a second, so trials are rationed: a share of all numbers, beyond
 * a first allowance. What it wins must be worth applying the patch as slowly. */
#define TRIAL_ALLOWANCE ((uint64_t)1 << 17)
#define TRIAL_SHARE 64
#define TRIAL_ROWS 64
#define TRIAL_MIN ((uint64_t)4096)
#define TRIAL_SOME ((uint64_t)1 << 16)
#define TRIAL_MOST ((uint64_t)1 << 18)
#define PAYS_BY 10 /* a tenth */

/* Devices shall apply such a patch in seconds: so many numbers may be coded slowly. */
#define MIXED_MOST ((uint64_t)1 << 23)

static uint64_t trial_numbers(const struct tensor_pair *pair, uint64_t count)
{
    uint64_t n = (uint64_t)pair->columns * TRIAL_ROWS;

    n = n < TRIAL_SOME ? TRIAL_SOME : n;
    n = n > TRIAL_MOST ? TRIAL_MOST : n;
    return n < count ? n : count;
}

/* Code the tensor's first rows both ways. Where a trial is not due, the last one counts. */
static enum ox_code try_mixing(struct chooser *self, struct tensor_pair *pair, struct ox_err *err)
{
    const struct prediction *how = &pair->prediction;
    uint32_t unit = prediction_unit(how);
    uint64_t count = pair->target_bytes / unit;
    uint64_t n = trial_numbers(pair, count);
    struct part part = {.how = *how, .target_bytes = (uint32_t)(n * unit)};
    struct part slow;
    enum ox_code code;

    if (self->mixed + count > MIXED_MOST || how->predictor == PREDICT_NONE ||
        how->predictor == PREDICT_BLOCKS || how->predictor == PREDICT_NIBBLES ||
        how->predictor == PREDICT_SCALED_NIBBLES || n * unit > tensor_pair_common(pair)) {
        return OX_OK;
    }
    pair->mixes = self->pays;
    if (n < TRIAL_MIN || self->tried + n > TRIAL_ALLOWANCE + self->seen / TRIAL_SHARE) {
        self->mixed += pair->mixes ? count : 0;
        return OX_OK;
    }
    if (how->predictor != PREDICT_GROWN) {
        part.how.columns = pair->columns;
    }
    slow = part; /* it learns patterns by itself */
    slow.how = prediction_unsent(&slow.how);
    if (!part_ok(&part)) {
        part = slow;
    }
    if (part_base_bytes(&part) > NUMBERS_BASE_MAX || part_base_bytes(&part) > pair->base_bytes) {
        return OX_OK; /* rows became much shorter, or fewer */
    }
    self->bodies[0].len_bytes = 0;
    self->bodies[1].len_bytes = 0;
    if ((code = buf_resize(&self->from, (size_t)part_base_bytes(&part), err)) != OX_OK ||
        (code = buf_resize(&self->to, part.target_bytes, err)) != OX_OK ||
        (code = ox_source_read(self->base, pair->base_offset, self->from.data, self->from.len_bytes,
                               err)) != OX_OK ||
        (code = ox_source_read(self->target, pair->target_offset, self->to.data, self->to.len_bytes,
                               err)) != OX_OK ||
        (code = numbers_encode(&self->numbers, &part, 1, self->to.data, self->from.data, false,
                               &self->bodies[0], err)) != OX_OK ||
        (code = numbers_encode(&self->numbers, &slow, 1, self->to.data, self->from.data, true,
                               &self->bodies[1], err)) != OX_OK) {
        return code;
    }
    self->tried += n;
    self->pays =
        self->bodies[1].len_bytes < self->bodies[0].len_bytes - self->bodies[0].len_bytes / PAYS_BY;
    pair->mixes = self->pays;
    self->mixed += pair->mixes ? count : 0;
    return OX_OK;
}

enum ox_code choose_prediction(struct chooser *self, struct tensor_pair *pair, struct ox_err *err)
{
    struct prediction candidates[CANDIDATES_MAX];
    uint64_t best = UINT64_MAX;
    size_t count;
    enum ox_code code = OX_OK;

    if (pair->chosen) {
        return OX_OK;
    }
    pair->chosen = true;
    if (!pair->has_base || pair->target_bytes < TRY_MIN) {
        return OX_OK;
    }
    count = list_candidates(pair, candidates);
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        uint64_t cost = 0;

        code = try_candidate(self, pair, &candidates[i], &cost, err);
        if (i > 0 && candidates[0].predictor == PREDICT_BLOCKS && cost < UINT64_MAX / 2) {
            cost += cost / BLOCKS_BEAT_BY;
        }
        if (code == OX_OK && cost < best) {
            best = cost;
            pair->prediction = candidates[i];
        }
    }
    self->seen += pair->target_bytes / prediction_unit(&pair->prediction);
    if (code == OX_OK && count > 0) {
        code = try_factors(self, pair, err);
    }
    if (code == OX_OK && count > 0) {
        code = choose_scales(self, pair, err);
    }
    return code == OX_OK && count > 0 && self->mixing == MIX_WHERE_IT_PAYS
               ? try_mixing(self, pair, err)
               : code;
}

void chooser_clear(struct chooser *self)
{
    numbers_clear(&self->numbers);
    ox_buf_clear(&self->from);
    ox_buf_clear(&self->to);
    ox_buf_clear(&self->bodies[0]);
    ox_buf_clear(&self->bodies[1]);
}
