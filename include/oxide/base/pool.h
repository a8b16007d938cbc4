/** A fixed number of threads that run jobs from a bounded queue, first in, first out. */
#ifndef OXIDE_BASE_POOL_H
#define OXIDE_BASE_POOL_H

#include "oxide/base/err.h"

struct ox_pool;

/** Start `threads` (1 or more) threads with room for `queue_max` waiting jobs. */
OX_MUST_USE enum ox_code ox_pool_new(struct ox_pool **out, unsigned threads, size_t queue_max,
                                     struct ox_err *err);

/** Queue run(arg), waiting for room. */
void ox_pool_submit(struct ox_pool *pool, void (*run)(void *arg), void *arg);

/** Queue run(arg) only if there is room; false where there is none. */
bool ox_pool_try_submit(struct ox_pool *pool, void (*run)(void *arg), void *arg);

/** Run what is queued, then end the threads. NULL is fine. */
void ox_pool_free(struct ox_pool *pool);

/** Processors that this process may use, at least 1. */
unsigned ox_cpu_count(void);

#endif
