#include "oxide/crypto/xxh64.h"

#include "oxide/base/reader.h"

#include <string.h>

#define P1 0x9e3779b185ebca87u
#define P2 0xc2b2ae3d27d4eb4fu
#define P3 0x165667b19e3779f9u
#define P4 0x85ebca77c2b2ae63u
#define P5 0x27d4eb2f165667c5u

static uint64_t rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static uint64_t round_lane(uint64_t lane, uint64_t input)
{
    return rotate(lane + input * P2, 31) * P1;
}

static uint64_t merge_lane(uint64_t sum, uint64_t lane)
{
    return (sum ^ round_lane(0, lane)) * P1 + P4;
}

/* Take as many whole stripes of 32 bytes as there are; returns the bytes taken. */
static size_t take_stripes(uint64_t lanes[4], const uint8_t *bytes, size_t len_bytes)
{
    uint64_t a = lanes[0];
    uint64_t b = lanes[1];
    uint64_t c = lanes[2];
    uint64_t d = lanes[3];
    size_t at = 0;

    for (; len_bytes - at >= 32; at += 32) {
        a = round_lane(a, ox_load_u64le(bytes + at));
        b = round_lane(b, ox_load_u64le(bytes + at + 8));
        c = round_lane(c, ox_load_u64le(bytes + at + 16));
        d = round_lane(d, ox_load_u64le(bytes + at + 24));
    }
    lanes[0] = a;
    lanes[1] = b;
    lanes[2] = c;
    lanes[3] = d;
    return at;
}

void ox_xxh64_init(struct ox_xxh64 *sum, uint64_t seed)
{
    memset(sum, 0, sizeof(*sum));
    sum->seed = seed;
    sum->lanes[0] = seed + P1 + P2;
    sum->lanes[1] = seed + P2;
    sum->lanes[2] = seed;
    sum->lanes[3] = seed - P1;
}

void ox_xxh64_update(struct ox_xxh64 *sum, const void *bytes, size_t len_bytes)
{
    const uint8_t *from = bytes;
    size_t taken;

    if (len_bytes == 0) {
        return; /* bytes may be NULL then */
    }
    sum->total_bytes += len_bytes;
    if (sum->tail_bytes > 0) {
        size_t room = sizeof(sum->tail) - sum->tail_bytes;
        size_t take = len_bytes < room ? len_bytes : room;

        memcpy(sum->tail + sum->tail_bytes, from, take);
        sum->tail_bytes += take;
        from += take;
        len_bytes -= take;
        if (sum->tail_bytes < sizeof(sum->tail)) {
            return;
        }
        (void)take_stripes(sum->lanes, sum->tail, sizeof(sum->tail));
        sum->tail_bytes = 0;
    }
    taken = take_stripes(sum->lanes, from, len_bytes);
    if (len_bytes > taken) {
        memcpy(sum->tail, from + taken, len_bytes - taken);
        sum->tail_bytes = len_bytes - taken;
    }
}

uint64_t ox_xxh64_final(const struct ox_xxh64 *sum)
{
    const uint8_t *tail = sum->tail;
    size_t left = sum->tail_bytes;
    uint64_t out;

    if (sum->total_bytes >= 32) {
        out = rotate(sum->lanes[0], 1) + rotate(sum->lanes[1], 7) + rotate(sum->lanes[2], 12) +
              rotate(sum->lanes[3], 18);
        for (size_t i = 0; i < 4; i++) {
            out = merge_lane(out, sum->lanes[i]);
        }
    } else {
        out = sum->seed + P5;
    }
    out += sum->total_bytes;
    for (; left >= 8; left -= 8, tail += 8) {
        out = rotate(out ^ round_lane(0, ox_load_u64le(tail)), 27) * P1 + P4;
    }
    if (left >= 4) {
        out = rotate(out ^ ox_load_u32le(tail) * P1, 23) * P2 + P3;
        tail += 4;
        left -= 4;
    }
    for (; left > 0; left--, tail++) {
        out = rotate(out ^ *tail * P5, 11) * P1;
    }
    out = (out ^ out >> 33) * P2;
    out = (out ^ out >> 29) * P3;
    return out ^ out >> 32;
}

uint64_t ox_xxh64(const void *bytes, size_t len_bytes, uint64_t seed)
{
    struct ox_xxh64 sum;

    ox_xxh64_init(&sum, seed);
    ox_xxh64_update(&sum, bytes, len_bytes);
    return ox_xxh64_final(&sum);
}
