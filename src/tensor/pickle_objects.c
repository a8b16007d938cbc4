/* What a pickle makes: tuples, bags, storages and tensors, and the names that lead to them. */
#include "pickle.h"

#include "oxide/tensor/limits.h"

#include <inttypes.h>
#include <string.h>

#define NO_LINK UINT32_MAX
#define FROM_TYPE_MAX 4 /* functions inside functions: PyTorch nests one */

/* The first row is what we do not know. Storage classes: torch/storage.py; those of CUDA and others
 * are saved as the plain ones. */
static const struct ox_pickle_global globals[] = {
    {"", "", OX_PICKLE_UNKNOWN, {OX_DTYPE_OTHER, 0}},
    {"torch._utils", "_rebuild_tensor", OX_PICKLE_TENSOR_V2, {OX_DTYPE_OTHER, 0}},
    {"torch._utils", "_rebuild_tensor_v2", OX_PICKLE_TENSOR_V2, {OX_DTYPE_OTHER, 0}},
    {"torch._utils", "_rebuild_tensor_v3", OX_PICKLE_TENSOR_V3, {OX_DTYPE_OTHER, 0}},
    {"torch._utils", "_rebuild_qtensor", OX_PICKLE_TENSOR_V2, {OX_DTYPE_OTHER, 0}},
    {"torch._utils", "_rebuild_parameter", OX_PICKLE_FIRST, {OX_DTYPE_OTHER, 0}},
    {"torch._utils", "_rebuild_parameter_with_state", OX_PICKLE_FIRST, {OX_DTYPE_OTHER, 0}},
    {"torch._tensor", "_rebuild_from_type_v2", OX_PICKLE_FROM_TYPE, {OX_DTYPE_OTHER, 0}},
    {"torch", "DoubleStorage", OX_PICKLE_TYPE, {OX_DTYPE_F64, 8}},
    {"torch", "FloatStorage", OX_PICKLE_TYPE, {OX_DTYPE_F32, 4}},
    {"torch", "HalfStorage", OX_PICKLE_TYPE, {OX_DTYPE_F16, 2}},
    {"torch", "BFloat16Storage", OX_PICKLE_TYPE, {OX_DTYPE_BF16, 2}},
    {"torch", "LongStorage", OX_PICKLE_TYPE, {OX_DTYPE_I64, 8}},
    {"torch", "IntStorage", OX_PICKLE_TYPE, {OX_DTYPE_I32, 4}},
    {"torch", "ShortStorage", OX_PICKLE_TYPE, {OX_DTYPE_I16, 2}},
    {"torch", "CharStorage", OX_PICKLE_TYPE, {OX_DTYPE_I8, 1}},
    {"torch", "ByteStorage", OX_PICKLE_TYPE, {OX_DTYPE_U8, 1}},
    {"torch", "BoolStorage", OX_PICKLE_TYPE, {OX_DTYPE_BOOL, 1}},
    {"torch", "UntypedStorage", OX_PICKLE_TYPE, {OX_DTYPE_U8, 1}},
    {"torch", "QInt8Storage", OX_PICKLE_TYPE, {OX_DTYPE_I8, 1}},
    {"torch", "QUInt8Storage", OX_PICKLE_TYPE, {OX_DTYPE_U8, 1}},
    {"torch", "QInt32Storage", OX_PICKLE_TYPE, {OX_DTYPE_I32, 4}},
    {"torch", "ComplexFloatStorage", OX_PICKLE_TYPE, {OX_DTYPE_OTHER, 8}},
    {"torch", "ComplexDoubleStorage", OX_PICKLE_TYPE, {OX_DTYPE_OTHER, 16}},
    {"torch.storage", "UntypedStorage", OX_PICKLE_TYPE, {OX_DTYPE_U8, 1}},
    {"torch", "float8_e4m3fn", OX_PICKLE_TYPE, {OX_DTYPE_F8_E4M3, 1}},
    {"torch", "float8_e5m2", OX_PICKLE_TYPE, {OX_DTYPE_F8_E5M2, 1}},
    {"torch", "float8_e4m3fnuz", OX_PICKLE_TYPE, {OX_DTYPE_OTHER, 1}},
    {"torch", "float8_e5m2fnuz", OX_PICKLE_TYPE, {OX_DTYPE_OTHER, 1}},
    {"torch", "float8_e8m0fnu", OX_PICKLE_TYPE, {OX_DTYPE_OTHER, 1}},
    {"torch", "uint16", OX_PICKLE_TYPE, {OX_DTYPE_U16, 2}},
    {"torch", "uint32", OX_PICKLE_TYPE, {OX_DTYPE_U32, 4}},
    {"torch", "uint64", OX_PICKLE_TYPE, {OX_DTYPE_U64, 8}},
};
#define GLOBAL_COUNT (sizeof(globals) / sizeof(globals[0]))

/* What nn.Module keeps its own under: a whole module's names are those of its state_dict then. */
static const char *const unspoken[] = {"_modules", "_parameters", "_buffers"};

uint32_t ox_pickle_find_global(const char *module, const char *name)
{
    for (uint32_t i = 1; i < GLOBAL_COUNT; i++) {
        if (strcmp(globals[i].name, name) == 0 && strcmp(globals[i].module, module) == 0) {
            return i;
        }
    }
    return 0;
}

const struct ox_pickle_global *ox_pickle_global(uint32_t row)
{
    return &globals[row < GLOBAL_COUNT ? row : 0];
}

/* --- pools ------------------------------------------------------------------------------------*/

enum ox_code ox_pickle_put(struct ox_pickle *pickle, struct ox_buf *pool, const void *item,
                           size_t bytes, uint32_t *out_at, struct ox_err *err)
{
    size_t at = pool == &pickle->texts ? pool->len_bytes : pool->len_bytes / bytes;
    enum ox_code code;

    if (bytes > OX_PICKLE_MEMORY_MAX - pickle->held_bytes) {
        return ox_err_set(err, OX_ETOOBIG, "a pickle needs more than %u bytes of memory",
                          OX_PICKLE_MEMORY_MAX);
    }
    code = ox_buf_append(pool, item, bytes, err);
    if (code == OX_OK) {
        pickle->held_bytes += bytes;
        if (out_at != NULL) {
            *out_at = (uint32_t)at;
        }
    }
    return code;
}

/* Memory of a buffer is aligned as malloc aligns it. */
static struct ox_pickle_node *node_at(const struct ox_pickle *pickle, uint32_t row)
{
    return (struct ox_pickle_node *)(void *)pickle->nodes.data + row;
}

static struct ox_pickle_link *link_at(const struct ox_pickle *pickle, uint32_t row)
{
    return (struct ox_pickle_link *)(void *)pickle->links.data + row;
}

static struct ox_pickle_tensor *tensor_at(const struct ox_pickle *pickle, uint32_t row)
{
    return (struct ox_pickle_tensor *)(void *)pickle->tensors.data + row;
}

const struct ox_pickle_storage *ox_pickle_storage(const struct ox_pickle *pickle, size_t row)
{
    return (const struct ox_pickle_storage *)(const void *)pickle->storages.data + row;
}

size_t ox_pickle_storage_count(const struct ox_pickle *pickle)
{
    return pickle->storages.len_bytes / sizeof(struct ox_pickle_storage);
}

const char *ox_pickle_text(const struct ox_pickle *pickle, uint32_t at)
{
    return (const char *)pickle->texts.data + at;
}

void ox_pickle_clear(struct ox_pickle *pickle)
{
    struct ox_buf *const pools[] = {&pickle->stack,    &pickle->memo,  &pickle->nodes,
                                    &pickle->links,    &pickle->items, &pickle->bigs,
                                    &pickle->storages, &pickle->texts, &pickle->tensors};

    for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
        ox_buf_clear(pools[i]);
    }
    *pickle = (struct ox_pickle){0};
}

/* --- values -----------------------------------------------------------------------------------*/

const struct ox_pickle_value *ox_pickle_items(const struct ox_pickle *pickle,
                                              struct ox_pickle_value tuple, uint32_t *out_count)
{
    const struct ox_pickle_node *node =
        tuple.kind == OX_PICKLE_NODE ? node_at(pickle, tuple.at) : NULL;

    *out_count = node != NULL && node->is_tuple ? node->count : 0;
    return *out_count == 0
               ? NULL
               : (const struct ox_pickle_value *)(const void *)pickle->items.data + node->first;
}

bool ox_pickle_number(const struct ox_pickle *pickle, struct ox_pickle_value value, uint64_t *out)
{
    if (value.kind == OX_PICKLE_BIG) {
        memcpy(out, pickle->bigs.data + (size_t)value.at * sizeof(*out), sizeof(*out));
    } else if (value.kind == OX_PICKLE_INT) {
        *out = value.at;
    }
    return value.kind == OX_PICKLE_BIG || value.kind == OX_PICKLE_INT;
}

enum ox_code ox_pickle_bag(struct ox_pickle *pickle, struct ox_pickle_value *out,
                           struct ox_err *err)
{
    struct ox_pickle_node node = {.first = NO_LINK, .last = NO_LINK};

    out->kind = OX_PICKLE_NODE;
    return ox_pickle_put(pickle, &pickle->nodes, &node, sizeof(node), &out->at, err);
}

enum ox_code ox_pickle_add(struct ox_pickle *pickle, struct ox_pickle_value bag,
                           struct ox_pickle_value key, struct ox_pickle_value value,
                           struct ox_err *err)
{
    struct ox_pickle_link link = {key, value, NO_LINK};
    struct ox_pickle_node *node = bag.kind == OX_PICKLE_NODE ? node_at(pickle, bag.at) : NULL;
    uint32_t at = 0;
    enum ox_code code;

    /* What holds no tensor needs no place: most of what configurations are made of. */
    if (node == NULL || node->is_tuple ||
        (value.kind != OX_PICKLE_NODE && value.kind != OX_PICKLE_TENSOR)) {
        if (node != NULL && !node->is_tuple) {
            node->count++;
        }
        return OX_OK;
    }
    code = ox_pickle_put(pickle, &pickle->links, &link, sizeof(link), &at, err);
    if (code == OX_OK) {
        if (node->first == NO_LINK) {
            node->first = at;
        } else {
            link_at(pickle, node->last)->next = at;
        }
        node->last = at;
        node->count++;
    }
    return code;
}

/* --- what is called ---------------------------------------------------------------------------*/

/* ('storage', class, key, place, count). */
enum ox_code ox_pickle_load(struct ox_pickle *pickle, struct ox_pickle_value id,
                            struct ox_pickle_value *out, struct ox_err *err)
{
    struct ox_pickle_storage storage = {0};
    uint32_t count = 0;
    const struct ox_pickle_value *items = ox_pickle_items(pickle, id, &count);

    *out = (struct ox_pickle_value){OX_PICKLE_OTHER, 0};
    if (count < 5 || items[0].kind != OX_PICKLE_TEXT ||
        strcmp(ox_pickle_text(pickle, items[0].at), "storage") != 0 ||
        items[2].kind != OX_PICKLE_TEXT ||
        strlen(ox_pickle_text(pickle, items[2].at)) > OX_PICKLE_KEY_MAX ||
        !ox_pickle_number(pickle, items[4], &storage.count)) {
        return OX_OK;
    }
    storage.key = items[2].at;
    if (items[1].kind == OX_PICKLE_GLOBAL) {
        storage.type = ox_pickle_global(items[1].at)->type;
    }
    out->kind = OX_PICKLE_STORAGE;
    return ox_pickle_put(pickle, &pickle->storages, &storage, sizeof(storage), &out->at, err);
}

static enum ox_code rebuild_tensor(struct ox_pickle *pickle, const struct ox_pickle_value *args,
                                   uint32_t count, bool has_type, struct ox_pickle_value *out,
                                   struct ox_err *err)
{
    struct ox_pickle_tensor tensor = {0};

    *out = (struct ox_pickle_value){OX_PICKLE_OTHER, 0};
    if (count < (has_type ? 7u : 4u) || args[0].kind != OX_PICKLE_STORAGE ||
        !ox_pickle_number(pickle, args[1], &tensor.offset)) {
        return OX_OK;
    }
    tensor.storage = args[0].at;
    tensor.type = ox_pickle_storage(pickle, tensor.storage)->type;
    if (has_type) {
        tensor.type = ox_pickle_global(args[6].kind == OX_PICKLE_GLOBAL ? args[6].at : 0)->type;
    }
    tensor.size = args[2];
    tensor.stride = args[3];
    out->kind = OX_PICKLE_TENSOR;
    return ox_pickle_put(pickle, &pickle->tensors, &tensor, sizeof(tensor), &out->at, err);
}

static enum ox_pickle_role role_of(struct ox_pickle_value func)
{
    return func.kind == OX_PICKLE_GLOBAL ? ox_pickle_global(func.at)->role : OX_PICKLE_UNKNOWN;
}

enum ox_code ox_pickle_call(struct ox_pickle *pickle, struct ox_pickle_value func,
                            struct ox_pickle_value args, struct ox_pickle_value *out,
                            struct ox_err *err)
{
    uint32_t count = 0;
    const struct ox_pickle_value *items = ox_pickle_items(pickle, args, &count);
    enum ox_pickle_role role = role_of(func);
    enum ox_code code;

    for (int i = 0; i < FROM_TYPE_MAX && role == OX_PICKLE_FROM_TYPE && count >= 3; i++) {
        role = role_of(items[0]);
        args = items[2];
        items = ox_pickle_items(pickle, args, &count);
    }
    if (role == OX_PICKLE_TENSOR_V2 || role == OX_PICKLE_TENSOR_V3) {
        return rebuild_tensor(pickle, items, count, role == OX_PICKLE_TENSOR_V3, out, err);
    }
    if (role == OX_PICKLE_FIRST && count >= 1) {
        *out = items[0];
        return OX_OK;
    }
    code = ox_pickle_bag(pickle, out, err);
    if (code == OX_OK && count > 0) {
        code = ox_pickle_add(pickle, *out, (struct ox_pickle_value){OX_PICKLE_OTHER, 0}, args, err);
    }
    return code;
}

/* --- the walk ---------------------------------------------------------------------------------*/

struct walk {
    struct ox_pickle *pickle;
    struct ox_buf path;
    size_t told_bytes; /* of keys, all in all */
    ox_pickle_view_fn *view;
    void *ctx;
};

static enum ox_code walk(struct walk *self, struct ox_pickle_value value, unsigned depth,
                         struct ox_err *err);

static enum ox_code walk_tensor(struct walk *self, uint32_t row, struct ox_err *err)
{
    struct ox_pickle_tensor *tensor = tensor_at(self->pickle, row);
    uint64_t shape[OX_TENSOR_RANK_MAX];
    uint64_t stride[OX_TENSOR_RANK_MAX];
    uint32_t rank = 0;
    uint32_t strides = 0;
    const struct ox_pickle_value *sizes_of = ox_pickle_items(self->pickle, tensor->size, &rank);
    const struct ox_pickle_value *strides_of =
        ox_pickle_items(self->pickle, tensor->stride, &strides);
    struct ox_pickle_view view = {
        .name = (const char *)self->path.data,
        .name_len = self->path.len_bytes,
        .storage = ox_pickle_storage(self->pickle, tensor->storage),
        .type = tensor->type,
        .offset = tensor->offset,
        .rank = rank,
        .shape = shape,
        .stride = stride,
    };

    tensor->visited = true;
    if (rank != strides || rank > OX_TENSOR_RANK_MAX) {
        return OX_OK;
    }
    for (uint32_t i = 0; i < rank; i++) {
        if (!ox_pickle_number(self->pickle, sizes_of[i], &shape[i]) ||
            !ox_pickle_number(self->pickle, strides_of[i], &stride[i])) {
            return OX_OK;
        }
    }
    return self->view(self->ctx, &view, err);
}

static bool is_unspoken(const char *text)
{
    for (size_t i = 0; i < sizeof(unspoken) / sizeof(unspoken[0]); i++) {
        if (strcmp(text, unspoken[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Only what holds tensors is worth a name, and only once: what is shared, or holds itself, is
 * called by the first way to it. */
static bool is_fresh(const struct ox_pickle *pickle, struct ox_pickle_value value)
{
    return value.kind == OX_PICKLE_TENSOR
               ? !tensor_at(pickle, value.at)->visited
               : value.kind == OX_PICKLE_NODE && !node_at(pickle, value.at)->visited;
}

/* Walks a value under the path and its key. */
static enum ox_code walk_under(struct walk *self, struct ox_pickle_value key,
                               struct ox_pickle_value value, unsigned depth, struct ox_err *err)
{
    size_t before = self->path.len_bytes;
    const char *dot = before == 0 ? "" : ".";
    uint64_t number = 0;
    enum ox_code code = OX_OK;

    if (!is_fresh(self->pickle, value)) {
        return OX_OK;
    }
    if (key.kind == OX_PICKLE_TEXT) {
        const char *text = ox_pickle_text(self->pickle, key.at);

        if (!is_unspoken(text)) {
            code = ox_buf_printf(&self->path, err, "%s%s", dot, text);
        }
    } else if (ox_pickle_number(self->pickle, key, &number)) {
        code = ox_buf_printf(&self->path, err, "%s%" PRIu64, dot, number);
    }
    self->told_bytes += self->path.len_bytes - before;
    if (code == OX_OK && self->told_bytes > OX_LAYOUT_TEXT_MAX) {
        code = ox_err_set(err, OX_ETOOBIG, "the names in a pickle exceed %u bytes",
                          OX_LAYOUT_TEXT_MAX);
    }
    if (code == OX_OK && self->path.len_bytes <= OX_TENSOR_NAME_MAX) {
        code = walk(self, value, depth, err);
    }
    self->path.len_bytes = before;
    return code;
}

static enum ox_code walk_node(struct walk *self, uint32_t row, unsigned depth, struct ox_err *err)
{
    struct ox_pickle_node *node = node_at(self->pickle, row);
    enum ox_code code = OX_OK;

    if (depth > OX_PICKLE_DEPTH_MAX) {
        return OX_OK;
    }
    node->visited = true;
    if (node->is_tuple) {
        uint32_t count = 0;
        const struct ox_pickle_value *items =
            ox_pickle_items(self->pickle, (struct ox_pickle_value){OX_PICKLE_NODE, row}, &count);

        for (uint32_t i = 0; i < count && code == OX_OK; i++) {
            code = walk_under(self, (struct ox_pickle_value){OX_PICKLE_INT, i}, items[i], depth + 1,
                              err);
        }
        return code;
    }
    for (uint32_t at = node->first; at != NO_LINK && code == OX_OK;) {
        const struct ox_pickle_link *link = link_at(self->pickle, at);

        code = walk_under(self, link->key, link->value, depth + 1, err);
        at = link->next;
    }
    return code;
}

static enum ox_code walk(struct walk *self, struct ox_pickle_value value, unsigned depth,
                         struct ox_err *err)
{
    return value.kind == OX_PICKLE_TENSOR ? walk_tensor(self, value.at, err)
           : value.kind == OX_PICKLE_NODE ? walk_node(self, value.at, depth, err)
                                          : OX_OK;
}

enum ox_code ox_pickle_walk(struct ox_pickle *pickle, const char *path, ox_pickle_view_fn *view,
                            void *ctx, struct ox_err *err)
{
    struct walk self = {.pickle = pickle, .view = view, .ctx = ctx};
    enum ox_code code = ox_buf_printf(&self.path, err, "%s", path);

    if (code == OX_OK) {
        code = walk(&self, pickle->root, 0, err);
    }
    ox_buf_clear(&self.path);
    return code;
}
