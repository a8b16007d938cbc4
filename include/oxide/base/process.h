/** Run a shell command of the operator's with a timeout, its output captured. */
#ifndef OXIDE_BASE_PROCESS_H
#define OXIDE_BASE_PROCESS_H

#include "oxide/base/err.h"
#include "oxide/base/stop.h"

#include <stdint.h>

/** Of what a command prints (stdout and stderr together), the last bytes are kept. */
#define OX_PROCESS_OUTPUT_MAX 4096

struct ox_process_spec {
    const char *command;    /* run as: sh -c COMMAND */
    const char *const *env; /* extra "NAME=value" lines, NULL-terminated; NULL for none */
    int64_t timeout_ms;     /* 0: none */
    struct ox_stop *stop;   /* ends the command too; may be NULL */
};

struct ox_process_result {
    int exit_code;  /* -1 unless it exited by itself */
    int signal;     /* 0 unless a signal ended it */
    bool timed_out; /* we ended it: time was up */
    bool stopped;   /* we ended it: stop was requested */
    int64_t took_ms;
    size_t output_len;
    char output[OX_PROCESS_OUTPUT_MAX + 1]; /* NUL-terminated; the tail of what was printed */
};

/**
 * Run to the end. The command leads a process group of its own, and all of the group is killed on
 * timeout, on stop and when the command ends, so nothing is left behind.
 * Errors: only where it could not be started; a failing command is OX_OK with its exit code.
 */
OX_MUST_USE enum ox_code ox_process_run(const struct ox_process_spec *spec,
                                        struct ox_process_result *result, struct ox_err *err);

#endif
