/** Campaigns: making, showing and steering them. What control.h says of all functions holds. */
#ifndef OXIDE_CONTROL_CAMPAIGN_H
#define OXIDE_CONTROL_CAMPAIGN_H

#include "oxide/control/control.h"

OX_MUST_USE enum ox_code ox_control_campaign_create(struct ox_control *control, const json_t *body,
                                                    json_t **out, struct ox_err *err);
/** All but its devices, which are a list: ox_control_campaign_devices. */
OX_MUST_USE enum ox_code ox_control_campaign(struct ox_control *control, const char *id,
                                             json_t **out, struct ox_err *err);

enum ox_campaign_action { OX_ACTION_PAUSE, OX_ACTION_RESUME, OX_ACTION_ABORT };
OX_MUST_USE enum ox_code ox_control_campaign_act(struct ox_control *control, const char *id,
                                                 enum ox_campaign_action action, json_t **out,
                                                 struct ox_err *err);
/** Send back the devices that it has updated, by a campaign of its own; one that is under way is
 *  aborted first. Errors: OX_ECONFLICT if there is none to go back. */
OX_MUST_USE enum ox_code ox_control_campaign_revert(struct ox_control *control, const char *id,
                                                    json_t **out, struct ox_err *err);
/** What a campaign with this body would do, without making it: {…, link_bps?, prepare?}. */
OX_MUST_USE enum ox_code ox_control_campaign_plan(struct ox_control *control, const json_t *body,
                                                  json_t **out, struct ox_err *err);
/** Open the next stage, where the policy asks for it. */
OX_MUST_USE enum ox_code ox_control_campaign_approve(struct ox_control *control, const char *id,
                                                     json_t **out, struct ox_err *err);
/** Try again what failed: on one device, or on all with NULL. */
OX_MUST_USE enum ox_code ox_control_campaign_retry(struct ox_control *control, const char *id,
                                                   const char *device_id, json_t **out,
                                                   struct ox_err *err);
/** Send devices back to what they ran before, or to a version: {fleet_id | device_ids,
 *  model_version?}. */
OX_MUST_USE enum ox_code ox_control_model_revert(struct ox_control *control, const char *model_id,
                                                 const json_t *body, json_t **out,
                                                 struct ox_err *err);

/** Versions that are not given to devices any more: of one device, or of all with NULL. */
OX_MUST_USE enum ox_code ox_control_quarantines(struct ox_control *control, const char *device_id,
                                                json_t **out, struct ox_err *err);
/** Free what is quarantined on a device: of one model, or all with NULL. */
OX_MUST_USE enum ox_code ox_control_quarantine_free(struct ox_control *control,
                                                    const char *device_id, const char *model_id,
                                                    json_t **out, struct ox_err *err);

#endif
