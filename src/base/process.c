#define _GNU_SOURCE /* pipe2 */
#include "oxide/base/process.h"

#include "oxide/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* How often we look whether a command that closed its output has ended. */
#define REAP_POLL_MS 5

/* Our environment with spec->env in front: getenv and shells take the first of equal names. */
static char **build_env(const char *const *extra)
{
    size_t count = 0;
    size_t at = 0;
    char **env;

    for (size_t i = 0; extra != NULL && extra[i] != NULL; i++) {
        count++;
    }
    for (size_t i = 0; environ[i] != NULL; i++) {
        count++;
    }
    env = calloc(count + 1, sizeof(*env));
    if (env == NULL) {
        return NULL;
    }
    for (size_t i = 0; extra != NULL && extra[i] != NULL; i++) {
        env[at++] = (char *)extra[i];
    }
    for (size_t i = 0; environ[i] != NULL; i++) {
        bool replaced = false;

        for (size_t j = 0; extra != NULL && extra[j] != NULL && !replaced; j++) {
            size_t name_len = strcspn(extra[j], "=") + 1;

            replaced = strncmp(extra[j], environ[i], name_len) == 0;
        }
        if (!replaced) {
            env[at++] = environ[i];
        }
    }
    return env;
}

/* Between fork and exec: async-signal-safe calls only. */
static _Noreturn void become_command(const char *command, char **env, int output_fd)
{
    char *const argv[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};
    struct sigaction act;
    sigset_t none;
    int null_fd = open("/dev/null", O_RDONLY);

    (void)setpgid(0, 0);
    memset(&act, 0, sizeof(act));
    act.sa_handler = SIG_DFL;
    (void)sigaction(SIGPIPE, &act, NULL);
    (void)sigaction(SIGINT, &act, NULL);
    (void)sigaction(SIGTERM, &act, NULL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (null_fd >= 0) {
        (void)dup2(null_fd, STDIN_FILENO);
    }
    (void)dup2(output_fd, STDOUT_FILENO);
    (void)dup2(output_fd, STDERR_FILENO);
    (void)execve("/bin/sh", argv, env);
    _exit(127);
}

static void keep_tail(struct ox_process_result *result, const char *bytes, size_t len)
{
    size_t keep;

    if (len >= OX_PROCESS_OUTPUT_MAX) {
        memcpy(result->output, bytes + len - OX_PROCESS_OUTPUT_MAX, OX_PROCESS_OUTPUT_MAX);
        result->output_len = OX_PROCESS_OUTPUT_MAX;
        return;
    }
    keep = OX_PROCESS_OUTPUT_MAX - len;
    if (result->output_len > keep) {
        memmove(result->output, result->output + result->output_len - keep, keep);
        result->output_len = keep;
    }
    memcpy(result->output + result->output_len, bytes, len);
    result->output_len += len;
}

/* Collect output until the command has ended, is out of time, or is to stop. */
static void watch(const struct ox_process_spec *spec, pid_t pid, int output_fd, int64_t start_ms,
                  struct ox_process_result *result, int *status)
{
    const struct ox_clock *clock = ox_clock_system();
    bool open_output = true;

    for (;;) {
        struct pollfd waits[2] = {{open_output ? output_fd : -1, POLLIN, 0},
                                  {spec->stop == NULL ? -1 : spec->stop->fd, POLLIN, 0}};
        int64_t left_ms =
            spec->timeout_ms == 0 ? INT_MAX : start_ms + spec->timeout_ms - clock->mono_ms(NULL);
        char block[4096];
        pid_t ended;

        if (left_ms <= 0) {
            result->timed_out = true;
            return;
        }
        (void)poll(waits, 2, open_output && left_ms > 50 ? 50 : REAP_POLL_MS);
        if (ox_stop_requested(spec->stop)) {
            result->stopped = true;
            return;
        }
        if (open_output && waits[0].revents != 0) {
            ssize_t got = read(output_fd, block, sizeof(block));

            if (got > 0) {
                keep_tail(result, block, (size_t)got);
                continue; /* drain before asking whether it ended */
            }
            open_output = got < 0 && (errno == EINTR || errno == EAGAIN);
        }
        ended = waitpid(pid, status, WNOHANG);
        if (ended == pid) {
            return;
        }
    }
}

enum ox_code ox_process_run(const struct ox_process_spec *spec, struct ox_process_result *result,
                            struct ox_err *err)
{
    const struct ox_clock *clock = ox_clock_system();
    int64_t start_ms = clock->mono_ms(NULL);
    char **env = build_env(spec->env);
    int ends[2] = {-1, -1};
    int status = 0;
    pid_t pid;

    memset(result, 0, sizeof(*result));
    result->exit_code = -1;
    if (env == NULL) {
        return ox_err_nomem(err, "a command's environment");
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        free(env);
        return ox_err_sys(err, errno, "making a pipe");
    }
    pid = fork();
    if (pid == 0) {
        become_command(spec->command, env, ends[1]);
    }
    free(env);
    (void)close(ends[1]);
    if (pid < 0) {
        (void)close(ends[0]);
        return ox_err_sys(err, errno, "starting a command");
    }
    (void)setpgid(pid, pid); /* also in the child: whoever comes first */
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    watch(spec, pid, ends[0], start_ms, result, &status);
    (void)kill(-pid, SIGKILL); /* what it left behind, or the command itself */
    if (result->timed_out || result->stopped) {
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
    } else if (WIFEXITED(status)) {
        result->exit_code = WEXITSTATUS(status);
    }
    if (WIFSIGNALED(status)) {
        result->signal = WTERMSIG(status);
    }
    for (;;) { /* what was printed last */
        char block[4096];
        ssize_t got = read(ends[0], block, sizeof(block));

        if (got <= 0) {
            break;
        }
        keep_tail(result, block, (size_t)got);
    }
    (void)close(ends[0]);
    result->output[result->output_len] = '\0';
    result->took_ms = clock->mono_ms(NULL) - start_ms;
    return OX_OK;
}
