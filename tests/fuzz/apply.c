/* uses: delta */
/*
 * A hostile patch, of version 2 or 1, with a base: 2 bytes of the base's length, base, patch.
 *
 * What would let nothing past is mended first: the header's sum, the base's digest and size, every
 * frame's sum, the target's digests. So what is left of an error is the patch's own: a patch whose
 * frames all decode, each by a decoder of its own, is applied and gives those very bytes; another
 * fails where its frame did.
 */
#include "mend.h"
#include "oxide/delta/delta.h"
#include "oxide/delta/explain.h"

/* --- the whole patch --- */

static enum ox_code apply(const struct ox_source *base, const struct ox_digest *digest,
                          const struct ox_buf *patch, struct ox_buf *target)
{
    struct ox_manifest_file entry = {(char *)"model.bin", base->size_bytes, *digest, false};
    struct ox_manifest manifest = {&entry, 1};
    struct ox_delta_side side = {&manifest, base, *digest};
    struct ox_sink sink = {target, fuzz_write, fuzz_read};
    struct ox_apply_spec spec = {.base = &side, .sink = &sink};
    struct ox_apply *self = NULL;
    struct ox_err err = OX_ERR_INIT;
    size_t half = patch->len_bytes / 2;
    enum ox_code code;

    must(ox_apply_new(&self, &spec, &err) == OX_OK);
    code = ox_apply_feed(self, patch->data, half, &err);
    if (code == OX_OK && patch->len_bytes > 0) {
        code = ox_apply_feed(self, patch->data + half, patch->len_bytes - half, &err);
    }
    if (code == OX_OK) {
        code = ox_apply_finish(self, &err);
    }
    must(code == OX_OK || (err.code == code && err.msg[0] != '\0'));
    must(code != OX_OK || target->len_bytes == ox_apply_header(self)->target.size_bytes);
    ox_apply_free(self);
    return code;
}

static void inspect(const struct ox_buf *patch, bool whole)
{
    struct ox_memory memory = {patch->data, patch->len_bytes};
    struct ox_source source = ox_memory_source(&memory);
    struct ox_oxdl_header header = {0};
    struct ox_delta_stats stats = {.frames = 0};
    enum ox_code code = ox_delta_inspect(&source, &header, &stats, NULL);

    must(!whole || (code == OX_OK && stats.patch_total_bytes == patch->len_bytes));
    ox_oxdl_header_clear(&header);
}

static void explain_by(const struct ox_explain_spec *spec, const struct ox_buf *patch, bool whole)
{
    struct ox_memory memory = {patch->data, patch->len_bytes};
    struct ox_source source = ox_memory_source(&memory);
    const struct ox_explanation *told = NULL;
    struct ox_explain *explain = NULL;
    struct ox_err err = OX_ERR_INIT;
    enum ox_code code;

    must(ox_explain_new(&explain, spec, &err) == OX_OK);
    code = ox_explain_source(explain, &source, &told, &err);
    must(code == OX_OK || (err.code == code && err.msg[0] != '\0'));
    must(!whole || code == OX_OK);
    if (code == OX_OK) {
        uint64_t bytes = told->framing_bytes;

        for (size_t i = 0; i < told->count; i++) {
            bytes += told->rows[i].patch_bytes;
        }
        must(bytes == patch->len_bytes && told->patch_bytes == bytes);
    }
    ox_explain_free(explain);
}

/* Where its bytes go: they add up, whatever its frames say of the sides. */
static void explain(const struct ox_source *base, const struct ox_oxdl_header *header,
                    const struct ox_buf *target, const struct ox_buf *patch, bool whole)
{
    struct ox_manifest_file files[2] = {
        {(char *)"model.bin", base->size_bytes, header->base.digest, false},
        {(char *)"model.bin", target->len_bytes, header->target.digest, false}};
    struct ox_manifest manifests[2] = {{&files[0], 1}, {&files[1], 1}};
    struct ox_memory memory = {target->data, target->len_bytes};
    struct ox_source source = ox_memory_source(&memory);
    struct ox_delta_side from = {&manifests[0], base, header->base.digest};
    struct ox_delta_side to = {&manifests[1], &source, header->target.digest};
    struct ox_explain_spec spec = {NULL, NULL, NULL};

    explain_by(&spec, patch, whole);
    if (whole && header->target.files.count == 0) {
        spec.target = &to;
        explain_by(&spec, patch, true);
        spec.base = &from;
        explain_by(&spec, patch, true);
    }
}

static void run_v2(const struct ox_oxdl_header *header, const struct ox_source *base,
                   const uint8_t *patch, size_t size)
{
    struct mending mending = {.base = *base, .header = *header};
    struct ox_buf mended = OX_BUF_INIT;
    struct ox_buf target = OX_BUF_INIT;
    bool whole = mend(&mending, patch, size, &mended);
    enum ox_code code = apply(base, &header->base.digest, &mended, &target);

    must((code == OX_OK) == whole);
    must(mending.failed == OX_OK || mending.failed == code);
    must(target.len_bytes <= mending.target.len_bytes);
    must(!whole || target.len_bytes == mending.target.len_bytes);
    must(target.len_bytes == 0 || memcmp(target.data, mending.target.data, target.len_bytes) == 0);
    inspect(&mended, whole);
    explain(base, &mending.header, &mending.target, &mended, whole);
    ox_buf_clear(&mending.frames);
    ox_buf_clear(&mending.target);
    ox_buf_clear(&mended);
    ox_buf_clear(&target);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct fuzz_input given = take_bytes(&input, take_u16(&input));
    struct ox_buf patch = OX_BUF_INIT;
    struct ox_buf target = OX_BUF_INIT;
    struct ox_memory patch_memory;
    struct ox_memory base_memory = {given.data, given.size};
    struct ox_source source;
    struct ox_source base = ox_memory_source(&base_memory);
    struct ox_oxdl_header header = {0};
    uint8_t *longer = NULL;

    must(ox_buf_append(&patch, input.data, input.size, NULL) == OX_OK);
    mend_header_sum(patch.data, patch.len_bytes);
    patch_memory = (struct ox_memory){patch.data, patch.len_bytes};
    source = ox_memory_source(&patch_memory);
    inspect(&patch, false);
    if (ox_oxdl_read_header(&source, &header, NULL) != OX_OK) {
        (void)!apply(&base, &header.base.digest, &patch, &target);
    } else if (header.version == 1) {
        /* the base that it wants has no size there; its target is held in memory */
        if (header.target.size_bytes <= TARGET_BYTES_MAX) {
            (void)!apply(&base, &header.base.digest, &patch, &target);
        }
    } else if (header.base.size_bytes <= BASE_BYTES_MAX) {
        longer = base_of_size(&given, (size_t)header.base.size_bytes);
        base_memory = (struct ox_memory){longer, (size_t)header.base.size_bytes};
        base = ox_memory_source(&base_memory);
        run_v2(&header, &base, patch.data, patch.len_bytes);
    }
    free(longer);
    ox_oxdl_header_clear(&header);
    ox_buf_clear(&patch);
    ox_buf_clear(&target);
    return 0;
}
