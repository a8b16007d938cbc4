#include "stream.h"

#include "bookmark.h"
#include "tail.h"

#include "oxide/base/clock.h"
#include "oxide/base/file.h"
#include "oxide/delta/delta.h"

#include <stdlib.h>

/* A frame that ends so many bytes behind the last mark is marked: what a kill costs. */
#define MARK_EVERY_PATCH_BYTES ((uint64_t)64 << 10)
#define MARK_EVERY_TARGET_BYTES ((uint64_t)32 << 20)
/* A frame of what did not change takes a few bytes and stands for megabytes: so that marks, stop
 * and watchdog come in between, no more is handed over at once. */
#define FEED_BYTES ((size_t)4 << 10)
/* Marks that outlast a power cut, which cost a sync of what was written. */
#define DURABLE_EVERY_MS 2000

struct stream {
    struct ox_update *update;
    const struct ox_stream_step *step;
    struct ox_bookmark bookmark;
    struct ox_artifact_files *base;
    struct ox_target_files *target;
    struct ox_sink sink;
    struct ox_apply *apply;
    struct ox_buf head; /* the patch's front, until its header is whole and saved */
    bool head_saved;
    struct ox_tail tail; /* what came behind the last mark */
    bool tail_used;      /* it was gone on with, and no frame has ended since */
    bool resumed;        /* it began with what an earlier run had left */
    struct ox_oxdl_mark marked;
    uint64_t have_bytes; /* of the patch */
    int64_t durable_mono_ms;
    const struct ox_progress *progress;
};

static int64_t mono_ms(void)
{
    return ox_clock_system()->mono_ms(NULL);
}

/* --- beginning, and going on --- */

static void close_target(struct stream *stream)
{
    ox_apply_free(stream->apply);
    ox_target_close(stream->target);
    stream->apply = NULL;
    stream->target = NULL;
    stream->head.len_bytes = 0;
    stream->head_saved = false;
    stream->marked = (struct ox_oxdl_mark){0, 0, 0};
}

static enum ox_code new_apply(struct stream *stream, struct ox_err *err)
{
    const struct ox_apply_spec spec = {.base = ox_artifact_side(stream->base),
                                       .sink = &stream->sink,
                                       .stop = &stream->update->stop};

    ox_target_drop_behind(stream->target);
    stream->sink = ox_target_sink(stream->target);
    return ox_apply_new(&stream->apply, &spec, err);
}

static enum ox_code begin(struct stream *stream, struct ox_err *err)
{
    enum ox_code code;

    close_target(stream);
    ox_tail_close(&stream->tail);
    if ((code = ox_bookmark_remove(&stream->bookmark, err)) != OX_OK ||
        (code = ox_remove_tree(stream->step->target_path, err)) != OX_OK ||
        (code = ox_target_create(&stream->target, stream->step->target_path,
                                 stream->step->target_files, err)) != OX_OK) {
        return code;
    }
    return new_apply(stream, err);
}

static enum ox_code go_on(struct stream *stream, struct ox_err *err)
{
    struct ox_oxdl_mark mark = {0, 0, 0};
    struct ox_buf head = OX_BUF_INIT;
    enum ox_code code;

    close_target(stream);
    if ((code = ox_bookmark_load(&stream->bookmark, &head, &mark, err)) == OX_OK &&
        (code = ox_target_open(&stream->target, stream->step->target_path,
                               stream->step->target_files, err)) == OX_OK &&
        (code = new_apply(stream, err)) == OX_OK &&
        (code = ox_apply_feed(stream->apply, head.data, head.len_bytes, err)) == OX_OK) {
        code = ox_apply_resume(stream->apply, &mark, err);
    }
    ox_buf_clear(&head);
    stream->head_saved = true;
    stream->marked = mark;
    return code;
}

/* Take what came behind the mark before; *have_bytes is how far that leads. */
static enum ox_code take_tail(struct stream *stream, uint64_t *have_bytes, struct ox_err *err)
{
    uint8_t block[FEED_BYTES];
    uint64_t at = stream->marked.patch_bytes;
    enum ox_code code = OX_OK;

    stream->tail_used = ox_tail_open(&stream->tail, at, stream->step->patch->size_bytes);
    while (code == OX_OK && stream->tail_used && at < stream->tail.end) {
        size_t take =
            stream->tail.end - at < FEED_BYTES ? (size_t)(stream->tail.end - at) : FEED_BYTES;

        if ((code = ox_tail_read(&stream->tail, at, block, take, err)) == OX_OK &&
            (code = ox_apply_feed(stream->apply, block, take, err)) == OX_OK) {
            at += take;
        }
    }
    *have_bytes = at;
    return code;
}

/* From the last mark, with the tail unless that is damaged. */
static enum ox_code go_on_with_tail(struct stream *stream, uint64_t *have_bytes, struct ox_err *err)
{
    enum ox_code code = go_on(stream, err);

    if (code == OX_OK && (code = take_tail(stream, have_bytes, err)) != OX_OK &&
        code != OX_ECANCELED && code != OX_ENOMEM) {
        ox_tail_drop(&stream->tail);
        stream->tail_used = false;
        code = go_on(stream, err);
        *have_bytes = stream->marked.patch_bytes;
    }
    return code;
}

/* Where an earlier run was, or from the beginning if that cannot be had. */
static enum ox_code go_on_or_begin(struct stream *stream, struct ox_intake *intake,
                                   struct ox_err *err)
{
    struct ox_err why = OX_ERR_INIT;
    enum ox_code code = ox_bookmark_exists(&stream->bookmark)
                            ? go_on_with_tail(stream, &intake->have_bytes, &why)
                            : OX_ENOTFOUND;

    if (code == OX_OK && stream->marked.patch_bytes < intake->size_bytes) {
        intake->mixed = true;
        return OX_OK;
    }
    if (code == OX_ECANCELED || code == OX_ENOMEM) {
        *err = why;
        return code;
    }
    intake->have_bytes = 0;
    return begin(stream, err);
}

/* --- as an intake --- */

/* Keep the front until the header is whole. */
static enum ox_code save_head(struct stream *stream, const void *bytes, size_t len_bytes,
                              struct ox_err *err)
{
    uint64_t header_bytes = ox_apply_header_bytes(stream->apply);
    enum ox_code code = stream->head.len_bytes > OX_OXDL_HEADER_MAX
                            ? OX_OK /* version 1, which has no marks */
                            : ox_buf_append(&stream->head, bytes, len_bytes, err);

    if (code == OX_OK && header_bytes > 0 && header_bytes <= stream->head.len_bytes) {
        struct ox_oxdl_mark none = {header_bytes, 0, 0};

        code =
            ox_bookmark_save_head(&stream->bookmark, stream->head.data, (size_t)header_bytes, err);
        if (code == OX_OK) {
            code = ox_bookmark_save(&stream->bookmark, &none, false, err);
        }
        stream->marked = none;
        stream->head_saved = true;
        ox_buf_clear(&stream->head);
    }
    return code;
}

static enum ox_code save_mark(struct stream *stream, struct ox_err *err)
{
    int64_t now_mono_ms = mono_ms();
    struct ox_oxdl_mark mark;
    enum ox_code code;

    ox_apply_mark(stream->apply, &mark);
    if ((mark.patch_bytes - stream->marked.patch_bytes < MARK_EVERY_PATCH_BYTES &&
         mark.target_bytes - stream->marked.target_bytes < MARK_EVERY_TARGET_BYTES) ||
        mark.patch_bytes >= stream->step->patch->size_bytes) { /* the end is not gone on from */
        return OX_OK;
    }
    code = ox_bookmark_save(&stream->bookmark, &mark, false, err);
    stream->marked = mark;
    stream->tail_used = false;
    ox_progress_update(stream->progress, mark.patch_bytes, stream->step->patch->size_bytes);
    if (code == OX_OK && now_mono_ms - stream->durable_mono_ms >= DURABLE_EVERY_MS) {
        stream->durable_mono_ms = now_mono_ms;
        code = ox_target_flush(stream->target, err);
        if (code == OX_OK) {
            code = ox_bookmark_save(&stream->bookmark, &mark, true, err);
        }
    }
    return code;
}

static enum ox_code take_some(struct stream *stream, const uint8_t *bytes, size_t len_bytes,
                              struct ox_err *err)
{
    enum ox_code code = ox_apply_feed(stream->apply, bytes, len_bytes, err);

    if (code == OX_OK && !stream->head_saved) {
        code = save_head(stream, bytes, len_bytes, err);
    }
    return code == OX_OK && stream->head_saved ? save_mark(stream, err) : code;
}

static enum ox_code stream_take(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    struct stream *stream = ctx;
    const uint8_t *from = bytes;
    enum ox_code code = OX_OK;

    for (size_t at = 0; code == OX_OK && at < len_bytes; at += FEED_BYTES) {
        code = take_some(stream, from + at,
                         len_bytes - at < FEED_BYTES ? len_bytes - at : FEED_BYTES, err);
    }
    if (code == OX_OK && stream->head_saved) {
        ox_tail_keep(&stream->tail, stream->have_bytes, from, len_bytes,
                     stream->marked.patch_bytes);
    }
    stream->have_bytes += len_bytes;
    return code;
}

static enum ox_code stream_finish(void *ctx, struct ox_err *err)
{
    struct stream *stream = ctx;

    return ox_apply_finish(stream->apply, err);
}

/* A damaged frame was found before it was written: the last mark is right. A wrong digest, or
 * anything wrong behind what an earlier run had left, says nothing about where it went wrong,
 * unless that was a tail, the first to be blamed. */
static enum ox_code stream_restart(void *ctx, enum ox_code why, uint64_t *have_bytes,
                                   struct ox_err *err)
{
    struct stream *stream = ctx;
    struct ox_intake again = {.size_bytes = stream->step->patch->size_bytes};
    bool by_tail = stream->tail_used;
    enum ox_code code;

    ox_tail_drop(&stream->tail);
    code = why == OX_ECORRUPT && (by_tail || !stream->resumed) && stream->marked.patch_bytes > 0
               ? go_on_or_begin(stream, &again, err)
               : begin(stream, err);
    stream->resumed = by_tail && stream->resumed && again.have_bytes > 0;
    stream->have_bytes = again.have_bytes;
    *have_bytes = again.have_bytes;
    return code;
}

static enum ox_code close_stream(struct stream *stream, bool complete, struct ox_err *err)
{
    enum ox_code code = complete ? ox_target_flush(stream->target, err) : OX_OK;

    if (complete && code == OX_OK) {
        code = ox_bookmark_remove(&stream->bookmark, err);
    }
    close_target(stream);
    ox_artifact_close(stream->base);
    ox_buf_clear(&stream->head);
    ox_tail_close(&stream->tail);
    ox_bookmark_clear(&stream->bookmark);
    return code;
}

enum ox_code ox_stream_patch(struct ox_update *update, const struct ox_fetch *fetch,
                             const struct ox_stream_step *step, struct ox_err *err)
{
    struct stream stream = {.update = update,
                            .step = step,
                            .head = OX_BUF_INIT,
                            .durable_mono_ms = mono_ms(),
                            .progress = fetch->progress};
    struct ox_intake intake = {.ctx = &stream,
                               .size_bytes = step->patch->size_bytes,
                               .take = stream_take,
                               .finish = stream_finish,
                               .restart = stream_restart};
    enum ox_code code =
        ox_bookmark_init(&stream.bookmark, &update->agent->folders, &step->patch->sha256, err);
    enum ox_code closed;

    ox_tail_init(&stream.tail, stream.bookmark.tail_path);
    if (code == OX_OK &&
        (code = ox_artifact_open_known(&stream.base, step->base_path, step->base_files, err)) ==
            OX_OK &&
        (code = go_on_or_begin(&stream, &intake, err)) == OX_OK) {
        stream.resumed = intake.mixed;
        stream.have_bytes = intake.have_bytes;
        code =
            ox_fetch_into(fetch, &update->journal.assignment, &step->patch->sha256, &intake, err);
    }
    closed = close_stream(&stream, code == OX_OK, code == OX_OK ? err : NULL);
    return code == OX_OK ? closed : code;
}
