#include "oxide/delta/compare.h"

#include "compare_numbers.h"
#include "compare_renames.h"
#include "compare_texts.h"
#include "side_tensors.h"

#include "oxide/crypto/xxh64.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)256 * 1024) /* of each side at a time; a multiple of every size */

const char *ox_compared_word(enum ox_compared_status status)
{
    static const char *const words[] = {"same", "changed", "added", "removed", "renamed"};

    return words[status];
}

/* --- the tensors of a side --- */

struct entry {
    const char *name;
    size_t file;
    struct ox_compared_tensor tensor;
    bool used; /* of the base: a tensor of the target goes with it */
};

struct half {
    const struct ox_delta_side *side;
    struct texts *texts;
    struct entry *entries; /* by offset */
    size_t count;
    size_t room;
    struct entry **by_name; /* of the base: by name, then file, then offset */
    const char **paths;     /* of its files; copies */
    struct ox_concat concat;
    struct ox_source space;
};

static enum ox_code add_entry(void *ctx, const struct ox_tensor *tensor, size_t file,
                              uint64_t offset, struct ox_err *err)
{
    struct half *half = ctx;
    const void *name = NULL;
    const void *shape = NULL;
    enum ox_code code = texts_copy(half->texts, tensor->name, strlen(tensor->name) + 1, &name, err);

    if (code == OX_OK && tensor->rank > 0) {
        code = texts_copy(half->texts, tensor->shape, tensor->rank * sizeof(uint64_t), &shape, err);
    }
    if (code == OX_OK && half->count == half->room) {
        size_t room = half->room == 0 ? 256 : half->room * 2;
        struct entry *entries = realloc(half->entries, room * sizeof(*entries));

        if (entries == NULL) {
            return ox_err_nomem(err, "a list of tensors");
        }
        half->entries = entries;
        half->room = room;
    }
    if (code == OX_OK) {
        half->entries[half->count++] = (struct entry){
            name, file, {tensor->dtype, tensor->rank, shape, offset, tensor->length_bytes}, false};
    }
    return code;
}

static int by_offset(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;

    if (left->tensor.offset != right->tensor.offset) {
        return left->tensor.offset < right->tensor.offset ? -1 : 1;
    }
    if (left->tensor.bytes != right->tensor.bytes) {
        return left->tensor.bytes < right->tensor.bytes ? -1 : 1;
    }
    return strcmp(left->name, right->name);
}

static int by_name(const void *a, const void *b)
{
    const struct entry *left = *(struct entry *const *)a;
    const struct entry *right = *(struct entry *const *)b;
    int order = strcmp(left->name, right->name);

    if (order != 0) {
        return order;
    }
    if (left->file != right->file) {
        return left->file < right->file ? -1 : 1;
    }
    return left->tensor.offset < right->tensor.offset   ? -1
           : left->tensor.offset > right->tensor.offset ? 1
                                                        : 0;
}

static enum ox_code copy_paths(struct half *half, struct ox_err *err)
{
    const struct ox_manifest *files = half->side->manifest;
    enum ox_code code = OX_OK;

    half->paths = calloc(files->count + 1, sizeof(char *));
    if (half->paths == NULL) {
        return ox_err_nomem(err, "a list of files");
    }
    for (size_t i = 0; code == OX_OK && i < files->count; i++) {
        const void *copy = NULL;

        code = texts_copy(half->texts, files->files[i].path, strlen(files->files[i].path) + 1,
                          &copy, err);
        half->paths[i] = copy;
    }
    return code;
}

static enum ox_code read_half(struct half *half, const struct ox_delta_side *side,
                              struct texts *texts, struct ox_err *err)
{
    const struct side_tensors_sink sink = {half, add_entry};
    enum ox_code code;

    *half = (struct half){.side = side, .texts = texts};
    code = side_tensors_walk(side, &sink, err);
    if (code == OX_OK) {
        code = ox_concat_init(&half->concat, side->files, side->manifest->count, err);
    }
    if (code == OX_OK) {
        code = copy_paths(half, err);
    }
    if (code != OX_OK) {
        return code;
    }
    half->space = ox_concat_source(&half->concat);
    half->by_name = calloc(half->count + 1, sizeof(struct entry *));
    if (half->by_name == NULL) {
        return ox_err_nomem(err, "a list of tensors");
    }
    if (half->count > 0) {
        qsort(half->entries, half->count, sizeof(*half->entries), by_offset);
    }
    for (size_t i = 0; i < half->count; i++) {
        half->by_name[i] = &half->entries[i];
    }
    if (half->count > 0) {
        qsort(half->by_name, half->count, sizeof(struct entry *), by_name);
    }
    return OX_OK;
}

static void clear_half(struct half *half)
{
    ox_concat_clear(&half->concat);
    free(half->paths);
    free(half->by_name);
    free(half->entries);
}

/* The base's tensor of this name that no other has: in the file of that path, else the first. */
static struct entry *find_like(struct half *base, const char *name, const char *path)
{
    struct entry *any = NULL;
    size_t low = 0;
    size_t high = base->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(base->by_name[middle]->name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < base->count && strcmp(base->by_name[low]->name, name) == 0; low++) {
        struct entry *entry = base->by_name[low];

        if (entry->used) {
            continue;
        }
        if (strcmp(base->side->manifest->files[entry->file].path, path) == 0) {
            return entry;
        }
        any = any == NULL ? entry : any;
    }
    return any;
}

/* --- comparing bytes --- */

struct compare {
    struct half base;
    struct half target;
    struct texts *texts;
    struct ox_stop *stop;
    const struct ox_progress *progress;
    uint64_t done_bytes;
    uint8_t *before; /* a block of each side */
    uint8_t *after;
    struct ox_comparison *out;
    size_t room;
};

static enum ox_code check_stop(const struct compare *self, struct ox_err *err)
{
    return ox_stop_requested(self->stop)
               ? ox_err_set(err, OX_ECANCELED, "stopped while comparing tensors")
               : OX_OK;
}

static bool same_shape(const struct ox_compared_tensor *a, const struct ox_compared_tensor *b)
{
    return a->dtype == b->dtype && a->rank == b->rank && a->bytes == b->bytes &&
           (a->rank == 0 || memcmp(a->shape, b->shape, a->rank * sizeof(uint64_t)) == 0);
}

/* Read a block of both tensors; *take is its length, 0 behind the end. */
static enum ox_code read_both(struct compare *self, const struct ox_compared_tensor *from,
                              const struct ox_compared_tensor *to, uint64_t at, size_t *take,
                              struct ox_err *err)
{
    uint64_t left = to->bytes - at;
    enum ox_code code = check_stop(self, err);

    *take = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
    if (code == OX_OK && *take > 0) {
        code = ox_source_read(&self->base.space, from->offset + at, self->before, *take, err);
    }
    if (code == OX_OK && *take > 0) {
        code = ox_source_read(&self->target.space, to->offset + at, self->after, *take, err);
    }
    return code;
}

static enum ox_code bytes_differ(struct compare *self, const struct ox_compared_tensor *from,
                                 const struct ox_compared_tensor *to, bool *out, struct ox_err *err)
{
    size_t take = 1;
    enum ox_code code = OX_OK;

    *out = false;
    for (uint64_t at = 0; code == OX_OK && !*out && take > 0; at += take) {
        code = read_both(self, from, to, at, &take, err);
        *out = code == OX_OK && memcmp(self->before, self->after, take) != 0;
    }
    return code;
}

static enum ox_code measure(struct compare *self, struct ox_compared_row *row, struct ox_err *err)
{
    struct number_changes changes = {0, 0, 0, 0, 0};
    size_t take = 1;
    enum ox_code code = OX_OK;

    for (uint64_t at = 0; code == OX_OK && take > 0; at += take) {
        code = read_both(self, &row->from, &row->to, at, &take, err);
        if (code == OX_OK) {
            numbers_add(&changes, row->to.dtype, self->before, self->after, take);
        }
    }
    row->numbers = changes.numbers;
    row->changed_numbers = changes.changed;
    row->max_change = changes.max_change;
    row->relative_change = changes.sum_squares_before > 0
                               ? sqrt(changes.sum_squares_change / changes.sum_squares_before)
                               : -1;
    return code;
}

/* Files of the same bytes need not be read. */
static bool same_file(const struct compare *self, const struct entry *from, const struct entry *to)
{
    return ox_digest_equal(&self->base.side->manifest->files[from->file].sha256,
                           &self->target.side->manifest->files[to->file].sha256);
}

/* Where a tensor begins in its file. */
static uint64_t place_in_file(const struct half *half, const struct entry *entry)
{
    return entry->tensor.offset - (entry->file == 0 ? 0 : half->concat.ends[entry->file - 1]);
}

static enum ox_code compare_pair(struct compare *self, const struct entry *from,
                                 const struct entry *to, struct ox_compared_row *row,
                                 struct ox_err *err)
{
    bool alike = same_shape(&from->tensor, &to->tensor);
    bool differ = !alike;
    enum ox_code code = OX_OK;

    if (alike && !(same_file(self, from, to) &&
                   place_in_file(&self->base, from) == place_in_file(&self->target, to))) {
        code = bytes_differ(self, &from->tensor, &to->tensor, &differ, err);
    }
    row->status = differ ? OX_COMPARED_CHANGED : OX_COMPARED_SAME;
    return code == OX_OK && differ && alike && numbers_can_be_read(to->tensor.dtype)
               ? measure(self, row, err)
               : code;
}

/* --- rows --- */

static enum ox_code add_row(struct compare *self, const struct ox_compared_row *row,
                            struct ox_err *err)
{
    struct ox_comparison *out = self->out;
    uint64_t bytes = row->status == OX_COMPARED_REMOVED ? row->from.bytes : row->to.bytes;

    if (out->count == self->room) {
        size_t room = self->room == 0 ? 256 : self->room * 2;
        struct ox_compared_row *rows = realloc(out->rows, room * sizeof(*rows));

        if (rows == NULL) {
            return ox_err_nomem(err, "rows of a comparison");
        }
        out->rows = rows;
        self->room = room;
    }
    out->rows[out->count++] = *row;
    if (row->is_tensor) {
        out->counts[row->status]++;
        out->bytes[row->status] += bytes;
    }
    return OX_OK;
}

static enum ox_code add_target(struct compare *self, const struct entry *entry, struct ox_err *err)
{
    const char *path = self->target.paths[entry->file];
    struct ox_compared_row row = {.status = OX_COMPARED_ADDED,
                                  .is_tensor = true,
                                  .file = path,
                                  .name = entry->name,
                                  .to = entry->tensor};
    struct entry *like = find_like(&self->base, entry->name, path);
    enum ox_code code = OX_OK;

    if (like != NULL) {
        like->used = true;
        row.from = like->tensor;
        row.from_file = self->base.paths[like->file];
        row.from_name = like->name;
        code = compare_pair(self, like, entry, &row, err);
    }
    self->done_bytes += entry->tensor.bytes;
    ox_progress_update(self->progress, self->done_bytes, self->target.space.size_bytes);
    return code == OX_OK ? add_row(self, &row, err) : code;
}

/* --- what lies between tensors --- */

/* A sum over the bytes of a file that are in none of its tensors, and how many they are. */
static enum ox_code sum_rest(struct compare *self, struct half *half, size_t file, size_t *at,
                             uint64_t *sum, uint64_t *bytes, struct ox_err *err)
{
    uint64_t end = half->concat.ends[file];
    uint64_t offset = file == 0 ? 0 : half->concat.ends[file - 1];
    struct ox_xxh64 running;
    enum ox_code code = OX_OK;

    ox_xxh64_init(&running, 0);
    *bytes = 0;
    while (code == OX_OK && offset < end) {
        uint64_t stop = *at < half->count && half->entries[*at].tensor.offset < end
                            ? half->entries[*at].tensor.offset
                            : end;

        while (code == OX_OK && offset < stop) {
            size_t take = stop - offset < BLOCK_BYTES ? (size_t)(stop - offset) : BLOCK_BYTES;

            code = check_stop(self, err);
            code = code == OX_OK ? ox_source_read(&half->space, offset, self->before, take, err)
                                 : code;
            ox_xxh64_update(&running, self->before, code == OX_OK ? take : 0);
            offset += take;
            *bytes += take;
        }
        if (stop < end) {
            uint64_t behind = half->entries[*at].tensor.offset + half->entries[*at].tensor.bytes;

            offset = behind > offset ? behind : offset; /* they may overlap */
            (*at)++;
        }
    }
    *sum = ox_xxh64_final(&running);
    return code;
}

struct rest {
    uint64_t sum;
    uint64_t bytes;
};

static enum ox_code sum_rests(struct compare *self, struct half *half, struct rest **out,
                              struct ox_err *err)
{
    size_t at = 0;
    enum ox_code code = OX_OK;

    *out = calloc(half->side->manifest->count + 1, sizeof(**out));
    if (*out == NULL) {
        return ox_err_nomem(err, "a list of files");
    }
    for (size_t i = 0; code == OX_OK && i < half->side->manifest->count; i++) {
        code = sum_rest(self, half, i, &at, &(*out)[i].sum, &(*out)[i].bytes, err);
    }
    return code;
}

static enum ox_code add_rest(struct compare *self, const struct rest *from, const struct rest *to,
                             const char *path, struct ox_err *err)
{
    struct ox_compared_row row = {
        .status = from == NULL                                       ? OX_COMPARED_ADDED
                  : to == NULL                                       ? OX_COMPARED_REMOVED
                  : from->bytes == to->bytes && from->sum == to->sum ? OX_COMPARED_SAME
                                                                     : OX_COMPARED_CHANGED,
        .file = path,
        .name = "",
        .from_file = from == NULL ? NULL : path,
        .from_name = from == NULL ? NULL : "",
        .from = {.bytes = from == NULL ? 0 : from->bytes},
        .to = {.bytes = to == NULL ? 0 : to->bytes},
    };

    return row.from.bytes + row.to.bytes > 0 ? add_row(self, &row, err) : OX_OK;
}

/* --- all of it --- */

static enum ox_code compare_target(struct compare *self, const struct rest *before,
                                   const struct rest *after, struct ox_err *err)
{
    const struct ox_manifest *files = self->target.side->manifest;
    size_t at = 0;
    enum ox_code code = OX_OK;

    for (size_t file = 0; code == OX_OK && file < files->count; file++) {
        size_t was = ox_manifest_find(self->base.side->manifest, files->files[file].path);
        const char *path = self->target.paths[file];

        for (; code == OX_OK && at < self->target.count && self->target.entries[at].file == file;
             at++) {
            code = add_target(self, &self->target.entries[at], err);
        }
        if (code == OX_OK) {
            code = add_rest(self, was == SIZE_MAX ? NULL : &before[was], &after[file], path, err);
        }
    }
    return code;
}

static enum ox_code add_removed(struct compare *self, const struct rest *before, struct ox_err *err)
{
    const struct ox_manifest *files = self->base.side->manifest;
    size_t at = 0;
    enum ox_code code = OX_OK;

    for (size_t file = 0; code == OX_OK && file < files->count; file++) {
        const char *path = self->base.paths[file];

        for (; code == OX_OK && at < self->base.count && self->base.entries[at].file == file;
             at++) {
            const struct entry *entry = &self->base.entries[at];
            const struct ox_compared_row row = {.status = OX_COMPARED_REMOVED,
                                                .is_tensor = true,
                                                .file = path,
                                                .name = entry->name,
                                                .from_file = path,
                                                .from_name = entry->name,
                                                .from = entry->tensor};

            code = entry->used ? OX_OK : add_row(self, &row, err);
        }
        if (code == OX_OK &&
            ox_manifest_find(self->target.side->manifest, files->files[file].path) == SIZE_MAX) {
            code = add_rest(self, &before[file], NULL, path, err);
        }
    }
    return code;
}

static enum ox_code run(struct compare *self, const struct ox_delta_side *base,
                        const struct ox_delta_side *target, struct ox_err *err)
{
    struct rest *before = NULL;
    struct rest *after = NULL;
    enum ox_code code;

    self->before = malloc(BLOCK_BYTES);
    self->after = malloc(BLOCK_BYTES);
    if (self->before == NULL || self->after == NULL) {
        return ox_err_nomem(err, "blocks to compare");
    }
    if ((code = read_half(&self->base, base, self->texts, err)) == OX_OK &&
        (code = read_half(&self->target, target, self->texts, err)) == OX_OK &&
        (code = sum_rests(self, &self->base, &before, err)) == OX_OK &&
        (code = sum_rests(self, &self->target, &after, err)) == OX_OK &&
        (code = compare_target(self, before, after, err)) == OX_OK) {
        code = add_removed(self, before, err);
    }
    if (code == OX_OK) {
        const struct renames_io io = {&self->base.space, &self->target.space, self->before,
                                      self->after,       BLOCK_BYTES,         self->stop};

        code = renames_find(self->out, &io, err);
    }
    free(after);
    free(before);
    return code;
}

enum ox_code ox_compare(const struct ox_delta_side *base, const struct ox_delta_side *target,
                        struct ox_stop *stop, const struct ox_progress *progress,
                        struct ox_comparison *out, struct ox_err *err)
{
    struct ox_comparison made = {.rows = NULL};
    struct texts *texts = calloc(1, sizeof(*texts));
    struct compare self = {.texts = texts, .stop = stop, .progress = progress, .out = &made};
    enum ox_code code =
        texts == NULL ? ox_err_nomem(err, "a comparison") : run(&self, base, target, err);

    made.texts = texts;
    made.memory_bytes = self.room * sizeof(*made.rows) + (texts == NULL ? 0 : texts->total);
    clear_half(&self.base);
    clear_half(&self.target);
    free(self.before);
    free(self.after);
    if (code != OX_OK) {
        ox_comparison_clear(&made);
        return code;
    }
    *out = made;
    return OX_OK;
}

void ox_comparison_clear(struct ox_comparison *comparison)
{
    if (comparison->texts != NULL) {
        texts_free(comparison->texts);
        free(comparison->texts);
    }
    free(comparison->rows);
    *comparison = (struct ox_comparison){.rows = NULL};
}
