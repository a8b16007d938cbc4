/** Devices that ask and are not known: they wait to be accepted. What control.h says of all
 * functions holds. */
#ifndef OXIDE_CONTROL_PENDING_H
#define OXIDE_CONTROL_PENDING_H

#include "oxide/control/control.h"

/**
 * A device that is not known has sent a heartbeat. *registered: it is now (who asks is let in), so
 * the heartbeat may be handed in again. Else OX_ENOTFOUND, whose message says what an operator can
 * do; it waits in the list, unless too many ask. address may be NULL.
 */
OX_MUST_USE enum ox_code ox_control_knock(struct ox_control *control, const char *id,
                                          const char *address, const void *body, size_t len_bytes,
                                          bool *registered, struct ox_err *err);
/** {name?, fleet_id?, tags?}. Errors: OX_ECONFLICT if it is registered already. */
OX_MUST_USE enum ox_code ox_control_pending_accept(struct ox_control *control, const char *id,
                                                   const json_t *body, json_t **out,
                                                   struct ox_err *err);
/** It is not shown any more among those that wait, however often it asks. */
OX_MUST_USE enum ox_code ox_control_pending_reject(struct ox_control *control, const char *id,
                                                   json_t **out, struct ox_err *err);

#endif
