#include "health.h"

#include "command.h"

#include "oxide/base/background.h"
#include "oxide/base/file.h"
#include "oxide/crypto/sha256.h"
#include "oxide/tensor/layout.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- files --- */

/* Open without following a symlink. What is no file there cannot have the right bytes. */
static enum ox_code open_plain(const char *dir, const char *relative, uint64_t *size_bytes,
                               int *out_fd, struct ox_err *err)
{
    struct ox_err why = OX_ERR_INIT;
    enum ox_code code = ox_file_open_below(dir, relative, out_fd, size_bytes, &why);

    return code == OX_OK
               ? OX_OK
               : ox_err_set(err, code == OX_EINVAL || code == OX_EPERM ? OX_EDIGEST : code, "%s",
                            why.msg);
}

static enum ox_code verify_file(const char *dir, const struct ox_manifest_file *file,
                                struct ox_stop *stop, struct ox_err *err)
{
    struct ox_digest digest = {{0}};
    struct ox_passing passing = {.io = {-1, file->path}};
    struct ox_source source;
    uint64_t size = 0;
    enum ox_code code = open_plain(dir, file->path, &size, &passing.io.fd, err);

    if (code != OX_OK) {
        return code;
    }
    source = ox_passing_source(&passing, size);
    if (size != file->size_bytes) {
        code = ox_err_set(err, OX_EDIGEST, "%s/%s has %" PRIu64 " bytes, it should have %" PRIu64,
                          dir, file->path, size, file->size_bytes);
    } else {
        code = ox_sha256_source(&source, stop, NULL, &digest, err);
    }
    if (code == OX_OK && !ox_digest_equal(&digest, &file->sha256)) {
        code = ox_err_set(err, OX_EDIGEST, "%s/%s does not have the digest that it should have",
                          dir, file->path);
    }
    (void)close(passing.io.fd);
    return code;
}

enum ox_code ox_files_verify(const char *path, const struct ox_manifest *files,
                             struct ox_stop *stop, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < files->count; i++) {
        code = verify_file(path, &files->files[i], stop, err);
    }
    return code;
}

/* --- the built-in check --- */

/* .pt, .npz and .npy promise nothing: older and compressed ones are bytes to us, and good. */
static bool promises_format(const char *path)
{
    const char *dot = strrchr(path, '.');

    for (int format = OX_FORMAT_UNKNOWN + 1; dot != NULL && format <= OX_FORMAT_GGUF; format++) {
        if (strcmp(dot + 1, ox_format_word((enum ox_format)format)) == 0) {
            return true;
        }
    }
    return false;
}

static enum ox_code parse_file(const char *dir, const char *relative, struct ox_err *err)
{
    struct ox_layout layout = OX_LAYOUT_INIT;
    struct ox_fd_io io = {-1, relative};
    struct ox_source source;
    uint64_t size = 0;
    enum ox_code code = open_plain(dir, relative, &size, &io.fd, err);

    if (code != OX_OK) {
        return code;
    }
    source = ox_fd_source(&io, size);
    code = ox_layout_read(&layout, &source, err);
    if (code == OX_ECORRUPT || code == OX_EUNSUPPORTED) {
        code = ox_err_set(err, OX_EFAILED, "%s/%s does not parse: %s", dir, relative,
                          err == NULL ? "" : err->msg);
    } else if (code == OX_ETOOBIG) { /* past our limits, which says nothing against it */
        code = OX_OK;
    }
    ox_layout_clear(&layout);
    (void)close(io.fd);
    return code;
}

static enum ox_code check_built_in(const struct ox_health_spec *spec, struct ox_err *err)
{
    enum ox_code code =
        spec->digests_known ? OX_OK : ox_files_verify(spec->path, spec->files, spec->stop, err);

    for (size_t i = 0; code == OX_OK && i < spec->files->count; i++) {
        if (promises_format(spec->files->files[i].path)) {
            code = parse_file(spec->path, spec->files->files[i].path, err);
        }
    }
    return code;
}

static int64_t mono_us(void)
{
    struct timespec ts = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

enum ox_code ox_health_check(const struct ox_health_spec *spec, int64_t *took_us,
                             struct ox_err *err)
{
    int64_t started_us = mono_us();
    enum ox_code code =
        spec->command == NULL
            ? check_built_in(spec, err)
            : ox_command_run(&(struct ox_command_spec){.what = "health check",
                                                       .command = spec->command,
                                                       .timeout_ms = spec->timeout_ms,
                                                       .model_id = spec->model_id,
                                                       .version = spec->version,
                                                       .path = spec->path,
                                                       .files = spec->files,
                                                       .verdict = OX_EFAILED,
                                                       .stop = spec->stop},
                             spec->said, err);

    if (code == OX_OK) {
        *took_us = mono_us() - started_us;
    }
    return code;
}
