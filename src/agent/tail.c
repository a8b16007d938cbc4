#include "tail.h"

#include "oxide/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_BYTES 8

void ox_tail_init(struct ox_tail *tail, const char *path)
{
    *tail = (struct ox_tail){.path = path, .fd = -1};
}

void ox_tail_close(struct ox_tail *tail)
{
    if (tail->fd >= 0) {
        (void)close(tail->fd);
    }
    ox_tail_init(tail, tail->path);
}

void ox_tail_drop(struct ox_tail *tail)
{
    ox_tail_close(tail);
    (void)unlink(tail->path);
}

/* --- reading --- */

static bool read_head(struct ox_tail *tail)
{
    uint8_t head[HEAD_BYTES];
    struct stat st;

    if (fstat(tail->fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= HEAD_BYTES ||
        ox_pread_full(tail->fd, 0, head, sizeof(head), tail->path, NULL) != OX_OK) {
        return false;
    }
    for (size_t i = 0; i < sizeof(head); i++) {
        tail->begin |= (uint64_t)head[i] << (8 * i);
    }
    tail->end = tail->begin + ((uint64_t)st.st_size - HEAD_BYTES);
    return tail->end > tail->begin;
}

bool ox_tail_open(struct ox_tail *tail, uint64_t marked, uint64_t patch_bytes)
{
    ox_tail_close(tail);
    tail->fd = open(tail->path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (tail->fd < 0) {
        return false;
    }
    if (read_head(tail) && tail->begin <= marked && marked < tail->end &&
        tail->end <= patch_bytes) {
        return true;
    }
    ox_tail_drop(tail);
    return false;
}

enum ox_code ox_tail_read(const struct ox_tail *tail, uint64_t at, void *out, size_t len_bytes,
                          struct ox_err *err)
{
    return ox_pread_full(tail->fd, HEAD_BYTES + (at - tail->begin), out, len_bytes, tail->path,
                         err);
}

/* --- writing --- */

/* Empty it, to hold bytes from `begin` on. Killed in between, it holds none. */
static bool start(struct ox_tail *tail, uint64_t begin)
{
    uint8_t head[HEAD_BYTES];

    if (tail->fd < 0) {
        tail->fd = open(tail->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    }
    for (size_t i = 0; i < sizeof(head); i++) {
        head[i] = (uint8_t)(begin >> (8 * i));
    }
    tail->begin = tail->end = begin;
    return tail->fd >= 0 && ftruncate(tail->fd, 0) == 0 &&
           ox_pwrite_full(tail->fd, 0, head, sizeof(head), tail->path, NULL) == OX_OK;
}

void ox_tail_keep(struct ox_tail *tail, uint64_t at, const uint8_t *bytes, size_t len_bytes,
                  uint64_t marked)
{
    size_t skip = marked > at ? (size_t)(marked - at) : 0;
    bool good = true;

    if (marked >= at) { /* what lies there is marked now */
        good = start(tail, marked);
    } else if (tail->fd < 0 || tail->end != at) {
        return; /* they would not follow upon the mark */
    }
    if (good && ox_pwrite_full(tail->fd, HEAD_BYTES + (at + skip - tail->begin), bytes + skip,
                               len_bytes - skip, tail->path, NULL) == OX_OK) {
        tail->end = at + len_bytes;
    } else {
        ox_tail_drop(tail);
    }
}
