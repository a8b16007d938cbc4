#include "oxide/delta/explain.h"

#include "decode.h"
#include "explain_weigh.h"
#include "side_tensors.h"

#include <stdlib.h>
#include <string.h>

/* How bytes are rebuilt: by an operation, or, in NUMBERS frames, by a predictor. */
#define WORDS (OX_OXDL_OP_COUNT + PREDICTOR_COUNT)

#define TEXT_MAX OX_LAYOUT_TEXT_MAX /* names and shapes: as much as one file may have */

struct row {
    struct ox_explained_row seen;
    void *label;   /* owned: its shape, then its name */
    char *words;   /* owned */
    uint32_t used; /* a bit for each word */
    uint64_t cost[WORDS];
};

struct ox_explain {
    struct ox_explain_spec spec;
    struct ox_oxdl_reader *reader;
    struct numbers numbers;
    struct weigher weigher; /* of both sides, if they are given */
    struct ox_concat base_concat;
    struct ox_concat target_concat;
    struct ox_source base;
    struct ox_source target;
    struct row *rows; /* tensors by offset, then the rest of each file; or a row per word */
    size_t tensor_count;
    size_t row_count;
    size_t row_max;
    size_t text_bytes;
    size_t at_tensor; /* the first that ends behind the frames so far */
    size_t at_file;
    uint64_t file_end;
    struct ox_buf pieces;  /* of the frame at hand */
    struct ox_buf frame;   /* written anew, to know its length */
    uint64_t framed_bytes; /* of the patch, in frames so far */
    struct ox_explained_row *sorted;
    struct ox_explanation explanation;
};

static const char *word_of(unsigned word)
{
    return word < OX_OXDL_OP_COUNT ? ox_oxdl_op_word((enum ox_oxdl_op)word)
                                   : predictor_word((enum predictor)(word - OX_OXDL_OP_COUNT));
}

/* --- rows --- */

static enum ox_code add_row(struct ox_explain *self, const struct ox_explained_row *seen,
                            struct row **out, struct ox_err *err)
{
    if (self->row_count == self->row_max) {
        size_t max = self->row_max == 0 ? 64 : self->row_max * 2;
        struct row *grown = realloc(self->rows, max * sizeof(*grown));

        if (grown == NULL) {
            return ox_err_nomem(err, "explaining a patch");
        }
        self->rows = grown;
        self->row_max = max;
    }
    *out = &self->rows[self->row_count++];
    **out = (struct row){.seen = *seen};
    return OX_OK;
}

static enum ox_code take_tensor(void *ctx, const struct ox_tensor *tensor, size_t file,
                                uint64_t offset, struct ox_err *err)
{
    struct ox_explain *self = ctx;
    size_t shape_bytes = tensor->rank * sizeof(*tensor->shape);
    size_t name_bytes = strlen(tensor->name) + 1;
    struct ox_explained_row seen = {.kind = OX_EXPLAINED_TENSOR,
                                    .file = self->spec.target->manifest->files[file].path,
                                    .name = "",
                                    .dtype = tensor->dtype,
                                    .target_offset = offset,
                                    .target_bytes = tensor->length_bytes};
    struct row *row;
    uint8_t *label = NULL;
    enum ox_code code;

    if (shape_bytes + name_bytes <= TEXT_MAX - self->text_bytes) {
        label = malloc(shape_bytes + name_bytes);
        if (label == NULL) {
            return ox_err_nomem(err, "explaining a patch");
        }
        if (shape_bytes > 0) {
            memcpy(label, tensor->shape, shape_bytes);
        }
        memcpy(label + shape_bytes, tensor->name, name_bytes);
        self->text_bytes += shape_bytes + name_bytes;
        seen.rank = tensor->rank;
        seen.shape = (const uint64_t *)(const void *)label;
        seen.name = (const char *)label + shape_bytes;
    }
    code = add_row(self, &seen, &row, err);
    if (code != OX_OK) {
        free(label);
        return code;
    }
    row->label = label;
    return OX_OK;
}

static int by_offset(const void *a, const void *b)
{
    const struct ox_explained_row *left = &((const struct row *)a)->seen;
    const struct ox_explained_row *right = &((const struct row *)b)->seen;

    if (left->target_offset != right->target_offset) {
        return left->target_offset < right->target_offset ? -1 : 1;
    }
    if (left->target_bytes != right->target_bytes) {
        return left->target_bytes > right->target_bytes ? -1 : 1;
    }
    return strcmp(left->name, right->name);
}

static void free_row(struct row *row)
{
    free(row->label);
    free(row->words);
}

/* Two models may claim the same bytes: the first keeps them. */
static void drop_overlapping(struct ox_explain *self)
{
    uint64_t end = 0;
    size_t kept = 0;

    for (size_t i = 0; i < self->row_count; i++) {
        struct row *row = &self->rows[i];

        if (row->seen.target_offset < end) {
            free_row(row);
            continue;
        }
        end = row->seen.target_offset + row->seen.target_bytes;
        self->rows[kept++] = *row;
    }
    self->row_count = kept;
}

static enum ox_code list_tensors(struct ox_explain *self, struct ox_err *err)
{
    const struct ox_delta_side *side = self->spec.target;
    struct side_tensors_sink sink = {self, take_tensor};
    uint64_t start = 0;
    size_t t = 0;
    enum ox_code code = side_tensors_walk(side, &sink, err);

    if (code == OX_OK && self->row_count > 0) {
        qsort(self->rows, self->row_count, sizeof(self->rows[0]), by_offset);
        drop_overlapping(self);
    }
    self->tensor_count = self->row_count;
    for (size_t i = 0; code == OX_OK && i < side->manifest->count; i++) {
        uint64_t end = start + side->files[i].size_bytes;
        struct ox_explained_row rest = {.kind = OX_EXPLAINED_BYTES,
                                        .file = side->manifest->files[i].path,
                                        .name = "",
                                        .target_offset = start};
        struct row *row;

        while (t < self->tensor_count && self->rows[t].seen.target_offset < end) {
            rest.kind = OX_EXPLAINED_GAP;
            t++;
        }
        code = add_row(self, &rest, &row, err);
        start = end;
    }
    if (code == OX_OK) {
        self->file_end = side->files[0].size_bytes;
    }
    return code;
}

static enum ox_code list_words(struct ox_explain *self, struct ox_err *err)
{
    const struct ox_explained_row seen = {.kind = OX_EXPLAINED_PREDICTOR, .name = ""};
    enum ox_code code = OX_OK;

    for (unsigned word = 0; code == OX_OK && word < WORDS; word++) {
        struct row *row;

        code = add_row(self, &seen, &row, err);
    }
    return code;
}

/* --- which rows a frame's bytes belong to --- */

/* The row that target byte `at` is in, and where it or its gap ends. Offsets only ascend. */
static size_t row_at(struct ox_explain *self, uint64_t at, uint64_t *end)
{
    const struct ox_delta_side *side = self->spec.target;
    const struct ox_explained_row *tensor;

    while (self->at_tensor < self->tensor_count) {
        tensor = &self->rows[self->at_tensor].seen;
        if (at < tensor->target_offset + tensor->target_bytes) {
            break;
        }
        self->at_tensor++;
    }
    while (at >= self->file_end && self->at_file + 1 < side->manifest->count) {
        self->file_end += side->files[++self->at_file].size_bytes;
    }
    *end = self->file_end;
    if (self->at_tensor < self->tensor_count) {
        tensor = &self->rows[self->at_tensor].seen;
        if (at >= tensor->target_offset) {
            *end = tensor->target_offset + tensor->target_bytes;
            return self->at_tensor;
        }
        *end = tensor->target_offset < *end ? tensor->target_offset : *end;
    }
    return self->tensor_count + self->at_file;
}

/* Pieces for bytes of target that are all predicted in one way. */
static enum ox_code cut(struct ox_explain *self, uint64_t target, uint32_t len, unsigned word,
                        struct ox_err *err)
{
    enum ox_code code = OX_OK;

    while (code == OX_OK && len > 0) {
        struct piece_share piece = {word, len, (uint8_t)word, 0};
        uint64_t end = 0;

        if (self->spec.target != NULL) {
            piece.row = row_at(self, target, &end);
            piece.target_bytes = end - target < len ? (uint32_t)(end - target) : len;
        }
        piece.weight = piece.target_bytes;
        code = ox_buf_append(&self->pieces, &piece, sizeof(piece), err);
        target += piece.target_bytes;
        len -= piece.target_bytes;
    }
    return code;
}

static struct piece_share *pieces_of(struct ox_explain *self, size_t *count)
{
    *count = self->pieces.len_bytes / sizeof(struct piece_share);
    return (struct piece_share *)(void *)self->pieces.data;
}

/* Share `total` out among pieces by their weights (by bytes if all are 0); what each gets goes to
 * where its weight was. The parts of a whole are its sum: each gets what the line up to it gets,
 * less what the line before it got. */
static void share_out(struct piece_share *pieces, size_t count, uint64_t total)
{
    uint64_t all = 0;
    uint64_t bytes = 0;
    uint64_t line = 0;
    uint64_t given = 0;

    for (size_t i = 0; i < count; i++) {
        all += pieces[i].weight;
        bytes += pieces[i].target_bytes;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t upto;

        line += all > 0 ? pieces[i].weight : pieces[i].target_bytes;
        upto = total * line / (all > 0 ? all : bytes); /* a frame's bytes: far from 2^64 */
        pieces[i].weight = upto - given;
        given = upto;
    }
}

static enum ox_code cut_parts(struct ox_explain *self, const struct ox_oxdl_frame *frame,
                              struct ox_err *err)
{
    struct gathering from = {frame, 0, 0};
    uint64_t target = frame->target_offset;
    struct ox_reader body;
    size_t count = 0;
    enum ox_code code;

    ox_reader_init(&body, frame->body, frame->body_bytes, "frame body");
    code = numbers_read_parts(&self->numbers, &body, frame->target_bytes, &count, err);
    if (code == OX_OK && self->weigher.target != NULL) {
        code = numbers_read_sent(&self->numbers, &body, count, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        const struct part *part = (const struct part *)(const void *)self->numbers.parts.data + i;
        size_t before = 0;
        size_t now = 0;
        struct piece_share *pieces;
        uint64_t changed = 0;

        (void)pieces_of(self, &before);
        code = cut(self, target, part->target_bytes,
                   OX_OXDL_OP_COUNT + (unsigned)part->how.predictor, err);
        if (code == OX_OK && self->weigher.target != NULL) {
            code = weigh_part(&self->weigher, &from, part, target, &changed, err);
            pieces = pieces_of(self, &now);
            share_out(pieces + before, now - before, changed);
        }
        target += part->target_bytes;
    }
    return code;
}

static enum ox_code on_frame(void *ctx, const struct ox_oxdl_frame *frame, struct ox_err *err)
{
    struct ox_explain *self = ctx;
    struct piece_share *pieces;
    size_t count = 0;
    enum ox_code code;

    if (ox_stop_requested(self->spec.stop)) {
        return ox_err_set(err, OX_ECANCELED, "stopped while explaining a patch");
    }
    self->pieces.len_bytes = 0;
    self->frame.len_bytes = 0;
    code = ox_oxdl_put_frame(&self->frame, frame, err);
    if (code == OX_OK && frame->op == OX_OXDL_NUMBERS) {
        code = cut_parts(self, frame, err);
    } else if (code == OX_OK) {
        code = cut(self, frame->target_offset, frame->target_bytes, (unsigned)frame->op, err);
    }
    if (code != OX_OK) {
        return code;
    }
    pieces = pieces_of(self, &count);
    if (frame->op != OX_OXDL_NUMBERS && self->weigher.target != NULL) {
        code = weigh_frame(&self->weigher, frame, pieces, count, err);
    }
    share_out(pieces, count, self->frame.len_bytes);
    for (size_t i = 0; i < count; i++) {
        struct row *row = &self->rows[pieces[i].row];

        row->used |= 1u << pieces[i].word;
        row->cost[pieces[i].word] += pieces[i].weight;
        row->seen.patch_bytes += pieces[i].weight;
        if (row->seen.kind != OX_EXPLAINED_TENSOR) {
            row->seen.target_bytes += pieces[i].target_bytes;
        }
    }
    self->framed_bytes += self->frame.len_bytes;
    return code;
}

/* --- are these the sides of the patch? --- */

static enum ox_code on_header(void *ctx, const struct ox_oxdl_header *header, struct ox_err *err)
{
    struct ox_explain *self = ctx;
    char hex[OX_DIGEST_HEX_MAX];

    if (self->spec.base != NULL &&
        (!ox_digest_equal(&header->base.digest, &self->spec.base->digest) ||
         header->base.size_bytes != self->base.size_bytes)) {
        return ox_err_set(err, OX_EBASE, "the patch was made for a base with SHA-256 %s",
                          ox_digest_hex(&header->base.digest, hex));
    }
    if (self->spec.target != NULL &&
        (!ox_digest_equal(&header->target.digest, &self->spec.target->digest) ||
         header->target.size_bytes != self->target.size_bytes)) {
        return ox_err_set(err, OX_EDIGEST, "the patch rebuilds a target with SHA-256 %s",
                          ox_digest_hex(&header->target.digest, hex));
    }
    return OX_OK;
}

/* --- the result --- */

/* The words of a row, the costliest first. */
static enum ox_code join_words(struct row *row, struct ox_err *err)
{
    struct ox_buf text = OX_BUF_INIT;
    uint32_t left = row->used;
    enum ox_code code = ox_buf_reserve(&text, 1, err);

    if (code == OX_OK) {
        text.data[0] = '\0';
    }
    while (code == OX_OK && left != 0) {
        unsigned best = WORDS;

        for (unsigned word = 0; word < WORDS; word++) {
            if ((left >> word & 1) != 0 && (best == WORDS || row->cost[word] > row->cost[best])) {
                best = word;
            }
        }
        code = ox_buf_printf(&text, err, "%s%s", text.len_bytes > 0 ? "+" : "", word_of(best));
        left &= ~(1u << best);
    }
    if (code != OX_OK) {
        ox_buf_clear(&text);
        return code;
    }
    row->words = (char *)text.data; /* taken over */
    row->seen.predictors = row->words;
    return OX_OK;
}

static int by_cost(const void *a, const void *b)
{
    const struct ox_explained_row *left = a;
    const struct ox_explained_row *right = b;

    if (left->patch_bytes != right->patch_bytes) {
        return left->patch_bytes > right->patch_bytes ? -1 : 1;
    }
    if (left->target_offset != right->target_offset) {
        return left->target_offset < right->target_offset ? -1 : 1;
    }
    return strcmp(left->predictors, right->predictors);
}

enum ox_code ox_explain_finish(struct ox_explain *explain, const struct ox_explanation **out,
                               struct ox_err *err)
{
    struct ox_explain *self = explain;
    struct ox_oxdl_mark mark;
    size_t count = 0;
    enum ox_code code = ox_oxdl_reader_finish(self->reader, err);

    if (code != OX_OK) {
        return code;
    }
    self->sorted = calloc(self->row_count + 1, sizeof(*self->sorted));
    if (self->sorted == NULL) {
        return ox_err_nomem(err, "explaining a patch");
    }
    for (size_t i = 0; i < self->row_count; i++) {
        if (self->rows[i].seen.target_bytes == 0) { /* no gaps; no such prediction */
            continue;
        }
        code = join_words(&self->rows[i], err);
        if (code != OX_OK) {
            return code;
        }
        self->sorted[count++] = self->rows[i].seen;
    }
    if (count > 0) {
        qsort(self->sorted, count, sizeof(self->sorted[0]), by_cost);
    }
    ox_oxdl_reader_mark(self->reader, &mark);
    self->explanation.patch_bytes = mark.patch_bytes;
    self->explanation.framing_bytes = self->explanation.patch_bytes - self->framed_bytes;
    self->explanation.rows = self->sorted;
    self->explanation.count = count;
    *out = &self->explanation;
    return OX_OK;
}

/* --- the public face --- */

static enum ox_code open_side(const struct ox_delta_side *side, struct ox_concat *concat,
                              struct ox_source *source, struct ox_err *err)
{
    enum ox_code code =
        side == NULL ? OX_OK : ox_concat_init(concat, side->files, side->manifest->count, err);

    if (code == OX_OK && side != NULL) {
        *source = ox_concat_source(concat);
    }
    return code;
}

enum ox_code ox_explain_new(struct ox_explain **out, const struct ox_explain_spec *spec,
                            struct ox_err *err)
{
    struct ox_explain *self = calloc(1, sizeof(*self));
    struct ox_oxdl_handler handler = {self, on_header, on_frame};
    enum ox_code code;

    if (self == NULL) {
        return ox_err_nomem(err, "explaining a patch");
    }
    self->spec = *spec;
    if ((code = open_side(spec->base, &self->base_concat, &self->base, err)) != OX_OK ||
        (code = open_side(spec->target, &self->target_concat, &self->target, err)) != OX_OK ||
        (code = ox_oxdl_reader_new(&self->reader, &handler, err)) != OX_OK ||
        (code = spec->target != NULL ? list_tensors(self, err) : list_words(self, err)) != OX_OK) {
        ox_explain_free(self);
        return code;
    }
    if (spec->base != NULL && spec->target != NULL) {
        self->weigher.base = &self->base;
        self->weigher.target = &self->target;
    }
    *out = self;
    return OX_OK;
}

enum ox_code ox_explain_feed(struct ox_explain *explain, const void *bytes, size_t len_bytes,
                             struct ox_err *err)
{
    return ox_oxdl_reader_feed(explain->reader, bytes, len_bytes, err);
}

static enum ox_code feed(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    return ox_explain_feed(ctx, bytes, len_bytes, err);
}

enum ox_code ox_explain_source(struct ox_explain *explain, const struct ox_source *patch,
                               const struct ox_explanation **out, struct ox_err *err)
{
    const struct ox_output output = {explain, feed};
    enum ox_code code = ox_source_copy(patch, &output, err);

    return code == OX_OK ? ox_explain_finish(explain, out, err) : code;
}

void ox_explain_free(struct ox_explain *explain)
{
    if (explain == NULL) {
        return;
    }
    for (size_t i = 0; i < explain->row_count; i++) {
        free_row(&explain->rows[i]);
    }
    free(explain->rows);
    free(explain->sorted);
    ox_oxdl_reader_free(explain->reader);
    numbers_clear(&explain->numbers);
    weigher_clear(&explain->weigher);
    ox_concat_clear(&explain->base_concat);
    ox_concat_clear(&explain->target_concat);
    ox_buf_clear(&explain->pieces);
    ox_buf_clear(&explain->frame);
    free(explain);
}
