/** Parts of make_model.c: a network as GGUF version 3, written and read back. */
#ifndef MAKE_MODEL_GGUF_FILE_H
#define MAKE_MODEL_GGUF_FILE_H

#include "items.h"

#define GGUF_ALIGNMENT 32

static void put_gguf_text(struct ox_buf *out, const char *text)
{
    put_u64(out, strlen(text));
    put(out, text, strlen(text));
}

static void pad_gguf(struct ox_buf *out)
{
    while (out->len_bytes % GGUF_ALIGNMENT != 0) {
        put(out, "", 1);
    }
}

static void write_gguf(const struct items *items, struct ox_buf *out)
{
    size_t at = 0;

    put(out, "GGUF", 4);
    put_u32(out, 3);
    put_u64(out, items->count);
    put_u64(out, 2);
    put_gguf_text(out, "general.architecture");
    put_u32(out, 8);
    put_gguf_text(out, "mlp");
    put_gguf_text(out, "general.alignment");
    put_u32(out, 4);
    put_u32(out, GGUF_ALIGNMENT);
    for (size_t i = 0; i < items->count; i++) {
        const struct item *item = &items->items[i];

        put_gguf_text(out, item->name);
        put_u32(out, (uint32_t)item->rank);
        for (size_t d = item->rank; d-- > 0;) {
            put_u64(out, item->shape[d]);
        }
        put_u32(out, item->type == AS_F32 ? 0 : 8);
        put_u64(out, at);
        at += (item_bytes(item) + GGUF_ALIGNMENT - 1) / GGUF_ALIGNMENT * GGUF_ALIGNMENT;
    }
    pad_gguf(out);
    for (size_t i = 0; i < items->count; i++) {
        const struct item *item = &items->items[i];

        put_numbers(out, item->type, item->values, item_count(item));
        pad_gguf(out);
    }
}

static bool get_gguf_text(struct ox_reader *reader, char text[NAME_MAX_BYTES])
{
    uint64_t len = 0;
    const uint8_t *bytes = NULL;

    if (ox_reader_u64le(reader, &len, NULL) != OX_OK || len >= NAME_MAX_BYTES ||
        ox_reader_bytes(reader, (size_t)len, &bytes, NULL) != OX_OK) {
        return false;
    }
    memset(text, 0, NAME_MAX_BYTES);
    memcpy(text, bytes, (size_t)len);
    return true;
}

static bool skip_gguf_pair(struct ox_reader *reader)
{
    char text[NAME_MAX_BYTES];
    uint32_t value = 0;

    return get_gguf_text(reader, text) && ox_reader_u32le(reader, &value, NULL) == OX_OK &&
           (value == 8   ? get_gguf_text(reader, text)
            : value == 4 ? ox_reader_u32le(reader, &value, NULL) == OX_OK
                         : false);
}

static bool get_gguf_info(struct ox_reader *reader, struct item *item, uint64_t *offset)
{
    uint32_t rank = 0;
    uint32_t type = 0;

    *item = (struct item){0};
    if (!get_gguf_text(reader, item->name) || ox_reader_u32le(reader, &rank, NULL) != OX_OK ||
        rank == 0 || rank > 2) {
        return false;
    }
    item->rank = rank;
    for (size_t d = rank; d-- > 0;) {
        uint64_t dim = 0;

        if (ox_reader_u64le(reader, &dim, NULL) != OX_OK || dim > WIDTH_MAX) {
            return false;
        }
        item->shape[d] = (size_t)dim;
    }
    if (ox_reader_u32le(reader, &type, NULL) != OX_OK || (type != 0 && type != 8)) {
        return false;
    }
    item->type = type == 0 ? AS_F32 : AS_Q8_0;
    return ox_reader_u64le(reader, offset, NULL) == OX_OK;
}

static bool read_gguf(const struct ox_buf *file, struct items *out)
{
    struct ox_reader reader;
    uint64_t offsets[2 * LAYERS_MAX];
    uint64_t count = 0;
    uint64_t pairs = 0;
    const uint8_t *magic = NULL;
    size_t start;
    bool good;

    *out = (struct items){0};
    ox_reader_init(&reader, file->data, file->len_bytes, "model");
    good = ox_reader_bytes(&reader, 8, &magic, NULL) == OX_OK && memcmp(magic, "GGUF", 4) == 0 &&
           ox_reader_u64le(&reader, &count, NULL) == OX_OK && count <= 2 * LAYERS_MAX &&
           ox_reader_u64le(&reader, &pairs, NULL) == OX_OK && pairs <= 16;
    for (uint64_t i = 0; i < pairs && good; i++) {
        good = skip_gguf_pair(&reader);
    }
    for (uint64_t i = 0; i < count && good; i++) {
        good = get_gguf_info(&reader, &out->items[i], &offsets[i]);
    }
    start = (reader.pos + GGUF_ALIGNMENT - 1) / GGUF_ALIGNMENT * GGUF_ALIGNMENT;
    for (uint64_t i = 0; i < count && good; i++) {
        good = start <= file->len_bytes && offsets[i] <= file->len_bytes - start &&
               item_bytes(&out->items[i]) <= file->len_bytes - start - offsets[i];
        out->items[i].bytes = good ? file->data + start + offsets[i] : NULL;
        out->count += good;
    }
    return good;
}

#endif
