#include "mixing.h"

#define MODELS MIXING_BYTE_MODELS
#define LEARN_LIMIT (1 / 256.5f)
#define LEARN_RATE 0.0042f

/* What went before. */
struct past {
    unsigned same;    /* bytes in a row that were as predicted */
    unsigned diff[2]; /* of the last two bytes to their predictions */
    unsigned byte[2];
};

static inline unsigned mixed(unsigned a, unsigned b)
{
    return (a * 0x9e3779b1u + b * 0x85ebca6bu) >> 16;
}

OX_MIX_INLINE unsigned code_same(struct mixing_bytes *self, struct ox_mix_coder *coder,
                                 bool encodes, unsigned same, const struct past *past,
                                 unsigned predicted, unsigned context)
{
    unsigned run = (unsigned)mixing_clamp(2 * (int)mixing_bit_length(past->same), 0, 15);
    unsigned changed = (unsigned)(past->diff[0] != 0) << 1 | (past->diff[1] != 0);
    struct ox_mix4_state *states[MODELS] = {
        &self->same[0][run << 5 | context],
        &self->same[1][predicted << 4 | changed],
        &self->same[2][past->byte[0] << 4 | run],
        &self->same[3][past->diff[0] << 4 | (run < 15 ? past->diff[1] & 15 : 15)],
    };

    return ox_mix4_code(coder, encodes, same, states, &self->same_weights[run], LEARN_LIMIT,
                        LEARN_RATE);
}

/* Bit by bit from the top, each under those above it. */
OX_MIX_INLINE unsigned code_diff(struct mixing_bytes *self, struct ox_mix_coder *coder,
                                 bool encodes, unsigned slots, unsigned diff,
                                 const struct past *past, unsigned predicted, unsigned context)
{
    const unsigned slot[MODELS] = {
        mixed(context, 1),
        mixed(predicted, context + 64),
        mixed(past->diff[0] << 8 | past->diff[1], 2),
        mixed(past->byte[0], past->byte[1] + 1000),
    };
    unsigned node = 1;

    while (node < 256) {
        unsigned bit = diff >> 7 & 1;
        struct ox_mix4_state *states[MODELS];

        for (unsigned m = 0; m < MODELS; m++) {
            states[m] = &self->diff[m][(slot[m] + node * 0x9e35u) % slots];
        }
        node = node << 1 | ox_mix4_code(coder, encodes, bit, states, &self->diff_weights[node],
                                        LEARN_LIMIT, LEARN_RATE);
        diff <<= 1;
    }
    return node & 255;
}

OX_MIX_INLINE void code_all(struct mixing_bytes *self, struct ox_mix_coder *lent, bool encodes,
                            const struct stream *stream, unsigned slots, const uint8_t *in,
                            uint8_t *out)
{
    struct ox_mix_coder coder = *lent;
    struct past past = {0};

    for (size_t i = 0; i < stream->count; i++) {
        unsigned predicted = stream->predicted[i];
        unsigned context = stream->contexts != NULL ? stream->contexts[i] % STREAM_CONTEXTS_MAX : 0;
        unsigned diff = encodes ? (in[i] - predicted) & 255 : 0;

        if (stream->fresh ||
            code_same(self, &coder, encodes, diff == 0, &past, predicted, context) == 0) {
            diff = code_diff(self, &coder, encodes, slots, diff, &past, predicted, context);
        } else {
            diff = 0;
        }
        past.same = diff == 0 ? past.same + 1 : 0;
        past.diff[1] = past.diff[0];
        past.diff[0] = diff;
        past.byte[1] = past.byte[0];
        past.byte[0] = (predicted + diff) & 255;
        if (!encodes) {
            out[i] = (uint8_t)past.byte[0];
        }
    }
    *lent = coder;
}

void mixing_bytes_code(struct mixing_coder *self, struct ox_mix_coder *coder,
                       const struct stream *stream, const uint8_t *in, uint8_t *out)
{
    struct mixing_bytes *models = &self->models.bytes;
    unsigned slots = MIXING_BYTE_SLOTS_MIN;

    while (slots < stream->count && slots < MIXING_BYTE_SLOTS_MAX) {
        slots *= 2;
    }
    self->used_known = false;
    mixing_fill(&models->same[0][0], MODELS * MIXING_SAME_CONTEXTS);
    for (unsigned m = 0; m < MODELS; m++) {
        mixing_fill(models->diff[m], slots);
    }
    mixing_fill_weights(&models->same_weights[0], sizeof(models->same_weights),
                        OX_MIX4_WEIGHT_ONE / 3);
    mixing_fill_weights(&models->diff_weights[0], sizeof(models->diff_weights),
                        OX_MIX4_WEIGHT_ONE / 3);
    if (out == NULL) {
        code_all(models, coder, true, stream, slots, in, NULL);
    } else {
        code_all(models, coder, false, stream, slots, out, out);
    }
}
