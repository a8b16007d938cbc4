#include "draw.h"

#include <math.h>
#include <string.h>

#define TWO_PI 6.28318530717958647692

void draw_init(struct ox_rng *rng, uint64_t purpose, uint64_t major, uint64_t minor)
{
    struct ox_rng mixer;

    ox_rng_init(&mixer, purpose);
    ox_rng_init(&mixer, ox_rng_u64(&mixer) ^ major);
    ox_rng_init(&mixer, ox_rng_u64(&mixer) ^ minor);
    ox_rng_init(rng, ox_rng_u64(&mixer));
}

double draw_uniform(struct ox_rng *rng)
{
    return (double)(ox_rng_u64(rng) >> 11) / 9007199254740992.0; /* 2^53 */
}

void draw_normals(struct ox_rng *rng, float *out, size_t count)
{
    for (size_t i = 0; i < count; i += 2) {
        uint64_t bits = ox_rng_u64(rng);
        float radius = sqrtf(-2 * logf((float)((bits >> 32) + 1) / 4294967296.0f)); /* 2^32 */
        float angle = (float)(TWO_PI * (double)(uint32_t)bits / 4294967296.0);

        out[i] = radius * cosf(angle);
        if (i + 1 < count) {
            out[i + 1] = radius * sinf(angle);
        }
    }
}

double draw_laplace(struct ox_rng *rng, double scale)
{
    double side = draw_uniform(rng) - 0.5;

    return side < 0 ? scale * log1p(-2 * fabs(side)) : -scale * log1p(-2 * fabs(side));
}

uint64_t draw_gap(struct ox_rng *rng, double chance)
{
    return (uint64_t)(log1p(-draw_uniform(rng)) / log1p(-chance));
}

static uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

uint16_t bf16_of(float value)
{
    uint32_t bits = bits_of(value);

    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

uint16_t f16_of(float value)
{
    uint32_t bits = bits_of(value);
    uint32_t sign = bits >> 16 & 0x8000;
    uint32_t size = bits & 0x7fffffff;
    int exponent = (int)(size >> 23) - 127 + 15;
    uint32_t half;

    if (exponent >= 31) {
        half = 0x7c00;
    } else if (exponent > 0) { /* a carry out of the mantissa rightly enters the exponent */
        half = (size - ((127 - 15) << 23) + 0xfff + (size >> 13 & 1)) >> 13;
    } else { /* in units of the smallest subnormal, 2^-24; rintf rounds ties to even */
        half = (uint32_t)rintf(fabsf(value) * 16777216.0f);
    }
    return (uint16_t)(sign | half);
}

void store_u16le(uint8_t *bytes, uint16_t value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
}
