#include "compare_texts.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TEXTS_MAX ((size_t)64 << 20)
#define CHUNK_BYTES ((size_t)64 * 1024)

struct texts_chunk {
    struct texts_chunk *next;
    size_t used;
    size_t room;
    uint64_t data[];
};

static enum ox_code texts_take(struct texts *texts, size_t len_bytes, void **out,
                               struct ox_err *err)
{
    size_t rounded = (len_bytes + 7) & ~(size_t)7;
    struct texts_chunk *chunk = texts->first;

    if (rounded > TEXTS_MAX - texts->total) {
        return ox_err_set(err, OX_ETOOBIG, "names and shapes of tensors take more than %zu bytes",
                          TEXTS_MAX);
    }
    if (chunk == NULL || rounded > chunk->room - chunk->used) {
        size_t room = rounded > CHUNK_BYTES ? rounded : CHUNK_BYTES;

        chunk = malloc(sizeof(*chunk) + room);
        if (chunk == NULL) {
            return ox_err_nomem(err, "names of tensors");
        }
        *chunk = (struct texts_chunk){texts->first, 0, room};
        texts->first = chunk;
    }
    *out = (char *)chunk->data + chunk->used;
    chunk->used += rounded;
    texts->total += rounded;
    return OX_OK;
}

enum ox_code texts_copy(struct texts *texts, const void *from, size_t len_bytes, const void **out,
                        struct ox_err *err)
{
    void *to = NULL;
    enum ox_code code = texts_take(texts, len_bytes, &to, err);

    if (code == OX_OK) {
        memcpy(to, from, len_bytes);
        *out = to;
    }
    return code;
}

void texts_free(struct texts *texts)
{
    while (texts->first != NULL) {
        struct texts_chunk *next = texts->first->next;

        free(texts->first);
        texts->first = next;
    }
}
