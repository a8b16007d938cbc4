/** Counting what a simulation does: latencies in buckets that are at most a 16th wide. */
#ifndef OX_APP_SIMULATE_STATS_H
#define OX_APP_SIMULATE_STATS_H

#include "oxide/app/simulate.h"

/* 16 buckets for each power of two up to 2^32 us, more than an hour. */
#define OX_SIM_BUCKETS (33 * 16)

struct ox_sim_latency {
    uint64_t count;
    uint64_t max_us;
    uint32_t buckets[OX_SIM_BUCKETS];
};

void ox_sim_latency_add(struct ox_sim_latency *latency, uint64_t us);
/** The upper end of the bucket that holds this share (0.99) of the values; 0 of none. */
uint64_t ox_sim_latency_at(const struct ox_sim_latency *latency, double share);

struct ox_sim_kind {
    uint64_t started;
    uint64_t answered; /* by a status of 2xx or 304 */
    uint64_t refused;  /* by another status */
    uint64_t failed;   /* not at all */
    struct ox_sim_latency latency;
};

#define OX_SIM_ERRORS_MAX 16

struct ox_sim_stats {
    struct ox_sim_kind kinds[OX_SIMULATE_KINDS];
    uint64_t sent_bytes;
    uint64_t received_bytes;
    uint64_t blob_bytes;
    struct ox_simulate_error errors[OX_SIM_ERRORS_MAX];
    size_t errors_count;
};

/** Count an error by its text; what comes after the first kinds of them is "other". */
void ox_sim_stats_error(struct ox_sim_stats *stats, const char *text);

#endif
