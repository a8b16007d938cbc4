/**
 * A patch explained: which tensors of the target its bytes rebuild, and how those are predicted.
 *
 * A frame's bytes belong to what it rebuilds. Where a frame rebuilds several things, its bytes are
 * shared out: with both sides at hand in proportion to the changed bytes of each, else to the bytes
 * of target. Changed are, of numbers, those that the prediction from the base's bytes misses (fresh
 * ones all); of bytes as such (zstd, edits), those in no run of 8 that stands in the frame's ranges
 * or earlier in the frame; of XOR and SUB frames, those that differ. Shares are whole bytes and add
 * up.
 */
#ifndef OXIDE_DELTA_EXPLAIN_H
#define OXIDE_DELTA_EXPLAIN_H

#include "oxide/base/stop.h"
#include "oxide/delta/side.h"
#include "oxide/tensor/layout.h"

/** What a row's bytes of target are. */
enum ox_explained_kind {
    OX_EXPLAINED_TENSOR,
    OX_EXPLAINED_GAP,       /* what lies between the tensors of a file that has some */
    OX_EXPLAINED_BYTES,     /* a file without tensors */
    OX_EXPLAINED_PREDICTOR, /* no target was given: all that is predicted in one way */
};

struct ox_explained_row {
    enum ox_explained_kind kind;
    const char *file; /* path in the target's manifest; NULL without a target */
    const char *name; /* of the tensor, as its file spells it: see ox_tensor; else "" */
    enum ox_dtype dtype;
    uint32_t rank;
    const uint64_t *shape;
    uint64_t target_offset; /* of its first byte, in the flat space; 0 without a target */
    uint64_t target_bytes;
    uint64_t patch_bytes;
    const char *predictors; /* "same", "pruned+copy": the costliest first; "" if no frame came */
};

struct ox_explanation {
    const struct ox_explained_row *rows; /* by patch_bytes, the largest first; then by offset */
    size_t count;
    uint64_t framing_bytes; /* of the patch's header and end, in no row */
    uint64_t patch_bytes;   /* all rows and framing_bytes */
};

struct ox_explain;

struct ox_explain_spec {
    const struct ox_delta_side *base;   /* lent, as all of these; may be NULL */
    const struct ox_delta_side *target; /* NULL: a row per predictor */
    struct ox_stop *stop;               /* may be NULL */
};

/**
 * Start to explain one patch of OXDL 2: reads the target's layouts. Feed the patch's bytes in
 * pieces of any size, then finish. A row per tensor of the target and one per file for its other
 * bytes, or a row per predictor. Memory: 8 MiB, some 200 bytes per tensor, and names and shapes up
 * to 64 MiB (past that tensors have neither). Errors: OX_ENOMEM, the target's own.
 */
OX_MUST_USE enum ox_code ox_explain_new(struct ox_explain **out, const struct ox_explain_spec *spec,
                                        struct ox_err *err);
/** Errors: OX_EBASE if the base, OX_EDIGEST if the target is not the one of the patch;
 * OX_ECANCELED; OX_ECORRUPT, OX_EUNSUPPORTED as in ox_oxdl_reader_feed; the sides' own. */
OX_MUST_USE enum ox_code ox_explain_feed(struct ox_explain *explain, const void *bytes,
                                         size_t len_bytes, struct ox_err *err);
/** *out is lent until ox_explain_free. Errors: OX_ECORRUPT if the patch was cut short; OX_ENOMEM.
 */
OX_MUST_USE enum ox_code ox_explain_finish(struct ox_explain *explain,
                                           const struct ox_explanation **out, struct ox_err *err);
void ox_explain_free(struct ox_explain *explain);

/** Feed a whole patch, and finish. */
OX_MUST_USE enum ox_code ox_explain_source(struct ox_explain *explain,
                                           const struct ox_source *patch,
                                           const struct ox_explanation **out, struct ox_err *err);

#endif
