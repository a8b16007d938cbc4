/** Parts of make_pair.c: what stands before the weights in a model file. */
#ifndef MAKE_PAIR_FRONT_H
#define MAKE_PAIR_FRONT_H

#include <stddef.h>
#include <stdint.h>

#define FRONT_MAX_BYTES 8192
#define GGUF_ALIGNMENT 32

/** Bytes under construction; they fit, since the tensors and their names are our own. */
struct front {
    uint8_t bytes[FRONT_MAX_BYTES];
    size_t len;
};

/** One tensor: name, word of its dtype, shape, and the bytes that it takes. Begin and end the list
 *  with the other two. A shape of one dimension has columns 0. */
struct front_tensor {
    const char *name;
    const char *safetensors;
    uint32_t gguf;
    size_t rows;
    size_t columns;
    size_t len_bytes;
};

void front_put_safetensors(struct front *front, const struct front_tensor *tensors, size_t count);

/** Tensors begin at multiples of GGUF_ALIGNMENT, and so does what follows the front. */
void front_put_gguf(struct front *front, const struct front_tensor *tensors, size_t count);

/** Bytes from len_bytes to the next multiple of `alignment`. */
size_t front_padding(size_t len_bytes, size_t alignment);

#endif
