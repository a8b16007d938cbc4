/** What the files of control share. */
#ifndef OX_CONTROL_INNER_H
#define OX_CONTROL_INNER_H

#include "oxide/base/clock.h"
#include "oxide/base/stop.h"
#include "oxide/control/blob.h"
#include "oxide/control/campaign.h"
#include "oxide/control/device.h"
#include "oxide/control/fleet.h"
#include "oxide/control/model.h"
#include "oxide/registry/artifact.h"
#include "oxide/registry/campaign.h"
#include "oxide/registry/device.h"
#include "oxide/registry/fleet.h"
#include "oxide/registry/job.h"
#include "oxide/registry/registry.h"
#include "oxide/rollout/rollout.h"
#include "oxide/store/store.h"
#include "oxide/wire/heartbeat.h"

#include "map.h"

#include <pthread.h>

#define OX_CONTROL_WORKERS 2
#define OX_NAME_MAX 1024 /* bytes of a name or description that people gave */

struct ox_control {
    struct ox_store *store;
    struct ox_registry *registry;
    const struct ox_clock *clock;
    const struct ox_log *log;
    uint64_t delta_wait_s;
    uint64_t poll_interval_s; /* how often devices come back, as far as we know */
    uint64_t told_interval_s; /* as devices are told; 0: their own */
    const char *const *blob_urls;
    size_t blob_urls_count;

    pthread_mutex_t live_lock;
    struct ox_map seen;   /* device -> struct ox_live */
    struct ox_map served; /* "campaign device" -> uint64_t bytes, not written yet */

    struct ox_stop stop;
    pthread_mutex_t wake_lock;
    pthread_cond_t wake; /* a job was queued, or the end */
    unsigned wakes;
    unsigned delta_threads; /* of one job */
    unsigned delta_effort;
    unsigned workers;
    unsigned started;
    pthread_t threads[OX_CONTROL_WORKERS + 1]; /* the last one is the clockwork */
};

int64_t ox_control_now(const struct ox_control *control);

/* --- live.c: what is in memory between two writes --- */

struct ox_live {
    int64_t seen_ms; /* wall clock */
    bool dirty;
    bool had_result; /* the last heartbeat carried last_update_result */
    char *metrics;   /* JSON text; NULL: unchanged */
};
/** Note a heartbeat. metrics may be NULL. */
void ox_live_note(struct ox_control *control, const char *device_id, const json_t *metrics,
                  bool has_result, bool written);
/** Last seen, 0 if not since the start; metrics (may be NULL) is a copy that the caller frees. */
int64_t ox_live_seen(struct ox_control *control, const char *device_id, char **metrics);
bool ox_live_had_result(struct ox_control *control, const char *device_id);
void ox_live_forget(struct ox_control *control, const char *device_id);
/** Bytes not written yet, of a campaign in all, or of one device in it. */
uint64_t ox_live_served(struct ox_control *control, const char *campaign_id, const char *device_id);
bool ox_live_has_served(struct ox_control *control, const char *device_id);
/** Write them: of one device, or of all with NULL, and then also what was seen. They stay counted
 *  in memory until ox_live_written, once the transaction is durable. */
struct ox_live_written {
    char **keys;
    uint64_t *bytes;
    size_t count;
};
OX_MUST_USE enum ox_code ox_live_write_served(struct ox_control *control, struct ox_tx *tx,
                                              const char *device_id, struct ox_live_written *out,
                                              struct ox_err *err);
/** Take what was written out of memory (`durable`), or leave it; frees the list. */
void ox_live_written(struct ox_control *control, struct ox_live_written *written, bool durable);
OX_MUST_USE enum ox_code ox_live_flush(struct ox_control *control, struct ox_err *err);
void ox_live_clear(struct ox_control *control);

/* --- json.c --- */

/** A required identifier, or text, or an optional array of strings as JSON text. */
OX_MUST_USE enum ox_code ox_body_id(const json_t *body, const char *key, const char **out,
                                    struct ox_err *err);
OX_MUST_USE enum ox_code ox_body_text(const json_t *body, const char *key, bool required,
                                      const char **out, struct ox_err *err);
/** An object of strings as JSON text, which the caller frees; absent is "{}". */
OX_MUST_USE enum ox_code ox_body_tags(const json_t *body, char **out, struct ox_err *err);
/** JSON text from the registry as a value; null for NULL. */
json_t *ox_json_of_text(const char *text);
/** A time, or null for 0. */
json_t *ox_json_of_time(int64_t wall_ms);
json_t *ox_json_of_digest(const struct ox_digest *digest);
json_t *ox_json_of_str(const char *text);

/* --- campaigns.c --- */

/** Let a campaign move as far as it now may, and write it. */
OX_MUST_USE enum ox_code ox_campaign_advance(struct ox_control *control, struct ox_tx *tx,
                                             const char *campaign_id, struct ox_err *err);
/** Has time or a delta's end made it ready to move? */
OX_MUST_USE enum ox_code ox_campaign_would_move(struct ox_control *control, struct ox_tx *tx,
                                                const struct ox_campaign_row *campaign, bool *out,
                                                struct ox_err *err);
struct ox_campaign_spec {
    const char *model_id;
    const char *version;
    const char *fleet_id;     /* or */
    const json_t *device_ids; /* an array of strings */
    const char *strategy;     /* NULL: the fleet's */
};
/** What came of it. */
struct ox_campaign_made {
    char id[32];
    size_t total;
    char state[16];
};
OX_MUST_USE enum ox_code ox_campaign_make(struct ox_control *control,
                                          const struct ox_campaign_spec *spec,
                                          struct ox_campaign_made *out, struct ox_err *err);
/** End a device's open part in campaigns: of one model, or of all with NULL. */
OX_MUST_USE enum ox_code ox_campaign_skip_device(struct ox_control *control, struct ox_tx *tx,
                                                 const char *device_id, const char *model_id,
                                                 const char *but_campaign, const char *why,
                                                 struct ox_err *err);
/** How many places of a campaign are released. */
size_t ox_campaign_released(const struct ox_campaign_row *campaign, size_t total);

/* --- publish.c --- */

/** Errors: OX_ENOSPC if so many bytes do not fit on the store's disk. */
OX_MUST_USE enum ox_code ox_control_check_space(struct ox_control *control, uint64_t size_bytes,
                                                struct ox_err *err);

/* --- assign.c --- */

/** A delta that a device needs and that nobody has queued. */
struct ox_wanted {
    struct ox_digest base;
    struct ox_digest target;
    const char *format;
};
/** The patch format for a device: "oxdl/2", "oxdl/1", or NULL for none. *ops: what it reads. */
const char *ox_assign_format(uint64_t protocol, const char *reads, uint64_t *ops);
/** Fill `answer` for a device (which the caller clears). `wanted` has room for
 *  OX_HEARTBEAT_MODELS_MAX. With whole == false only the assigned pair is found, and nothing waits.
 */
OX_MUST_USE enum ox_code ox_assign(struct ox_control *control, struct ox_tx *tx,
                                   const struct ox_device_row *device, bool whole,
                                   struct ox_heartbeat_answer *answer, struct ox_wanted *wanted,
                                   size_t *wanted_count, struct ox_err *err);

/* --- jobs.c --- */

/** Can this pair be made in this format (OXDL 1: one file, not too large)? */
OX_MUST_USE enum ox_code ox_job_possible(struct ox_tx *tx, const struct ox_digest *base,
                                         const struct ox_digest *target, const char *format,
                                         bool *possible, struct ox_err *err);
/** Queue the jobs for the bases that devices run: of a campaign, or of all with NULL. */
OX_MUST_USE enum ox_code ox_jobs_for_bases(struct ox_control *control, struct ox_tx *tx,
                                           const char *campaign_id, const char *model_id,
                                           const struct ox_digest *target, struct ox_err *err);
/** Is any delta that the devices of a campaign wait for still to be made? */
OX_MUST_USE enum ox_code ox_jobs_outstanding(struct ox_tx *tx,
                                             const struct ox_campaign_row *campaign, bool *out,
                                             struct ox_err *err);
OX_MUST_USE enum ox_code ox_jobs_queue_wanted(struct ox_control *control,
                                              const struct ox_wanted *wanted, size_t count,
                                              struct ox_err *err);
void ox_jobs_wake(struct ox_control *control);
void *ox_jobs_work(void *control);

#endif
