#include "output.h"

#include "oxide/base/file.h"
#include "oxide/base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum ox_code ox_output_neighbour(char **out, const char *path, struct ox_err *err)
{
    uint64_t number = 0;
    size_t len = strlen(path);
    enum ox_code code = ox_random_bytes(&number, sizeof(number), err);

    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    if (code == OX_OK) {
        code = ox_strf(out, err, "%.*s.%08llx.tmp", (int)len, path,
                       (unsigned long long)(number & 0xffffffffu));
    }
    return code;
}

enum ox_code ox_output_open(struct ox_output_file *out, const char *path, struct ox_err *err)
{
    struct stat st;
    bool exists = stat(path, &st) == 0;
    enum ox_code code = OX_OK;

    *out = (struct ox_output_file){NULL, NULL, {-1, NULL}, {NULL, NULL}, strcmp(path, "-") == 0};
    if (out->is_stdout) {
        out->io = (struct ox_fd_io){STDOUT_FILENO, "standard output"};
        out->output = ox_fd_output(&out->io);
        return OX_OK;
    }
    code = ox_strdup(&out->path, path, err);
    if (code != OX_OK) {
        return code;
    }
    if (exists && S_ISDIR(st.st_mode)) {
        return ox_err_set(err, OX_EINVAL, "%s is a folder: name a file in it", path);
    }
    if (exists && !S_ISREG(st.st_mode)) {
        out->io.fd = open(path, O_WRONLY | O_CLOEXEC);
    } else {
        code = ox_output_neighbour(&out->temp, path, err);
        if (code != OX_OK) {
            return code;
        }
        out->io.fd = open(out->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    }
    if (out->io.fd < 0) {
        code = ox_err_sys(err, errno, "making %s", path);
        free(out->temp); /* it was not made: clear must not remove it */
        out->temp = NULL;
        return code;
    }
    out->io.name = out->path;
    out->output = ox_fd_output(&out->io);
    return OX_OK;
}

enum ox_code ox_output_commit(struct ox_output_file *file, bool force, struct ox_err *err)
{
    int fd = file->io.fd;

    if (file->temp == NULL) {
        return OX_OK;
    }
    if (fsync(fd) != 0) {
        return ox_err_sys(err, errno, "syncing %s", file->path);
    }
    file->io.fd = -1;
    if (close(fd) != 0) {
        return ox_err_sys(err, errno, "closing %s", file->path);
    }
    if (!force && ox_path_exists(file->path)) {
        return ox_err_set(err, OX_ECONFLICT, "%s has appeared meanwhile: --force replaces it",
                          file->path);
    }
    if (rename(file->temp, file->path) != 0) {
        return ox_err_sys(err, errno, "renaming a new %s into place", file->path);
    }
    free(file->temp);
    file->temp = NULL;
    return ox_parent_sync(file->path, err);
}

void ox_output_clear(struct ox_output_file *file)
{
    if (file->io.fd >= 0 && !file->is_stdout) {
        (void)close(file->io.fd);
    }
    if (file->temp != NULL) {
        (void)unlink(file->temp);
    }
    free(file->temp);
    free(file->path);
    *file = (struct ox_output_file){NULL, NULL, {-1, NULL}, {NULL, NULL}, false};
}
