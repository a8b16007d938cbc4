#include "fetch.h"

#include "oxide/base/clock.h"
#include "oxide/base/json.h"
#include "oxide/wire/header.h"
#include "policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEADER_TEXT_MAX 128

/* Who may have a blob, and what it has made of our requests so far. */
struct source {
    const char *base; /* GET base/HEX */
    const char *name; /* for messages */
    bool is_control_plane;
    bool given_up;
    bool whole;       /* it is not asked for the rest alone any more: it gets that wrong */
    bool asked_alone; /* for all of the bytes, after those of several answers were wrong */
    int strikes;      /* answers that made no sense */
    int64_t rest_until_mono_ms;
};

/* All that is done for one blob. */
struct errand {
    const struct ox_fetch *fetch;
    struct ox_intake *intake;
    char hex[OX_DIGEST_HEX_MAX];
    struct source sources[OX_HEARTBEAT_URLS_MAX + 1];
    size_t count;
    int64_t moved_mono_ms; /* when bytes came last that we did not have */
};

/* One request: what the callbacks of the HTTP client need. */
struct reception {
    const struct errand *errand;
    const struct source *source;
    const struct ox_http_answer *answer;
    uint64_t skip_bytes; /* a whole blob came where the rest was asked for */
    bool wrong_part;     /* it is another part than was asked for */
};

static int64_t now_mono_ms(void)
{
    return ox_clock_system()->mono_ms(NULL);
}

/* --- one request --- */

/* The part that was asked for, of the bytes that were asked for? */
static enum ox_code check_part(const struct reception *reception, struct ox_err *err)
{
    const struct ox_intake *intake = reception->errand->intake;
    char wanted[HEADER_TEXT_MAX];
    char text[HEADER_TEXT_MAX] = "";
    const char *tag = text;

    (void)snprintf(wanted, sizeof(wanted), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                   intake->have_bytes, intake->size_bytes - 1, intake->size_bytes);
    if (!ox_http_answer_header(reception->answer, "Content-Range", text, sizeof(text)) ||
        strcmp(text, wanted) != 0) {
        return ox_err_set(err, OX_EPROTO,
                          "asked for bytes from %" PRIu64 " of %" PRIu64
                          ", the answer is for \"%s\"",
                          intake->have_bytes, intake->size_bytes, text);
    }
    (void)snprintf(wanted, sizeof(wanted), "\"%s\"", reception->errand->hex);
    if (reception->source->is_control_plane &&
        ox_http_answer_header(reception->answer, "ETag", text, sizeof(text))) {
        tag += strncmp(tag, "W/", 2) == 0 ? 2 : 0;
        if (strcmp(tag, wanted) != 0) {
            return ox_err_set(err, OX_EPROTO, "the answer is a part of other bytes, ETag %s", text);
        }
    }
    return OX_OK;
}

/* The bytes as they are, and as many? */
static enum ox_code check_whole(const struct reception *reception, struct ox_err *err)
{
    char wanted[HEADER_TEXT_MAX];
    char text[HEADER_TEXT_MAX] = "";

    (void)snprintf(wanted, sizeof(wanted), "%" PRIu64, reception->errand->intake->size_bytes);
    if (ox_http_answer_header(reception->answer, "Content-Length", text, sizeof(text)) &&
        strcmp(text, wanted) != 0) {
        return ox_err_set(err, OX_EPROTO, "asked for %s bytes, the answer has %s", wanted, text);
    }
    return OX_OK;
}

static enum ox_code on_head(void *ctx, struct ox_err *err)
{
    struct reception *reception = ctx;
    char text[HEADER_TEXT_MAX] = "";
    enum ox_code code;

    if (ox_http_answer_header(reception->answer, "Content-Encoding", text, sizeof(text)) &&
        strcasecmp(text, "identity") != 0) {
        return ox_err_set(err, OX_EPROTO, "the answer is coded as \"%s\", which nobody asked for",
                          text);
    }
    if (reception->answer->status == 206) {
        code = check_part(reception, err);
        reception->wrong_part = code != OX_OK;
        return code;
    }
    if (reception->answer->status != 200) {
        return ox_err_set(err, OX_EPROTO, "a download was answered with status %ld",
                          reception->answer->status);
    }
    /* The whole blob, though we may have asked for the rest: what is here already stays, so that a
     * source without ranges does not throw us back when it breaks off again. */
    reception->skip_bytes = reception->errand->intake->have_bytes;
    return check_whole(reception, err);
}

static enum ox_code on_body(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    struct reception *reception = ctx;
    const struct ox_fetch *fetch = reception->errand->fetch;
    struct ox_intake *intake = reception->errand->intake;
    const uint8_t *from = bytes;
    size_t skip = reception->skip_bytes < len_bytes ? (size_t)reception->skip_bytes : len_bytes;
    enum ox_code code;

    fetch->received[reception->source->is_control_plane ? OX_ORIGIN_CONTROL_PLANE
                                                        : OX_ORIGIN_MIRROR] += len_bytes;
    reception->skip_bytes -= skip;
    from += skip;
    len_bytes -= skip;
    if (len_bytes > intake->size_bytes - intake->have_bytes) {
        return ox_err_set(err, OX_EPROTO, "more than the %" PRIu64 " bytes that were announced",
                          intake->size_bytes);
    }
    code = intake->take(intake->ctx, from, len_bytes, err);
    if (code == OX_OK) { /* what only comes again moves on, too, for who looks for a standstill */
        intake->have_bytes += len_bytes;
        ox_progress_update(fetch->progress, intake->have_bytes - reception->skip_bytes,
                           intake->size_bytes);
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

/* Ask for what is not here yet, or for all of it. */
static enum ox_code request(const struct errand *errand, struct reception *reception,
                            struct ox_http_answer *answer, struct ox_err *err)
{
    const struct ox_fetch *fetch = errand->fetch;
    const struct source *source = reception->source;
    bool is_part = errand->intake->have_bytes > 0 && !source->whole;
    const char *headers[4] = {NULL};
    size_t count = 0;
    char range[HEADER_TEXT_MAX];
    char if_range[HEADER_TEXT_MAX];
    char *device = NULL;
    char *url = NULL;
    enum ox_code code;

    (void)snprintf(range, sizeof(range), "Range: bytes=%" PRIu64 "-", errand->intake->have_bytes);
    (void)snprintf(if_range, sizeof(if_range), "If-Range: \"%s\"", errand->hex);
    if ((code = ox_strf(&url, err, "%s/%s", source->base, errand->hex)) != OX_OK ||
        (code = ox_strf(&device, err, "%s: %s", OX_HEADER_DEVICE, fetch->device_id)) != OX_OK) {
        goto out;
    }
    if (is_part) {
        headers[count++] = range;
    }
    if (is_part && source->is_control_plane) { /* its ETag is the digest; others have their own */
        headers[count++] = if_range;
    }
    if (source->is_control_plane) {
        headers[count++] = device;
    }
    code = ox_http_perform(fetch->http,
                           &(struct ox_http_request){.method = "GET",
                                                     .url = url,
                                                     .headers = headers,
                                                     .on_head = on_head,
                                                     .on_body = on_body,
                                                     .ctx = reception,
                                                     .rate_now = fetch->rate_now,
                                                     .rate_ctx = fetch->rate_ctx,
                                                     .stall_s = fetch->stall_s,
                                                     .follow_redirects = true,
                                                     .stop = fetch->stop},
                           answer, err);
out:
    free(device);
    free(url);
    return code;
}

static bool is_2xx(long status)
{
    return status >= 200 && status < 300;
}

static enum ox_code fetch_from(struct errand *errand, struct source *source, bool *wrong_part,
                               struct ox_err *err)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;
    struct reception reception = {errand, source, &answer, 0, false};
    struct ox_intake *intake = errand->intake;
    uint64_t before = intake->have_bytes;
    enum ox_code code = request(errand, &reception, &answer, err);

    if ((code == OX_OK || code == OX_ETOOBIG) && answer.status != 0 && !is_2xx(answer.status)) {
        code = ox_fetch_refusal(&answer, source->name, err); /* however long its words are */
    } else if (code == OX_OK && intake->have_bytes < intake->size_bytes) {
        code = ox_err_set(err, OX_ENET, "%s sent %" PRIu64 " of %" PRIu64 " bytes", source->name,
                          intake->have_bytes, intake->size_bytes);
    } else if (code == OX_EPROTO) {
        ox_err_context(err, "%s", source->name);
    }
    if (code == OX_ENET && !is_2xx(answer.status)) {
        source->rest_until_mono_ms =
            now_mono_ms() + ox_policy_rest_ms(ox_http_retry_after_s(&answer), errand->fetch->rng);
    }
    *wrong_part = reception.wrong_part || answer.status == 416;
    if (intake->have_bytes > before) {
        intake->mixed = intake->mixed || before > 0;
        errand->moved_mono_ms = now_mono_ms();
    }
    ox_http_answer_clear(&answer);
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

static bool is_lost_network(enum ox_code code)
{
    return code == OX_ENET || code == OX_ETIMEOUT;
}

static bool speaks_against_source(enum ox_code code)
{
    return code == OX_ENOTFOUND || code == OX_EPROTO || is_wrong(code) || code == OX_EINVAL ||
           code == OX_ETOOBIG;
}

/* Have its last bytes or take them as they are, and see that all of them are right. */
static enum ox_code ask(struct errand *errand, struct source *source, bool *again,
                        struct ox_err *err)
{
    struct ox_intake *intake = errand->intake;
    bool wrong_part = false;
    bool mixed;
    enum ox_code code = is_whole(intake) ? OX_OK : fetch_from(errand, source, &wrong_part, err);

    if (code == OX_OK) {
        code = intake->finish(intake->ctx, err);
    }
    *again = false;
    if (wrong_part && !source->whole && intake->have_bytes > 0) {
        source->whole = *again = true;
        return code;
    }
    if (!is_wrong(code)) {
        source->strikes += code == OX_EPROTO;
        source->given_up = speaks_against_source(code) &&
                           (code != OX_EPROTO || source->strikes >= OX_FETCH_STRIKES_MAX);
        return code;
    }
    mixed = intake->mixed;
    intake->mixed = false;
    if (mixed && !source->asked_alone) {
        source->asked_alone = *again = true;
    } else {
        source->given_up = true;
    }
    return code;
}

/* Ask every source that is not given up, and does not want to be left alone, once. Returns OX_OK
 * when all is taken, and right. */
static enum ox_code one_round(struct errand *errand, struct ox_err *err)
{
    struct ox_intake *intake = errand->intake;
    enum ox_code code = ox_err_set(err, OX_ENET, "all sources want to be left alone for a while");

    for (size_t i = 0; i < errand->count; i++) {
        struct source *source = &errand->sources[i];
        struct ox_err worse = OX_ERR_INIT;
        bool again = false;

        if (source->given_up || source->rest_until_mono_ms > now_mono_ms()) {
            continue;
        }
        code = ask(errand, source, &again, err);
        if (is_wrong(code) &&
            intake->restart(intake->ctx, code, &intake->have_bytes, &worse) != OX_OK) {
            *err = worse;
            return worse.code;
        }
        if (code == OX_OK || (!is_lost_network(code) && !speaks_against_source(code))) {
            break;
        }
        ox_log(errand->fetch->log, again ? OX_LOG_WARN : OX_LOG_DEBUG, "fetching %.12s: %s%s",
               errand->hex, err->msg, again ? ": asking for all of it" : "");
        i -= again;
        if (now_mono_ms() - errand->moved_mono_ms > OX_FETCH_FRUITLESS_MS_MAX) {
            break;
        }
    }
    return code;
}

static bool all_given_up(const struct errand *errand)
{
    size_t i = 0;

    while (i < errand->count && errand->sources[i].given_up) {
        i++;
    }
    return i == errand->count;
}

/* How long until the first of those that are not given up may be asked. */
static int64_t rest_ms(const struct errand *errand)
{
    int64_t now = now_mono_ms();
    int64_t least_ms = INT64_MAX;

    for (size_t i = 0; i < errand->count; i++) {
        int64_t left_ms = errand->sources[i].rest_until_mono_ms - now;

        if (!errand->sources[i].given_up && left_ms < least_ms) {
            least_ms = left_ms;
        }
    }
    return least_ms == INT64_MAX || least_ms < 0 ? 0 : least_ms;
}

static enum ox_code fetch_rounds(struct errand *errand, struct ox_err *err)
{
    const struct ox_fetch *fetch = errand->fetch;
    const struct ox_intake *intake = errand->intake;
    uint64_t fruitless = 0;
    enum ox_code code = OX_OK;

    while (code == OX_OK) {
        uint64_t before = intake->have_bytes;
        int64_t wait_ms;
        int64_t asked_ms;

        code = one_round(errand, err);
        if (code == OX_OK || all_given_up(errand) ||
            (!is_lost_network(code) && !speaks_against_source(code))) {
            break;
        }
        fruitless = intake->have_bytes > before ? 1 : fruitless + 1;
        wait_ms = ox_policy_backoff_ms(fetch->retry_ms, fruitless, fetch->rng);
        asked_ms = rest_ms(errand);
        wait_ms = asked_ms > wait_ms ? asked_ms : wait_ms;
        if (fruitless >= OX_FETCH_ROUNDS_MAX ||
            now_mono_ms() + wait_ms - errand->moved_mono_ms > OX_FETCH_FRUITLESS_MS_MAX) {
            break;
        }
        ox_log(fetch->log, OX_LOG_WARN, "download at %" PRIu64 " of %" PRIu64 " bytes: %s",
               intake->have_bytes, intake->size_bytes, err->msg);
        code =
            ox_stop_wait(fetch->stop, wait_ms) ? ox_err_set(err, OX_ECANCELED, "stopped") : OX_OK;
    }
    return code;
}

/* Everyone who may have it: the assignment's addresses, and last the control plane. */
static enum ox_code list_sources(struct errand *errand, const struct ox_assignment *assignment,
                                 char **server, struct ox_err *err)
{
    enum ox_code code = ox_strf(server, err, "%s/api/v1/blobs", errand->fetch->control_plane);

    for (size_t i = 0; i < assignment->blob_urls_count; i++) {
        errand->sources[errand->count++] =
            (struct source){.base = assignment->blob_urls[i], .name = assignment->blob_urls[i]};
    }
    errand->sources[errand->count++] =
        (struct source){.base = *server, .name = "the control plane", .is_control_plane = true};
    return code;
}

enum ox_code ox_fetch_into(const struct ox_fetch *fetch, const struct ox_assignment *assignment,
                           const struct ox_digest *sha256, struct ox_intake *intake,
                           struct ox_err *err)
{
    struct errand errand = {.fetch = fetch, .intake = intake, .moved_mono_ms = now_mono_ms()};
    struct ox_err scratch = OX_ERR_INIT;
    char *server = NULL;
    enum ox_code code;

    err = err == NULL ? &scratch : err; /* we log it, whoever asked */
    ox_digest_hex(sha256, errand.hex);
    fetch->received[OX_ORIGIN_EARLIER] += intake->have_bytes;
    code = list_sources(&errand, assignment, &server, err);
    if (code == OX_OK) {
        code = fetch_rounds(&errand, err);
    }
    if (fetch->rest_ms != NULL) {
        *fetch->rest_ms = rest_ms(&errand);
    }
    free(server);
    return code;
}
