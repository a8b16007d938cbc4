#include "pairs.h"

#include "choose.h"
#include "oxide/crypto/xxh64.h"
#include "side_tensors.h"

#include <stdlib.h>
#include <string.h>

#define NONE SIZE_MAX

#define COLUMNS_FEW 32

/* A tensor in the flat space of its side. */
struct flat {
    uint64_t offset;
    uint64_t length;
    uint64_t name;    /* sum of the name */
    uint64_t shape;   /* sum of the shape */
    uint64_t content; /* sum of its bytes, once hashed */
    enum ox_dtype dtype;
    uint32_t columns;
    size_t like; /* index of its partner in the other side, or NONE */
};

/* All tensors of one side. */
struct flat_side {
    const struct ox_delta_side *side;
    struct flat *tensors; /* sorted by offset */
    size_t count;
    size_t max;
};

static void flat_clear(struct flat_side *self)
{
    free(self->tensors);
}

static uint64_t shape_sum(const struct ox_tensor *tensor)
{
    uint64_t sum = 1;

    for (uint32_t i = 0; i < tensor->rank; i++) {
        sum = (sum ^ tensor->shape[i]) * 0x9e3779b97f4a7c15u + 1;
    }
    return sum;
}

/* Numbers of a row: of the innermost dimension, and, where that is short (the kernel of a
 * convolution), of those around it; the outermost counts the rows. */
static uint32_t columns_of(const struct ox_tensor *tensor)
{
    uint64_t columns = tensor->rank == 0 ? 0 : tensor->shape[tensor->rank - 1];

    for (uint32_t i = tensor->rank; i-- > 2 && columns > 0 && columns < COLUMNS_FEW;) {
        if (tensor->shape[i - 1] > UINT32_MAX) {
            return 0;
        }
        columns *= tensor->shape[i - 1];
    }
    return columns > UINT32_MAX ? 0 : (uint32_t)columns;
}

static enum ox_code add_tensor(void *ctx, const struct ox_tensor *tensor, size_t file,
                               uint64_t offset, struct ox_err *err)
{
    struct flat_side *self = ctx;

    (void)file;
    if (self->count == self->max) {
        size_t max = self->max == 0 ? 64 : self->max * 2;
        struct flat *grown = realloc(self->tensors, max * sizeof(*grown));

        if (grown == NULL) {
            return ox_err_nomem(err, "a list of tensors");
        }
        self->tensors = grown;
        self->max = max;
    }
    self->tensors[self->count++] =
        (struct flat){.offset = offset,
                      .length = tensor->length_bytes,
                      .name = ox_xxh64(tensor->name, strlen(tensor->name), 0),
                      .shape = shape_sum(tensor),
                      .dtype = tensor->dtype,
                      .columns = columns_of(tensor),
                      .like = NONE};
    return OX_OK;
}

/* By offset; where two models tell different things of one data file, in an order that does not
 * depend on how this machine sorts. */
static int by_offset(const void *a, const void *b)
{
    const struct flat *left = a;
    const struct flat *right = b;

    if (left->offset != right->offset) {
        return left->offset < right->offset ? -1 : 1;
    }
    if (left->length != right->length) {
        return left->length > right->length ? -1 : 1;
    }
    if (left->name != right->name) {
        return left->name < right->name ? -1 : 1;
    }
    return left->shape < right->shape ? -1 : left->shape > right->shape;
}

static enum ox_code flat_read(struct flat_side *self, const struct ox_delta_side *side,
                              struct ox_err *err)
{
    struct side_tensors_sink sink = {self, add_tensor};
    size_t kept = 0;
    enum ox_code code;

    *self = (struct flat_side){.side = side};
    code = side_tensors_walk(side, &sink, err);
    if (code != OX_OK || self->count == 0) {
        return code;
    }
    qsort(self->tensors, self->count, sizeof(self->tensors[0]), by_offset);
    for (size_t i = 1; i < self->count; i++) { /* two models may claim the same bytes */
        const struct flat *before = &self->tensors[kept];

        if (self->tensors[i].offset >= before->offset + before->length) {
            self->tensors[++kept] = self->tensors[i];
        }
    }
    self->count = kept + 1;
    return OX_OK;
}

/* --- matching --- */

/* The passes: who may be partners, and by which key they find each other. */
#define MIX(a, b) (((a) ^ (uint64_t)(b)) * 0x9e3779b97f4a7c15u)

static uint64_t key_all(const struct flat *flat)
{
    return MIX(MIX(MIX(flat->name, flat->shape), flat->dtype), flat->length);
}
static uint64_t key_content(const struct flat *flat)
{
    return flat->content;
}
static uint64_t key_name_shape(const struct flat *flat)
{
    return MIX(flat->name, flat->shape);
}
static uint64_t key_name_dtype(const struct flat *flat)
{
    return MIX(flat->name, flat->dtype);
}
static uint64_t key_shape_dtype(const struct flat *flat)
{
    return MIX(MIX(flat->shape, flat->dtype), flat->length);
}

struct entry {
    uint64_t key;
    size_t index;
};

static int by_key(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;

    if (left->key != right->key) {
        return left->key < right->key ? -1 : 1;
    }
    return left->index < right->index ? -1 : left->index > right->index;
}

static size_t list_free(const struct flat_side *side, uint64_t (*key)(const struct flat *),
                        struct entry *out)
{
    size_t count = 0;

    for (size_t i = 0; i < side->count; i++) {
        if (side->tensors[i].like == NONE) {
            out[count++] = (struct entry){key(&side->tensors[i]), i};
        }
    }
    if (count > 0) {
        qsort(out, count, sizeof(out[0]), by_key);
    }
    return count;
}

/* Pair those that are still alone and have equal keys, in the order of the file. With `shared`, one
 * tensor of the base may serve several of the target: content is content. */
static void pair_by(struct flat_side *base, struct flat_side *target,
                    uint64_t (*key)(const struct flat *), bool shared, struct entry *left,
                    struct entry *right)
{
    size_t left_count = list_free(base, key, left);
    size_t right_count = list_free(target, key, right);
    size_t i = 0;

    for (size_t j = 0; j < right_count; j++) {
        while (i < left_count && left[i].key < right[j].key) {
            i++;
        }
        if (i < left_count && left[i].key == right[j].key) {
            target->tensors[right[j].index].like = left[i].index;
            base->tensors[left[i].index].like = right[j].index;
            if (!shared) {
                i++;
            }
        }
    }
}

static enum ox_code hash_tensor(const struct ox_source *space, struct flat *flat,
                                struct ox_stop *stop, uint8_t *block, size_t block_bytes,
                                struct ox_err *err)
{
    struct ox_xxh64 sum;

    ox_xxh64_init(&sum, flat->length);
    for (uint64_t at = 0; at < flat->length;) {
        uint64_t left = flat->length - at;
        size_t take = left < block_bytes ? (size_t)left : block_bytes;
        enum ox_code code = ox_stop_requested(stop)
                                ? ox_err_set(err, OX_ECANCELED, "stopped while comparing tensors")
                                : ox_source_read(space, flat->offset + at, block, take, err);

        if (code != OX_OK) {
            return code;
        }
        ox_xxh64_update(&sum, block, take);
        at += take;
    }
    flat->content = ox_xxh64_final(&sum);
    return OX_OK;
}

/* Sum up the lone tensors of both sides, so that equal contents find each other. */
static enum ox_code hash_free(struct flat_side *self, struct ox_stop *stop, struct ox_err *err)
{
    enum { BLOCK_BYTES = 256 * 1024 };
    struct ox_concat concat;
    struct ox_source space;
    uint8_t *block = malloc(BLOCK_BYTES);
    enum ox_code code;

    if (block == NULL) {
        return ox_err_nomem(err, "comparing tensors");
    }
    code = ox_concat_init(&concat, self->side->files, self->side->manifest->count, err);
    if (code == OX_OK) {
        space = ox_concat_source(&concat);
        for (size_t i = 0; code == OX_OK && i < self->count; i++) {
            if (self->tensors[i].like == NONE) {
                code = hash_tensor(&space, &self->tensors[i], stop, block, BLOCK_BYTES, err);
            }
        }
        ox_concat_clear(&concat);
    }
    free(block);
    return code;
}

static size_t count_free(const struct flat_side *side)
{
    size_t count = 0;

    for (size_t i = 0; i < side->count; i++) {
        count += side->tensors[i].like == NONE;
    }
    return count;
}

static enum ox_code pair_all(struct flat_side *base, struct flat_side *target, struct ox_stop *stop,
                             struct ox_err *err)
{
    struct entry *left = calloc(base->count + 1, sizeof(*left));
    struct entry *right = calloc(target->count + 1, sizeof(*right));
    enum ox_code code = OX_OK;

    if (left == NULL || right == NULL) {
        code = ox_err_nomem(err, "pairing tensors");
        goto out;
    }
    pair_by(base, target, key_all, false, left, right);
    if (count_free(target) > 0 && count_free(base) > 0) {
        if ((code = hash_free(base, stop, err)) != OX_OK ||
            (code = hash_free(target, stop, err)) != OX_OK) {
            goto out;
        }
        pair_by(base, target, key_content, true, left, right);
        pair_by(base, target, key_name_shape, false, left, right);
        pair_by(base, target, key_name_dtype, false, left, right);
        pair_by(base, target, key_shape_dtype, false, left, right);
    }
out:
    free(left);
    free(right);
    return code;
}

/* --- the result --- */

uint64_t tensor_pair_common(const struct tensor_pair *pair)
{
    if (!pair->has_base || pair->dtype != pair->base_dtype) {
        return 0;
    }
    return pair->base_bytes < pair->target_bytes ? pair->base_bytes : pair->target_bytes;
}

enum ox_code tensor_pairs_find(struct tensor_pairs *out, const struct ox_delta_side *base,
                               const struct ox_delta_side *target, struct ox_stop *stop,
                               struct ox_err *err)
{
    struct flat_side from = {0};
    struct flat_side to = {0};
    struct tensor_pair *pairs = NULL;
    enum ox_code code;

    if ((code = flat_read(&to, target, err)) != OX_OK ||
        (code = flat_read(&from, base, err)) != OX_OK ||
        (code = pair_all(&from, &to, stop, err)) != OX_OK) {
        goto out;
    }
    pairs = calloc(to.count + 1, sizeof(*pairs));
    if (pairs == NULL) {
        code = ox_err_nomem(err, "pairing tensors");
        goto out;
    }
    for (size_t i = 0; i < to.count; i++) {
        const struct flat *flat = &to.tensors[i];

        pairs[i].target_offset = flat->offset;
        pairs[i].target_bytes = flat->length;
        pairs[i].dtype = flat->dtype;
        pairs[i].columns = flat->columns;
        if (flat->like != NONE) {
            const struct flat *like = &from.tensors[flat->like];

            pairs[i].has_base = true;
            pairs[i].base_offset = like->offset;
            pairs[i].base_bytes = like->length;
            pairs[i].base_dtype = like->dtype;
            pairs[i].base_columns = like->columns;
        }
        pairs[i].prediction = prediction_default(&pairs[i]);
    }
    *out = (struct tensor_pairs){pairs, to.count};
out:
    flat_clear(&from);
    flat_clear(&to);
    return code;
}

void tensor_pairs_clear(struct tensor_pairs *pairs)
{
    free(pairs->pairs);
    *pairs = (struct tensor_pairs){NULL, 0};
}
