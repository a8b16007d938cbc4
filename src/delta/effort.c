#include "effort.h"

#include "index.h"

/* A row for each effort, its columns in effort.h. To add one: raise OX_DELTA_EFFORT_MAX. */
static const struct effort_row rows[EFFORT_MAX + 1] = {
    [1] = {1, 3, 3, MIX_NEVER, false, 18, {16, 1, 48, false}},
    [2] = {1, 9, 9, MIX_NEVER, false, 21, {18, 2, 64, false}},
    [3] = {3, 19, 15, MIX_NEVER, false, 23, {20, 4, 128, false}},
    [4] = {3, 19, 19, MIX_NEVER, false, 23, {20, 8, 128, false}},
    [5] = {3, 19, 19, MIX_WHERE_IT_PAYS, true, 23, {20, 8, 128, true}},
    [6] = {3, 19, 19, MIX_WHERE_IT_PAYS, true, 23, {21, 8, 128, true}},
    [7] = {3, 19, 19, MIX_ALWAYS, true, 23, {21, 16, 192, true}},
    [8] = {3, 19, 22, MIX_ALWAYS, true, 23, {22, 16, 256, true}},
    [9] = {3, 22, 22, MIX_ALWAYS, true, 24, {22, 32, 384, true}},
};

#define MIB ((uint64_t)1 << 20)

/* Peak resident memory, measured on pairs of each kind, and rounded up. The process itself, views
 * of both sides, samples, frames that wait to be written, one that is explained: 13 MiB. */
#define FIXED_BYTES (15 * MIB)
#define INDEX_BYTES_MAX (64 * MIB) /* of the whole base: index.h says what it finds */
/* A thread's buffers and coders without zstd and the tables of edits: where a cast gathers much 13
 * MiB; a stretch of bytes 4, what it comes from, and it again behind that, 8, its frames 2, the
 * coder of edits 3. */
#define THREAD_BYTES (18 * MIB)

#define ZSTD_LOG_MIN 17
#define EDIT_LOG_MIN 16

bool effort_caps_zstd(const struct effort_row *row, int level)
{
    return level >= EFFORT_ZSTD_DEEP || row->zstd_log <= EFFORT_ZSTD_SMALL;
}

uint64_t effort_zstd_bytes(unsigned log)
{
    return ((uint64_t)6 << log) + MIB + MIB / 4; /* places of 4 bytes; what the parser needs */
}

static uint64_t thread_bytes(const struct effort_row *row)
{
    return THREAD_BYTES + effort_zstd_bytes(row->zstd_log) +
           ((uint64_t)8 << row->edit.table_log2); /* two tables of 4 bytes a place */
}

struct effort_fit effort_fit(const struct effort_row *row, uint64_t memory_bytes,
                             uint64_t listed_bytes, uint64_t base_bytes, unsigned threads)
{
    struct effort_fit fit = {*row, 0, 1};
    uint64_t memory = memory_bytes == 0 ? OX_DELTA_MEMORY_DEFAULT : memory_bytes;
    uint64_t index =
        anchor_index_bytes(base_bytes, memory / 4 < INDEX_BYTES_MAX ? memory / 4 : INDEX_BYTES_MAX);
    uint64_t fixed = FIXED_BYTES + index + listed_bytes;
    uint64_t left = memory > fixed ? memory - fixed : 0;

    fit.index_bytes = index;
    while (fit.row.zstd_log > ZSTD_LOG_MIN && thread_bytes(&fit.row) > left) {
        fit.row.zstd_log--;
    }
    while (fit.row.edit.table_log2 > EDIT_LOG_MIN && thread_bytes(&fit.row) > left) {
        fit.row.edit.table_log2--;
    }
    while (fit.threads < threads && (fit.threads + 1) * thread_bytes(&fit.row) <= left) {
        fit.threads++;
    }
    return fit;
}

const struct effort_row *effort_row(unsigned effort)
{
    return &rows[effort == 0 ? EFFORT_DEFAULT : effort < EFFORT_MAX ? effort : EFFORT_MAX];
}
