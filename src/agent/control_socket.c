#define _GNU_SOURCE /* struct ucred, accept4 */
#include "control_socket.h"

#include "oxide/agent/ask.h"
#include "oxide/base/clock.h"
#include "oxide/base/file.h"
#include "socket_path.h"
#include "status.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define REQUEST_BYTES_MAX ((size_t)64 << 10)
#define PATIENCE_MS 2000 /* with an asker that does not say or read what it should */
#define WAITING_MAX 8

struct ox_control_socket {
    struct ox_agent *agent;
    struct ox_stop stop;
    pthread_t thread;
    int fd;
};

/* --- requests --- */

static enum ox_code tell_status(struct ox_agent *agent, const json_t *request, json_t **out,
                                struct ox_err *err)
{
    (void)request;
    return ox_status_json(agent, out, err);
}

static json_t *number_answer(uint64_t number)
{
    return json_pack("{s:I}", "number", (json_int_t)number);
}

/* Leave it to the beating thread. */
static enum ox_code ask_by_hand(struct ox_agent *agent, const struct ox_by_hand_spec *spec,
                                json_t **out, struct ox_err *err)
{
    struct ox_local_request request = {.path = NULL};
    struct ox_hand *hand = &agent->hand;
    enum ox_code code = ox_local_request_copy(&request, spec, err);

    (void)pthread_mutex_lock(&agent->lock);
    if (code == OX_OK && (hand->phase == OX_HAND_WAITING || hand->phase == OX_HAND_RUNNING)) {
        code = ox_err_set(err, OX_EBUSY,
                          "another request by hand is under way: 'oxide agent status' shows it");
    }
    if (code == OX_OK) {
        hand->request = request;
        request = (struct ox_local_request){.path = NULL};
        hand->phase = OX_HAND_WAITING;
        hand->number++;
        hand->error[0] = '\0';
        *out = number_answer(hand->number);
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    (void)pthread_mutex_unlock(&agent->lock);
    ox_local_request_clear(&request);
    if (code == OX_OK) {
        ox_agent_wake(agent);
    }
    return code;
}

static enum ox_code take_by_hand(struct ox_agent *agent, const json_t *request,
                                 enum ox_by_hand kind, json_t **out, struct ox_err *err)
{
    struct ox_by_hand_spec spec = {.kind = kind};
    enum ox_code code;

    if ((code = ox_json_opt_str(request, "model_id", &spec.model_id, err)) != OX_OK ||
        (code = ox_json_opt_str(request, "version", &spec.version, err)) != OX_OK ||
        (code = ox_json_opt_str(request, "path", &spec.path, err)) != OX_OK) {
        return code;
    }
    return ask_by_hand(agent, &spec, out, err);
}

static enum ox_code roll_back(struct ox_agent *agent, const json_t *request, json_t **out,
                              struct ox_err *err)
{
    return take_by_hand(agent, request, OX_BY_HAND_ROLLBACK, out, err);
}

static enum ox_code apply(struct ox_agent *agent, const json_t *request, json_t **out,
                          struct ox_err *err)
{
    return take_by_hand(agent, request, OX_BY_HAND_APPLY, out, err);
}

static enum ox_code adopt(struct ox_agent *agent, const json_t *request, json_t **out,
                          struct ox_err *err)
{
    return take_by_hand(agent, request, OX_BY_HAND_ADOPT, out, err);
}

static enum ox_code free_quarantined(struct ox_agent *agent, const json_t *request, json_t **out,
                                     struct ox_err *err)
{
    const char *model_id = NULL;
    const char *version = NULL;
    size_t count = 0;
    enum ox_code code;

    if ((code = ox_json_get_str(request, "model_id", &model_id, err)) != OX_OK ||
        (code = ox_json_opt_str(request, "version", &version, err)) != OX_OK ||
        (code = ox_local_free(agent, model_id, version, &count, err)) != OX_OK) {
        return code;
    }
    *out = json_pack("{s:I}", "freed", (json_int_t)count);
    return *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
}

/* To add a request: a row, its words in docs/agent.md. */
static const struct {
    const char *word;
    bool acts; /* changes something: for the agent's own user and root */
    enum ox_code (*answer)(struct ox_agent *agent, const json_t *request, json_t **out,
                           struct ox_err *err);
} requests[] = {
    {"status", false, tell_status}, {"rollback", true, roll_back},    {"apply", true, apply},
    {"adopt", true, adopt},         {"free", true, free_quarantined},
};
#define REQUESTS (sizeof(requests) / sizeof(requests[0]))

static enum ox_code answer(struct ox_agent *agent, const json_t *request, bool may_act,
                           json_t **out, struct ox_err *err)
{
    const char *word = NULL;
    size_t i = 0;
    enum ox_code code = ox_json_get_str(request, "request", &word, err);

    if (code != OX_OK) {
        return code;
    }
    while (i < REQUESTS && strcmp(requests[i].word, word) != 0) {
        i++;
    }
    if (i == REQUESTS) {
        return ox_err_set(err, OX_EUNSUPPORTED, "this agent knows no request \"%.64s\"", word);
    }
    if (requests[i].acts && !may_act) {
        return ox_err_set(err, OX_EPERM, "only the agent's own user and root may ask for \"%s\"",
                          word);
    }
    return requests[i].answer(agent, request, out, err);
}

enum ox_code ox_control_socket_answer(struct ox_agent *agent, const void *text, size_t len_bytes,
                                      bool may_act, json_t **out, struct ox_err *err)
{
    struct ox_err refusal = OX_ERR_INIT;
    json_t *request = NULL;
    enum ox_code code = ox_json_parse_object(text, len_bytes, &request, &refusal);

    *out = NULL;
    if (code == OX_OK) {
        code = answer(agent, request, may_act, out, &refusal);
    }
    json_decref(request);
    if (code != OX_OK) {
        *out = json_pack("{s:{s:s, s:s}}", "error", "code", ox_code_word(code), "message",
                         refusal.msg);
    }
    return *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
}

/* --- one asker --- */

static bool may_act(int fd)
{
    struct ucred from = {0};
    socklen_t len = sizeof(from);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &from, &len) == 0 &&
           (from.uid == 0 || from.uid == geteuid());
}

/* Wait until the socket can be read or written; false: it took too long, or we stop. */
static bool wait_for(const struct ox_control_socket *socket, int fd, short events,
                     int64_t until_mono_ms)
{
    struct pollfd waits[] = {{fd, events, 0}, {socket->stop.fd, POLLIN, 0}};
    int64_t left_ms = until_mono_ms - ox_clock_system()->mono_ms(NULL);

    return left_ms > 0 && poll(waits, 2, (int)left_ms) > 0 && waits[1].revents == 0;
}

static enum ox_code read_line(const struct ox_control_socket *socket, int fd, struct ox_buf *out,
                              struct ox_err *err)
{
    int64_t until_mono_ms = ox_clock_system()->mono_ms(NULL) + PATIENCE_MS;
    enum ox_code code = OX_OK;

    while (code == OX_OK) {
        char bytes[4096];
        ssize_t got;

        if (!wait_for(socket, fd, POLLIN, until_mono_ms)) {
            return ox_err_set(err, OX_ETIMEOUT, "the request did not come");
        }
        got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (got <= 0) {
            return got == 0 ? OX_OK : ox_err_sys(err, errno, "reading a request");
        }
        if (out->len_bytes + (size_t)got > REQUEST_BYTES_MAX) {
            return ox_err_set(err, OX_ETOOBIG, "a request has at most %zu bytes",
                              REQUEST_BYTES_MAX);
        }
        code = ox_buf_append(out, bytes, (size_t)got, err);
        if (memchr(bytes, '\n', (size_t)got) != NULL) {
            break;
        }
    }
    return code;
}

static void write_all(const struct ox_control_socket *socket, int fd, const char *text, size_t len)
{
    int64_t until_mono_ms = ox_clock_system()->mono_ms(NULL) + PATIENCE_MS;

    while (len > 0 && wait_for(socket, fd, POLLOUT, until_mono_ms)) {
        ssize_t put = send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (put <= 0) {
            return;
        }
        text += put;
        len -= (size_t)put;
    }
}

static void serve(const struct ox_control_socket *socket, int fd)
{
    struct ox_buf line = OX_BUF_INIT;
    struct ox_err err = OX_ERR_INIT;
    json_t *json = NULL;
    char *text = NULL;
    char *ended = NULL;

    if (read_line(socket, fd, &line, &err) == OX_OK && line.len_bytes > 0 &&
        ox_control_socket_answer(socket->agent, line.data, line.len_bytes, may_act(fd), &json,
                                 &err) == OX_OK &&
        ox_json_text(json, &text, &err) == OX_OK && ox_strf(&ended, &err, "%s\n", text) == OX_OK) {
        write_all(socket, fd, ended, strlen(ended));
    }
    if (err.code != OX_OK) {
        ox_log(socket->agent->log, OX_LOG_DEBUG, "the control socket: %s", err.msg);
    }
    json_decref(json);
    free(text);
    free(ended);
    ox_buf_clear(&line);
}

static void *run(void *arg)
{
    struct ox_control_socket *socket = arg;

    while (!ox_stop_requested(&socket->stop)) {
        struct pollfd waits[] = {{socket->fd, POLLIN, 0}, {socket->stop.fd, POLLIN, 0}};
        int fd;

        (void)poll(waits, 2, -1);
        if (waits[0].revents == 0 || (fd = accept4(socket->fd, NULL, NULL, SOCK_CLOEXEC)) < 0) {
            continue;
        }
        serve(socket, fd);
        (void)close(fd);
    }
    return NULL;
}

/* --- beginning and end --- */

static enum ox_code start_thread(struct ox_control_socket *socket, struct ox_err *err)
{
    sigset_t all;
    sigset_t old;
    int problem;

    (void)sigfillset(&all); /* signals belong to the main thread */
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    problem = pthread_create(&socket->thread, NULL, run, socket);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return problem == 0 ? OX_OK : ox_err_sys(err, problem, "starting a thread");
}

enum ox_code ox_control_socket_open(struct ox_control_socket **out, struct ox_agent *agent,
                                    struct ox_err *err)
{
    struct ox_control_socket *socket = calloc(1, sizeof(*socket));
    enum ox_code code;

    if (socket == NULL) {
        return ox_err_nomem(err, "the control socket");
    }
    socket->agent = agent;
    socket->fd = -1;
    if ((code = ox_stop_init(&socket->stop, err)) != OX_OK) {
        free(socket);
        return code;
    }
    if ((code = ox_socket_listen(agent->folders.own, WAITING_MAX, &socket->fd, err)) == OX_OK) {
        code = start_thread(socket, err);
    }
    if (code != OX_OK) {
        if (socket->fd >= 0) {
            (void)close(socket->fd);
        }
        ox_stop_clear(&socket->stop);
        free(socket);
        return code;
    }
    *out = socket;
    return OX_OK;
}

void ox_control_socket_close(struct ox_control_socket *socket)
{
    if (socket == NULL) {
        return;
    }
    ox_stop_request(&socket->stop);
    (void)pthread_join(socket->thread, NULL);
    (void)close(socket->fd);
    ox_socket_remove(socket->agent->folders.own);
    ox_stop_clear(&socket->stop);
    free(socket);
}
