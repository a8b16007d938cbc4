/**
 * A bounds-checked cursor over borrowed bytes: the only way in which we read hostile input.
 *
 * Every call either consumes what it returns or consumes nothing and returns OX_ECORRUPT with the
 * offset at which the bytes ran out. `name` is what messages call the input, e.g. "patch header".
 */
#ifndef OXIDE_BASE_READER_H
#define OXIDE_BASE_READER_H

#include "oxide/base/err.h"

#include <stdint.h>

struct ox_reader {
    const uint8_t *data;
    size_t len_bytes;
    size_t pos;
    const char *name;
};

void ox_reader_init(struct ox_reader *reader, const void *data, size_t len_bytes, const char *name);

/** Bytes not yet consumed. */
size_t ox_reader_left(const struct ox_reader *reader);

OX_MUST_USE enum ox_code ox_reader_u8(struct ox_reader *reader, uint8_t *out, struct ox_err *err);
OX_MUST_USE enum ox_code ox_reader_u16le(struct ox_reader *reader, uint16_t *out,
                                         struct ox_err *err);
OX_MUST_USE enum ox_code ox_reader_u32le(struct ox_reader *reader, uint32_t *out,
                                         struct ox_err *err);
OX_MUST_USE enum ox_code ox_reader_u64le(struct ox_reader *reader, uint64_t *out,
                                         struct ox_err *err);

/**
 * LEB128, at most 10 bytes, no bits past 64. Over-long encodings (a last byte of 0 after the
 * first) are refused, so that one value has one spelling.
 */
OX_MUST_USE enum ox_code ox_reader_varint(struct ox_reader *reader, uint64_t *out,
                                          struct ox_err *err);

/** Lend the next len_bytes. */
OX_MUST_USE enum ox_code ox_reader_bytes(struct ox_reader *reader, size_t len_bytes,
                                         const uint8_t **out, struct ox_err *err);

/** Refuse leftovers: OX_ECORRUPT unless all is consumed. */
OX_MUST_USE enum ox_code ox_reader_end(const struct ox_reader *reader, struct ox_err *err);

/** Little-endian loads and stores at any alignment; compilers make one move of each. */
static inline uint16_t ox_load_u16le(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | (unsigned)bytes[1] << 8);
}

static inline uint32_t ox_load_u32le(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static inline uint64_t ox_load_u64le(const uint8_t *bytes)
{
    return (uint64_t)ox_load_u32le(bytes) | (uint64_t)ox_load_u32le(bytes + 4) << 32;
}

static inline void ox_store_u32le(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
    bytes[2] = (uint8_t)(value >> 16);
    bytes[3] = (uint8_t)(value >> 24);
}

static inline void ox_store_u64le(uint8_t *bytes, uint64_t value)
{
    ox_store_u32le(bytes, (uint32_t)value);
    ox_store_u32le(bytes + 4, (uint32_t)(value >> 32));
}

#endif
