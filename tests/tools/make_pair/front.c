#include "front.h"

#include "oxide/base/reader.h"

#include <stdio.h>
#include <string.h>

size_t front_padding(size_t len_bytes, size_t alignment)
{
    return (alignment - len_bytes % alignment) % alignment;
}

static void put_text(struct front *front, const char *text)
{
    size_t len = strlen(text);

    memcpy(front->bytes + front->len, text, len);
    front->len += len;
}

static void put_u32(struct front *front, uint32_t value)
{
    ox_store_u32le(front->bytes + front->len, value);
    front->len += 4;
}

static void put_u64(struct front *front, uint64_t value)
{
    ox_store_u64le(front->bytes + front->len, value);
    front->len += 8;
}

static void put_gguf_text(struct front *front, const char *text)
{
    put_u64(front, strlen(text));
    put_text(front, text);
}

void front_put_safetensors(struct front *front, const struct front_tensor *tensors, size_t count)
{
    size_t at = 0;

    front->len = 8;
    for (size_t i = 0; i < count; i++) {
        const struct front_tensor *tensor = &tensors[i];
        char columns[32] = "";
        char text[256];

        if (tensor->columns > 0) {
            (void)snprintf(columns, sizeof(columns), ",%zu", tensor->columns);
        }
        (void)snprintf(text, sizeof(text),
                       "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%zu%s],\"data_offsets\":[%zu,%zu]}",
                       i == 0 ? "{" : ",", tensor->name, tensor->safetensors, tensor->rows, columns,
                       at, at + tensor->len_bytes);
        put_text(front, text);
        at += tensor->len_bytes;
    }
    put_text(front, "}");
    while (front->len % 8 != 0) {
        put_text(front, " ");
    }
    ox_store_u64le(front->bytes, front->len - 8);
}

void front_put_gguf(struct front *front, const struct front_tensor *tensors, size_t count)
{
    size_t at = 0;

    put_text(front, "GGUF");
    put_u32(front, 3);
    put_u64(front, count);
    put_u64(front, 1);
    put_gguf_text(front, "general.architecture");
    put_u32(front, 8);
    put_gguf_text(front, "synthetic");
    for (size_t i = 0; i < count; i++) {
        const struct front_tensor *tensor = &tensors[i];

        put_gguf_text(front, tensor->name);
        put_u32(front, tensor->columns > 0 ? 2 : 1);
        if (tensor->columns > 0) {
            put_u64(front, tensor->columns);
        }
        put_u64(front, tensor->rows);
        put_u32(front, tensor->gguf);
        put_u64(front, at);
        at += tensor->len_bytes + front_padding(tensor->len_bytes, GGUF_ALIGNMENT);
    }
    front->len += front_padding(front->len, GGUF_ALIGNMENT); /* zeros already */
}
