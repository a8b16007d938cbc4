/**
 * FastCDC: cuts bytes into chunks where their content says so, hence at the same places in an old
 * and a new version, whatever was inserted before.
 *
 * Chunks of 256 KiB to 4 MiB, 1 MiB and a little on the average. The first 256 KiB are skipped; up
 * to 1 MiB a cut needs 21 zero bits in the rolling hash, behind that 19 (normalised chunking, level
 * 1). The hash is h = 2h + gear[byte] modulo 2^64 with index.h's roll_gear; bits 63, 61, 59 and so
 * on down are looked at, which see at least the last 24 bytes. What readers of patches do does not
 * depend on any of this.
 * Source: FastCDC (Xia et al., 2020), sections 4.2 to 4.5.
 */
#ifndef OXIDE_DELTA_FASTCDC_H
#define OXIDE_DELTA_FASTCDC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FASTCDC_MIN_BYTES ((uint32_t)256 << 10)
#define FASTCDC_AVG_BYTES ((uint32_t)1 << 20)
#define FASTCDC_MAX_BYTES ((uint32_t)4 << 20)

/** The chunk that grows; zero-initialise. */
struct fastcdc {
    uint64_t hash;
    uint32_t len_bytes; /* of the chunk so far */
};

/**
 * Take bytes up to the next cut. True if there is one behind *used_bytes: the next call begins a
 * chunk. Else all bytes were taken; the data's end ends its last chunk.
 */
bool fastcdc_feed(struct fastcdc *cdc, const uint8_t *bytes, size_t len_bytes, size_t *used_bytes);

#endif
