#include "patch_file.h"

#include "oxide/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum ox_code spool_pipe(const struct ox_cli *cli, int from, const char *name,
                               struct ox_patch_file *patch, struct ox_err *err)
{
    uint8_t block[65536];
    uint64_t size = 0;
    ssize_t got;

    patch->spool = tmpfile();
    if (patch->spool == NULL) {
        return ox_err_sys(err, errno, "making a temporary file for %s", name);
    }
    while ((got = read(from, block, sizeof(block))) != 0) {
        enum ox_code code;

        if (ox_stop_requested(cli->stop)) {
            return ox_err_set(err, OX_ECANCELED, "interrupted while reading %s", name);
        }
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return ox_err_sys(err, errno, "reading %s", name);
        }
        code = ox_pwrite_full(fileno(patch->spool), size, block, (size_t)got, name, err);
        if (code != OX_OK) {
            return code;
        }
        size += (uint64_t)got;
    }
    patch->io = (struct ox_fd_io){fileno(patch->spool), name};
    patch->source = ox_fd_source(&patch->io, size);
    return OX_OK;
}

enum ox_code ox_patch_open(const struct ox_cli *cli, struct ox_patch_file *patch, const char *path,
                           struct ox_err *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct stat st;
    enum ox_code code;

    patch->io.name = path;
    if (is_stdin) {
        return spool_pipe(cli, STDIN_FILENO, "standard input", patch, err);
    }
    if (stat(path, &st) == 0 && S_ISFIFO(st.st_mode)) { /* <(oxide delta create ... -o -) */
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0) {
            return ox_err_sys(err, errno, "opening %s", path);
        }
        code = spool_pipe(cli, fd, path, patch, err);
        (void)close(fd);
        return code;
    }
    code = ox_file_open_read(path, &patch->io.fd, &patch->source.size_bytes, err);
    if (code == OX_OK) {
        patch->source = ox_fd_source(&patch->io, patch->source.size_bytes);
    }
    return code;
}

void ox_patch_close(struct ox_patch_file *patch)
{
    if (patch->spool != NULL) {
        (void)fclose(patch->spool);
    } else if (patch->io.fd >= 0) {
        (void)close(patch->io.fd);
    }
}
