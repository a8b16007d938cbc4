/** Figures of the control plane, for those who watch it. What control.h says of all functions
 * holds.
 */
#ifndef OXIDE_CONTROL_FIGURES_H
#define OXIDE_CONTROL_FIGURES_H

#include "oxide/control/control.h"

/** Numbers by word: of devices by status, of jobs by state, and the like. Every word that there is
 *  has its number, be it 0. */
#define OX_FIGURE_WORDS_MAX 8
struct ox_word_figures {
    const char *word[OX_FIGURE_WORDS_MAX];
    uint64_t value[OX_FIGURE_WORDS_MAX];
    size_t count;
};

/** Campaigns under way that are told of one by one: the newest. */
#define OX_FIGURE_CAMPAIGNS_MAX 50
struct ox_campaign_figures {
    char *id;
    char *model_id;
    char *version;
    struct ox_word_figures devices; /* in it, by state */
};
struct ox_webhook_figures {
    char *id;
    uint64_t backlog;   /* events of all kinds behind its cursor */
    uint64_t delivered; /* events, since the start, as the next two */
    uint64_t lost;
    uint64_t failed_tries;
    uint64_t stopped; /* 1: it is told nothing more */
};

/** Sums are those since the start, and never fall. */
struct ox_figures {
    struct ox_word_figures devices;   /* by status */
    struct ox_word_figures campaigns; /* by state */
    struct ox_word_figures jobs;      /* delta jobs that are known, by state */
    struct ox_word_figures ended;     /* sum of those that were made, by how they ended */
    struct ox_word_figures sent;      /* sum of body bytes of downloads, by kind */
    struct ox_word_figures beats;     /* sum of heartbeats, by where their answers came from */
    struct ox_campaign_figures *under_way;
    size_t under_way_count;
    struct ox_webhook_figures *webhooks;
    size_t webhook_count;
    uint64_t pending_devices; /* that wait to be accepted */
    uint64_t saved_bytes;     /* sum of what devices that completed were not sent */
    uint64_t begun;           /* sum of delta jobs that a worker began */
    uint64_t worked_ns;       /* sum of the time that workers were at them */
    uint64_t holding;         /* 1: nothing is assigned, after a backup was restored */
    uint64_t patch_bytes;     /* of patches that are kept */
    uint64_t patch_bytes_max;
    uint64_t database_bytes;
    uint64_t wal_bytes;
    uint64_t store_blobs;
    uint64_t store_bytes;
    uint64_t store_free_bytes; /* UINT64_MAX: without a limit */
};

/** Who writes figures down: it runs under a lock, and asks nothing of the control plane. */
struct ox_figures_reader {
    void *ctx;
    enum ox_code (*read)(void *ctx, const struct ox_figures *figures, struct ox_err *err);
};

/**
 * Show them. Counting takes some ms with 100,000 devices; where it took more than
 * OX_FIGURES_FRESH_NS, the registry's are shown again for a hundred times as long, a minute at
 * most, so that who asks often costs a hundredth of a processor.
 */
#define OX_FIGURES_FRESH_NS ((uint64_t)5 * 1000 * 1000)
OX_MUST_USE enum ox_code ox_control_figures(struct ox_control *control,
                                            const struct ox_figures_reader *reader,
                                            struct ox_err *err);

#endif
