/* uses: delta */
/*
 * A model (safetensors or GGUF) made of the input, and a second one that came of it: tensors tuned,
 * pruned, cast, grown, cut, moved, renamed, new, gone. A patch rebuilds the second from the first,
 * at an effort and for operations that the input names, and damage to it is found.
 */
#include "fuzz.h"
#include "oxide/crypto/sha256.h"
#include "oxide/delta/delta.h"
#include "oxide/tensor/layout.h"

#define TENSORS_MAX 5
#define TENSOR_BYTES_MAX 16384

struct dtype {
    enum ox_dtype dtype;
    const char *safetensors; /* NULL: GGUF's alone */
    uint32_t gguf;           /* UINT32_MAX: safetensors' alone */
};
static const struct dtype dtypes[] = {
    {OX_DTYPE_F32, "F32", 0},
    {OX_DTYPE_F16, "F16", 1},
    {OX_DTYPE_BF16, "BF16", 30},
    {OX_DTYPE_I8, "I8", 24},
    {OX_DTYPE_I16, "I16", 25},
    {OX_DTYPE_I32, "I32", 26},
    {OX_DTYPE_F64, "F64", 28},
    {OX_DTYPE_U8, "U8", UINT32_MAX},
    {OX_DTYPE_BOOL, "BOOL", UINT32_MAX},
    {OX_DTYPE_F8_E4M3, "F8_E4M3", UINT32_MAX},
    {OX_DTYPE_F8_E5M2, "F8_E5M2", UINT32_MAX},
    {OX_DTYPE_OTHER, "F4", UINT32_MAX},
    {OX_DTYPE_Q4_0, NULL, 2},
    {OX_DTYPE_Q4_1, NULL, 3},
    {OX_DTYPE_Q5_0, NULL, 6},
    {OX_DTYPE_Q5_1, NULL, 7},
    {OX_DTYPE_Q8_0, NULL, 8},
    {OX_DTYPE_Q2_K, NULL, 10},
    {OX_DTYPE_Q3_K, NULL, 11},
    {OX_DTYPE_Q4_K, NULL, 12},
    {OX_DTYPE_Q5_K, NULL, 13},
    {OX_DTYPE_Q6_K, NULL, 14},
    {OX_DTYPE_IQ4_NL, NULL, 20},
    {OX_DTYPE_IQ4_XS, NULL, 23},
};
#define DTYPE_COUNT (sizeof(dtypes) / sizeof(dtypes[0]))

struct tensor {
    char name[8];
    const struct dtype *dtype;
    uint32_t rows;
    uint32_t columns;
    size_t len;
    uint8_t bytes[TENSOR_BYTES_MAX];
};

struct model {
    size_t count;
    struct tensor tensors[TENSORS_MAX];
};

/* --- files --- */

static void put(struct ox_buf *out, const void *bytes, size_t len)
{
    must(ox_buf_append(out, bytes, len, NULL) == OX_OK);
}

static void put_u64(struct ox_buf *out, uint64_t value)
{
    must(ox_buf_put_u64le(out, value, NULL) == OX_OK);
}

static void put_u32(struct ox_buf *out, uint32_t value)
{
    must(ox_buf_put_u32le(out, value, NULL) == OX_OK);
}

static void put_safetensors(const struct model *model, struct ox_buf *file)
{
    struct ox_buf header = OX_BUF_INIT;
    size_t at = 0;

    for (size_t i = 0; i < model->count; i++) {
        const struct tensor *tensor = &model->tensors[i];

        must(ox_buf_printf(
                 &header, NULL,
                 "%c\"%s\":{\"dtype\":\"%s\",\"shape\":[%u,%u],\"data_offsets\":[%zu,%zu]}",
                 i == 0 ? '{' : ',', tensor->name, tensor->dtype->safetensors, tensor->rows,
                 tensor->columns, at, at + tensor->len) == OX_OK);
        at += tensor->len;
    }
    must(ox_buf_printf(&header, NULL, model->count == 0 ? "{}" : "}") == OX_OK);
    put_u64(file, header.len_bytes);
    put(file, header.data, header.len_bytes);
    for (size_t i = 0; i < model->count; i++) {
        put(file, model->tensors[i].bytes, model->tensors[i].len);
    }
    ox_buf_clear(&header);
}

static void align(struct ox_buf *file)
{
    static const uint8_t zeros[32];

    put(file, zeros, -file->len_bytes & 31);
}

static void put_gguf(const struct model *model, struct ox_buf *file)
{
    uint64_t at = 0;

    put(file, "GGUF", 4);
    put_u32(file, 3);
    put_u64(file, model->count);
    put_u64(file, 0);
    for (size_t i = 0; i < model->count; i++) {
        const struct tensor *tensor = &model->tensors[i];

        put_u64(file, strlen(tensor->name));
        put(file, tensor->name, strlen(tensor->name));
        put_u32(file, 2);
        put_u64(file, tensor->columns);
        put_u64(file, tensor->rows);
        put_u32(file, tensor->dtype->gguf);
        put_u64(file, at);
        at += (tensor->len + 31) & ~(uint64_t)31;
    }
    for (size_t i = 0; i < model->count; i++) {
        align(file);
        put(file, model->tensors[i].bytes, model->tensors[i].len);
    }
    align(file);
}

/* --- the first model --- */

static bool can_be(const struct dtype *dtype, bool gguf)
{
    return gguf ? dtype->gguf != UINT32_MAX : dtype->safetensors != NULL;
}

/* Rows and columns, cut so that the tensor is small. */
static void set_shape(struct tensor *tensor, uint32_t rows, uint32_t columns)
{
    const struct ox_dtype_info *info = ox_dtype_info(tensor->dtype->dtype);
    uint64_t bytes = info->block_bytes == 0 ? 1 : info->block_bytes;
    uint64_t blocks;

    columns = (columns + info->block_elements - 1) / info->block_elements * info->block_elements;
    blocks = columns / info->block_elements;
    while (blocks * rows * bytes > TENSOR_BYTES_MAX && rows > 1) {
        rows /= 2;
    }
    if (blocks * rows * bytes > TENSOR_BYTES_MAX) {
        blocks = TENSOR_BYTES_MAX / bytes;
        columns = (uint32_t)blocks * info->block_elements;
    }
    tensor->rows = rows;
    tensor->columns = columns;
    tensor->len = (size_t)(blocks * rows * bytes);
}

/* Weights as they are found, roughly: the top byte, where signs and exponents are, varies less. */
static void fill(struct tensor *tensor, size_t from, uint64_t *state)
{
    size_t width = ox_dtype_info(tensor->dtype->dtype)->block_bytes;
    bool number = width == 2 || width == 4 || width == 8;

    for (size_t i = from; i < tensor->len; i++) {
        uint8_t byte = (uint8_t)draw(state);

        tensor->bytes[i] =
            number && i % width == width - 1 ? (uint8_t)((byte & 0x81) | 0x3c) : byte;
    }
}

static void make_base(struct model *model, bool gguf, struct fuzz_input *input, uint64_t *state)
{
    model->count = take_u8(input) % (TENSORS_MAX + 1);
    for (size_t i = 0; i < model->count; i++) {
        struct tensor *tensor = &model->tensors[i];
        size_t row = take_u8(input) % DTYPE_COUNT;
        uint8_t rows = take_u8(input);
        uint16_t columns = take_u16(input);
        struct fuzz_input values = take_bytes(input, take_u8(input));

        while (!can_be(&dtypes[row], gguf)) {
            row = (row + 1) % DTYPE_COUNT;
        }
        memcpy(tensor->name, "t0", 3);
        tensor->name[1] = (char)('0' + i);
        tensor->dtype = &dtypes[row];
        set_shape(tensor, rows, columns % 2048);
        fill(tensor, 0, state);
        for (size_t k = 0; k < values.size && k < tensor->len; k++) { /* NaNs, zeros, extremes */
            tensor->bytes[k] = values.data[k];
        }
    }
}

/* --- what became of it --- */

enum fate { STAYS, TUNED, PRUNED, CAST, GROWN, RENAMED, FRESH, GONE, MOVED, CAST_GROWN, FATE_COUNT };

static void tune(struct tensor *tensor, uint8_t rate, uint64_t *state)
{
    size_t width = ox_dtype_info(tensor->dtype->dtype)->block_bytes;

    width = width == 0 || width > 8 ? 1 : width;
    for (size_t i = 0; i < tensor->len; i += width) {
        if ((draw(state) & 255) < rate) {
            tensor->bytes[i] = (uint8_t)(tensor->bytes[i] + draw(state) % 16);
        }
    }
}

static void prune(struct tensor *tensor, uint8_t threshold)
{
    size_t width = ox_dtype_info(tensor->dtype->dtype)->block_bytes;

    width = width == 0 || width > 8 ? 1 : width;
    for (size_t i = 0; i + width <= tensor->len; i += width) {
        if ((tensor->bytes[i + width - 1] & 0x7f) < threshold) {
            memset(tensor->bytes + i, 0, width);
        }
    }
}

/* To a float of another width: what a cast keeps of the bits is near enough for a predictor. */
static void cast(struct tensor *tensor, bool gguf, uint8_t to)
{
    static const uint8_t floats[] = {0, 1, 2}; /* rows of dtypes */
    const struct tensor old = *tensor;
    size_t from = ox_dtype_info(old.dtype->dtype)->block_bytes;
    size_t width;

    (void)gguf;
    if (from != 2 && from != 4) {
        return;
    }
    tensor->dtype = &dtypes[floats[to % sizeof(floats)]];
    set_shape(tensor, old.rows, old.columns);
    width = ox_dtype_info(tensor->dtype->dtype)->block_bytes;
    for (size_t i = 0; i < tensor->len; i++) {
        size_t at = i / width * from + from - 1 - (width - 1 - i % width) % from;

        tensor->bytes[i] = at < old.len ? old.bytes[at] : 0;
    }
}

static void grow(struct tensor *tensor, uint8_t more, uint64_t *state)
{
    const struct tensor old = *tensor;
    size_t old_row = old.rows == 0 ? 0 : old.len / old.rows;
    size_t row;

    set_shape(tensor, old.rows + (more & 7),
              old.columns + (more >> 4) > 2 ? old.columns + (more >> 4) - 2u : 1);
    fill(tensor, 0, state);
    row = tensor->rows == 0 ? 0 : tensor->len / tensor->rows;
    for (size_t r = 0; r < tensor->rows && r < old.rows; r++) {
        memcpy(tensor->bytes + r * row, old.bytes + r * old_row, row < old_row ? row : old_row);
    }
}

static void make_target(struct model *model, bool gguf, struct fuzz_input *input, uint64_t *state)
{
    size_t kept = 0;

    for (size_t i = 0; i < model->count; i++) {
        struct tensor *tensor = &model->tensors[i];
        enum fate fate = (enum fate)(take_u8(input) % FATE_COUNT);
        uint8_t how = take_u8(input);

        switch (fate) {
        case TUNED:
            tune(tensor, how, state);
            break;
        case PRUNED:
            prune(tensor, how & 0x7f);
            break;
        case CAST:
            cast(tensor, gguf, how);
            break;
        case GROWN:
            grow(tensor, how, state);
            break;
        case CAST_GROWN:
            cast(tensor, gguf, how);
            grow(tensor, how, state);
            break;
        case RENAMED:
            tensor->name[0] = 'r';
            break;
        case FRESH:
            fill(tensor, 0, state);
            break;
        case MOVED:
            if (i > 0) {
                struct tensor other = *tensor;

                *tensor = model->tensors[0];
                model->tensors[0] = other;
            }
            break;
        default:
            break;
        }
        if (fate != GONE) {
            if (kept != i) {
                model->tensors[kept] = *tensor;
            }
            kept++;
        }
    }
    model->count = kept;
}

/* --- patches --- */

struct side {
    struct ox_buf bytes;
    struct ox_memory memory;
    struct ox_source source;
    struct ox_manifest_file entry;
    struct ox_manifest manifest;
    struct ox_delta_side side;
};

static void side_init(struct side *self)
{
    self->memory = (struct ox_memory){self->bytes.data, self->bytes.len_bytes};
    self->source = ox_memory_source(&self->memory);
    self->entry =
        (struct ox_manifest_file){(char *)"model.bin", self->bytes.len_bytes, {{0}}, false};
    must(ox_sha256_bytes(self->bytes.data, self->bytes.len_bytes, &self->entry.sha256, NULL) ==
         OX_OK);
    self->manifest = (struct ox_manifest){&self->entry, 1};
    self->side = (struct ox_delta_side){&self->manifest, &self->source, self->entry.sha256};
}

static enum ox_code apply(const struct side *base, const struct ox_buf *patch,
                          struct ox_buf *rebuilt)
{
    struct ox_sink sink = {rebuilt, fuzz_write, fuzz_read};
    struct ox_apply_spec spec = {.base = &base->side, .sink = &sink};
    struct ox_memory memory = {patch->data, patch->len_bytes};
    struct ox_source source = ox_memory_source(&memory);

    return ox_apply_source(&spec, &source, NULL);
}

static void check(const struct side *base, const struct side *target,
                  const struct ox_delta_options *options, struct fuzz_input *input)
{
    struct ox_buf patch = OX_BUF_INIT;
    struct ox_buf rebuilt = OX_BUF_INIT;
    struct ox_output output = {&patch, fuzz_append};

    must(ox_delta_create(&base->side, &target->side, options, &output, NULL, NULL) == OX_OK);
    must(patch.len_bytes <= target->bytes.len_bytes + 200);
    must(apply(base, &patch, &rebuilt) == OX_OK);
    must(same_bytes(&rebuilt, target->bytes.data, target->bytes.len_bytes));
    while (input->size >= 3) {
        size_t at = take_u16(input) % patch.len_bytes;

        patch.data[at] ^= take_u8(input);
        rebuilt.len_bytes = 0;
        must(apply(base, &patch, &rebuilt) != OX_OK ||
             same_bytes(&rebuilt, target->bytes.data, target->bytes.len_bytes));
    }
    ox_buf_clear(&patch);
    ox_buf_clear(&rebuilt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned efforts[] = {1, 3, 9, 6};
    struct fuzz_input input = {data, size < 4096 ? size : 4096};
    uint8_t how = take_u8(&input);
    bool gguf = (how & 1) != 0;
    struct ox_delta_options options = {
        .engine = (how & 2) != 0 ? OX_ENGINE_TENSOR : OX_ENGINE_AUTO,
        .effort = efforts[how >> 2 & 3],
        .threads = 1,
        .ops = (how & 16) != 0 ? take_u8(&input) | 0x5u : 0,
    };
    uint64_t state = take_u32(&input) | (uint64_t)1 << 40;
    struct model *model = calloc(1, sizeof(*model));
    struct side base = {.bytes = OX_BUF_INIT};
    struct side target = {.bytes = OX_BUF_INIT};

    must(model != NULL);
    make_base(model, gguf, &input, &state);
    (gguf ? put_gguf : put_safetensors)(model, &base.bytes);
    make_target(model, gguf, &input, &state);
    (gguf ? put_gguf : put_safetensors)(model, &target.bytes);
    side_init(&base);
    side_init(&target);
    check(&base, &target, &options, &input);
    ox_buf_clear(&base.bytes);
    ox_buf_clear(&target.bytes);
    free(model);
    return 0;
}
