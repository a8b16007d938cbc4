/**
 * Contexts of the fast coder: what both sides know of a number before it is coded, as one of
 * STREAM_CONTEXTS_MAX. docs/oxdl.md, "The static coder", specifies the bytes.
 *
 * A way to find them is a row in the table of stream_contexts.c. To add one: a value here, a row
 * there, a line in the specification.
 */
#ifndef OXIDE_DELTA_STREAM_CONTEXTS_H
#define OXIDE_DELTA_STREAM_CONTEXTS_H

#include "stream_symbols.h"

#include "oxide/entropy/rans.h"

/** Values are pinned: they stand in patches. */
enum context_scheme {
    CONTEXT_SAME = 0,       /* no number differs from its prediction: nothing is coded */
    CONTEXT_ONE = 1,        /* all numbers have one */
    CONTEXT_GIVEN = 2,      /* the stream's own */
    CONTEXT_MAGNITUDE = 3,  /* by the prediction */
    CONTEXT_RUNS = 4,       /* by it, and a class of sizes that is sent per 1,024 numbers */
    CONTEXT_SHORT_RUNS = 5, /* per 256 numbers */
    CONTEXT_ROWS = 6,       /* per row of a tensor */
    CONTEXT_SCHEME_COUNT = 7,
};

#define CONTEXT_RUN_MIN 128  /* numbers of a run, but for the last */
#define CONTEXT_RUN_MAX 4096 /* no run is as long */
#define CONTEXT_ROW_MAX 2048 /* longer rows are cut */
#define CONTEXT_RUNS_MAX (STREAM_COUNT_MAX / CONTEXT_RUN_MIN + 1)

/** How contexts are found, and what is sent of it. Zero-initialise, set scheme and decoder. */
struct contexts {
    enum context_scheme scheme;
    uint8_t low;
    uint8_t lowest;
    /* of schemes with runs: where each ends, and how large updates in it are, in half octaves */
    size_t run_count;
    uint32_t run_end[CONTEXT_RUNS_MAX];
    uint8_t run_class[CONTEXT_RUNS_MAX];
    /* working memory */
    struct ox_rans_decoder *decoder; /* lent */
    struct ox_rans_counts counts;
    struct ox_rans_freqs freqs;
    uint8_t steps[CONTEXT_RUNS_MAX];
    uint8_t zeros[CONTEXT_RUNS_MAX];
};

/** Whether an encoder should try the scheme. */
bool contexts_suit(enum context_scheme scheme, const struct stream *stream,
                   enum symbol_meaning meaning);

/** Encoder: find the scheme's parameters for numbers split into these symbols. */
void contexts_fit(struct contexts *contexts, const struct stream *stream,
                  const struct symbols *symbols, const uint8_t *split);

/** Append the parameters. Errors: OX_ENOMEM. */
enum ox_code contexts_put(struct contexts *contexts, struct ox_buf *out, struct ox_err *err);

/** Read the parameters. Errors: OX_ECORRUPT. */
enum ox_code contexts_read(struct contexts *contexts, const struct stream *stream,
                           struct ox_reader *body, struct ox_err *err);

/** Set the contexts of the numbers [from, to). */
void contexts_set(const struct contexts *contexts, const struct stream *stream, size_t from,
                  size_t to, uint8_t *out);

#endif
