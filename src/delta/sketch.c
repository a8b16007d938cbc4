#include "sketch.h"

#include "oxide/base/reader.h"

/* Runs of neighbours, evenly spread: of each the order of every two that follow each other. */
#define RUNS 8
#define RUN 9
#define NUMBER_BYTES_MAX 8

/* How numbers are read. */
struct number {
    uint32_t bytes;      /* of one, 1 to 8 */
    bool sign_magnitude; /* a float */
    bool is_signed;
};

static struct number number_of(enum ox_dtype dtype)
{
    uint32_t bytes = ox_dtype_info(dtype)->block_bytes;

    switch (dtype) {
    case OX_DTYPE_F64:
    case OX_DTYPE_F32:
    case OX_DTYPE_F16:
    case OX_DTYPE_BF16:
    case OX_DTYPE_F8_E4M3:
    case OX_DTYPE_F8_E5M2:
        return (struct number){bytes, true, true};
    case OX_DTYPE_I64:
    case OX_DTYPE_I32:
    case OX_DTYPE_I16:
    case OX_DTYPE_I8:
        return (struct number){bytes, false, true};
    case OX_DTYPE_U64:
    case OX_DTYPE_U32:
    case OX_DTYPE_U16:
        return (struct number){bytes, false, false};
    case OX_DTYPE_Q8_0:
    case OX_DTYPE_Q8_1:
    case OX_DTYPE_Q8_K:
        return (struct number){1, false, true};
    default: /* two in a byte, or more: the high bits of one decide */
        return (struct number){1, false, false};
    }
}

/* A value in the order of its kind. */
static int64_t value_of(const uint8_t *bytes, const struct number *number)
{
    unsigned bits = 8 * number->bytes;
    uint64_t value = 0;
    int64_t magnitude;

    for (uint32_t i = number->bytes; i-- > 0;) {
        value = value << 8 | bytes[i];
    }
    if (!number->is_signed) {
        return (int64_t)(value >> 1); /* of 64 bits the lowest does not matter */
    }
    if (!number->sign_magnitude) {
        return (int64_t)(value << (64 - bits)) >> (64 - bits);
    }
    magnitude = (int64_t)(value & (UINT64_MAX >> (65 - bits)));
    return (value >> (bits - 1) & 1) != 0 ? -magnitude : magnitude;
}

enum ox_code sketch_tensor(const struct ox_source *space, uint64_t offset, uint64_t length_bytes,
                           enum ox_dtype dtype, uint64_t *out, struct ox_err *err)
{
    struct number number = number_of(dtype);
    uint32_t block = ox_dtype_info(dtype)->block_bytes;
    uint32_t step = block > number.bytes ? block : number.bytes;
    uint32_t skip = block > number.bytes ? block / 2 : 0; /* scales stand at the ends of blocks */
    uint64_t count = length_bytes / step;
    uint64_t sketch = 0;

    for (unsigned run = 0; run < RUNS; run++) {
        uint8_t bytes[RUN * NUMBER_BYTES_MAX];
        uint64_t room = skip > 0 ? 1 : RUN; /* blocks of a run */
        uint64_t first = count > room ? (count - room) * run / (RUNS - 1) : 0;
        uint64_t at = first * step + skip;
        uint64_t left = at < length_bytes ? (length_bytes - at) / number.bytes : 0;
        size_t n = left < RUN ? (size_t)left : RUN;
        enum ox_code code = ox_source_read(space, offset + at, bytes, n * number.bytes, err);

        if (code != OX_OK) {
            return code;
        }
        for (size_t i = 0; i + 1 < n; i++) {
            bool falls = value_of(bytes + i * number.bytes, &number) >
                         value_of(bytes + (i + 1) * number.bytes, &number);

            sketch |= (uint64_t)falls << (run * (RUN - 1) + i);
        }
    }
    *out = sketch;
    return OX_OK;
}

unsigned sketch_distance(uint64_t a, uint64_t b)
{
    return (unsigned)__builtin_popcountll(a ^ b);
}
