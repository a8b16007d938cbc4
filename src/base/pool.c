#define _GNU_SOURCE /* sched_getaffinity */
#include "oxide/base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

struct job {
    void (*run)(void *arg);
    void *arg;
};

struct ox_pool {
    pthread_mutex_t lock;
    pthread_cond_t work; /* a job came, or the end */
    pthread_cond_t room; /* a job left the queue */
    struct job *ring;
    size_t ring_max;
    size_t head;
    size_t count;
    bool ending;
    unsigned started;
    pthread_t threads[];
};

static void *work(void *arg)
{
    struct ox_pool *pool = arg;

    (void)pthread_mutex_lock(&pool->lock);
    for (;;) {
        struct job job;

        while (pool->count == 0 && !pool->ending) {
            (void)pthread_cond_wait(&pool->work, &pool->lock);
        }
        if (pool->count == 0) {
            break;
        }
        job = pool->ring[pool->head];
        pool->head = (pool->head + 1) % pool->ring_max;
        pool->count--;
        (void)pthread_cond_signal(&pool->room);
        (void)pthread_mutex_unlock(&pool->lock);
        job.run(job.arg);
        (void)pthread_mutex_lock(&pool->lock);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return NULL;
}

enum ox_code ox_pool_new(struct ox_pool **out, unsigned threads, size_t queue_max,
                         struct ox_err *err)
{
    struct ox_pool *pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->threads[0]));
    sigset_t all;
    sigset_t old;

    if (pool == NULL) {
        return ox_err_nomem(err, "a thread pool");
    }
    pool->ring_max = queue_max == 0 ? 1 : queue_max;
    pool->ring = calloc(pool->ring_max, sizeof(*pool->ring));
    if (pool->ring == NULL) {
        free(pool);
        return ox_err_nomem(err, "a thread pool");
    }
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->work, NULL);
    (void)pthread_cond_init(&pool->room, NULL);
    /* Signals belong to the main thread. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    while (pool->started < threads) {
        int problem = pthread_create(&pool->threads[pool->started], NULL, work, pool);

        if (problem != 0) {
            (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
            ox_pool_free(pool);
            return ox_err_sys(err, problem, "starting a thread");
        }
        pool->started++;
    }
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    *out = pool;
    return OX_OK;
}

static void put(struct ox_pool *pool, struct job job)
{
    pool->ring[(pool->head + pool->count) % pool->ring_max] = job;
    pool->count++;
    (void)pthread_cond_signal(&pool->work);
}

void ox_pool_submit(struct ox_pool *pool, void (*run)(void *arg), void *arg)
{
    (void)pthread_mutex_lock(&pool->lock);
    while (pool->count == pool->ring_max) {
        (void)pthread_cond_wait(&pool->room, &pool->lock);
    }
    put(pool, (struct job){run, arg});
    (void)pthread_mutex_unlock(&pool->lock);
}

bool ox_pool_try_submit(struct ox_pool *pool, void (*run)(void *arg), void *arg)
{
    bool room;

    (void)pthread_mutex_lock(&pool->lock);
    room = pool->count < pool->ring_max;
    if (room) {
        put(pool, (struct job){run, arg});
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return room;
}

void ox_pool_free(struct ox_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&pool->lock);
    pool->ending = true;
    (void)pthread_cond_broadcast(&pool->work);
    (void)pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->started; i++) {
        (void)pthread_join(pool->threads[i], NULL);
    }
    (void)pthread_cond_destroy(&pool->room);
    (void)pthread_cond_destroy(&pool->work);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool->ring);
    free(pool);
}

unsigned ox_cpu_count(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) != 0 || CPU_COUNT(&set) < 1) {
        return 1;
    }
    return (unsigned)CPU_COUNT(&set);
}
