/** Blobs by digest, from the best source that has them, going on where an earlier try broke off. */
#ifndef OX_AGENT_FETCH_H
#define OX_AGENT_FETCH_H

#include "oxide/base/log.h"
#include "oxide/base/random.h"
#include "oxide/net/http.h"
#include "oxide/wire/heartbeat.h"

/** Rounds over all sources without a byte of progress before we give up for now; and after so long
 *  no source is asked any more, so that what watches us sees no standstill (stages.c). */
#define OX_FETCH_ROUNDS_MAX 4
#define OX_FETCH_FRUITLESS_MS_MAX 300000
/** Answers of one source that make no sense before it is given up: what lies on the way may have
 *  made up the first one. */
#define OX_FETCH_STRIKES_MAX 2

struct ox_fetch {
    struct ox_http *http;
    const char *control_plane;
    const char *device_id;                /* said to the control plane alone */
    uint64_t (*rate_now)(void *rate_ctx); /* bytes per second, 0: no limit; NULL: none */
    void *rate_ctx;
    int64_t retry_ms; /* base of the waits between rounds */
    int64_t stall_s;  /* so long nothing may come; 0: as ox_http has it */
    struct ox_stop *stop;
    struct ox_rng *rng;
    const struct ox_log *log;
    const struct ox_progress *progress; /* bytes of the blob */
    uint64_t *received;                 /* [OX_ORIGINS]: counts the bytes that came, or lay there */
    int64_t
        *rest_ms; /* after OX_ENET: so long no source is to be asked (Retry-After); may be NULL */
};

/** What takes the bytes of a blob, in order. */
struct ox_intake {
    void *ctx;
    uint64_t size_bytes; /* of the whole blob */
    uint64_t have_bytes; /* taken so far, by an earlier run too; fetching keeps count */
    bool mixed;          /* they came by more than one answer, or an earlier run took some: if they
                          * are wrong, no source is to blame before it was asked for all of them */
    enum ox_code (*take)(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err);
    /* All are taken. Errors: OX_EDIGEST, OX_ECORRUPT if they are wrong. */
    enum ox_code (*finish)(void *ctx, struct ox_err *err);
    /* take or finish said OX_EDIGEST or OX_ECORRUPT (`why`): go back to where all is right, and
     * say in *have_bytes where that is. */
    enum ox_code (*restart)(void *ctx, enum ox_code why, uint64_t *have_bytes, struct ox_err *err);
};

/**
 * Fetch the blob with this digest from each of the assignment's blob_urls and then from the control
 * plane, going on behind what the intake has. A source whose bytes are wrong, or whose answers make
 * no sense, is given up; one that says Retry-After is left alone for that time, up to
 * OX_RETRY_AFTER_S_MAX. docs/agent.md, "Odd answers", lists what is made of each answer.
 * Errors: OX_ENET, OX_ETIMEOUT (after OX_FETCH_ROUNDS_MAX fruitless rounds); OX_ENOTFOUND,
 * OX_EPROTO, OX_EDIGEST, OX_ECORRUPT (no source has the right bytes); OX_ECANCELED; the intake's.
 */
OX_MUST_USE enum ox_code ox_fetch_into(const struct ox_fetch *fetch,
                                       const struct ox_assignment *assignment,
                                       const struct ox_digest *sha256, struct ox_intake *intake,
                                       struct ox_err *err);

/**
 * The same into the file at part_path, continuing what it holds. On success it holds the whole
 * blob, its digest verified; after a broken connection what came stays.
 */
OX_MUST_USE enum ox_code ox_fetch_blob(const struct ox_fetch *fetch,
                                       const struct ox_assignment *assignment,
                                       const struct ox_digest *sha256, uint64_t size_bytes,
                                       const char *part_path, struct ox_err *err);

/** What an HTTP status that is no success means for us: OX_ENOTFOUND (404, 410), OX_ENET (408, 429,
 *  5xx: try again) or OX_EPROTO, with `who` and the server's own words in the message. */
enum ox_code ox_fetch_refusal(const struct ox_http_answer *answer, const char *who,
                              struct ox_err *err);

#endif
