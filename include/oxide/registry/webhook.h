/** Webhooks: who is told of events, and how far. */
#ifndef OXIDE_REGISTRY_WEBHOOK_H
#define OXIDE_REGISTRY_WEBHOOK_H

#include "oxide/registry/registry.h"

struct ox_webhook_row {
    const char *id;
    const char *url;
    const char *kinds; /* as in ox_event_filter; NULL: all */
    const char *secret;
    int64_t created_ms;
    int64_t cursor; /* the last event that was taken, or that is of no kind that is asked for */
    bool stopped;   /* the receiver said that it is gone */
    uint64_t delivered;
    uint64_t lost; /* events that the log dropped before they could be delivered */
    uint64_t failures;
    int64_t last_status;    /* of HTTP; 0: none came */
    const char *last_error; /* NULL: the last try went well, or there was none */
    int64_t last_tried_ms;  /* 0: never; so the next two */
    int64_t last_delivered_ms;
    int64_t next_try_ms;
};

/** Errors: OX_ECONFLICT if the id exists. */
OX_MUST_USE enum ox_code ox_registry_webhook_add(struct ox_tx *tx, const struct ox_webhook_row *row,
                                                 struct ox_err *err);
/** Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_webhook_get(struct ox_tx *tx, const char *id,
                                                 struct ox_webhook_row *out, struct ox_err *err);
/** All of them, by id. */
OX_MUST_USE enum ox_code ox_registry_webhooks(struct ox_tx *tx, struct ox_webhook_row **rows,
                                              size_t *count, struct ox_err *err);
/** Write everything from cursor on. One that was removed meanwhile is fine. */
OX_MUST_USE enum ox_code
ox_registry_webhook_update(struct ox_tx *tx, const struct ox_webhook_row *row, struct ox_err *err);
/** Errors: OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_registry_webhook_remove(struct ox_tx *tx, const char *id,
                                                    struct ox_err *err);

#endif
