#include "simulate_stats.h"

#include <stdio.h>
#include <string.h>

static size_t bucket_of(uint64_t us)
{
    unsigned power = 0;

    if (us >= (uint64_t)1 << 32) {
        return OX_SIM_BUCKETS - 1;
    }
    while (us >> power >= 32) { /* 16 to 31 of what is 2^power */
        power++;
    }
    return (size_t)power * 16 + (size_t)(us >> power);
}

static uint64_t end_of(size_t bucket)
{
    size_t power = bucket < 32 ? 0 : bucket / 16 - 1;

    return ((uint64_t)(bucket - power * 16) + 1) << power;
}

void ox_sim_latency_add(struct ox_sim_latency *latency, uint64_t us)
{
    latency->count++;
    latency->buckets[bucket_of(us)]++;
    latency->max_us = us > latency->max_us ? us : latency->max_us;
}

uint64_t ox_sim_latency_at(const struct ox_sim_latency *latency, double share)
{
    uint64_t wanted = (uint64_t)((double)latency->count * share);
    uint64_t seen = 0;

    for (size_t i = 0; i < OX_SIM_BUCKETS; i++) {
        seen += latency->buckets[i];
        if (seen > wanted || (seen == latency->count && seen > 0)) {
            uint64_t end = end_of(i);

            return end < latency->max_us ? end : latency->max_us;
        }
    }
    return 0;
}

void ox_sim_stats_error(struct ox_sim_stats *stats, const char *text)
{
    struct ox_simulate_error *error;
    size_t i = 0;

    while (i < stats->errors_count && strcmp(stats->errors[i].text, text) != 0) {
        i++;
    }
    if (i == OX_SIM_ERRORS_MAX) {
        i--;
        (void)snprintf(stats->errors[i].text, sizeof(stats->errors[i].text), "other");
    }
    error = &stats->errors[i];
    if (i == stats->errors_count) {
        (void)snprintf(error->text, sizeof(error->text), "%s", text);
        stats->errors_count++;
    }
    error->count++;
}
