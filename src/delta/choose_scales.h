/** Which scales, if any, tell how a quantised tensor changed. */
#ifndef OXIDE_DELTA_CHOOSE_SCALES_H
#define OXIDE_DELTA_CHOOSE_SCALES_H

#include "choose.h"

/** Does a scale for all, or for each row, column or tile predict the tensor better than
 *  pair->prediction, SAME or NIBBLES? Then that is set to it. Errors: OX_ENOMEM, the sources' own.
 */
enum ox_code choose_scales(struct chooser *self, struct tensor_pair *pair, struct ox_err *err);

#endif
