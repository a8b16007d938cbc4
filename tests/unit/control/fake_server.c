/* The HTTP server of the net module's tests serves these, too. */
#include "../net/fake_server.c" /* NOLINT: one copy of a test's helper */
