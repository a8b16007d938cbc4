/** What the files of webhooks share: who is told, how far each one is, and how a delivery is sent.
 */
#ifndef OX_CONTROL_WEBHOOKS_H
#define OX_CONTROL_WEBHOOKS_H

#include "inner.h"

#include "oxide/control/webhook.h"
#include "oxide/registry/webhook.h"

#include "webhook_policy.h"

struct ox_http;

#define OX_WEBHOOK_THREADS 4      /* receivers that may hang at a time while others are served */
#define OX_WEBHOOK_ERROR_MAX 384  /* what the receiver said */
#define OX_WEBHOOK_REASON_MAX 512 /* that, and what to do about it */

/** A webhook in memory; what changes does so under the lock. */
struct ox_hook {
    struct ox_hook *next;
    char *id;
    char *url;
    char *kinds; /* NULL: all */
    char *secret;

    bool busy;    /* a thread delivers */
    bool removed; /* while it was busy: that thread frees it */
    bool stopped;
    uint64_t saw; /* wakes of the log when its end was reached */
    unsigned batch;
    int64_t cursor;
    int64_t written_cursor; /* in the registry */
    uint64_t delivered;
    uint64_t lost;
    uint64_t failures;
    uint64_t delivered_before; /* the start, as the next */
    uint64_t lost_before;
    uint64_t failed_tries; /* since the start */
    int64_t last_status;
    char last_error[OX_WEBHOOK_REASON_MAX]; /* "": none */
    int64_t last_tried_ms;
    int64_t last_delivered_ms;
    int64_t next_try_ms;
};

struct ox_hooks {
    struct ox_control *control;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    uint64_t wakes; /* events have become durable so often */
    struct ox_hook *first;
    pthread_t threads[OX_WEBHOOK_THREADS];
    unsigned started;
};

/* --- webhooks.c --- */

/** Load them. */
OX_MUST_USE enum ox_code ox_hooks_new(struct ox_hooks **out, struct ox_control *control,
                                      struct ox_err *err);
OX_MUST_USE enum ox_code ox_hooks_start(struct ox_hooks *hooks, struct ox_err *err);
/** Once the control's stop was requested. */
void ox_hooks_stop(struct ox_hooks *hooks);
void ox_hooks_free(struct ox_hooks *hooks);

/** Take one that the registry holds into memory. */
OX_MUST_USE enum ox_code ox_hooks_add(struct ox_hooks *hooks, const struct ox_webhook_row *row,
                                      struct ox_err *err);
void ox_hooks_remove(struct ox_hooks *hooks, const char *id);
/** Let it be tried at once. */
void ox_hooks_resume(struct ox_hooks *hooks, const char *id);
/** Where it is now, which the registry may know a little later. False: there is none. */
bool ox_hooks_cursor(struct ox_hooks *hooks, const char *id, int64_t *cursor);

/* --- webhook_send.c --- */

/** Where to, and how it is signed; lent. */
struct ox_webhook_target {
    const char *id;
    const char *url;
    const char *secret;
};
/** What came of it: error is "" if the receiver took it. */
struct ox_webhook_result {
    struct ox_webhook_try tried;
    char error[OX_WEBHOOK_ERROR_MAX];
};
/** Post a delivery of events (an array, lent). Errors: OX_ECANCELED, OX_ENOMEM; what else goes
 * wrong is the result. */
OX_MUST_USE enum ox_code ox_webhook_post(struct ox_control *control, struct ox_http *http,
                                         const struct ox_webhook_target *target, json_t *events,
                                         struct ox_webhook_result *out, struct ox_err *err);

#endif
