#include "pool_near.h"

#include "oxide/base/reader.h"

#include <string.h>

#define BLOCK_BYTES 16

/* Eight bytes' slot, by a multiplication that mixes all of them into the top bits. */
static size_t slot_of(uint64_t word)
{
    return (size_t)(word * 0x9e3779b97f4a7c15u >> 51);
}

static bool is_one_value(uint64_t word)
{
    return word == (word >> 8 | word << 56);
}

bool near_find(struct near *near, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len,
               size_t *out_a, size_t *out_b)
{
    a_len = a_len < NEAR_BYTES ? a_len : NEAR_BYTES;
    b_len = b_len < NEAR_BYTES ? b_len : NEAR_BYTES;
    memset(near, 0, sizeof(*near));
    for (size_t at = 0; at + NEAR_RUN_BYTES <= b_len; at += BLOCK_BYTES) {
        uint16_t *slot = &near->slots[slot_of(ox_load_u64le(b + at))];

        if (*slot == 0) {
            *slot = (uint16_t)(at / BLOCK_BYTES + 1);
        }
    }
    for (size_t at = 0; at + NEAR_RUN_BYTES <= a_len; at++) {
        uint64_t word = ox_load_u64le(a + at);
        size_t block = near->slots[slot_of(word)];

        if (block != 0 && !is_one_value(word) &&
            memcmp(a + at, b + (block - 1) * BLOCK_BYTES, NEAR_RUN_BYTES) == 0) {
            *out_a = at;
            *out_b = (block - 1) * BLOCK_BYTES;
            return true;
        }
    }
    return false;
}
