#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* The mutable globals of the house: a signal handler is handed nothing but its number. */
static struct ox_stop *_Atomic stop_of_handler;
static atomic_int reload_fd_of_handler = -1;

static void handle(int number)
{
    struct ox_stop *stop = stop_of_handler;

    (void)number;
    if (stop != NULL) {
        ox_stop_request(stop);
    }
}

static void handle_reload(int number)
{
    const uint64_t one = 1;
    int fd = reload_fd_of_handler;
    int saved = errno;
    ssize_t put;

    (void)number;
    put = fd < 0 ? 0 : write(fd, &one, sizeof(one));
    (void)put; /* full means told already */
    errno = saved;
}

static void set(void (*handler)(int), int flags)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = handler;
    action.sa_flags = flags;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

void ox_signals_catch(struct ox_stop *stop)
{
    struct sigaction ignore;

    memset(&ignore, 0, sizeof(ignore));
    ignore.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &ignore, NULL);
    stop_of_handler = stop;
    set(handle, (int)SA_RESETHAND);
}

void ox_signals_release(void)
{
    set(SIG_DFL, 0);
    stop_of_handler = NULL;
}

void ox_signals_catch_reload(int fd)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = fd < 0 ? SIG_DFL : handle_reload;
    (void)sigemptyset(&action.sa_mask);
    reload_fd_of_handler = fd;
    (void)sigaction(SIGHUP, &action, NULL);
}
