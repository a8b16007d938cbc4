#include "running.h"

/* Making a patch takes some three quarters of a job, proving it the rest. */
#define MAKING_PERCENT 75
#define WHOLE 1000u

void ox_running_jobs_init(struct ox_running_jobs *jobs)
{
    *jobs = (struct ox_running_jobs){.first = NULL};
    (void)pthread_mutex_init(&jobs->lock, NULL);
}

void ox_running_jobs_clear(struct ox_running_jobs *jobs)
{
    (void)pthread_mutex_destroy(&jobs->lock);
}

void ox_running_jobs_stop(struct ox_running_jobs *jobs)
{
    (void)pthread_mutex_lock(&jobs->lock);
    jobs->stopping = true;
    for (struct ox_running *running = jobs->first; running != NULL; running = running->next) {
        ox_stop_request(&running->stop);
    }
    (void)pthread_mutex_unlock(&jobs->lock);
}

static void note(atomic_uint_fast64_t *part, uint64_t done, uint64_t total)
{
    atomic_store(part, total == 0 ? 0 : (uint64_t)((double)done / (double)total * WHOLE));
}

static void note_made(void *ctx, uint64_t done, uint64_t total)
{
    note(&((struct ox_running *)ctx)->made, done, total);
}

static void note_proven(void *ctx, uint64_t done, uint64_t total)
{
    note(&((struct ox_running *)ctx)->proven, done, total);
}

enum ox_code ox_running_begin(struct ox_running_jobs *jobs, struct ox_running *running,
                              int64_t job_id, struct ox_err *err)
{
    enum ox_code code = ox_stop_init(&running->stop, err);

    if (code != OX_OK) {
        return code;
    }
    running->job_id = job_id;
    running->canceled = false;
    running->making = (struct ox_progress){running, note_made};
    running->proving = (struct ox_progress){running, note_proven};
    atomic_init(&running->made, 0);
    atomic_init(&running->proven, 0);
    (void)pthread_mutex_lock(&jobs->lock);
    running->next = jobs->first;
    jobs->first = running;
    if (jobs->stopping) {
        ox_stop_request(&running->stop);
    }
    (void)pthread_mutex_unlock(&jobs->lock);
    return OX_OK;
}

bool ox_running_end(struct ox_running_jobs *jobs, struct ox_running *running)
{
    struct ox_running **at = &jobs->first;

    (void)pthread_mutex_lock(&jobs->lock);
    while (*at != running) {
        at = &(*at)->next;
    }
    *at = running->next;
    (void)pthread_mutex_unlock(&jobs->lock);
    ox_stop_clear(&running->stop);
    return running->canceled;
}

void ox_running_cancel(struct ox_running_jobs *jobs, int64_t job_id)
{
    (void)pthread_mutex_lock(&jobs->lock);
    for (struct ox_running *running = jobs->first; running != NULL; running = running->next) {
        if (running->job_id == job_id) {
            running->canceled = true;
            ox_stop_request(&running->stop);
        }
    }
    (void)pthread_mutex_unlock(&jobs->lock);
}

int ox_running_percent(struct ox_running_jobs *jobs, int64_t job_id)
{
    int percent = -1;

    (void)pthread_mutex_lock(&jobs->lock);
    for (const struct ox_running *running = jobs->first; running != NULL; running = running->next) {
        if (running->job_id == job_id && !running->canceled) {
            uint64_t made = atomic_load(&running->made);
            uint64_t proven = atomic_load(&running->proven);
            uint64_t part = made * MAKING_PERCENT + proven * (100 - MAKING_PERCENT);

            percent = (int)(part / WHOLE > 99 ? 99 : part / WHOLE);
        }
    }
    (void)pthread_mutex_unlock(&jobs->lock);
    return percent;
}
