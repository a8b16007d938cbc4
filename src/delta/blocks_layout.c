/*
 * The table of formats. To add one: a row of block_formats at the end (its number stands in
 * patches), a block_layout with its four functions, a row in test_blocks.c.
 *
 * Source of all layouts: the block_* structures of ggml-common.h and the dequantize_row_* functions
 * of ggml-quants.c, of ggml, with QK_K = 256. Quants are taken in the order of the elements. What
 * is put may be out of range, as hostile patches have it: it is cut to the width of its field.
 */
#include "blocks_layout.h"

#include <string.h>

const int8_t iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                               1,    13,   25,  38,  53,  69,  89,  113};

/* --- quants: bits of them, kept in groups of bytes --- */

/* Eight bytes at a time: the same operations on each of them, whatever their order. */
#define EIGHT ((size_t)8)
#define EACH(byte) (0x0101010101010101u * (uint64_t)(byte))

static inline uint64_t load_eight(const uint8_t *from)
{
    uint64_t bytes;

    memcpy(&bytes, from, EIGHT);
    return bytes;
}

static inline void store_eight(uint8_t *to, uint64_t bytes)
{
    memcpy(to, &bytes, EIGHT);
}

/* Each group of `half` bytes holds 2 * half quants: the first half in the low nibbles. */
static inline void get_nibbles(const uint8_t *from, uint8_t *quants, size_t groups, size_t half)
{
    for (size_t g = 0; g < groups; g++) {
        for (size_t i = 0; i < half; i += EIGHT) {
            uint64_t both = load_eight(from + half * g + i);

            store_eight(quants + 2 * half * g + i, both & EACH(15));
            store_eight(quants + 2 * half * g + half + i, both >> 4 & EACH(15));
        }
    }
}

static inline void put_nibbles(uint8_t *to, const uint8_t *quants, size_t groups, size_t half)
{
    for (size_t g = 0; g < groups; g++) {
        const uint8_t *low = quants + 2 * half * g;

        for (size_t i = 0; i < half; i += EIGHT) {
            store_eight(to + half * g + i, (load_eight(low + i) & EACH(15)) |
                                               (load_eight(low + half + i) & EACH(15)) << 4);
        }
    }
}

/* `width` bits of each of 256 quants, at `shift` within them, in groups of 32 quants: each 32 bytes
 * hold those of 8 / width groups, the first in the lowest bits. */
static inline void get_parts(const uint8_t *from, uint8_t *quants, unsigned width, unsigned shift)
{
    unsigned groups = 8 / width;

    for (unsigned group = 0; group < 8; group++) {
        for (size_t i = 0; i < 32; i += EIGHT) {
            uint64_t bits =
                load_eight(from + (size_t)32 * (group / groups) + i) >> width * (group % groups) &
                EACH((1u << width) - 1);
            uint8_t *to = quants + (size_t)32 * group + i;

            store_eight(to, load_eight(to) | bits << shift);
        }
    }
}

static inline void put_parts(uint8_t *to, const uint8_t *quants, unsigned width, unsigned shift)
{
    unsigned groups = 8 / width;

    memset(to, 0, (size_t)32 * width);
    for (unsigned group = 0; group < 8; group++) {
        for (size_t i = 0; i < 32; i += EIGHT) {
            uint64_t bits =
                load_eight(quants + (size_t)32 * group + i) >> shift & EACH((1u << width) - 1);
            uint8_t *at = to + (size_t)32 * (group / groups) + i;

            store_eight(at, load_eight(at) | bits << width * (group % groups));
        }
    }
}

/* The fifth bits of 32 quants, in their order, before their nibbles. */
static inline void get_fives(const uint8_t *from, uint8_t *quants)
{
    get_nibbles(from + 4, quants, 1, 16);
    for (size_t i = 0; i < 32; i++) {
        quants[i] = (uint8_t)(quants[i] | (from[i / 8] >> i % 8 & 1) << 4);
    }
}

static inline void put_fives(uint8_t *to, const uint8_t *quants)
{
    memset(to, 0, 4);
    for (size_t i = 0; i < 32; i++) {
        to[i / 8] = (uint8_t)(to[i / 8] | (quants[i] >> 4 & 1) << i % 8);
    }
    put_nibbles(to + 4, quants, 1, 16);
}

/* --- the formats of 32 quants --- */

static void q8_0_get_quants(const uint8_t *block, uint8_t *quants)
{
    memcpy(quants, block + 2, 32);
}

static void q8_0_put_quants(uint8_t *block, const uint8_t *quants)
{
    memcpy(block + 2, quants, 32);
}

static void q4_0_get_quants(const uint8_t *block, uint8_t *quants)
{
    get_nibbles(block + 2, quants, 1, 16);
}

static void q4_0_put_quants(uint8_t *block, const uint8_t *quants)
{
    put_nibbles(block + 2, quants, 1, 16);
}

static void q4_1_get_quants(const uint8_t *block, uint8_t *quants)
{
    get_nibbles(block + 4, quants, 1, 16);
}

static void q4_1_put_quants(uint8_t *block, const uint8_t *quants)
{
    put_nibbles(block + 4, quants, 1, 16);
}

static void q5_0_get_quants(const uint8_t *block, uint8_t *quants)
{
    get_fives(block + 2, quants);
}

static void q5_0_put_quants(uint8_t *block, const uint8_t *quants)
{
    put_fives(block + 2, quants);
}

static void q5_1_get_quants(const uint8_t *block, uint8_t *quants)
{
    get_fives(block + 4, quants);
}

static void q5_1_put_quants(uint8_t *block, const uint8_t *quants)
{
    put_fives(block + 4, quants);
}

/* --- Q4_K: d, dmin, 12 bytes of scales and mins, nibbles; Q5_K: fifth bits before the nibbles */

/* Eight scales, then eight mins, of 6 bits: the low bits of the later four of each stand in the
 * last four bytes, their two high bits above the earlier four. */
static void q4_k_get_subs(const uint8_t *block, uint8_t *subs)
{
    const uint8_t *s = block + 4;

    for (size_t i = 0; i < 4; i++) {
        subs[i] = s[i] & 63;
        subs[4 + i] = (uint8_t)((s[8 + i] & 15) | s[i] >> 6 << 4);
        subs[8 + i] = s[4 + i] & 63;
        subs[12 + i] = (uint8_t)(s[8 + i] >> 4 | s[4 + i] >> 6 << 4);
    }
}

static void q4_k_put_subs(uint8_t *block, const uint8_t *subs)
{
    uint8_t *s = block + 4;

    for (size_t i = 0; i < 4; i++) {
        s[i] = (uint8_t)((subs[i] & 63) | subs[4 + i] >> 4 << 6);
        s[4 + i] = (uint8_t)((subs[8 + i] & 63) | subs[12 + i] >> 4 << 6);
        s[8 + i] = (uint8_t)((subs[4 + i] & 15) | subs[12 + i] << 4);
    }
}

static void q4_k_get_quants(const uint8_t *block, uint8_t *quants)
{
    get_nibbles(block + 16, quants, 4, 32);
}

static void q4_k_put_quants(uint8_t *block, const uint8_t *quants)
{
    put_nibbles(block + 16, quants, 4, 32);
}

static void q5_k_get_quants(const uint8_t *block, uint8_t *quants)
{
    get_nibbles(block + 48, quants, 4, 32);
    get_parts(block + 16, quants, 1, 4);
}

static void q5_k_put_quants(uint8_t *block, const uint8_t *quants)
{
    put_nibbles(block + 48, quants, 4, 32);
    put_parts(block + 16, quants, 1, 4);
}

/* --- Q6_K: nibbles, pairs of high bits, 16 int8 scales, d --- */

static void q6_k_get_subs(const uint8_t *block, uint8_t *subs)
{
    for (size_t i = 0; i < 16; i++) {
        subs[i] = block[192 + i] ^ 0x80;
    }
}

static void q6_k_put_subs(uint8_t *block, const uint8_t *subs)
{
    for (size_t i = 0; i < 16; i++) {
        block[192 + i] = subs[i] ^ 0x80;
    }
}

static void q6_k_get_quants(const uint8_t *block, uint8_t *quants)
{
    get_nibbles(block, quants, 2, 64);
    get_parts(block + 128, quants, 2, 4);
}

static void q6_k_put_quants(uint8_t *block, const uint8_t *quants)
{
    put_nibbles(block, quants, 2, 64);
    put_parts(block + 128, quants, 2, 4);
}

/* --- IQ4_XS: d, the high two bits of eight scales, their low nibbles, nibbles --- */

static void iq4_xs_get_subs(const uint8_t *block, uint8_t *subs)
{
    for (size_t i = 0; i < 8; i++) {
        unsigned low = (unsigned)block[4 + i / 2] >> 4 * (i % 2) & 15;
        unsigned high = (unsigned)block[2 + i / 4] >> 2 * (i % 4) & 3;

        subs[i] = (uint8_t)(low | high << 4);
    }
}

static void iq4_xs_put_subs(uint8_t *block, const uint8_t *subs)
{
    memset(block + 2, 0, 6);
    for (size_t i = 0; i < 8; i++) {
        unsigned low = subs[i] & 15U;
        unsigned high = (unsigned)subs[i] >> 4 & 3;

        block[4 + i / 2] = (uint8_t)(block[4 + i / 2] | low << 4 * (i % 2));
        block[2 + i / 4] = (uint8_t)(block[2 + i / 4] | high << 2 * (i % 4));
    }
}

static void iq4_xs_get_quants(const uint8_t *block, uint8_t *quants)
{
    get_nibbles(block + 8, quants, 8, 16);
}

static void iq4_xs_put_quants(uint8_t *block, const uint8_t *quants)
{
    put_nibbles(block + 8, quants, 8, 16);
}

/* --- Q2_K: 16 scales in low nibbles, mins in the high ones, pairs of bits, d, dmin --- */

static void q2_k_get_subs(const uint8_t *block, uint8_t *subs)
{
    get_nibbles(block, subs, 1, 16);
}

static void q2_k_put_subs(uint8_t *block, const uint8_t *subs)
{
    put_nibbles(block, subs, 1, 16);
}

static void q2_k_get_quants(const uint8_t *block, uint8_t *quants)
{
    memset(quants, 0, 256);
    get_parts(block + 16, quants, 2, 0);
}

static void q2_k_put_quants(uint8_t *block, const uint8_t *quants)
{
    put_parts(block + 16, quants, 2, 0);
}

/* --- Q3_K: high bits, pairs of bits, 16 scales of 6 bits, d --- */

/* The low nibbles of the 16 scales as nibbles; their high two bits in the last four bytes. */
static void q3_k_get_subs(const uint8_t *block, uint8_t *subs)
{
    const uint8_t *s = block + 96;

    get_nibbles(s, subs, 1, 8);
    for (size_t i = 0; i < 16; i++) {
        subs[i] = (uint8_t)(subs[i] | (s[8 + i % 4] >> 2 * (i / 4) & 3) << 4);
    }
}

static void q3_k_put_subs(uint8_t *block, const uint8_t *subs)
{
    uint8_t *s = block + 96;

    put_nibbles(s, subs, 1, 8);
    memset(s + 8, 0, 4);
    for (size_t i = 0; i < 16; i++) {
        s[8 + i % 4] = (uint8_t)(s[8 + i % 4] | (subs[i] >> 4 & 3) << 2 * (i / 4));
    }
}

static void q3_k_get_quants(const uint8_t *block, uint8_t *quants)
{
    memset(quants, 0, 256);
    get_parts(block + 32, quants, 2, 0);
    get_parts(block, quants, 1, 2);
}

static void q3_k_put_quants(uint8_t *block, const uint8_t *quants)
{
    put_parts(block + 32, quants, 2, 0);
    put_parts(block, quants, 1, 2);
}

/* --- the table --- */

static const struct block_layout q8_0 = {
    .sub_elements = 32,
    .zero = 128,
    .range = {-127, 127},
    .pinned = {-127, 127},
    .get_quants = q8_0_get_quants,
    .put_quants = q8_0_put_quants,
};
static const struct block_layout q4_0 = {
    .sub_elements = 32,
    .zero = 8,
    .range = {-8, 7},
    .pinned = {-8, LEVEL_NONE},
    .get_quants = q4_0_get_quants,
    .put_quants = q4_0_put_quants,
};
static const struct block_layout q4_1 = {
    .sub_elements = 32,
    .range = {0, 15},
    .pinned = {0, 15},
    .get_quants = q4_1_get_quants,
    .put_quants = q4_1_put_quants,
};
static const struct block_layout q5_0 = {
    .sub_elements = 32,
    .zero = 16,
    .range = {-16, 15},
    .pinned = {-16, LEVEL_NONE},
    .get_quants = q5_0_get_quants,
    .put_quants = q5_0_put_quants,
};
static const struct block_layout q5_1 = {
    .sub_elements = 32,
    .range = {0, 31},
    .pinned = {0, 31},
    .get_quants = q5_1_get_quants,
    .put_quants = q5_1_put_quants,
};
static const struct block_layout q4_k = {
    .sub_elements = 32,
    .range = {0, 15},
    .pinned = {LEVEL_NONE, LEVEL_NONE},
    .sub_range = {0, 63},
    .sub_pinned = {63, LEVEL_NONE},
    .get_subs = q4_k_get_subs,
    .put_subs = q4_k_put_subs,
    .get_quants = q4_k_get_quants,
    .put_quants = q4_k_put_quants,
};
static const struct block_layout q5_k = {
    .sub_elements = 32,
    .range = {0, 31},
    .pinned = {LEVEL_NONE, LEVEL_NONE},
    .sub_range = {0, 63},
    .sub_pinned = {63, LEVEL_NONE},
    .get_subs = q4_k_get_subs,
    .put_subs = q4_k_put_subs,
    .get_quants = q5_k_get_quants,
    .put_quants = q5_k_put_quants,
};
static const struct block_layout q6_k = {
    .supers_at = 208,
    .sub_elements = 16,
    .zero = 32,
    .range = {-32, 31},
    .pinned = {LEVEL_NONE, LEVEL_NONE},
    .sub_zero = 128,
    .sub_range = {-128, 127},
    .sub_pinned = {-128, LEVEL_NONE},
    .get_subs = q6_k_get_subs,
    .put_subs = q6_k_put_subs,
    .get_quants = q6_k_get_quants,
    .put_quants = q6_k_put_quants,
};
static const struct block_layout iq4_nl = {
    .sub_elements = 32,
    .zero = 8,
    .range = {-8, 7},
    .pinned = {LEVEL_NONE, LEVEL_NONE},
    .curved = true,
    .get_quants = q4_0_get_quants,
    .put_quants = q4_0_put_quants,
};
static const struct block_layout iq4_xs = {
    .sub_elements = 32,
    .zero = 8,
    .range = {-8, 7},
    .pinned = {LEVEL_NONE, LEVEL_NONE},
    .sub_zero = 32,
    .sub_range = {-32, 31},
    .sub_pinned = {-32, LEVEL_NONE},
    .curved = true,
    .get_subs = iq4_xs_get_subs,
    .put_subs = iq4_xs_put_subs,
    .get_quants = iq4_xs_get_quants,
    .put_quants = iq4_xs_put_quants,
};
static const struct block_layout q2_k = {
    .supers_at = 80,
    .sub_elements = 16,
    .range = {0, 3},
    .pinned = {LEVEL_NONE, LEVEL_NONE},
    .sub_range = {0, 15},
    .sub_pinned = {15, LEVEL_NONE},
    .get_subs = q2_k_get_subs,
    .put_subs = q2_k_put_subs,
    .get_quants = q2_k_get_quants,
    .put_quants = q2_k_put_quants,
};
static const struct block_layout q3_k = {
    .supers_at = 108,
    .sub_elements = 16,
    .zero = 4,
    .range = {-4, 3},
    .pinned = {LEVEL_NONE, LEVEL_NONE},
    .sub_zero = 32,
    .sub_range = {-32, 31},
    .sub_pinned = {-32, LEVEL_NONE},
    .get_subs = q3_k_get_subs,
    .put_subs = q3_k_put_subs,
    .get_quants = q3_k_get_quants,
    .put_quants = q3_k_put_quants,
};

const struct block_format block_formats[BLOCK_FORMAT_COUNT] = {
    {OX_DTYPE_Q8_0, 34, 32, 1, 0, true, &q8_0},
    {OX_DTYPE_Q4_0, 18, 32, 1, 0, false, &q4_0},
    {OX_DTYPE_Q4_1, 20, 32, 2, 0, false, &q4_1},
    {OX_DTYPE_Q5_0, 22, 32, 1, 0, false, &q5_0},
    {OX_DTYPE_Q5_1, 24, 32, 2, 0, false, &q5_1},
    {OX_DTYPE_Q4_K, 144, 256, 2, 16, false, &q4_k},
    {OX_DTYPE_Q5_K, 176, 256, 2, 16, false, &q5_k},
    {OX_DTYPE_Q6_K, 210, 256, 1, 16, false, &q6_k},
    {OX_DTYPE_IQ4_NL, 18, 32, 1, 0, false, &iq4_nl},
    {OX_DTYPE_IQ4_XS, 136, 256, 1, 8, false, &iq4_xs},
    {OX_DTYPE_Q2_K, 84, 256, 2, 32, false, &q2_k},
    {OX_DTYPE_Q3_K, 110, 256, 1, 16, false, &q3_k},
};
