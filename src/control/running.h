/** The delta jobs that workers are at: how far they are, and how to end one. */
#ifndef OX_CONTROL_RUNNING_H
#define OX_CONTROL_RUNNING_H

#include "oxide/base/io.h"
#include "oxide/base/stop.h"

#include <pthread.h>

/** One job on a worker's stack. */
struct ox_running {
    struct ox_running *next;
    int64_t job_id;
    struct ox_stop stop;         /* of this job alone */
    bool canceled;               /* by an operator: what comes of it is not kept */
    atomic_uint_fast64_t made;   /* of a thousand: how much of the patch is made, */
    atomic_uint_fast64_t proven; /* and of it proven */
    struct ox_progress making;   /* hand these to the work */
    struct ox_progress proving;
};

struct ox_running_jobs {
    pthread_mutex_t lock;
    struct ox_running *first;
    bool stopping;
};

void ox_running_jobs_init(struct ox_running_jobs *jobs);
void ox_running_jobs_clear(struct ox_running_jobs *jobs);
/** Ask all to stop, also those that begin later. */
void ox_running_jobs_stop(struct ox_running_jobs *jobs);

/** `running` is the caller's until ox_running_end, and is not moved. */
OX_MUST_USE enum ox_code ox_running_begin(struct ox_running_jobs *jobs, struct ox_running *running,
                                          int64_t job_id, struct ox_err *err);
/** Returns whether it was canceled. */
bool ox_running_end(struct ox_running_jobs *jobs, struct ox_running *running);

/** End a job if it is running; the caller has written that it is canceled. */
void ox_running_cancel(struct ox_running_jobs *jobs, int64_t job_id);
/** Percent of a running job that are done, 0 to 99; -1 if it is not running. */
int ox_running_percent(struct ox_running_jobs *jobs, int64_t job_id);

#endif
