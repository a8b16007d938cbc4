/** Reading server-sent events, block by block (HTML Living Standard, section 9.2.6). */
#ifndef OXIDE_CLI_SSE_H
#define OXIDE_CLI_SSE_H

#include "oxide/base/buf.h"

/** A line may have so many bytes: an event of oxide has some KiB. */
#define OX_SSE_LINE_MAX ((size_t)1 << 20)

struct ox_sse {
    /** A block with data: `event` is "" if it has no type. What is lent lives for the call. */
    enum ox_code (*event)(void *ctx, const char *event, const char *data, struct ox_err *err);
    void *ctx;
    char last_id[32]; /* the last one that came, with a block or alone; "" if none did */

    struct ox_buf line;
    struct ox_buf data;
    char type[32];
    bool after_cr; /* a line feed that follows belongs to the line end before */
};

/** Take bytes as they come. Errors: OX_EPROTO for a line without end, or what `event` returned. */
OX_MUST_USE enum ox_code ox_sse_feed(struct ox_sse *sse, const void *bytes, size_t len_bytes,
                                     struct ox_err *err);
/** Forget a block that is not whole: the connection broke. last_id stays. */
void ox_sse_reset(struct ox_sse *sse);
void ox_sse_clear(struct ox_sse *sse);

#endif
