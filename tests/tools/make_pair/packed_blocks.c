#include "packed_blocks.h"

#include "draw.h"

#include <math.h>
#include <string.h>

#define SUBS_MAX 16

static int nearest(float value, int low, int high)
{
    float whole = rintf(value);

    return whole < (float)low ? low : whole > (float)high ? high : (int)whole;
}

/* What a half float stands for; normal ones and 0 are enough. */
static float f16_value(uint16_t bits)
{
    int exponent = bits >> 10 & 31;
    float mantissa = (float)(bits & 1023) + (exponent > 0 ? 1024.0f : 0.0f);
    float size = ldexpf(mantissa, (exponent > 0 ? exponent : 1) - 25);

    return (bits & 0x8000) != 0 ? -size : size;
}

/* --- Q4_K and Q5_K: eight runs of 32, each of values scale * quant - least --- */

struct runs {
    float scale;
    float least;
    uint8_t scales[8];
    uint8_t leasts[8];
    uint8_t quants[K_BLOCK];
};

static void quantise_runs(const float *values, int levels, struct runs *runs, uint8_t *out)
{
    float scales[8];
    float leasts[8];
    float scale_most = 0;
    float least_most = 0;

    for (int run = 0; run < 8; run++) {
        float low = 0;
        float high = 0;

        for (int i = 0; i < 32; i++) {
            low = fminf(low, values[32 * run + i]);
            high = fmaxf(high, values[32 * run + i]);
        }
        scales[run] = (high - low) / (float)levels;
        leasts[run] = -low;
        scale_most = fmaxf(scale_most, scales[run]);
        least_most = fmaxf(least_most, leasts[run]);
    }
    store_u16le(out, f16_of(scale_most / 63));
    store_u16le(out + 2, f16_of(least_most / 63));
    runs->scale = f16_value(f16_of(scale_most / 63));
    runs->least = f16_value(f16_of(least_most / 63));
    for (int run = 0; run < 8; run++) {
        float step;
        float least;

        runs->scales[run] =
            (uint8_t)(scale_most == 0 ? 0 : nearest(63 * scales[run] / scale_most, 0, 63));
        runs->leasts[run] =
            (uint8_t)(least_most == 0 ? 0 : nearest(63 * leasts[run] / least_most, 0, 63));
        step = runs->scale * (float)runs->scales[run];
        least = runs->least * (float)runs->leasts[run];
        for (int i = 0; i < 32; i++) {
            runs->quants[32 * run + i] =
                (uint8_t)(step == 0 ? 0
                                    : nearest((values[32 * run + i] + least) / step, 0, levels));
        }
    }
}

/* Twelve bytes of eight scales and eight leasts, 6 bits each. */
static void store_runs(const struct runs *runs, uint8_t *out)
{
    for (int run = 0; run < 4; run++) {
        uint8_t scale = runs->scales[run + 4];
        uint8_t least = runs->leasts[run + 4];

        out[run] = (uint8_t)(runs->scales[run] | scale >> 4 << 6);
        out[run + 4] = (uint8_t)(runs->leasts[run] | least >> 4 << 6);
        out[run + 8] = (uint8_t)((scale & 15) | (least & 15) << 4);
    }
}

/* 32 bytes for two runs: the first in the low halves. */
static void store_nibbles(const uint8_t *quants, uint8_t *out)
{
    for (int pair = 0; pair < 4; pair++) {
        for (int i = 0; i < 32; i++) {
            out[32 * pair + i] =
                (uint8_t)((quants[64 * pair + i] & 15) | (quants[64 * pair + 32 + i] & 15) << 4);
        }
    }
}

void block_q4_k(const float *values, uint8_t *out)
{
    struct runs runs;

    quantise_runs(values, 15, &runs, out);
    store_runs(&runs, out + 4);
    store_nibbles(runs.quants, out + 16);
}

void block_q5_k(const float *values, uint8_t *out)
{
    struct runs runs;

    quantise_runs(values, 31, &runs, out);
    store_runs(&runs, out + 4);
    memset(out + 16, 0, 32);
    for (int i = 0; i < K_BLOCK; i++) {
        out[16 + i % 32] = (uint8_t)(out[16 + i % 32] | (runs.quants[i] >> 4) << (i / 32));
    }
    store_nibbles(runs.quants, out + 48);
}

/* --- Q6_K and IQ4_XS: runs of values scale * level, whose largest is the lowest level --- */

/* The scale of each run, and of those the largest, both by magnitude. */
static float scales_of(const float *values, int run_len, float lowest, float scales[SUBS_MAX])
{
    float most = 0;

    for (int run = 0; run < K_BLOCK / run_len; run++) {
        float extreme = 0;

        for (int i = 0; i < run_len; i++) {
            float value = values[run_len * run + i];

            extreme = fabsf(value) > fabsf(extreme) ? value : extreme;
        }
        scales[run] = extreme / lowest;
        most = fabsf(scales[run]) > fabsf(most) ? scales[run] : most;
    }
    return most;
}

void block_q6_k(const float *values, uint8_t *out)
{
    float scales[SUBS_MAX];
    float most = scales_of(values, 16, -32, scales);
    float scale = f16_value(f16_of(most / -128));
    uint8_t quants[K_BLOCK];

    store_u16le(out + 208, f16_of(most / -128));
    for (int run = 0; run < 16; run++) {
        int sub = scale == 0 ? 0 : nearest(scales[run] / scale, -128, 127);
        float step = scale * (float)sub;

        out[192 + run] = (uint8_t)(int8_t)sub;
        for (int i = 16 * run; i < 16 * run + 16; i++) {
            quants[i] = (uint8_t)((step == 0 ? 0 : nearest(values[i] / step, -32, 31)) + 32);
        }
    }
    for (int half = 0; half < 2; half++) {
        for (int i = 0; i < 32; i++) {
            const uint8_t *q = quants + 128 * half + i;

            out[64 * half + i] = (uint8_t)((q[0] & 15) | (q[64] & 15) << 4);
            out[64 * half + 32 + i] = (uint8_t)((q[32] & 15) | (q[96] & 15) << 4);
            out[128 + 32 * half + i] =
                (uint8_t)(q[0] >> 4 | q[32] >> 4 << 2 | q[64] >> 4 << 4 | q[96] >> 4 << 6);
        }
    }
}

static uint8_t nearest_of_curve(float value)
{
    static const float curve[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                    1,    13,   25,  38,  53,  69,  89,  113};
    int best = 0;

    for (int i = 1; i < 16; i++) {
        best = fabsf(curve[i] - value) < fabsf(curve[best] - value) ? i : best;
    }
    return (uint8_t)best;
}

void block_iq4_xs(const float *values, uint8_t *out)
{
    float scales[SUBS_MAX];
    float most = scales_of(values, 32, -127, scales);
    float scale = f16_value(f16_of(most / -32));
    uint16_t high = 0;

    memset(out, 0, 136);
    store_u16le(out, f16_of(most / -32));
    for (int run = 0; run < 8; run++) {
        int sub = scale == 0 ? 0 : nearest(scales[run] / scale, -32, 31);
        float step = scale * (float)sub;
        uint8_t quants[32];

        high = (uint16_t)(high | (sub + 32) >> 4 << (2 * run));
        out[4 + run / 2] = (uint8_t)(out[4 + run / 2] | ((sub + 32) & 15) << (4 * (run % 2)));
        for (int i = 0; i < 32; i++) {
            quants[i] = nearest_of_curve(step == 0 ? 0 : values[32 * run + i] / step);
        }
        for (int i = 0; i < 16; i++) {
            out[8 + 16 * run + i] = (uint8_t)(quants[i] | quants[16 + i] << 4);
        }
    }
    store_u16le(out + 2, high);
}
