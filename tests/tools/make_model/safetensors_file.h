/** Parts of make_model.c: a network as safetensors, written and read back. */
#ifndef MAKE_MODEL_SAFETENSORS_FILE_H
#define MAKE_MODEL_SAFETENSORS_FILE_H

#include "items.h"
#include "oxide/base/json.h"

static void write_safetensors(const struct items *items, struct ox_buf *out)
{
    struct ox_buf header = OX_BUF_INIT;
    struct ox_err err = OX_ERR_INIT;
    size_t at = 0;

    check(ox_buf_printf(&header, &err, "{\"__metadata__\":{\"format\":\"pt\"}"), &err);
    for (size_t i = 0; i < items->count; i++) {
        const struct item *item = &items->items[i];

        check(ox_buf_printf(&header, &err,
                            item->rank == 2 ? ",\"%s\":{\"dtype\":\"%s\",\"shape\":[%zu,%zu]"
                                            : ",\"%s\":{\"dtype\":\"%s\",\"shape\":[%zu]",
                            item->name, item->type == AS_F32 ? "F32" : "BF16", item->shape[0],
                            item->shape[1]),
              &err);
        check(
            ox_buf_printf(&header, &err, ",\"data_offsets\":[%zu,%zu]}", at, at + item_bytes(item)),
            &err);
        at += item_bytes(item);
    }
    put(&header, "}", 1);
    while (header.len_bytes % 8 != 0) {
        put(&header, " ", 1);
    }
    put_u64(out, header.len_bytes);
    put(out, header.data, header.len_bytes);
    for (size_t i = 0; i < items->count; i++) {
        const struct item *item = &items->items[i];

        put_numbers(out, item->type, item->values, item_count(item));
    }
    ox_buf_clear(&header);
}

static bool read_described(const char *name, const json_t *described, const struct ox_buf *file,
                           size_t data_start, struct item *item)
{
    const json_t *shape = json_object_get(described, "shape");
    const json_t *offsets = json_object_get(described, "data_offsets");
    const char *dtype = json_string_value(json_object_get(described, "dtype"));
    size_t begin = (size_t)json_integer_value(json_array_get(offsets, 0));

    *item = (struct item){.rank = json_array_size(shape)};
    if (dtype == NULL || item->rank == 0 || item->rank > 2 || strlen(name) >= NAME_MAX_BYTES) {
        return false;
    }
    memcpy(item->name, name, strlen(name));
    item->type = strcmp(dtype, "BF16") == 0 ? AS_BF16 : AS_F32;
    for (size_t i = 0; i < item->rank; i++) {
        item->shape[i] = (size_t)json_integer_value(json_array_get(shape, i));
    }
    if (item->shape[0] > WIDTH_MAX || item->shape[1] > WIDTH_MAX ||
        begin > file->len_bytes - data_start ||
        item_bytes(item) > file->len_bytes - data_start - begin) {
        return false;
    }
    item->bytes = file->data + data_start + begin;
    return true;
}

static bool read_safetensors(const struct ox_buf *file, struct items *out)
{
    uint64_t len = file->len_bytes < 8 ? UINT64_MAX : ox_load_u64le(file->data);
    json_t *header = NULL;
    const char *name;
    json_t *described;
    bool good = true;

    *out = (struct items){0};
    if (file->len_bytes < 8 || len > file->len_bytes - 8 ||
        ox_json_parse_object(file->data + 8, (size_t)len, &header, NULL) != OX_OK) {
        return false;
    }
    json_object_foreach(header, name, described)
    {
        if (strcmp(name, "__metadata__") == 0) {
            continue;
        }
        good = good && out->count < 2 * LAYERS_MAX &&
               read_described(name, described, file, (size_t)len + 8, &out->items[out->count]);
        out->count += good;
    }
    json_decref(header);
    return good;
}

#endif
