/** What ran where and when: a row for each time that a device ran a version of a model. */
#ifndef OXIDE_REGISTRY_HISTORY_H
#define OXIDE_REGISTRY_HISTORY_H

#include "oxide/base/digest.h"
#include "oxide/registry/page.h"

struct ox_history_row {
    int64_t id; /* grows */
    const char *device_id;
    const char *model_id;
    const char *version;
    bool has_digest;
    struct ox_digest digest;
    int64_t from_ms; /* when the device said so first */
    int64_t to_ms;   /* when it said otherwise; 0: it runs now */
};

/** Write down what changed in device_models of a device since the last call. */
OX_MUST_USE enum ox_code ox_registry_history_note(struct ox_tx *tx, const char *device_id,
                                                  int64_t now_ms, struct ox_err *err);
/** What devices ran. Sorts: id, the order in which it was said; device; from. Filters: device,
 * model, version, at (what ran at that time, in milliseconds). */
OX_MUST_USE enum ox_code ox_registry_history_page(struct ox_tx *tx, const struct ox_page *page,
                                                  struct ox_history_row **rows, size_t *count,
                                                  const char **next, struct ox_err *err);
/**
 * The version that a device ran before the one that it runs now (or ran last), with other bytes.
 * Errors: OX_ENOTFOUND if it never ran another, as far as is known.
 */
OX_MUST_USE enum ox_code ox_registry_device_previous(struct ox_tx *tx, const char *device_id,
                                                     const char *model_id,
                                                     struct ox_history_row *out,
                                                     struct ox_err *err);

/** Devices that ran a model at a time. */
struct ox_where {
    const char *model_id;
    const char *version; /* NULL: any */
    int64_t at_ms;
};
struct ox_where_count {
    const char *version;
    bool has_digest;
    struct ox_digest digest;
    uint64_t devices;
};
/** How many devices ran each version, the most first. */
OX_MUST_USE enum ox_code ox_registry_where_counts(struct ox_tx *tx, const struct ox_where *where,
                                                  struct ox_where_count **rows, size_t *count,
                                                  struct ox_err *err);

/**
 * Rows that nobody asks for any more: ended before before_ms, and not the last one before what the
 * device runs now (a revert goes there). One walk goes from *from_id = 0 on, in steps of `limit`
 * rows: *last_id is where the next step goes on, 0 at the end; *any, whether this step has some.
 */
OX_MUST_USE enum ox_code ox_registry_history_stale(struct ox_tx *tx, int64_t from_id,
                                                   uint64_t limit, int64_t before_ms,
                                                   int64_t *last_id, bool *any, struct ox_err *err);
/** Forget those in (from_id, last_id]. */
OX_MUST_USE enum ox_code ox_registry_history_prune(struct ox_tx *tx, int64_t from_id,
                                                   int64_t last_id, int64_t before_ms,
                                                   struct ox_err *err);

#endif
