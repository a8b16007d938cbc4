#include "planes.h"

#include <string.h>

bool planes_shape_ok(unsigned width, unsigned stride)
{
    return (width == 1 || width == 2 || width == 4 || width == 8) && stride >= width &&
           stride <= PLANES_STRIDE_MAX && stride % width == 0;
}

size_t planes_len(size_t n, unsigned stride, unsigned k)
{
    return n <= k ? 0 : (n - k + stride - 1) / stride;
}

void planes_xor(uint8_t *out, const uint8_t *target, const uint8_t *base, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (uint8_t)(target[i] ^ base[i]);
    }
}

/* Loads and stores of one width; on little-endian machines they compile to plain moves. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define SWAP16(x) __builtin_bswap16(x)
#define SWAP32(x) __builtin_bswap32(x)
#define SWAP64(x) __builtin_bswap64(x)
#else
#define SWAP16(x) (x)
#define SWAP32(x) (x)
#define SWAP64(x) (x)
#endif
#define SWAP8(x) (x)

#define DEFINE_WIDTH(bits)                                                                         \
    static void sub_##bits(uint8_t *out, const uint8_t *target, const uint8_t *base, size_t count) \
    {                                                                                              \
        for (size_t i = 0; i < count; i++) {                                                       \
            uint##bits##_t t;                                                                      \
            uint##bits##_t b;                                                                      \
            uint##bits##_t d;                                                                      \
                                                                                                   \
            memcpy(&t, target + i * (bits / 8), bits / 8);                                         \
            memcpy(&b, base + i * (bits / 8), bits / 8);                                           \
            d = (uint##bits##_t)(SWAP##bits(t) - SWAP##bits(b));                                   \
            d = (uint##bits##_t)((uint##bits##_t)(d << 1) ^                                        \
                                 (uint##bits##_t)(0 - (d >> (bits - 1))));                         \
            d = SWAP##bits(d);                                                                     \
            memcpy(out + i * (bits / 8), &d, bits / 8);                                            \
        }                                                                                          \
    }                                                                                              \
    static void add_##bits(uint8_t *data, const uint8_t *base, size_t count)                       \
    {                                                                                              \
        for (size_t i = 0; i < count; i++) {                                                       \
            uint##bits##_t d;                                                                      \
            uint##bits##_t b;                                                                      \
                                                                                                   \
            memcpy(&d, data + i * (bits / 8), bits / 8);                                           \
            memcpy(&b, base + i * (bits / 8), bits / 8);                                           \
            d = SWAP##bits(d);                                                                     \
            d = (uint##bits##_t)((d >> 1) ^ (uint##bits##_t)(0 - (d & 1)));                        \
            d = (uint##bits##_t)(d + SWAP##bits(b));                                               \
            d = SWAP##bits(d);                                                                     \
            memcpy(data + i * (bits / 8), &d, bits / 8);                                           \
        }                                                                                          \
    }

DEFINE_WIDTH(8)
DEFINE_WIDTH(16)
DEFINE_WIDTH(32)
DEFINE_WIDTH(64)

void planes_sub(uint8_t *out, const uint8_t *target, const uint8_t *base, size_t n, unsigned width)
{
    size_t count = n / width;
    size_t whole = count * width;

    switch (width) {
    case 1:
        sub_8(out, target, base, count);
        break;
    case 2:
        sub_16(out, target, base, count);
        break;
    case 4:
        sub_32(out, target, base, count);
        break;
    default:
        sub_64(out, target, base, count);
        break;
    }
    planes_xor(out + whole, target + whole, base + whole, n - whole);
}

void planes_add(uint8_t *data, const uint8_t *base, size_t n, unsigned width)
{
    size_t count = n / width;
    size_t whole = count * width;

    switch (width) {
    case 1:
        add_8(data, base, count);
        break;
    case 2:
        add_16(data, base, count);
        break;
    case 4:
        add_32(data, base, count);
        break;
    default:
        add_64(data, base, count);
        break;
    }
    planes_xor(data + whole, data + whole, base + whole, n - whole);
}

void planes_split(uint8_t *out, const uint8_t *block, size_t n, unsigned stride)
{
    for (unsigned k = 0; k < stride; k++) {
        size_t len = planes_len(n, stride, k);

        for (size_t i = 0; i < len; i++) {
            out[i] = block[i * stride + k];
        }
        out += len;
    }
}

void planes_merge(uint8_t *block, const uint8_t *planes, size_t n, unsigned stride)
{
    for (unsigned k = 0; k < stride; k++) {
        size_t len = planes_len(n, stride, k);

        for (size_t i = 0; i < len; i++) {
            block[i * stride + k] = planes[i];
        }
        planes += len;
    }
}
