#include "signals.h"

#include <signal.h>
#include <string.h>

/* The one mutable global of the house: a signal handler is handed nothing but its number. */
static struct ox_stop *_Atomic stop_of_handler;

static void handle(int number)
{
    struct ox_stop *stop = stop_of_handler;

    (void)number;
    if (stop != NULL) {
        ox_stop_request(stop);
    }
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
