#include "header.h"

#include "oxide/crypto/artifact.h"
#include "oxide/crypto/xxh64.h"
#include "oxide/patch/oxdl1.h"

#include <stdlib.h>
#include <string.h>

/* The largest file that any system of ours holds; sizes past it are lies. */
#define SIZE_BYTES_MAX ((uint64_t)INT64_MAX)

static const char *const op_words[OX_OXDL_OP_COUNT] = {
    [OX_OXDL_END] = "end",         [OX_OXDL_COPY] = "copy", [OX_OXDL_RAW] = "raw",
    [OX_OXDL_ZSTD] = "zstd",       [OX_OXDL_XOR] = "xor",   [OX_OXDL_SUB] = "sub",
    [OX_OXDL_NUMBERS] = "numbers", [OX_OXDL_EDIT] = "edit",
};

const char *ox_oxdl_op_word(enum ox_oxdl_op op)
{
    return (unsigned)op < OX_OXDL_OP_COUNT ? op_words[op] : "unknown";
}

void ox_oxdl_header_clear(struct ox_oxdl_header *header)
{
    ox_manifest_clear(&header->base.files);
    ox_manifest_clear(&header->target.files);
    memset(header, 0, sizeof(*header));
}

bool ox_oxdl_target_is_folder(const struct ox_oxdl_header *header)
{
    const struct ox_manifest *files = &header->target.files;

    return files->count > 1 ||
           (files->count == 1 && strcmp(files->files[0].path, OX_OXDL_LONE_PATH) != 0);
}

/* --- writing --- */

static enum ox_code put_files(struct ox_buf *out, const struct ox_manifest *files,
                              struct ox_err *err)
{
    enum ox_code code = ox_buf_put_varint(out, files->count, err);

    for (size_t i = 0; code == OX_OK && i < files->count; i++) {
        const struct ox_manifest_file *file = &files->files[i];
        size_t path_len = strlen(file->path);

        if ((code = ox_buf_put_varint(out, path_len, err)) != OX_OK ||
            (code = ox_buf_append(out, file->path, path_len, err)) != OX_OK ||
            (code = ox_buf_put_u8(out, file->executable ? OXDL_FILE_EXECUTABLE : 0, err)) !=
                OX_OK ||
            (code = ox_buf_put_varint(out, file->size_bytes, err)) != OX_OK) {
            return code;
        }
        code = ox_buf_append(out, file->sha256.bytes, OX_DIGEST_BYTES, err);
    }
    return code;
}

enum ox_code ox_oxdl_put_header(struct ox_buf *out, const struct ox_oxdl_header *header,
                                struct ox_err *err)
{
    bool tables = header->base.files.count > 0 || header->target.files.count > 0;
    struct ox_buf body = OX_BUF_INIT;
    size_t start = out->len_bytes;
    enum ox_code code;

    if ((code = ox_buf_put_varint(&body, header->ops, err)) != OX_OK ||
        (code = ox_buf_put_varint(&body, header->base.size_bytes, err)) != OX_OK ||
        (code = ox_buf_put_varint(&body, header->target.size_bytes, err)) != OX_OK ||
        (code = ox_buf_append(&body, header->base.digest.bytes, OX_DIGEST_BYTES, err)) != OX_OK ||
        (code = ox_buf_append(&body, header->target.digest.bytes, OX_DIGEST_BYTES, err)) != OX_OK) {
        goto out;
    }
    if (tables && ((code = put_files(&body, &header->base.files, err)) != OX_OK ||
                   (code = put_files(&body, &header->target.files, err)) != OX_OK)) {
        goto out;
    }
    if ((code = ox_buf_append(out, OX_OXDL_MAGIC, 4, err)) != OX_OK ||
        (code = ox_buf_put_u8(out, OX_OXDL_VERSION, err)) != OX_OK ||
        (code = ox_buf_put_u8(out, tables ? OXDL_FLAG_FILES : 0, err)) != OX_OK ||
        (code = ox_buf_put_varint(out, body.len_bytes, err)) != OX_OK ||
        (code = ox_buf_append(out, body.data, body.len_bytes, err)) != OX_OK) {
        goto out;
    }
    code = ox_buf_put_u64le(out, ox_xxh64(out->data + start, out->len_bytes - start, 0), err);
out:
    ox_buf_clear(&body);
    return code;
}

/* --- reading --- */

enum ox_code oxdl_header_length(const uint8_t *bytes, size_t len_bytes, size_t *need_bytes,
                                struct ox_err *err)
{
    size_t check = len_bytes < 4 ? len_bytes : 4;
    uint64_t body_len = 0;
    size_t pos = 6;

    if (memcmp(bytes, OX_OXDL_MAGIC, check) != 0) {
        return ox_err_set(err, OX_ECORRUPT, "this is no patch: it does not begin with \"OXDL\"");
    }
    if (len_bytes >= 5 && bytes[4] != OX_OXDL_VERSION) {
        return ox_err_set(err, OX_EUNSUPPORTED,
                          "the patch has format version %u, this oxide reads 1 and 2: update oxide",
                          bytes[4]);
    }
    if (len_bytes >= 6 && (bytes[5] & ~OXDL_FLAGS_KNOWN) != 0) {
        return ox_err_set(err, OX_EUNSUPPORTED,
                          "the patch has unknown flags 0x%02x in its header: update oxide",
                          bytes[5]);
    }
    for (unsigned shift = 0; shift < 35; shift += 7, pos++) {
        if (pos >= len_bytes) {
            *need_bytes = pos + 1;
            return OX_OK;
        }
        body_len |= (uint64_t)(bytes[pos] & 0x7f) << shift;
        if ((bytes[pos] & 0x80) == 0) {
            if (body_len > OX_OXDL_HEADER_MAX) {
                break;
            }
            *need_bytes = pos + 1 + (size_t)body_len + OXDL_SUM_BYTES;
            return OX_OK;
        }
    }
    return ox_err_set(err, OX_ETOOBIG, "the patch header claims more than %u bytes",
                      OX_OXDL_HEADER_MAX);
}

static enum ox_code read_digest(struct ox_reader *reader, struct ox_digest *out, struct ox_err *err)
{
    const uint8_t *bytes = NULL;
    enum ox_code code = ox_reader_bytes(reader, OX_DIGEST_BYTES, &bytes, err);

    if (code == OX_OK) {
        memcpy(out->bytes, bytes, OX_DIGEST_BYTES);
    }
    return code;
}

static enum ox_code read_size(struct ox_reader *reader, uint64_t *out, struct ox_err *err)
{
    enum ox_code code = ox_reader_varint(reader, out, err);

    if (code == OX_OK && *out > SIZE_BYTES_MAX) {
        code = ox_err_set(err, OX_ECORRUPT, "%s claims a size past 2^63 bytes", reader->name);
    }
    return code;
}

static enum ox_code read_file(struct ox_reader *reader, struct ox_manifest *files,
                              struct ox_err *err)
{
    uint64_t path_len = 0;
    uint64_t size = 0;
    const uint8_t *path = NULL;
    uint8_t flags = 0;
    struct ox_digest sha256;
    char text[OX_MANIFEST_PATH_MAX + 1];
    enum ox_code code;

    if ((code = ox_reader_varint(reader, &path_len, err)) != OX_OK) {
        return code;
    }
    if (path_len > OX_MANIFEST_PATH_MAX) {
        return ox_err_set(err, OX_ECORRUPT, "a path in the patch header has more than %d bytes",
                          OX_MANIFEST_PATH_MAX);
    }
    if ((code = ox_reader_bytes(reader, (size_t)path_len, &path, err)) != OX_OK ||
        (code = ox_reader_u8(reader, &flags, err)) != OX_OK ||
        (code = read_size(reader, &size, err)) != OX_OK ||
        (code = read_digest(reader, &sha256, err)) != OX_OK) {
        return code;
    }
    if ((flags & ~OXDL_FILE_EXECUTABLE) != 0) {
        return ox_err_set(err, OX_EUNSUPPORTED, "a file in the patch header has unknown flags");
    }
    if (memchr(path, '\0', (size_t)path_len) != NULL) {
        return ox_err_set(err, OX_ECORRUPT, "a path in the patch header holds a NUL byte");
    }
    memcpy(text, path, (size_t)path_len);
    text[path_len] = '\0';
    return ox_manifest_add(files, text, size, &sha256, flags != 0, err);
}

/* A table must be what ox_oxdl_put_header writes: sorted, and of the digest and size of its side.
 */
static enum ox_code read_files(struct ox_reader *reader, struct ox_oxdl_side *side,
                               const char *which, struct ox_err *err)
{
    uint64_t count = 0;
    struct ox_digest digest;
    enum ox_code code = ox_reader_varint(reader, &count, err);

    if (code == OX_OK && (count == 0 || count > OX_MANIFEST_FILES_MAX)) {
        code = ox_err_set(err, OX_ECORRUPT, "the patch header lists %llu %s files, 1 to %d can be",
                          (unsigned long long)count, which, OX_MANIFEST_FILES_MAX);
    }
    for (uint64_t i = 0; code == OX_OK && i < count; i++) {
        code = read_file(reader, &side->files, err);
        if (code == OX_OK && i > 0 &&
            strcmp(side->files.files[i - 1].path, side->files.files[i].path) >= 0) {
            code = ox_err_set(err, OX_ECORRUPT, "the %s files in the patch header are not sorted",
                              which);
        }
    }
    if (code == OX_OK) {
        code = ox_manifest_finish(&side->files, err);
        if (code == OX_EINVAL || code == OX_ETOOBIG) { /* the same rule, from a patch's mouth */
            code = ox_err_set(err, OX_ECORRUPT, "patch header: %s", err == NULL ? "" : err->msg);
        }
    }
    if (code == OX_OK) {
        code = ox_artifact_digest(&side->files, &digest, err);
    }
    if (code == OX_OK && (!ox_digest_equal(&digest, &side->digest) ||
                          ox_manifest_size(&side->files) != side->size_bytes)) {
        code = ox_err_set(err, OX_ECORRUPT,
                          "the %s files in the patch header do not add up to its digest and size",
                          which);
    }
    return code;
}

enum ox_code oxdl_header_parse(const uint8_t *bytes, size_t len_bytes, struct ox_oxdl_header *out,
                               struct ox_err *err)
{
    struct ox_oxdl_header header = {0};
    struct ox_reader reader;
    const uint8_t *skipped = NULL;
    uint64_t body_len = 0;
    enum ox_code code;

    if (len_bytes < OXDL_FRONT_MIN + OXDL_SUM_BYTES) {
        return ox_err_set(err, OX_ECORRUPT, "the patch header ends early");
    }
    if (ox_xxh64(bytes, len_bytes - OXDL_SUM_BYTES, 0) !=
        ox_load_u64le(bytes + len_bytes - OXDL_SUM_BYTES)) {
        return ox_err_set(err, OX_ECORRUPT,
                          "the patch header is damaged (its sum does not match): fetch it again");
    }
    ox_reader_init(&reader, bytes, len_bytes - OXDL_SUM_BYTES, "patch header");
    header.version = OX_OXDL_VERSION;
    if ((code = ox_reader_bytes(&reader, 6, &skipped, err)) != OX_OK ||
        (code = ox_reader_varint(&reader, &body_len, err)) != OX_OK ||
        (code = ox_reader_varint(&reader, &header.ops, err)) != OX_OK ||
        (code = read_size(&reader, &header.base.size_bytes, err)) != OX_OK ||
        (code = read_size(&reader, &header.target.size_bytes, err)) != OX_OK ||
        (code = read_digest(&reader, &header.base.digest, err)) != OX_OK ||
        (code = read_digest(&reader, &header.target.digest, err)) != OX_OK) {
        goto out;
    }
    if ((header.ops & ~OX_OXDL_OPS_KNOWN) != 0) {
        code = ox_err_set(err, OX_EUNSUPPORTED,
                          "the patch uses operations that this oxide does not know (bitmap %llx, "
                          "known %llx): update oxide",
                          (unsigned long long)header.ops, (unsigned long long)OX_OXDL_OPS_KNOWN);
        goto out;
    }
    if ((bytes[5] & OXDL_FLAG_FILES) != 0 &&
        ((code = read_files(&reader, &header.base, "base", err)) != OX_OK ||
         (code = read_files(&reader, &header.target, "target", err)) != OX_OK)) {
        goto out;
    }
    code = ox_reader_end(&reader, err);
out:
    if (code != OX_OK) {
        ox_oxdl_header_clear(&header);
        return code;
    }
    *out = header;
    return OX_OK;
}

enum ox_code ox_oxdl_read_header(const struct ox_source *patch, struct ox_oxdl_header *out,
                                 struct ox_err *err)
{
    struct ox_buf bytes = OX_BUF_INIT;
    size_t need = OXDL_FRONT_MIN;
    enum ox_code code = OX_OK;

    if (patch->size_bytes > 4) {
        uint8_t front[OX_OXDL1_HEADER_BYTES];

        code = ox_source_read(patch, 0, front, 5, err);
        if (code == OX_OK && memcmp(front, OX_OXDL_MAGIC, 4) == 0 && front[4] == 1) {
            size_t have =
                patch->size_bytes < sizeof(front) ? (size_t)patch->size_bytes : sizeof(front);
            struct ox_oxdl1_header v1;

            if ((code = ox_source_read(patch, 0, front, have, err)) != OX_OK ||
                (code = ox_oxdl1_read_header(front, have, &v1, err)) != OX_OK) {
                return code;
            }
            *out = (struct ox_oxdl_header){
                .version = 1,
                .base = {.digest = v1.base_sha256},
                .target = {.digest = v1.target_sha256, .size_bytes = v1.target_size_bytes}};
            return OX_OK;
        }
    }
    while (code == OX_OK && bytes.len_bytes < need) {
        size_t more = need - bytes.len_bytes;

        if (patch->size_bytes < need) {
            code = ox_err_set(err, OX_ECORRUPT, "the patch ends in its header: it was cut short");
            if (bytes.len_bytes == 0 && patch->size_bytes > 0) { /* rather say "no patch" */
                code = ox_buf_reserve(&bytes, (size_t)patch->size_bytes, err);
                if (code == OX_OK) {
                    code = ox_source_read(patch, 0, bytes.data, (size_t)patch->size_bytes, err);
                }
                if (code == OX_OK) {
                    code = oxdl_header_length(bytes.data, (size_t)patch->size_bytes, &need, err);
                }
                if (code == OX_OK) {
                    code = ox_err_set(err, OX_ECORRUPT,
                                      "the patch ends in its header: it was cut short");
                }
            }
            break;
        }
        code = ox_buf_reserve(&bytes, more, err);
        if (code == OX_OK) {
            code = ox_source_read(patch, bytes.len_bytes, bytes.data + bytes.len_bytes, more, err);
        }
        if (code == OX_OK) {
            bytes.len_bytes = need;
            code = oxdl_header_length(bytes.data, bytes.len_bytes, &need, err);
        }
    }
    if (code == OX_OK) {
        code = oxdl_header_parse(bytes.data, need, out, err);
    }
    ox_buf_clear(&bytes);
    return code;
}
