/** What the files of control share. */
#ifndef OX_CONTROL_INNER_H
#define OX_CONTROL_INNER_H

#include "oxide/base/clock.h"
#include "oxide/base/stop.h"
#include "oxide/control/blob.h"
#include "oxide/control/campaign.h"
#include "oxide/control/device.h"
#include "oxide/control/event.h"
#include "oxide/control/fleet.h"
#include "oxide/control/model.h"
#include "oxide/control/pending.h"
#include "oxide/registry/artifact.h"
#include "oxide/registry/campaign.h"
#include "oxide/registry/device.h"
#include "oxide/registry/fleet.h"
#include "oxide/registry/history.h"
#include "oxide/registry/job.h"
#include "oxide/registry/pending.h"
#include "oxide/registry/pin.h"
#include "oxide/registry/registry.h"
#include "oxide/registry/select.h"
#include "oxide/registry/version.h"
#include "oxide/rollout/rollout.h"
#include "oxide/store/store.h"
#include "oxide/wire/heartbeat.h"

#include "chain.h"
#include "figures.h"
#include "gc.h"
#include "map.h"
#include "running.h"
#include "starts.h"

#include <pthread.h>
#include <stdatomic.h>

#define OX_CONTROL_WORKERS 2
#define OX_NAME_MAX 1024 /* bytes of a name or description that people gave */

/* Who is woken when events have become durable. */
struct ox_events {
    pthread_mutex_t lock;
    struct ox_events_watcher {
        void (*wake)(void *ctx);
        void *ctx;
    } watchers[OX_EVENTS_WATCHERS_MAX];
    size_t count;
    uint64_t keep; /* events, and seconds */
    uint64_t keep_s;
};

/** What lets devices in that are not known. */
struct ox_door {
    bool open; /* who asks is registered at once */
    pthread_mutex_t lock;
    int64_t tokens; /* so many more may be written down */
    int64_t filled_mono_ms;
};

struct ox_control {
    struct ox_store *store;
    struct ox_registry *registry;
    const struct ox_clock *clock;
    const struct ox_log *log;
    int64_t opened_ms; /* wall clock: before it, nobody could be heard */
    int64_t sweep_ms;  /* of the clockwork: the next sweep, wall clock */
    uint64_t delta_wait_s;
    uint64_t poll_interval_s; /* how often devices come back, as far as we know */
    uint64_t told_interval_s; /* as devices are told; 0: their own */
    const char *const *blob_urls;
    size_t blob_urls_count;

    struct ox_live *live;
    struct ox_served *served;
    pthread_mutex_t starts_lock; /* taken last */
    struct ox_starts *starts;
    int64_t reimage_after_ms;
    struct ox_door door;
    int64_t history_kept_ms; /* 0: for ever */
    int64_t history_at;      /* how far the clockwork has walked */

    struct ox_events events;
    struct ox_hooks *hooks; /* webhooks */
    struct ox_diffs *diffs; /* comparisons of versions */

    atomic_bool backing_up;
    atomic_bool holding; /* as the registry has it: nothing is assigned */
    int64_t remind_ms;   /* of the clockwork: when the log says so again, wall clock */

    struct ox_stop stop;
    pthread_mutex_t wake_lock;
    pthread_cond_t wake; /* a job was queued, or the end */
    unsigned wakes;
    uint64_t gc_grace_s;        /* what nothing refers to yet stays so long */
    uint64_t forget_after_s;    /* a device that is silent for so long needs nothing */
    uint64_t delta_cache_bytes; /* of patches that are kept */
    struct ox_gc gc;
    struct ox_chains chains;
    struct ox_counted counted;

    struct ox_running_jobs running;
    uint64_t jobs_max;      /* that are queued at a time */
    unsigned delta_threads; /* of one job */
    unsigned delta_effort;
    unsigned workers;
    unsigned started;
    pthread_t threads[OX_CONTROL_WORKERS + 1]; /* the last one is the clockwork */
};

int64_t ox_control_now(const struct ox_control *control);

/* --- live.c: what is in memory of devices between two writes --- */

struct ox_live;
OX_MUST_USE enum ox_code ox_live_new(struct ox_live **out, uint64_t seed, struct ox_err *err);
void ox_live_free(struct ox_live *live);
/** Note a heartbeat. metrics may be NULL. */
void ox_live_note(struct ox_control *control, const char *device_id, const json_t *metrics,
                  bool has_result, bool written);
/** Last seen, 0 if not since the start; metrics (may be NULL) is a copy that the caller frees. */
int64_t ox_live_seen(struct ox_control *control, const char *device_id, char **metrics);
bool ox_live_had_result(struct ox_control *control, const char *device_id);
void ox_live_forget(struct ox_control *control, const char *device_id);
/** Write all that is not written yet, bytes too. */
OX_MUST_USE enum ox_code ox_live_flush(struct ox_control *control, struct ox_err *err);

/* --- served.c: bytes that were served and are not written yet --- */

#define OX_SERVED_CAMPAIGN_MAX 32

struct ox_served;
OX_MUST_USE enum ox_code ox_served_new(struct ox_served **out, struct ox_err *err);
void ox_served_free(struct ox_served *served);
bool ox_served_any(struct ox_control *control);
/** Find out for which campaigns they were, of one device, or of all with NULL: before
 *  ox_live_served is asked. Each is asked for once, so this costs no more than what is new. */
OX_MUST_USE enum ox_code ox_served_find(struct ox_control *control, struct ox_tx *tx,
                                        const char *device_id, struct ox_err *err);
/** Bytes not written yet of one device in a campaign; of nobody in particular with ""; of all with
 *  NULL. */
uint64_t ox_live_served(struct ox_control *control, const char *campaign_id, const char *device_id);
/** Write them: of one device, or of all with NULL. They stay counted in memory until
 *  ox_live_written, once the transaction is durable. */
struct ox_live_written {
    struct ox_served_item *items;
    size_t count;
};
OX_MUST_USE enum ox_code ox_live_write_served(struct ox_control *control, struct ox_tx *tx,
                                              const char *device_id, struct ox_live_written *out,
                                              struct ox_err *err);
/** Take what was written out of memory (`durable`), or leave it; frees the list. */
void ox_live_written(struct ox_control *control, struct ox_live_written *written, bool durable);

/* --- events.c --- */

/**
 * Record that something happened, in the transaction in which it does. The kind is a row of
 * event_kinds.c; the subject columns are taken from the data's device_id, campaign_id and model_id,
 * the actor from the caller (caller.h). take_data may be NULL, which means no memory, so that it
 * can be json_pack's.
 */
OX_MUST_USE enum ox_code ox_event(struct ox_control *control, struct ox_tx *tx, const char *kind,
                                  json_t *take_data, struct ox_err *err);
/** A device in a campaign has another state than `from`. */
OX_MUST_USE enum ox_code ox_event_moved(struct ox_control *control, struct ox_tx *tx,
                                        const struct ox_campaign_device_row *row, const char *from,
                                        struct ox_err *err);
/** An event about a campaign: its data are version, stage (from 1) and, if it has one, reason. */
OX_MUST_USE enum ox_code ox_event_campaign(struct ox_control *control, struct ox_tx *tx,
                                           const char *kind, const struct ox_campaign_row *campaign,
                                           struct ox_err *err);
/** Drop what is too old or too much, in steps that other writers do not notice. */
OX_MUST_USE enum ox_code ox_events_trim(struct ox_control *control, struct ox_err *err);
void ox_events_init(struct ox_control *control, const struct ox_control_options *options);
void ox_events_clear(struct ox_control *control);

/* --- devices.c --- */

/** When a device was heard last: in memory, or in the registry. */
int64_t ox_device_seen_ms(struct ox_control *control, const struct ox_device_row *device);
/** Register a device, or replace its name and tags. */
OX_MUST_USE enum ox_code ox_device_put(struct ox_control *control, struct ox_tx *tx, const char *id,
                                       const char *name, const char *tags, bool *created,
                                       struct ox_err *err);
/** Three of its polls: silent for longer, it is offline. */
int64_t ox_device_patience_ms(const struct ox_device_row *device);

/* --- device_page.c --- */

/** Add what stands in the device's own row and is no part of the first generation's answers. */
OX_MUST_USE enum ox_code ox_device_facts(const struct ox_device_row *device, json_t *json,
                                         struct ox_err *err);
/** Add what is told of one device alone. */
OX_MUST_USE enum ox_code ox_device_details(struct ox_control *control, struct ox_tx *tx,
                                           const struct ox_device_row *device, json_t *json,
                                           struct ox_err *err);

/* --- history.c --- */

/** One step of the walk that forgets what ran long ago. */
OX_MUST_USE enum ox_code ox_history_prune(struct ox_control *control, struct ox_err *err);
/** A row of what a device ran, or of who ran a model. */
json_t *ox_history_json(const struct ox_history_row *row, bool of_device);
/** The time that a text names; NULL: now. */
OX_MUST_USE enum ox_code ox_history_time(struct ox_control *control, const char *text,
                                         int64_t *out_ms, struct ox_err *err);

/* --- pending.c, pins.c --- */

json_t *ox_pending_json(const struct ox_pending_row *row);
json_t *ox_pin_json(const struct ox_pin_row *pin);
#define OX_WHY_PINNED "pinned"
#define OX_PIN_REASON_MAX (OX_NAME_MAX + 16)
/** Why a campaign passes the device by: "pinned: a demo". */
void ox_pin_reason(const struct ox_pin_row *pin, char out[OX_PIN_REASON_MAX]);
/** An event as the API shows it; NULL where memory is short. */
struct ox_event_row;
json_t *ox_event_json(const struct ox_event_row *row);

/* --- json.c --- */

/** A required identifier, or text, or an optional array of strings as JSON text. */
OX_MUST_USE enum ox_code ox_body_id(const json_t *body, const char *key, const char **out,
                                    struct ox_err *err);
OX_MUST_USE enum ox_code ox_body_text(const json_t *body, const char *key, bool required,
                                      const char **out, struct ox_err *err);
/** An object of strings as JSON text, which the caller frees; absent is "{}". */
OX_MUST_USE enum ox_code ox_body_tags(const json_t *body, char **out, struct ox_err *err);
/** The tags of `held` (JSON text) with those of the body set, or taken away where they are null.
 * The caller frees *out. Source: RFC 7396. */
OX_MUST_USE enum ox_code ox_body_tags_onto(const json_t *body, const char *held, char **out,
                                           struct ox_err *err);
/** JSON text from the registry as a value; null for NULL. */
json_t *ox_json_of_text(const char *text);
/** A time, or null for 0. */
json_t *ox_json_of_time(int64_t wall_ms);
json_t *ox_json_of_digest(const struct ox_digest *digest);
/** Text, or null for NULL. */
json_t *ox_json_of_str(const char *text);
/** The same, but NULL for NULL: what json_pack leaves out with "s:o*". */
json_t *ox_json_of_opt(const char *text);

/* --- selecting.c --- */

/** Devices of a fleet (NULL: all) that pass a filter (NULL: all), as of now. */
struct ox_selection ox_select_now(const struct ox_control *control, const char *fleet_id,
                                  const struct ox_filter *filter);
/** Write what is in memory if the selection asks for it. To be called outside of transactions. */
OX_MUST_USE enum ox_code ox_select_refresh(struct ox_control *control,
                                           const struct ox_selection *selection,
                                           struct ox_err *err);

/* --- rows of lists, each in the file of its resource --- */

const char *ox_device_status(struct ox_control *control, const struct ox_device_row *device);
/** The same of one that was heard last at that time; 0: never. */
const char *ox_device_status_at(const struct ox_control *control,
                                const struct ox_device_row *device, int64_t seen_ms);
OX_MUST_USE enum ox_code ox_device_json(struct ox_control *control, struct ox_tx *tx,
                                        const struct ox_device_row *device, json_t **out,
                                        struct ox_err *err);
/** brief: without the ids of its devices. */
OX_MUST_USE enum ox_code ox_fleet_json(struct ox_control *control, struct ox_tx *tx,
                                       const struct ox_fleet_row *fleet, bool brief, json_t **out,
                                       struct ox_err *err);
/** A fleet that has a filter holds who passes it, and nobody else: OX_ECONFLICT. Errors also:
 *  OX_ENOTFOUND. */
OX_MUST_USE enum ox_code ox_fleet_check_is_list(struct ox_tx *tx, const char *id,
                                                struct ox_err *err);
OX_MUST_USE enum ox_code ox_model_json(const struct ox_model_row *row, json_t **out,
                                       struct ox_err *err);
OX_MUST_USE enum ox_code ox_version_row_json(struct ox_tx *tx, const struct ox_version_row *version,
                                             json_t **out, struct ox_err *err);
OX_MUST_USE enum ox_code ox_campaign_row_json(struct ox_tx *tx,
                                              const struct ox_campaign_row *campaign, json_t **out,
                                              struct ox_err *err);
OX_MUST_USE enum ox_code ox_campaign_device_json(struct ox_control *control,
                                                 const struct ox_campaign_device_row *row,
                                                 json_t **out, struct ox_err *err);

/* --- campaigns.c --- */

#define OX_CAMPAIGN_ID_MAX 32

/** Why a device's part in campaigns ended. */
#define OX_WHY_UNREGISTERED "the device was unregistered"

struct ox_campaign_spec {
    const char *model_id;
    const char *version;
    const char *fleet_id;     /* or */
    const json_t *device_ids; /* an array of strings, or */
    struct ox_filter *filter; /* owned */
    const json_t *settings;   /* the object that holds its policy */
};
/** Read who is to get what; all but the filter is lent by the body. Errors: OX_EINVAL. */
OX_MUST_USE enum ox_code ox_campaign_spec_read(const json_t *body, struct ox_campaign_spec *out,
                                               struct ox_err *err);
void ox_campaign_spec_clear(struct ox_campaign_spec *spec);
/** A filter may ask for what heartbeats have not written yet. To be called outside of
 *  transactions, before ox_campaign_make_in. */
OX_MUST_USE enum ox_code ox_campaign_refresh(struct ox_control *control,
                                             const struct ox_campaign_spec *spec,
                                             struct ox_err *err);
/** What came of it. */
struct ox_campaign_made {
    char id[OX_CAMPAIGN_ID_MAX];
    uint64_t total;
    char state[16];
    json_t *superseded; /* [{campaign_id, devices}] */
};
/** As its maker is answered; to be called once. */
OX_MUST_USE enum ox_code ox_campaign_made_json(const struct ox_campaign_made *made, json_t **out,
                                               struct ox_err *err);
void ox_campaign_made_clear(struct ox_campaign_made *made);
OX_MUST_USE enum ox_code ox_campaign_make(struct ox_control *control,
                                          const struct ox_campaign_spec *spec,
                                          struct ox_campaign_made *out, struct ox_err *err);
/** The same within a transaction. `dry`: for a plan, that will not be committed. */
OX_MUST_USE enum ox_code ox_campaign_make_in(struct ox_control *control, struct ox_tx *tx,
                                             const struct ox_campaign_spec *spec, bool dry,
                                             struct ox_campaign_made *out, struct ox_err *err);
/** Send back the devices that a campaign has updated or may have, by a campaign of its own; if
 * there are none, out->id is "". */
OX_MUST_USE enum ox_code ox_campaign_revert(struct ox_control *control, struct ox_tx *tx,
                                            const struct ox_campaign_row *campaign,
                                            struct ox_campaign_made *out, struct ox_err *err);

/* --- campaign_move.c --- */

OX_MUST_USE enum ox_code ox_campaign_policy(const struct ox_campaign_row *campaign,
                                            struct ox_policy *out, struct ox_err *err);

/** The devices of a campaign, counted by state, and those that are released as rollout has them. */
struct ox_campaign_counts {
    uint64_t total;
    uint64_t pending;
    uint64_t in_progress;
    uint64_t complete;
    uint64_t failed;
    uint64_t skipped;
    uint64_t deferred;         /* of pending */
    uint64_t unreleased;       /* of pending */
    uint64_t released_devices; /* whatever their state */
    struct ox_rollout_tally released;
};
OX_MUST_USE enum ox_code ox_campaign_count(struct ox_tx *tx, const char *campaign_id,
                                           struct ox_campaign_counts *out, struct ox_err *err);
/** `policy` is lent to the view. */
OX_MUST_USE enum ox_code ox_campaign_view(struct ox_control *control, struct ox_tx *tx,
                                          const struct ox_campaign_row *campaign,
                                          const struct ox_policy *policy,
                                          struct ox_rollout_view *out, struct ox_err *err);

/** Let a campaign move as far as it now may, and write it. */
OX_MUST_USE enum ox_code ox_campaign_advance(struct ox_control *control, struct ox_tx *tx,
                                             const char *campaign_id, bool succeeded,
                                             struct ox_err *err);
/** Has time or a delta's end made it ready to move? */
OX_MUST_USE enum ox_code ox_campaign_would_move(struct ox_control *control, struct ox_tx *tx,
                                                const struct ox_campaign_row *campaign, bool *out,
                                                struct ox_err *err);
/** Change the row's state by an event; false if it does not allow that. Not written. */
bool ox_campaign_step(struct ox_campaign_row *campaign, enum ox_campaign_event event,
                      int64_t now_ms);
/** Abort it, withdraw what has not begun, and write it; why may be NULL. `revert`: and send back
 * whom it has updated, as ox_campaign_revert does; NULL: they stay as they are. */
OX_MUST_USE enum ox_code ox_campaign_end(struct ox_control *control, struct ox_tx *tx,
                                         struct ox_campaign_row *campaign, const char *why,
                                         struct ox_campaign_made *revert, struct ox_err *err);
/** Pause it, if it is rolling out, and write it. */
OX_MUST_USE enum ox_code ox_campaign_pause(struct ox_control *control, struct ox_tx *tx,
                                           struct ox_campaign_row *campaign, const char *why,
                                           struct ox_err *err);

/** May a device's row go there? */
bool ox_campaign_device_may(const struct ox_campaign_device_row *row, enum ox_rollout_state to,
                            enum ox_failure failure);
/** Move it, and its campaign by it. error may be NULL. */
OX_MUST_USE enum ox_code ox_campaign_device_move(struct ox_control *control, struct ox_tx *tx,
                                                 struct ox_campaign_device_row *row,
                                                 enum ox_rollout_state to, enum ox_failure failure,
                                                 const char *error, struct ox_err *err);
/** End a device's open part in all campaigns. */
OX_MUST_USE enum ox_code ox_campaign_skip_device(struct ox_control *control, struct ox_tx *tx,
                                                 const char *device_id, const char *why,
                                                 struct ox_err *err);
/** Give up devices that fell silent, defer those that sleep. `dry`: only say whether there is one.
 */
OX_MUST_USE enum ox_code ox_campaign_sweep(struct ox_control *control, struct ox_tx *tx,
                                           const struct ox_campaign_row *campaign, bool dry,
                                           bool *changed, struct ox_err *err);
/** Release the devices of the stages that are open. */
OX_MUST_USE enum ox_code ox_campaign_release(struct ox_tx *tx,
                                             const struct ox_campaign_row *campaign,
                                             const struct ox_policy *policy, int64_t now_ms,
                                             struct ox_err *err);

/* --- follow.c --- */

/** Take in devices that have joined the fleet of a campaign under way, if it follows it: behind
 *  all others. Its total is brought up. `dry`: only say whether there is one. */
OX_MUST_USE enum ox_code ox_campaign_follow(struct ox_control *control, struct ox_tx *tx,
                                            struct ox_campaign_row *campaign, bool dry,
                                            bool *changed, struct ox_err *err);

/* --- converge.c --- */

/** A device runs another version of a model than before; NULL: none. */
OX_MUST_USE enum ox_code ox_converge_model(struct ox_control *control, struct ox_tx *tx,
                                           const char *device_id, const char *model_id,
                                           const struct ox_device_model_row *runs,
                                           struct ox_err *err);
/** All that its fleets are to run, for a device that was passed by. */
OX_MUST_USE enum ox_code ox_converge_device(struct ox_control *control, struct ox_tx *tx,
                                            const char *device_id, struct ox_err *err);
/** A device is in a fleet now. */
OX_MUST_USE enum ox_code ox_converge_joined(struct ox_control *control, struct ox_tx *tx,
                                            const char *fleet_id, const char *device_id,
                                            struct ox_err *err);

/** A device has other tags, or is new: it may have come to pass the filters of fleets. */
OX_MUST_USE enum ox_code ox_converge_changed(struct ox_control *control, struct ox_tx *tx,
                                             const char *device_id, struct ox_err *err);
/** Look at all fleets that have filters for devices that have come to pass. */
OX_MUST_USE enum ox_code ox_converge_fleets(struct ox_control *control, struct ox_err *err);

/* --- hold.c --- */

/** Ask the registry, at the start. */
OX_MUST_USE enum ox_code ox_hold_load(struct ox_control *control, struct ox_err *err);
bool ox_holding(const struct ox_control *control);
/** Say it in the log, at the start and now and then. */
void ox_hold_remind(struct ox_control *control);

/* --- publish.c --- */

/** Errors: OX_ENOSPC if so many bytes do not fit on the store's disk. */
OX_MUST_USE enum ox_code ox_control_check_space(struct ox_control *control, uint64_t size_bytes,
                                                struct ox_err *err);

/* --- windows.c --- */

/** Must a device not begin now, by what it tells of its local time? Reverts have no windows. */
bool ox_window_shut(const struct ox_control *control, const struct ox_policy *policy,
                    const struct ox_device_row *device);

/** Pending devices of a campaign, and its windows; all 0 without windows. */
struct ox_zones {
    int64_t now_ms; /* since 1970 UTC */
    uint64_t open;  /* devices within a window */
    uint64_t shut;
    uint64_t not_known; /* they do not tell their local time */
    int64_t next_ms;    /* until the first of those that are shut may begin, from now */
    int64_t last_ms;    /* until all of them might have */
    uint64_t too_late;  /* of those that are shut: they might not before the campaign's deadline */
    bool has_main;
    int64_t main_offset_s; /* of most devices that tell theirs */
};
OX_MUST_USE enum ox_code ox_zones_find(struct ox_control *control, struct ox_tx *tx,
                                       const char *campaign_id, const struct ox_policy *policy,
                                       struct ox_zones *out, struct ox_err *err);
/** Could anybody begin before the deadline of a campaign that begins now? Errors: OX_EINVAL if
 *  nobody could, wherever those are that do not tell their local time. */
OX_MUST_USE enum ox_code ox_zones_check(struct ox_control *control, struct ox_tx *tx,
                                        const char *campaign_id, const struct ox_policy *policy,
                                        struct ox_err *err);
/** How long it takes, from from_ms behind now on, until windows were open for open_ms where most
 *  devices are; ms, all of them. */
int64_t ox_zones_pass_ms(const struct ox_zones *zones, const struct ox_policy *policy,
                         int64_t from_ms, int64_t open_ms);
/** For a plan; null without windows. NULL without memory. */
json_t *ox_zones_json(const struct ox_zones *zones, const struct ox_policy *policy);

/* --- assign.c --- */

/** A delta that a device needs and that nobody has queued. */
struct ox_wanted {
    struct ox_digest base;
    struct ox_digest target;
    const char *format;
};
/** The patch format for a device: "oxdl/2", "oxdl/1", or NULL for none. *ops: what it reads. */
const char *ox_assign_format(uint64_t protocol, const char *reads, uint64_t *ops);

/** What a device's place in a campaign comes to, now. */
struct ox_offer {
    struct ox_campaign_device_row row;
    struct ox_campaign_row campaign;
    struct ox_policy policy;
    struct ox_artifact_row target;
    const struct ox_device_model_row *base; /* what it runs of the model; NULL: nothing */
    bool released;                          /* the rest is set only if it is */
    bool waits;                             /* for its patch */
    bool has_patch;
    struct ox_job_row job; /* of the patch */
    struct ox_chain chain; /* in its place, if it has any */
    bool needs_fallback;   /* no patch can be made: the full file is one of a few */
    bool shut;             /* outside of its windows, as far as is known */
    bool limited;          /* others are before it */
    bool over_budget;      /* `why` says how */
    bool told;             /* it was given the assignment before */
    bool ready;            /* it may be given it */
    char why[OX_ROLLOUT_REASON_MAX];
};
/** `wanted` has room for OX_HEARTBEAT_MODELS_MAX. */
OX_MUST_USE enum ox_code ox_offer_find(struct ox_control *control, struct ox_tx *tx,
                                       const struct ox_device_row *device,
                                       const struct ox_campaign_device_row *row,
                                       const struct ox_device_model_row *models, size_t model_count,
                                       struct ox_offer *out, struct ox_wanted *wanted,
                                       size_t *wanted_count, struct ox_err *err);
/** Note what a device is told from now on; what is over its budget pauses its campaign. `dry`: only
 *  say whether there is anything. */
OX_MUST_USE enum ox_code ox_offers_make(struct ox_control *control, struct ox_tx *tx,
                                        const struct ox_device_row *device, bool dry, bool *changed,
                                        struct ox_err *err);
/** Fill `answer` for a device (which the caller clears) with what it was told. With whole == false
 *  only the assigned pair is found, and nothing waits. */
OX_MUST_USE enum ox_code ox_assign(struct ox_control *control, struct ox_tx *tx,
                                   const struct ox_device_row *device, bool whole,
                                   struct ox_heartbeat_answer *answer, struct ox_wanted *wanted,
                                   size_t *wanted_count, struct ox_err *err);

/** End what was asked for: commit if `code` is OX_OK, and answer with the document that was made
 *  before. Jobs that came of it begin. Takes the reference in every case. */
OX_MUST_USE enum ox_code ox_conclude(struct ox_control *control, struct ox_tx *tx,
                                     enum ox_code code, json_t *take_answer, json_t **out,
                                     struct ox_err *err);

/* --- job_views.c --- */

OX_MUST_USE enum ox_code ox_job_json(struct ox_control *control, struct ox_tx *tx,
                                     const struct ox_job_row *job, json_t **out,
                                     struct ox_err *err);
/** What an operator did to a job. */
OX_MUST_USE enum ox_code ox_job_event(struct ox_control *control, struct ox_tx *tx,
                                      const char *kind, const struct ox_job_row *job,
                                      struct ox_err *err);

/* --- jobs.c --- */

/** Queue a job, or wait for the one that exists; the least awaited give way over jobs_max. */
OX_MUST_USE enum ox_code ox_job_queue(struct ox_control *control, struct ox_tx *tx,
                                      const struct ox_wanted *wanted, uint64_t waiting,
                                      struct ox_err *err);
/** Can this pair be made in this format (OXDL 1: one file, not too large)? */
OX_MUST_USE enum ox_code ox_job_possible(struct ox_tx *tx, const struct ox_digest *base,
                                         const struct ox_digest *target, const char *format,
                                         bool *possible, struct ox_err *err);
/** Queue the jobs for the bases that devices run: of a campaign. */
OX_MUST_USE enum ox_code ox_jobs_for_campaign(struct ox_control *control, struct ox_tx *tx,
                                              const struct ox_campaign_row *campaign,
                                              struct ox_err *err);
/** The same, of all devices that run the same variant of another version. */
OX_MUST_USE enum ox_code ox_jobs_for_version(struct ox_control *control, struct ox_tx *tx,
                                             const struct ox_artifact_row *target,
                                             struct ox_err *err);
/** Deltas that the devices of a campaign wait for. */
struct ox_jobs_left {
    size_t to_make;
    size_t failed;
    uint64_t failed_devices; /* that run the bases of failed ones */
    char why[160];           /* the last one failed */
};
OX_MUST_USE enum ox_code ox_jobs_outstanding(struct ox_tx *tx,
                                             const struct ox_campaign_row *campaign,
                                             struct ox_jobs_left *out, struct ox_err *err);
OX_MUST_USE enum ox_code ox_jobs_queue_wanted(struct ox_control *control,
                                              const struct ox_wanted *wanted, size_t count,
                                              struct ox_err *err);
void ox_jobs_wake(struct ox_control *control);
void *ox_jobs_work(void *control);

#endif
