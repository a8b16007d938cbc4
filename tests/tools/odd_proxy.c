/*
 * odd_proxy: stands before a control plane and distorts answers as told, as broken servers, caches
 * and networks do. `odd_proxy --help` tells how to use it. To add an oddity: a row in the table
 * of odd_proxy/oddities.c, with its function.
 */
#define _GNU_SOURCE /* accept4 */
#include "odd_proxy/oddities.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)64 << 20)
#define CONNECTIONS_MAX 64
#define RULES_MAX 4

/* The rules that hold, and how often each was met since they were written. */
static struct {
    pthread_mutex_t lock;
    char text[RULES_MAX * RULE_MAX];
    unsigned long met[RULES_MAX];
} rules = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char *upstream_port;
static const char *rule_path;
static atomic_int connections;

/* --- the rules --- */

/* Does this rule hold for the request that meets it? What stands behind its name goes into arg. */
static const struct oddity *meet(const char *line, unsigned long *met, const char *path,
                                 char arg[RULE_MAX])
{
    char part[256];
    char name[64];
    unsigned long from;
    unsigned long count;
    int used = 0;

    if (sscanf(line, "%255s %lu %lu %63[^ \n]%n", part, &from, &count, name, &used) < 4 ||
        strstr(path, part) == NULL) {
        return NULL;
    }
    ++*met;
    if (*met < from || *met - from >= count) {
        return NULL;
    }
    line += used;
    line += strspn(line, " ");
    (void)snprintf(arg, RULE_MAX, "%.*s", (int)strcspn(line, "\n"), line);
    return ox_oddity(name);
}

/* Which oddity does this request meet? */
static const struct oddity *choose(const char *path, char arg[RULE_MAX])
{
    char text[sizeof(rules.text)] = "";
    const struct oddity *found = NULL;
    const char *line = text;
    FILE *file = fopen(rule_path, "r");

    if (file != NULL) {
        text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
        (void)fclose(file);
    }
    (void)pthread_mutex_lock(&rules.lock);
    if (strcmp(rules.text, text) != 0) {
        memcpy(rules.text, text, sizeof(text));
        memset(rules.met, 0, sizeof(rules.met));
    }
    for (size_t i = 0; i < RULES_MAX && *line != '\0'; i++) {
        char own[RULE_MAX] = "";
        const struct oddity *oddity = meet(line, &rules.met[i], path, own);

        if (found == NULL && oddity != NULL) {
            found = oddity;
            memcpy(arg, own, RULE_MAX);
        }
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    (void)pthread_mutex_unlock(&rules.lock);
    return found == NULL ? ox_oddity("as-it-is") : found;
}

/* --- passing on --- */

static int dial(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(upstream_port)),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

/* The request's head for the control plane: on a connection of its own, perhaps without Range. */
static void rewrite(const struct exchange *x, bool whole, char *out, size_t cap)
{
    size_t used =
        (size_t)snprintf(out, cap, "%s %s HTTP/1.1\r\nConnection: close\r\n", x->method, x->path);

    for (const char *line = strstr(x->head, "\r\n") + 2; *line != '\r';) {
        const char *next = strstr(line, "\r\n") + 2;

        if (strncasecmp(line, "Connection:", 11) != 0 &&
            !(whole &&
              (strncasecmp(line, "Range:", 6) == 0 || strncasecmp(line, "If-Range:", 9) == 0))) {
            used += (size_t)snprintf(out + used, cap - used, "%.*s", (int)(next - line), line);
        }
        line = next;
    }
    (void)snprintf(out + used, cap - used, "\r\n");
}

/* Read the request; what came behind its head goes into *rest. */
static bool read_head(struct exchange *x, size_t *head_len, size_t *have)
{
    char *end = NULL;

    *have = 0;
    while (end == NULL && *have + 1 < sizeof(x->head)) {
        ssize_t got = recv(x->fd, x->head + *have, sizeof(x->head) - 1 - *have, 0);

        if (got <= 0) {
            return false;
        }
        *have += (size_t)got;
        x->head[*have] = '\0';
        end = strstr(x->head, "\r\n\r\n");
    }
    if (end == NULL || sscanf(x->head, "%15s %1023s", x->method, x->path) != 2) {
        return false;
    }
    *head_len = (size_t)(end + 4 - x->head);
    return true;
}

/* Ask the control plane. False: it is not there. */
static bool pass_on(struct exchange *x, bool whole, size_t head_len, size_t have)
{
    struct exchange up = {.fd = dial()};
    char head[HEAD_MAX + 64];
    char length_text[32];
    char block[16384];
    size_t body_len;
    size_t cap = 65536;
    char *end;

    if (up.fd < 0) {
        return false;
    }
    body_len =
        (size_t)strtoull(ox_head_value(x->head, "Content-Length", length_text, 32), NULL, 10);
    rewrite(x, whole, head, sizeof(head));
    (void)(ox_put(&up, head, strlen(head)) && ox_put(&up, x->head + head_len, have - head_len));
    for (size_t sent = have - head_len; sent < body_len && !up.closed;) {
        ssize_t got = recv(x->fd, block, sizeof(block), 0);

        if (got <= 0 || !ox_put(&up, block, (size_t)got)) {
            break;
        }
        sent += (size_t)got;
    }
    x->answer = malloc(cap + 1);
    while (x->answer != NULL && x->answer_len < ANSWER_MAX) {
        ssize_t got = recv(up.fd, x->answer + x->answer_len, cap - x->answer_len, 0);

        if (got <= 0) {
            break;
        }
        x->answer_len += (size_t)got;
        if (x->answer_len == cap) {
            char *larger = realloc(x->answer, cap * 2 + 1);

            if (larger == NULL) {
                break;
            }
            x->answer = larger;
            cap *= 2;
        }
    }
    (void)close(up.fd);
    if (x->answer == NULL) {
        return false;
    }
    x->answer[x->answer_len] = '\0';
    end = strstr(x->answer, "\r\n\r\n");
    if (end == NULL) {
        return false;
    }
    x->body = end + 4;
    x->body_len = x->answer_len - (size_t)(x->body - x->answer);
    return true;
}

/* METHOD PATH RANGE ODDITY BYTES MILLISECONDS, for the test to count */
static void log_exchange(const struct exchange *x, const struct oddity *oddity)
{
    struct timespec now;
    char range[128];

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)ox_head_value(x->head, "Range", range, sizeof(range));
    printf("%s %s %s %s %zu %lld\n", x->method, x->path, range[0] == '\0' ? "-" : range,
           oddity->name, x->sent, (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

static void *serve_one(void *ctx)
{
    struct exchange *x = ctx;
    const struct oddity *oddity;
    char arg[RULE_MAX] = "";
    size_t head_len = 0;
    size_t have = 0;

    if (read_head(x, &head_len, &have)) {
        oddity = choose(x->path, arg);
        x->arg = arg;
        if (pass_on(x, oddity->whole, head_len, have)) {
            oddity->say(x);
        }
        log_exchange(x, oddity);
    }
    (void)shutdown(x->fd, SHUT_WR);
    (void)close(x->fd);
    free(x->answer);
    free(x);
    atomic_fetch_sub(&connections, 1);
    return NULL;
}

static void begin(int fd)
{
    struct exchange *x = calloc(1, sizeof(*x));
    pthread_t thread;

    if (x == NULL || atomic_fetch_add(&connections, 1) >= CONNECTIONS_MAX) {
        free(x);
        (void)close(fd);
        return;
    }
    x->fd = fd;
    if (pthread_create(&thread, NULL, serve_one, x) != 0) {
        (void)close(fd);
        free(x);
        atomic_fetch_sub(&connections, 1);
        return;
    }
    (void)pthread_detach(thread);
}

static int help(void)
{
    puts(
        "odd_proxy: stands before a control plane on this machine and distorts its answers\n\n"
        "  odd_proxy PORT RULE   PORT is the control plane's; prints \"listening on URL\", and "
        "then\n"
        "                        METHOD PATH RANGE ODDITY BYTES MILLISECONDS for each request\n\n"
        "The file RULE is read at each request; up to 4 lines of PART FROM COUNT ODDITY [ARG]: of\n"
        "the requests whose path holds PART, COUNT of them from the one numbered FROM on.\n\n"
        "ODDITY");
    ox_oddities_help();
    return 0;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int fd;

    if (argc != 3) {
        return help();
    }
    upstream_port = argv[1];
    rule_path = argv[2];
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, 64) != 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        perror("odd_proxy: listening");
        return 1;
    }
    printf("listening on http://127.0.0.1:%d\n", ntohs(address.sin_port));
    for (;;) {
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

        if (client >= 0) {
            begin(client);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            perror("odd_proxy: accepting");
            return 1;
        }
    }
}
