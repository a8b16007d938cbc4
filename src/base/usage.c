/* Source: proc(5). */
#include "oxide/base/usage.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define STAT_MAX 4096

static uint64_t processor_ns(void)
{
    struct timespec ts = {0, 0};

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* The number in a field, counted from 1; those before 3 are not looked for: the name, which is the
 * second, may hold blanks and parentheses. */
static bool stat_field(const char *text, unsigned field, uint64_t *out)
{
    const char *at = strrchr(text, ')');
    char *end = NULL;

    for (unsigned i = 2; at != NULL && i < field; i++) {
        at = strchr(at + 1, ' ');
    }
    if (at == NULL) {
        return false;
    }
    *out = strtoull(at, &end, 10);
    return end != at && (*end == ' ' || *end == '\n');
}

static bool parse_stat(const char *text, struct ox_usage *out)
{
    uint64_t pages = 0;

    if (!stat_field(text, 20, &out->threads) || !stat_field(text, 23, &out->virtual_bytes) ||
        !stat_field(text, 24, &pages)) {
        return false;
    }
    out->resident_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

static enum ox_code read_stat(struct ox_usage *out, struct ox_err *err)
{
    char text[STAT_MAX];
    FILE *file = fopen("/proc/self/stat", "re");
    size_t len;

    if (file == NULL) {
        return ox_err_sys(err, errno, "opening /proc/self/stat");
    }
    len = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[len] = '\0';
    return parse_stat(text, out)
               ? OX_OK
               : ox_err_set(err, OX_EIO, "/proc/self/stat is not what proc(5) says");
}

static enum ox_code count_fds(uint64_t *out, struct ox_err *err)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;
    uint64_t count = 0;

    if (dir == NULL) {
        return ox_err_sys(err, errno, "reading /proc/self/fd");
    }
    while ((entry = readdir(dir)) != NULL) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(dir);
    *out = count - 1; /* without the one that looks */
    return OX_OK;
}

enum ox_code ox_usage_read(struct ox_usage *out, struct ox_err *err)
{
    struct ox_usage usage = {.max_fds = UINT64_MAX};
    struct rlimit limit;
    enum ox_code code = read_stat(&usage, err);

    if (code == OX_OK) {
        code = count_fds(&usage.open_fds, err);
    }
    if (code != OX_OK) {
        return code;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        usage.max_fds = limit.rlim_cur;
    }
    usage.processor_ns = processor_ns();
    *out = usage;
    return OX_OK;
}
