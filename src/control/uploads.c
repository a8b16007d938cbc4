#include "inner.h"

#include <stdlib.h>

struct ox_upload {
    struct ox_store_writer *writer;
    struct ox_digest digest;
    uint64_t total_bytes;
};

static enum ox_code status_json(const struct ox_digest *digest, bool held, uint64_t received,
                                json_t **out, struct ox_err *err)
{
    *out = json_pack("{s:o, s:b, s:I}", "sha256", ox_json_of_digest(digest), "held", (int)held,
                     "received_bytes", (json_int_t)received);
    return *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
}

enum ox_code ox_control_upload_status(struct ox_control *control, const struct ox_digest *digest,
                                      json_t **out, struct ox_err *err)
{
    uint64_t bytes = 0;
    /* Who hears that it is held need not send it: so it stays for a while. */
    bool held = ox_store_touch(control->store, digest, NULL) == OX_OK &&
                ox_store_size(control->store, digest, &bytes, NULL) == OX_OK;
    enum ox_code code = held ? OX_OK : ox_store_received(control->store, digest, &bytes, err);

    return code == OX_OK ? status_json(digest, held, bytes, out, err) : code;
}

enum ox_code ox_control_upload_begin(struct ox_control *control, const struct ox_digest *digest,
                                     uint64_t first_byte, uint64_t total_bytes,
                                     struct ox_upload **out, uint64_t *received_bytes,
                                     struct ox_err *err)
{
    struct ox_upload *upload;
    enum ox_code code;

    *out = NULL;
    *received_bytes = 0;
    if (ox_store_touch(control->store, digest, NULL) == OX_OK &&
        ox_store_size(control->store, digest, received_bytes, NULL) == OX_OK) {
        return OX_OK;
    }
    code = ox_store_received(control->store, digest, received_bytes, err);
    if (code == OX_OK && first_byte != 0 && first_byte != *received_bytes) {
        return ox_err_set(err, OX_ECONFLICT,
                          "%llu bytes of this blob were received: go on from there, or from 0",
                          (unsigned long long)*received_bytes);
    }
    if (code == OX_OK) { /* what is there already needs no room */
        code = ox_control_check_space(
            control, total_bytes == OX_SIZE_UNKNOWN ? total_bytes : total_bytes - first_byte, err);
    }
    if (code != OX_OK) {
        return code;
    }
    upload = calloc(1, sizeof(*upload));
    if (upload == NULL) {
        return ox_err_nomem(err, "an upload");
    }
    upload->digest = *digest;
    upload->total_bytes = total_bytes;
    code = ox_store_resume(control->store, digest, first_byte == 0, &upload->writer, received_bytes,
                           err);
    if (code == OX_OK && *received_bytes != first_byte) { /* another went on meanwhile */
        code = ox_err_set(err, OX_ECONFLICT, "%llu bytes of this blob were received: go on there",
                          (unsigned long long)*received_bytes);
        ox_store_suspend(upload->writer);
    }
    if (code != OX_OK) {
        free(upload);
        return code;
    }
    *out = upload;
    return OX_OK;
}

enum ox_code ox_control_upload_write(struct ox_upload *upload, const void *bytes, size_t len_bytes,
                                     struct ox_err *err)
{
    if (upload->total_bytes != OX_SIZE_UNKNOWN &&
        len_bytes > upload->total_bytes - ox_store_written(upload->writer)) {
        return ox_err_set(err, OX_EINVAL, "more bytes came than Content-Range names");
    }
    return ox_store_write(upload->writer, bytes, len_bytes, err);
}

enum ox_code ox_control_upload_finish(struct ox_upload *take_upload, bool *complete, json_t **out,
                                      struct ox_err *err)
{
    struct ox_upload *upload = take_upload;
    uint64_t written = ox_store_written(upload->writer);
    enum ox_code code = OX_OK;

    *complete = upload->total_bytes == OX_SIZE_UNKNOWN || written == upload->total_bytes;
    if (!*complete) {
        ox_store_suspend(upload->writer);
        code = status_json(&upload->digest, false, written, out, err);
    } else {
        code = ox_store_commit(upload->writer, &upload->digest, NULL, NULL, err);
        if (code == OX_OK) {
            *out = json_pack("{s:o, s:I}", "sha256", ox_json_of_digest(&upload->digest),
                             "size_bytes", (json_int_t)written);
            code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
        }
    }
    free(upload);
    return code;
}

void ox_control_upload_abort(struct ox_upload *take_upload, bool keep)
{
    if (take_upload != NULL) {
        (keep ? ox_store_suspend : ox_store_abort)(take_upload->writer);
        free(take_upload);
    }
}
