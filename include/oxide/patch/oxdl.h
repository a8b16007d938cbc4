/**
 * The patch format OXDL, version 2 (docs/oxdl.md specifies it) and the header of version 1.
 *
 * A patch is a header, frames in the order of the target, and an end frame. Each frame rebuilds up
 * to 4 MiB of target from its own body and the ranges that it names, and carries a sum of what it
 * rebuilds. Base and target are flat spaces: the files of an artifact laid end to end by path.
 */
#ifndef OXIDE_PATCH_OXDL_H
#define OXIDE_PATCH_OXDL_H

#include "oxide/base/buf.h"
#include "oxide/base/io.h"
#include "oxide/base/manifest.h"

#include <stdint.h>

#define OX_OXDL_MAGIC "OXDL"
#define OX_OXDL_VERSION 2
#define OX_OXDL_FRAME_TARGET_MAX ((uint32_t)4 << 20) /* bytes that one frame rebuilds */
#define OX_OXDL_FRAME_BODY_MAX ((uint32_t)1 << 20)   /* bytes of patch in one frame's body */
#define OX_OXDL_RANGES_MAX 256                       /* ranges that one frame names */
#define OX_OXDL_GATHER_MAX ((uint32_t)4 << 20)       /* bytes of those ranges together */
#define OX_OXDL_FRAME_ALL_MAX ((uint32_t)5 << 20)    /* of target, ranges and body; but of copies */
#define OX_OXDL_NUMBERS_MAX ((uint32_t)1 << 20) /* of target, and of ranges: xor, sub, numbers */
#define OX_OXDL_HEADER_MAX ((uint32_t)16 << 20) /* bytes of header: file tables dominate */

/**
 * Operations: how a frame's target bytes come about. Numbers are pinned; bit `op` of the header's
 * bitmap says that a reader must know it. To add one: a row here, its decoder in
 * delta/decode.c, its encoder in delta/encode.c, a section in docs/oxdl.md.
 */
enum ox_oxdl_op {
    OX_OXDL_END = 0,     /* no target; the number of frames */
    OX_OXDL_COPY = 1,    /* the ranges, one after the other */
    OX_OXDL_RAW = 2,     /* the body */
    OX_OXDL_ZSTD = 3,    /* the body is a zstd frame; the ranges, one after the other, its prefix */
    OX_OXDL_XOR = 4,     /* ranges XOR byte planes in the body */
    OX_OXDL_SUB = 5,     /* ranges + integer differences, folded, in byte planes in the body */
    OX_OXDL_NUMBERS = 6, /* ranges predict numbers; the body says how, and what differs */
    OX_OXDL_EDIT = 7,    /* copies of the ranges and of the target, and bytes between them */
    OX_OXDL_OP_COUNT = 8,
};
/** May a frame have so many bytes? What readers need of memory is bounded by it. */
bool ox_oxdl_frame_fits(enum ox_oxdl_op op, uint64_t target_bytes, uint64_t ranges_bytes,
                        uint64_t body_bytes);
/** All operations that this release reads. */
#define OX_OXDL_OPS_KNOWN (((uint64_t)1 << OX_OXDL_OP_COUNT) - 1)

const char *ox_oxdl_op_word(enum ox_oxdl_op op);

/** One side of a patch. */
struct ox_oxdl_side {
    struct ox_digest digest;  /* of the artifact */
    uint64_t size_bytes;      /* of the flat space */
    struct ox_manifest files; /* owned; count 0: one file, known by its digest alone */
};

struct ox_oxdl_header {
    uint8_t version; /* 2, or 1 */
    uint64_t ops;    /* bitmap of the operations in use */
    struct ox_oxdl_side base;
    struct ox_oxdl_side target;
};

void ox_oxdl_header_clear(struct ox_oxdl_header *header);

/** The path in the table of a target that is a file on its own, where its base needs tables.
 * Nothing in a folder is called that: hidden files are no part of an artifact. */
#define OX_OXDL_LONE_PATH ".file"

/** Is the target a folder, be it of one file, as docs/oxdl.md has it under "Header"? */
bool ox_oxdl_target_is_folder(const struct ox_oxdl_header *header);

/** A run of bytes that a frame reads, in the base or among earlier target bytes. */
struct ox_oxdl_range {
    bool from_target;
    uint64_t offset;
    uint64_t len_bytes;
};

struct ox_oxdl_frame {
    enum ox_oxdl_op op;
    uint64_t target_offset; /* where its bytes go: the frames before it end there */
    uint32_t target_bytes;
    uint64_t sum; /* XXH64 of the rebuilt bytes, seeded with target_offset */
    size_t range_count;
    const struct ox_oxdl_range *ranges; /* checked: inside the base, or before target_offset */
    uint32_t ranges_bytes;              /* all together */
    const uint8_t *body;
    uint32_t body_bytes;
};

/* --- writing --- */

/** Append the bytes of a version 2 header, its sum included. */
OX_MUST_USE enum ox_code ox_oxdl_put_header(struct ox_buf *out, const struct ox_oxdl_header *header,
                                            struct ox_err *err);
/** Append one frame. `frame->sum` must be set. */
OX_MUST_USE enum ox_code ox_oxdl_put_frame(struct ox_buf *out, const struct ox_oxdl_frame *frame,
                                           struct ox_err *err);
/** Append the end frame. */
OX_MUST_USE enum ox_code ox_oxdl_put_end(struct ox_buf *out, uint64_t frames, struct ox_err *err);

/* --- reading --- */

/** Where the reader hands over what it has checked. What it lends lives until the call returns. */
struct ox_oxdl_handler {
    void *ctx;
    enum ox_code (*on_header)(void *ctx, const struct ox_oxdl_header *header, struct ox_err *err);
    enum ox_code (*on_frame)(void *ctx, const struct ox_oxdl_frame *frame, struct ox_err *err);
};

struct ox_oxdl_reader;

/** A streaming reader of version 2. Holds at most one frame (1 MiB and a little). */
OX_MUST_USE enum ox_code ox_oxdl_reader_new(struct ox_oxdl_reader **out,
                                            const struct ox_oxdl_handler *handler,
                                            struct ox_err *err);
void ox_oxdl_reader_free(struct ox_oxdl_reader *reader);

/**
 * Take the next bytes of a patch, in pieces of any size. Errors: OX_ECORRUPT (damage, with its
 * offset in the patch; bytes behind the end frame), OX_EUNSUPPORTED (version, flag or operation
 * that we do not know), OX_ETOOBIG, OX_ENOMEM, or what the handler returned. After an error the
 * reader only refuses.
 */
OX_MUST_USE enum ox_code ox_oxdl_reader_feed(struct ox_oxdl_reader *reader, const void *bytes,
                                             size_t len_bytes, struct ox_err *err);

/** The patch ends here: OX_ECORRUPT if it was cut short. */
OX_MUST_USE enum ox_code ox_oxdl_reader_finish(struct ox_oxdl_reader *reader, struct ox_err *err);

/** How far a reader has come: behind the last whole frame (or header) that was handed over. Behind
 *  the end frame it is a mark of all of the patch: what follows there has no end and is cut short.
 */
struct ox_oxdl_mark {
    uint64_t patch_bytes;  /* of the patch up to there */
    uint64_t target_bytes; /* that the frames so far rebuild */
    uint64_t frames;
};
void ox_oxdl_reader_mark(const struct ox_oxdl_reader *reader, struct ox_oxdl_mark *out);
/** Bytes of the header; 0 before it was handed over. */
uint64_t ox_oxdl_reader_header_bytes(const struct ox_oxdl_reader *reader);

/**
 * Go on at a mark of this patch: after its header was fed, and nothing else. The next bytes to feed
 * are those at mark->patch_bytes. Errors: OX_ECORRUPT if there can be no such mark.
 */
OX_MUST_USE enum ox_code ox_oxdl_reader_resume(struct ox_oxdl_reader *reader,
                                               const struct ox_oxdl_mark *mark, struct ox_err *err);

/**
 * Read the header alone, of version 1 or 2, from the front of a patch. The caller clears *out.
 * Errors: as above.
 */
OX_MUST_USE enum ox_code ox_oxdl_read_header(const struct ox_source *patch,
                                             struct ox_oxdl_header *out, struct ox_err *err);

#endif
