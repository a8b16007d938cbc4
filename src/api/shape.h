/**
 * Shapes: what JSON looks like, in a line of text, from which its JSON Schema is made.
 *
 *   text id int number bool time digest object any binary      a value
 *   int(1..1000)                                                a number within bounds
 *   text(64)                                                    a text of at most so many bytes
 *   'online' | 'offline'                                        one of these words
 *   text | null                                                 may be null
 *   Device                                                      a row of ox_schemas
 *   Device[]                                                    an array
 *   {id: id, name?: text, *: any}                               an object; ? marks what may be
 *                                                               absent, * stands for other keys
 */
#ifndef OX_API_SHAPE_H
#define OX_API_SHAPE_H

#include "oxide/base/json.h"

/** The JSON Schema (2020-12) of a shape, which the caller releases.
 *  Errors: OX_EINTERNAL with the place for a shape that does not parse. */
OX_MUST_USE enum ox_code ox_shape_schema(const char *shape, json_t **out, struct ox_err *err);

/** Is a text, as it stands in a query, such a value? For shapes of one value: text, id, digest,
 * time, int, number, bool, and words. Errors: OX_EINVAL, "must be ...". */
OX_MUST_USE enum ox_code ox_shape_check(const char *shape, const char *text, struct ox_err *err);

#endif
