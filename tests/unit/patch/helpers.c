#include "helpers.h"

#include "oxide/base/file.h"
#include "oxide/crypto/xxh64.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

void record_clear(struct record *record)
{
    ox_buf_clear(&record->again);
}

static enum ox_code on_header(void *ctx, const struct ox_oxdl_header *header, struct ox_err *err)
{
    struct record *self = ctx;

    if (self->answer_header != OX_OK) {
        return ox_err_set(err, self->answer_header, "the handler says no");
    }
    self->header = *header;
    self->header.base.files = (struct ox_manifest)OX_MANIFEST_INIT;
    self->header.target.files = (struct ox_manifest)OX_MANIFEST_INIT;
    return ox_oxdl_put_header(&self->again, header, err);
}

static enum ox_code on_frame(void *ctx, const struct ox_oxdl_frame *frame, struct ox_err *err)
{
    struct record *self = ctx;
    uint64_t ranges_bytes = 0;

    assert_true(frame->target_offset == self->target_bytes);
    assert_true(frame->op > OX_OXDL_END && frame->op < OX_OXDL_OP_COUNT);
    assert_in_range(frame->target_bytes, 1, OX_OXDL_FRAME_TARGET_MAX);
    assert_true(frame->body_bytes <= OX_OXDL_FRAME_BODY_MAX);
    assert_true(frame->range_count <= OX_OXDL_RANGES_MAX);
    for (size_t i = 0; i < frame->range_count; i++) {
        const struct ox_oxdl_range *range = &frame->ranges[i];
        uint64_t end = range->from_target ? frame->target_offset : self->header.base.size_bytes;

        assert_true(range->len_bytes > 0 && range->offset < end &&
                    range->len_bytes <= end - range->offset);
        ranges_bytes += range->len_bytes;
    }
    assert_true(ranges_bytes == frame->ranges_bytes && ranges_bytes <= OX_OXDL_GATHER_MAX);
    self->frames++;
    self->target_bytes += frame->target_bytes;
    if (self->answer_frame != OX_OK) {
        return ox_err_set(err, self->answer_frame, "the handler says no");
    }
    return ox_oxdl_put_frame(&self->again, frame, err);
}

struct ox_oxdl_handler record_handler(struct record *record)
{
    return (struct ox_oxdl_handler){record, on_header, on_frame};
}

enum ox_code read_patch(const void *bytes, size_t len, size_t piece, struct record *record,
                        struct ox_err *err)
{
    struct ox_oxdl_handler handler = record_handler(record);
    struct ox_oxdl_reader *reader = NULL;
    struct ox_oxdl_mark mark;
    const uint8_t *from = bytes;
    enum ox_code code = OX_OK;

    assert_int_equal(ox_oxdl_reader_new(&reader, &handler, err), OX_OK);
    for (size_t at = 0; code == OX_OK && at < len;) {
        size_t take = piece == 0 || piece > len - at ? len - at : piece;
        uint8_t *exact = malloc(take);

        assert_non_null(exact);
        memcpy(exact, from + at, take);
        code = ox_oxdl_reader_feed(reader, exact, take, err);
        free(exact);
        at += take;
    }
    if (code == OX_OK) {
        code = ox_oxdl_reader_finish(reader, err);
    } else {
        assert_int_not_equal(ox_oxdl_reader_feed(reader, "x", 1, NULL), OX_OK);
        assert_int_not_equal(ox_oxdl_reader_finish(reader, NULL), OX_OK);
    }
    if (code == OX_OK) {
        ox_oxdl_reader_mark(reader, &mark);
        assert_true(mark.patch_bytes == len);
        assert_int_equal(ox_oxdl_put_end(&record->again, record->frames, NULL), OX_OK);
    }
    ox_oxdl_reader_free(reader);
    return code;
}

struct ox_oxdl_header plain_header(uint64_t base_bytes, uint64_t target_bytes)
{
    return (struct ox_oxdl_header){
        .version = 2,
        .ops = OX_OXDL_OPS_KNOWN,
        .base = {.digest = {{1, 2, 3}}, .size_bytes = base_bytes},
        .target = {.digest = {{4, 5, 6}}, .size_bytes = target_bytes},
    };
}

void put_frame(struct ox_buf *out, enum ox_oxdl_op op, uint64_t at, const void *rebuilt, uint32_t n,
               const struct ox_oxdl_range *ranges, size_t count, const void *body, uint32_t len)
{
    struct ox_oxdl_frame frame = {.op = op,
                                  .target_offset = at,
                                  .target_bytes = n,
                                  .sum = ox_xxh64(rebuilt, n, at),
                                  .range_count = count,
                                  .ranges = ranges,
                                  .body = body,
                                  .body_bytes = len};

    assert_int_equal(ox_oxdl_put_frame(out, &frame, NULL), OX_OK);
}

size_t each_golden(const char *folder, const char *suffix,
                   void (*test)(const char *path, const char *name))
{
    char path[4096];
    struct dirent *entry;
    size_t count = 0;
    DIR *dir;

    (void)snprintf(path, sizeof(path), "%s/golden/%s", OX_TESTS_DIR, folder);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        size_t len = strlen(entry->d_name);

        if (len > strlen(suffix) && strcmp(entry->d_name + len - strlen(suffix), suffix) == 0) {
            (void)snprintf(path, sizeof(path), "%s/golden/%s/%s", OX_TESTS_DIR, folder,
                           entry->d_name);
            test(path, entry->d_name);
            count++;
        }
    }
    (void)closedir(dir);
    return count;
}

struct ox_buf golden_bytes(const char *path)
{
    struct ox_buf bytes = OX_BUF_INIT;

    assert_int_equal(ox_file_read_all(path, 1 << 20, &bytes, NULL), OX_OK);
    return bytes;
}

enum ox_code code_of_name(const char *name)
{
    size_t len = strcspn(name, "-");

    for (int code = 0; code < 64; code++) {
        const char *word = ox_code_word((enum ox_code)code);

        if (strlen(word) == len && strncmp(word, name, len) == 0) {
            return (enum ox_code)code;
        }
    }
    fail_msg("no code is called as %s begins", name);
    return OX_EINTERNAL;
}
