/** The OpenAPI 3.1 document, made from the tables of routes, schemas, parameters and statuses. */
#ifndef OX_API_OPENAPI_H
#define OX_API_OPENAPI_H

#include "oxide/base/json.h"

/** The document, which the caller releases. `version` is of this release; NULL: "0".
 *  Errors: OX_EINTERNAL naming the row that cannot be told. */
OX_MUST_USE enum ox_code ox_openapi_document(const char *version, json_t **out, struct ox_err *err);

#endif
