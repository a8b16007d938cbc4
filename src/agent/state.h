/**
 * What the agent knows across restarts: state.json, replaced atomically. It is the truth about
 * which version of each model is kept; what is under way stands in the journal.
 */
#ifndef OX_AGENT_STATE_H
#define OX_AGENT_STATE_H

#include "oxide/agent/agent.h"
#include "oxide/wire/heartbeat.h"

/* Raised when releases that read the one before would take a file for another than it is; what they
 * can leave unread does not raise it. Here and in the journal. */
#define OX_STATE_FORMAT 1
#define OX_STATE_SEQ_MAX ((uint64_t)1 << 53) /* of a report: what every reader of JSON holds */
#define OX_STATE_POISON_MAX 64               /* versions that failed; the oldest is forgotten */
#define OX_STATE_BYTES_MAX                                                                         \
    ((size_t)256 << 20) /* models x versions x files of the longest paths                          \
                         */

/** A version that is or was active. version NULL: none. Strings are owned. */
struct ox_installed {
    char *version;
    struct ox_digest digest; /* of the artifact */
    char *folder;            /* below the home's versions/ */
    struct ox_manifest files;
};
void ox_installed_clear(struct ox_installed *installed);
OX_MUST_USE enum ox_code ox_installed_copy(struct ox_installed *out,
                                           const struct ox_installed *installed,
                                           struct ox_err *err);
OX_MUST_USE enum ox_code ox_installed_to_json(const struct ox_installed *installed, json_t **out,
                                              struct ox_err *err);
/** null is none. */
OX_MUST_USE enum ox_code ox_installed_from_json(const json_t *json, struct ox_installed *out,
                                                struct ox_err *err);

struct ox_model_state {
    char *model_id;
    enum ox_model_layout layout;
    struct ox_installed current;
    struct ox_installed kept[OX_KEEP_MAX]; /* that were active before, the last one first */
    size_t kept_count;
    bool replaced; /* the first version here was another one than `current`, kept or not */
};

struct ox_poison {
    char *model_id;
    char *version;
    struct ox_digest digest;
    uint64_t failures;
    char *told_campaign; /* the campaign that was told that we skip it, "" for none; or NULL */
};

struct ox_agent_state {
    char *device_id;
    char *release;         /* that wrote it, "oxide/0.1.0"; NULL: one that did not say */
    uint64_t next_seq;     /* of the next report */
    uint64_t last_attempt; /* the update whose end is written here; 0: none */
    char *last_model;      /* of the last commit; NULL: none yet */
    bool has_result;
    char *result_error; /* of the last update; NULL: success */
    struct ox_model_state models[OX_HEARTBEAT_MODELS_MAX];
    size_t models_count;
    struct ox_poison poison[OX_STATE_POISON_MAX];
    size_t poison_count;
    struct ox_device_report reports[OX_HEARTBEAT_REPORTS_MAX]; /* not acknowledged, by seq */
    size_t reports_count;
};

/** An empty state, of no release. A counter that was lost goes on from first_seq. */
OX_MUST_USE enum ox_code ox_state_init(struct ox_agent_state *state, const char *device_id,
                                       uint64_t first_seq, struct ox_err *err);
void ox_state_clear(struct ox_agent_state *state);
/** It is another device's from now on: reports of the one before are dropped. */
OX_MUST_USE enum ox_code ox_state_rename(struct ox_agent_state *state, const char *device_id,
                                         struct ox_err *err);

/** Errors: OX_ENOTFOUND; OX_ECORRUPT (damaged) and OX_EUNSUPPORTED (newer), which a caller sets
 *  aside; the system's. The caller clears *out. */
OX_MUST_USE enum ox_code ox_state_load(struct ox_agent_state *out, const char *path,
                                       struct ox_err *err);
OX_MUST_USE enum ox_code ox_state_save(const struct ox_agent_state *state, const char *path,
                                       struct ox_err *err);

/** Lent; NULL if the device keeps none of this model. */
const struct ox_model_state *ox_state_model(const struct ox_agent_state *state,
                                            const char *model_id);

/** The version that was active before; NULL if none is kept. Lent. */
const struct ox_installed *ox_state_previous(const struct ox_model_state *model);
/** Is this folder one that the state keeps of the model (NULL: of none)? */
bool ox_state_keeps(const struct ox_model_state *model, const char *folder);

/** Make *take the current version of the model, and what was current the first of those that are
 * kept, of which `keep` stay.
 *  Errors: OX_ETOOBIG over OX_HEARTBEAT_MODELS_MAX models. *take becomes empty on success. */
OX_MUST_USE enum ox_code ox_state_commit(struct ox_agent_state *state, const char *model_id,
                                         struct ox_installed *take, size_t keep,
                                         struct ox_err *err);
/** Keep no more than so many of a model. Returns whether the state changed. */
bool ox_state_trim(struct ox_agent_state *state, const char *model_id, size_t keep);

/** A model that is known lies in this layout. */
void ox_state_set_layout(struct ox_agent_state *state, const char *model_id,
                         enum ox_model_layout layout);

/** Forget a model. */
void ox_state_forget(struct ox_agent_state *state, const char *model_id);

/** Failures so far of what is assigned. */
uint64_t ox_state_failures(const struct ox_agent_state *state,
                           const struct ox_assignment *assignment);
/** Count one more; *out is lent and may be NULL. */
OX_MUST_USE enum ox_code ox_state_fail(struct ox_agent_state *state,
                                       const struct ox_assignment *assignment,
                                       struct ox_poison **out, struct ox_err *err);
/** It works after all. */
void ox_state_unpoison(struct ox_agent_state *state, const struct ox_assignment *assignment);
struct ox_poison *ox_state_poison(struct ox_agent_state *state,
                                  const struct ox_assignment *assignment);

/** Remember how the last update went; error NULL: well. */
OX_MUST_USE enum ox_code ox_state_set_result(struct ox_agent_state *state, const char *error,
                                             struct ox_err *err);

/** Queue a copy of a report with the next seq. It replaces what is queued of the progress of the
 *  same update; when the queue is full, the oldest is dropped. */
OX_MUST_USE enum ox_code ox_state_report(struct ox_agent_state *state,
                                         const struct ox_device_report *report, struct ox_err *err);
/** Drop what the server holds. A server that acknowledges what was never sent knows a counter that
 *  we lost: ours goes on behind it. Returns whether the state changed. */
bool ox_state_ack(struct ox_agent_state *state, uint64_t seq);
/** A server of the first generation takes no reports. Returns whether the state changed. */
bool ox_state_drop_reports(struct ox_agent_state *state);

#endif
