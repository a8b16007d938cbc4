#include "oxide/crypto/artifact.h"

#include "oxide/crypto/sha256.h"

#include <stdlib.h>
#include <string.h>

enum ox_code ox_artifact_digest(const struct ox_manifest *manifest, struct ox_digest *out,
                                struct ox_err *err)
{
    char *text = NULL;
    enum ox_code code;

    if (manifest->count == 0) {
        return ox_err_set(err, OX_EINVAL, "an artifact has at least one file");
    }
    if (manifest->count == 1) {
        *out = manifest->files[0].sha256;
        return OX_OK;
    }
    code = ox_manifest_canonical(manifest, &text, err);
    if (code == OX_OK) {
        code = ox_sha256_bytes(text, strlen(text), out, err);
        free(text);
    }
    return code;
}
