#include "arena.h"

#include "oxide/tensor/limits.h"

#include <stdint.h>
#include <stdlib.h>

#define CHUNK_MIN_BYTES 4096u
#define CHUNK_MAX_BYTES (1u << 20)
#define ALIGN_BYTES 8u

struct chunk {
    struct chunk *next;
    size_t used_bytes;
    size_t cap_bytes;
    uint64_t data[];
};

struct ox_arena {
    struct chunk *chunks; /* the newest first */
    size_t total_bytes;
};

enum ox_code ox_arena_new(struct ox_arena **out, struct ox_err *err)
{
    struct ox_arena *arena = calloc(1, sizeof(*arena));

    if (arena == NULL) {
        return ox_err_nomem(err, "a layout");
    }
    *out = arena;
    return OX_OK;
}

void ox_arena_free(struct ox_arena *arena)
{
    while (arena != NULL && arena->chunks != NULL) {
        struct chunk *next = arena->chunks->next;

        free(arena->chunks);
        arena->chunks = next;
    }
    free(arena);
}

static enum ox_code add_chunk(struct ox_arena *arena, size_t at_least, struct ox_err *err)
{
    size_t cap = arena->chunks == NULL ? CHUNK_MIN_BYTES : arena->chunks->cap_bytes * 2;
    struct chunk *chunk;

    cap = cap < CHUNK_MAX_BYTES ? cap : CHUNK_MAX_BYTES;
    cap = cap < at_least ? at_least : cap;
    chunk = malloc(sizeof(*chunk) + cap);
    if (chunk == NULL) {
        return ox_err_nomem(err, "a layout");
    }
    chunk->next = arena->chunks;
    chunk->used_bytes = 0;
    chunk->cap_bytes = cap;
    arena->chunks = chunk;
    return OX_OK;
}

enum ox_code ox_arena_alloc(struct ox_arena *arena, size_t len_bytes, void **out,
                            struct ox_err *err)
{
    enum ox_code code = OX_OK;

    if (len_bytes <= OX_LAYOUT_TEXT_MAX) {
        len_bytes = (len_bytes + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
    }
    if (len_bytes > OX_LAYOUT_TEXT_MAX - arena->total_bytes) {
        return ox_err_set(err, OX_ETOOBIG, "names and shapes of the tensors exceed %u bytes",
                          OX_LAYOUT_TEXT_MAX);
    }
    if (arena->chunks == NULL || len_bytes > arena->chunks->cap_bytes - arena->chunks->used_bytes) {
        code = add_chunk(arena, len_bytes, err);
    }
    if (code == OX_OK) {
        *out = (uint8_t *)arena->chunks->data + arena->chunks->used_bytes;
        arena->chunks->used_bytes += len_bytes;
        arena->total_bytes += len_bytes;
    }
    return code;
}
