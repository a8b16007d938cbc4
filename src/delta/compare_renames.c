#include "compare_renames.h"

#include "oxide/crypto/xxh64.h"

#include <stdlib.h>
#include <string.h>

/* A row that has no like so far. */
struct lone {
    struct ox_compared_row *row;
    const struct ox_compared_tensor *tensor;
    uint64_t sum; /* of its bytes, once it is known */
};

static int by_kind(const struct lone *a, const struct lone *b)
{
    const struct ox_compared_tensor *left = a->tensor;
    const struct ox_compared_tensor *right = b->tensor;

    if (left->bytes != right->bytes) {
        return left->bytes < right->bytes ? -1 : 1;
    }
    if (left->dtype != right->dtype) {
        return left->dtype < right->dtype ? -1 : 1;
    }
    if (left->rank != right->rank) {
        return left->rank < right->rank ? -1 : 1;
    }
    return left->rank == 0 ? 0
                           : memcmp(left->shape, right->shape, left->rank * sizeof(left->shape[0]));
}

static int by_sum(const struct lone *a, const struct lone *b)
{
    int order = by_kind(a, b);

    return order != 0 ? order : a->sum < b->sum ? -1 : a->sum > b->sum;
}

/* Rows of one kind and sum go together in the order in which they stand. */
static int in_order(const void *a, const void *b)
{
    const struct lone *left = a;
    const struct lone *right = b;
    int order = by_sum(left, right);

    return order != 0 ? order : left->row < right->row ? -1 : left->row > right->row;
}

/* Walk two sorted lists, and keep of each what has its like in the other. */
static void keep_common(struct lone *a, size_t *a_count, struct lone *b, size_t *b_count)
{
    size_t a_kept = 0;
    size_t b_kept = 0;
    size_t at = 0;

    for (size_t i = 0; i < *a_count; i++) {
        while (at < *b_count && by_kind(&b[at], &a[i]) < 0) {
            at++;
        }
        if (at < *b_count && by_kind(&b[at], &a[i]) == 0) {
            a[a_kept++] = a[i];
        }
    }
    at = 0;
    for (size_t i = 0; i < *b_count; i++) { /* a holds now what both have */
        while (at < a_kept && by_kind(&a[at], &b[i]) < 0) {
            at++;
        }
        if (at < a_kept && by_kind(&a[at], &b[i]) == 0) {
            b[b_kept++] = b[i];
        }
    }
    *a_count = a_kept;
    *b_count = b_kept;
}

static enum ox_code check_stop(const struct renames_io *io, struct ox_err *err)
{
    return ox_stop_requested(io->stop)
               ? ox_err_set(err, OX_ECANCELED, "stopped while comparing tensors")
               : OX_OK;
}

static enum ox_code sum_up(const struct renames_io *io, const struct ox_source *space,
                           struct lone *rows, size_t count, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < count; i++) {
        const struct ox_compared_tensor *tensor = rows[i].tensor;
        struct ox_xxh64 running;

        ox_xxh64_init(&running, 0);
        for (uint64_t at = 0; code == OX_OK && at < tensor->bytes; at += io->block_bytes) {
            uint64_t left = tensor->bytes - at;
            size_t take = left < io->block_bytes ? (size_t)left : io->block_bytes;

            code = check_stop(io, err);
            code = code == OX_OK ? ox_source_read(space, tensor->offset + at, io->before, take, err)
                                 : code;
            ox_xxh64_update(&running, io->before, code == OX_OK ? take : 0);
        }
        rows[i].sum = ox_xxh64_final(&running);
    }
    return code;
}

/* Sums may be made to meet: what is called the same is the same. */
static enum ox_code same_bytes(const struct renames_io *io, const struct ox_compared_tensor *from,
                               const struct ox_compared_tensor *to, bool *same, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    *same = true;
    for (uint64_t at = 0; code == OX_OK && *same && at < to->bytes; at += io->block_bytes) {
        uint64_t left = to->bytes - at;
        size_t take = left < io->block_bytes ? (size_t)left : io->block_bytes;

        if ((code = check_stop(io, err)) == OX_OK &&
            (code = ox_source_read(io->base, from->offset + at, io->before, take, err)) == OX_OK &&
            (code = ox_source_read(io->target, to->offset + at, io->after, take, err)) == OX_OK) {
            *same = memcmp(io->before, io->after, take) == 0;
        }
    }
    return code;
}

static enum ox_code pair_up(const struct renames_io *io, struct ox_comparison *comparison,
                            struct lone *added, size_t added_count, struct lone *removed,
                            size_t removed_count, struct ox_err *err)
{
    size_t at = 0;
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < added_count && at < removed_count; i++) {
        struct ox_compared_row *row = added[i].row;
        bool same = false;

        while (at < removed_count && by_sum(&removed[at], &added[i]) < 0) {
            at++;
        }
        if (at == removed_count || by_sum(&removed[at], &added[i]) != 0) {
            continue;
        }
        code = same_bytes(io, removed[at].tensor, added[i].tensor, &same, err);
        if (code == OX_OK && same) {
            struct ox_compared_row *old = removed[at++].row;

            row->status = OX_COMPARED_RENAMED;
            row->from = old->from;
            row->from_file = old->from_file;
            row->from_name = old->from_name;
            old->name = NULL; /* marked: it goes */
            comparison->counts[OX_COMPARED_ADDED]--;
            comparison->counts[OX_COMPARED_REMOVED]--;
            comparison->counts[OX_COMPARED_RENAMED]++;
            comparison->bytes[OX_COMPARED_ADDED] -= row->to.bytes;
            comparison->bytes[OX_COMPARED_REMOVED] -= row->to.bytes;
            comparison->bytes[OX_COMPARED_RENAMED] += row->to.bytes;
        }
    }
    return code;
}

static size_t gather(struct ox_comparison *comparison, enum ox_compared_status status,
                     struct lone *out)
{
    size_t count = 0;

    for (size_t i = 0; i < comparison->count; i++) {
        struct ox_compared_row *row = &comparison->rows[i];

        if (row->is_tensor && row->status == status) {
            out[count++] =
                (struct lone){row, status == OX_COMPARED_REMOVED ? &row->from : &row->to, 0};
        }
    }
    if (count > 0) {
        qsort(out, count, sizeof(*out), in_order);
    }
    return count;
}

static void drop_marked(struct ox_comparison *comparison)
{
    size_t kept = 0;

    for (size_t i = 0; i < comparison->count; i++) {
        if (comparison->rows[i].name != NULL) {
            comparison->rows[kept++] = comparison->rows[i];
        }
    }
    comparison->count = kept;
}

enum ox_code renames_find(struct ox_comparison *comparison, const struct renames_io *io,
                          struct ox_err *err)
{
    struct lone *added = calloc((size_t)comparison->counts[OX_COMPARED_ADDED] + 1, sizeof(*added));
    struct lone *removed =
        calloc((size_t)comparison->counts[OX_COMPARED_REMOVED] + 1, sizeof(*removed));
    size_t added_count;
    size_t removed_count;
    enum ox_code code = OX_OK;

    if (added == NULL || removed == NULL) {
        code = ox_err_nomem(err, "a list of tensors");
        goto out;
    }
    added_count = gather(comparison, OX_COMPARED_ADDED, added);
    removed_count = gather(comparison, OX_COMPARED_REMOVED, removed);
    keep_common(added, &added_count, removed, &removed_count);
    if (added_count == 0) {
        goto out;
    }
    if ((code = sum_up(io, io->target, added, added_count, err)) == OX_OK &&
        (code = sum_up(io, io->base, removed, removed_count, err)) == OX_OK) {
        qsort(added, added_count, sizeof(*added), in_order);
        qsort(removed, removed_count, sizeof(*removed), in_order);
        code = pair_up(io, comparison, added, added_count, removed, removed_count, err);
        drop_marked(comparison);
    }
out:
    free(removed);
    free(added);
    return code;
}
