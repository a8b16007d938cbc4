/** Campaigns: making, showing and steering them. What control.h says of all functions holds. */
#ifndef OXIDE_CONTROL_CAMPAIGN_H
#define OXIDE_CONTROL_CAMPAIGN_H

#include "oxide/control/control.h"

OX_MUST_USE enum ox_code ox_control_campaign_create(struct ox_control *control, const json_t *body,
                                                    json_t **out, struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_campaigns(struct ox_control *control, json_t **out,
                                              struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_campaign(struct ox_control *control, const char *id,
                                             json_t **out, struct ox_err *err);

enum ox_campaign_action { OX_ACTION_PAUSE, OX_ACTION_RESUME, OX_ACTION_ABORT };
OX_MUST_USE enum ox_code ox_control_campaign_act(struct ox_control *control, const char *id,
                                                 enum ox_campaign_action action, json_t **out,
                                                 struct ox_err *err);

#endif
