/** What --effort means: a row per level, 1 to 9. */
#ifndef OXIDE_DELTA_EFFORT_H
#define OXIDE_DELTA_EFFORT_H

#include "edit.h"
#include "oxide/delta/delta.h"
#include "stream.h"

#define EFFORT_DEFAULT OX_DELTA_EFFORT_DEFAULT
#define EFFORT_MAX OX_DELTA_EFFORT_MAX

struct effort_row {
    int level_try;   /* zstd, for a first look at a stretch */
    int level_good;  /* zstd, where the first look was promising */
    int level_whole; /* zstd, for one frame of a whole small target */
    enum stream_mixing mixing;
    bool tries_all;    /* bytes against zstd even where nothing hints at repeats */
    unsigned zstd_log; /* zstd's tables have 2^zstd_log places at most: see effort_zstd_bytes */
    struct edit_effort edit;
};

/** effort 0 is the default. */
const struct effort_row *effort_row(unsigned effort);

/** Levels of zstd from this one on have tables of their own size where zstd_log does not say: those
 *  below are small unless they must be smaller still. */
#define EFFORT_ZSTD_DEEP 13
#define EFFORT_ZSTD_SMALL 20

/** Is a compressor of this level to be told zstd_log? */
bool effort_caps_zstd(const struct effort_row *row, int level);

/** Bytes of one compressor whose chain table has 2^log places and whose hash table has half. */
uint64_t effort_zstd_bytes(unsigned log);

/** What a row becomes under a cap of memory. */
struct effort_fit {
    struct effort_row row;
    uint64_t index_bytes; /* of the whole base: index.h */
    unsigned threads;
};

/**
 * Fit the work into memory_bytes (0: OX_DELTA_MEMORY_DEFAULT), of which listed_bytes are taken by
 * the list of tensors, for a base of base_bytes. First there are fewer threads; where one is too
 * many, zstd gets smaller tables. The row follows from memory and the base's size alone, never from
 * threads: the same memory gives the same patch. It never fails: below what is needed least, that
 * is taken.
 */
struct effort_fit effort_fit(const struct effort_row *row, uint64_t memory_bytes,
                             uint64_t listed_bytes, uint64_t base_bytes, unsigned threads);

#endif
