/** Headers of tar archives: regular files with short names, of any size.
 *  Source: POSIX.1-2017, pax, "ustar Interchange Format"; sizes past 8 GiB as GNU tar has them. */
#ifndef OX_CONTROL_TAR_H
#define OX_CONTROL_TAR_H

#include "oxide/base/err.h"

#include <stdint.h>

#define OX_TAR_BLOCK 512
#define OX_TAR_NAME_MAX 100

struct ox_tar_entry {
    char name[OX_TAR_NAME_MAX + 1];
    uint64_t size_bytes;
};

/** Bytes of padding behind a file. */
static inline size_t ox_tar_padding(uint64_t size_bytes)
{
    return (size_t)((OX_TAR_BLOCK - size_bytes % OX_TAR_BLOCK) % OX_TAR_BLOCK);
}

/** The header of a regular file. The name has at most OX_TAR_NAME_MAX bytes. */
void ox_tar_write(const struct ox_tar_entry *entry, int64_t wall_ms, uint8_t out[OX_TAR_BLOCK]);

/** Read a header. *end is true for the block of zeros that ends an archive.
 *  Errors: OX_ECORRUPT for what is no header, or no regular file's. */
OX_MUST_USE enum ox_code ox_tar_read(const uint8_t block[OX_TAR_BLOCK], struct ox_tar_entry *out,
                                     bool *end, struct ox_err *err);

#endif
