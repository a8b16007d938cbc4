#include "oxide/tensor/layout.h"

#include "arena.h"
#include "layout_build.h"
#include "oxide/tensor/limits.h"
#include "stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- collecting -------------------------------------------------------------------------------*/

static enum ox_code check_limits(const struct ox_build *build, const struct ox_found *found,
                                 struct ox_err *err)
{
    if (build->count >= OX_TENSOR_COUNT_MAX) {
        return ox_err_set(err, OX_ETOOBIG, "more than %d tensors", OX_TENSOR_COUNT_MAX);
    }
    if (found->rank > OX_TENSOR_RANK_MAX) {
        return ox_err_set(err, OX_ETOOBIG, "a tensor has %" PRIu32 " dimensions, at most %d",
                          found->rank, OX_TENSOR_RANK_MAX);
    }
    if (found->name_len > OX_TENSOR_NAME_MAX ||
        found->path_len > OX_TENSOR_NAME_MAX - found->name_len) {
        return ox_err_set(err, OX_ETOOBIG, "the name of a tensor exceeds %d bytes",
                          OX_TENSOR_NAME_MAX);
    }
    if (found->name_len > 0 && memchr(found->name, '\0', found->name_len) != NULL) {
        return ox_err_set(err, OX_ECORRUPT, "the name of a tensor holds a NUL byte");
    }
    if (found->offset_bytes > UINT64_MAX - found->length_bytes) {
        return ox_err_set(err, OX_ECORRUPT, "a tensor ends beyond 2^64 bytes");
    }
    return OX_OK;
}

static enum ox_code grow_rows(struct ox_build *build, struct ox_err *err)
{
    size_t cap = build->cap == 0 ? 64 : build->cap * 2;
    struct ox_build_row *rows;

    if (build->count < build->cap) {
        return OX_OK;
    }
    rows = realloc(build->rows, cap * sizeof(*rows));
    if (rows == NULL) {
        return ox_err_nomem(err, "a layout");
    }
    build->rows = rows;
    build->cap = cap;
    return OX_OK;
}

static enum ox_code copy_text(struct ox_build *build, const char *first, size_t first_len,
                              const char *second, size_t second_len, const char **out,
                              struct ox_err *err)
{
    void *memory = NULL;
    enum ox_code code = ox_arena_alloc(build->arena, first_len + second_len + 1, &memory, err);

    if (code == OX_OK) {
        char *text = memory;

        if (first_len > 0) {
            memcpy(text, first, first_len);
        }
        if (second_len > 0) {
            memcpy(text + first_len, second, second_len);
        }
        text[first_len + second_len] = '\0';
        *out = text;
    }
    return code;
}

/* Neighbours mostly share one external file: keep its path once. */
static enum ox_code copy_external(struct ox_build *build, const char *external, const char **out,
                                  struct ox_err *err)
{
    const char *last = build->count == 0 ? NULL : build->rows[build->count - 1].tensor.external;

    if (last != NULL && strcmp(last, external) == 0) {
        *out = last;
        return OX_OK;
    }
    return copy_text(build, external, strlen(external), NULL, 0, out, err);
}

enum ox_code ox_build_add(struct ox_build *build, const struct ox_found *found, struct ox_err *err)
{
    enum ox_code code = check_limits(build, found, err);
    const char *text = NULL;
    const char *external = NULL;
    void *shape = NULL;

    if (code == OX_OK && build->arena == NULL) {
        code = ox_arena_new(&build->arena, err);
    }
    if (code == OX_OK) {
        code = grow_rows(build, err);
    }
    if (code == OX_OK) {
        code = copy_text(build, found->path, found->path_len, found->name, found->name_len, &text,
                         err);
    }
    if (code == OX_OK && found->external != NULL) {
        code = copy_external(build, found->external, &external, err);
    }
    if (code == OX_OK && found->rank > 0) {
        code = ox_arena_alloc(build->arena, found->rank * sizeof(uint64_t), &shape, err);
    }
    if (code != OX_OK) {
        return code;
    }
    if (found->rank > 0) {
        memcpy(shape, found->shape, found->rank * sizeof(uint64_t));
    }
    build->rows[build->count++] = (struct ox_build_row){
        .tensor = {.name = text + found->path_len,
                   .dtype = found->dtype,
                   .rank = found->rank,
                   .shape = shape,
                   .offset_bytes = found->offset_bytes,
                   .length_bytes = found->length_bytes,
                   .external = external},
        .path_len = found->path_len,
        .open_ended = found->open_ended,
    };
    return OX_OK;
}

void ox_build_clear(struct ox_build *build)
{
    ox_arena_free(build->arena);
    free(build->rows);
    *build = (struct ox_build){0};
}

/* --- order and names --------------------------------------------------------------------------*/

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* In this file first, then by path; then by offset, what is empty or known to be short first. */
static int by_place(const void *left, const void *right)
{
    const struct ox_build_row *a = left;
    const struct ox_build_row *b = right;
    int order = (a->tensor.external != NULL) - (b->tensor.external != NULL);

    if (order == 0 && a->tensor.external != NULL) {
        order = strcmp(a->tensor.external, b->tensor.external);
    }
    if (order == 0) {
        order = compare_u64(a->tensor.offset_bytes, b->tensor.offset_bytes);
    }
    if (order == 0) {
        order = a->open_ended - b->open_ended;
    }
    if (order == 0) {
        order = compare_u64(a->tensor.length_bytes, b->tensor.length_bytes);
    }
    return order == 0 ? strcmp(a->tensor.name, b->tensor.name) : order;
}

static int by_name(const void *left, const void *right)
{
    const struct ox_build_row *a = left;
    const struct ox_build_row *b = right;
    int order = strcmp(a->tensor.name, b->tensor.name);

    return order == 0 ? by_place(a, b) : order;
}

/* Rows [first, result) have one name; they are sorted by name. */
static size_t end_of_equals(const struct ox_build *build, size_t first)
{
    size_t end = first + 1;

    while (end < build->count &&
           strcmp(build->rows[first].tensor.name, build->rows[end].tensor.name) == 0) {
        end++;
    }
    return end;
}

static enum ox_code refuse_duplicates(const struct ox_build *build, struct ox_err *err)
{
    for (size_t i = 0, end; i < build->count; i = end) {
        end = end_of_equals(build, i);
        if (end - i > 1) {
            char shown[OX_SHOWN_MAX];

            return ox_err_set(err, OX_ECORRUPT, "two tensors are named \"%s\"",
                              ox_shown(build->rows[i].tensor.name, shown));
        }
    }
    return OX_OK;
}

static bool put_paths_in_front(struct ox_build *build)
{
    bool some = false;

    for (size_t i = 0, end; i < build->count; i = end) {
        end = end_of_equals(build, i);
        for (size_t j = i; end - i > 1 && j < end; j++) {
            struct ox_build_row *row = &build->rows[j];

            row->tensor.name -= row->path_len;
            row->path_len = 0;
            some = true;
        }
    }
    return some;
}

static enum ox_code number_duplicates(struct ox_build *build, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0, end; i < build->count && code == OX_OK; i = end) {
        end = end_of_equals(build, i);
        for (size_t j = i + 1; j < end && code == OX_OK; j++) {
            const char *name = build->rows[i].tensor.name;
            char number[24];
            int len = snprintf(number, sizeof(number), "#%zu", j - i + 1);

            code = copy_text(build, name, strlen(name), number, (size_t)len,
                             &build->rows[j].tensor.name, err);
        }
    }
    return code;
}

static void sort_rows(struct ox_build *build, int (*compare)(const void *, const void *))
{
    if (build->count > 1) {
        qsort(build->rows, build->count, sizeof(*build->rows), compare);
    }
}

static enum ox_code settle_names(struct ox_build *build, enum ox_names names, struct ox_err *err)
{
    sort_rows(build, by_name);
    if (names == OX_NAMES_REFUSE) {
        return refuse_duplicates(build, err);
    }
    if (!put_paths_in_front(build)) {
        return OX_OK;
    }
    sort_rows(build, by_name);
    return number_duplicates(build, err);
}

/* --- places -----------------------------------------------------------------------------------*/

/* Rows are sorted by place, and count of them are in this file. */
static enum ox_code settle_places(struct ox_build *build, size_t count, uint64_t size_bytes,
                                  struct ox_err *err)
{
    uint64_t covered = 0;

    for (size_t i = 0; i < count; i++) {
        struct ox_tensor *tensor = &build->rows[i].tensor;
        char shown[OX_SHOWN_MAX];

        if (build->rows[i].open_ended && tensor->offset_bytes <= size_bytes) {
            uint64_t next = i + 1 < count ? build->rows[i + 1].tensor.offset_bytes : size_bytes;

            tensor->length_bytes = (next < size_bytes ? next : size_bytes) - tensor->offset_bytes;
        }
        if (tensor->offset_bytes > size_bytes ||
            tensor->length_bytes > size_bytes - tensor->offset_bytes) {
            return ox_err_set(err, OX_ECORRUPT,
                              "tensor \"%s\" has %" PRIu64 " bytes at offset %" PRIu64
                              ", outside a file of %" PRIu64,
                              ox_shown(tensor->name, shown), tensor->length_bytes,
                              tensor->offset_bytes, size_bytes);
        }
        if (tensor->offset_bytes < covered) {
            char other[OX_SHOWN_MAX];

            return ox_err_set(err, OX_ECORRUPT, "tensors \"%s\" and \"%s\" overlap",
                              ox_shown(build->rows[i - 1].tensor.name, other),
                              ox_shown(tensor->name, shown));
        }
        covered = tensor->offset_bytes + tensor->length_bytes;
    }
    return OX_OK;
}

enum ox_code ox_build_finish(struct ox_build *build, enum ox_format format, enum ox_names names,
                             uint64_t size_bytes, struct ox_layout *out, struct ox_err *err)
{
    size_t internal = 0;
    struct ox_tensor *tensors = NULL;
    enum ox_code code = settle_names(build, names, err);

    if (code != OX_OK) {
        return code;
    }
    sort_rows(build, by_place);
    while (internal < build->count && build->rows[internal].tensor.external == NULL) {
        internal++;
    }
    code = settle_places(build, internal, size_bytes, err);
    if (code != OX_OK) {
        return code;
    }
    if (build->count > 0) {
        tensors = calloc(build->count, sizeof(*tensors));
        if (tensors == NULL) {
            return ox_err_nomem(err, "a layout");
        }
    }
    for (size_t i = 0; i < build->count; i++) {
        tensors[i] = build->rows[i].tensor;
    }
    *out = (struct ox_layout){
        .format = format,
        .tensors = tensors,
        .count = build->count,
        .external_count = build->count - internal,
        .arena = build->arena,
    };
    build->arena = NULL;
    return OX_OK;
}

/* --- public -----------------------------------------------------------------------------------*/

enum ox_code ox_layout_of_external(struct ox_layout *out, const struct ox_layout *onnx,
                                   const char *path, uint64_t size_bytes, struct ox_err *err)
{
    struct ox_build build = {0};
    uint64_t covered = 0;
    enum ox_code code = OX_OK;

    for (size_t i = onnx->count - onnx->external_count; i < onnx->count && code == OX_OK; i++) {
        const struct ox_tensor *tensor = &onnx->tensors[i];
        struct ox_found found = {
            .name = tensor->name,
            .name_len = strlen(tensor->name),
            .dtype = tensor->dtype,
            .rank = tensor->rank,
            .shape = tensor->shape,
            .offset_bytes = tensor->offset_bytes,
            .length_bytes = tensor->length_bytes,
        };

        if (strcmp(tensor->external, path) != 0 || tensor->offset_bytes < covered ||
            tensor->offset_bytes > size_bytes ||
            tensor->length_bytes > size_bytes - tensor->offset_bytes) {
            continue;
        }
        covered = tensor->offset_bytes + tensor->length_bytes;
        code = ox_build_add(&build, &found, err);
    }
    if (code == OX_OK) {
        code = ox_build_finish(&build, OX_FORMAT_ONNX, OX_NAMES_RENAME, size_bytes, out, err);
    }
    ox_build_clear(&build);
    return code;
}

void ox_layout_clear(struct ox_layout *layout)
{
    free(layout->tensors);
    ox_arena_free(layout->arena);
    *layout = (struct ox_layout)OX_LAYOUT_INIT;
}
