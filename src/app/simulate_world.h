/** What the files of the simulation share: agents, what they run, campaigns they are in. */
#ifndef OX_APP_SIMULATE_WORLD_H
#define OX_APP_SIMULATE_WORLD_H

#include "simulate_net.h"

#include "oxide/base/random.h"
#include "oxide/crypto/sha256.h"
#include "oxide/wire/heartbeat.h"

#define OX_SIM_NONE UINT32_MAX
#define OX_SIM_REPORTS_MAX 8
#define OX_SIM_MODELS_MAX 8
#define OX_SIM_ENDED_MAX 8

/** A version of a model, and a campaign: each once, agents name them by their index. */
struct ox_sim_release {
    char *model_id;
    char *version;
    struct ox_digest digest;
};
struct ox_sim_campaign {
    char *id; /* "": none was named */
    uint32_t release;
    unsigned stage; /* open now, from 1; 0: not known */
    struct ox_simulate_campaign seen;
};

/** Words in it are static. */
struct ox_sim_report {
    uint64_t seq;
    uint32_t campaign;
    uint32_t release;
    enum ox_rollout_state state;
    const char *strategy; /* NULL: none, as the next two */
    const char *error_code;
    const char *error_message;
    uint64_t received_bytes;
    uint64_t full_bytes;
    uint64_t duration_ms;
};

struct ox_sim_running {
    uint32_t release;
    uint32_t previous;
};

/** What the server has acknowledged as ended. */
struct ox_sim_ended {
    uint32_t campaign;
    uint32_t release;
    enum ox_rollout_state state;
};

struct ox_sim_blob {
    struct ox_digest sha256;
    uint64_t size_bytes;
};

enum ox_sim_phase { OX_SIM_FETCH, OX_SIM_APPLY, OX_SIM_CHECK };

/** An update under way. */
struct ox_sim_update {
    struct ox_assignment assignment; /* owned */
    uint32_t campaign;
    uint32_t release;
    enum ox_sim_phase phase;
    int64_t begun_us;
    const char *strategy;
    bool patch_failed;         /* the full files have to do */
    struct ox_sim_blob *blobs; /* owned; in the order of fetching */
    size_t blobs_count;
    size_t blob;        /* the one that is fetched */
    uint64_t got_bytes; /* of it */
    uint64_t received_bytes;
    size_t url;        /* which of blob_urls is tried; past them the server */
    unsigned failures; /* of fetching, in a row */
    struct ox_sha256 hash;
    bool hashing;
    bool resumes; /* the rest of a blob was asked for */
    /* What befalls it: the first two not before this phase, and once the server knows of it. */
    bool goes_silent;
    bool restarts;
    bool fails;
    enum ox_sim_phase when;
};

struct ox_sim;

struct ox_sim_agent {
    struct ox_sim *sim;
    uint32_t number;
    uint32_t heap_at;
    int64_t due_us;   /* as the heap has it */
    int64_t beat_us;  /* the next heartbeat; OX_SIM_NEVER while one is under way, or silent */
    int64_t step_us;  /* the next step of the update */
    int64_t retry_us; /* no update begins before */
    int64_t poll_ms;
    int64_t beaten_us; /* the last one that was sent */
    uint64_t next_seq;
    unsigned since_whole; /* heartbeats since all was said; 0: say all now */
    bool models_changed;  /* since the last heartbeat that said all was written */
    unsigned beat_failures;
    unsigned update_failures;
    bool silent;
    bool news; /* a report came while a heartbeat was under way */
    struct ox_sim_conn *beat;
    struct ox_sim_conn *fetch;
    struct ox_sim_update *update;
    uint32_t poison; /* a release that failed, so often */
    unsigned poisoned;
    uint32_t poison_told; /* a campaign that was told that it is skipped */
    uint8_t reports_count;
    uint8_t models_count;
    uint8_t ended_count;
    struct ox_sim_running models[OX_SIM_MODELS_MAX];
    struct ox_sim_ended ended[OX_SIM_ENDED_MAX];
    struct ox_sim_report *reports; /* owned; room for OX_SIM_REPORTS_MAX once there was one */
    uint32_t *assigned;            /* owned: campaigns whose assignments it was told */
    uint32_t assigned_count;
};

struct ox_sim {
    const struct ox_simulate_options *options;
    struct ox_sim_net net;
    const struct ox_sim_authority *server;
    char *base_path; /* before /api */
    char *user_agent;
    struct ox_rng rng;
    struct ox_sim_agent *agents;
    uint32_t agents_count;
    struct ox_sim_agent **heap; /* the soonest due first */
    uint32_t heap_count;
    struct ox_sim_release *releases;
    uint32_t releases_count;
    struct ox_sim_campaign *campaigns;
    uint32_t campaigns_count;
    int64_t begun_us;
    uint64_t updating;
    uint64_t silent;
    uint64_t conflicts;
};

#define OX_SIM_ID_MAX 288
/** The id of a device; returns out. */
const char *ox_sim_device_id(const struct ox_sim *sim, uint32_t number, char out[OX_SIM_ID_MAX]);
/** A number in [0, 1) that depends on the seed, the device, an artifact and a word alone. */
double ox_sim_chance(const struct ox_sim *sim, const char *word, uint32_t number,
                     const struct ox_digest *digest);
/** `ms` give or take a half, in microseconds from now. */
int64_t ox_sim_about(struct ox_sim *sim, uint64_t ms);

/** The index of a release or campaign, made if new; OX_SIM_NONE without memory. id NULL: none. */
uint32_t ox_sim_release(struct ox_sim *sim, const char *model_id, const char *version,
                        const struct ox_digest *digest);
uint32_t ox_sim_campaign(struct ox_sim *sim, const char *id, uint32_t release);

/* --- simulate_heap.c: whose time comes next --- */

/** Put an agent where its times say; each agent stands in the heap from the start. */
void ox_sim_schedule(struct ox_sim_agent *agent);

/* --- simulate_agent.c: heartbeats --- */

/** The agent's time has come. */
void ox_sim_agent_wake(struct ox_sim_agent *agent);
/** Queue a report (its seq is given here), which brings the next heartbeat forward. */
void ox_sim_agent_report(struct ox_sim_agent *agent, const struct ox_sim_report *report);
/** The process dies: connections break; it comes back after `down_us`, or never. */
void ox_sim_agent_die(struct ox_sim_agent *agent, int64_t down_us);
/** What it runs of a model, or NULL. */
struct ox_sim_running *ox_sim_agent_model(struct ox_sim_agent *agent, const char *model_id);
void ox_sim_agent_clear(struct ox_sim_agent *agent);

/* --- simulate_update.c --- */

/** Begin an update to an assignment, which is emptied. */
void ox_sim_update_begin(struct ox_sim_agent *agent, struct ox_assignment *take_assignment);
/** Its time has come. */
void ox_sim_update_step(struct ox_sim_agent *agent);
/** Everything that was told so far is acknowledged: what is to befall the agent may do so now. */
void ox_sim_update_told(struct ox_sim_agent *agent);
/** It is no longer wanted. */
void ox_sim_update_withdraw(struct ox_sim_agent *agent);
void ox_sim_update_free(struct ox_sim_agent *agent);

/* --- simulate_setup.c --- */

/** Register the devices, put them into the fleet, and find the version that they run. */
OX_MUST_USE enum ox_code ox_sim_setup(struct ox_sim *sim, struct ox_stop *stop,
                                      const struct ox_simulate_observer *observer,
                                      struct ox_err *err);

/* --- simulate_watch.c: how campaigns go, by the server's word --- */

struct ox_sim_watch {
    struct ox_sim *sim;
    struct ox_sim_conn *conn;
    int64_t next_us;
};
void ox_sim_watch_wake(struct ox_sim_watch *watch);

/* --- simulate_result.c --- */

/** What is shown; the caller clears it. */
OX_MUST_USE enum ox_code ox_sim_result(const struct ox_sim *sim, struct ox_simulate_result *out,
                                       struct ox_err *err);
void ox_sim_result_clear(struct ox_simulate_result *result);
/** A line of JSON per agent: {id, silent, models[{id,version}], assigned[campaign],
 *  ended[{campaign,model,version,state}]}. */
OX_MUST_USE enum ox_code ox_sim_write_agents(const struct ox_sim *sim, int fd, const char *path,
                                             struct ox_err *err);

#endif
