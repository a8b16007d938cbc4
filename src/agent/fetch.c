#include "fetch.h"

#include "oxide/base/json.h"
#include "oxide/wire/header.h"
#include "policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_TEXT_MAX 128

/* One request: what the callbacks of the HTTP client need. */
struct reception {
    const struct ox_fetch *fetch;
    struct ox_intake *intake;
    const struct ox_http_answer *answer;
    uint64_t skip_bytes; /* a whole blob came where the rest was asked for */
};

/* --- one request --- */

static enum ox_code check_range(struct reception *reception, struct ox_err *err)
{
    const struct ox_intake *intake = reception->intake;
    char wanted[HEADER_TEXT_MAX];
    char text[HEADER_TEXT_MAX] = "";

    (void)snprintf(wanted, sizeof(wanted), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                   intake->have_bytes, intake->size_bytes - 1, intake->size_bytes);
    if (!ox_http_answer_header(reception->answer, "Content-Range", text, sizeof(text)) ||
        strcmp(text, wanted) != 0) {
        return ox_err_set(err, OX_EPROTO,
                          "asked for bytes from %" PRIu64 " of %" PRIu64
                          ", the answer is for \"%s\"",
                          intake->have_bytes, intake->size_bytes, text);
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
    reception->skip_bytes = reception->intake->have_bytes;
    return OX_OK;
}

static enum ox_code on_body(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    struct reception *reception = ctx;
    struct ox_intake *intake = reception->intake;
    const uint8_t *from = bytes;
    size_t skip = reception->skip_bytes < len_bytes ? (size_t)reception->skip_bytes : len_bytes;
    enum ox_code code;

    *reception->fetch->received_bytes += len_bytes;
    reception->skip_bytes -= skip;
    from += skip;
    len_bytes -= skip;
    if (len_bytes > intake->size_bytes - intake->have_bytes) {
        return ox_err_set(err, OX_EPROTO, "more than the %" PRIu64 " bytes that were announced",
                          intake->size_bytes);
    }
    code = intake->take(intake->ctx, from, len_bytes, err);
    if (code == OX_OK) {
        intake->have_bytes += len_bytes;
        ox_progress_update(reception->fetch->progress, intake->have_bytes, intake->size_bytes);
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

static enum ox_code fetch_from(const struct ox_fetch *fetch, struct ox_intake *intake,
                               const char *base, const char *hex, bool is_control_plane,
                               struct ox_err *err)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;
    struct reception reception = {fetch, intake, &answer, 0};
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
    if (intake->have_bytes > 0) {
        (void)snprintf(range, sizeof(range), "Range: bytes=%" PRIu64 "-", intake->have_bytes);
        headers[count++] = range;
    }
    if (is_control_plane) { /* its ETag is the digest; others have tags of their own */
        (void)snprintf(if_range, sizeof(if_range), "If-Range: \"%s\"", hex);
        if (intake->have_bytes > 0) {
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
                                                     .rate_now = fetch->rate_now,
                                                     .rate_ctx = fetch->rate_ctx,
                                                     .follow_redirects = true,
                                                     .stop = fetch->stop},
                           &answer, err);
    if (code == OX_OK && answer.status != 200 && answer.status != 206) {
        code = ox_fetch_refusal(&answer, is_control_plane ? "the control plane" : base, err);
    } else if (code == OX_OK && intake->have_bytes < intake->size_bytes) {
        code = ox_err_set(err, OX_ENET, "%s sent %" PRIu64 " of %" PRIu64 " bytes", base,
                          intake->have_bytes, intake->size_bytes);
    }
out:
    ox_http_answer_clear(&answer);
    free(device);
    free(url);
    return code;
}

/* --- all sources --- */

static bool is_whole(const struct ox_intake *intake)
{
    return intake->have_bytes == intake->size_bytes;
}

static bool is_wrong(enum ox_code code)
{
    return code == OX_EDIGEST || code == OX_ECORRUPT;
}

static bool speaks_against_source(enum ox_code code)
{
    return code == OX_ENOTFOUND || code == OX_EPROTO || is_wrong(code) || code == OX_EINVAL ||
           code == OX_ETOOBIG;
}

/* What was taken is wrong: back to where it is right. */
static enum ox_code start_again(struct ox_intake *intake, enum ox_code why, struct ox_err *err)
{
    enum ox_code code = intake->restart(intake->ctx, why, &intake->have_bytes, err);

    intake->resumed = false;
    return code;
}

/* Ask every source that is not given up once. Returns OX_OK when all is taken, and right. */
static enum ox_code one_round(const struct ox_fetch *fetch, const struct ox_assignment *assignment,
                              struct ox_intake *intake, const struct ox_digest *sha256,
                              const char *server, bool *given_up, struct ox_err *err)
{
    char hex[OX_DIGEST_HEX_MAX];
    enum ox_code code = ox_err_set(err, OX_ENOTFOUND, "no source has it");

    ox_digest_hex(sha256, hex);
    for (size_t i = 0; i <= assignment->blob_urls_count; i++) {
        bool is_server = i == assignment->blob_urls_count;
        bool resumed = intake->resumed;
        struct ox_err again = OX_ERR_INIT;

        if (given_up[i]) {
            continue;
        }
        code = is_whole(intake)
                   ? OX_OK
                   : fetch_from(fetch, intake, is_server ? server : assignment->blob_urls[i], hex,
                                is_server, err);
        if (code == OX_OK) {
            code = intake->finish(intake->ctx, err);
        }
        if (is_wrong(code) && start_again(intake, code, &again) != OX_OK) {
            *err = again;
            return again.code;
        }
        if (is_wrong(code) && resumed) {
            i--; /* maybe what lay there was damaged: the same source once more */
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
                                 const struct ox_assignment *assignment, struct ox_intake *intake,
                                 const struct ox_digest *sha256, struct ox_err *err)
{
    bool given_up[OX_HEARTBEAT_URLS_MAX + 1] = {false};
    uint64_t fruitless = 0;
    char *server = NULL;
    enum ox_code code = ox_strf(&server, err, "%s/api/v1/blobs", fetch->control_plane);

    while (code == OX_OK) {
        uint64_t before = intake->have_bytes;

        code = one_round(fetch, assignment, intake, sha256, server, given_up, err);
        if (code == OX_OK || all_given_up(given_up, assignment->blob_urls_count + 1) ||
            (code != OX_ENET && code != OX_ETIMEOUT && !speaks_against_source(code))) {
            break;
        }
        fruitless = intake->have_bytes > before ? 1 : fruitless + 1;
        if (fruitless >= OX_FETCH_ROUNDS_MAX) {
            break;
        }
        ox_log(fetch->log, OX_LOG_WARN, "download at %" PRIu64 " of %" PRIu64 " bytes: %s",
               intake->have_bytes, intake->size_bytes, err->msg);
        code =
            ox_stop_wait(fetch->stop, ox_policy_backoff_ms(fetch->retry_ms, fruitless, fetch->rng))
                ? ox_err_set(err, OX_ECANCELED, "stopped")
                : OX_OK;
    }
    free(server);
    return code;
}

enum ox_code ox_fetch_into(const struct ox_fetch *fetch, const struct ox_assignment *assignment,
                           const struct ox_digest *sha256, struct ox_intake *intake,
                           struct ox_err *err)
{
    struct ox_err scratch = OX_ERR_INIT;

    *fetch->received_bytes += intake->have_bytes;
    return fetch_rounds(fetch, assignment, intake, sha256,
                        err == NULL ? &scratch : err); /* we log it, whoever asked */
}
