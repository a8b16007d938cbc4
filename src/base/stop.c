#include "oxide/base/stop.h"

#include "oxide/base/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum ox_code ox_stop_init(struct ox_stop *stop, struct ox_err *err)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0) {
        return ox_err_sys(err, errno, "making an eventfd");
    }
    atomic_init(&stop->requested, false);
    stop->fd = fd;
    return OX_OK;
}

void ox_stop_clear(struct ox_stop *stop)
{
    (void)close(stop->fd);
    stop->fd = -1;
}

void ox_stop_request(struct ox_stop *stop)
{
    const uint64_t one = 1;
    int saved = errno;
    ssize_t put;

    atomic_store(&stop->requested, true);
    put = write(stop->fd, &one, sizeof(one));
    (void)put;
    errno = saved;
}

bool ox_stop_requested(const struct ox_stop *stop)
{
    return stop != NULL && atomic_load(&stop->requested);
}

bool ox_stop_wait(struct ox_stop *stop, int64_t timeout_ms)
{
    const struct ox_clock *clock = ox_clock_system();
    int64_t deadline_mono_ms = clock->mono_ms(NULL) + timeout_ms;

    while (!ox_stop_requested(stop)) {
        struct pollfd wait = {stop->fd, POLLIN, 0};
        int64_t left_ms = timeout_ms < 0 ? -1 : deadline_mono_ms - clock->mono_ms(NULL);

        if (timeout_ms >= 0 && left_ms <= 0) {
            break;
        }
        (void)poll(&wait, 1, left_ms > INT_MAX ? INT_MAX : (int)left_ms);
    }
    return ox_stop_requested(stop);
}
