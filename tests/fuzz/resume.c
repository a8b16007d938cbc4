/* uses: delta */
/*
 * Going on in the middle of a patch of version 2: 1 byte of how, 2 of how much of the patch came
 * before, 8 of damage, then as for the target "apply": 2 bytes of the base's length, base, patch.
 *
 * A first run takes so much of the mended patch, and its mark. A second one goes on there, or at a
 * mark that was damaged, with what the first one wrote, or with that damaged. Whatever comes: it
 * writes in order and within the target, and if it says that all is well, then the target is right
 * from the file on in which the mark lies. Without damage it comes to what one run comes to; only
 * behind the end frame nothing can go on.
 */
#include "mend.h"
#include "oxide/delta/delta.h"

enum { PATCH_BYTES = 1, TARGET_BYTES = 2, FRAMES = 4, WRITTEN = 8, SHORTER = 16, HEADER = 32 };

/* A target that is written at one place after the other, from `at` on. */
struct written {
    struct ox_buf bytes;
    uint64_t at;
    uint64_t size_bytes; /* of the whole target; nothing is written behind it */
};

static enum ox_code write_written(void *ctx, uint64_t offset, const void *bytes, size_t len,
                                  struct ox_err *err)
{
    struct written *self = ctx;
    uint64_t end = offset + len;

    must(offset == self->at && end <= self->size_bytes);
    self->at = end;
    if (end > TARGET_BYTES_MAX) {
        return ox_err_set(err, OX_ENOSPC, "full");
    }
    if (self->bytes.len_bytes < end) {
        size_t before = self->bytes.len_bytes;

        must(ox_buf_reserve(&self->bytes, (size_t)end - before, NULL) == OX_OK);
        memset(self->bytes.data + before, 0, (size_t)end - before);
        self->bytes.len_bytes = (size_t)end;
    }
    memcpy(self->bytes.data + offset, bytes, len);
    return OX_OK;
}

static enum ox_code read_written(void *ctx, uint64_t offset, void *out, size_t len,
                                 struct ox_err *err)
{
    const struct written *self = ctx;

    must(offset <= self->size_bytes && len <= self->size_bytes - offset);
    if (offset > self->bytes.len_bytes || len > self->bytes.len_bytes - offset) {
        return ox_err_set(err, OX_EIO, "the file ends before");
    }
    if (len > 0) {
        memcpy(out, self->bytes.data + offset, len);
    }
    return OX_OK;
}

/* What both runs are about. */
struct job {
    struct ox_delta_side side;
    struct ox_buf patch;
    size_t header_bytes;
    struct written target;
};

static struct ox_apply *new_run(struct job *job, struct ox_sink *sink)
{
    struct ox_apply_spec spec = {.base = &job->side, .sink = sink};
    struct ox_apply *apply = NULL;

    *sink = (struct ox_sink){&job->target, write_written, read_written};
    must(ox_apply_new(&apply, &spec, NULL) == OX_OK);
    return apply;
}

/* Take the front of the patch; how far that comes is the mark. */
static void run_front(struct job *job, size_t front, struct ox_oxdl_mark *mark)
{
    struct ox_sink sink;
    struct ox_apply *apply = new_run(job, &sink);
    enum ox_code code = ox_apply_feed(apply, job->patch.data, front, NULL);

    ox_apply_mark(apply, mark);
    must(mark->patch_bytes <= front && mark->frames <= mark->target_bytes);
    must(mark->target_bytes == job->target.at || code != OX_OK);
    must(mark->target_bytes <= job->target.at);
    must(mark->patch_bytes == 0 || mark->patch_bytes >= job->header_bytes);
    must(ox_apply_header_bytes(apply) == (mark->patch_bytes == 0 ? 0 : job->header_bytes));
    ox_apply_free(apply);
}

static enum ox_code run_rest(struct job *job, const struct ox_oxdl_mark *mark, size_t header_bytes,
                             struct ox_err *err)
{
    struct ox_sink sink;
    struct ox_apply *apply = new_run(job, &sink);
    enum ox_code code = ox_apply_feed(apply, job->patch.data, header_bytes, err);

    if (code == OX_OK) {
        code = ox_apply_resume(apply, mark, err);
    }
    if (code == OX_OK) {
        size_t at = mark->patch_bytes < job->patch.len_bytes ? (size_t)mark->patch_bytes
                                                             : job->patch.len_bytes;
        size_t half = (job->patch.len_bytes - at) / 2;

        job->target.at = mark->target_bytes;
        code = ox_apply_feed(apply, job->patch.data + at, half, err);
        at += half;
        if (code == OX_OK) {
            code = ox_apply_feed(apply, job->patch.data + at, job->patch.len_bytes - at, err);
        }
    }
    if (code == OX_OK) {
        code = ox_apply_finish(apply, err);
    }
    ox_apply_free(apply);
    return code;
}

/* Where the file begins of which a byte at `at` would be: that is verified, and what follows. */
static uint64_t verified_from(const struct ox_oxdl_header *header, uint64_t at)
{
    uint64_t begin = 0;

    for (size_t i = 0; i + 1 < header->target.files.count &&
                       begin + header->target.files.files[i].size_bytes <= at;
         i++) {
        begin += header->target.files.files[i].size_bytes;
    }
    return begin;
}

static void damage(struct job *job, unsigned how, uint32_t a, uint32_t b, struct ox_oxdl_mark *mark)
{
    if ((how & PATCH_BYTES) != 0) {
        mark->patch_bytes = a % 5 == 0 ? (uint64_t)a << 32 | b : mark->patch_bytes + a % 64 - 32;
    }
    if ((how & TARGET_BYTES) != 0) {
        mark->target_bytes = b % 5 == 0   ? (uint64_t)b << 32 | a
                             : b % 5 == 1 ? b % (job->target.size_bytes + 2)
                                          : mark->target_bytes + b % 64 - 32;
    }
    if ((how & FRAMES) != 0) {
        mark->frames = a % 5 == 1 ? (uint64_t)b << 32 | a : mark->frames + a % 8 - 4;
    }
    if ((how & WRITTEN) != 0 && job->target.bytes.len_bytes > 0) {
        job->target.bytes.data[a % job->target.bytes.len_bytes] ^= (uint8_t)(b | 1);
    }
    if ((how & SHORTER) != 0) {
        job->target.bytes.len_bytes -= b % (job->target.bytes.len_bytes + 1);
    }
}

static void run(const struct ox_source *base, const struct ox_oxdl_header *header,
                struct fuzz_input *control, const uint8_t *patch, size_t size)
{
    struct mending mending = {.base = *base, .header = *header};
    struct ox_manifest_file entry = {(char *)"model.bin", base->size_bytes, header->base.digest,
                                     false};
    struct ox_manifest manifest = {&entry, 1};
    struct job job = {.side = {&manifest, base, header->base.digest}, .patch = OX_BUF_INIT};
    bool whole = mend(&mending, patch, size, &job.patch);
    unsigned how = take_u8(control);
    size_t front = (size_t)take_u16(control) * (job.patch.len_bytes + 1) >> 16;
    uint32_t a = take_u32(control);
    uint32_t b = take_u32(control);
    struct ox_oxdl_mark mark = {0};
    struct ox_oxdl_mark true_mark;
    struct ox_err err = OX_ERR_INIT;
    size_t header_bytes;
    enum ox_code code;

    job.header_bytes = job.patch.len_bytes - mending.frames.len_bytes;
    job.target.size_bytes = mending.header.target.size_bytes;
    run_front(&job, front, &mark);
    true_mark = mark;
    damage(&job, how, a, b, &mark);
    header_bytes = (how & HEADER) != 0 ? a % (job.patch.len_bytes + 1) : job.header_bytes;
    if (header_bytes != job.header_bytes) {
        job.target.at = 0; /* frames among them are applied once more */
    }
    code = run_rest(&job, &mark, header_bytes, &err);
    must(code == OX_OK || (err.code == code && err.msg[0] != '\0'));
    if (true_mark.patch_bytes > 0 && how % (2 * HEADER) == 0) {
        must((code == OX_OK) == (whole && mark.patch_bytes < job.patch.len_bytes));
    }
    if (code == OX_OK) {
        uint64_t from = verified_from(&mending.header, mark.target_bytes);

        must(whole && job.target.at == job.target.size_bytes);
        must(job.target.bytes.len_bytes == mending.target.len_bytes);
        must(from == mending.target.len_bytes ||
             memcmp(job.target.bytes.data + from, mending.target.data + from,
                    mending.target.len_bytes - (size_t)from) == 0);
    }
    ox_buf_clear(&mending.frames);
    ox_buf_clear(&mending.target);
    ox_buf_clear(&job.patch);
    ox_buf_clear(&job.target.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct fuzz_input control = take_bytes(&input, 11);
    struct fuzz_input given = take_bytes(&input, take_u16(&input));
    struct ox_buf patch = OX_BUF_INIT;
    struct ox_memory memory;
    struct ox_source source;
    struct ox_oxdl_header header = {0};

    must(ox_buf_append(&patch, input.data, input.size, NULL) == OX_OK);
    mend_header_sum(patch.data, patch.len_bytes);
    memory = (struct ox_memory){patch.data, patch.len_bytes};
    source = ox_memory_source(&memory);
    if (ox_oxdl_read_header(&source, &header, NULL) == OX_OK && header.version == 2 &&
        header.base.size_bytes <= BASE_BYTES_MAX) {
        uint8_t *bytes = base_of_size(&given, (size_t)header.base.size_bytes);
        struct ox_memory base_memory = {bytes, (size_t)header.base.size_bytes};
        struct ox_source base = ox_memory_source(&base_memory);

        run(&base, &header, &control, patch.data, patch.len_bytes);
        free(bytes);
    }
    ox_oxdl_header_clear(&header);
    ox_buf_clear(&patch);
    return 0;
}
