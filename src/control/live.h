/**
 * What is in memory of each device: when it was heard last, what it said that is not written yet,
 * and the answer to its next heartbeat if that says the same again (recall.c). Devices lie in
 * shards with a lock each; nothing that may block runs under one.
 */
#ifndef OX_CONTROL_LIVE_H
#define OX_CONTROL_LIVE_H

#include "inner.h"

#include <stdatomic.h>

#define OX_LIVE_SHARDS 256

/** A device says the same in two ways: all of it at times, else what changes. */
#define OX_RECALL_BODIES 2

/** Of milliseconds since 1970, until the year 2286. */
#define OX_ANSWER_TIME_DIGITS 13

/** An answer that stays true until something that it depends on is written. */
struct ox_answer {
    uint64_t epoch;  /* of when it was true */
    int64_t kept_ms; /* wall clock */
    struct {
        uint64_t sum;
        bool has_result;
    } bodies[OX_RECALL_BODIES]; /* of heartbeats that it answers */
    unsigned bodies_count;
    size_t time_at; /* of OX_ANSWER_TIME_DIGITS in the text, to be set; 0: none */
    size_t len;
    char text[];
};

struct ox_live_device {
    struct ox_live_device *next;
    int64_t seen_ms;          /* wall clock; 0: not since the start */
    char *metrics;            /* JSON text; NULL: unchanged */
    struct ox_answer *answer; /* NULL: none */
    bool dirty;               /* seen_ms and metrics are not written yet */
    bool had_result;          /* the last heartbeat carried last_update_result */
    struct ox_start start;    /* which of its processes speaks (starts.h) */
    char id[];
};

struct ox_live_shard {
    pthread_mutex_t lock;
    struct ox_live_device **buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
    uint64_t touches; /* grows whenever a device of this shard may be told something else */
};

struct ox_live {
    uint64_t seed;       /* of sums, so that nobody can make two bodies of one sum */
    atomic_ullong epoch; /* grows whenever any device may be told something else */
    struct ox_live_shard shards[OX_LIVE_SHARDS];
};

/** The shard of a device, locked. */
struct ox_live_shard *ox_live_lock(struct ox_live *live, const char *device_id);
void ox_live_unlock(struct ox_live_shard *shard);
/** With the lock. NULL if it is not there; _put makes it, or returns NULL without memory. */
struct ox_live_device *ox_live_get(struct ox_live *live, struct ox_live_shard *shard,
                                   const char *device_id);
struct ox_live_device *ox_live_put(struct ox_live *live, struct ox_live_shard *shard,
                                   const char *device_id);

#endif
