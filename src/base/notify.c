#include "oxide/base/notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE_MAX 1024

/* The address of the manager's socket; '@' stands for the NUL of an abstract one. */
static bool find(struct sockaddr_un *out, socklen_t *out_len)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path == NULL ? 0 : strlen(path);

    if (len < 2 || len > sizeof(out->sun_path) || (path[0] != '/' && path[0] != '@')) {
        return false;
    }
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(out->sun_path, path, len);
    if (path[0] == '@') {
        out->sun_path[0] = '\0';
    }
    *out_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return true;
}

bool ox_notify_wanted(void)
{
    struct sockaddr_un address;
    socklen_t len = 0;

    return find(&address, &len);
}

void ox_notify(const char *fmt, ...)
{
    struct sockaddr_un address;
    socklen_t address_len = 0;
    char text[MESSAGE_MAX];
    va_list args;
    ssize_t put;
    int len;
    int fd;

    if (!find(&address, &address_len)) {
        return;
    }
    va_start(args, fmt);
    len = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    fd = len < 0 ? -1 : socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return;
    }
    put = sendto(fd, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1,
                 MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&address, address_len);
    (void)put; /* a manager that does not take it learns it with the next one */
    (void)close(fd);
}

int64_t ox_notify_watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    unsigned long long every_us = usec == NULL ? 0 : strtoull(usec, NULL, 10);

    if (every_us == 0 || every_us > (unsigned long long)INT64_MAX || !ox_notify_wanted() ||
        (pid != NULL && strtoll(pid, NULL, 10) != (long long)getpid())) {
        return 0;
    }
    return (int64_t)(every_us / 1000);
}
