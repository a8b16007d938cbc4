#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oxide/base/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A service manager's socket at this name, '@' for an abstract one; -1 if there can be none. */
static int listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path, name, len);
    if (name[0] == '@') {
        address.sun_path[0] = '\0';
    }
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
    return fd;
}

static void assert_told(int fd, const char *text)
{
    char got[256] = "";
    ssize_t len = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);

    assert_int_equal(len, strlen(text));
    assert_string_equal(got, text);
}

static void notify__tells_the_socket_that_is_named(void **state)
{
    char dir[] = "/tmp/oxide-notify-XXXXXX";
    char name[64];
    int fd;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(name, sizeof(name), "%s/socket", dir);
    fd = listen_at(name);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    assert_true(ox_notify_wanted());
    ox_notify("STATUS=%s, %d %%", "m@v2", 45);
    assert_told(fd, "STATUS=m@v2, 45 %");
    (void)close(fd);
    ox_notify("READY=1"); /* to nobody */
    (void)unlink(name);
    (void)rmdir(dir);
}

static void notify__knows_abstract_sockets(void **state)
{
    char name[64];
    int fd;

    (void)state;
    (void)snprintf(name, sizeof(name), "@oxide-notify-%ld", (long)getpid());
    fd = listen_at(name);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    ox_notify("READY=1");
    assert_told(fd, "READY=1");
    (void)close(fd);
}

static void notify__is_silent_where_nobody_listens(void **state)
{
    static const char *const odd[] = {"", "x", "/", "relative/socket"};

    (void)state;
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    assert_false(ox_notify_wanted());
    ox_notify("READY=1");
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        assert_int_equal(setenv("NOTIFY_SOCKET", odd[i], 1), 0);
        assert_false(ox_notify_wanted());
        ox_notify("READY=1");
    }
}

static void watchdog__is_ours_and_in_milliseconds(void **state)
{
    char pid[32];

    (void)state;
    (void)snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    assert_int_equal(setenv("NOTIFY_SOCKET", "/run/nobody", 1), 0);
    assert_int_equal(unsetenv("WATCHDOG_PID"), 0);
    assert_int_equal(unsetenv("WATCHDOG_USEC"), 0);
    assert_int_equal(ox_notify_watchdog_ms(), 0);
    assert_int_equal(setenv("WATCHDOG_USEC", "900000000", 1), 0);
    assert_int_equal(ox_notify_watchdog_ms(), 900000);
    assert_int_equal(setenv("WATCHDOG_PID", pid, 1), 0);
    assert_int_equal(ox_notify_watchdog_ms(), 900000);
    assert_int_equal(setenv("WATCHDOG_PID", "1", 1), 0);
    assert_int_equal(ox_notify_watchdog_ms(), 0);
    assert_int_equal(unsetenv("WATCHDOG_PID"), 0);
    assert_int_equal(setenv("WATCHDOG_USEC", "soon", 1), 0);
    assert_int_equal(ox_notify_watchdog_ms(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notify__tells_the_socket_that_is_named),
        cmocka_unit_test(notify__knows_abstract_sockets),
        cmocka_unit_test(notify__is_silent_where_nobody_listens),
        cmocka_unit_test(watchdog__is_ours_and_in_milliseconds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
