/** Numbers, sizes and times as people read them. */
#ifndef OXIDE_CLI_HUMAN_H
#define OXIDE_CLI_HUMAN_H

#include <stddef.h>
#include <stdint.h>

#define OX_HUMAN_MAX 64

/** "2,143,752"; returns `out`. */
const char *ox_human_count(uint64_t value, char out[OX_HUMAN_MAX]);

/** "2.1 MB", in powers of 1000 with one digit behind the point; "999 B" below; returns `out`. */
const char *ox_human_size(uint64_t bytes, char out[OX_HUMAN_MAX]);

/** "2,143,752 bytes (2.1 MB)", without the brackets below 1000; returns `out`. */
const char *ox_human_bytes(uint64_t bytes, char out[OX_HUMAN_MAX]);

/** "850 ms", "7.3 s", "2 min 05 s", "3 h 20 min"; returns `out`. */
const char *ox_human_duration(uint64_t ms, char out[OX_HUMAN_MAX]);

/** What `part` of `whole` saves: "99.6 %". Rounded down, so that 100 % means nothing was sent; 0 if
 *  part is no smaller, or whole is 0. Returns `out`. */
const char *ox_human_saved(uint64_t part, uint64_t whole, char out[OX_HUMAN_MAX]);

/** The shape of a tensor, "64 x 128", or "scalar"; cut at its end where it is too long for
 * out_bytes. Returns `out`. */
const char *ox_human_shape(const uint64_t *shape, uint32_t rank, char *out, size_t out_bytes);

/** Cut clean UTF-8 text in the middle, in place, so that it takes `columns` (at least 5) at most:
 *  "model...weight". */
void ox_human_cut(char *text, size_t columns);

/** Cut clean UTF-8 text at its end, in place, so that it takes `columns` at most. */
void ox_human_cut_end(char *text, size_t columns);

/** Columns that clean UTF-8 text takes on a terminal, one per code point. */
size_t ox_human_columns(const char *text);

#endif
