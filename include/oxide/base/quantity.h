/** Quantities as people write them, in options and files: numbers, times, sizes. */
#ifndef OXIDE_BASE_QUANTITY_H
#define OXIDE_BASE_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

/** A whole number: digits alone, with neither sign, blank nor prefix. */
bool ox_number_parse(const char *text, uint64_t *out);

/** A time: "30" or "30s", "500ms", "15m", "1h", "90d", up to max_ms; in milliseconds. */
bool ox_time_span_parse(const char *text, uint64_t max_ms, uint64_t *out_ms);

/** Bytes: "65536", "64K", "256M", "1G" or "2T" (powers of 1024), of either case, up to max_bytes.
 */
bool ox_size_parse(const char *text, uint64_t max_bytes, uint64_t *out_bytes);

#define OX_QUANTITY_TEXT_MAX 32
/** The texts that these read, in the largest unit that divides; they return `out`. */
const char *ox_time_span_text(uint64_t ms, char out[OX_QUANTITY_TEXT_MAX]);
const char *ox_size_text(uint64_t bytes, char out[OX_QUANTITY_TEXT_MAX]);

#endif
