/* uses: crypto */
/* Manifests from outside: each that is taken keeps the rules, and its canonical text reads back. */
#include "oxide/crypto/artifact.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check(const struct ox_manifest *manifest)
{
    uint64_t total = 0;

    must(manifest->count >= 1 && manifest->count <= OX_MANIFEST_FILES_MAX);
    for (size_t i = 0; i < manifest->count; i++) {
        const char *path = manifest->files[i].path;
        size_t len = strlen(path);

        must(len >= 1 && len <= OX_MANIFEST_PATH_MAX && path[0] != '/' && path[len - 1] != '/');
        must(strstr(path, "//") == NULL && strstr(path, "/../") == NULL &&
             strncmp(path, "../", 3) != 0 && strcmp(path, "..") != 0 && strcmp(path, ".") != 0 &&
             (len < 3 || strcmp(path + len - 3, "/..") != 0) && strchr(path, '\\') == NULL);
        for (size_t j = 0; j < len; j++) {
            must((unsigned char)path[j] >= 0x20 && path[j] != 0x7f);
        }
        for (size_t j = 0; j < i; j++) {
            const char *other = manifest->files[j].path;
            size_t other_len = strlen(other);

            must(strcmp(other, path) < 0);
            must(strncmp(other, path, other_len) != 0 || path[other_len] != '/');
        }
        must(ox_manifest_find(manifest, path) == i);
        must(manifest->files[i].size_bytes <= INT64_MAX - total);
        total += manifest->files[i].size_bytes;
    }
    must(ox_manifest_size(manifest) == total);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ox_manifest manifest = OX_MANIFEST_INIT;
    struct ox_manifest again = OX_MANIFEST_INIT;
    struct ox_err err = OX_ERR_INIT;
    struct ox_digest first;
    struct ox_digest second;
    json_t *json = NULL;
    char *text = NULL;

    if (ox_json_parse(data, size, &json, &err) != OX_OK) {
        return 0;
    }
    if (ox_manifest_from_json(json, &manifest, &err) != OX_OK) {
        must(err.msg[0] != '\0' && manifest.files == NULL);
        json_decref(json);
        return 0;
    }
    json_decref(json);
    check(&manifest);
    must(ox_manifest_canonical(&manifest, &text, &err) == OX_OK);
    must(ox_json_parse(text, strlen(text), &json, &err) == OX_OK);
    must(ox_manifest_from_json(json_object_get(json, "files"), &again, &err) == OX_OK);
    must(ox_artifact_digest(&manifest, &first, &err) == OX_OK);
    must(ox_artifact_digest(&again, &second, &err) == OX_OK);
    must(ox_digest_equal(&first, &second));
    free(text);
    json_decref(json);
    ox_manifest_clear(&manifest);
    ox_manifest_clear(&again);
    return 0;
}
