/** The slow coder of streams: binary decisions, each predicted by a learnt mix of adaptive models.
 */
#ifndef OXIDE_DELTA_STREAM_MIXING_H
#define OXIDE_DELTA_STREAM_MIXING_H

#include "stream.h"

/** Working memory. */
struct mixing_coder;
enum ox_code mixing_coder_new(struct mixing_coder **out, struct ox_err *err);
void mixing_coder_free(struct mixing_coder *coder);

/** As the functions of stream.h. */
enum ox_code mixing_encode(struct mixing_coder *coder, const struct stream *stream,
                           const uint8_t *numbers, struct ox_buf *body, struct ox_err *err);
enum ox_code mixing_decode(struct mixing_coder *coder, const struct stream *stream,
                           uint8_t *numbers, struct ox_reader *body, struct ox_err *err);

#endif
