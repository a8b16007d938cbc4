/** What the tests of tensor share: building files byte by byte, and reading layouts of them. */
#ifndef TESTS_TENSOR_HELPERS_H
#define TESTS_TENSOR_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/base/buf.h"
#include "oxide/tensor/layout.h"

/* --- bytes ---*/
void put_bytes(struct ox_buf *out, const void *bytes, size_t len);
void put_text(struct ox_buf *out, const char *text);
void put_zeros(struct ox_buf *out, size_t len);
void put_u32(struct ox_buf *out, uint32_t value);
void put_u64(struct ox_buf *out, uint64_t value);

/* --- protobuf: `message` is put as a field and emptied ---*/
void put_varint(struct ox_buf *out, uint64_t value);
void put_number(struct ox_buf *out, uint32_t field, uint64_t value);
void put_string(struct ox_buf *out, uint32_t field, const char *text);
void put_payload(struct ox_buf *out, uint32_t field, const void *bytes, size_t len);
void put_message(struct ox_buf *out, uint32_t field, struct ox_buf *message);

/* --- ONNX ---*/
/** TensorProto with a shape, a type, a name (NULL for none) and raw_data of zeros. */
void put_tensor(struct ox_buf *out, uint32_t field, const char *name, uint64_t type,
                const uint64_t *shape, size_t rank, size_t raw_bytes);
/** TensorProto of floats [count] with raw_data. */
void put_floats(struct ox_buf *out, uint32_t field, const char *name, size_t count);
/** TensorProto of floats [count] whose data is external; NULL leaves a key out. */
void put_external(struct ox_buf *out, uint32_t field, const char *name, size_t count,
                  const char *location, const char *offset, const char *length);
/** NodeProto "Constant" that puts `output` out, its `value` a tensor of [count] floats. */
void put_constant(struct ox_buf *graph, const char *output, const char *tensor_name, size_t count);
/** NodeProto with the attribute `attribute` holding a graph. */
void put_graph_node(struct ox_buf *graph, const char *op, const char *output, const char *attribute,
                    struct ox_buf *inner);
/** A model around the graph, which is emptied. */
void put_model(struct ox_buf *out, struct ox_buf *graph);

/* --- safetensors ---*/
/** Length, header, and zeros as data. */
void put_safetensors(struct ox_buf *out, const char *header, size_t data_bytes);

/* --- GGUF ---*/
void put_gguf_text(struct ox_buf *out, const char *text);
void put_gguf_header(struct ox_buf *out, uint32_t version, uint64_t tensors, uint64_t pairs);
void put_gguf_info(struct ox_buf *out, const char *name, const uint64_t *dims, uint32_t rank,
                   uint32_t type, uint64_t offset);
/** Zeros up to the alignment, then data_bytes of zeros. */
void put_gguf_data(struct ox_buf *out, size_t alignment, size_t data_bytes);

/* --- layouts ---*/
/** Read from a copy with exact bounds, so that a sanitizer sees any step outside. */
enum ox_code read_layout(const struct ox_buf *bytes, struct ox_layout *out, struct ox_err *err);
/** Sorted, without overlaps, within the file; names and shapes in place. */
void assert_sound(const struct ox_layout *layout, uint64_t size_bytes);
/** Reads, is sound, and has this many tensors. Clears `bytes`; the caller clears *out. */
void assert_reads(struct ox_buf *bytes, size_t count, struct ox_layout *out);
/** Is refused with this code, and a message that holds `words`. Clears `bytes`. */
void assert_refused(struct ox_buf *bytes, enum ox_code code, const char *words);
/** Cut at every byte it is refused, or (from `whole` on) what is left is sound. Clears `bytes`. */
void assert_survives_cuts(struct ox_buf *bytes, size_t whole);
/** The tensor of this name; fails the test if there is none. */
const struct ox_tensor *find_tensor(const struct ox_layout *layout, const char *name);

/** A source of any size that counts what is read of it: `head` at its start, then zeros. */
struct counting {
    const struct ox_buf *head;
    uint64_t reads;
    uint64_t bytes;
};
struct ox_source counting_source(struct counting *counting, uint64_t size_bytes);

#endif
