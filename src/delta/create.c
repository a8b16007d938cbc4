/*
 * Making a patch: the plan's segments are grouped into stretches, stretches are encoded by a pool
 * of threads, and their frames are written in the order of the target.
 */
#include "choose.h"
#include "encode.h"
#include "engines.h"
#include "oxide/base/pool.h"
#include "plan.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Shorter equal runs stay inside a stretch, where they cost less than a frame of their own. */
#define COPY_MIN ((uint64_t)32 * 1024)

/* ... and among bytes alone, of which a stretch is one frame of edits, even longer ones. */
#define COPY_MIN_BYTES ((uint64_t)1 << 20)

/* So many bytes in a row are a stretch of their own, apart from tensors. */
#define BYTES_MIN 65536

#define THREADS_MAX 64

/* Unless told, no more threads than this: others use the machine, too. */
#define THREADS_DEFAULT_MAX 4

/* Memory for each tensor of the target: about, and the same on every machine. */
#define LISTED_BYTES 88

/* What every reader knows: all else can be done with these. */
#define OPS_NEEDED ((uint64_t)1 << OX_OXDL_END | (uint64_t)1 << OX_OXDL_RAW)

/* A target so small may become one frame; then the patch is held back until that was tried. */
#define WHOLE_MAX ((uint64_t)OX_OXDL_FRAME_TARGET_MAX)

/* One frame for all is only tried where the patch is small already and mostly not differences of
 * numbers: else it cannot win. */
#define WHOLE_TRY_BYTES(target_bytes) ((target_bytes) / 4)
#define WHOLE_TRY_ALWAYS 2048

struct job {
    struct stretch stretch;
    struct ox_buf out;
    struct ox_delta_stats stats;
    struct ox_err err;
    enum ox_code code;
    bool done;
    struct pipeline *pipeline;
};

struct pipeline {
    const struct ox_delta_options *options;
    struct effort_fit fit;
    const struct ox_source *base;
    const struct ox_source *target;
    const struct ox_output *out;
    struct ox_buf held; /* frames held back, if `hold` */
    bool hold;
    uint64_t useless_bytes; /* UINT64_MAX, or: a patch of so many is of no use */
    bool useless;           /* it came to that, and the rest was not made */
    bool may_copy;
    bool may_edit;
    struct ox_delta_stats stats;
    struct ox_pool *pool;
    pthread_mutex_t lock;
    pthread_cond_t finished;
    struct encoder *idle[THREADS_MAX]; /* one per thread, free when no job uses it */
    unsigned idle_count;
    struct job *jobs; /* a ring: the oldest is written first */
    size_t job_max;
    size_t oldest;
    size_t in_flight;
    struct stretch *open; /* the stretch that grows */
    struct segment equal; /* the equal run that grows; len 0: none */
};

/* --- running jobs and writing what they made --- */

static void run_job(void *arg)
{
    struct job *job = arg;
    struct pipeline *self = job->pipeline;
    struct encoder *encoder;

    (void)pthread_mutex_lock(&self->lock);
    encoder = self->idle[--self->idle_count];
    (void)pthread_mutex_unlock(&self->lock);
    job->code = encoder_run(encoder, &job->stretch, &job->out, &job->stats, &job->err);
    (void)pthread_mutex_lock(&self->lock);
    self->idle[self->idle_count++] = encoder;
    job->done = true;
    (void)pthread_cond_signal(&self->finished);
    (void)pthread_mutex_unlock(&self->lock);
}

static enum ox_code write_out(struct pipeline *self, const struct ox_buf *bytes, struct ox_err *err)
{
    self->stats.patch_total_bytes += bytes->len_bytes;
    return self->hold ? ox_buf_append(&self->held, bytes->data, bytes->len_bytes, err)
                      : self->out->write(self->out->ctx, bytes->data, bytes->len_bytes, err);
}

/* Wait for the oldest job and write what it made. */
static enum ox_code take_oldest(struct pipeline *self, struct ox_err *err)
{
    struct job *job = &self->jobs[self->oldest];
    enum ox_code code;

    (void)pthread_mutex_lock(&self->lock);
    while (!job->done) {
        (void)pthread_cond_wait(&self->finished, &self->lock);
    }
    (void)pthread_mutex_unlock(&self->lock);
    self->oldest = (self->oldest + 1) % self->job_max;
    self->in_flight--;
    code = job->code;
    if (code != OX_OK) {
        if (err != NULL) {
            *err = job->err;
        }
        return code;
    }
    stats_add(&self->stats, &job->stats);
    code = write_out(self, &job->out, err);
    if (code == OX_OK && self->stats.patch_total_bytes >= self->useless_bytes) {
        self->useless = true;
        code = ox_err_set(err, OX_ECANCELED, "a smaller patch is there");
    }
    ox_progress_update(self->options->progress, job->stretch.target + job->stretch.len,
                       self->target->size_bytes);
    return code;
}

/* Hand the open stretch to the pool. */
static enum ox_code submit(struct pipeline *self, struct ox_err *err)
{
    struct job *job;
    enum ox_code code = OX_OK;

    if (self->open->len == 0) {
        return OX_OK;
    }
    if (self->in_flight == self->job_max) {
        code = take_oldest(self, err);
    }
    if (code != OX_OK) {
        return code;
    }
    job = &self->jobs[(self->oldest + self->in_flight) % self->job_max];
    job->stretch = *self->open;
    job->out.len_bytes = 0;
    job->stats = (struct ox_delta_stats){.frames = 0};
    job->done = false;
    job->pipeline = self;
    self->in_flight++;
    self->open->len = 0;
    self->open->fresh = 0;
    self->open->piece_count = 0;
    ox_pool_submit(self->pool, run_job, job);
    return OX_OK;
}

/* --- grouping segments into stretches --- */

/* What a segment, or what of it follows `skip`, is to the encoder. */
static struct piece piece_of(const struct segment *segment, uint32_t len, uint64_t skip)
{
    const struct tensor_pair *pair = segment->pair;
    struct piece piece = {
        .len = len, .has_base = segment->has_base, .base = segment->base + skip, .pair = pair};

    piece.twin = segment->twin;
    uint64_t at;

    if (pair == NULL || segment->twin) {
        return piece;
    }
    at = segment->target + skip - pair->target_offset;
    if (prediction_jumps(&pair->prediction)
            ? at + len <= tensor_pair_reach(pair, &pair->prediction)
            : at + len <= tensor_pair_common(pair) && piece.base == pair->base_offset + at) {
        piece.kind = PIECE_TENSOR;
        piece.how = pair->prediction;
        piece.mixes = pair->mixes;
    } else if (!segment->equal) {
        piece.kind = PIECE_FRESH;
    } else {
        piece.pair = NULL;
    }
    return piece;
}

static bool joins(const struct piece *last, const struct piece *next)
{
    if (last->kind != next->kind || last->pair != next->pair || last->twin != next->twin) {
        return false;
    }
    if (last->kind == PIECE_TENSOR) {
        return prediction_equal(&last->how, &next->how) && last->mixes == next->mixes;
    }
    return last->kind == PIECE_FRESH ||
           (last->has_base && next->has_base && last->base + last->len == next->base);
}

/* Put one piece at the end of the open stretch, which has room. */
static void append_piece(struct stretch *stretch, const struct segment *segment, uint32_t len,
                         uint64_t skip)
{
    struct piece piece = piece_of(segment, len, skip);

    if (stretch->len == 0) {
        stretch->target = segment->target + skip;
    }
    if (stretch->piece_count > 0 && joins(&stretch->pieces[stretch->piece_count - 1], &piece)) {
        stretch->pieces[stretch->piece_count - 1].len += len;
    } else {
        stretch->pieces[stretch->piece_count++] = piece;
    }
    stretch->len += len;
    stretch->fresh += segment->equal ? 0 : len;
}

/* Add a segment to stretches of its kind, beginning new ones as they fill up. */
static enum ox_code add(struct pipeline *self, const struct segment *segment, bool copy,
                        struct ox_err *err)
{
    bool meaning = segment->pair != NULL;
    uint32_t max_len = copy ? OX_OXDL_FRAME_TARGET_MAX : STRETCH_MAX;
    size_t max_pieces = copy ? OX_OXDL_RANGES_MAX : STRETCH_PIECES_MAX;
    enum ox_code code = OX_OK;

    if (self->open->copy != copy || segment->twin || /* it reads what stands before its frame */
        (self->open->meaning && !meaning && segment->len >= BYTES_MIN) ||
        (!self->open->meaning && meaning && self->open->len >= BYTES_MIN)) {
        code = submit(self, err);
        self->open->copy = copy;
    }
    self->open->meaning = !copy && (meaning || (self->open->meaning && self->open->len > 0));
    if (!copy && !self->open->meaning && self->may_edit) {
        max_len = STRETCH_BYTES_MAX;
    }
    for (uint64_t done = 0; code == OX_OK && done < segment->len;) {
        uint64_t left = segment->len - done;
        uint32_t room = max_len - self->open->len;

        /* A segment that fits a stretch is not cut: numbers stay whole. */
        if (room == 0 || self->open->piece_count == max_pieces ||
            (!copy && self->open->fresh >= STRETCH_MAX) ||
            (left > room && left <= max_len && meaning && !copy)) {
            code = submit(self, err);
            continue;
        }
        append_piece(self->open, segment, left < room ? (uint32_t)left : room, done);
        done += left < room ? left : room;
    }
    return code;
}

static enum ox_code flush_equal(struct pipeline *self, struct ox_err *err)
{
    struct segment equal = self->equal;

    bool bytes = equal.pair == NULL && self->may_edit &&
                 (self->open->len == 0 || self->open->copy || !self->open->meaning);
    uint64_t least = bytes ? COPY_MIN_BYTES : COPY_MIN;

    self->equal.len = 0;
    return equal.len == 0
               ? OX_OK
               : add(self, &equal, self->may_copy && (equal.twin || equal.len >= least), err);
}

static enum ox_code take_segment(void *ctx, const struct segment *segment, struct ox_err *err)
{
    struct pipeline *self = ctx;
    enum ox_code code;

    if (segment->equal && self->equal.len > 0 && !segment->twin && !self->equal.twin &&
        self->equal.base + self->equal.len == segment->base &&
        (self->equal.pair == segment->pair || self->equal.len >= COPY_MIN)) {
        self->equal.len += segment->len;
        return OX_OK;
    }
    code = flush_equal(self, err);
    if (code != OX_OK) {
        return code;
    }
    if (segment->equal) {
        self->equal = *segment;
        return OX_OK;
    }
    return add(self, segment, false, err);
}

/* --- the whole --- */

static void copy_side(struct ox_oxdl_side *out, const struct ox_delta_side *side, bool tables)
{
    out->digest = side->digest;
    out->size_bytes = ox_manifest_size(side->manifest);
    out->files = tables ? *side->manifest : (struct ox_manifest)OX_MANIFEST_INIT; /* lent */
}

static enum ox_code put_header(struct pipeline *self, const struct ox_delta_side *base,
                               const struct ox_delta_side *target, uint64_t ops, struct ox_err *err)
{
    enum ox_delta_target kind = self->options->target_is;
    bool tables =
        base->manifest->count > 1 || target->manifest->count > 1 || kind == OX_TARGET_FOLDER;
    struct ox_oxdl_header header = {.version = OX_OXDL_VERSION, .ops = ops};
    char lone_path[] = OX_OXDL_LONE_PATH;
    struct ox_manifest_file lone;
    struct ox_buf bytes = OX_BUF_INIT;
    enum ox_code code;

    copy_side(&header.base, base, tables);
    copy_side(&header.target, target, tables);
    if (tables && kind == OX_TARGET_FILE && target->manifest->count == 1) {
        lone = target->manifest->files[0];
        lone.path = lone_path;
        header.target.files = (struct ox_manifest){&lone, 1};
    }
    code = ox_oxdl_put_header(&bytes, &header, err);
    if (code == OX_OK) {
        self->stats.patch_bytes[OX_OXDL_END] += bytes.len_bytes;
        self->stats.patch_total_bytes += bytes.len_bytes;
        code = self->out->write(self->out->ctx, bytes.data, bytes.len_bytes, err);
    }
    ox_buf_clear(&bytes);
    return code;
}

static enum ox_code put_end(struct pipeline *self, struct ox_err *err)
{
    struct ox_buf bytes = OX_BUF_INIT;
    enum ox_code code = ox_oxdl_put_end(&bytes, self->stats.frames, err);

    if (code == OX_OK) {
        self->stats.patch_bytes[OX_OXDL_END] += bytes.len_bytes;
        self->stats.patch_total_bytes += bytes.len_bytes;
        code = self->out->write(self->out->ctx, bytes.data, bytes.len_bytes, err);
    }
    ox_buf_clear(&bytes);
    return code;
}

/* May bytes without meaning still beat this patch? Not where it is mostly differences of numbers.
 */
static bool may_be_beaten(const struct ox_delta_stats *stats, size_t patch_bytes)
{
    return patch_bytes < WHOLE_TRY_ALWAYS || stats_number_bytes(stats) < patch_bytes / 2;
}

/* The frames were held back: is one frame for all of the target smaller? Write the better. */
static enum ox_code release(struct pipeline *self, struct ox_err *err)
{
    struct ox_delta_stats stats = {.frames = 0};
    struct ox_buf whole = OX_BUF_INIT;
    const struct ox_buf *best = &self->held;
    bool done = false;
    enum ox_code code = OX_OK;

    if (self->held.len_bytes < WHOLE_TRY_BYTES(self->target->size_bytes) &&
        self->stats.frames > 1 && may_be_beaten(&self->stats, self->held.len_bytes)) {
        code = encoder_run_whole(self->idle[0], self->held.len_bytes, &whole, &stats, &done, err);
    }
    if (code == OX_OK && done && whole.len_bytes < self->held.len_bytes) {
        stats.patch_bytes[OX_OXDL_END] = self->stats.patch_bytes[OX_OXDL_END];
        stats.patch_total_bytes =
            self->stats.patch_total_bytes - self->held.len_bytes + whole.len_bytes;
        self->stats = stats;
        best = &whole;
    }
    if (code == OX_OK) {
        code = self->out->write(self->out->ctx, best->data, best->len_bytes, err);
    }
    ox_buf_clear(&whole);
    return code;
}

static void pipeline_clear(struct pipeline *self)
{
    ox_pool_free(self->pool); /* waits for jobs that run */
    for (size_t i = 0; self->jobs != NULL && i < self->job_max; i++) {
        ox_buf_clear(&self->jobs[i].out);
    }
    for (unsigned i = 0; i < self->idle_count; i++) {
        encoder_free(self->idle[i]);
    }
    free(self->jobs);
    free(self->open);
    ox_buf_clear(&self->held);
    (void)pthread_cond_destroy(&self->finished);
    (void)pthread_mutex_destroy(&self->lock);
}

static enum ox_code pipeline_init(struct pipeline *self, uint64_t ops, struct ox_err *err)
{
    unsigned threads = self->fit.threads;
    enum ox_code code = OX_OK;

    self->job_max = threads + 2;
    self->jobs = calloc(self->job_max, sizeof(*self->jobs));
    self->open = calloc(1, sizeof(*self->open));
    if (self->jobs == NULL || self->open == NULL) {
        return ox_err_nomem(err, "making a patch");
    }
    while (code == OX_OK && self->idle_count < threads) {
        code = encoder_new(&self->idle[self->idle_count], self->base, self->target, ops,
                           &self->fit.row, self->useless_bytes, err);
        self->idle_count += code == OX_OK ? 1 : 0;
    }
    return code == OX_OK ? ox_pool_new(&self->pool, threads, self->job_max, err) : code;
}

static enum ox_code choose(void *ctx, struct tensor_pair *pair, struct ox_err *err)
{
    return choose_prediction(ctx, pair, err);
}

static enum ox_code run(struct pipeline *self, const struct tensor_pairs *pairs, struct ox_err *err)
{
    struct chooser trials = {
        .base = self->base, .target = self->target, .mixing = self->fit.row.mixing};
    struct tensor_chooser chooser = {&trials, choose};
    struct segment_sink sink = {self, take_segment};
    enum ox_code code = plan_run(self->base, self->target, pairs, &chooser, self->fit.index_bytes,
                                 self->options->stop, &sink, err);

    chooser_clear(&trials);

    if (code == OX_OK) {
        code = flush_equal(self, err);
    }
    if (code == OX_OK) {
        code = submit(self, err);
    }
    while (code == OX_OK && self->in_flight > 0) {
        code = ox_stop_requested(self->options->stop)
                   ? ox_err_set(err, OX_ECANCELED, "stopped while encoding frames")
                   : take_oldest(self, err);
    }
    return code;
}

static unsigned default_threads(void)
{
    unsigned cpus = ox_cpu_count();

    return cpus < THREADS_DEFAULT_MAX ? cpus : THREADS_DEFAULT_MAX;
}

/* One engine's patch. */
struct attempt {
    const struct engine *engine;
    uint64_t useless_bytes; /* UINT64_MAX, or: a patch of so many is of no use */
    bool useless;           /* it came to that: there is no patch */
    bool meaning;           /* some tensors have a base */
    struct ox_delta_stats stats;
};

static enum ox_code create_by(struct attempt *attempt, const struct ox_delta_side *base,
                              const struct ox_delta_side *target,
                              const struct ox_delta_options *options, const struct ox_output *out,
                              struct ox_err *err)
{
    const struct engine *engine = attempt->engine;
    uint64_t ops = engine->ops & (options->ops == 0 ? OX_OXDL_OPS_KNOWN : options->ops);
    unsigned threads = options->threads == 0 ? default_threads() : options->threads;
    struct ox_concat base_space = {0};
    struct ox_concat target_space = {0};
    struct ox_source base_source;
    struct ox_source target_source;
    struct tensor_pairs pairs = {0};
    struct pipeline self = {
        .options = options, .out = out, .useless_bytes = attempt->useless_bytes};
    enum ox_code code;

    if ((ops & OPS_NEEDED) != OPS_NEEDED) {
        return ox_err_set(err, OX_EUNSUPPORTED,
                          "no patch can do without the operations end and raw (bitmap %llx)",
                          (unsigned long long)options->ops);
    }
    if ((code = ox_concat_init(&base_space, base->files, base->manifest->count, err)) != OX_OK) {
        return code;
    }
    if ((code = ox_concat_init(&target_space, target->files, target->manifest->count, err)) !=
        OX_OK) {
        ox_concat_clear(&base_space);
        return code;
    }
    base_source = ox_concat_source(&base_space);
    target_source = ox_concat_source(&target_space);
    (void)pthread_mutex_init(&self.lock, NULL);
    (void)pthread_cond_init(&self.finished, NULL);
    self.base = &base_source;
    self.target = &target_source;
    self.may_copy = (ops >> OX_OXDL_COPY & 1) != 0;
    self.may_edit = (ops >> OX_OXDL_EDIT & 1) != 0;
    self.hold = engine->tries_whole && target_source.size_bytes <= WHOLE_MAX;
    if (engine->uses_layouts) {
        code = tensor_pairs_find(&pairs, base, target, options->stop, err);
        for (size_t i = 0; i < pairs.count; i++) {
            pairs.pairs[i].has_twin = pairs.pairs[i].has_twin && self.may_copy;
        }
    }
    self.fit =
        effort_fit(effort_row(options->effort), options->memory_bytes, pairs.count * LISTED_BYTES,
                   base_source.size_bytes, threads < THREADS_MAX ? threads : THREADS_MAX);
    if (code != OX_OK || (code = pipeline_init(&self, ops, err)) != OX_OK ||
        (code = put_header(&self, base, target, ops, err)) != OX_OK) {
        goto out;
    }
    code = run(&self, &pairs, err);
    if (code == OX_OK && self.hold) {
        code = release(&self, err);
    }
    if (code == OX_OK) {
        code = put_end(&self, err);
    }
out:
    pipeline_clear(&self);
    attempt->meaning = pairs.count > 0;
    attempt->useless = self.useless;
    tensor_pairs_clear(&pairs);
    ox_concat_clear(&target_space);
    ox_concat_clear(&base_space);
    if (code == OX_OK) {
        attempt->stats = self.stats;
        attempt->stats.engine = engine->uses_layouts ? stats_engine(&self.stats) : OX_ENGINE_BINARY;
    }
    return self.useless ? OX_OK : code;
}

static enum ox_code append(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    return ox_buf_append(ctx, bytes, len_bytes, err);
}

/* Of a patch of so small a share of the target, edits may always be a smaller one. */
#define FEW 64
#define TINY_BYTES ((uint64_t)64 * 1024) /* and of so small a target */

/* A small target: where its patch is small, or not mostly differences of numbers, the binary
 * engine may beat the choice stretch by stretch, so it has a try of its own, and the smaller patch
 * wins. */
static enum ox_code create_small(const struct ox_delta_side *base,
                                 const struct ox_delta_side *target,
                                 const struct ox_delta_options *options,
                                 const struct ox_output *out, struct ox_delta_stats *stats,
                                 struct ox_err *err)
{
    struct ox_delta_options silent = *options;
    struct attempt attempts[2] = {
        {.engine = engine_row(OX_ENGINE_AUTO), .useless_bytes = UINT64_MAX},
        {.engine = engine_row(OX_ENGINE_BINARY)},
    };
    struct ox_buf patches[2] = {OX_BUF_INIT, OX_BUF_INIT};
    struct ox_output outputs[2] = {{&patches[0], append}, {&patches[1], append}};
    uint64_t size_bytes = ox_manifest_size(target->manifest);
    size_t best = 0;
    enum ox_code code = create_by(&attempts[0], base, target, options, &outputs[0], err);

    silent.progress = NULL;
    if (code == OX_OK && attempts[0].meaning &&
        (stats_number_bytes(&attempts[0].stats) < patches[0].len_bytes / 2 ||
         size_bytes <= TINY_BYTES || patches[0].len_bytes < size_bytes / FEW)) {
        attempts[1].useless_bytes = patches[0].len_bytes;
        code = create_by(&attempts[1], base, target, &silent, &outputs[1], err);
        best = !attempts[1].useless && patches[1].len_bytes < patches[0].len_bytes ? 1 : 0;
    }
    if (code == OX_OK) {
        code = out->write(out->ctx, patches[best].data, patches[best].len_bytes, err);
    }
    if (code == OX_OK && stats != NULL) {
        *stats = attempts[best].stats;
    }
    ox_buf_clear(&patches[0]);
    ox_buf_clear(&patches[1]);
    return code;
}

enum ox_code ox_delta_create(const struct ox_delta_side *base, const struct ox_delta_side *target,
                             const struct ox_delta_options *options, const struct ox_output *out,
                             struct ox_delta_stats *stats, struct ox_err *err)
{
    struct attempt only = {.engine = engine_row(options->engine), .useless_bytes = UINT64_MAX};
    enum ox_code code;

    if (options->engine == OX_ENGINE_AUTO && ox_manifest_size(target->manifest) <= WHOLE_MAX) {
        return create_small(base, target, options, out, stats, err);
    }
    code = create_by(&only, base, target, options, out, err);
    if (code == OX_OK && stats != NULL) {
        *stats = only.stats;
    }
    return code;
}
