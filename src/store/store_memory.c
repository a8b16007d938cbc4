#define _GNU_SOURCE /* memfd_create */
#include "backend.h"

#include "oxide/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct item {
    int fd;
    struct ox_digest digest;
    bool is_part;
    bool open; /* a part that a writer has */
    int64_t written_wall_ms;
};

struct memory {
    pthread_mutex_t lock;
    struct item *items;
    size_t count;
};

static struct item *find(struct memory *memory, const struct ox_digest *digest, bool is_part)
{
    for (size_t i = 0; i < memory->count; i++) {
        if (memory->items[i].is_part == is_part &&
            ox_digest_equal(&memory->items[i].digest, digest)) {
            return &memory->items[i];
        }
    }
    return NULL;
}

static void drop(struct memory *memory, struct item *item)
{
    (void)close(item->fd);
    *item = memory->items[--memory->count];
}

static int64_t now_ms(void)
{
    return ox_clock_system()->wall_ms(NULL);
}

static uint64_t size_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static enum ox_code add(struct memory *memory, int fd, const struct ox_digest *digest, bool is_part,
                        struct ox_err *err)
{
    struct item *items = realloc(memory->items, (memory->count + 1) * sizeof(*items));

    if (items == NULL) {
        (void)close(fd);
        return ox_err_nomem(err, "a blob");
    }
    memory->items = items;
    items[memory->count++] = (struct item){fd, *digest, is_part, false, now_ms()};
    return OX_OK;
}

static enum ox_code memory_stage(void *ctx, const struct ox_digest *upload, struct ox_stage *out,
                                 uint64_t *size_bytes, struct ox_err *err)
{
    struct memory *memory = ctx;
    struct item *part;
    enum ox_code code = OX_OK;
    int fd = -1;

    (void)pthread_mutex_lock(&memory->lock);
    part = upload == NULL ? NULL : find(memory, upload, true);
    if (part != NULL && part->open) {
        code = ox_err_set(err, OX_EBUSY, "another upload of this blob is under way");
        goto out;
    }
    fd = part != NULL ? dup(part->fd) : memfd_create("blob", MFD_CLOEXEC);
    if (fd < 0) {
        code = ox_err_sys(err, errno, "making a blob in memory");
        goto out;
    }
    if (upload != NULL && part == NULL) {
        code = add(memory, dup(fd), upload, true, err);
        part = find(memory, upload, true);
    }
    if (part != NULL) {
        part->open = true;
    }
    *size_bytes = size_of(fd);
    *out = (struct ox_stage){fd, NULL, upload != NULL, {{0}}};
    if (upload != NULL) {
        out->upload = *upload;
    }
out:
    (void)pthread_mutex_unlock(&memory->lock);
    return code;
}

static void leave_locked(struct memory *memory, struct ox_stage *stage, bool keep)
{
    struct item *part = stage->is_upload ? find(memory, &stage->upload, true) : NULL;

    if (part != NULL && keep) {
        part->written_wall_ms = now_ms();
        part->open = false;
    } else if (part != NULL) {
        drop(memory, part);
    }
    (void)close(stage->fd);
    stage->fd = -1;
}

static void memory_leave(void *ctx, struct ox_stage *stage, bool keep)
{
    struct memory *memory = ctx;

    (void)pthread_mutex_lock(&memory->lock);
    leave_locked(memory, stage, keep);
    (void)pthread_mutex_unlock(&memory->lock);
}

static enum ox_code memory_publish(void *ctx, struct ox_stage *stage,
                                   const struct ox_digest *digest, uint64_t size_bytes,
                                   struct ox_err *err)
{
    struct memory *memory = ctx;
    enum ox_code code = OX_OK;

    (void)size_bytes;
    (void)pthread_mutex_lock(&memory->lock);
    if (find(memory, digest, false) == NULL) {
        code = add(memory, dup(stage->fd), digest, false, err);
    } else {
        find(memory, digest, false)->written_wall_ms = now_ms();
    }
    leave_locked(memory, stage, false);
    (void)pthread_mutex_unlock(&memory->lock);
    return code;
}

static enum ox_code memory_read(void *ctx, const struct ox_digest *digest, int *out_fd,
                                uint64_t *size_bytes, struct ox_err *err)
{
    struct memory *memory = ctx;
    struct item *item;
    int fd = -1;

    (void)pthread_mutex_lock(&memory->lock);
    item = find(memory, digest, false);
    if (item != NULL) {
        fd = dup(item->fd);
    }
    (void)pthread_mutex_unlock(&memory->lock);
    if (fd < 0) {
        char hex[OX_DIGEST_HEX_MAX];

        return ox_err_set(err, OX_ENOTFOUND, "blob %s is not held here",
                          ox_digest_hex(digest, hex));
    }
    *out_fd = fd;
    *size_bytes = size_of(fd);
    return OX_OK;
}

static enum ox_code memory_received(void *ctx, const struct ox_digest *digest, uint64_t *out_bytes,
                                    struct ox_err *err)
{
    struct memory *memory = ctx;
    struct item *part;

    (void)err;
    (void)pthread_mutex_lock(&memory->lock);
    part = find(memory, digest, true);
    *out_bytes = part == NULL ? 0 : size_of(part->fd);
    (void)pthread_mutex_unlock(&memory->lock);
    return OX_OK;
}

static enum ox_code memory_free_bytes(void *ctx, uint64_t *out_bytes, struct ox_err *err)
{
    (void)ctx;
    (void)err;
    *out_bytes = UINT64_MAX;
    return OX_OK;
}

static enum ox_code memory_remove(void *ctx, const struct ox_digest *digest, struct ox_err *err)
{
    struct memory *memory = ctx;
    struct item *item;

    (void)err;
    (void)pthread_mutex_lock(&memory->lock);
    item = find(memory, digest, false);
    if (item != NULL) {
        drop(memory, item);
    }
    (void)pthread_mutex_unlock(&memory->lock);
    return OX_OK;
}

static enum ox_code memory_remove_unused(void *ctx, const struct ox_digest *digest,
                                         int64_t since_wall_ms, bool dry_run, bool *removed,
                                         struct ox_err *err)
{
    struct memory *memory = ctx;
    struct item *item;

    (void)err;
    (void)pthread_mutex_lock(&memory->lock);
    item = find(memory, digest, false);
    *removed = item != NULL && item->written_wall_ms < since_wall_ms;
    if (*removed && !dry_run) {
        drop(memory, item);
    }
    (void)pthread_mutex_unlock(&memory->lock);
    return OX_OK;
}

static enum ox_code memory_touch(void *ctx, const struct ox_digest *digest, struct ox_err *err)
{
    struct memory *memory = ctx;
    char hex[OX_DIGEST_HEX_MAX];
    struct item *item;

    (void)pthread_mutex_lock(&memory->lock);
    item = find(memory, digest, false);
    if (item != NULL) {
        item->written_wall_ms = now_ms();
    }
    (void)pthread_mutex_unlock(&memory->lock);
    return item != NULL ? OX_OK
                        : ox_err_set(err, OX_ENOTFOUND, "blob %s is not held here",
                                     ox_digest_hex(digest, hex));
}

static enum ox_code memory_sweep_uploads(void *ctx, int64_t since_wall_ms, struct ox_err *err)
{
    struct memory *memory = ctx;

    (void)err;
    (void)pthread_mutex_lock(&memory->lock);
    for (size_t i = memory->count; i > 0; i--) {
        struct item *item = &memory->items[i - 1];

        if (item->is_part && !item->open && item->written_wall_ms < since_wall_ms) {
            drop(memory, item);
        }
    }
    (void)pthread_mutex_unlock(&memory->lock);
    return OX_OK;
}

static enum ox_code memory_each(void *ctx, uint8_t first_byte,
                                const struct ox_store_visitor *visitor, struct ox_err *err)
{
    struct memory *memory = ctx;
    enum ox_code code = OX_OK;

    (void)pthread_mutex_lock(&memory->lock);
    for (size_t i = 0; code == OX_OK && i < memory->count; i++) {
        if (!memory->items[i].is_part && memory->items[i].digest.bytes[0] == first_byte) {
            code = visitor->visit(visitor->ctx, &memory->items[i].digest,
                                  size_of(memory->items[i].fd), err);
        }
    }
    (void)pthread_mutex_unlock(&memory->lock);
    return code;
}

static void memory_close(void *ctx)
{
    struct memory *memory = ctx;

    for (size_t i = 0; i < memory->count; i++) {
        (void)close(memory->items[i].fd);
    }
    free(memory->items);
    (void)pthread_mutex_destroy(&memory->lock);
    free(memory);
}

enum ox_code ox_store_open_memory(struct ox_store **out, struct ox_err *err)
{
    static const struct ox_store_backend backend = {
        memory_stage,    memory_publish,       memory_leave,  memory_read,
        memory_received, memory_free_bytes,    memory_remove, memory_remove_unused,
        memory_touch,    memory_sweep_uploads, memory_each,   memory_close,
    };
    struct memory *memory = calloc(1, sizeof(*memory));

    if (memory == NULL) {
        return ox_err_nomem(err, "a store");
    }
    (void)pthread_mutex_init(&memory->lock, NULL);
    return ox_store_wrap(out, &backend, memory, err);
}
