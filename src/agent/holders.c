#include "holders.h"

#include "oxide/base/buf.h"
#include "oxide/base/text.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 4096 /* that are told apart; more are passed over */

static const char removed_suffix[] = " (deleted)";

struct search {
    const char *root;
    struct ox_holders *out;
    struct {
        dev_t dev;
        ino_t ino;
    } files[FILES_MAX];
    size_t count;
};

/* "/models/m/versions/v1/model.onnx (deleted)" below /models? */
static bool is_removed(const struct search *search, const char *path)
{
    size_t root = strlen(search->root);
    size_t len = strlen(path);
    size_t suffix = sizeof(removed_suffix) - 1;

    return len > root + suffix && strncmp(path, search->root, root) == 0 && path[root] == '/' &&
           strcmp(path + len - suffix, removed_suffix) == 0;
}

/* Count a file's bytes once. A file with another name left is not waited for. */
static bool take(struct search *search, const struct stat *st)
{
    if (!S_ISREG(st->st_mode) || st->st_nlink > 0) {
        return false;
    }
    for (size_t i = 0; i < search->count; i++) {
        if (search->files[i].dev == st->st_dev && search->files[i].ino == st->st_ino) {
            return true;
        }
    }
    if (search->count < FILES_MAX) {
        search->files[search->count].dev = st->st_dev;
        search->files[search->count].ino = st->st_ino;
        search->count++;
        search->out->bytes += (uint64_t)st->st_blocks * 512;
    }
    return true;
}

/* The symlinks of /proc/PID/fd and /proc/PID/map_files: each leads to a file that is held. The
 * latter wants more rights than the former. */
static bool look_at_links(struct search *search, const char *folder)
{
    const struct dirent *entry;
    bool holds = false;
    DIR *dir = opendir(folder);

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char leads[PATH_MAX + sizeof(removed_suffix)];
        ssize_t len = readlinkat(dirfd(dir), entry->d_name, leads, sizeof(leads) - 1);
        struct stat st;

        if (len <= 0) {
            continue;
        }
        leads[len] = '\0';
        if (is_removed(search, leads) && fstatat(dirfd(dir), entry->d_name, &st, 0) == 0) {
            holds = take(search, &st) || holds;
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return holds;
}

/* What /proc/PID/maps says of files that cannot be looked at: how long their mappings are. */
static bool look_at_maps(struct search *search, const char *path)
{
    char line[PATH_MAX + 256];
    bool holds = false;
    FILE *file = fopen(path, "re");

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        const char *name = strchr(line, '/');
        char *end = NULL;
        unsigned long long from = strtoull(line, &end, 16); /* FROM-TO, in hexadecimal */
        unsigned long long to = *end == '-' ? strtoull(end + 1, &end, 16) : 0;

        line[strcspn(line, "\n")] = '\0';
        if (name != NULL && is_removed(search, name) && *end == ' ' && to > from) {
            search->out->bytes += to - from;
            holds = true;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return holds;
}

static void name_process(long pid, char out[OX_HOLDER_NAME_MAX])
{
    char path[64];
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
    (void)snprintf(out, OX_HOLDER_NAME_MAX, "?");
    file = fopen(path, "re");
    if (file != NULL) {
        if (fgets(out, OX_HOLDER_NAME_MAX, file) != NULL) {
            out[strcspn(out, "\n")] = '\0';
            ox_text_clean(out);
        }
        (void)fclose(file);
    }
}

static void look_at_process(struct search *search, long pid)
{
    char path[64];
    bool by_fd;
    bool by_map;

    (void)snprintf(path, sizeof(path), "/proc/%ld/fd", pid);
    by_fd = look_at_links(search, path);
    (void)snprintf(path, sizeof(path), "/proc/%ld/map_files", pid);
    by_map = look_at_links(search, path);
    if (!by_fd && !by_map) {
        (void)snprintf(path, sizeof(path), "/proc/%ld/maps", pid);
        by_map = look_at_maps(search, path);
    }
    if (by_fd || by_map) {
        if (search->out->processes++ == 0) {
            search->out->pid = pid;
            name_process(pid, search->out->name);
        }
    }
}

void ox_holders_find(const char *root, struct ox_holders *out)
{
    struct search *search = calloc(1, sizeof(*search));
    DIR *dir = opendir("/proc");
    const struct dirent *entry;

    *out = (struct ox_holders){.processes = 0};
    while (search != NULL && dir != NULL && (entry = readdir(dir)) != NULL) {
        long pid = isdigit((unsigned char)entry->d_name[0]) ? strtol(entry->d_name, NULL, 10) : 0;

        search->root = root;
        search->out = out;
        if (pid > 0 && pid != (long)getpid()) {
            look_at_process(search, pid);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    free(search);
}
