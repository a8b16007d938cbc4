/*
 * The table of tensor formats. To add one:
 *   1. a word in enum ox_format (oxide/tensor/layout.h), behind the others;
 *   2. its sniff and read functions, declared in formats.h, in a file of their own; read collects
 *      tensors with layout_build.h, through stream.h, within limits of oxide/tensor/limits.h;
 *   3. a row here: those with a magic number before those that are only likely;
 *   4. tests/golden/<format>/{good,bad}, tests/unit/tensor/test_<format>.c with truncation at every
 *      byte, and a fuzz target with a corpus.
 */
#include "formats.h"

#include "oxide/tensor/layout.h"

struct format {
    enum ox_format format;
    const char *word;
    ox_format_sniff_fn *sniff;
    ox_format_read_fn *read;
};

static const struct format formats[] = {
    {OX_FORMAT_GGUF, "gguf", ox_gguf_sniff, ox_gguf_read},
    {OX_FORMAT_SAFETENSORS, "safetensors", ox_safetensors_sniff, ox_safetensors_read},
    {OX_FORMAT_ONNX, "onnx", ox_onnx_sniff, ox_onnx_read},
};

#define FORMAT_COUNT (sizeof(formats) / sizeof(formats[0]))

const char *ox_format_word(enum ox_format format)
{
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        if (formats[i].format == format) {
            return formats[i].word;
        }
    }
    return "bin";
}

enum ox_code ox_layout_read(struct ox_layout *out, const struct ox_source *source,
                            struct ox_err *err)
{
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        bool claims = false;
        enum ox_code code = formats[i].sniff(source, &claims, err);

        if (code == OX_OK && claims) {
            code = formats[i].read(out, source, err);
            if (code != OX_OK) {
                (void)ox_err_context(err, "%s file", formats[i].word);
            }
            return code;
        }
        if (code != OX_OK) {
            return code;
        }
    }
    return ox_err_set(err, OX_EUNSUPPORTED,
                      "not a model file that we know (ONNX, safetensors, GGUF): treated as bytes");
}
