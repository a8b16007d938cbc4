/**
 * What the agent does at this moment, for who asks (control_socket.h) and for the service manager.
 * The threads of the agent write it as they go; any thread reads it.
 */
#ifndef OX_AGENT_STATUS_H
#define OX_AGENT_STATUS_H

#include "oxide/base/json.h"
#include "oxide/wire/id.h"

#include <pthread.h>
#include <stdbool.h>

struct ox_agent;
struct ox_assignment;

/** Zero-initialise it, then ox_status_open. */
struct ox_status {
    pthread_mutex_t lock;
    int64_t begun_mono_ms;

    /* the update under way */
    bool updating;
    char model_id[OX_ID_MAX + 1];
    char version[OX_ID_MAX + 1];
    const char *stage; /* static */
    int64_t stage_mono_ms;
    uint64_t done_bytes; /* of this stage; 0 of 0: not counted */
    uint64_t total_bytes;
    uint64_t rate_bps; /* bytes per second, of late */
    uint64_t measured_bytes;
    int64_t measured_mono_ms;
    int64_t patient_until_mono_ms; /* until then the stage may be silent: a command runs */

    /* heartbeats */
    int64_t answered_wall_ms;     /* the last answer; 0: none yet */
    int64_t next_mono_ms;         /* the next heartbeat; 0: it is under way */
    char problem[OX_ERR_MSG_MAX]; /* why the last one was not answered; "" if it was */

    /* what was told to the service manager */
    int64_t told_mono_ms;
    uint64_t moves; /* whatever has moved on */
    uint64_t fed_moves;
};

void ox_status_open(struct ox_status *status);
void ox_status_close(struct ox_status *status);

/** A stage begins (a static name); `patience_ms` is how long it may take without a move. */
void ox_status_stage(struct ox_status *status, const struct ox_assignment *assignment,
                     const char *stage, int64_t patience_ms);
/** A command runs in it, which may take so long. */
void ox_status_wait(struct ox_status *status, int64_t patience_ms);
/** It is so far. */
void ox_status_progress(struct ox_status *status, uint64_t done_bytes, uint64_t total_bytes);
/** The update has ended. */
void ox_status_idle(struct ox_status *status);
/** A heartbeat was answered, or not (problem; NULL: it was); the next one is due in wait_ms. */
void ox_status_beat(struct ox_status *status, const char *problem, int64_t wait_ms);

/** Feed the service manager's watchdog, unless an update has stood still since it was fed last. */
void ox_status_feed(struct ox_status *status);

/** All of it, and what the state holds, as docs/agent.md says. The caller owns *out. */
OX_MUST_USE enum ox_code ox_status_json(struct ox_agent *agent, json_t **out, struct ox_err *err);

#endif
