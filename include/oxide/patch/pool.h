/**
 * The patch format POOL, version 1 (docs/pool.md specifies it): a header of 54 bytes, then COPY and
 * LITERAL instructions in the order of the target until the target is whole. It names the base by
 * its size alone and has no sums but the target's BLAKE3, so damage shows at the end.
 */
#ifndef OXIDE_PATCH_POOL_H
#define OXIDE_PATCH_POOL_H

#include "oxide/base/buf.h"
#include "oxide/base/digest.h"
#include "oxide/base/io.h"

#include <stdint.h>

#define OX_POOL1_MAGIC "POOL"
#define OX_POOL1_MAGIC_BYTES 4
#define OX_POOL1_VERSION 1
#define OX_POOL1_HEADER_BYTES 54
#define OX_POOL1_COPY_BYTES 17   /* a whole COPY */
#define OX_POOL1_LITERAL_BYTES 9 /* of a LITERAL, before its bytes */

/** Numbers are pinned by the format. */
enum ox_pool1_op { OX_POOL1_COPY = 1, OX_POOL1_LITERAL = 2 };

struct ox_pool1_header {
    uint64_t base_bytes;
    uint64_t target_bytes;
    struct ox_digest target_blake3;
};

/* --- writing --- */

/** Append a header, a COPY, or the front of a LITERAL (whose bytes follow). Errors: OX_ENOMEM. */
OX_MUST_USE enum ox_code
ox_pool1_put_header(struct ox_buf *out, const struct ox_pool1_header *header, struct ox_err *err);
OX_MUST_USE enum ox_code ox_pool1_put_copy(struct ox_buf *out, uint64_t base_offset,
                                           uint64_t len_bytes, struct ox_err *err);
OX_MUST_USE enum ox_code ox_pool1_put_literal(struct ox_buf *out, uint64_t len_bytes,
                                              struct ox_err *err);

/* --- reading --- */

/**
 * Where the reader hands over what it has checked: the header, then each instruction with its
 * length (1 or more; together the target's size; a COPY lies inside the base), and after each
 * LITERAL its bytes, in as many pieces as they come in, lent until the call returns.
 */
struct ox_pool1_handler {
    void *ctx;
    enum ox_code (*on_header)(void *ctx, const struct ox_pool1_header *header, struct ox_err *err);
    enum ox_code (*on_copy)(void *ctx, uint64_t base_offset, uint64_t len_bytes,
                            struct ox_err *err);
    enum ox_code (*on_literal)(void *ctx, uint64_t len_bytes, struct ox_err *err);
    enum ox_code (*on_bytes)(void *ctx, const uint8_t *bytes, size_t len_bytes, struct ox_err *err);
};

/** A streaming reader, in the caller's storage; it holds no resources. */
struct ox_pool1_reader {
    struct ox_pool1_handler handler;
    struct ox_pool1_header header;
    bool have_header;
    bool broken;
    uint64_t offset;        /* in the patch, of front's first byte or of the next literal byte */
    uint64_t target_offset; /* what the instructions so far rebuild */
    uint64_t literal_left;  /* bytes of the open LITERAL to come */
    uint8_t front[OX_POOL1_HEADER_BYTES]; /* of a header or instruction that is not whole yet */
    size_t front_bytes;
};

void ox_pool1_reader_init(struct ox_pool1_reader *reader, const struct ox_pool1_handler *handler);

/**
 * Take the next bytes of a patch, in pieces of any size. Errors: OX_ECORRUPT (with the offset in
 * the patch), OX_EUNSUPPORTED (another version), OX_ETOOBIG (a size of 2^63 bytes or more), or
 * what the handler returned. After an error the reader only refuses.
 */
OX_MUST_USE enum ox_code ox_pool1_reader_feed(struct ox_pool1_reader *reader, const void *bytes,
                                              size_t len_bytes, struct ox_err *err);

/** The patch ends here: OX_ECORRUPT if it was cut short. */
OX_MUST_USE enum ox_code ox_pool1_reader_finish(const struct ox_pool1_reader *reader,
                                                struct ox_err *err);

/** Does the source begin as a POOL patch does? False too if it cannot be read. */
bool ox_pool1_recognise(const struct ox_source *patch);

/** Read the header alone, from the front of a patch. Errors: as above. */
OX_MUST_USE enum ox_code ox_pool1_read_header(const struct ox_source *patch,
                                              struct ox_pool1_header *out, struct ox_err *err);

#endif
