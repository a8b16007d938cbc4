#include "first_gen.h"

#include "oxide/base/file.h"
#include "oxide/wire/header.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum ox_code read_meta(const struct ox_http_answer *answer, const char *path,
                              struct ox_assignment *out, struct ox_err *err)
{
    json_t *json = NULL;
    const char *hex = NULL;
    uint64_t size = 0;
    enum ox_code code =
        ox_json_parse_object(answer->body.data == NULL ? "" : (const void *)answer->body.data,
                             answer->body.len_bytes, &json, err);

    if (code == OX_OK && (code = ox_json_get_str(json, "sha256", &hex, err)) == OX_OK &&
        (code = ox_json_get_u64(json, "size_bytes", &size, err)) == OX_OK &&
        (code = ox_digest_parse(hex, &out->digest, err)) == OX_OK) {
        code = ox_manifest_single(&out->files, path == NULL ? OX_FIRST_GEN_PATH : path, size,
                                  &out->digest, err);
    }
    json_decref(json);
    return code == OX_EINVAL ? ox_err_set(err, OX_EPROTO, "metadata of the version: %s", err->msg)
                             : code;
}

enum ox_code ox_first_gen_assignment(const struct ox_fetch *fetch, const char *model_id,
                                     const char *version, const char *path,
                                     struct ox_assignment *out, struct ox_err *err)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;
    struct ox_assignment assignment = {0};
    char *url = NULL;
    enum ox_code code = ox_strf(&url, err, "%s/api/v1/models/%s/versions/%s/meta",
                                fetch->control_plane, model_id, version);

    if (code == OX_OK) {
        code = ox_http_perform(
            fetch->http,
            &(struct ox_http_request){.method = "GET", .url = url, .stop = fetch->stop}, &answer,
            err);
    }
    if (code == OX_OK && answer.status != 200) {
        code = ox_fetch_refusal(&answer, "the control plane", err);
    }
    if (code == OX_OK && (code = read_meta(&answer, path, &assignment, err)) == OX_OK &&
        (code = ox_strdup(&assignment.model_id, model_id, err)) == OX_OK) {
        code = ox_strdup(&assignment.version, version, err);
    }
    ox_http_answer_clear(&answer);
    free(url);
    if (code != OX_OK) {
        ox_assignment_clear(&assignment);
        return code;
    }
    *out = assignment;
    return OX_OK;
}

struct reception {
    const struct ox_fetch *fetch;
    const char *path;
    int fd;
    uint64_t have_bytes;
    uint64_t most_bytes; /* neither a patch nor the file is longer */
};

static enum ox_code on_body(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    struct reception *reception = ctx;
    enum ox_code code;

    reception->fetch->received[OX_ORIGIN_CONTROL_PLANE] += len_bytes;
    if (len_bytes > reception->most_bytes - reception->have_bytes) {
        return ox_err_set(err, OX_EPROTO, "the download is longer than the whole file");
    }
    code = ox_write_full(reception->fd, bytes, len_bytes, reception->path, err);
    reception->have_bytes += len_bytes;
    ox_progress_update(reception->fetch->progress, reception->have_bytes, reception->most_bytes);
    return code;
}

enum ox_code ox_first_gen_download(const struct ox_fetch *fetch,
                                   const struct ox_assignment *assignment, const char *base_version,
                                   const char *path, bool *is_patch, struct ox_err *err)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;
    struct reception reception = {fetch, path, -1, 0, ox_manifest_size(&assignment->files)};
    const char *headers[2] = {NULL};
    char type[64] = "";
    char *base = NULL;
    char *url = NULL;
    enum ox_code code;

    if ((code = ox_strf(&url, err, "%s/api/v1/models/%s/versions/%s/download", fetch->control_plane,
                        assignment->model_id, assignment->version)) != OX_OK ||
        (code = ox_strf(&base, err, OX_HEADER_BASE_VERSION ": %s",
                        base_version == NULL ? "" : base_version)) != OX_OK) {
        goto out;
    }
    headers[0] = base_version == NULL ? NULL : base;
    reception.fd =
        open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (reception.fd < 0) {
        code = ox_err_sys(err, errno, "opening %s", path);
        goto out;
    }
    code = ox_http_perform(fetch->http,
                           &(struct ox_http_request){.method = "GET",
                                                     .url = url,
                                                     .headers = headers,
                                                     .on_body = on_body,
                                                     .ctx = &reception,
                                                     .rate_now = fetch->rate_now,
                                                     .rate_ctx = fetch->rate_ctx,
                                                     .stop = fetch->stop},
                           &answer, err);
    if (code == OX_OK && answer.status != 200) {
        code = ox_fetch_refusal(&answer, "the control plane", err);
    }
    if (code == OX_OK) {
        (void)ox_http_answer_header(&answer, "Content-Type", type, sizeof(type));
        *is_patch = strncmp(type, OX_MEDIA_DELTA, strlen(OX_MEDIA_DELTA)) == 0;
    }
out:
    if (reception.fd >= 0 && close(reception.fd) != 0 && code == OX_OK) {
        code = ox_err_sys(err, errno, "closing %s", path);
    }
    ox_http_answer_clear(&answer);
    free(base);
    free(url);
    return code;
}
