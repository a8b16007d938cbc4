/*
 * NumPy arrays: a magic number, a header that is a Python dict literal, the numbers.
 * Source: numpy.lib.format of the NumPy reference, "Format Version 1.0" to "3.0"; the typestr of
 * its array interface protocol.
 */
#include "npy.h"

#include "formats.h"
#include "oxide/base/reader.h"
#include "oxide/tensor/limits.h"

#include <inttypes.h>
#include <string.h>

#define MAGIC "\x93NUMPY"
#define MAGIC_BYTES 6u
#define VERSION_MAX 3
#define WORD_MAX 32 /* of a key or a type; "fortran_order" is the longest known */

/* A typestr without its byte order. What is missing here are bytes. */
static const struct {
    const char *word;
    enum ox_dtype dtype;
} types[] = {
    {"f8", OX_DTYPE_F64},  {"f4", OX_DTYPE_F32}, {"f2", OX_DTYPE_F16}, {"i8", OX_DTYPE_I64},
    {"i4", OX_DTYPE_I32},  {"i2", OX_DTYPE_I16}, {"i1", OX_DTYPE_I8},  {"u8", OX_DTYPE_U64},
    {"u4", OX_DTYPE_U32},  {"u2", OX_DTYPE_U16}, {"u1", OX_DTYPE_U8},  {"b1", OX_DTYPE_BOOL},
    {"V2", OX_DTYPE_BF16}, /* NumPy has no bfloat16: ml_dtypes saves its own as two plain bytes */
};
#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

/* The header, as far as it is read. */
struct header {
    const char *at; /* ends with NUL */
    bool has_type;
    bool has_order;
    bool has_shape;
    bool innermost_first; /* Fortran's order */
    enum ox_dtype dtype;
    uint32_t rank;
    uint64_t shape[OX_TENSOR_RANK_MAX];
};

/* --- a Python literal -------------------------------------------------------------------------*/

static enum ox_code not_a_header(const struct header *header, struct ox_err *err)
{
    char shown[OX_SHOWN_MAX];

    return ox_err_set(err, OX_ECORRUPT, "this is not the header of an array: %s",
                      ox_shown(header->at, shown));
}

static char peek(struct header *header)
{
    header->at += strspn(header->at, " \t\r\n");
    return *header->at;
}

static bool take(struct header *header, char wanted)
{
    bool there = peek(header) == wanted;

    header->at += there && wanted != '\0' ? 1 : 0;
    return there;
}

static bool take_word(struct header *header, const char *wanted)
{
    size_t len = strlen(wanted);
    bool there = peek(header) != '\0' && strncmp(header->at, wanted, len) == 0;

    header->at += there ? len : 0;
    return there;
}

/* A string; too long for us, or with escapes, it is none that we know. */
static bool take_string(struct header *header, char out[WORD_MAX])
{
    char quote = peek(header);
    size_t len = 0;

    if (quote != '\'' && quote != '"') {
        return false;
    }
    for (header->at++; *header->at != quote; header->at++) {
        if (*header->at == '\\') {
            header->at++;
            len = WORD_MAX;
        }
        if (*header->at == '\0') {
            return false;
        }
        if (len < WORD_MAX) {
            out[len++] = *header->at;
        }
    }
    header->at++;
    out[len < WORD_MAX ? len : 0] = '\0';
    return true;
}

/* The fields of a structured type: lists and tuples of strings and numbers. */
static bool skip_brackets(struct header *header)
{
    size_t depth = 0;

    do {
        char word[WORD_MAX];
        char c = peek(header);

        if (c == '\'' || c == '"') {
            if (!take_string(header, word)) {
                return false;
            }
            continue;
        }
        if (c == '\0') {
            return false;
        }
        depth += c == '[' || c == '(' ? 1 : 0;
        depth -= c == ']' || c == ')' ? 1 : 0;
        header->at++;
    } while (depth > 0);
    return true;
}

static bool take_type(struct header *header)
{
    char word[WORD_MAX];

    header->dtype = OX_DTYPE_OTHER;
    if (peek(header) == '[') {
        return skip_brackets(header);
    }
    if (!take_string(header, word)) {
        return false;
    }
    for (size_t i = 0; i < TYPE_COUNT && word[0] != '\0'; i++) {
        if (strcmp(word + 1, types[i].word) == 0 && strchr("<|", word[0]) != NULL) {
            header->dtype = types[i].dtype;
        }
    }
    return true;
}

static bool take_number(struct header *header, uint64_t *out)
{
    uint64_t number = 0;
    size_t digits = 0;

    for (peek(header); *header->at >= '0' && *header->at <= '9'; header->at++, digits++) {
        uint64_t digit = (uint64_t)(*header->at - '0');

        if (number > (UINT64_MAX - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    header->at += digits > 0 && *header->at == 'L' ? 1 : 0; /* Python 2 */
    *out = number;
    return digits > 0;
}

static enum ox_code read_shape(struct header *header, struct ox_err *err)
{
    header->rank = 0;
    if (!take(header, '(')) {
        return not_a_header(header, err);
    }
    while (!take(header, ')')) {
        if (header->rank == OX_TENSOR_RANK_MAX) {
            return ox_err_set(err, OX_ETOOBIG, "an array has more than %d dimensions",
                              OX_TENSOR_RANK_MAX);
        }
        if (!take_number(header, &header->shape[header->rank++]) ||
            (!take(header, ',') && peek(header) != ')')) {
            return not_a_header(header, err);
        }
    }
    return OX_OK;
}

static enum ox_code read_member(struct header *header, struct ox_err *err)
{
    char key[WORD_MAX];
    enum ox_code code = OX_OK;
    bool good = take_string(header, key) && take(header, ':');

    if (good && strcmp(key, "descr") == 0) {
        good = take_type(header);
        header->has_type = true;
    } else if (good && strcmp(key, "fortran_order") == 0) {
        header->innermost_first = take_word(header, "True");
        good = header->innermost_first || take_word(header, "False");
        header->has_order = true;
    } else if (good && strcmp(key, "shape") == 0) {
        code = read_shape(header, err);
        header->has_shape = true;
    } else {
        good = false;
    }
    good = good && (code != OX_OK || take(header, ',') || peek(header) == '}');
    return good ? code : not_a_header(header, err);
}

static enum ox_code read_literal(struct header *header, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    if (!take(header, '{')) {
        return not_a_header(header, err);
    }
    while (code == OX_OK && !take(header, '}')) {
        code = read_member(header, err);
    }
    if (code != OX_OK) {
        return code;
    }
    if (peek(header) != '\0') {
        return not_a_header(header, err);
    }
    if (!header->has_type || !header->has_order || !header->has_shape) {
        return ox_err_set(err, OX_ECORRUPT,
                          "the header of an array lacks its descr, fortran_order or shape");
    }
    return OX_OK;
}

/* --- the array --------------------------------------------------------------------------------*/

static enum ox_code read_header(struct ox_stream *stream, struct ox_buf *text, struct ox_err *err)
{
    uint8_t magic[MAGIC_BYTES + 2] = {0};
    uint8_t len_bytes[4] = {0};
    uint32_t len;
    enum ox_code code = ox_stream_read(stream, magic, sizeof(magic), err);

    if (code != OX_OK) {
        return code;
    }
    if (memcmp(magic, MAGIC, MAGIC_BYTES) != 0) {
        return ox_err_set(err, OX_ECORRUPT, "this is no array: it does not begin as one");
    }
    if (magic[MAGIC_BYTES] < 1 || magic[MAGIC_BYTES] > VERSION_MAX) {
        return ox_err_set(err, OX_EUNSUPPORTED,
                          "an array of version %u is not read, only up to %d: treated as bytes",
                          magic[MAGIC_BYTES], VERSION_MAX);
    }
    code = ox_stream_read(stream, len_bytes, magic[MAGIC_BYTES] == 1 ? 2 : 4, err);
    len = ox_load_u32le(len_bytes);
    if (code == OX_OK && len > stream->end - stream->pos) {
        code = ox_err_set(err, OX_ECORRUPT,
                          "a header of %" PRIu32 " bytes is promised, but %" PRIu64 " follow", len,
                          stream->end - stream->pos);
    }
    if (code == OX_OK && len > OX_NPY_HEADER_MAX) {
        code = ox_err_set(err, OX_ETOOBIG, "a header of %" PRIu32 " bytes, at most %d are read",
                          len, OX_NPY_HEADER_MAX);
    }
    if (code == OX_OK) {
        code = ox_buf_reserve(text, (size_t)len + 1, err);
    }
    if (code == OX_OK) {
        code = ox_stream_read(stream, text->data, len, err);
    }
    if (code == OX_OK) {
        text->data[len] = '\0';
    }
    return code;
}

static enum ox_code size_array(const struct header *header, uint64_t left, struct ox_found *found,
                               struct ox_err *err)
{
    struct ox_block block = {1, 1};
    uint64_t elements = 0;
    bool known = ox_dtype_block(header->dtype, &block);

    if (!ox_shape_elements(header->shape, header->rank, &elements) ||
        !ox_block_length(block, elements, &found->length_bytes)) {
        return ox_err_set(err, OX_ECORRUPT, "an array has more than 2^64 bytes");
    }
    if (known && found->length_bytes > left) {
        return ox_err_set(err, OX_ECORRUPT,
                          "an array has %" PRIu64 " bytes by its shape, but %" PRIu64 " follow",
                          found->length_bytes, left);
    }
    if (!known) {
        found->length_bytes = left;
    }
    return OX_OK;
}

enum ox_code ox_npy_add(struct ox_build *build, struct ox_stream *stream, const char *name,
                        size_t name_len, struct ox_err *err)
{
    struct ox_buf text = OX_BUF_INIT;
    struct header header = {.dtype = OX_DTYPE_OTHER};
    uint64_t shape[OX_TENSOR_RANK_MAX] = {0};
    struct ox_found found = {.name = name, .name_len = name_len, .shape = shape};
    enum ox_code code = read_header(stream, &text, err);

    if (code == OX_OK) {
        header.at = (const char *)text.data;
        code = read_literal(&header, err);
    }
    if (code == OX_OK) {
        code = size_array(&header, stream->end - stream->pos, &found, err);
    }
    if (code == OX_OK) {
        for (uint32_t i = 0; i < header.rank; i++) {
            shape[i] = header.shape[header.innermost_first ? header.rank - 1 - i : i];
        }
        found.dtype = header.dtype;
        found.rank = header.rank;
        found.offset_bytes = stream->pos;
        code = ox_build_add(build, &found, err);
    }
    ox_buf_clear(&text);
    return code;
}

/* --- a file of one ----------------------------------------------------------------------------*/

enum ox_code ox_npy_sniff(const struct ox_source *source, bool *out, struct ox_err *err)
{
    uint8_t magic[MAGIC_BYTES] = {0};
    enum ox_code code = OX_OK;

    *out = false;
    if (source->size_bytes >= MAGIC_BYTES) {
        code = ox_source_read(source, 0, magic, MAGIC_BYTES, err);
        *out = code == OX_OK && memcmp(magic, MAGIC, MAGIC_BYTES) == 0;
    }
    return code;
}

enum ox_code ox_npy_read(struct ox_layout *out, const struct ox_source *source, struct ox_err *err)
{
    struct ox_stream stream;
    struct ox_build build = {0};
    enum ox_code code = ox_stream_init(&stream, source, "its header", err);

    if (code == OX_OK) {
        code = ox_npy_add(&build, &stream, "", 0, err);
    }
    if (code == OX_OK) {
        code =
            ox_build_finish(&build, OX_FORMAT_NPY, OX_NAMES_REFUSE, source->size_bytes, out, err);
    }
    ox_build_clear(&build);
    ox_stream_clear(&stream);
    return code;
}
