#define _GNU_SOURCE /* F_OFD_GETLK */
#include "consumer.h"

#include "command.h"
#include "oxide/base/clock.h"
#include "oxide/base/file.h"
#include "oxide/base/percent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define COMMAND_MS 60000
#define BACK_MS 10000 /* of either after going back, which a stop does not end */
#define TELL_MS 60000 /* to tell a new version: loading it takes its time */
#define PROBE_MS 5000 /* of one question */
#define PROBE_GAP_MS 500
#define ANSWER_MAX ((size_t)1 << 20)
#define PID_TEXT_MAX ((size_t)64)

/* --- a busy one --- */

bool ox_consumer_is_busy(struct ox_tuning_place *place, const char *model_id)
{
    struct ox_tuning *tuning = ox_tuning_hold(place);
    const char *path = ox_tuning_model(tuning, model_id)->consumer.busy_lock;
    struct flock range = {.l_type = F_RDLCK, .l_whence = SEEK_SET}; /* all of it */
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool busy = false;

    if (fd >= 0) { /* by flock or by fcntl, as it likes */
        busy = (flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) ||
               (fcntl(fd, F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK);
        (void)close(fd);
    }
    ox_tuning_drop(place, tuning);
    return busy;
}

/* --- what it is told --- */

/* A text with {model} and {version} filled in; in a URL they are encoded. */
static enum ox_code fill_in(const char *text, const struct ox_seen_version *of, bool url,
                            struct ox_buf *out, struct ox_err *err)
{
    const struct {
        const char *name;
        const char *value;
    } rows[] = {{"{model}", of->model_id}, {"{version}", of->version == NULL ? "" : of->version}};
    enum ox_code code = OX_OK;

    while (code == OX_OK && *text != '\0') {
        size_t row = 0;

        while (row < 2 && strncmp(text, rows[row].name, strlen(rows[row].name)) != 0) {
            row++;
        }
        if (row == 2) {
            code = ox_buf_append(out, text++, 1, err);
            continue;
        }
        code = url ? ox_percent_encode(out, rows[row].value, err)
                   : ox_buf_append(out, rows[row].value, strlen(rows[row].value), err);
        text += strlen(rows[row].name);
    }
    return code == OX_OK ? ox_buf_append(out, "", 1, err) : code; /* its final NUL */
}

static enum ox_code run_command(struct ox_update *update, const char *what, const char *command,
                                const struct ox_seen_version *of, enum ox_code verdict, bool back,
                                struct ox_err *err)
{
    static const struct ox_manifest none = OX_MANIFEST_INIT;
    char *said = NULL;
    enum ox_code code;

    if (command == NULL) {
        return OX_OK;
    }
    ox_status_wait(&update->agent->status, 2 * COMMAND_MS);
    code =
        ox_command_run(&(struct ox_command_spec){.what = what,
                                                 .command = command,
                                                 .timeout_ms = back ? BACK_MS : COMMAND_MS,
                                                 .model_id = of->model_id,
                                                 .version = of->version == NULL ? "" : of->version,
                                                 .path = of->path == NULL ? "" : of->path,
                                                 .files = of->files == NULL ? &none : of->files,
                                                 .verdict = verdict,
                                                 .stop = back ? NULL : &update->stop},
                       &said, err);
    if (back) { /* what is reported is why it went back */
        free(said);
    } else {
        free(update->said);
        update->said = said;
    }
    return code;
}

static enum ox_code ask(struct ox_update *update, const char *method, const char *url,
                        const char *body, int64_t total_ms, const struct ox_seen_version *of,
                        bool back, struct ox_http_answer *answer, struct ox_err *err)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    struct ox_buf whole = OX_BUF_INIT;
    struct ox_buf said = OX_BUF_INIT;
    enum ox_code code = fill_in(url, of, true, &whole, err);

    if (code == OX_OK && body != NULL) {
        code = fill_in(body, of, false, &said, err);
    }
    if (code == OX_OK) {
        ox_status_wait(&update->agent->status, 2 * total_ms);
        code = ox_http_perform(
            update->http,
            &(struct ox_http_request){.method = method,
                                      .url = (const char *)whole.data,
                                      .headers = body == NULL ? NULL : headers,
                                      .body = body == NULL ? NULL : said.data,
                                      .body_len = body == NULL ? 0 : said.len_bytes - 1,
                                      .answer_max_bytes = ANSWER_MAX,
                                      .total_ms = total_ms,
                                      .stop = back ? NULL : &update->stop},
            answer, err);
    }
    ox_buf_clear(&whole);
    ox_buf_clear(&said);
    return code;
}

static enum ox_code notify(struct ox_update *update, const struct ox_consumer_options *options,
                           const struct ox_seen_version *now, bool back, struct ox_err *err)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;
    enum ox_code code;

    if (options->notify_url == NULL || now->version == NULL) {
        return OX_OK;
    }
    code = ask(update, "POST", options->notify_url, options->notify_body, back ? BACK_MS : TELL_MS,
               now, back, &answer, err);
    if (code == OX_OK && answer.status / 100 != 2) {
        code = ox_err_set(err, OX_EFAILED, "notify_url answers %ld: %.300s", answer.status,
                          answer.body.data == NULL ? "" : (const char *)answer.body.data);
    } else if (code != OX_OK && code != OX_ECANCELED) {
        char why[OX_ERR_MSG_MAX];

        memcpy(why, err->msg, sizeof(why));
        code = ox_err_set(err, OX_EFAILED, "notify_url: %.700s", why);
    }
    ox_http_answer_clear(&answer);
    return code;
}

static enum ox_code send_signal(const struct ox_consumer_options *options, struct ox_err *err)
{
    static const int signals[] = {SIGHUP, SIGUSR1, SIGUSR2,
                                  SIGTERM}; /* as the setting lists them */
    struct ox_buf text = OX_BUF_INIT;
    char *end = NULL;
    long pid = 0;
    enum ox_code code;

    if (options->pid_file == NULL) {
        return OX_OK;
    }
    code = ox_file_read_all(options->pid_file, PID_TEXT_MAX, &text, err);
    if (code == OX_ENOTFOUND) { /* it does not run: it reads the new version when it starts */
        ox_err_clear(err);
        ox_buf_clear(&text);
        return OX_OK;
    }
    if (code == OX_OK && (code = ox_buf_append(&text, "", 1, err)) == OX_OK) {
        pid = strtol((const char *)text.data, &end, 10);
        if (pid <= 1 || pid > INT32_MAX || strchr(" \t\r\n", *end) == NULL) {
            code = ox_err_set(err, OX_EFAILED, "%s holds no process id", options->pid_file);
        } else if (kill((pid_t)pid, signals[options->signal]) != 0 && errno != ESRCH) {
            code = ox_err_set(err, OX_EFAILED, "process %ld of %s: %s", pid, options->pid_file,
                              strerror(errno));
        }
    }
    ox_buf_clear(&text);
    return code == OX_OK ? OX_OK : OX_EFAILED;
}

enum ox_code ox_consumer_before(struct ox_update *update, const struct ox_seen_version *next,
                                struct ox_err *err)
{
    struct ox_tuning *tuning = ox_tuning_hold(&update->agent->tuning);
    const struct ox_consumer_options *options = &ox_tuning_model(tuning, next->model_id)->consumer;
    enum ox_code code = run_command(update, "pre_activate command", options->pre_activate, next,
                                    OX_ECONFLICT, false, err);

    ox_tuning_drop(&update->agent->tuning, tuning);
    return code;
}

enum ox_code ox_consumer_tell(struct ox_update *update, const struct ox_seen_version *now,
                              bool back, struct ox_err *err)
{
    struct ox_tuning *tuning = ox_tuning_hold(&update->agent->tuning);
    const struct ox_consumer_options *options = &ox_tuning_model(tuning, now->model_id)->consumer;
    struct ox_err later = OX_ERR_INIT;
    enum ox_code code = run_command(update, "post_activate command", options->post_activate, now,
                                    OX_EFAILED, back, err);
    enum ox_code next = notify(update, options, now, back, &later);

    if (code == OX_OK && next != OX_OK) {
        code = next;
        *err = later;
    }
    next = send_signal(options, &later);
    if (code == OX_OK && next != OX_OK) {
        code = next;
        *err = later;
    }
    ox_tuning_drop(&update->agent->tuning, tuning);
    return code;
}

/* --- whether it answers --- */

/* Ask once: what is wrong with the answer is OX_EFAILED. */
static enum ox_code probe_once(struct ox_update *update, const struct ox_consumer_options *options,
                               const struct ox_seen_version *now, struct ox_err *err)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;
    struct ox_buf expected = OX_BUF_INIT;
    enum ox_code code =
        ask(update, "GET", options->probe_url, NULL, PROBE_MS, now, false, &answer, err);

    if (code != OX_OK && code != OX_ECANCELED) {
        char why[OX_ERR_MSG_MAX];

        memcpy(why, err->msg, sizeof(why));
        code = ox_err_set(err, OX_EFAILED, "probe_url: %.700s", why);
    } else if (code == OX_OK && answer.status / 100 != 2) {
        code = ox_err_set(err, OX_EFAILED, "probe_url answers %ld", answer.status);
    } else if (code == OX_OK && options->probe_expect != NULL &&
               (code = fill_in(options->probe_expect, now, false, &expected, err)) == OX_OK &&
               (answer.body.data == NULL ||
                strstr((const char *)answer.body.data, (const char *)expected.data) == NULL)) {
        code = ox_err_set(err, OX_EFAILED, "probe_url answers without \"%.200s\": %.300s",
                          (const char *)expected.data,
                          answer.body.data == NULL ? "" : (const char *)answer.body.data);
    }
    ox_buf_clear(&expected);
    ox_http_answer_clear(&answer);
    return code;
}

enum ox_code ox_consumer_probe(struct ox_update *update, const struct ox_seen_version *now,
                               struct ox_err *err)
{
    const struct ox_clock *clock = ox_clock_system();
    struct ox_tuning *tuning = ox_tuning_hold(&update->agent->tuning);
    const struct ox_consumer_options *options = &ox_tuning_model(tuning, now->model_id)->consumer;
    int64_t until_mono_ms = clock->mono_ms(NULL) + options->probe_timeout_ms;
    enum ox_code code = OX_OK;

    if (options->probe_url != NULL) {
        for (;;) {
            code = probe_once(update, options, now, err);
            if (code != OX_EFAILED || clock->mono_ms(NULL) >= until_mono_ms) {
                break;
            }
            ox_err_clear(err);
            if (ox_stop_wait(&update->stop, PROBE_GAP_MS)) {
                code = ox_err_set(err, OX_ECANCELED, "stopped while the consumer was asked");
                break;
            }
        }
    }
    ox_tuning_drop(&update->agent->tuning, tuning);
    return code;
}
