/** Fields of JSON objects copied into strings that a message owns. Private to wire. */
#ifndef OX_WIRE_FIELDS_H
#define OX_WIRE_FIELDS_H

#include "oxide/base/digest.h"
#include "oxide/base/json.h"
#include "oxide/wire/heartbeat.h"

/** Is the key absent, null, or there with a value? Returns json's own, lent; NULL unless there. */
const json_t *ox_wire_value(const json_t *object, const char *key);

/** Copy an optional string; absent and null leave *out as it is. Errors: OX_EINVAL, OX_ENOMEM. */
OX_MUST_USE enum ox_code ox_wire_opt_text(const json_t *object, const char *key, char **out,
                                          struct ox_err *err);

/** Copy an identifier, optional or required, checked by ox_id_check. */
OX_MUST_USE enum ox_code ox_wire_opt_id(const json_t *object, const char *key, char **out,
                                        struct ox_err *err);
OX_MUST_USE enum ox_code ox_wire_get_id(const json_t *object, const char *key, char **out,
                                        struct ox_err *err);

/** A required digest. */
OX_MUST_USE enum ox_code ox_wire_get_digest(const json_t *object, const char *key,
                                            struct ox_digest *out, struct ox_err *err);

/** Set key to a text, unless that is NULL. */
OX_MUST_USE enum ox_code ox_wire_put_text(json_t *object, const char *key, const char *text,
                                          struct ox_err *err);

/** Set key to a digest's hex. */
OX_MUST_USE enum ox_code ox_wire_set_digest(json_t *object, const char *key,
                                            const struct ox_digest *digest, struct ox_err *err);

#endif
