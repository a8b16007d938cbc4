#include "stored_side.h"

#include "inner.h"

#include <stdlib.h>

void ox_stored_side_close(struct ox_stored_side *side)
{
    for (size_t i = 0; side->blobs != NULL && i < side->manifest.count; i++) {
        ox_blob_close(&side->blobs[i]);
    }
    free(side->blobs);
    free(side->sources);
    ox_manifest_clear(&side->manifest);
}

static enum ox_code load_manifest(struct ox_control *control, const struct ox_digest *digest,
                                  struct ox_manifest *out, struct ox_err *err)
{
    struct ox_artifact_row artifact;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err);

    if (code == OX_OK) {
        code = ox_registry_artifact_by_digest(&tx, digest, &artifact, err);
    }
    if (code == OX_OK) {
        code = ox_registry_artifact_files(&tx, artifact.id, out, err);
    }
    ox_registry_end(&tx);
    return code;
}

enum ox_code ox_stored_side_open(struct ox_control *control, const struct ox_digest *digest,
                                 struct ox_stored_side *out, struct ox_err *err)
{
    enum ox_code code = load_manifest(control, digest, &out->manifest, err);

    if (code != OX_OK) {
        return code;
    }
    out->blobs = calloc(out->manifest.count, sizeof(*out->blobs));
    out->sources = calloc(out->manifest.count, sizeof(*out->sources));
    if (out->blobs == NULL || out->sources == NULL) {
        return ox_err_nomem(err, "an artifact's files");
    }
    for (size_t i = 0; i < out->manifest.count; i++) {
        out->blobs[i] = (struct ox_blob)OX_BLOB_INIT;
    }
    for (size_t i = 0; code == OX_OK && i < out->manifest.count; i++) {
        code = ox_store_read(control->store, &out->manifest.files[i].sha256, &out->blobs[i], err);
        if (code == OX_OK) {
            out->sources[i] = ox_blob_source(&out->blobs[i]);
        }
    }
    out->side = (struct ox_delta_side){&out->manifest, out->sources, *digest};
    out->size_bytes = ox_manifest_size(&out->manifest);
    return code;
}
