#include "oxide/agent/by_hand.h"

#include "oxide/base/random.h"
#include "recover.h"
#include "update.h"

#include <poll.h>

/* An update in a thread of its own, as the daemon runs it: this one waits for its end, or for stop.
 */
struct runner {
    struct ox_update *update;
    struct ox_stop done;
    struct ox_err *err;
    enum ox_code code;
};

static void *run_thread(void *arg)
{
    struct runner *runner = arg;

    runner->code = runner->update->by_hand ? ox_update_run_by_hand(runner->update, runner->err)
                                           : ox_update_run(runner->update, runner->err);
    ox_stop_request(&runner->done);
    return NULL;
}

static void wait_for(struct runner *runner, struct ox_stop *stop)
{
    struct pollfd waits[] = {{runner->done.fd, POLLIN, 0},
                             {stop == NULL ? -1 : stop->fd, POLLIN, 0}};

    while (!ox_stop_requested(&runner->done)) {
        (void)poll(waits, 2, -1);
        if (waits[1].revents != 0) {
            ox_stop_request(&runner->update->stop);
            waits[1].fd = -1;
        }
    }
}

/* Run one update to its end. *take_journal is emptied, and so is *take_request, unless NULL. */
static enum ox_code run(struct ox_agent *agent, struct ox_journal *take_journal,
                        struct ox_local_request *take_request, struct ox_stop *stop,
                        struct ox_err *err)
{
    struct runner runner = {.err = err, .code = OX_OK};
    pthread_t thread;
    enum ox_code code = ox_update_new(&runner.update, agent, take_journal, err);

    if (code != OX_OK) {
        return code;
    }
    if (take_request != NULL) {
        runner.update->by_hand = true;
        runner.update->request = *take_request;
        *take_request = (struct ox_local_request){.path = NULL};
    }
    if ((code = ox_stop_init(&runner.done, err)) == OX_OK) {
        int problem = pthread_create(&thread, NULL, run_thread, &runner);

        if (problem == 0) {
            wait_for(&runner, stop);
            (void)pthread_join(thread, NULL);
            code = runner.code;
        } else {
            code = ox_err_sys(err, problem, "starting a thread");
        }
        ox_stop_clear(&runner.done);
    }
    ox_update_free(runner.update);
    return code;
}

static enum ox_code run_all(struct ox_agent *agent, struct ox_local_request *take_request,
                            struct ox_stop *stop, struct ox_err *err)
{
    struct ox_journal journal = {.attempt = 0};
    bool pending = false;
    enum ox_code code = ox_agent_recover(agent, &journal, &pending, err);

    if (code == OX_OK && pending) {
        code = run(agent, &journal, NULL, stop, err);
    }
    ox_journal_clear(&journal);
    if (code == OX_OK &&
        (code = ox_random_bytes(&journal.attempt, sizeof(journal.attempt), err)) == OX_OK) {
        journal.attempt = journal.attempt >> 1 | 1; /* JSON holds 63 bits */
        code = run(agent, &journal, take_request, stop, err);
    }
    ox_journal_clear(&journal);
    return code;
}

enum ox_code ox_agent_by_hand(const struct ox_agent_options *options,
                              const struct ox_by_hand_spec *spec, struct ox_stop *stop,
                              const struct ox_log *log, struct ox_err *err)
{
    struct ox_local_request request = {.path = NULL};
    struct ox_agent agent;
    enum ox_code code = ox_local_request_copy(&request, spec, err);

    if (code == OX_OK && (code = ox_agent_open(&agent, options, stop, log, err)) == OX_OK) {
        code = run_all(&agent, &request, stop, err);
        ox_agent_close(&agent);
    }
    ox_local_request_clear(&request);
    return code;
}
