/**
 * Limits on what a model file may ask of us, each with its reason. Over a limit a layout is
 * OX_ETOOBIG, and the file is treated as bytes.
 */
#ifndef OXIDE_TENSOR_LIMITS_H
#define OXIDE_TENSOR_LIMITS_H

/** Tensors per file. The largest published mixtures of experts have some 100,000 over all shards.
 */
#define OX_TENSOR_COUNT_MAX 262144

/** Bytes of a name, with the path of nested graphs in front of it. Real ones stay under 300; nested
 *  exports repeat module paths at each level. */
#define OX_TENSOR_NAME_MAX 16384

/** Dimensions of a tensor. ggml has 4, NumPy and PyTorch allow 64. */
#define OX_TENSOR_RANK_MAX 64

/** Memory for the names, shapes and paths of one layout: 250 bytes for each of the most tensors. It
 *  also bounds what short records with long shared paths could multiply to. */
#define OX_LAYOUT_TEXT_MAX (64u << 20)

/** Bytes that a read of the source asks for at most; what the parsers hold of a file at a time. */
#define OX_STREAM_WINDOW_BYTES (64u << 10)

/** Graphs inside graphs (If, Loop, Scan bodies). Exporters nest three or four deep; each level
 *  costs us three small stack frames. */
#define OX_ONNX_DEPTH_MAX 32

/** Protobuf fields visited in one file: bounds the time, under 2 s where they lie close together. A
 *  graph of a million nodes has some 20 million. */
#define OX_ONNX_FIELDS_MAX (64u << 20)

/** Bytes of the relative path of an external data file: PATH_MAX of Linux. */
#define OX_ONNX_LOCATION_MAX 4096

/** Bytes of a safetensors header: the reference implementation's own limit. */
#define OX_SAFETENSORS_HEADER_MAX 100000000u

/** Nesting of JSON values that are skipped. The format itself needs three levels. */
#define OX_SAFETENSORS_DEPTH_MAX 32

/** Metadata pairs of a GGUF file. Real ones have some dozens. */
#define OX_GGUF_KV_MAX 65536

/** Bytes of a metadata key, by the GGUF specification. */
#define OX_GGUF_KEY_MAX 65535

/** Arrays inside arrays in GGUF metadata. The specification allows nesting, nobody uses it. */
#define OX_GGUF_DEPTH_MAX 4

/** Bytes before the tensor data of a GGUF file: bounds the time. Vocabularies take 10 MB or so. */
#define OX_GGUF_HEADER_MAX (512u << 20)

/** general.alignment. The default is 32; 4096 and 65536 are seen for mmap. */
#define OX_GGUF_ALIGNMENT_MAX (1u << 20)

/** Entries of a zip archive: as many as there may be tensors. */
#define OX_ZIP_ENTRIES_MAX OX_TENSOR_COUNT_MAX

/** Bytes of its directory: 250 for each of the most entries. Real ones take some 100. */
#define OX_ZIP_DIRECTORY_MAX (64u << 20)

/** Bytes of the header of a NumPy array. NumPy itself reads 10,000 by default. */
#define OX_NPY_HEADER_MAX 65536

/** Opcodes of a PyTorch pickle: bounds the time, under a second. A tensor takes some 40, so that is
 *  400,000 of them. */
#define OX_PICKLE_OPCODES_MAX (16u << 20)

/** Bytes of the key of a storage, by which its entry is found: bounds that time. PyTorch counts
 *  them up from 0. */
#define OX_PICKLE_KEY_MAX 255

/** Memory for the stack, the memo, the strings and the objects of a pickle. A tensor takes some 400
 *  bytes of it. */
#define OX_PICKLE_MEMORY_MAX (64u << 20)

/** Dicts, lists and objects inside each other in a pickle. A module that is saved whole takes three
 *  per level, and models nest some 20 deep; each level costs us three small stack frames. */
#define OX_PICKLE_DEPTH_MAX 256

#endif
