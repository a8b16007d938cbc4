/** What is counted while things happen, and what was counted last of what the registry holds. */
#ifndef OX_CONTROL_FIGURES_H
#define OX_CONTROL_FIGURES_H

#include "oxide/control/blob.h"
#include "oxide/control/figures.h"

#include <pthread.h>
#include <stdatomic.h>

struct ox_tx;

/** Heartbeats by where their answer came from, delta jobs by how they ended. */
enum ox_beat_from { OX_BEAT_MEMORY, OX_BEAT_REGISTRY, OX_BEAT_FROM_COUNT };
enum { OX_SENT_COUNT = OX_SENT_VERSION + 1, OX_JOB_ENDS = 4 };

struct ox_counted {
    /* relaxed: each stands for itself */
    atomic_ullong beats[OX_BEAT_FROM_COUNT];
    atomic_ullong sent[OX_SENT_COUNT];
    atomic_ullong begun;
    atomic_ullong worked_ns;
    atomic_ullong ended[OX_JOB_ENDS];

    pthread_mutex_t lock; /* of what follows */
    struct ox_figures figures;
    uint64_t fresh_until_ns; /* of ox_clock_now_ns */
    uint64_t saved_before;   /* what campaigns had saved at the start */
};

/** Before ox_figures_open, and also after it failed, ox_figures_clear is fine. */
void ox_figures_init(struct ox_control *control);
OX_MUST_USE enum ox_code ox_figures_open(struct ox_control *control, struct ox_err *err);
void ox_figures_clear(struct ox_control *control);

void ox_count_beat(struct ox_control *control, enum ox_beat_from from);
/** A worker was at a job for so long, and left it in this state. */
void ox_count_job(struct ox_control *control, const char *state, uint64_t worked_ns);

#endif
