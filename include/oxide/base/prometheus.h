/**
 * Figures as Prometheus reads them, and histograms that any thread adds to.
 * Source: Prometheus text exposition format 0.0.4.
 */
#ifndef OXIDE_BASE_PROMETHEUS_H
#define OXIDE_BASE_PROMETHEUS_H

#include "oxide/base/buf.h"
#include "oxide/base/err.h"

#include <stdatomic.h>
#include <stdint.h>

/** The media type of the text. */
#define OX_PROMETHEUS_MEDIA "text/plain; version=0.0.4; charset=utf-8"

/* --- histograms of durations --- */

/** A hundred microseconds, which hold what is answered from memory, to ten seconds. */
#define OX_HISTOGRAM_BOUNDS 16
extern const uint64_t ox_histogram_bounds_ns[OX_HISTOGRAM_BOUNDS];

/** Zeroed, it is empty. */
struct ox_histogram {
    atomic_ullong
        buckets[OX_HISTOGRAM_BOUNDS + 1]; /* not cumulative; the last is beyond all bounds */
    atomic_ullong sum_ns;
};

/** Add a duration: two relaxed additions, without a lock. From any thread. */
void ox_histogram_add(struct ox_histogram *histogram, uint64_t duration_ns);
/** Durations that were added. */
uint64_t ox_histogram_count(struct ox_histogram *histogram);

/* --- the text --- */

enum ox_prom_type { OX_PROM_COUNTER, OX_PROM_GAUGE, OX_PROM_HISTOGRAM };

/** What a metric is; names of counters end in _total, units are seconds and bytes. */
struct ox_prom_family {
    const char *name;
    enum ox_prom_type type;
    const char *help; /* one sentence */
};
struct ox_prom_label {
    const char *name;
    const char *value; /* any UTF-8; it is escaped. NULL is "" */
};

/** A text that grows. Writing goes on after an error, which is kept: check `code` at the end. */
struct ox_prom {
    struct ox_buf text; /* the caller clears it */
    const char *name;   /* of the family that is being written, lent */
    enum ox_code code;
    struct ox_err *err;
};

/** Begin a family: each once, and all of its samples before the next one. The family is lent. */
void ox_prom_begin(struct ox_prom *out, const struct ox_prom_family *family);
/** A sample of it. */
void ox_prom_number(struct ox_prom *out, const struct ox_prom_label *labels, size_t count,
                    uint64_t value);
/** The same in seconds. */
void ox_prom_seconds(struct ox_prom *out, const struct ox_prom_label *labels, size_t count,
                     uint64_t value_ns);
/** A histogram in seconds: its buckets, _sum and _count, which is that of le="+Inf" also while
 *  others add to it. At most OX_PROM_LABELS_MAX labels. */
#define OX_PROM_LABELS_MAX 8
void ox_prom_histogram(struct ox_prom *out, const struct ox_prom_label *labels, size_t count,
                       struct ox_histogram *histogram);

#endif
