/** Memory that is given out in small pieces and freed all at once. */
#ifndef TENSOR_ARENA_H
#define TENSOR_ARENA_H

#include "oxide/base/err.h"

struct ox_arena;

/** Errors: OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_arena_new(struct ox_arena **out, struct ox_err *err);
void ox_arena_free(struct ox_arena *arena);

/** Memory aligned for 64-bit numbers. Errors: OX_ETOOBIG over OX_LAYOUT_TEXT_MAX; OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_arena_alloc(struct ox_arena *arena, size_t len_bytes, void **out,
                                        struct ox_err *err);

#endif
