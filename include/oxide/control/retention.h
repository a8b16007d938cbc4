/** What is kept, and what is removed: rules, removal by hand, garbage collection. What control.h
 *  says of all functions holds. */
#ifndef OXIDE_CONTROL_RETENTION_H
#define OXIDE_CONTROL_RETENTION_H

#include "oxide/control/control.h"

/* model_id "" is the general rule, of models that have none of their own. */

/** The rule that is for a model: its own or the general one. Errors: OX_ENOTFOUND without any. */
OX_MUST_USE enum ox_code ox_control_retention(struct ox_control *control, const char *model_id,
                                              json_t **out, struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_retention_set(struct ox_control *control, const char *model_id,
                                                  const json_t *body, json_t **out,
                                                  struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_retention_remove(struct ox_control *control,
                                                     const char *model_id, json_t **out,
                                                     struct ox_err *err);

/** Remove a version, or with `variant` one of its variants. Errors: OX_ECONFLICT while something
 *  needs it, naming what. */
OX_MUST_USE enum ox_code ox_control_version_remove(struct ox_control *control, const char *model_id,
                                                   const char *version, const char *variant,
                                                   json_t **out, struct ox_err *err);

/** Remove what rules and budgets let go, and blobs that nothing refers to; with dry_run only tell
 *  what would go. Errors: OX_EBUSY while another run is under way. */
OX_MUST_USE enum ox_code ox_control_gc(struct ox_control *control, bool dry_run, json_t **out,
                                       struct ox_err *err);

#endif
