/* uses: tensor */
/*
 * What lies in archives of PyTorch and NumPy: the first byte says which, the rest is a pickle or
 * the header of an array; the archive around it is sound, so that no mutation is lost on its
 * records (those are for layout.c). A pickle, whatever it is, leaves the storages; and what is
 * accepted is sorted, without overlaps and inside the file.
 */
#include "fuzz.h"

#include "oxide/base/buf.h"
#include "oxide/tensor/layout.h"
#include "oxide/tensor/limits.h"

#define STORAGE_BYTES 96u

static void put(struct ox_buf *out, const void *bytes, size_t len)
{
    must(ox_buf_append(out, bytes, len, NULL) == OX_OK);
}

static void put_numbers(struct ox_buf *out, const uint32_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        must(ox_buf_put_u32le(out, numbers[i], NULL) == OX_OK);
    }
}

/* An entry, and what the directory says of it. */
static void put_entry(struct ox_buf *out, struct ox_buf *directory, const char *name,
                      const uint8_t *data, size_t size)
{
    const uint32_t len = (uint32_t)size;
    const uint32_t name_len = (uint32_t)strlen(name);
    const uint32_t central[] = {0x02014b50, 0, 0, 0, 0, len, len, name_len, 0, 0};
    const uint32_t local[] = {0x04034b50, 0, 0, 0};

    put_numbers(directory, central, 10);
    must(ox_buf_put_u16le(directory, 0, NULL) == OX_OK);
    put_numbers(directory, (const uint32_t[]){(uint32_t)out->len_bytes}, 1);
    put(directory, name, name_len);
    put_numbers(out, local, 4);
    must(ox_buf_put_u16le(out, 0, NULL) == OX_OK);
    put_numbers(out, (const uint32_t[]){len, len, name_len}, 3);
    put(out, name, name_len);
    if (size > 0) {
        put(out, data, size);
    }
}

static void put_directory(struct ox_buf *out, const struct ox_buf *directory, uint32_t count)
{
    const uint32_t end[] = {0x06054b50, 0, count << 16 | count, (uint32_t)directory->len_bytes,
                            (uint32_t)out->len_bytes};

    put(out, directory->data, directory->len_bytes);
    put_numbers(out, end, 5);
    must(ox_buf_put_u16le(out, 0, NULL) == OX_OK);
}

static void check(const struct ox_layout *layout, uint64_t size)
{
    uint64_t covered = 0;

    for (size_t i = 0; i < layout->count; i++) {
        const struct ox_tensor *tensor = &layout->tensors[i];

        must(tensor->external == NULL && strlen(tensor->name) <= OX_TENSOR_NAME_MAX + 24);
        must(tensor->rank <= OX_TENSOR_RANK_MAX && (tensor->rank == 0) == (tensor->shape == NULL));
        must(tensor->offset_bytes >= covered &&
             tensor->length_bytes <= size - tensor->offset_bytes);
        covered = tensor->offset_bytes + tensor->length_bytes;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t storage[STORAGE_BYTES];
    struct ox_buf file = OX_BUF_INIT;
    struct ox_buf directory = OX_BUF_INIT;
    struct ox_layout layout = OX_LAYOUT_INIT;
    struct ox_err err = OX_ERR_INIT;
    struct ox_memory memory;
    struct ox_source source;
    bool is_pickle = size > 0 && (data[0] & 1) == 0;
    enum ox_code code;

    if (size == 0) {
        return 0;
    }
    if (is_pickle) {
        put_entry(&file, &directory, "m/data.pkl", data + 1, size - 1);
        put_entry(&file, &directory, "m/data/0", storage, STORAGE_BYTES);
        put_entry(&file, &directory, "m/data/1", storage, 1);
    } else {
        put_entry(&file, &directory, "w.npy", data + 1, size - 1);
    }
    put_directory(&file, &directory, is_pickle ? 3 : 1);
    memory = (struct ox_memory){file.data, file.len_bytes};
    source = ox_memory_source(&memory);
    code = ox_layout_read(&layout, &source, &err);
    must(code == OX_OK || err.msg[0] != '\0');
    must(code == OX_OK || code == OX_ECORRUPT || code == OX_ETOOBIG);
    /* what looks like a second end of the archive is refused whatever holds it */
    must(code != OX_ECORRUPT || !is_pickle || strstr(err.msg, "two ends") != NULL);
    must(code != OX_OK || !is_pickle || layout.count >= 2);
    check(&layout, file.len_bytes);
    ox_layout_clear(&layout);
    ox_buf_clear(&directory);
    ox_buf_clear(&file);
    return 0;
}
