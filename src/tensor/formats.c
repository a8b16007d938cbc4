/*
 * The table of tensor formats. To add one:
 *   1. a row in enum ox_format (oxide/tensor/layout.h), behind the others, and its word here;
 *   2. its sniff and read functions, declared in formats.h, in a file of their own; read collects
 *      tensors with layout_build.h, through stream.h, within limits of oxide/tensor/limits.h;
 *   3. a row of readers: those with a magic number before those that are only likely;
 *   4. tests/golden/<format>/{good,bad}, tests/unit/tensor/test_<format>.c with truncation at every
 *      byte, and a fuzz target with a corpus.
 */
#include "formats.h"

#include "oxide/tensor/layout.h"

static const char *const words[] = {
    [OX_FORMAT_UNKNOWN] = "bin", [OX_FORMAT_ONNX] = "onnx", [OX_FORMAT_SAFETENSORS] = "safetensors",
    [OX_FORMAT_GGUF] = "gguf",   [OX_FORMAT_PT] = "pt",     [OX_FORMAT_NPZ] = "npz",
    [OX_FORMAT_NPY] = "npy",
};

static const struct reader {
    const char *name; /* in messages */
    ox_format_sniff_fn *sniff;
    ox_format_read_fn *read;
} readers[] = {
    {"gguf", ox_gguf_sniff, ox_gguf_read},
    {"npy", ox_npy_sniff, ox_npy_read},
    {"zip", ox_zip_sniff, ox_zip_read}, /* PyTorch's and NumPy's */
    {"safetensors", ox_safetensors_sniff, ox_safetensors_read},
    {"onnx", ox_onnx_sniff, ox_onnx_read},
};

#define READER_COUNT (sizeof(readers) / sizeof(readers[0]))

const char *ox_format_word(enum ox_format format)
{
    unsigned row = (unsigned)format;

    return words[row < sizeof(words) / sizeof(words[0]) ? row : OX_FORMAT_UNKNOWN];
}

enum ox_code ox_layout_read(struct ox_layout *out, const struct ox_source *source,
                            struct ox_err *err)
{
    for (size_t i = 0; i < READER_COUNT; i++) {
        bool claims = false;
        enum ox_code code = readers[i].sniff(source, &claims, err);

        if (code == OX_OK && claims) {
            code = readers[i].read(out, source, err);
            if (code != OX_OK) {
                (void)ox_err_context(err, "%s file", readers[i].name);
            }
            return code;
        }
        if (code != OX_OK) {
            return code;
        }
    }
    return ox_err_set(err, OX_EUNSUPPORTED,
                      "not a model file that we know (ONNX, safetensors, GGUF, PyTorch, NumPy): "
                      "treated as bytes");
}
