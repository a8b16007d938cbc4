#include "oxide/base/io.h"

#include "oxide/base/file.h"

#include <stdlib.h>
#include <string.h>

enum ox_code ox_source_read(const struct ox_source *source, uint64_t offset, void *out,
                            size_t len_bytes, struct ox_err *err)
{
    if (offset > source->size_bytes || len_bytes > source->size_bytes - offset) {
        return ox_err_set(err, OX_ECORRUPT,
                          "%zu bytes at offset %llu lie outside a file of %llu bytes", len_bytes,
                          (unsigned long long)offset, (unsigned long long)source->size_bytes);
    }
    return len_bytes == 0 ? OX_OK : source->read_at(source->ctx, offset, out, len_bytes, err);
}

enum ox_code ox_source_copy(const struct ox_source *source, const struct ox_output *output,
                            struct ox_err *err)
{
    enum { BLOCK_BYTES = 64 * 1024 };
    uint8_t *block = malloc(BLOCK_BYTES);
    enum ox_code code = block == NULL ? ox_err_nomem(err, "a copy") : OX_OK;

    for (uint64_t at = 0; code == OX_OK && at < source->size_bytes;) {
        uint64_t left = source->size_bytes - at;
        size_t take = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;

        code = ox_source_read(source, at, block, take, err);
        if (code == OX_OK) {
            code = output->write(output->ctx, block, take, err);
        }
        at += take;
    }
    free(block);
    return code;
}

static enum ox_code memory_read_at(void *ctx, uint64_t offset, void *out, size_t len_bytes,
                                   struct ox_err *err)
{
    const struct ox_memory *memory = ctx;

    (void)err;
    memcpy(out, memory->data + offset, len_bytes);
    return OX_OK;
}

struct ox_source ox_memory_source(struct ox_memory *memory)
{
    return (struct ox_source){memory, memory->len_bytes, memory_read_at};
}

static enum ox_code fd_read_at(void *ctx, uint64_t offset, void *out, size_t len_bytes,
                               struct ox_err *err)
{
    const struct ox_fd_io *io = ctx;

    return ox_pread_full(io->fd, offset, out, len_bytes, io->name, err);
}

static enum ox_code fd_write_at(void *ctx, uint64_t offset, const void *bytes, size_t len_bytes,
                                struct ox_err *err)
{
    const struct ox_fd_io *io = ctx;

    return ox_pwrite_full(io->fd, offset, bytes, len_bytes, io->name, err);
}

struct ox_source ox_fd_source(struct ox_fd_io *io, uint64_t size_bytes)
{
    return (struct ox_source){io, size_bytes, fd_read_at};
}

struct ox_sink ox_fd_sink(struct ox_fd_io *io)
{
    return (struct ox_sink){io, fd_write_at, fd_read_at};
}

static enum ox_code fd_write(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    const struct ox_fd_io *io = ctx;

    return ox_write_full(io->fd, bytes, len_bytes, io->name, err);
}

struct ox_output ox_fd_output(struct ox_fd_io *io)
{
    return (struct ox_output){io, fd_write};
}

enum ox_code ox_concat_init(struct ox_concat *concat, const struct ox_source *parts, size_t count,
                            struct ox_err *err)
{
    uint64_t end = 0;
    uint64_t *ends = calloc(count == 0 ? 1 : count, sizeof(*ends));

    if (ends == NULL) {
        return ox_err_nomem(err, "a list of files");
    }
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size_bytes > INT64_MAX - end) {
            free(ends);
            return ox_err_set(err, OX_ETOOBIG, "the files together pass 2^63 bytes");
        }
        end += parts[i].size_bytes;
        ends[i] = end;
    }
    *concat = (struct ox_concat){parts, count, ends};
    return OX_OK;
}

static enum ox_code concat_read_at(void *ctx, uint64_t offset, void *out, size_t len_bytes,
                                   struct ox_err *err)
{
    const struct ox_concat *concat = ctx;
    uint8_t *to = out;
    size_t low = 0;
    size_t high = concat->count;

    while (low < high) { /* the first part that ends past offset */
        size_t mid = low + (high - low) / 2;

        if (concat->ends[mid] <= offset) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    while (len_bytes > 0 && low < concat->count) {
        const struct ox_source *part = &concat->parts[low];
        uint64_t in_part = offset - (concat->ends[low] - part->size_bytes);
        uint64_t left = part->size_bytes - in_part;
        size_t take = left < len_bytes ? (size_t)left : len_bytes;
        enum ox_code code = ox_source_read(part, in_part, to, take, err);

        if (code != OX_OK) {
            return code;
        }
        to += take;
        offset += take;
        len_bytes -= take;
        low++;
    }
    return OX_OK;
}

struct ox_source ox_concat_source(struct ox_concat *concat)
{
    uint64_t size = concat->count == 0 ? 0 : concat->ends[concat->count - 1];

    return (struct ox_source){concat, size, concat_read_at};
}

void ox_concat_clear(struct ox_concat *concat)
{
    free(concat->ends);
    *concat = (struct ox_concat){0};
}

void ox_progress_update(const struct ox_progress *progress, uint64_t done, uint64_t total)
{
    if (progress != NULL && progress->update != NULL) {
        progress->update(progress->ctx, done, total);
    }
}
