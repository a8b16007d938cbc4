/* Numbers, by prediction from the base; and the bytes between them, in the same frames. */
#include "choose.h"
#include "decode.h"
#include "encoder.h"

#include <string.h>

/* Bytes of no known meaning beside some of the base: how many of them must be equal for the base's
 * to be a prediction, of 16. */
#define ALIKE_OF_16 4

/* Of bytes in files without a layout, as many are looked at to guess what numbers they are. */
#define GUESS_BYTES ((uint32_t)16 * 1024)
#define GUESS_MIN ((uint32_t)1024)

/* Pieces from so many bytes on tell their columns: coders learn by them. */
#define COLUMNS_MIN ((uint32_t)2048)

#define PARTS_MAX (sizeof(((struct encoder *)0)->parts) / sizeof(((struct encoder *)0)->parts[0]))

/* A frame that is being made: parts whose target bytes follow each other. */
struct frame {
    struct encoder *self;
    uint64_t target;
    const uint8_t *bytes;
    uint32_t n;
    uint64_t gathered; /* bytes of the base */
    size_t quants;     /* 4-bit numbers, and those of blocks */
    uint32_t mixing;   /* bytes of parts that the slow coder pays for */
    struct ox_buf *out;
    struct ox_delta_stats *stats;
    bool fits;
};

static void begin(struct frame *frame)
{
    frame->target += frame->n;
    frame->bytes += frame->n;
    frame->n = 0;
    frame->gathered = 0;
    frame->quants = 0;
    frame->mixing = 0;
    frame->self->part_count = 0;
    frame->self->range_count = 0;
}

/* --- writing it --- */

static enum ox_code settle_parts(struct encoder *self, const uint8_t *target, const uint8_t *base,
                                 struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < self->part_count; i++) {
        struct part *part = &self->parts[i];

        code = settle_part(&self->numbers, part, target, base, err);
        target += part->target_bytes;
        base = part_base_bytes(part) > 0 ? base + part_base_bytes(part) : base; /* may be NULL */
    }
    return code;
}

static void drop_sent(struct part *part)
{
    part->how = prediction_unsent(&part->how);
    part->column = part->how.columns == 0 ? 0 : part->column;
}

/* What is sent costs something, and the slow coder finds patterns by itself: is it less without? */
static enum ox_code try_without_sent(struct encoder *self, const uint8_t *bytes, bool mixes,
                                     struct ox_err *err)
{
    struct ox_buf kept = self->body[0];
    uint64_t cost = 0;
    bool any = false;
    enum ox_code code = OX_OK;

    for (size_t i = 0; i < self->part_count; i++) {
        struct part *part = &self->parts[i];

        if (prediction_sends(&part->how)) {
            drop_sent(part);
            any = true;
        }
    }
    if (any && !mixes) { /* mostly that is enough, and faster */
        code = numbers_cost(&self->numbers, self->parts, self->part_count, bytes, self->prefix.data,
                            &cost, err);
    }
    if (!any || code != OX_OK || cost > kept.len_bytes) {
        return code;
    }
    self->body[1].len_bytes = 0;
    code = numbers_encode(&self->numbers, self->parts, self->part_count, bytes, self->prefix.data,
                          mixes, &self->body[1], err);
    if (code == OX_OK && self->body[1].len_bytes < kept.len_bytes) {
        self->body[0] = self->body[1];
        self->body[1] = kept;
    }
    return code;
}

static enum ox_code flush(struct frame *frame, struct ox_err *err)
{
    struct encoder *self = frame->self;
    bool mixes = self->effort->mixing == MIX_ALWAYS || frame->mixing > frame->n / 2;
    size_t at = 0;
    enum ox_code code;

    if (frame->n == 0 || !frame->fits) {
        return OX_OK;
    }
    code = buf_resize(&self->prefix, (size_t)frame->gathered, err);
    for (size_t i = 0; code == OX_OK && i < self->range_count; i++) {
        size_t len = (size_t)self->ranges[i].len_bytes;

        code = ox_source_read(self->base, self->ranges[i].offset, self->prefix.data + at, len, err);
        at += len;
    }
    if (code != OX_OK) {
        return code;
    }
    self->body[0].len_bytes = 0;
    if ((code = settle_parts(self, frame->bytes, self->prefix.data, err)) != OX_OK) {
        return code;
    }
    code = numbers_encode(&self->numbers, self->parts, self->part_count, frame->bytes,
                          self->prefix.data, mixes, &self->body[0], err);
    if (code == OX_OK) {
        code = try_without_sent(self, frame->bytes, mixes, err);
    }
    if (code == OX_OK && self->body[0].len_bytes > OX_OXDL_FRAME_BODY_MAX) {
        frame->fits = false;
        return OX_OK;
    }
    if (code == OX_OK) {
        code = put_frame(frame->out, OX_OXDL_NUMBERS, frame->target, frame->bytes, frame->n,
                         self->ranges, self->range_count, &self->body[0], frame->stats, err);
    }
    begin(frame);
    return code;
}

static void append_range(struct encoder *self, uint64_t offset, uint64_t len)
{
    struct ox_oxdl_range *last =
        self->range_count == 0 ? NULL : &self->ranges[self->range_count - 1];

    if (len == 0) {
        return;
    }
    if (last != NULL && last->offset + last->len_bytes == offset) {
        last->len_bytes += len;
    } else {
        self->ranges[self->range_count++] = (struct ox_oxdl_range){false, offset, len};
    }
}

/* A byte may have two of them. */
static size_t quants_of(const struct part *part)
{
    return part_count(part, SLOT_QUANTS) + part_count(part, SLOT_QUANTS8);
}

/* Put a part, which a frame can hold, at the end of the frame, or of a new one where this is full.
 */
static enum ox_code add_fitting(struct frame *frame, struct part part, uint64_t base,
                                struct ox_err *err)
{
    struct encoder *self = frame->self;
    uint64_t base_bytes = part_base_bytes(&part);
    enum ox_code code = OX_OK;

    if (base_bytes > NUMBERS_BASE_MAX ||
        (base_bytes > 0 && base + base_bytes > self->base->size_bytes)) {
        frame->fits = false;
        return OX_OK;
    }
    if (prediction_sends(&part.how) && !part_ok(&part)) { /* too few rows */
        drop_sent(&part);
    }
    if (self->range_count == OX_OXDL_RANGES_MAX || self->part_count == PARTS_MAX ||
        frame->gathered + base_bytes > NUMBERS_BASE_MAX ||
        frame->quants + quants_of(&part) > STREAM_GIVEN_MAX ||
        frame->n + part.target_bytes > NUMBERS_TARGET_MAX) {
        code = flush(frame, err);
        if (code != OX_OK || !frame->fits) {
            return code;
        }
    }
    append_range(self, base, base_bytes);
    self->parts[self->part_count++] = part;
    frame->gathered += base_bytes;
    frame->quants += quants_of(&part);
    frame->n += part.target_bytes;
    return code;
}

/* Where unit `at` of a tensor stands in its row, and its row in its tile. */
static void find_place(struct part *part, uint64_t at)
{
    const struct prediction *how = &part->how;

    at *= prediction_numbers(how);
    part->column = how->columns == 0 ? 0 : (uint32_t)(at % how->columns);
    part->row = how->columns == 0 || how->tile.rows == 0
                    ? 0
                    : (uint32_t)(at / how->columns % how->tile.rows);
}

/* Put a part, from unit `at` of a tensor on, cut into as many as frames can hold. */
static enum ox_code add_part(struct frame *frame, const struct prediction *how, uint32_t len,
                             uint64_t at, uint64_t base, struct ox_err *err)
{
    uint32_t unit = prediction_unit(how);
    enum ox_code code = OX_OK;

    while (code == OX_OK && frame->fits && len > 0) {
        struct part part = {.how = *how, .target_bytes = len};

        find_place(&part, at);
        if (len > NUMBERS_TARGET_MAX) {
            part.target_bytes = NUMBERS_TARGET_MAX / unit * unit;
        }
        while ((part_base_bytes(&part) > NUMBERS_BASE_MAX || quants_of(&part) > STREAM_GIVEN_MAX) &&
               part.target_bytes > unit) {
            part.target_bytes = part.target_bytes / 2 / unit * unit;
        }
        code = add_fitting(frame, part, base, err);
        len -= part.target_bytes;
        base += part_base_bytes(&part);
        at += part.target_bytes / unit;
    }
    return code;
}

/* --- bytes --- */

static bool are_alike(const uint8_t *a, const uint8_t *b, size_t n)
{
    size_t same = 0;

    for (size_t i = 0; i < n; i++) {
        same += a[i] == b[i];
    }
    return same * 16 >= n * ALIKE_OF_16;
}

/* Files without a layout may hold numbers, too: which kind costs least on a sample? */
static enum ox_code guess(struct encoder *self, uint64_t target, const uint8_t *bytes,
                          const uint8_t *base, uint32_t n, struct prediction *best,
                          struct ox_err *err)
{
    static const uint8_t kinds[] = {NUMBER_U8, NUMBER_BF16, NUMBER_F16, NUMBER_F32};
    uint64_t least = UINT64_MAX;
    enum ox_code code = OX_OK;

    n = n < GUESS_BYTES ? n : GUESS_BYTES;
    for (size_t i = 0; code == OX_OK && i < 2 * sizeof(kinds); i++) {
        struct part part = {
            .how = {.predictor = i % 2 == 0 ? PREDICT_SAME : PREDICT_NONE, .kind = kinds[i / 2]}};
        uint32_t width = number_kinds[part.how.kind].width;
        uint32_t head = (uint32_t)(-target & (width - 1));
        uint64_t cost = 0;

        part.target_bytes = (n - head) / width * width;
        code = numbers_cost(&self->numbers, &part, 1, bytes + head, base + head, &cost, err);
        if (code == OX_OK && cost < least) {
            least = cost;
            *best = part.how;
        }
    }
    return code;
}

/* Numbers of one kind, from number `at` of a tensor on: what is cut at either end is bytes. */
static enum ox_code add_aligned(struct frame *frame, const struct prediction *how, uint64_t skip,
                                uint32_t len, uint64_t at, uint64_t base, struct ox_err *err)
{
    struct prediction bytes = {.predictor =
                                   how->predictor == PREDICT_NONE ? PREDICT_NONE : PREDICT_SAME,
                               .kind = NUMBER_U8};
    uint32_t unit = prediction_unit(how);
    uint32_t head = skip < len ? (uint32_t)skip : len;
    uint32_t whole = (len - head) / unit * unit;
    enum ox_code code = add_part(frame, &bytes, head, 0, base, err);

    if (code == OX_OK) {
        code = add_part(frame, how, whole, at, base + head, err);
    }
    return code == OX_OK ? add_part(frame, &bytes, len - head - whole, 0, base + head + whole, err)
                         : code;
}

static enum ox_code add_bytes(struct frame *frame, const struct piece *piece, uint64_t target,
                              const uint8_t *bytes, struct ox_err *err)
{
    struct encoder *self = frame->self;
    struct prediction how = {.predictor = PREDICT_NONE, .kind = NUMBER_U8};
    uint32_t unit;
    enum ox_code code = OX_OK;

    if (piece->has_base) {
        code = read_bytes(self->base, piece->base, piece->len, &self->diff, err);
        if (code != OX_OK) {
            return code;
        }
        if (are_alike(bytes, self->diff.data, piece->len)) {
            how.predictor = PREDICT_SAME;
        }
        if (piece->len >= GUESS_MIN && memcmp(bytes, self->diff.data, piece->len) != 0) {
            code = guess(self, target, bytes, self->diff.data, piece->len, &how, err);
        }
    }
    unit = prediction_unit(&how);
    return code == OX_OK ? add_aligned(frame, &how, -target & (unit - 1), piece->len, 0,
                                       piece->has_base ? piece->base : 0, err)
                         : code;
}

/* --- tensors --- */

static enum ox_code add_tensor(struct frame *frame, const struct piece *piece, uint64_t target,
                               struct ox_err *err)
{
    const struct tensor_pair *pair = piece->pair;
    uint64_t at = target - pair->target_offset; /* in the tensor */
    struct prediction how = piece->how;
    uint32_t unit = prediction_unit(&how);
    uint64_t skip = (unit - at % unit) % unit;
    uint64_t first = at + skip; /* whole numbers begin here */
    bool plain = how.predictor != PREDICT_BLOCKS && how.predictor != PREDICT_NIBBLES;
    uint64_t base = prediction_jumps(&how) ? pair->base_offset + part_base_offset(&how, first)
                                           : pair->base_offset + at;

    if (plain && how.columns == 0 && piece->len >= COLUMNS_MIN) {
        how.columns = pair->columns;
    }
    return add_aligned(frame, &how, skip, piece->len, first / unit,
                       how.predictor == PREDICT_NONE ? 0 : base, err);
}

static enum ox_code add_fresh(struct frame *frame, const struct piece *piece, uint64_t target,
                              struct ox_err *err)
{
    struct piece fresh = *piece;
    enum number_kind kind = NUMBER_U8;

    if (!number_kind_of(piece->pair->dtype, &kind)) {
        kind = NUMBER_U8;
    }
    fresh.how = (struct prediction){.predictor = PREDICT_NONE, .kind = (uint8_t)kind};
    return add_tensor(frame, &fresh, target, err);
}

enum ox_code put_numbers_frames(struct encoder *self, const struct piece *pieces, size_t count,
                                uint64_t target, const uint8_t *bytes, struct ox_buf *out,
                                struct ox_delta_stats *stats, bool *fits, struct ox_err *err)
{
    struct frame frame = {
        .self = self, .target = target, .bytes = bytes, .out = out, .stats = stats, .fits = true};
    enum ox_code code = OX_OK;

    begin(&frame);
    for (size_t i = 0; code == OX_OK && frame.fits && i < count; i++) {
        const struct piece *piece = &pieces[i];

        switch (piece->kind) {
        case PIECE_BYTES:
            code = add_bytes(&frame, piece, target, bytes, err);
            break;
        case PIECE_TENSOR:
            code = add_tensor(&frame, piece, target, err);
            break;
        case PIECE_FRESH:
            code = add_fresh(&frame, piece, target, err);
            break;
        }
        frame.mixing += piece->mixes ? piece->len : 0;
        target += piece->len;
        bytes += piece->len;
    }
    if (code == OX_OK) {
        code = flush(&frame, err);
    }
    *fits = frame.fits;
    return code;
}
