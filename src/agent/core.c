#include "core.h"

#include "oxide/base/clock.h"
#include "oxide/base/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* --- the state --- */

static enum ox_code rebuild_state(struct ox_agent *agent, uint64_t first_seq, struct ox_err *err)
{
    enum ox_code code = ox_state_init(&agent->state, agent->identity.device_id, first_seq, err);

    if (code == OX_OK) {
        code = ox_strdup(&agent->state.release, agent->options->agent, err);
    }
    return code == OX_OK ? ox_agent_adopt(agent, err) : code;
}

static enum ox_code load_state(struct ox_agent *agent, struct ox_err *err)
{
    int64_t wall_ms = ox_clock_system()->wall_ms(NULL);
    enum ox_code code = ox_state_load(&agent->state, agent->folders.state, err);

    if (code == OX_ENOTFOUND) {
        code = rebuild_state(agent, 1, err);
    } else if (code == OX_ECORRUPT || code == OX_EUNSUPPORTED) {
        code = ox_set_aside(agent->folders.state, wall_ms, err->msg, agent->log, err);
        if (code == OX_OK) {
            /* Reports go on behind any number that was used: they come slower than one a second. */
            code = rebuild_state(agent, wall_ms > 1000 ? (uint64_t)(wall_ms / 1000) : 1, err);
        }
    } else {
        code = code == OX_OK ? ox_agent_take_over(agent, err) : code;
        if (code == OX_OK && strcmp(agent->state.device_id, agent->identity.device_id) != 0) {
            ox_log(agent->log, OX_LOG_WARN,
                   "this folder was used by device %s: its reports are dropped",
                   agent->state.device_id);
            code = ox_state_rename(&agent->state, agent->identity.device_id, err);
        } else {
            return code;
        }
    }
    /* On disk from the start, so that there is always a file to go back to. */
    return code == OX_OK ? ox_state_save(&agent->state, agent->folders.state, err) : code;
}

bool ox_agent_reload(struct ox_agent *agent)
{
    struct ox_agent_state on_disk = {0};
    bool read = ox_state_load(&on_disk, agent->folders.state, NULL) == OX_OK;

    if (read) {
        ox_state_clear(&agent->state);
        agent->state = on_disk;
    }
    return read;
}

enum ox_code ox_agent_save(struct ox_agent *agent, struct ox_err *err)
{
    enum ox_code code = ox_state_save(&agent->state, agent->folders.state, err);

    if (code != OX_OK) {
        (void)ox_agent_reload(agent);
    }
    return code;
}

enum ox_code ox_agent_save_end(struct ox_agent *agent, uint64_t attempt, struct ox_err *err)
{
    enum ox_code code;

    agent->state.last_attempt = attempt;
    code = ox_state_save(&agent->state, agent->folders.state, err);
    if (code != OX_OK && ox_agent_reload(agent) && agent->state.last_attempt == attempt) {
        ox_log(agent->log, OX_LOG_WARN, "%s: it is written all the same", err->msg);
        ox_err_clear(err);
        code = OX_OK;
    }
    return code;
}

void ox_agent_save_or_log(struct ox_agent *agent)
{
    struct ox_err err = OX_ERR_INIT;

    if (ox_state_save(&agent->state, agent->folders.state, &err) != OX_OK) {
        ox_log(agent->log, OX_LOG_ERROR, "%s", err.msg);
    }
}

size_t ox_agent_keep(struct ox_agent *agent, const char *model_id)
{
    struct ox_tuning *tuning = ox_tuning_hold(&agent->tuning);
    size_t keep = ox_tuning_model(tuning, model_id)->keep;

    ox_tuning_drop(&agent->tuning, tuning);
    return keep;
}

enum ox_model_layout ox_agent_layout(struct ox_agent *agent, const char *model_id)
{
    struct ox_tuning *tuning = ox_tuning_hold(&agent->tuning);
    enum ox_model_layout layout = ox_tuning_model(tuning, model_id)->layout;

    ox_tuning_drop(&agent->tuning, tuning);
    return layout;
}

enum ox_code ox_agent_access(struct ox_agent *agent, const char *model_id, struct ox_access *out,
                             struct ox_err *err)
{
    struct ox_tuning *tuning = ox_tuning_hold(&agent->tuning);
    enum ox_code code = ox_access_resolve(out, ox_tuning_model(tuning, model_id)->group, err);

    ox_tuning_drop(&agent->tuning, tuning);
    return code;
}

/* --- opening --- */

enum ox_code ox_agent_open(struct ox_agent *out, const struct ox_agent_options *options,
                           struct ox_stop *stop, const struct ox_log *log, struct ox_err *err)
{
    struct ox_err scratch = OX_ERR_INIT;
    enum ox_code code;

    err = err == NULL ? &scratch : err; /* we quote its message */
    *out = (struct ox_agent){
        .options = options, .log = log, .stop = stop, .lock_fd = -1, .wake_fd = -1};
    (void)pthread_mutex_init(&out->lock, NULL);
    ox_status_open(&out->status);
    if ((code = ox_tuning_open(&out->tuning, &options->tuning, err)) != OX_OK ||
        (code = ox_folders_open(&out->folders, options->model_dir, err)) != OX_OK ||
        (code = ox_lock_file(out->folders.lock, &out->lock_fd, err)) != OX_OK ||
        (code = ox_folders_drop_temporary(&out->folders, err)) != OX_OK) {
        ox_agent_close(out);
        return code;
    }
    out->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    code = out->wake_fd < 0 ? ox_err_sys(err, errno, "making an eventfd")
                            : ox_identity_open(&out->identity, out->folders.identity,
                                               options->device_id, log, err);
    if (code == OX_OK) {
        code = load_state(out, err);
    }
    if (code != OX_OK) {
        ox_agent_close(out);
    }
    return code;
}

void ox_agent_close(struct ox_agent *agent)
{
    if (agent->wake_fd >= 0) {
        (void)close(agent->wake_fd);
    }
    if (agent->lock_fd >= 0) {
        (void)close(agent->lock_fd);
    }
    ox_state_clear(&agent->state);
    ox_local_request_clear(&agent->hand.request);
    ox_folders_clear(&agent->folders);
    ox_tuning_close(&agent->tuning);
    ox_status_close(&agent->status);
    (void)pthread_mutex_destroy(&agent->lock);
}

void ox_agent_wake(const struct ox_agent *agent)
{
    const uint64_t one = 1;
    ssize_t put = write(agent->wake_fd, &one, sizeof(one));

    (void)put; /* full means roused already */
}

/* --- numbers for people --- */

const char *ox_number_text(uint64_t value, char out[OX_NUMBER_TEXT_MAX])
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, value);
    size_t at = 0;

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            out[at++] = ',';
        }
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

const char *ox_saved_text(uint64_t part, uint64_t whole, char out[OX_NUMBER_TEXT_MAX])
{
    uint64_t tenths = 0;

    if (part < whole) {
        tenths = (uint64_t)((double)(whole - part) / (double)whole * 1000.0);
    }
    (void)snprintf(out, OX_NUMBER_TEXT_MAX, "%" PRIu64 ".%" PRIu64 " %%", tenths / 10, tenths % 10);
    return out;
}
