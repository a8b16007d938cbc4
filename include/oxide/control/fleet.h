/** Fleets: groups of devices. What control.h says of all functions holds. */
#ifndef OXIDE_CONTROL_FLEET_H
#define OXIDE_CONTROL_FLEET_H

#include "oxide/control/control.h"

OX_MUST_USE enum ox_code ox_control_fleet_create(struct ox_control *control, const json_t *body,
                                                 json_t **out, struct ox_err *err);
/** brief: without the ids of its devices. */
OX_MUST_USE enum ox_code ox_control_fleet(struct ox_control *control, const char *id, bool brief,
                                          json_t **out, struct ox_err *err);
/** Change what the body names; a filter that is null leaves those who pass it now as a list.
 *  Errors: OX_ECONFLICT if a filter would take the place of a list, without "replace_list". */
OX_MUST_USE enum ox_code ox_control_fleet_edit(struct ox_control *control, const char *id,
                                               const json_t *body, json_t **out,
                                               struct ox_err *err);
/** Errors: OX_ECONFLICT while a campaign to it is under way, or a filter asks for it. */
OX_MUST_USE enum ox_code ox_control_fleet_delete(struct ox_control *control, const char *id,
                                                 json_t **out, struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_fleet_status(struct ox_control *control, const char *id,
                                                 json_t **out, struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_fleet_add(struct ox_control *control, const char *id,
                                              const char *device_id, json_t **out,
                                              struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_fleet_remove(struct ox_control *control, const char *id,
                                                 const char *device_id, json_t **out,
                                                 struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_fleet_deploy(struct ox_control *control, const char *id,
                                                 const json_t *body, json_t **out,
                                                 struct ox_err *err);

#endif
