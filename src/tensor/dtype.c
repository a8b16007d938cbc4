#include "dtype.h"

/* Block sizes: ggml-common.h of ggml, the block_* structures with QK_K = 256. */
static const struct ox_dtype_info infos[OX_DTYPE_COUNT] = {
    [OX_DTYPE_OTHER] = {"other", 1, 0},     [OX_DTYPE_F64] = {"f64", 1, 8},
    [OX_DTYPE_F32] = {"f32", 1, 4},         [OX_DTYPE_F16] = {"f16", 1, 2},
    [OX_DTYPE_BF16] = {"bf16", 1, 2},       [OX_DTYPE_F8_E4M3] = {"f8_e4m3", 1, 1},
    [OX_DTYPE_F8_E5M2] = {"f8_e5m2", 1, 1}, [OX_DTYPE_I64] = {"i64", 1, 8},
    [OX_DTYPE_I32] = {"i32", 1, 4},         [OX_DTYPE_I16] = {"i16", 1, 2},
    [OX_DTYPE_I8] = {"i8", 1, 1},           [OX_DTYPE_U64] = {"u64", 1, 8},
    [OX_DTYPE_U32] = {"u32", 1, 4},         [OX_DTYPE_U16] = {"u16", 1, 2},
    [OX_DTYPE_U8] = {"u8", 1, 1},           [OX_DTYPE_BOOL] = {"bool", 1, 1},
    [OX_DTYPE_I4] = {"i4", 2, 1},           [OX_DTYPE_U4] = {"u4", 2, 1},
    [OX_DTYPE_Q4_0] = {"q4_0", 32, 18},     [OX_DTYPE_Q4_1] = {"q4_1", 32, 20},
    [OX_DTYPE_Q5_0] = {"q5_0", 32, 22},     [OX_DTYPE_Q5_1] = {"q5_1", 32, 24},
    [OX_DTYPE_Q8_0] = {"q8_0", 32, 34},     [OX_DTYPE_Q8_1] = {"q8_1", 32, 36},
    [OX_DTYPE_Q2_K] = {"q2_k", 256, 84},    [OX_DTYPE_Q3_K] = {"q3_k", 256, 110},
    [OX_DTYPE_Q4_K] = {"q4_k", 256, 144},   [OX_DTYPE_Q5_K] = {"q5_k", 256, 176},
    [OX_DTYPE_Q6_K] = {"q6_k", 256, 210},   [OX_DTYPE_Q8_K] = {"q8_k", 256, 292},
    [OX_DTYPE_IQ4_NL] = {"iq4_nl", 32, 18}, [OX_DTYPE_IQ4_XS] = {"iq4_xs", 256, 136},
};

const struct ox_dtype_info *ox_dtype_info(enum ox_dtype dtype)
{
    unsigned row = (unsigned)dtype;

    return &infos[row < OX_DTYPE_COUNT ? row : OX_DTYPE_OTHER];
}

bool ox_shape_elements(const uint64_t *shape, uint32_t rank, uint64_t *out)
{
    uint64_t elements = 1;

    for (uint32_t i = 0; i < rank; i++) {
        if (shape[i] == 0) {
            *out = 0;
            return true;
        }
    }
    for (uint32_t i = 0; i < rank; i++) {
        if (elements > UINT64_MAX / shape[i]) {
            return false;
        }
        elements *= shape[i];
    }
    *out = elements;
    return true;
}

bool ox_block_length(struct ox_block block, uint64_t elements, uint64_t *out_bytes)
{
    uint64_t blocks = elements / block.elements + (elements % block.elements != 0);

    if (blocks > UINT64_MAX / block.bytes) {
        return false;
    }
    *out_bytes = blocks * block.bytes;
    return true;
}

bool ox_dtype_block(enum ox_dtype dtype, struct ox_block *out)
{
    const struct ox_dtype_info *info = ox_dtype_info(dtype);

    if (info->block_bytes == 0) {
        return false;
    }
    *out = (struct ox_block){info->block_elements, info->block_bytes};
    return true;
}
