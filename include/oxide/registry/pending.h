/** Devices that asked and are not known: they wait to be accepted, or were rejected. */
#ifndef OXIDE_REGISTRY_PENDING_H
#define OXIDE_REGISTRY_PENDING_H

#include "oxide/registry/page.h"

/** Rows at most; past them the one that was silent longest makes room. */
#define OX_PENDING_MAX 4096

struct ox_pending_row {
    const char *id;
    const char *state;   /* pending, rejected */
    const char *address; /* NULL: not known, as the following */
    const char *agent;
    const char *platform; /* JSON text */
    int64_t first_seen_ms;
    int64_t last_seen_ms;
};

/** *found is false if it is not there. */
OX_MUST_USE enum ox_code ox_registry_pending_get(struct ox_tx *tx, const char *id,
                                                 struct ox_pending_row *out, bool *found,
                                                 struct ox_err *err);
/** Insert it, or replace all but first_seen; what is NULL stays as it was. */
OX_MUST_USE enum ox_code ox_registry_pending_put(struct ox_tx *tx, const struct ox_pending_row *row,
                                                 struct ox_err *err);
/** Make room for one more: *room is false if all rows were seen since `before_ms`. */
OX_MUST_USE enum ox_code ox_registry_pending_make_room(struct ox_tx *tx, int64_t before_ms,
                                                       bool *room, struct ox_err *err);
/** Forget it; an unknown one is fine. */
OX_MUST_USE enum ox_code ox_registry_pending_remove(struct ox_tx *tx, const char *id,
                                                    struct ox_err *err);
/** Sorts: id, first_seen, last_seen. Filters: state. */
OX_MUST_USE enum ox_code ox_registry_pending_page(struct ox_tx *tx, const struct ox_page *page,
                                                  struct ox_pending_row **rows, size_t *count,
                                                  const char **next, struct ox_err *err);

#endif
