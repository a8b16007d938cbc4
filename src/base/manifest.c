#include "oxide/base/manifest.h"

#include "oxide/base/text.h"

#include <stdlib.h>
#include <string.h>

#define PATH_SHOWN_MAX 512 /* of a path in a message, which holds OX_ERR_MSG_MAX with the rest */

void ox_manifest_clear(struct ox_manifest *manifest)
{
    for (size_t i = 0; i < manifest->count; i++) {
        free(manifest->files[i].path);
    }
    free(manifest->files);
    *manifest = (struct ox_manifest)OX_MANIFEST_INIT;
}

enum ox_code ox_manifest_add(struct ox_manifest *manifest, const char *path, uint64_t size_bytes,
                             const struct ox_digest *sha256, bool executable, struct ox_err *err)
{
    struct ox_manifest_file *files;
    char *copy = NULL;
    enum ox_code code;

    if (manifest->count == OX_MANIFEST_FILES_MAX) {
        return ox_err_set(err, OX_ETOOBIG, "an artifact has at most %d files",
                          OX_MANIFEST_FILES_MAX);
    }
    code = ox_strdup(&copy, path, err);
    if (code != OX_OK) {
        return code;
    }
    files = realloc(manifest->files, (manifest->count + 1) * sizeof(*files));
    if (files == NULL) {
        free(copy);
        return ox_err_nomem(err, "a manifest");
    }
    files[manifest->count] = (struct ox_manifest_file){copy, size_bytes, *sha256, executable};
    manifest->files = files;
    manifest->count++;
    return OX_OK;
}

static int by_path(const void *a, const void *b)
{
    const struct ox_manifest_file *left = a;
    const struct ox_manifest_file *right = b;

    return strcmp(left->path, right->path);
}

static enum ox_code check_path(const char *path, struct ox_err *err)
{
    char shown[PATH_SHOWN_MAX];
    size_t len = strnlen(path, OX_MANIFEST_PATH_MAX + 1);
    const char *part = path;
    unsigned depth = 0;
    json_t *utf8;

    if (len == 0 || len > OX_MANIFEST_PATH_MAX) {
        return ox_err_set(err, OX_EINVAL,
                          "path \"%s\" in an artifact must have 1 to %d bytes: rename the file",
                          ox_text_escape(path, shown, sizeof(shown)), OX_MANIFEST_PATH_MAX);
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)path[i];

        if (c < 0x20 || c == 0x7f || c == '\\') {
            return ox_err_set(err, OX_EINVAL,
                              "path \"%s\" in an artifact holds a control character or a "
                              "backslash: rename the file",
                              ox_text_escape(path, shown, sizeof(shown)));
        }
    }
    utf8 = json_string(path); /* jansson checks UTF-8 */
    if (utf8 == NULL) {
        return ox_err_set(err, OX_EINVAL,
                          "path \"%s\" in an artifact is not valid UTF-8: rename the file",
                          ox_text_escape(path, shown, sizeof(shown)));
    }
    json_decref(utf8);
    for (;;) {
        size_t part_len = strcspn(part, "/");

        if (part_len == 0 || part_len > OX_MANIFEST_COMPONENT_MAX ||
            (part_len == 1 && part[0] == '.') ||
            (part_len == 2 && part[0] == '.' && part[1] == '.')) {
            return ox_err_set(err, OX_EINVAL,
                              "path \"%s\" in an artifact is not a plain relative path", path);
        }
        if (++depth > OX_MANIFEST_DEPTH_MAX) {
            return ox_err_set(err, OX_EINVAL,
                              "path \"%s\" in an artifact is nested deeper than %d folders",
                              ox_text_escape(path, shown, sizeof(shown)), OX_MANIFEST_DEPTH_MAX);
        }
        if (part[part_len] == '\0') {
            return OX_OK;
        }
        part += part_len + 1;
    }
}

/* "a" and "a/b" cannot both be files. Sorted by bytes, other names may stand between the two. */
static bool is_folder_of_another(const struct ox_manifest *manifest, size_t index)
{
    const char *path = manifest->files[index].path;
    size_t len = strlen(path);

    for (size_t i = index + 1; i < manifest->count; i++) {
        const char *other = manifest->files[i].path;

        if (strncmp(other, path, len) != 0) {
            return false;
        }
        if (other[len] == '/') {
            return true;
        }
    }
    return false;
}

enum ox_code ox_manifest_finish(struct ox_manifest *manifest, struct ox_err *err)
{
    uint64_t total = 0;

    if (manifest->count == 0) {
        return ox_err_set(err, OX_EINVAL, "an artifact has at least one file");
    }
    qsort(manifest->files, manifest->count, sizeof(manifest->files[0]), by_path);
    for (size_t i = 0; i < manifest->count; i++) {
        const struct ox_manifest_file *file = &manifest->files[i];
        enum ox_code code = check_path(file->path, err);

        if (code != OX_OK) {
            return code;
        }
        if (i > 0 && strcmp(manifest->files[i - 1].path, file->path) == 0) {
            return ox_err_set(err, OX_EINVAL, "path \"%s\" stands twice in an artifact",
                              file->path);
        }
        if (is_folder_of_another(manifest, i)) {
            return ox_err_set(err, OX_EINVAL,
                              "path \"%s\" is both a file and a folder in an artifact", file->path);
        }
        if (file->size_bytes > INT64_MAX - total) {
            return ox_err_set(err, OX_ETOOBIG, "the files of an artifact together pass 2^63 bytes");
        }
        total += file->size_bytes;
    }
    return OX_OK;
}

enum ox_code ox_manifest_copy(struct ox_manifest *out, const struct ox_manifest *manifest,
                              struct ox_err *err)
{
    struct ox_manifest copy = OX_MANIFEST_INIT;

    for (size_t i = 0; i < manifest->count; i++) {
        const struct ox_manifest_file *file = &manifest->files[i];
        enum ox_code code = ox_manifest_add(&copy, file->path, file->size_bytes, &file->sha256,
                                            file->executable, err);

        if (code != OX_OK) {
            ox_manifest_clear(&copy);
            return code;
        }
    }
    *out = copy;
    return OX_OK;
}

enum ox_code ox_manifest_single(struct ox_manifest *out, const char *path, uint64_t size_bytes,
                                const struct ox_digest *sha256, struct ox_err *err)
{
    struct ox_manifest single = OX_MANIFEST_INIT;
    enum ox_code code = ox_manifest_add(&single, path, size_bytes, sha256, false, err);

    if (code == OX_OK) {
        code = ox_manifest_finish(&single, err);
    }
    if (code != OX_OK) {
        ox_manifest_clear(&single);
        return code;
    }
    *out = single;
    return OX_OK;
}

uint64_t ox_manifest_size(const struct ox_manifest *manifest)
{
    uint64_t total = 0;

    for (size_t i = 0; i < manifest->count; i++) {
        total += manifest->files[i].size_bytes;
    }
    return total;
}

size_t ox_manifest_find(const struct ox_manifest *manifest, const char *path)
{
    size_t low = 0;
    size_t high = manifest->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(manifest->files[mid].path, path);

        if (order == 0) {
            return mid;
        }
        if (order < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return SIZE_MAX;
}

enum ox_code ox_manifest_to_json(const struct ox_manifest *manifest, json_t **out,
                                 struct ox_err *err)
{
    json_t *files = json_array();

    for (size_t i = 0; i < manifest->count; i++) {
        const struct ox_manifest_file *file = &manifest->files[i];
        char hex[OX_DIGEST_HEX_MAX];
        enum ox_code code;

        code = ox_json_append(files,
                              json_pack("{s:s, s:s, s:s, s:I}", "mode",
                                        file->executable ? "0755" : "0644", "path", file->path,
                                        "sha256", ox_digest_hex(&file->sha256, hex), "size",
                                        (json_int_t)file->size_bytes),
                              err);
        if (code != OX_OK) {
            json_decref(files);
            return code;
        }
    }
    if (files == NULL) {
        return ox_err_nomem(err, "JSON");
    }
    *out = files;
    return OX_OK;
}

static enum ox_code add_from_json(struct ox_manifest *manifest, const json_t *entry,
                                  struct ox_err *err)
{
    const char *path = NULL;
    const char *hex = NULL;
    const char *mode = "0644";
    uint64_t size = 0;
    struct ox_digest sha256;
    enum ox_code code;

    if (!json_is_object(entry)) {
        return ox_err_set(err, OX_EINVAL, "each of \"files\" must be an object");
    }
    if ((code = ox_json_get_str(entry, "path", &path, err)) != OX_OK ||
        (code = ox_json_get_str(entry, "sha256", &hex, err)) != OX_OK ||
        (code = ox_json_get_u64(entry, "size", &size, err)) != OX_OK ||
        (code = ox_json_opt_str(entry, "mode", &mode, err)) != OX_OK ||
        (code = ox_digest_parse(hex, &sha256, err)) != OX_OK) {
        return code;
    }
    if (strcmp(mode, "0644") != 0 && strcmp(mode, "0755") != 0) {
        return ox_err_set(err, OX_EINVAL, "\"mode\" must be \"0644\" or \"0755\"");
    }
    return ox_manifest_add(manifest, path, size, &sha256, strcmp(mode, "0755") == 0, err);
}

enum ox_code ox_manifest_from_json(const json_t *files, struct ox_manifest *out, struct ox_err *err)
{
    struct ox_manifest manifest = OX_MANIFEST_INIT;
    enum ox_code code = OX_OK;

    if (!json_is_array(files)) {
        return ox_err_set(err, OX_EINVAL, "\"files\" must be an array of {path,size,sha256}");
    }
    for (size_t i = 0; code == OX_OK && i < json_array_size(files); i++) {
        code = add_from_json(&manifest, json_array_get(files, i), err);
    }
    if (code == OX_OK) {
        code = ox_manifest_finish(&manifest, err);
    }
    if (code != OX_OK) {
        ox_manifest_clear(&manifest);
        return code;
    }
    *out = manifest;
    return OX_OK;
}

enum ox_code ox_manifest_canonical(const struct ox_manifest *manifest, char **out,
                                   struct ox_err *err)
{
    json_t *files = NULL;
    json_t *whole;
    enum ox_code code = ox_manifest_to_json(manifest, &files, err);

    if (code != OX_OK) {
        return code;
    }
    whole = json_pack("{s:o}", "files", files);
    if (whole == NULL) {
        return ox_err_nomem(err, "JSON");
    }
    code = ox_json_text(whole, out, err);
    json_decref(whole);
    return code;
}
