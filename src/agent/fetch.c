#include "fetch.h"

#include "oxide/base/file.h"
#include "oxide/base/json.h"
#include "oxide/crypto/sha256.h"
#include "oxide/wire/header.h"
#include "policy.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_TEXT_MAX 128

/* The file that grows, and the hash of what it holds. */
struct part {
    int fd;
    const char *path;
    uint64_t size_bytes; /* when whole */
    uint64_t have_bytes;
    bool resumed; /* some of it was there before this call */
    struct ox_sha256 hash;
};

/* One request: what the callbacks of the HTTP client need. */
struct reception {
    const struct ox_fetch *fetch;
    struct part *part;
    const struct ox_http_answer *answer;
    uint64_t skip_bytes; /* a whole blob came where the rest was asked for */
};

/* --- the part --- */

static enum ox_code part_empty(struct part *part, struct ox_err *err)
{
    ox_sha256_clear(&part->hash);
    part->have_bytes = 0;
    part->resumed = false;
    if (ftruncate(part->fd, 0) != 0) {
        return ox_err_sys(err, errno, "emptying %s", part->path);
    }
    return ox_sha256_init(&part->hash, err);
}

/* Hash what an earlier try left. */
static enum ox_code part_resume(struct part *part, struct ox_stop *stop, struct ox_err *err)
{
    static const size_t block_bytes = 256 * 1024;
    struct stat st;
    uint8_t *block = NULL;
    enum ox_code code;

    if (fstat(part->fd, &st) != 0) {
        return ox_err_sys(err, errno, "looking at %s", part->path);
    }
    if (!S_ISREG(st.st_mode)) {
        return ox_err_set(err, OX_EPERM, "%s is not a regular file: remove it", part->path);
    }
    if ((uint64_t)st.st_size > part->size_bytes) {
        return part_empty(part, err);
    }
    if ((code = ox_sha256_init(&part->hash, err)) != OX_OK || st.st_size == 0) {
        return code;
    }
    block = malloc(block_bytes);
    if (block == NULL) {
        return ox_err_nomem(err, "a block");
    }
    while (code == OX_OK && part->have_bytes < (uint64_t)st.st_size) {
        uint64_t left = (uint64_t)st.st_size - part->have_bytes;
        size_t take = left < block_bytes ? (size_t)left : block_bytes;

        code = ox_stop_requested(stop)
                   ? ox_err_set(err, OX_ECANCELED, "stopped")
                   : ox_pread_full(part->fd, part->have_bytes, block, take, part->path, err);
        if (code == OX_OK) {
            ox_sha256_update(&part->hash, block, take);
            part->have_bytes += take;
        }
    }
    part->resumed = true;
    free(block);
    return code;
}

/* --- one request --- */

static enum ox_code check_range(struct reception *reception, struct ox_err *err)
{
    const struct part *part = reception->part;
    char wanted[HEADER_TEXT_MAX];
    char text[HEADER_TEXT_MAX] = "";

    (void)snprintf(wanted, sizeof(wanted), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                   part->have_bytes, part->size_bytes - 1, part->size_bytes);
    if (!ox_http_answer_header(reception->answer, "Content-Range", text, sizeof(text)) ||
        strcmp(text, wanted) != 0) {
        return ox_err_set(err, OX_EPROTO,
                          "asked for bytes from %" PRIu64 " of %" PRIu64
                          ", the answer is for \"%s\"",
                          part->have_bytes, part->size_bytes, text);
    }
    return OX_OK;
}

static enum ox_code on_head(void *ctx, struct ox_err *err)
{
    struct reception *reception = ctx;

    if (reception->answer->status == 206) {
        return check_range(reception, err);
    }
    if (reception->answer->status != 200) {
        return ox_err_set(err, OX_EPROTO, "a download was answered with status %ld",
                          reception->answer->status);
    }
    /* The whole blob, though we may have asked for the rest: what is here already stays, so that a
     * source without ranges does not throw us back when it breaks off again. */
    reception->skip_bytes = reception->part->have_bytes;
    return OX_OK;
}

static enum ox_code on_body(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    struct reception *reception = ctx;
    struct part *part = reception->part;
    const uint8_t *from = bytes;
    size_t skip = reception->skip_bytes < len_bytes ? (size_t)reception->skip_bytes : len_bytes;
    enum ox_code code;

    *reception->fetch->received_bytes += len_bytes;
    reception->skip_bytes -= skip;
    from += skip;
    len_bytes -= skip;
    if (len_bytes > part->size_bytes - part->have_bytes) {
        return ox_err_set(err, OX_EPROTO, "more than the %" PRIu64 " bytes that were announced",
                          part->size_bytes);
    }
    code = ox_pwrite_full(part->fd, part->have_bytes, from, len_bytes, part->path, err);
    if (code == OX_OK) {
        ox_sha256_update(&part->hash, from, len_bytes);
        part->have_bytes += len_bytes;
        ox_progress_update(reception->fetch->progress, part->have_bytes, part->size_bytes);
    }
    return code;
}

enum ox_code ox_fetch_refusal(const struct ox_http_answer *answer, const char *who,
                              struct ox_err *err)
{
    long status = answer->status;
    json_t *json = NULL;
    const char *said = NULL;
    enum ox_code code = OX_EPROTO;

    if (status == 404 || status == 410) {
        code = OX_ENOTFOUND;
    } else if (status == 408 || status == 429 || status >= 500) {
        code = OX_ENET;
    }
    if (answer->body.data != NULL &&
        ox_json_parse_object(answer->body.data, answer->body.len_bytes, &json, NULL) == OX_OK) {
        said = json_string_value(json_object_get(json_object_get(json, "error"), "message"));
    }
    (void)ox_err_set(err, code, "%s answers %ld%s%.200s", who, status, said == NULL ? "" : ": ",
                     said == NULL ? "" : said);
    json_decref(json);
    return code;
}

static enum ox_code fetch_from(const struct ox_fetch *fetch, struct part *part, const char *base,
                               const char *hex, bool is_control_plane, struct ox_err *err)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;
    struct reception reception = {fetch, part, &answer, 0};
    const char *headers[4] = {NULL};
    size_t count = 0;
    char range[HEADER_TEXT_MAX];
    char if_range[HEADER_TEXT_MAX];
    char *device = NULL;
    char *url = NULL;
    enum ox_code code = ox_strf(&url, err, "%s/%s", base, hex);

    if (code == OX_OK) {
        code = ox_strf(&device, err, "%s: %s", OX_HEADER_DEVICE, fetch->device_id);
    }
    if (code != OX_OK) {
        goto out;
    }
    if (part->have_bytes > 0) {
        (void)snprintf(range, sizeof(range), "Range: bytes=%" PRIu64 "-", part->have_bytes);
        headers[count++] = range;
    }
    if (is_control_plane) { /* its ETag is the digest; others have tags of their own */
        (void)snprintf(if_range, sizeof(if_range), "If-Range: \"%s\"", hex);
        if (part->have_bytes > 0) {
            headers[count++] = if_range;
        }
        headers[count++] = device;
    }
    code = ox_http_perform(fetch->http,
                           &(struct ox_http_request){.method = "GET",
                                                     .url = url,
                                                     .headers = headers,
                                                     .on_head = on_head,
                                                     .on_body = on_body,
                                                     .ctx = &reception,
                                                     .rate_bps = fetch->rate_bps,
                                                     .follow_redirects = true,
                                                     .stop = fetch->stop},
                           &answer, err);
    if (code == OX_OK && answer.status != 200 && answer.status != 206) {
        code = ox_fetch_refusal(&answer, is_control_plane ? "the control plane" : base, err);
    } else if (code == OX_OK && part->have_bytes < part->size_bytes) {
        code = ox_err_set(err, OX_ENET, "%s sent %" PRIu64 " of %" PRIu64 " bytes", base,
                          part->have_bytes, part->size_bytes);
    }
out:
    ox_http_answer_clear(&answer);
    free(device);
    free(url);
    return code;
}

/* --- all sources --- */

static bool is_whole(const struct part *part)
{
    return part->have_bytes == part->size_bytes;
}

/* The part is whole: right, or emptied. */
static enum ox_code check_whole(struct part *part, const struct ox_digest *sha256,
                                struct ox_err *err)
{
    struct ox_digest digest;
    enum ox_code code = ox_sha256_peek(&part->hash, &digest, err);

    if (code != OX_OK || ox_digest_equal(&digest, sha256)) {
        return code;
    }
    code = part_empty(part, err);
    return code != OX_OK
               ? code
               : ox_err_set(err, OX_EDIGEST, "the bytes that came are not those of the digest");
}

static bool speaks_against_source(enum ox_code code)
{
    return code == OX_ENOTFOUND || code == OX_EPROTO || code == OX_EDIGEST || code == OX_EINVAL ||
           code == OX_ETOOBIG;
}

/* Ask every source that is not given up once. Returns OX_OK when the part is whole and right. */
static enum ox_code one_round(const struct ox_fetch *fetch, const struct ox_assignment *assignment,
                              struct part *part, const struct ox_digest *sha256, const char *server,
                              bool *given_up, struct ox_err *err)
{
    char hex[OX_DIGEST_HEX_MAX];
    enum ox_code code = ox_err_set(err, OX_ENOTFOUND, "no source has it");

    ox_digest_hex(sha256, hex);
    for (size_t i = 0; i <= assignment->blob_urls_count; i++) {
        bool is_server = i == assignment->blob_urls_count;
        bool resumed = part->resumed;

        if (given_up[i]) {
            continue;
        }
        code = is_whole(part)
                   ? OX_OK
                   : fetch_from(fetch, part, is_server ? server : assignment->blob_urls[i], hex,
                                is_server, err);
        if (code == OX_OK && (code = check_whole(part, sha256, err)) == OX_EDIGEST && resumed) {
            i--; /* maybe the old part was damaged: the same source once more, from the start */
            continue;
        }
        if (code != OX_OK && speaks_against_source(code)) {
            given_up[i] = true;
        } else if (code == OX_OK || (code != OX_ENET && code != OX_ETIMEOUT)) {
            break;
        }
        ox_log(fetch->log, OX_LOG_DEBUG, "fetching %.12s: %s", hex, err->msg);
    }
    return code;
}

static bool all_given_up(const bool *given_up, size_t count)
{
    size_t i = 0;

    while (i < count && given_up[i]) {
        i++;
    }
    return i == count;
}

static enum ox_code fetch_rounds(const struct ox_fetch *fetch,
                                 const struct ox_assignment *assignment, struct part *part,
                                 const struct ox_digest *sha256, struct ox_err *err)
{
    bool given_up[OX_HEARTBEAT_URLS_MAX + 1] = {false};
    uint64_t fruitless = 0;
    char *server = NULL;
    enum ox_code code = ox_strf(&server, err, "%s/api/v1/blobs", fetch->control_plane);

    while (code == OX_OK) {
        uint64_t before = part->have_bytes;

        code = one_round(fetch, assignment, part, sha256, server, given_up, err);
        if (code == OX_OK || all_given_up(given_up, assignment->blob_urls_count + 1) ||
            (code != OX_ENET && code != OX_ETIMEOUT && !speaks_against_source(code))) {
            break;
        }
        fruitless = part->have_bytes > before ? 1 : fruitless + 1;
        if (fruitless >= OX_FETCH_ROUNDS_MAX) {
            break;
        }
        ox_log(fetch->log, OX_LOG_WARN, "download at %" PRIu64 " of %" PRIu64 " bytes: %s",
               part->have_bytes, part->size_bytes, err->msg);
        code =
            ox_stop_wait(fetch->stop, ox_policy_backoff_ms(fetch->retry_ms, fruitless, fetch->rng))
                ? ox_err_set(err, OX_ECANCELED, "stopped")
                : OX_OK;
    }
    free(server);
    return code;
}

enum ox_code ox_fetch_blob(const struct ox_fetch *fetch, const struct ox_assignment *assignment,
                           const struct ox_digest *sha256, uint64_t size_bytes,
                           const char *part_path, struct ox_err *err)
{
    struct ox_err scratch = OX_ERR_INIT;
    struct ox_err *why = err == NULL ? &scratch : err; /* we log it, whoever asked */
    struct part part = {.path = part_path, .size_bytes = size_bytes};
    enum ox_code code;

    part.fd = open(part_path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (part.fd < 0) {
        return ox_err_sys(why, errno, "opening %s", part_path);
    }
    code = part_resume(&part, fetch->stop, why);
    if (code == OX_OK) {
        *fetch->received_bytes += part.have_bytes;
        code = fetch_rounds(fetch, assignment, &part, sha256, why);
    }
    ox_sha256_clear(&part.hash);
    if (close(part.fd) != 0 && code == OX_OK) {
        code = ox_err_sys(why, errno, "closing %s", part_path);
    }
    return code;
}
