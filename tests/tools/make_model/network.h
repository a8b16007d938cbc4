/**
 * Parts of make_model.c: a network that learns to read digits, and the pictures of digits.
 *
 * The task: 8x8 pictures of the ten digits, shifted, noisy, of varying ink. The network: fully
 * connected layers with ReLU between them, trained by Adam on cross entropy. One seed gives the
 * same weights on one machine; other machines may round otherwise.
 */
#ifndef MAKE_MODEL_NETWORK_H
#define MAKE_MODEL_NETWORK_H

#include "oxide/base/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIXELS 64
#define DIGITS 10
#define LAYERS_MAX 16
#define WIDTH_MAX 8192
#define BATCH 32
#define CHECK_SAMPLES 500
#define CHECK_SEED 0x6865616c7468u /* never used for training */

/* --- the network ------------------------------------------------------------------------------*/

struct layer {
    size_t in;
    size_t out;
    float *weight; /* out rows of in numbers */
    float *bias;
};

struct network {
    size_t count;
    struct layer layers[LAYERS_MAX];
};

static void *must_alloc(size_t count, size_t size)
{
    void *memory = calloc(count == 0 ? 1 : count, size);

    if (memory == NULL) {
        fprintf(stderr, "make_model: out of memory\n");
        exit(2);
    }
    return memory;
}

static void network_clear(struct network *net)
{
    for (size_t i = 0; i < net->count; i++) {
        free(net->layers[i].weight);
        free(net->layers[i].bias);
    }
    *net = (struct network){0};
}

static double uniform(struct ox_rng *rng)
{
    return (double)(ox_rng_u64(rng) >> 11) / 9007199254740992.0; /* 2^53 */
}

static void network_init(struct network *net, size_t count, size_t width, uint64_t seed)
{
    struct ox_rng rng;

    ox_rng_init(&rng, seed);
    *net = (struct network){.count = count};
    for (size_t i = 0; i < count; i++) {
        struct layer *layer = &net->layers[i];
        double bound;

        layer->in = i == 0 ? PIXELS : width;
        layer->out = i + 1 == count ? DIGITS : width;
        layer->weight = must_alloc(layer->in * layer->out, sizeof(float));
        layer->bias = must_alloc(layer->out, sizeof(float));
        bound = sqrt(6.0 / (double)layer->in); /* He et al., 2015 */
        for (size_t j = 0; j < layer->in * layer->out; j++) {
            layer->weight[j] = (float)(bound * (2 * uniform(&rng) - 1));
        }
    }
}

/* --- the task ---------------------------------------------------------------------------------*/

/* 5x7 pictures, a row per byte, the highest of five bits at the left. */
static const uint8_t glyphs[DIGITS][7] = {
    {0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e}, {0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e},
    {0x0e, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1f}, {0x1f, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0e},
    {0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02}, {0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e},
    {0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e}, {0x1f, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08},
    {0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e}, {0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x0c},
};

static size_t draw_digit(struct ox_rng *rng, float *pixels)
{
    size_t digit = (size_t)ox_rng_below(rng, DIGITS);
    size_t left = (size_t)ox_rng_below(rng, 4);
    size_t top = (size_t)ox_rng_below(rng, 2);
    double ink = 0.6 + 0.4 * uniform(rng);

    for (size_t i = 0; i < PIXELS; i++) {
        size_t row = i / 8 - top; /* wraps far outside where it is negative */
        size_t column = i % 8 - left;
        bool set = row < 7 && column < 5 && (glyphs[digit][row] >> (4 - column) & 1) != 0;
        double noise = uniform(rng) + uniform(rng) - 1;

        pixels[i] = (float)((set ? ink : 0) + 0.35 * noise);
    }
    return digit;
}

/* --- running and training ---------------------------------------------------------------------*/

/* out = in x weight^T + bias, for `rows` samples. */
static void forward_layer(const struct layer *layer, const float *in, float *out, size_t rows,
                          bool relu)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t o = 0; o < layer->out; o++) {
            const float *weight = layer->weight + o * layer->in;
            const float *x = in + r * layer->in;
            float sums[8] = {0}; /* independent, so that the compiler may vectorise */

            for (size_t i = 0; i < layer->in; i += 8) {
                for (size_t k = 0; k < 8; k++) {
                    sums[k] += weight[i + k] * x[i + k];
                }
            }
            for (size_t k = 1; k < 8; k++) {
                sums[0] += sums[k];
            }
            sums[0] += layer->bias[o];
            out[r * layer->out + o] = relu && sums[0] < 0 ? 0 : sums[0];
        }
    }
}

/* Values of all layers for a batch: values[0] is the input. */
struct activations {
    float *values[LAYERS_MAX + 1];
    float *gradients[LAYERS_MAX + 1];
};

static void activations_init(struct activations *act, const struct network *net)
{
    for (size_t i = 0; i <= net->count; i++) {
        size_t width = i == 0 ? PIXELS : net->layers[i - 1].out;

        act->values[i] = must_alloc(BATCH * width, sizeof(float));
        act->gradients[i] = must_alloc(BATCH * width, sizeof(float));
    }
}

static void activations_clear(struct activations *act, const struct network *net)
{
    for (size_t i = 0; i <= net->count; i++) {
        free(act->values[i]);
        free(act->gradients[i]);
    }
}

static void forward(const struct network *net, struct activations *act)
{
    for (size_t i = 0; i < net->count; i++) {
        forward_layer(&net->layers[i], act->values[i], act->values[i + 1], BATCH,
                      i + 1 < net->count);
    }
}

/* Cross entropy of the softmax: its gradient by the logits, averaged over the batch. */
static void loss_gradient(const float *logits, const size_t *labels, float *gradient)
{
    for (size_t r = 0; r < BATCH; r++) {
        const float *row = logits + r * DIGITS;
        float highest = row[0];
        float sum = 0;

        for (size_t d = 1; d < DIGITS; d++) {
            highest = row[d] > highest ? row[d] : highest;
        }
        for (size_t d = 0; d < DIGITS; d++) {
            gradient[r * DIGITS + d] = expf(row[d] - highest);
            sum += gradient[r * DIGITS + d];
        }
        for (size_t d = 0; d < DIGITS; d++) {
            gradient[r * DIGITS + d] =
                (gradient[r * DIGITS + d] / sum - (d == labels[r] ? 1.0f : 0.0f)) / BATCH;
        }
    }
}

/* The gradient by one layer's weights, biases and (unless down is NULL) inputs. */
static void backward_layer(const struct layer *layer, const float *in, const float *up,
                           struct layer *gradient, float *down)
{
    memset(gradient->weight, 0, layer->in * layer->out * sizeof(float));
    memset(gradient->bias, 0, layer->out * sizeof(float));
    if (down != NULL) {
        memset(down, 0, BATCH * layer->in * sizeof(float));
    }
    for (size_t o = 0; o < layer->out; o++) {
        for (size_t r = 0; r < BATCH; r++) {
            float g = up[r * layer->out + o];
            float *by_weight = gradient->weight + o * layer->in;
            const float *x = in + r * layer->in;

            if (g == 0) {
                continue;
            }
            gradient->bias[o] += g;
            for (size_t i = 0; i < layer->in; i++) {
                by_weight[i] += g * x[i];
            }
            if (down != NULL) {
                const float *weight = layer->weight + o * layer->in;
                float *by_input = down + r * layer->in;

                for (size_t i = 0; i < layer->in; i++) {
                    by_input[i] += g * weight[i];
                }
            }
        }
    }
    for (size_t i = 0; down != NULL && i < BATCH * layer->in; i++) {
        down[i] = in[i] > 0 ? down[i] : 0; /* through the ReLU */
    }
}

/* Adam (Kingma and Ba, 2015), algorithm 1. */
static void adam(float *values, const float *gradient, float *mean, float *square, size_t count,
                 unsigned step, float rate)
{
    float mean_scale = 1.0f / (1.0f - powf(0.9f, (float)step));
    float square_scale = 1.0f / (1.0f - powf(0.999f, (float)step));

    for (size_t i = 0; i < count; i++) {
        mean[i] = 0.9f * mean[i] + 0.1f * gradient[i];
        square[i] = 0.999f * square[i] + 0.001f * gradient[i] * gradient[i];
        values[i] -= rate * mean[i] * mean_scale / (sqrtf(square[i] * square_scale) + 1e-8f);
    }
}

/* Train the layers from `first` on. */
static void train(struct network *net, size_t first, unsigned steps, float rate, uint64_t seed)
{
    struct activations act = {0};
    struct network gradient;
    struct network mean;
    struct network square;
    struct ox_rng rng;
    size_t width = net->layers[0].out;

    ox_rng_init(&rng, seed);
    network_init(&gradient, net->count, width, 0);
    network_init(&mean, net->count, width, 0);
    network_init(&square, net->count, width, 0);
    for (size_t i = 0; i < net->count; i++) {
        size_t count = net->layers[i].in * net->layers[i].out;

        memset(mean.layers[i].weight, 0, count * sizeof(float));
        memset(square.layers[i].weight, 0, count * sizeof(float));
    }
    activations_init(&act, net);
    for (unsigned step = 1; step <= steps; step++) {
        size_t labels[BATCH];

        for (size_t r = 0; r < BATCH; r++) {
            labels[r] = draw_digit(&rng, act.values[0] + r * PIXELS);
        }
        forward(net, &act);
        loss_gradient(act.values[net->count], labels, act.gradients[net->count]);
        for (size_t i = net->count; i-- > first;) {
            backward_layer(&net->layers[i], act.values[i], act.gradients[i + 1],
                           &gradient.layers[i], i > first ? act.gradients[i] : NULL);
        }
        for (size_t i = first; i < net->count; i++) {
            struct layer *layer = &net->layers[i];

            adam(layer->weight, gradient.layers[i].weight, mean.layers[i].weight,
                 square.layers[i].weight, layer->in * layer->out, step, rate);
            adam(layer->bias, gradient.layers[i].bias, mean.layers[i].bias, square.layers[i].bias,
                 layer->out, step, rate);
        }
    }
    activations_clear(&act, net);
    network_clear(&gradient);
    network_clear(&mean);
    network_clear(&square);
}

static double accuracy(const struct network *net)
{
    struct activations act = {0};
    struct ox_rng rng;
    size_t right = 0;
    size_t total = 0;

    ox_rng_init(&rng, CHECK_SEED);
    activations_init(&act, net);
    while (total < CHECK_SAMPLES) {
        size_t labels[BATCH];

        for (size_t r = 0; r < BATCH; r++) {
            labels[r] = draw_digit(&rng, act.values[0] + r * PIXELS);
        }
        forward(net, &act);
        for (size_t r = 0; r < BATCH; r++) {
            const float *logits = act.values[net->count] + r * DIGITS;
            size_t best = 0;

            for (size_t d = 1; d < DIGITS; d++) {
                best = logits[d] > logits[best] ? d : best;
            }
            right += best == labels[r] && isfinite(logits[best]);
        }
        total += BATCH;
    }
    activations_clear(&act, net);
    return (double)right / (double)total;
}

#endif
