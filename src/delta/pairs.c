#include "pairs.h"

#include "choose.h"
#include "oxide/crypto/xxh64.h"
#include "side_tensors.h"
#include "sketch.h"

#include <stdlib.h>
#include <string.h>

#define NONE SIZE_MAX

#define COLUMNS_FEW 32

/* A tensor in the flat space of its side. */
struct flat {
    uint64_t offset;
    uint64_t length;
    uint64_t name;  /* sum of the name */
    uint64_t shape; /* sum of the shape */
    uint64_t sketch;
    uint64_t content; /* sum of its bytes, once hashed */
    enum ox_dtype dtype;
    uint32_t columns;
    bool hashed;
    size_t like; /* index of its partner in the other side, or NONE */
    size_t twin; /* index of one before it, in the same side, with the same bytes; or NONE */
};

/* All tensors of one side. */
struct flat_side {
    const struct ox_delta_side *side;
    struct ox_concat concat;
    struct ox_source space;
    struct flat *tensors; /* sorted by offset */
    size_t count;
    size_t max;
};

static void flat_clear(struct flat_side *self)
{
    free(self->tensors);
    ox_concat_clear(&self->concat);
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
                      .like = NONE,
                      .twin = NONE};
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
                              struct ox_stop *stop, struct ox_err *err)
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
    code = ox_concat_init(&self->concat, side->files, side->manifest->count, err);
    self->space = ox_concat_source(&self->concat);
    for (size_t i = 0; code == OX_OK && i < self->count; i++) {
        struct flat *flat = &self->tensors[i];

        code = ox_stop_requested(stop)
                   ? ox_err_set(err, OX_ECANCELED, "stopped while comparing tensors")
                   : sketch_tensor(&self->space, flat->offset, flat->length, flat->dtype,
                                   &flat->sketch, err);
    }
    return code;
}

/* --- matching --- */

#define MIX(a, b) (((a) ^ (uint64_t)(b)) * 0x9e3779b97f4a7c15u)

static uint64_t key_all(const struct flat *flat)
{
    return MIX(MIX(MIX(flat->name, flat->shape), flat->dtype), flat->length);
}
static uint64_t key_sketch(const struct flat *flat)
{
    return MIX(flat->sketch, flat->length);
}
static uint64_t key_shape_dtype(const struct flat *flat)
{
    return MIX(MIX(flat->shape, flat->dtype), flat->length);
}
static uint64_t key_shape(const struct flat *flat)
{
    return flat->shape;
}
static uint64_t key_name_shape(const struct flat *flat)
{
    return MIX(flat->name, flat->shape);
}
static uint64_t key_name_dtype(const struct flat *flat)
{
    return MIX(flat->name, flat->dtype);
}
/* Of floats that may have been cast; others have their dtype apart. */
static uint64_t key_name_float(const struct flat *flat)
{
    bool is_float =
        flat->dtype == OX_DTYPE_F32 || flat->dtype == OX_DTYPE_F16 || flat->dtype == OX_DTYPE_BF16;

    return MIX(flat->name, is_float ? OX_DTYPE_F32 : flat->dtype);
}

/*
 * The passes, in their order: tensors that are still alone and have equal keys are held against
 * each other, and the one whose sketch is nearest is taken. To add one: a row.
 */
static const struct pass {
    uint64_t (*key)(const struct flat *);
    unsigned distance; /* of sketches, at most */
    bool equal;        /* only where all bytes are */
    bool shared;       /* a tensor of the base may serve several of the target */
} passes[] = {
    {key_all, 0, false, false},
    {key_sketch, 0, true, true},
    {key_all, SKETCH_LIKELY, false, false},
    {key_shape_dtype, SKETCH_RELATED, false, true},
    {key_shape, SKETCH_RELATED, false, true}, /* cast to another dtype */
    {key_all, SKETCH_BITS, false, false},
    {key_name_shape, SKETCH_BITS, false, false},
    {key_name_dtype, SKETCH_BITS, false, false},
    {key_shape_dtype, SKETCH_BITS, false, false},
    {key_name_float, SKETCH_BITS, false, false}, /* cast, and its shape grew */
};

/* So many with one key are held against a tensor: those at about its place among them. */
#define CANDIDATES_MAX 4096

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

static size_t list(const struct flat_side *side, uint64_t (*key)(const struct flat *),
                   bool only_free, struct entry *out)
{
    size_t count = 0;

    for (size_t i = 0; i < side->count; i++) {
        if (!only_free || side->tensors[i].like == NONE) {
            out[count++] = (struct entry){key(&side->tensors[i]), i};
        }
    }
    if (count > 0) {
        qsort(out, count, sizeof(out[0]), by_key);
    }
    return count;
}

/* Entries that follow each other and have one key. */
static size_t count_equal(const struct entry *entries, size_t count)
{
    size_t n = 0;

    while (n < count && entries[n].key == entries[0].key) {
        n++;
    }
    return n;
}

static enum ox_code hash_tensor(const struct flat_side *side, struct flat *flat,
                                struct ox_stop *stop, struct ox_err *err)
{
    enum { BLOCK_BYTES = 16 * 1024 };
    uint8_t block[BLOCK_BYTES];
    struct ox_xxh64 sum;

    ox_xxh64_init(&sum, flat->length);
    for (uint64_t at = 0; !flat->hashed && at < flat->length;) {
        uint64_t left = flat->length - at;
        size_t take = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
        enum ox_code code = ox_stop_requested(stop)
                                ? ox_err_set(err, OX_ECANCELED, "stopped while comparing tensors")
                                : ox_source_read(&side->space, flat->offset + at, block, take, err);

        if (code != OX_OK) {
            return code;
        }
        ox_xxh64_update(&sum, block, take);
        at += take;
    }
    if (!flat->hashed) {
        flat->content = ox_xxh64_final(&sum);
        flat->hashed = true;
    }
    return OX_OK;
}

struct matching {
    struct flat_side *base;
    struct flat_side *target;
    struct ox_stop *stop;
    struct entry *left;
    struct entry *right;
};

/* The nearest of some of the base's tensors, *best, or NONE. */
static enum ox_code find_nearest(const struct matching *self, const struct pass *pass,
                                 struct flat *wanted, const struct entry *entries, size_t count,
                                 size_t *best, struct ox_err *err)
{
    unsigned least = pass->distance + 1;

    *best = NONE;
    for (size_t i = 0; i < count && least > 0; i++) {
        struct flat *flat = &self->base->tensors[entries[i].index];
        unsigned distance = sketch_distance(flat->sketch, wanted->sketch);

        if (distance > SKETCH_LIKELY && distance <= pass->distance) {
            distance = SKETCH_LIKELY + 1; /* unrelated: their order counts */
        }
        if (distance >= least || (!pass->shared && flat->like != NONE)) {
            continue;
        }
        if (pass->equal) {
            enum ox_code code = hash_tensor(self->base, flat, self->stop, err);

            code = code == OX_OK ? hash_tensor(self->target, wanted, self->stop, err) : code;
            if (code != OX_OK) {
                return code;
            }
            if (flat->content != wanted->content) {
                continue;
            }
        }
        least = distance;
        *best = entries[i].index;
    }
    return OX_OK;
}

/* All of the target's tensors that have one key. */
static enum ox_code match_group(const struct matching *self, const struct pass *pass,
                                const struct entry *left, size_t left_count,
                                const struct entry *right, size_t right_count, struct ox_err *err)
{
    for (size_t j = 0; j < right_count; j++) {
        size_t count = left_count < CANDIDATES_MAX ? left_count : CANDIDATES_MAX;
        size_t first = (size_t)((double)(left_count - count) * (double)j / (double)right_count);
        size_t best = NONE;
        enum ox_code code = find_nearest(self, pass, &self->target->tensors[right[j].index],
                                         left + first, count, &best, err);

        if (code != OX_OK) {
            return code;
        }
        if (best != NONE) {
            self->target->tensors[right[j].index].like = best;
            self->base->tensors[best].like = right[j].index;
        }
    }
    return OX_OK;
}

static enum ox_code run_pass(const struct matching *self, const struct pass *pass,
                             struct ox_err *err)
{
    size_t left_count = list(self->base, pass->key, !pass->shared, self->left);
    size_t right_count = list(self->target, pass->key, true, self->right);
    size_t i = 0;
    enum ox_code code = OX_OK;

    for (size_t j = 0; code == OX_OK && j < right_count;) {
        size_t n = count_equal(self->right + j, right_count - j);

        while (i < left_count && self->left[i].key < self->right[j].key) {
            i++;
        }
        if (i < left_count && self->left[i].key == self->right[j].key) {
            code =
                match_group(self, pass, self->left + i, count_equal(self->left + i, left_count - i),
                            self->right + j, n, err);
        }
        j += n;
    }
    return code;
}

/* --- twins --- */

/* Shorter ones are not worth a frame. */
#define TWIN_MIN 4096
#define TWINS_MAX 64 /* with one sketch that are held against another */

/* Is the tensor equal to its like in the base? */
static enum ox_code equals_like(const struct matching *self, struct flat *flat, bool *out,
                                struct ox_err *err)
{
    struct flat *like = flat->like == NONE ? NULL : &self->base->tensors[flat->like];
    enum ox_code code;

    *out = false;
    if (like == NULL || like->length != flat->length || like->sketch != flat->sketch) {
        return OX_OK;
    }
    if ((code = hash_tensor(self->base, like, self->stop, err)) != OX_OK ||
        (code = hash_tensor(self->target, flat, self->stop, err)) != OX_OK) {
        return code;
    }
    *out = like->content == flat->content;
    return OX_OK;
}

/* Find the twins among tensors with one sketch, in the order of the file. */
static enum ox_code find_twins(const struct matching *self, const struct entry *entries,
                               size_t count, struct ox_err *err)
{
    struct flat *tensors = self->target->tensors;
    enum ox_code code = OX_OK;

    for (size_t j = 1; code == OX_OK && j < count; j++) {
        struct flat *flat = &tensors[entries[j].index];
        bool equal = false;

        if (flat->length < TWIN_MIN) {
            continue;
        }
        code = equals_like(self, flat, &equal, err);
        for (size_t i = j < TWINS_MAX ? 0 : j - TWINS_MAX;
             code == OX_OK && !equal && flat->twin == NONE && i < j; i++) {
            struct flat *before = &tensors[entries[i].index];

            if ((code = hash_tensor(self->target, before, self->stop, err)) == OX_OK &&
                (code = hash_tensor(self->target, flat, self->stop, err)) == OX_OK &&
                before->content == flat->content && before->length == flat->length) {
                flat->twin = entries[i].index;
            }
        }
    }
    return code;
}

static enum ox_code find_all_twins(const struct matching *self, struct ox_err *err)
{
    size_t count = list(self->target, key_sketch, false, self->right);
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < count;) {
        size_t n = count_equal(self->right + i, count - i);

        code = find_twins(self, self->right + i, n, err);
        i += n;
    }
    return code;
}

static enum ox_code pair_all(struct flat_side *base, struct flat_side *target, struct ox_stop *stop,
                             struct ox_err *err)
{
    struct matching self = {base, target, stop, calloc(base->count + 1, sizeof(struct entry)),
                            calloc(target->count + 1, sizeof(struct entry))};
    enum ox_code code = OX_OK;

    if (self.left == NULL || self.right == NULL) {
        code = ox_err_nomem(err, "pairing tensors");
    }
    for (size_t i = 0; code == OX_OK && i < sizeof(passes) / sizeof(passes[0]); i++) {
        code = run_pass(&self, &passes[i], err);
    }
    code = code == OX_OK ? find_all_twins(&self, err) : code;
    free(self.left);
    free(self.right);
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

uint64_t tensor_pair_reach(const struct tensor_pair *pair, const struct prediction *how)
{
    uint64_t reach = prediction_reach(how, pair->base_bytes);

    return reach < pair->target_bytes ? reach : pair->target_bytes;
}

enum ox_code tensor_pairs_find(struct tensor_pairs *out, const struct ox_delta_side *base,
                               const struct ox_delta_side *target, struct ox_stop *stop,
                               struct ox_err *err)
{
    struct flat_side from = {0};
    struct flat_side to = {0};
    struct tensor_pair *pairs = NULL;
    enum ox_code code;

    if ((code = flat_read(&to, target, stop, err)) != OX_OK ||
        (code = flat_read(&from, base, stop, err)) != OX_OK ||
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
        if (flat->twin != NONE) {
            pairs[i].has_twin = true;
            pairs[i].twin_offset = to.tensors[flat->twin].offset;
        }
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
