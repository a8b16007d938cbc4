#include "pairs.h"

#include "oxide/crypto/xxh64.h"
#include "oxide/tensor/layout.h"
#include "planes.h"

#include <stdlib.h>
#include <string.h>

#define NONE SIZE_MAX

/* A tensor in the flat space of its side. */
struct flat {
    const struct ox_tensor *tensor; /* lent by a layout */
    uint64_t offset;
    uint64_t key;     /* what it is looked up by; its meaning changes from pass to pass */
    uint64_t content; /* sum of its bytes, once hashed */
    size_t like;      /* index of its partner in the other side, or NONE */
};

/* All tensors of one side. */
struct flat_side {
    const struct ox_delta_side *side;
    struct ox_layout *layouts; /* per file; an external data file has what its ONNX file tells */
    struct flat *tensors;      /* sorted by offset */
    size_t count;
};

static void flat_clear(struct flat_side *self)
{
    for (size_t i = 0; self->layouts != NULL && i < self->side->manifest->count; i++) {
        ox_layout_clear(&self->layouts[i]);
    }
    free(self->layouts);
    free(self->tensors);
}

static uint64_t file_start(const struct ox_delta_side *side, size_t index)
{
    uint64_t start = 0;

    for (size_t i = 0; i < index; i++) {
        start += side->files[i].size_bytes;
    }
    return start;
}

static enum ox_code add_tensors(struct flat_side *self, const struct ox_layout *layout,
                                uint64_t start, struct ox_err *err)
{
    size_t internal = layout->count - layout->external_count;
    struct flat *grown = realloc(self->tensors, (self->count + internal + 1) * sizeof(*grown));

    if (grown == NULL) {
        return ox_err_nomem(err, "a list of tensors");
    }
    self->tensors = grown;
    for (size_t i = 0; i < internal; i++) {
        const struct ox_tensor *tensor = &layout->tensors[i];

        if (tensor->length_bytes > 0) {
            self->tensors[self->count++] =
                (struct flat){tensor, start + tensor->offset_bytes, 0, 0, NONE};
        }
    }
    return OX_OK;
}

/* An external path is relative to the folder of the file that names it. */
static size_t find_external(const struct ox_manifest *manifest, const char *onnx_path,
                            const char *external)
{
    const char *slash = strrchr(onnx_path, '/');
    char *path = NULL;
    size_t index = NONE;

    if (slash == NULL) {
        return ox_manifest_find(manifest, external);
    }
    if (ox_strf(&path, NULL, "%.*s%s", (int)(slash - onnx_path + 1), onnx_path, external) ==
        OX_OK) {
        index = ox_manifest_find(manifest, path);
        free(path);
    }
    return index;
}

/* The data files that file number `at` refers to. */
static enum ox_code add_externals(struct flat_side *self, size_t at, struct ox_err *err)
{
    enum ox_code code = OX_OK;
    size_t first = self->layouts[at].count - self->layouts[at].external_count;

    for (size_t i = first; code == OX_OK && i < self->layouts[at].count; i++) {
        const struct ox_layout *onnx = &self->layouts[at];
        const char *path = onnx->tensors[i].external;
        size_t index;

        if (i > first && strcmp(path, onnx->tensors[i - 1].external) == 0) {
            continue; /* they are sorted by path: this file is done */
        }
        index = find_external(self->side->manifest, self->side->manifest->files[at].path, path);
        if (index == NONE || self->layouts[index].format != OX_FORMAT_UNKNOWN) {
            continue;
        }
        code = ox_layout_of_external(&self->layouts[index], onnx, path,
                                     self->side->files[index].size_bytes, err);
        if (code == OX_OK) {
            code = add_tensors(self, &self->layouts[index], file_start(self->side, index), err);
        }
    }
    return code;
}

static int by_offset(const void *a, const void *b)
{
    const struct flat *left = a;
    const struct flat *right = b;

    return left->offset < right->offset ? -1 : left->offset > right->offset;
}

static enum ox_code flat_read(struct flat_side *self, const struct ox_delta_side *side,
                              struct ox_err *err)
{
    size_t files = side->manifest->count;
    size_t kept = 0;
    enum ox_code code = OX_OK;

    *self = (struct flat_side){.side = side};
    self->layouts = calloc(files, sizeof(*self->layouts));
    if (self->layouts == NULL) {
        return ox_err_nomem(err, "a list of layouts");
    }
    for (size_t i = 0; code == OX_OK && i < files; i++) {
        code = ox_layout_read(&self->layouts[i], &side->files[i], err);
        if (code == OX_EUNSUPPORTED || code == OX_ECORRUPT || code == OX_ETOOBIG) {
            ox_err_clear(err); /* simply bytes */
            code = OX_OK;
        } else if (code == OX_OK) {
            code = add_tensors(self, &self->layouts[i], file_start(side, i), err);
        }
    }
    for (size_t i = 0; code == OX_OK && i < files; i++) {
        code = add_externals(self, i, err);
    }
    if (code != OX_OK || self->count == 0) {
        return code;
    }
    qsort(self->tensors, self->count, sizeof(self->tensors[0]), by_offset);
    for (size_t i = 1; i < self->count; i++) { /* two files may claim one external file */
        const struct flat *before = &self->tensors[kept];

        if (self->tensors[i].offset >= before->offset + before->tensor->length_bytes) {
            self->tensors[++kept] = self->tensors[i];
        }
    }
    self->count = kept + 1;
    return OX_OK;
}

/* --- matching --- */

static uint64_t shape_key(const struct flat *flat, uint64_t seed)
{
    const struct ox_tensor *tensor = flat->tensor;
    uint64_t key = ox_xxh64(&tensor->dtype, sizeof(tensor->dtype), seed);

    for (uint32_t i = 0; i < tensor->rank; i++) {
        key = key * 0x9e3779b97f4a7c15u + tensor->shape[i] + 1;
    }
    return key ^ tensor->length_bytes;
}

static uint64_t name_key(const struct flat *flat)
{
    return ox_xxh64(flat->tensor->name, strlen(flat->tensor->name), flat->tensor->dtype);
}

/* The passes: who may be partners, and by which key they find each other. */
static uint64_t key_name_shape(const struct flat *flat)
{
    return shape_key(flat, name_key(flat));
}
static uint64_t key_content(const struct flat *flat)
{
    return flat->content;
}
static uint64_t key_name(const struct flat *flat)
{
    return name_key(flat);
}
static uint64_t key_shape(const struct flat *flat)
{
    return shape_key(flat, 0);
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

    ox_xxh64_init(&sum, flat->tensor->length_bytes);
    for (uint64_t at = 0; at < flat->tensor->length_bytes;) {
        uint64_t left = flat->tensor->length_bytes - at;
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
    pair_by(base, target, key_name_shape, false, left, right);
    if (count_free(target) > 0 && count_free(base) > 0) {
        if ((code = hash_free(base, stop, err)) != OX_OK ||
            (code = hash_free(target, stop, err)) != OX_OK) {
            goto out;
        }
        pair_by(base, target, key_content, true, left, right);
        pair_by(base, target, key_name, false, left, right);
        pair_by(base, target, key_shape, false, left, right);
    }
out:
    free(left);
    free(right);
    return code;
}

/* --- the result --- */

static void set_numbers(struct tensor_pair *pair, enum ox_dtype dtype)
{
    const struct ox_dtype_info *info = ox_dtype_info(dtype);

    if (info->block_elements == 1 && planes_shape_ok(info->block_bytes, info->block_bytes)) {
        pair->width = (uint8_t)info->block_bytes;
        pair->stride = (uint16_t)info->block_bytes;
    } else if (info->block_elements > 2 && planes_shape_ok(1, info->block_bytes)) {
        pair->width = 1;
        pair->stride = (uint16_t)info->block_bytes;
    } else {
        pair->width = 1;
        pair->stride = 1;
    }
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
        pairs[i].target_bytes = flat->tensor->length_bytes;
        set_numbers(&pairs[i], flat->tensor->dtype);
        if (flat->like != NONE) {
            const struct flat *like = &from.tensors[flat->like];
            uint64_t common = like->tensor->length_bytes;

            pairs[i].has_base = true;
            pairs[i].base_offset = like->offset;
            pairs[i].common_bytes =
                common < flat->tensor->length_bytes ? common : flat->tensor->length_bytes;
        }
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
