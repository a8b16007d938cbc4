/** Bits in a row, least significant first within each byte. */
#ifndef OXIDE_ENTROPY_BITS_H
#define OXIDE_ENTROPY_BITS_H

#include "oxide/base/buf.h"
#include "oxide/base/reader.h"

/** Appends to a buffer. Zero-initialise with `out` set; ox_bits_end writes what is left. */
struct ox_bits_writer {
    struct ox_buf *out;
    uint64_t pending;
    unsigned count; /* of pending bits, under 8 between calls */
};

/** Append the low `count` bits of value, 0 to 32. Errors: OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_bits_put(struct ox_bits_writer *writer, uint32_t value, unsigned count,
                                     struct ox_err *err);
/** Pad with zeros to a whole byte. */
OX_MUST_USE enum ox_code ox_bits_end(struct ox_bits_writer *writer, struct ox_err *err);

/** Reads from borrowed memory. */
struct ox_bits_reader {
    const uint8_t *data;
    size_t len_bytes;
    uint64_t pos_bits;
};

/** The next `count` bits, 0 to 32. Errors: OX_ECORRUPT past the end. */
OX_MUST_USE enum ox_code ox_bits_get(struct ox_bits_reader *reader, unsigned count, uint32_t *out,
                                     struct ox_err *err);

/** Elias gamma codes for value >= 1: its bit length in unary, then its bits below the top one. */
OX_MUST_USE enum ox_code ox_bits_put_gamma(struct ox_bits_writer *writer, uint32_t value,
                                           struct ox_err *err);
OX_MUST_USE enum ox_code ox_bits_get_gamma(struct ox_bits_reader *reader, uint32_t *out,
                                           struct ox_err *err);

#endif
