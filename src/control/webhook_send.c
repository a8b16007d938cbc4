#include "webhooks.h"

#include "oxide/base/text.h"
#include "oxide/crypto/hmac.h"
#include "oxide/net/http.h"
#include "oxide/wire/header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A receiver answers at once and works later. */
#define CONNECT_MS 5000
#define TOTAL_MS 15000

/* Of an error's body, of which the beginning is shown. */
#define ANSWER_MAX ((size_t)16 * 1024)
#define SHOWN_MAX 200

#define HEADER_MAX 400

static enum ox_code sign(const struct ox_webhook_target *target, int64_t at_s, const char *body,
                         struct ox_digest *out, struct ox_err *err)
{
    char *message = NULL;
    enum ox_code code = ox_strf(&message, err, "%lld.%s", (long long)at_s, body);

    if (code == OX_OK) {
        code = ox_hmac_sha256(target->secret, strlen(target->secret), message, strlen(message), out,
                              err);
    }
    free(message);
    return code;
}

/* What a receiver says to a delivery that it has taken is of no interest, and need not end. */
#define TAKEN_ANSWER_MAX ((size_t)64 * 1024)

static enum ox_code drop(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    size_t *left_bytes = ctx;

    (void)bytes;
    if (len_bytes > *left_bytes) {
        return ox_err_set(err, OX_ETOOBIG, "the answer passes %zu bytes", TAKEN_ANSWER_MAX);
    }
    *left_bytes -= len_bytes;
    return OX_OK;
}

/* "HTTP 503: the beginning of what it says" */
static void explain_status(const struct ox_http_answer *answer, char out[OX_WEBHOOK_ERROR_MAX])
{
    const char *said = answer->body.data == NULL ? "" : (const char *)answer->body.data;

    (void)snprintf(out, OX_WEBHOOK_ERROR_MAX, "HTTP %ld%s%.*s", answer->status,
                   said[0] == '\0' ? "" : ": ", SHOWN_MAX, said);
    ox_text_clean(out);
}

static enum ox_code perform(struct ox_http *http, const struct ox_http_request *request,
                            struct ox_webhook_result *out, struct ox_err *err)
{
    struct ox_http_answer answer = OX_HTTP_ANSWER_INIT;
    struct ox_err problem = OX_ERR_INIT;
    enum ox_code code = ox_http_perform(http, request, &answer, &problem);

    if (code == OX_ETOOBIG && answer.status != 0) { /* what it says after its status is too long */
        code = OX_OK;
    }
    out->tried = (struct ox_webhook_try){code, answer.status, ox_http_retry_after_s(&answer)};
    out->error[0] = '\0';
    if (code != OX_OK) {
        (void)snprintf(out->error, sizeof(out->error), "%.*s", OX_WEBHOOK_ERROR_MAX - 1,
                       problem.msg);
        ox_text_clean(out->error);
    } else if (answer.status < 200 || answer.status > 299) {
        explain_status(&answer, out->error);
    }
    ox_http_answer_clear(&answer);
    if (code == OX_ECANCELED || code == OX_ENOMEM) {
        return ox_err_set(err, code, "webhook: %s", problem.msg);
    }
    return OX_OK;
}

enum ox_code ox_webhook_post(struct ox_control *control, struct ox_http *http,
                             const struct ox_webhook_target *target, json_t *events,
                             struct ox_webhook_result *out, struct ox_err *err)
{
    char lines[3][HEADER_MAX];
    const char *headers[] = {"Content-Type: " OX_MEDIA_JSON, lines[0], lines[1], lines[2], NULL};
    int64_t at_s = ox_control_now(control) / 1000;
    struct ox_digest signature;
    char hex[OX_DIGEST_HEX_MAX];
    size_t left_bytes = TAKEN_ANSWER_MAX;
    char *body = NULL;
    json_t *json = json_pack("{s:s, s:O}", "webhook", target->id, "events", events);
    enum ox_code code =
        json == NULL ? ox_err_nomem(err, "a delivery") : ox_json_text(json, &body, err);

    json_decref(json);
    if (code == OX_OK && (code = sign(target, at_s, body, &signature, err)) == OX_OK) {
        struct ox_http_request request = {.method = "POST",
                                          .url = target->url,
                                          .headers = headers,
                                          .body = body,
                                          .body_len = strlen(body),
                                          .on_body = drop,
                                          .ctx = &left_bytes,
                                          .answer_max_bytes = ANSWER_MAX,
                                          .connect_ms = CONNECT_MS,
                                          .total_ms = TOTAL_MS,
                                          .stop = &control->stop};

        (void)snprintf(lines[0], HEADER_MAX, OX_HEADER_WEBHOOK ": %s", target->id);
        (void)snprintf(lines[1], HEADER_MAX, OX_HEADER_TIMESTAMP ": %lld", (long long)at_s);
        (void)snprintf(lines[2], HEADER_MAX, OX_HEADER_SIGNATURE ": v1=%s",
                       ox_digest_hex(&signature, hex));
        code = perform(http, &request, out, err);
    }
    free(body);
    return code;
}
