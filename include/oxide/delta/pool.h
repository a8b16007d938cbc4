/**
 * Deltas in the format POOL version 1 (docs/pool.md), for its own agents and whoever speaks it: one
 * file on each side, whole runs of bytes copied from the base or sent as they are. Our own format,
 * OXDL (delta.h), makes smaller patches, names its base and finds damage as it comes.
 */
#ifndef OXIDE_DELTA_POOL_H
#define OXIDE_DELTA_POOL_H

#include "oxide/base/io.h"
#include "oxide/base/stop.h"
#include "oxide/patch/pool.h"

/** What is in a patch. */
struct ox_pool1_stats {
    struct ox_pool1_header header;
    uint64_t copies;
    uint64_t copy_bytes; /* of target */
    uint64_t literals;
    uint64_t literal_bytes;
    uint64_t patch_bytes;
};

struct ox_pool1_options {
    struct ox_stop *stop;               /* may be NULL */
    const struct ox_progress *progress; /* bytes read, of those to read; may be NULL */
};

/**
 * Write the patch from base to target. Both are read several times: the target once for its digest
 * alone, the base once for its index where chunks must be looked up. Memory: 2 MiB and the index,
 * 16 bytes for half a MiB of base, at most 16 MiB (thinner then: delta/pool_index.h). The same
 * input gives the same bytes on every machine. stats may be NULL. Errors: OX_EIO if the target
 * changed while it was read; OX_ECANCELED, OX_ENOMEM, the sources' and the output's own. Of the
 * base no digest stands in the patch: who calls makes sure that it did not change meanwhile
 * (ox_file_check_unchanged); if it did, applying ends with OX_EDIGEST.
 */
OX_MUST_USE enum ox_code ox_pool1_create(const struct ox_source *base,
                                         const struct ox_source *target,
                                         const struct ox_pool1_options *options,
                                         const struct ox_output *out, struct ox_pool1_stats *stats,
                                         struct ox_err *err);

struct ox_pool1_apply;

struct ox_pool1_apply_spec {
    const struct ox_source *base;
    const struct ox_output *out; /* the target's bytes in order; to be thrown away after an error */
    struct ox_stop *stop;        /* may be NULL */
    const struct ox_progress *progress; /* bytes of target done; may be NULL */
};

/**
 * Start to apply one patch. Feed its bytes in pieces of any size, then finish. Memory is a third of
 * a MiB. The format has one sum, at the end: until finish said OX_OK, nothing written is verified.
 */
OX_MUST_USE enum ox_code ox_pool1_apply_new(struct ox_pool1_apply **out,
                                            const struct ox_pool1_apply_spec *spec,
                                            struct ox_err *err);
/** Errors: OX_EBASE before a byte is written if the base has another size than the patch's; those
 *  of ox_pool1_reader_feed; the base's and the output's own. */
OX_MUST_USE enum ox_code ox_pool1_apply_feed(struct ox_pool1_apply *apply, const void *bytes,
                                             size_t len_bytes, struct ox_err *err);
/** Errors: OX_ECORRUPT if the patch was cut short; OX_EDIGEST if the target's BLAKE3 is not the
 *  promised one: patch or base are not what they should be. */
OX_MUST_USE enum ox_code ox_pool1_apply_finish(struct ox_pool1_apply *apply, struct ox_err *err);
void ox_pool1_apply_free(struct ox_pool1_apply *apply);

/** Feed a whole patch from a source, and finish. */
OX_MUST_USE enum ox_code ox_pool1_apply_source(const struct ox_pool1_apply_spec *spec,
                                               const struct ox_source *patch, struct ox_err *err);

/** Read through a patch, check it as far as that goes without base and target, and count. */
OX_MUST_USE enum ox_code ox_pool1_inspect(const struct ox_source *patch,
                                          struct ox_pool1_stats *stats, struct ox_err *err);

#endif
