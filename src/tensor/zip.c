/*
 * Zip archives of tensors: PyTorch's, and NumPy's .npz (np.savez), each array an entry NAME.npy.
 * Their entries are found where they are stored as they are; other archives are bytes to us.
 */
#include "formats.h"
#include "npy.h"
#include "torch.h"
#include "zip_directory.h"

#include <string.h>

#define MAGIC "PK\3\4" /* the header of an entry */
#define MAGIC_BYTES 4u
#define NPY_SUFFIX ".npy"
#define NPY_SUFFIX_BYTES 4u

enum ox_code ox_zip_sniff(const struct ox_source *source, bool *out, struct ox_err *err)
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

static bool is_npy(const struct ox_zip_entry *entry)
{
    return entry->name_len >= NPY_SUFFIX_BYTES &&
           strcmp(entry->name + entry->name_len - NPY_SUFFIX_BYTES, NPY_SUFFIX) == 0;
}

/* An array of a version to come is its bytes. */
static enum ox_code add_array(struct ox_build *build, const struct ox_zip_entry *entry,
                              struct ox_stream *stream, struct ox_err *err)
{
    size_t name_len = entry->name_len - NPY_SUFFIX_BYTES;
    enum ox_code code = ox_zip_open(entry, stream, err);
    uint64_t at = stream->pos;

    if (code != OX_OK) {
        return code;
    }
    code = ox_npy_add(build, stream, entry->name, name_len, err);
    if (code == OX_EUNSUPPORTED) {
        const struct ox_found found = {.name = entry->name,
                                       .name_len = name_len,
                                       .rank = 1,
                                       .shape = &entry->size_bytes,
                                       .offset_bytes = at,
                                       .length_bytes = entry->size_bytes};

        ox_err_clear(err);
        return ox_build_add(build, &found, err);
    }
    if (code != OX_OK) {
        char shown[OX_SHOWN_MAX];

        (void)ox_err_context(err, "entry \"%s\"", ox_shown(entry->name, shown));
    }
    return code;
}

static enum ox_code add_arrays(struct ox_build *build, const struct ox_zip *zip,
                               struct ox_stream *stream, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; i < zip->count && code == OX_OK; i++) {
        if (zip->entries[i].stored && is_npy(&zip->entries[i])) {
            code = add_array(build, &zip->entries[i], stream, err);
        }
    }
    return code;
}

enum ox_code ox_zip_read(struct ox_layout *out, const struct ox_source *source, struct ox_err *err)
{
    struct ox_stream stream;
    struct ox_zip zip = {0};
    struct ox_build build = {0};
    const struct ox_zip_entry *pickle = NULL;
    enum ox_code code = ox_stream_init(&stream, source, "an archive", err);

    if (code == OX_OK) {
        code = ox_zip_read_directory(&zip, &stream, err);
    }
    if (code == OX_OK) {
        pickle = ox_torch_pickle_of(&zip);
        code = pickle != NULL ? ox_torch_add(&build, &zip, pickle, &stream, err)
                              : add_arrays(&build, &zip, &stream, err);
    }
    if (code == OX_OK && build.count == 0) {
        code = ox_err_set(err, OX_EUNSUPPORTED,
                          "an archive without tensors of PyTorch or NumPy that are stored "
                          "uncompressed: treated as bytes");
    }
    if (code == OX_OK) {
        code = ox_build_finish(&build, pickle != NULL ? OX_FORMAT_PT : OX_FORMAT_NPZ,
                               OX_NAMES_RENAME, source->size_bytes, out, err);
    }
    ox_build_clear(&build);
    ox_zip_clear(&zip);
    ox_stream_clear(&stream);
    return code;
}
