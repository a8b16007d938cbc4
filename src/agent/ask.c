#define _GNU_SOURCE /* O_PATH */
#include "oxide/agent/ask.h"

#include "folders.h"
#include "oxide/base/clock.h"
#include "oxide/base/file.h"
#include "socket_path.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX ((size_t)16 << 20)

/* --- the place --- */

/* By the folder's descriptor: an address has room for some hundred bytes, a path may have more. */
static enum ox_code address_of(const char *own, struct sockaddr_un *out, int *dir_fd,
                               struct ox_err *err)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    *dir_fd = open(own, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*dir_fd < 0) {
        return ox_err_sys(err, errno, "folder %s", own);
    }
    (void)snprintf(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d/%s", *dir_fd,
                   OX_SOCKET_NAME);
    return OX_OK;
}

enum ox_code ox_socket_listen(const char *own, int waiting_max, int *out_fd, struct ox_err *err)
{
    struct sockaddr_un address;
    mode_t mask;
    int dir_fd = -1;
    int fd = -1;
    enum ox_code code = address_of(own, &address, &dir_fd, err);

    if (code != OX_OK) {
        return code;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)unlinkat(dir_fd, OX_SOCKET_NAME, 0);
    mask = umask(0117); /* the agent's user and group */
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, waiting_max) != 0) {
        code = ox_err_sys(err, errno, "listening at %s/%s", own, OX_SOCKET_NAME);
    }
    (void)umask(mask);
    (void)close(dir_fd);
    if (code != OX_OK && fd >= 0) {
        (void)close(fd);
        fd = -1;
    }
    *out_fd = fd;
    return code;
}

enum ox_code ox_socket_connect(const char *own, int *out_fd, struct ox_err *err)
{
    struct sockaddr_un address;
    int dir_fd = -1;
    int fd;
    enum ox_code code = address_of(own, &address, &dir_fd, err);

    if (code != OX_OK) {
        return code;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        int why = errno;

        code = why == ECONNREFUSED || why == ENOENT
                   ? ox_err_set(err, OX_ENET, "no agent runs on this folder")
                   : ox_err_sys(err, why, "connecting to %s/%s", own, OX_SOCKET_NAME);
        if (fd >= 0) {
            (void)close(fd);
        }
    } else {
        *out_fd = fd;
    }
    (void)close(dir_fd);
    return code;
}

void ox_socket_remove(const char *own)
{
    char *path = NULL;

    if (ox_path_join(&path, own, OX_SOCKET_NAME, NULL) == OX_OK) {
        (void)unlink(path);
    }
    free(path);
}

/* --- asking --- */

static enum ox_code read_answer(int fd, int64_t timeout_ms, struct ox_buf *out, struct ox_err *err)
{
    const struct ox_clock *clock = ox_clock_system();
    int64_t until_mono_ms = clock->mono_ms(NULL) + timeout_ms;

    for (;;) {
        struct pollfd wait = {fd, POLLIN, 0};
        int64_t left_ms = until_mono_ms - clock->mono_ms(NULL);
        char bytes[16384];
        ssize_t got;
        enum ox_code code;

        if (left_ms <= 0 || (poll(&wait, 1, (int)left_ms) < 0 && errno != EINTR)) {
            return ox_err_set(err, OX_ETIMEOUT, "the agent does not answer");
        }
        if (wait.revents == 0) {
            continue;
        }
        got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (got == 0) {
            return OX_OK;
        }
        if (got < 0) {
            return ox_err_sys(err, errno, "reading the agent's answer");
        }
        if (out->len_bytes + (size_t)got > ANSWER_BYTES_MAX) {
            return ox_err_set(err, OX_EPROTO, "the agent's answer has no end");
        }
        if ((code = ox_buf_append(out, bytes, (size_t)got, err)) != OX_OK) {
            return code;
        }
    }
}

/* Does it refuse? Then its error is ours. */
static enum ox_code take_error(const json_t *answer, struct ox_err *err)
{
    const json_t *error = json_object_get(answer, "error");
    const char *message = json_string_value(json_object_get(error, "message"));
    const char *word = json_string_value(json_object_get(error, "code"));
    enum ox_code code = OX_EPROTO;

    if (error == NULL) {
        return OX_OK;
    }
    if (word == NULL || !ox_code_parse(word, &code)) {
        code = OX_EPROTO;
    }
    return ox_err_set(err, code, "%s", message == NULL ? "the agent refuses" : message);
}

static enum ox_code exchange(int fd, const json_t *request, int64_t timeout_ms, json_t **out,
                             struct ox_err *err)
{
    struct ox_buf text = OX_BUF_INIT;
    char *line = NULL;
    char *ended = NULL;
    enum ox_code code;

    if ((code = ox_json_text(request, &line, err)) == OX_OK &&
        (code = ox_strf(&ended, err, "%s\n", line)) == OX_OK &&
        send(fd, ended, strlen(ended), MSG_NOSIGNAL) != (ssize_t)strlen(ended)) {
        code = ox_err_sys(err, errno, "asking the agent");
    }
    if (code == OX_OK && (code = read_answer(fd, timeout_ms, &text, err)) == OX_OK &&
        (text.len_bytes == 0 ||
         ox_json_parse_object(text.data, text.len_bytes, out, NULL) != OX_OK)) {
        code = ox_err_set(err, OX_EPROTO, "the agent's answer is none");
    }
    if (code == OX_OK && (code = take_error(*out, err)) != OX_OK) {
        json_decref(*out);
        *out = NULL;
    }
    free(line);
    free(ended);
    ox_buf_clear(&text);
    return code;
}

enum ox_code ox_agent_ask(const char *model_dir, const json_t *request, int64_t timeout_ms,
                          json_t **out, struct ox_err *err)
{
    struct ox_folders folders = {0};
    int fd = -1;
    enum ox_code code = ox_folders_locate(&folders, model_dir, err);

    if (code == OX_OK && (code = ox_socket_connect(folders.own, &fd, err)) == OX_OK) {
        code = exchange(fd, request, timeout_ms, out, err);
        (void)close(fd);
    }
    ox_folders_clear(&folders);
    return code;
}
