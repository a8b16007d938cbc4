#include "oxide/agent/agent.h"

#include "beat.h"
#include "consumer.h"
#include "control_socket.h"
#include "first_gen.h"
#include "held.h"
#include "oxide/base/clock.h"
#include "oxide/base/notify.h"
#include "policy.h"
#include "recover.h"
#include "update.h"

#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_GAP_MS 1000 /* progress alone is not told more often */
#define POLL_MIN_S 1         /* what a server may ask for */
#define POLL_MAX_S 86400

/* What the beating thread knows beside the shared part. */
struct loop {
    struct ox_agent *agent;
    struct ox_beat beat;
    struct ox_rng rng;
    uint64_t beat_failures; /* in a row */
    char last_problem[OX_ERR_MSG_MAX];

    struct ox_update *update; /* under way, or NULL */
    pthread_t thread;
    atomic_bool update_done;
    enum ox_code update_code;
    struct ox_err update_err;

    uint64_t update_failures; /* in a row, of whatever */
    int64_t retry_mono_ms;    /* no update begins before */
    bool waits_for_window;    /* it was said */
    uint64_t told_poll_s;     /* by the server; 0: nothing */
    struct ox_held held;      /* updates that wait for a window to switch in */
    int64_t watchdog_ms;      /* the service manager's; 0: none */
};

static int64_t now_mono_ms(void)
{
    return ox_clock_system()->mono_ms(NULL);
}

static int64_t longer(int64_t a_ms, int64_t b_ms)
{
    return a_ms > b_ms ? a_ms : b_ms;
}

/* --- the update's thread --- */

static void *run_update(void *arg)
{
    struct loop *loop = arg;

    ox_err_clear(&loop->update_err);
    loop->update_code = loop->update->by_hand
                            ? ox_update_run_by_hand(loop->update, &loop->update_err)
                            : ox_update_run(loop->update, &loop->update_err);
    atomic_store(&loop->update_done, true);
    ox_agent_wake(loop->agent);
    return NULL;
}

/* The attempt's number: any that is not the last one's. */
static uint64_t new_attempt(struct loop *loop)
{
    uint64_t attempt;

    do {
        attempt = ox_rng_u64(&loop->rng) >> 1; /* JSON holds 63 bits */
    } while (attempt == 0 || attempt == loop->agent->state.last_attempt);
    return attempt;
}

static void end_by_hand(const struct loop *loop, enum ox_code code, const struct ox_err *err)
{
    struct ox_hand *hand = &loop->agent->hand;

    (void)pthread_mutex_lock(&loop->agent->lock);
    hand->phase = OX_HAND_DONE;
    hand->code = code;
    (void)snprintf(hand->error, sizeof(hand->error), "%s", err->msg);
    (void)pthread_mutex_unlock(&loop->agent->lock);
}

/* Begin an update; *take_journal is emptied, and so is *take_request, which is NULL unless somebody
 * asked for it by hand. */
static void start_update(struct loop *loop, struct ox_journal *take_journal,
                         struct ox_local_request *take_request)
{
    const struct ox_log *log = loop->agent->log;
    struct ox_err err = OX_ERR_INIT;

    atomic_store(&loop->update_done, false);
    if (ox_update_new(&loop->update, loop->agent, take_journal, &err) != OX_OK) {
        ox_log(log, OX_LOG_ERROR, "%s", err.msg);
        if (take_request != NULL) {
            end_by_hand(loop, err.code, &err);
        }
        return;
    }
    loop->update->time = loop->beat.time;
    if (take_request != NULL) {
        loop->update->by_hand = true;
        loop->update->request = *take_request;
        *take_request = (struct ox_local_request){.path = NULL};
    }
    if (pthread_create(&loop->thread, NULL, run_update, loop) != 0) {
        (void)ox_err_set(&err, OX_EBUSY, "there is no thread for an update");
        ox_log(log, OX_LOG_ERROR, "%s", err.msg);
        if (loop->update->by_hand) {
            end_by_hand(loop, err.code, &err);
        }
        ox_update_free(loop->update);
        loop->update = NULL;
    }
}

/* Take the next request by hand, if one waits. */
static void consider_by_hand(struct loop *loop)
{
    struct ox_agent *agent = loop->agent;
    struct ox_local_request request = {.path = NULL};
    struct ox_journal journal = {.attempt = 0};
    bool waits;

    (void)pthread_mutex_lock(&agent->lock);
    waits = agent->hand.phase == OX_HAND_WAITING;
    if (waits) {
        request = agent->hand.request;
        agent->hand.request = (struct ox_local_request){.path = NULL};
        agent->hand.phase = OX_HAND_RUNNING;
    }
    (void)pthread_mutex_unlock(&agent->lock);
    if (waits) {
        journal.attempt = new_attempt(loop);
        start_update(loop, &journal, &request);
    }
    ox_journal_clear(&journal);
    ox_local_request_clear(&request);
}

static void log_end(const struct loop *loop)
{
    const struct ox_assignment *assignment = &loop->update->journal.assignment;
    const struct ox_log *log = loop->agent->log;

    if (assignment->model_id == NULL) { /* asked by hand, and it came to nothing */
        return;
    }
    if (loop->update->withdrawn) {
        ox_log(log, OX_LOG_INFO, "%s@%s was withdrawn", assignment->model_id, assignment->version);
    } else if (loop->update->deferred) {
        ox_log(log, OX_LOG_INFO, "%s@%s is ready, and %s", assignment->model_id,
               assignment->version, loop->update_err.msg);
    } else if (loop->update_code == OX_ECANCELED) {
        ox_log(log, OX_LOG_INFO, "%s@%s goes on at the next start", assignment->model_id,
               assignment->version);
    } else if (ox_policy_is_interruption(loop->update_code)) {
        ox_log(log, OX_LOG_WARN, "%s@%s was interrupted and goes on later", assignment->model_id,
               assignment->version);
    }
}

/* Take in how the update ended. */
static void end_update(struct loop *loop)
{
    (void)pthread_join(loop->thread, NULL);
    log_end(loop);
    if (loop->update->by_hand) {
        end_by_hand(loop, loop->update_code, &loop->update_err);
    }
    if (loop->update_code == OX_OK) {
        loop->beat.since_whole = 0; /* other models run now */
        loop->update_failures = 0;
        loop->retry_mono_ms = 0;
        ox_held_remove(&loop->held, &loop->update->journal.assignment);
    } else if (loop->update->by_hand) { /* nothing that is tried again */
        loop->beat.since_whole = 0;
    } else if (loop->update->deferred && !loop->update->withdrawn) {
        ox_held_add(&loop->held, &loop->update->journal.assignment);
    } else {
        loop->update_failures++;
        loop->retry_mono_ms =
            now_mono_ms() +
            longer(ox_policy_backoff_ms(loop->beat.poll_ms, loop->update_failures, &loop->rng),
                   loop->update->rest_ms);
    }
    ox_update_free(loop->update);
    loop->update = NULL;
}

/* --- assignments --- */

/* Tell each campaign once that what failed thrice is skipped. */
static void report_skipped(struct loop *loop, const struct ox_assignment *assignment)
{
    struct ox_agent *agent = loop->agent;
    struct ox_device_report report = {
        .campaign_id = assignment->campaign_id,
        .model_id = assignment->model_id,
        .version = assignment->version,
        .state = OX_ROLLOUT_SKIPPED,
        .error_code = (char *)"poison",
        .error_message = (char *)"it failed three times on this device: publish a new version",
        .strategy = (char *)"none",
        .bytes_full = ox_manifest_size(&assignment->files),
    };
    const char *campaign = assignment->campaign_id == NULL ? "" : assignment->campaign_id;
    struct ox_err err = OX_ERR_INIT;
    struct ox_poison *poison;
    char *told = NULL;

    (void)pthread_mutex_lock(&agent->lock);
    poison = ox_state_poison(&agent->state, assignment);
    if (poison != NULL &&
        (poison->told_campaign == NULL || strcmp(poison->told_campaign, campaign) != 0) &&
        ox_strdup(&told, campaign, &err) == OX_OK &&
        ox_state_report(&agent->state, &report, &err) == OX_OK) {
        free(poison->told_campaign);
        poison->told_campaign = told;
        told = NULL;
        ox_agent_save_or_log(agent);
        ox_log(agent->log, OX_LOG_WARN, "%s@%s is skipped: it failed %d times",
               assignment->model_id, assignment->version, OX_POISON_LIMIT);
        ox_agent_wake(agent);
    }
    (void)pthread_mutex_unlock(&agent->lock);
    free(told);
}

static enum ox_decision decide(struct loop *loop, const struct ox_assignment *assignment)
{
    const struct ox_agent_state *state = &loop->agent->state; /* no update runs: nobody writes */
    const struct ox_model_state *model = ox_state_model(state, assignment->model_id);

    return ox_policy_decide(assignment, model == NULL ? NULL : model->current.version,
                            model == NULL ? NULL : &model->current.digest,
                            ox_state_failures(state, assignment));
}

/* Is it outside of the windows in which the assignment may begin? Said once per wait. */
static bool waits_for_window(struct loop *loop, const struct ox_assignment *assignment)
{
    int64_t wait_ms = ox_held_wait_ms(&loop->held, &loop->agent->tuning, assignment,
                                      ox_device_time_local_ms(&loop->beat.time, ox_clock_system()));

    if (wait_ms > 0 && !loop->waits_for_window && !ox_held_has(&loop->held, assignment)) {
        ox_log(loop->agent->log, OX_LOG_INFO, "%s@%s waits for its window: it opens in %lld min",
               assignment->model_id, assignment->version, (long long)((wait_ms + 59999) / 60000));
    }
    loop->waits_for_window = wait_ms > 0;
    return wait_ms > 0;
}

/* Begin the first update that is to be done; *assignment is emptied then. */
static bool consider(struct loop *loop, struct ox_assignment *assignment, bool first_gen)
{
    struct ox_journal journal = {0};

    switch (decide(loop, assignment)) {
    case OX_DECIDE_NOTHING:
        return false;
    case OX_DECIDE_SKIP:
        report_skipped(loop, assignment);
        return false;
    case OX_DECIDE_UPDATE:
        break;
    }
    if (waits_for_window(loop, assignment) ||
        (ox_held_has(&loop->held, assignment) &&
         ox_consumer_is_busy(&loop->agent->tuning, assignment->model_id))) {
        return false;
    }
    if (now_mono_ms() < loop->retry_mono_ms) {
        return true;
    }
    journal.attempt = new_attempt(loop);
    journal.first_gen = first_gen;
    journal.assignment = *assignment;
    *assignment = (struct ox_assignment){0};
    start_update(loop, &journal, NULL);
    ox_journal_clear(&journal);
    return true;
}

/* A server of the first generation names a version, and no more. */
static void consider_first_gen(struct loop *loop, const struct ox_heartbeat_answer *answer)
{
    struct ox_agent *agent = loop->agent;
    const struct ox_model_state *model;
    struct ox_assignment assignment = {0};
    struct ox_err err = OX_ERR_INIT;
    const struct ox_fetch fetch = {.http = loop->beat.http,
                                   .control_plane = agent->options->control_plane,
                                   .stop = agent->stop};
    const char *path = NULL;

    if (answer->assigned_model == NULL || answer->assigned_version == NULL) {
        return;
    }
    model = ox_state_model(&agent->state, answer->assigned_model);
    if ((model != NULL && strcmp(model->current.version, answer->assigned_version) == 0) ||
        now_mono_ms() < loop->retry_mono_ms) {
        return;
    }
    if (model != NULL && model->current.files.count == 1) {
        path = model->current.files.files[0].path;
    }
    if (ox_first_gen_assignment(&fetch, answer->assigned_model, answer->assigned_version, path,
                                &assignment, &err) == OX_OK) {
        (void)consider(loop, &assignment, true);
    } else {
        ox_log(agent->log, OX_LOG_WARN, "%s@%s: %s", answer->assigned_model,
               answer->assigned_version, err.msg);
    }
    ox_assignment_clear(&assignment);
}

static bool is_same(const struct ox_assignment *a, const struct ox_assignment *b)
{
    return strcmp(a->model_id, b->model_id) == 0 && strcmp(a->version, b->version) == 0 &&
           ox_digest_equal(&a->digest, &b->digest) && a->remove == b->remove;
}

/* Is what is under way still wanted? */
static bool is_wanted(const struct loop *loop, const struct ox_heartbeat_answer *answer)
{
    const struct ox_journal *journal = &loop->update->journal;

    if (loop->update->by_hand) {
        return true;
    }
    if (!answer->assignments_present) {
        return answer->assigned_model != NULL && answer->assigned_version != NULL &&
               strcmp(answer->assigned_model, journal->assignment.model_id) == 0 &&
               strcmp(answer->assigned_version, journal->assignment.version) == 0;
    }
    for (size_t i = 0; i < answer->assignments_count; i++) {
        if (is_same(&answer->assignments[i], &journal->assignment)) {
            return true;
        }
    }
    return false;
}

/* How often to come back: as the answer said or, where it said nothing, as we are set. */
static void set_interval(struct loop *loop)
{
    struct ox_tuning *tuning = ox_tuning_hold(&loop->agent->tuning);
    int64_t poll_ms =
        loop->told_poll_s == 0 ? tuning->is.poll_ms : (int64_t)loop->told_poll_s * 1000;

    loop->beat.metered = tuning->is.metered;
    if (poll_ms != loop->beat.poll_ms) {
        loop->beat.poll_ms = poll_ms;
        loop->beat.since_whole = 0; /* the server counts missed polls by what we say */
    }
    ox_tuning_drop(&loop->agent->tuning, tuning);
}

static void take_interval(struct loop *loop, uint64_t told_s)
{
    if (told_s == 0 || (told_s >= POLL_MIN_S && told_s <= POLL_MAX_S)) {
        loop->told_poll_s = told_s;
        set_interval(loop);
    }
}

static bool consider_all(struct loop *loop, struct ox_heartbeat_answer *answer, bool urgent)
{
    bool begun = false;

    for (size_t i = 0; !begun && i < answer->assignments_count; i++) {
        begun = answer->assignments[i].urgent == urgent &&
                consider(loop, &answer->assignments[i], false);
    }
    return begun;
}

static void take_answer(struct loop *loop, struct ox_heartbeat_answer *answer)
{
    take_interval(loop, answer->poll_interval_s);
    if (loop->update != NULL) {
        if (!is_wanted(loop, answer)) {
            ox_update_withdraw(loop->update);
        }
        return;
    }
    if (!answer->assignments_present) {
        consider_first_gen(loop, answer);
        return;
    }
    if (!consider_all(loop, answer, true)) { /* the urgent first */
        (void)consider_all(loop, answer, false);
    }
}

/* --- the loop --- */

/* One heartbeat; returns how long to wait for the next. */
static int64_t beat_once(struct loop *loop)
{
    struct ox_agent *agent = loop->agent;
    struct ox_heartbeat_answer answer = {0};
    struct ox_err err = OX_ERR_INIT;
    int64_t wait_ms;
    enum ox_code code = ox_beat_send(&loop->beat, agent, loop->update != NULL, &answer, &err);

    if (code == OX_OK) {
        if (loop->beat_failures > 0 || loop->last_problem[0] != '\0') {
            ox_log(agent->log, OX_LOG_INFO, "the control plane answers again");
        }
        loop->beat_failures = 0;
        loop->last_problem[0] = '\0';
        take_answer(loop, &answer);
        wait_ms = ox_policy_poll_ms(loop->beat.poll_ms, &loop->rng);
    } else {
        /* A device that is not registered yet bothers no one: it waits no longer than usual. */
        loop->beat_failures = code == OX_ENOTFOUND ? 1 : loop->beat_failures + 1;
        wait_ms =
            code == OX_ENOTFOUND
                ? ox_policy_poll_ms(loop->beat.poll_ms, &loop->rng)
                : longer(ox_policy_backoff_ms(loop->beat.poll_ms, loop->beat_failures, &loop->rng),
                         ox_policy_rest_ms(loop->beat.rest_s, &loop->rng));
        if (code != OX_ECANCELED) {
            ox_log(agent->log,
                   strcmp(loop->last_problem, err.msg) == 0 ? OX_LOG_DEBUG : OX_LOG_WARN,
                   "%s (next try in %lld s)", err.msg, (long long)((wait_ms + 999) / 1000));
        }
        memcpy(loop->last_problem, err.msg, sizeof(err.msg));
    }
    ox_status_beat(&agent->status, code == OX_OK ? NULL : err.msg, wait_ms);
    ox_heartbeat_answer_clear(&answer);
    return wait_ms;
}

/* Take in new settings, if there are any. Returns whether the interval is another. */
static bool retune(struct loop *loop)
{
    const struct ox_agent_options *options = loop->agent->options;
    int64_t poll_ms = loop->beat.poll_ms;
    struct ox_tuning *next = ox_tuning_new();

    if (next == NULL) {
        ox_log(loop->agent->log, OX_LOG_ERROR, "out of memory for the agent's settings");
        return false;
    }
    if (!options->retune(options->retune_ctx, &next->is)) {
        free(next);
        return false;
    }
    ox_tuning_put(&loop->agent->tuning, next);
    set_interval(loop);
    return loop->beat.poll_ms != poll_ms;
}

enum roused { ROUSED_BY_TIME, ROUSED_BY_NEWS, ROUSED_BY_INTERVAL };

/* Sleep until the deadline, stop, something to tell, or another interval. */
static enum roused sleep_until(struct loop *loop, int64_t deadline_mono_ms)
{
    struct ox_agent *agent = loop->agent;
    int retune_fd = agent->options->retune == NULL ? -1 : agent->options->retune_fd;
    uint64_t count = 0;

    while (!ox_stop_requested(agent->stop)) {
        int64_t fed_ms = loop->watchdog_ms / 2; /* no wait is longer, where somebody watches */
        struct pollfd waits[] = {{agent->wake_fd, POLLIN, 0},
                                 {agent->stop == NULL ? -1 : agent->stop->fd, POLLIN, 0},
                                 {retune_fd, POLLIN, 0}};
        int64_t left_ms = deadline_mono_ms - now_mono_ms();

        if (left_ms <= 0) {
            break;
        }
        if (fed_ms > 0) {
            ox_status_feed(&agent->status);
            left_ms = left_ms < fed_ms ? left_ms : fed_ms;
        }
        (void)poll(waits, 3, left_ms > INT_MAX ? INT_MAX : (int)left_ms);
        if (retune_fd >= 0 && waits[2].revents != 0 && read(retune_fd, &count, sizeof(count)) > 0 &&
            retune(loop)) {
            return ROUSED_BY_INTERVAL;
        }
        if (read(agent->wake_fd, &count, sizeof(count)) > 0) {
            return ROUSED_BY_NEWS;
        }
    }
    return ROUSED_BY_TIME;
}

/* Wait for the time of the next heartbeat, which news brings forward. */
static void wait_for_next(struct loop *loop, int64_t wait_ms)
{
    int64_t beat_mono_ms = now_mono_ms();
    int64_t deadline_mono_ms = beat_mono_ms + wait_ms;

    for (;;) {
        enum roused by = sleep_until(loop, deadline_mono_ms);

        if (by == ROUSED_BY_TIME) {
            return;
        }
        if (loop->update == NULL) {
            consider_by_hand(loop);
        }
        if (by == ROUSED_BY_INTERVAL) {
            wait_ms = ox_policy_poll_ms(loop->beat.poll_ms, &loop->rng);
            deadline_mono_ms = beat_mono_ms + wait_ms;
        } else if (loop->update != NULL && atomic_load(&loop->update_done)) {
            end_update(loop);
            consider_by_hand(loop);
            if (loop->beat_failures == 0) {
                return;
            }
        } else if (loop->beat_failures == 0 && beat_mono_ms + PROGRESS_GAP_MS < deadline_mono_ms) {
            deadline_mono_ms = beat_mono_ms + PROGRESS_GAP_MS;
        }
    }
}

static void shut_down(struct loop *loop)
{
    if (loop->update != NULL) {
        ox_stop_request(&loop->update->stop);
        end_update(loop);
    }
}

static enum ox_code run_loop(struct loop *loop, struct ox_err *err)
{
    struct ox_agent *agent = loop->agent;
    struct ox_control_socket *socket = NULL;
    struct ox_journal journal = {0};
    uint64_t seed = 0;
    bool pending = false;
    enum ox_code code;

    if ((code = ox_random_bytes(&seed, sizeof(seed), err)) != OX_OK ||
        (code = ox_http_new(&loop->beat.http, agent->options->agent, err)) != OX_OK) {
        return code;
    }
    ox_rng_init(&loop->rng, seed);
    loop->watchdog_ms = ox_notify_watchdog_ms();
    set_interval(loop);
    if ((code = ox_agent_recover(agent, &journal, &pending, err)) == OX_OK &&
        (code = ox_control_socket_open(&socket, agent, err)) == OX_OK) {
        ox_notify("READY=1\nSTATUS=Asking the control plane for the first time");
        ox_log(agent->log, OX_LOG_INFO, "%s, device %s, control plane %s, models in %s",
               agent->options->agent, agent->identity.device_id, agent->options->control_plane,
               agent->folders.root);
        if (pending) {
            ox_log(agent->log, OX_LOG_INFO, "%s@%s: going on from stage %s",
                   journal.assignment.model_id, journal.assignment.version, journal.stage);
            start_update(loop, &journal, NULL);
        }
        while (!ox_stop_requested(agent->stop)) {
            wait_for_next(loop, beat_once(loop));
        }
        ox_notify("STOPPING=1");
        shut_down(loop);
        ox_control_socket_close(socket);
        ox_log(agent->log, OX_LOG_INFO, "stopped");
    }
    ox_journal_clear(&journal);
    ox_held_clear(&loop->held);
    ox_beat_clear(&loop->beat);
    return code;
}

enum ox_code ox_agent_run(const struct ox_agent_options *options, struct ox_stop *stop,
                          const struct ox_log *log, struct ox_err *err)
{
    struct ox_agent agent;
    struct loop loop = {.agent = &agent, .beat = {.poll_ms = options->tuning.poll_ms}};
    enum ox_code code = ox_agent_open(&agent, options, stop, log, err);

    if (code != OX_OK) {
        return code;
    }
    code = run_loop(&loop, err);
    ox_agent_close(&agent);
    return code;
}
