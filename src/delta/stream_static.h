/** The fast coder of streams: static frequencies per context, interleaved rANS, raw low bits. */
#ifndef OXIDE_DELTA_STREAM_STATIC_H
#define OXIDE_DELTA_STREAM_STATIC_H

#include "stream.h"
#include "vectors.h"

/** Working memory. */
struct static_coder;
enum ox_code static_coder_new(struct static_coder **out, struct ox_err *err);
void static_coder_free(struct static_coder *coder);

/** Use the best of the processor's vectors up to `most`; a new coder uses the best there are. */
void static_coder_use_vectors(struct static_coder *coder, enum vector_path most);

/** As the functions of stream.h. */
enum ox_code static_encode(struct static_coder *coder, const struct stream *stream,
                           const uint8_t *numbers, struct ox_buf *body, struct ox_err *err);
enum ox_code static_cost(struct static_coder *coder, const struct stream *stream,
                         const uint8_t *numbers, uint64_t *cost_bytes, struct ox_err *err);
enum ox_code static_decode(struct static_coder *coder, const struct stream *stream,
                           uint8_t *numbers, struct ox_reader *body, struct ox_err *err);

#endif
