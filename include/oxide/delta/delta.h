/** Deltas: make the patch that turns one artifact into another, and apply it. */
#ifndef OXIDE_DELTA_DELTA_H
#define OXIDE_DELTA_DELTA_H

#include "oxide/base/stop.h"
#include "oxide/delta/side.h"
#include "oxide/patch/oxdl.h"

/** Rows of the table in delta/engines.c. */
enum ox_delta_engine {
    OX_ENGINE_AUTO,   /* per stretch of the target, whichever of the others is smaller */
    OX_ENGINE_TENSOR, /* tensors against their likes in the base; gaps as binary does */
    OX_ENGINE_BINARY, /* no meaning: matches over the whole base */
};
const char *ox_delta_engine_word(enum ox_delta_engine engine);
OX_MUST_USE enum ox_code ox_delta_engine_parse(const char *word, enum ox_delta_engine *out,
                                               struct ox_err *err);

#define OX_DELTA_EFFORT_DEFAULT 3 /* what a server uses on upload */
#define OX_DELTA_EFFORT_MAX 9
#define OX_DELTA_MEMORY_DEFAULT ((uint64_t)256 << 20)
#define OX_DELTA_MEMORY_MIN ((uint64_t)64 << 20) /* what one thread needs with the least tables */
#define OX_DELTA_MEMORY_MAX ((uint64_t)1 << 40)

/** What a target of one file is to be for who applies the patch by the command line. Devices have
 *  the names of files from their assignments. */
enum ox_delta_target {
    OX_TARGET_ANY,    /* as it comes: named in a table if the base has several files */
    OX_TARGET_FILE,   /* a file on its own, without a name */
    OX_TARGET_FOLDER, /* a folder, with the file's name and mode */
};

struct ox_delta_options {
    enum ox_delta_engine engine;
    unsigned effort;  /* 1 (fast) to 9 (small); 0: OX_DELTA_EFFORT_DEFAULT */
    unsigned threads; /* 0: as many as the machine has, at most 4; the bytes do not depend on it */
    uint64_t memory_bytes; /* that creating may take in all; 0: OX_DELTA_MEMORY_DEFAULT */
    uint64_t ops;          /* OXDL 2 operations that the reader knows; 0: all of this release */
    enum ox_delta_target target_is;     /* matters where the target has one file */
    struct ox_stop *stop;               /* may be NULL */
    const struct ox_progress *progress; /* bytes of target done; may be NULL */
};

/** What became of the target's bytes, by operation. */
struct ox_delta_stats {
    uint64_t target_bytes[OX_OXDL_OP_COUNT];
    uint64_t patch_bytes[OX_OXDL_OP_COUNT]; /* frames whole; header and end under OX_OXDL_END */
    uint64_t frames;
    uint64_t patch_total_bytes;
    enum ox_delta_engine engine; /* TENSOR if any tensor operation was used, else BINARY */
};

/**
 * Write the OXDL 2 patch from base to target. Memory is bounded whatever their size; the same
 * input gives the same bytes on every machine. stats may be NULL.
 * Errors: OX_ECANCELED, OX_ENOMEM, OX_EIO if a side changed while it was read, OX_EUNSUPPORTED if
 * the reader does not even know end and raw, the output's own.
 */
OX_MUST_USE enum ox_code ox_delta_create(const struct ox_delta_side *base,
                                         const struct ox_delta_side *target,
                                         const struct ox_delta_options *options,
                                         const struct ox_output *out, struct ox_delta_stats *stats,
                                         struct ox_err *err);

/** Largest base and target of an OXDL 1 patch: both are held in memory. */
#define OX_OXDL1_SIZE_MAX ((uint64_t)512 << 20)

/** Bytes of memory that ox_delta_create_v1 takes for files of these sizes at the most, the process
 *  included. The format has one chunk and no frames, so this grows with the files. */
uint64_t ox_delta_v1_memory(uint64_t base_bytes, uint64_t target_bytes);

/**
 * Write the OXDL 1 patch (binary strategy) for agents of the first generation. One file on each
 * side. Errors: OX_ETOOBIG over OX_OXDL1_SIZE_MAX, OX_EUNSUPPORTED for several files.
 */
OX_MUST_USE enum ox_code ox_delta_create_v1(const struct ox_delta_side *base,
                                            const struct ox_delta_side *target,
                                            const struct ox_output *out, struct ox_err *err);

/* --- applying --- */

/** The files of a target while they are rebuilt: a sink over the flat space. */
struct ox_target_files;

/**
 * Create the files of `manifest` below folder `dir` (which is made; files there are replaced), with
 * their sizes set. The caller closes *out.
 */
OX_MUST_USE enum ox_code ox_target_create(struct ox_target_files **out, const char *dir,
                                          const struct ox_manifest *manifest, struct ox_err *err);
/** One file at `path`, which must not exist. */
OX_MUST_USE enum ox_code ox_target_create_file(struct ox_target_files **out, const char *path,
                                               uint64_t size_bytes, struct ox_err *err);
/** Files of `manifest` that ox_target_create made before, with what was written to them. Errors:
 *  OX_ENOTFOUND, OX_ECONFLICT (a file of another size, or none at all). The caller closes *out. */
OX_MUST_USE enum ox_code ox_target_open(struct ox_target_files **out, const char *dir,
                                        const struct ox_manifest *manifest, struct ox_err *err);
/** From now on leave little of what is written in the system's cache: others need it more. */
void ox_target_drop_behind(struct ox_target_files *files);
struct ox_sink ox_target_sink(struct ox_target_files *files);
/** Make durable what was written since the last time, and no longer keep it in memory. */
OX_MUST_USE enum ox_code ox_target_flush(struct ox_target_files *files, struct ox_err *err);
/** Make all of it durable: files, then folders. */
OX_MUST_USE enum ox_code ox_target_sync(struct ox_target_files *files, struct ox_err *err);
void ox_target_close(struct ox_target_files *files);

struct ox_apply;

struct ox_apply_spec {
    const struct ox_delta_side *base; /* its digest is trusted: who calls has hashed the bytes */
    const struct ox_sink *sink;       /* NULL: rebuild and verify, keep nothing (needs `check`) */
    const struct ox_source *check;    /* the known target bytes, compared instead of written */
    struct ox_stop *stop;
    const struct ox_progress *progress; /* bytes of target done */
};

/**
 * Start to apply one patch. Feed its bytes in pieces of any size, then finish. Every frame is
 * verified before it is written, every file's SHA-256 at its end; memory stays under 16 MiB (for
 * OXDL 1: the patch, the base and the target).
 */
OX_MUST_USE enum ox_code ox_apply_new(struct ox_apply **out, const struct ox_apply_spec *spec,
                                      struct ox_err *err);
/** Errors: OX_EBASE before a byte is written if the patch is for another base; OX_EDIGEST if what
 *  it rebuilds is not what it promised; those of ox_oxdl_reader_feed; the sink's own. */
OX_MUST_USE enum ox_code ox_apply_feed(struct ox_apply *apply, const void *bytes, size_t len_bytes,
                                       struct ox_err *err);
/** Errors: OX_ECORRUPT if the patch was cut short; OX_EDIGEST. */
OX_MUST_USE enum ox_code ox_apply_finish(struct ox_apply *apply, struct ox_err *err);
/** How far it has come: all of the target up to there is written. All zero before the header. */
void ox_apply_mark(const struct ox_apply *apply, struct ox_oxdl_mark *out);
/** Bytes of the patch's header, which ox_apply_resume wants; 0 before it has come, and for
 * version 1. */
uint64_t ox_apply_header_bytes(const struct ox_apply *apply);
/**
 * Go on at a mark of an earlier run: after the patch's header was fed, and nothing else. What that
 * run had rebuilt of the file in which the mark lies is read back from the sink and hashed, so that
 * its SHA-256 holds at its end all the same; files before it are the caller's to verify. Errors:
 * OX_ECORRUPT (no such mark; version 1 has none), OX_EDIGEST, the sink's own.
 */
OX_MUST_USE enum ox_code ox_apply_resume(struct ox_apply *apply, const struct ox_oxdl_mark *mark,
                                         struct ox_err *err);
/** The header, once enough was fed; else NULL. Lent. */
const struct ox_oxdl_header *ox_apply_header(const struct ox_apply *apply);
void ox_apply_free(struct ox_apply *apply);

/** Feed a whole patch from a source. */
OX_MUST_USE enum ox_code ox_apply_source(const struct ox_apply_spec *spec,
                                         const struct ox_source *patch, struct ox_err *err);

/** Read through a patch and count what is in it. Of version 1 only the sides, the size and the
 *  engine are told, and nothing of the base but its digest: frames and operations are 0. The caller
 *  clears *header. */
OX_MUST_USE enum ox_code ox_delta_inspect(const struct ox_source *patch,
                                          struct ox_oxdl_header *header,
                                          struct ox_delta_stats *stats, struct ox_err *err);

#endif
