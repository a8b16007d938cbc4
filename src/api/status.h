/** The one table from error codes to HTTP. */
#ifndef OX_API_STATUS_H
#define OX_API_STATUS_H

#include "oxide/base/err.h"

/** The HTTP status of an error. */
unsigned ox_api_status(enum ox_code code);

/**
 * What may be said of an error to whoever asks: its own message where the request is to blame; a
 * fixed sentence where the server is, whose paths and insides are for its log alone.
 */
const char *ox_api_public_message(const struct ox_err *err);

#endif
