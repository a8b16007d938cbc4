/** Webhooks: receivers that are told of events by POST. What control.h says of all functions
 * holds. */
#ifndef OXIDE_CONTROL_WEBHOOK_H
#define OXIDE_CONTROL_WEBHOOK_H

#include "oxide/control/control.h"

/** Webhooks at a time. */
#define OX_WEBHOOKS_MAX 64

/** {url, kinds?, secret?, id?, after?}. The answer is the only one that holds the secret. */
OX_MUST_USE enum ox_code ox_control_webhook_add(struct ox_control *control, const json_t *body,
                                                json_t **out, struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_webhooks(struct ox_control *control, json_t **out,
                                             struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_webhook(struct ox_control *control, const char *id,
                                            json_t **out, struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_webhook_remove(struct ox_control *control, const char *id,
                                                   json_t **out, struct ox_err *err);
/** Try again at once, also one that was stopped. */
OX_MUST_USE enum ox_code ox_control_webhook_resume(struct ox_control *control, const char *id,
                                                   json_t **out, struct ox_err *err);
/** Send a delivery without events and say what came of it; takes as long as the receiver does, 15 s
 *  at most. */
OX_MUST_USE enum ox_code ox_control_webhook_test(struct ox_control *control, const char *id,
                                                 json_t **out, struct ox_err *err);

/** What a thread for webhooks does: try the next one that is due. *tried is false if none is. Tests
 *  call it in place of ox_control_start. */
OX_MUST_USE enum ox_code ox_control_deliver(struct ox_control *control, bool *tried,
                                            struct ox_err *err);

#endif
