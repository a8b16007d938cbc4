/** The bytes of an OXDL header, shared by reader and writer; docs/oxdl.md, section "Header". */
#ifndef OXIDE_PATCH_HEADER_PRIVATE_H
#define OXIDE_PATCH_HEADER_PRIVATE_H

#include "oxide/base/reader.h"
#include "oxide/patch/oxdl.h"

#define OXDL_FLAG_FILES 0x01u /* file tables follow */
#define OXDL_FLAGS_KNOWN OXDL_FLAG_FILES
#define OXDL_FILE_EXECUTABLE 0x01u
#define OXDL_SUM_BYTES 8u
#define OXDL_FRONT_MIN                                                                             \
    7u /* magic, version, flags, one byte of length: what must be there to go on */

/**
 * How many bytes the version 2 header that starts at `bytes` has in all. OX_OK with *need_bytes: at
 * least so many must be there before oxdl_header_parse (or before this call can say more: then
 * *need_bytes exceeds len_bytes). Errors: OX_ECORRUPT, OX_EUNSUPPORTED, OX_ETOOBIG.
 */
enum ox_code oxdl_header_length(const uint8_t *bytes, size_t len_bytes, size_t *need_bytes,
                                struct ox_err *err);

/** Parse a whole version 2 header. The caller clears *out. */
enum ox_code oxdl_header_parse(const uint8_t *bytes, size_t len_bytes, struct ox_oxdl_header *out,
                               struct ox_err *err);

#endif
