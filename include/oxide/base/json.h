/**
 * JSON by jansson, whose types reach the rest of the house through this header.
 *
 * Reading is strict: one value, no duplicate keys, valid UTF-8, at most OX_JSON_DEPTH_MAX deep.
 * Getters lend what they return; it lives as long as the object. An absent key and a null are the
 * same to them; ox_json_has tells them apart where "absent means unchanged, null means none".
 */
#ifndef OXIDE_BASE_JSON_H
#define OXIDE_BASE_JSON_H

#include "oxide/base/buf.h"
#include "oxide/base/err.h"

#include <jansson.h>
#include <stdint.h>

#define OX_JSON_DEPTH_MAX 32

/** Parse text of len_bytes. The caller owns *out (json_decref). Errors: OX_EINVAL with the place.
 */
OX_MUST_USE enum ox_code ox_json_parse(const void *text, size_t len_bytes, json_t **out,
                                       struct ox_err *err);

/** Parse and require an object. */
OX_MUST_USE enum ox_code ox_json_parse_object(const void *text, size_t len_bytes, json_t **out,
                                              struct ox_err *err);

/** Compact text in fresh memory that the caller frees. */
OX_MUST_USE enum ox_code ox_json_text(const json_t *json, char **out, struct ox_err *err);

/** Is the key there, be it null? */
bool ox_json_has(const json_t *object, const char *key);

/** Required values. Errors: OX_EINVAL naming the key and the type that was expected. */
OX_MUST_USE enum ox_code ox_json_get_str(const json_t *object, const char *key, const char **out,
                                         struct ox_err *err);
OX_MUST_USE enum ox_code ox_json_get_u64(const json_t *object, const char *key, uint64_t *out,
                                         struct ox_err *err);

/** Optional values: absent or null leaves *out as it is; a wrong type is OX_EINVAL. */
OX_MUST_USE enum ox_code ox_json_opt_str(const json_t *object, const char *key, const char **out,
                                         struct ox_err *err);
OX_MUST_USE enum ox_code ox_json_opt_u64(const json_t *object, const char *key, uint64_t *out,
                                         struct ox_err *err);
OX_MUST_USE enum ox_code ox_json_opt_bool(const json_t *object, const char *key, bool *out,
                                          struct ox_err *err);
OX_MUST_USE enum ox_code ox_json_opt_object(const json_t *object, const char *key,
                                            const json_t **out, struct ox_err *err);
OX_MUST_USE enum ox_code ox_json_opt_array(const json_t *object, const char *key,
                                           const json_t **out, struct ox_err *err);

/** Set key to a value, taking the reference also on failure. A NULL value means no memory. */
OX_MUST_USE enum ox_code ox_json_set(json_t *object, const char *key, json_t *take_value,
                                     struct ox_err *err);
/** Set key to a string, or to null for NULL. */
OX_MUST_USE enum ox_code ox_json_set_str(json_t *object, const char *key, const char *value,
                                         struct ox_err *err);
/** Set key to a whole number; values past 2^63 - 1 are OX_ETOOBIG. */
OX_MUST_USE enum ox_code ox_json_set_u64(json_t *object, const char *key, uint64_t value,
                                         struct ox_err *err);
/** Append to an array, taking the reference also on failure. */
OX_MUST_USE enum ox_code ox_json_append(json_t *array, json_t *take_value, struct ox_err *err);

#endif
