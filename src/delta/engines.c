/*
 * The table of engines. To add one: a value in enum ox_delta_engine (delta/delta.h), a row here,
 * and what its operations need in delta/encode.c and delta/decode.c.
 */
#include "engines.h"

#include <string.h>

#define OP(op) ((uint64_t)1 << (op))
#define OPS_OF_BYTES                                                                               \
    (OP(OX_OXDL_END) | OP(OX_OXDL_COPY) | OP(OX_OXDL_RAW) | OP(OX_OXDL_ZSTD) | OP(OX_OXDL_EDIT))
#define OPS_OF_NUMBERS (OP(OX_OXDL_XOR) | OP(OX_OXDL_SUB) | OP(OX_OXDL_NUMBERS))

static const struct engine engines[] = {
    [OX_ENGINE_AUTO] = {"auto", true, true, OPS_OF_BYTES | OPS_OF_NUMBERS},
    [OX_ENGINE_TENSOR] = {"tensor", true, false, OPS_OF_BYTES | OPS_OF_NUMBERS},
    [OX_ENGINE_BINARY] = {"binary", false, true, OPS_OF_BYTES},
};

const struct engine *engine_row(enum ox_delta_engine engine)
{
    return &engines[engine];
}

bool engine_op_is_tensor(enum ox_oxdl_op op)
{
    return (OPS_OF_NUMBERS >> op & 1) != 0;
}

const char *ox_delta_engine_word(enum ox_delta_engine engine)
{
    return engines[engine].word;
}

enum ox_code ox_delta_engine_parse(const char *word, enum ox_delta_engine *out, struct ox_err *err)
{
    for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
        if (strcmp(engines[i].word, word) == 0) {
            *out = (enum ox_delta_engine)i;
            return OX_OK;
        }
    }
    return ox_err_set(err, OX_EINVAL, "\"%s\" is no engine: auto, tensor or binary can be", word);
}

enum ox_delta_engine stats_engine(const struct ox_delta_stats *stats)
{
    return stats_number_bytes(stats) > 0 ? OX_ENGINE_TENSOR : OX_ENGINE_BINARY;
}

void stats_add(struct ox_delta_stats *to, const struct ox_delta_stats *from)
{
    for (size_t i = 0; i < OX_OXDL_OP_COUNT; i++) {
        to->target_bytes[i] += from->target_bytes[i];
        to->patch_bytes[i] += from->patch_bytes[i];
    }
    to->frames += from->frames;
}

uint64_t stats_number_bytes(const struct ox_delta_stats *stats)
{
    uint64_t bytes = 0;

    for (unsigned op = 0; op < OX_OXDL_OP_COUNT; op++) {
        bytes += engine_op_is_tensor((enum ox_oxdl_op)op) ? stats->patch_bytes[op] : 0;
    }
    return bytes;
}
