/** Blobs by digest, from the best source that has them, going on where an earlier try broke off. */
#ifndef OX_AGENT_FETCH_H
#define OX_AGENT_FETCH_H

#include "oxide/base/log.h"
#include "oxide/base/random.h"
#include "oxide/net/http.h"
#include "oxide/wire/heartbeat.h"

/** Rounds over all sources without a byte of progress before we give up for now. */
#define OX_FETCH_ROUNDS_MAX 4

struct ox_fetch {
    struct ox_http *http;
    const char *control_plane;
    const char *device_id; /* said to the control plane alone */
    uint64_t rate_bps;
    int64_t retry_ms; /* base of the waits between rounds */
    struct ox_stop *stop;
    struct ox_rng *rng;
    const struct ox_log *log;
    const struct ox_progress *progress; /* bytes of the blob */
    uint64_t *received_bytes;           /* counts what came over the network, or lay there */
};

/**
 * Fetch a blob of size_bytes into the file at part_path, continuing what it holds, from each of the
 * assignment's blob_urls and then from the control plane. On success the file holds the whole blob,
 * its digest verified.
 * Errors: OX_ENET, OX_ETIMEOUT (after OX_FETCH_ROUNDS_MAX fruitless rounds; the part stays);
 * OX_ENOTFOUND, OX_EPROTO, OX_EDIGEST (no source has the right bytes); OX_ECANCELED; local ones.
 */
OX_MUST_USE enum ox_code ox_fetch_blob(const struct ox_fetch *fetch,
                                       const struct ox_assignment *assignment,
                                       const struct ox_digest *sha256, uint64_t size_bytes,
                                       const char *part_path, struct ox_err *err);

/** What an HTTP status that is no success means for us: OX_ENOTFOUND, OX_ENET (try again) or
 *  OX_EPROTO, with `who` and the server's own words in the message. */
enum ox_code ox_fetch_refusal(const struct ox_http_answer *answer, const char *who,
                              struct ox_err *err);

#endif
