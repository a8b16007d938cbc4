/**
 * Layouts: where the tensors lie in a model file. Found by streaming: payloads are never read, so
 * a 200 GB file costs what its names and shapes cost.
 *
 * Everything that no tensor covers is gap. A layout is sorted by offset, its tensors do not
 * overlap and lie within the file. All limits on hostile input are named in tensor/limits.h.
 */
#ifndef OXIDE_TENSOR_LAYOUT_H
#define OXIDE_TENSOR_LAYOUT_H

#include "oxide/base/err.h"
#include "oxide/base/io.h"

#include <stdint.h>

/** The table in tensor/formats.c says how to add one. */
enum ox_format {
    OX_FORMAT_UNKNOWN, /* simply bytes */
    OX_FORMAT_ONNX,
    OX_FORMAT_SAFETENSORS,
    OX_FORMAT_GGUF,
    OX_FORMAT_PT,  /* PyTorch's zip archive, of torch.save or TorchScript */
    OX_FORMAT_NPZ, /* NumPy's zip archive of arrays */
    OX_FORMAT_NPY, /* one array of NumPy */
};

/** The word used in messages and as file suffix: "onnx", "safetensors", "gguf", "pt", "npz", "npy";
 *  "bin" if unknown. */
const char *ox_format_word(enum ox_format format);

enum ox_dtype {
    OX_DTYPE_OTHER, /* known to its format, not to us: bytes */
    OX_DTYPE_F64,
    OX_DTYPE_F32,
    OX_DTYPE_F16,
    OX_DTYPE_BF16,
    OX_DTYPE_F8_E4M3,
    OX_DTYPE_F8_E5M2,
    OX_DTYPE_I64,
    OX_DTYPE_I32,
    OX_DTYPE_I16,
    OX_DTYPE_I8,
    OX_DTYPE_U64,
    OX_DTYPE_U32,
    OX_DTYPE_U16,
    OX_DTYPE_U8,
    OX_DTYPE_BOOL,
    OX_DTYPE_I4, /* two per byte */
    OX_DTYPE_U4,
    OX_DTYPE_Q4_0, /* GGUF blocks, named as ggml names them */
    OX_DTYPE_Q4_1,
    OX_DTYPE_Q5_0,
    OX_DTYPE_Q5_1,
    OX_DTYPE_Q8_0,
    OX_DTYPE_Q8_1,
    OX_DTYPE_Q2_K,
    OX_DTYPE_Q3_K,
    OX_DTYPE_Q4_K,
    OX_DTYPE_Q5_K,
    OX_DTYPE_Q6_K,
    OX_DTYPE_Q8_K,
    OX_DTYPE_IQ4_NL,
    OX_DTYPE_IQ4_XS,
    OX_DTYPE_COUNT,
};

struct ox_dtype_info {
    const char *word;        /* "f32", "q8_0"; never NULL */
    uint32_t block_elements; /* elements per block: 1 for plain numbers, 2 for 4-bit, 32 for Q8_0 */
    uint32_t block_bytes;    /* bytes per block; 0 for OX_DTYPE_OTHER */
};
/** Never NULL; what is out of range counts as OX_DTYPE_OTHER. */
const struct ox_dtype_info *ox_dtype_info(enum ox_dtype dtype);

/**
 * Names are unique in a file (a safetensors or GGUF file with two of one name is damaged). In ONNX
 * files a tensor without a name is called like the output of its node; where names repeat, the path
 * of the graph goes in front ("If_0_output/then_branch/weight"), and where that does not help "#2"
 * behind. A tensor of a PyTorch file is called by the keys that lead to it, joined with '.'; one
 * that shares its numbers with a longer one is left out, and a storage that no tensor shows is
 * called as its entry ("data/0"). A lone NumPy array has no name. Names come from the file: they
 * need not be UTF-8 or printable, and one made to defeat the numbering ("a", "a", "a#2") may still
 * have two of one name.
 */
struct ox_tensor {
    const char *name; /* may be empty; may hold any bytes but NUL */
    enum ox_dtype dtype;
    uint32_t rank;         /* 0 for a scalar */
    const uint64_t *shape; /* rank numbers, outermost first; NULL for rank 0 */
    uint64_t offset_bytes; /* in this file, or in the external file */
    uint64_t length_bytes;
    const char
        *external; /* ONNX: relative path of the file that holds the bytes; NULL: this one.
                      Never absolute, without "..", "." and empty parts: a file that asks for
                      anything else is refused as corrupt. Length and offset are unchecked. */
};

struct ox_layout {
    enum ox_format format;
    struct ox_tensor *tensors; /* in this file: by offset; then external ones by path and offset */
    size_t count;
    size_t external_count; /* how many of them, at the end, are external */
    void *arena;           /* owns names, shapes and paths */
};
#define OX_LAYOUT_INIT                                                                             \
    {                                                                                              \
        OX_FORMAT_UNKNOWN, NULL, 0, 0, NULL                                                        \
    }

/**
 * Find the layout of a file, trying each format of the table.
 * Errors: OX_EUNSUPPORTED if it is of no known format; OX_ECORRUPT if it claims a format but is
 * damaged or hostile (what and where in the message); OX_ETOOBIG over a named limit; OX_ENOMEM; the
 * source's own. On the first three a caller treats the file as bytes. *out is untouched on failure.
 * The caller clears *out.
 */
OX_MUST_USE enum ox_code ox_layout_read(struct ox_layout *out, const struct ox_source *source,
                                        struct ox_err *err);

/**
 * The layout of an external data file, as the ONNX file that refers to it tells it: those tensors
 * of `onnx` whose external path equals `path`. Tensors that leave a file of size_bytes or overlap
 * an earlier one are left out. format is OX_FORMAT_ONNX, and none is external. Errors: OX_ENOMEM.
 */
OX_MUST_USE enum ox_code ox_layout_of_external(struct ox_layout *out, const struct ox_layout *onnx,
                                               const char *path, uint64_t size_bytes,
                                               struct ox_err *err);

/** Free and become empty. */
void ox_layout_clear(struct ox_layout *layout);

#endif
