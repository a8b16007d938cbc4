/*
 * torch.save and torch.jit.save since PyTorch 1.6: PREFIX/data.pkl speaks of PREFIX/data/KEY, and
 * in TorchScript PREFIX/constants.pkl of PREFIX/constants/KEY.
 * Source: caffe2/serialize/inline_container.h and torch/serialization.py of PyTorch.
 */
#include "torch.h"

#include "oxide/tensor/limits.h"
#include "pickle.h"

#include <stdlib.h>
#include <string.h>

#define ORDER_MAX_BYTES 16 /* of the entry "byteorder", which says "little" or "big" */

/* A tensor in its storage. */
struct view {
    const struct ox_zip_entry *entry;
    uint64_t begin;
    uint64_t length;
    size_t order;   /* in which the pickles tell of them */
    size_t name_at; /* in `names` */
    size_t name_len;
    size_t shape_at; /* in `shapes` */
    uint32_t rank;
    enum ox_dtype dtype;
};

struct torch {
    struct ox_build *build;
    const struct ox_zip *zip;
    struct ox_stream *stream;
    struct ox_buf prefix; /* of the archive, with its '/' */
    bool big_endian;
    /* of one pickle: */
    struct ox_pickle pickle;
    struct ox_buf folder; /* of its storages, with the prefix and a '/' */
    struct ox_buf views;
    struct ox_buf names;
    struct ox_buf shapes;
};

/* --- the archive ------------------------------------------------------------------------------*/

const struct ox_zip_entry *ox_torch_pickle_of(const struct ox_zip *zip)
{
    for (size_t i = 0; i < zip->count; i++) {
        const char *slash = strchr(zip->entries[i].name, '/');

        if (slash != NULL && strcmp(slash, "/data.pkl") == 0) {
            return &zip->entries[i];
        }
    }
    return NULL;
}

static enum ox_code read_order(struct torch *torch, struct ox_err *err)
{
    const struct ox_zip_entry *entry =
        ox_zip_find(torch->zip, (const char *)torch->prefix.data, "byteorder");
    char order[ORDER_MAX_BYTES + 1] = {0};
    enum ox_code code;

    if (entry == NULL || !entry->stored || entry->size_bytes > ORDER_MAX_BYTES) {
        return OX_OK;
    }
    code = ox_zip_open(entry, torch->stream, err);
    if (code == OX_OK) {
        code = ox_stream_read(torch->stream, order, (size_t)entry->size_bytes, err);
    }
    torch->big_endian = strncmp(order, "big", 3) == 0;
    return code;
}

/* What goes on in the pickle that we cannot follow leaves its storages without names. */
static enum ox_code read_pickle(struct torch *torch, const struct ox_zip_entry *entry,
                                struct ox_err *err)
{
    enum ox_code code;

    if (!entry->stored) {
        return OX_OK;
    }
    code = ox_zip_open(entry, torch->stream, err);
    if (code != OX_OK) {
        return code;
    }
    code = ox_pickle_scan(&torch->pickle, torch->stream, err);
    if (code == OX_ECORRUPT || code == OX_EUNSUPPORTED || code == OX_ETOOBIG) {
        ox_err_clear(err);
        code = OX_OK;
    }
    return code;
}

/* --- views ------------------------------------------------------------------------------------*/

/* Do the numbers lie one behind the other? A dimension of one never makes its step. */
static bool runs_on(const uint64_t *shape, const uint64_t *stride, uint32_t rank)
{
    uint64_t expected = 1;

    for (uint32_t i = rank; i-- > 0;) {
        if (shape[i] == 0 || expected > UINT64_MAX / shape[i] ||
            (shape[i] != 1 && stride[i] != expected)) {
            return false;
        }
        expected *= shape[i];
    }
    return true;
}

/*
 * Transposed weights show all numbers of their storage, through the columns first. Puts dimensions
 * in the order in which the bytes lie, the outermost first; false if the view has holes, or shows
 * numbers twice.
 */
static bool as_it_lies(const struct ox_pickle_view *view, uint64_t shape[OX_TENSOR_RANK_MAX])
{
    uint64_t stride[OX_TENSOR_RANK_MAX];

    if (view->rank > 0) {
        memcpy(shape, view->shape, view->rank * sizeof(shape[0]));
    }
    if (runs_on(shape, view->stride, view->rank)) {
        return true;
    }
    for (uint32_t i = 0; i < view->rank; i++) {
        uint64_t step = view->shape[i] == 1 ? UINT64_MAX : view->stride[i];
        uint32_t at = i;

        for (; at > 0 && stride[at - 1] < step; at--) {
            stride[at] = stride[at - 1];
            shape[at] = shape[at - 1];
        }
        stride[at] = step;
        shape[at] = view->shape[i];
    }
    return runs_on(shape, stride, view->rank);
}

static bool place_in(const struct ox_zip_entry *entry, const struct ox_pickle_view *view,
                     const uint64_t *shape, struct view *out)
{
    struct ox_block block = {1, view->type.bytes};
    uint64_t elements = 0;

    return view->type.bytes > 0 && ox_shape_elements(shape, view->rank, &elements) &&
           ox_block_length(block, elements, &out->length) &&
           ox_block_length(block, view->offset, &out->begin) && out->begin <= entry->size_bytes &&
           out->length <= entry->size_bytes - out->begin;
}

/* What does not fit its storage is not taken: the storage speaks for itself then. */
static enum ox_code take_view(void *ctx, const struct ox_pickle_view *view, struct ox_err *err)
{
    struct torch *torch = ctx;
    uint64_t shape[OX_TENSOR_RANK_MAX];
    struct view taken = {.entry = ox_zip_find(torch->zip, (const char *)torch->folder.data,
                                              ox_pickle_text(&torch->pickle, view->storage->key)),
                         .order = torch->views.len_bytes / sizeof(struct view),
                         .name_at = torch->names.len_bytes,
                         .name_len = view->name_len,
                         .shape_at = torch->shapes.len_bytes / sizeof(shape[0]),
                         .rank = view->rank,
                         .dtype = view->type.dtype};
    enum ox_code code = OX_OK;

    if (taken.entry == NULL || !taken.entry->stored || !as_it_lies(view, shape) ||
        !place_in(taken.entry, view, shape, &taken)) {
        return OX_OK;
    }
    if (taken.order >= OX_TENSOR_COUNT_MAX ||
        view->name_len > OX_LAYOUT_TEXT_MAX - torch->names.len_bytes) {
        return ox_err_set(err, OX_ETOOBIG,
                          "more than %d tensors, or names of them that exceed %u bytes",
                          OX_TENSOR_COUNT_MAX, OX_LAYOUT_TEXT_MAX);
    }
    if (view->name_len > 0) {
        code = ox_buf_append(&torch->names, view->name, view->name_len, err);
    }
    if (code == OX_OK && view->rank > 0) {
        code = ox_buf_append(&torch->shapes, shape, view->rank * sizeof(shape[0]), err);
    }
    if (code == OX_OK) {
        code = ox_buf_append(&torch->views, &taken, sizeof(taken), err);
    }
    return code;
}

/* By entry and place; of those that begin together the longest first, then as the pickle tells. */
static int by_place(const void *left, const void *right)
{
    const struct view *a = left;
    const struct view *b = right;

    if (a->entry != b->entry) {
        return a->entry < b->entry ? -1 : 1; /* one array holds both */
    }
    if (a->begin != b->begin) {
        return a->begin < b->begin ? -1 : 1;
    }
    if (a->length != b->length) {
        return a->length > b->length ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

/* Where views share numbers, the longest has them. Returns how many are left. */
static size_t leave_out_shared(struct view *views, size_t count)
{
    size_t kept = 0;

    if (count > 1) {
        qsort(views, count, sizeof(*views), by_place);
    }
    for (size_t i = 0; i < count; i++) {
        struct view *before = kept == 0 ? NULL : &views[kept - 1];

        if (before == NULL || before->entry != views[i].entry ||
            before->begin + before->length <= views[i].begin) {
            views[kept++] = views[i];
        } else if (views[i].length > before->length) {
            *before = views[i];
        }
    }
    return kept;
}

/* --- adding -----------------------------------------------------------------------------------*/

static enum ox_code add_view(struct torch *torch, const struct view *view, uint64_t entry_at,
                             struct ox_err *err)
{
    const struct ox_found found = {
        .name = view->name_len == 0 ? "" : (const char *)torch->names.data + view->name_at,
        .name_len = view->name_len,
        .dtype = torch->big_endian ? OX_DTYPE_OTHER : view->dtype,
        .rank = view->rank,
        .shape = view->rank == 0
                     ? NULL
                     : (const uint64_t *)(const void *)torch->shapes.data + view->shape_at,
        .offset_bytes = entry_at + view->begin,
        .length_bytes = view->length,
    };

    return ox_build_add(torch->build, &found, err);
}

/* A storage that no tensor shows: its numbers in a row if it is known what they are, or bytes. */
static enum ox_code add_storage(struct torch *torch, const struct ox_zip_entry *entry,
                                const struct ox_pickle_storage *storage, uint64_t entry_at,
                                struct ox_err *err)
{
    uint64_t count = entry->size_bytes;
    struct ox_found found = {.name = entry->name + torch->prefix.len_bytes,
                             .name_len = entry->name_len - torch->prefix.len_bytes,
                             .dtype = OX_DTYPE_OTHER,
                             .rank = 1,
                             .shape = &count,
                             .offset_bytes = entry_at,
                             .length_bytes = entry->size_bytes};

    if (storage != NULL && storage->type.bytes > 0 && !torch->big_endian &&
        entry->size_bytes % storage->type.bytes == 0 &&
        entry->size_bytes / storage->type.bytes == storage->count) {
        found.dtype = storage->type.dtype;
        count = storage->count;
    }
    return ox_build_add(torch->build, &found, err);
}

static enum ox_code add_entry(struct torch *torch, const struct ox_zip_entry *entry,
                              const struct ox_pickle_storage *storage, const struct view **view,
                              const struct view *end, struct ox_err *err)
{
    const struct view *first = *view;
    uint64_t entry_at;
    enum ox_code code = ox_zip_open(entry, torch->stream, err);

    entry_at = torch->stream->pos;
    for (; code == OX_OK && *view < end && (*view)->entry == entry; (*view)++) {
        code = add_view(torch, *view, entry_at, err);
    }
    if (code == OX_OK && *view == first && entry->size_bytes > 0) {
        code = add_storage(torch, entry, storage, entry_at, err);
    }
    return code;
}

/* What the pickle says of an entry. */
struct told {
    const struct ox_pickle_storage *storage; /* NULL: it says nothing */
};

static void match_storages(const struct torch *torch, struct told *told)
{
    for (size_t i = 0; i < ox_pickle_storage_count(&torch->pickle); i++) {
        const struct ox_pickle_storage *storage = ox_pickle_storage(&torch->pickle, i);
        const struct ox_zip_entry *entry =
            ox_zip_find(torch->zip, (const char *)torch->folder.data,
                        ox_pickle_text(&torch->pickle, storage->key));

        if (entry != NULL) {
            told[entry - torch->zip->entries].storage = storage;
        }
    }
}

static enum ox_code add_entries(struct torch *torch, struct ox_err *err)
{
    struct told *told = calloc(torch->zip->count + 1, sizeof(*told));
    struct view *views = (struct view *)(void *)torch->views.data;
    const struct view *view = views;
    const struct view *end =
        view == NULL ? NULL
                     : view + leave_out_shared(views, torch->views.len_bytes / sizeof(*views));
    enum ox_code code = OX_OK;

    if (told == NULL) {
        return ox_err_nomem(err, "the storages of an archive");
    }
    match_storages(torch, told);
    for (size_t i = 0; i < torch->zip->count && code == OX_OK; i++) {
        const struct ox_zip_entry *entry = &torch->zip->entries[i];

        if (entry->stored &&
            strncmp(entry->name, (const char *)torch->folder.data, torch->folder.len_bytes) == 0) {
            code = add_entry(torch, entry, told[i].storage, &view, end, err);
        }
    }
    free(told);
    return code;
}

static void clear_part(struct torch *torch)
{
    ox_pickle_clear(&torch->pickle);
    ox_buf_clear(&torch->folder);
    ox_buf_clear(&torch->views);
    ox_buf_clear(&torch->names);
    ox_buf_clear(&torch->shapes);
}

/* The pickle PREFIX/NAME.pkl and the storages PREFIX/NAME/...; the names of its tensors begin with
 * `path`. */
static enum ox_code add_part(struct torch *torch, const struct ox_zip_entry *pickle,
                             const char *name, const char *path, struct ox_err *err)
{
    enum ox_code code = ox_buf_printf(&torch->folder, err, "%s%s/", torch->prefix.data, name);

    if (code == OX_OK) {
        code = read_pickle(torch, pickle, err);
    }
    if (code == OX_OK) {
        code = ox_pickle_walk(&torch->pickle, path, take_view, torch, err);
    }
    if (code == OX_OK) {
        code = add_entries(torch, err);
    }
    clear_part(torch);
    return code;
}

enum ox_code ox_torch_add(struct ox_build *build, const struct ox_zip *zip,
                          const struct ox_zip_entry *pickle, struct ox_stream *stream,
                          struct ox_err *err)
{
    struct torch torch = {.build = build, .zip = zip, .stream = stream};
    const struct ox_zip_entry *constants = NULL;
    enum ox_code code =
        ox_buf_printf(&torch.prefix, err, "%.*s",
                      (int)(strchr(pickle->name, '/') + 1 - pickle->name), pickle->name);

    if (code == OX_OK) {
        code = read_order(&torch, err);
    }
    if (code == OX_OK) {
        code = add_part(&torch, pickle, "data", "", err);
    }
    if (code == OX_OK) {
        constants = ox_zip_find(zip, (const char *)torch.prefix.data, "constants.pkl");
    }
    if (constants != NULL) {
        code = add_part(&torch, constants, "constants", "constants", err);
    }
    ox_buf_clear(&torch.prefix);
    return code;
}
