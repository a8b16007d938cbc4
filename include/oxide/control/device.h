/** Devices: registering them, what they say, what is known of them. What control.h says of all
 * functions holds. */
#ifndef OXIDE_CONTROL_DEVICE_H
#define OXIDE_CONTROL_DEVICE_H

#include "oxide/control/control.h"

OX_MUST_USE enum ox_code ox_control_device_register(struct ox_control *control, const json_t *body,
                                                    bool *created, json_t **out,
                                                    struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_device(struct ox_control *control, const char *id, json_t **out,
                                           struct ox_err *err);
/** Change its name and its tags: what the body does not name stays, a tag that is null goes. */
OX_MUST_USE enum ox_code ox_control_device_edit(struct ox_control *control, const char *id,
                                                const json_t *body, json_t **out,
                                                struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_device_remove(struct ox_control *control, const char *id,
                                                  json_t **out, struct ox_err *err);
/**
 * Answer a heartbeat that says what the one before said, from memory: never blocks on the registry
 * or a disk. False where that cannot be done: then ox_control_heartbeat does it, and the answer is
 * the same. The answer's text is the caller's to free.
 */
bool ox_control_heartbeat_again(struct ox_control *control, const char *id, const void *body,
                                size_t len_bytes, char **out);
/** Two installations speak under its id: make the other one a device of its own ({instance?, as?}),
 *  or say which one is the device ({instance?}; the newest). Errors: OX_ECONFLICT if there is none.
 */
OX_MUST_USE enum ox_code ox_control_device_split(struct ox_control *control, const char *id,
                                                 const json_t *body, json_t **out,
                                                 struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_device_replace(struct ox_control *control, const char *id,
                                                   const json_t *body, json_t **out,
                                                   struct ox_err *err);
/** {model_id?, reason?}: what it runs of the model (of all models) stays until it is unpinned. */
OX_MUST_USE enum ox_code ox_control_device_pin(struct ox_control *control, const char *id,
                                               const json_t *body, json_t **out,
                                               struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_device_unpin(struct ox_control *control, const char *id,
                                                 const json_t *body, json_t **out,
                                                 struct ox_err *err);
/** The answer's text, which the caller frees. address: where it came from; NULL: not known. */
OX_MUST_USE enum ox_code ox_control_heartbeat(struct ox_control *control, const char *id,
                                              const char *address, const void *body,
                                              size_t len_bytes, char **out, struct ox_err *err);

#endif
