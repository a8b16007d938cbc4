/** Parts as they stand at the front of a NUMBERS frame's body: docs/oxdl.md, operation "numbers".
 */
#ifndef OXIDE_DELTA_NUMBERS_PARTS_H
#define OXIDE_DELTA_NUMBERS_PARTS_H

#include "predict.h"

/** Append it. Errors: OX_ENOMEM. */
enum ox_code part_put(const struct part *part, struct ox_buf *body, struct ox_err *err);
/** Take the next one, which is one that the format allows. Errors: OX_ECORRUPT. */
enum ox_code part_read(struct ox_reader *body, struct part *part, struct ox_err *err);

#endif
