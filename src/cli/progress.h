/** A progress bar with rate and time left on a terminal; one line at the end elsewhere. */
#ifndef OXIDE_CLI_PROGRESS_H
#define OXIDE_CLI_PROGRESS_H

#include "oxide/base/clock.h"
#include "oxide/base/io.h"

#include <stdatomic.h>
#include <stdio.h>

/** Work that ends sooner than this draws no bar and prints no line. */
#define OX_BAR_QUIET_MS 500

/** Not to be moved once started: `progress` points into it. */
struct ox_bar {
    struct ox_progress progress; /* hand this to the work; any thread may call it */
    FILE *out;
    bool terminal;
    const char *label; /* lent: "hashing" */
    const struct ox_clock *clock;
    int64_t start_mono_ms;
    int64_t drawn_mono_ms;
    uint64_t first_done; /* what was done before the work began: it does not count for the rate */
    bool seen;
    bool drawn;
    atomic_flag drawing;
    atomic_uint_fast64_t done;
    atomic_uint_fast64_t total;
};

void ox_bar_start(struct ox_bar *bar, const char *label, FILE *out, bool terminal,
                  const struct ox_clock *clock);

/** Take the bar away, and print the line where there was none. To be called once. */
void ox_bar_end(struct ox_bar *bar, bool success);

/** Columns of a terminal; 80 where it does not say. */
unsigned ox_terminal_columns(FILE *out);

#endif
