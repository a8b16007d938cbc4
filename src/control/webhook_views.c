#include "webhooks.h"

#include "oxide/base/quantity.h"
#include "oxide/base/random.h"
#include "oxide/net/http.h"
#include "oxide/registry/event.h"
#include "oxide/wire/id.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define URL_MAX 2048
#define SECRET_MIN 16
#define SECRET_MAX 256
#define SECRET_BYTES 32 /* of one that is made here */
#define KINDS_MAX 64    /* words, each as long as a kind */

/* --- showing --- */

static json_t *kinds_json(const char *kinds)
{
    json_t *list = json_array();

    for (const char *at = kinds; at != NULL && *at != '\0'; at += strspn(at, ",")) {
        size_t len = strcspn(at, ",");

        (void)json_array_append_new(list, json_stringn(at, len));
        at += len;
    }
    return list;
}

static const char *state_of(const struct ox_webhook_row *row)
{
    return row->stopped ? "stopped" : row->failures > 0 ? "failing" : "active";
}

/* Without the secret. */
static json_t *webhook_json(struct ox_control *control, const struct ox_webhook_row *row,
                            const struct ox_event_bounds *bounds)
{
    int64_t cursor = row->cursor;

    (void)ox_hooks_cursor(control->hooks, row->id, &cursor);
    return json_pack(
        "{s:s, s:s, s:o, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "id",
        row->id, "url", row->url, "kinds", kinds_json(row->kinds), "state", state_of(row),
        "created_at", ox_json_of_time(row->created_ms), "cursor", (json_int_t)cursor, "backlog",
        (json_int_t)(bounds->newest > cursor ? bounds->newest - cursor : 0), "delivered",
        (json_int_t)row->delivered, "lost", (json_int_t)row->lost, "failures",
        (json_int_t)row->failures, "last_status",
        row->last_status == 0 ? json_null() : json_integer(row->last_status), "last_error",
        ox_json_of_str(row->last_error), "last_tried_at", ox_json_of_time(row->last_tried_ms),
        "last_delivered_at", ox_json_of_time(row->last_delivered_ms), "next_try_at",
        ox_json_of_time(row->next_try_ms));
}

static enum ox_code show(struct ox_control *control, struct ox_tx *tx, const char *id,
                         const char *secret, json_t **out, struct ox_err *err)
{
    struct ox_event_bounds bounds;
    struct ox_webhook_row row;
    json_t *json = NULL;
    enum ox_code code = ox_registry_webhook_get(tx, id, &row, err);

    if (code == OX_OK && (code = ox_registry_events_bounds(tx, &bounds, err)) == OX_OK) {
        json = webhook_json(control, &row, &bounds);
        code = json == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    if (code == OX_OK && secret != NULL) {
        code = ox_json_set_str(json, "secret", secret, err);
    }
    if (code != OX_OK) {
        json_decref(json);
        return code;
    }
    *out = json;
    return OX_OK;
}

enum ox_code ox_control_webhook(struct ox_control *control, const char *id, json_t **out,
                                struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err);

    if (code == OX_OK) {
        code = show(control, &tx, id, NULL, out, err);
    }
    ox_registry_end(&tx);
    return code;
}

enum ox_code ox_control_webhooks(struct ox_control *control, json_t **out, struct ox_err *err)
{
    struct ox_event_bounds bounds;
    struct ox_webhook_row *rows = NULL;
    struct ox_tx tx = OX_TX_INIT;
    size_t count = 0;
    json_t *list = json_array();
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err);

    if (code == OX_OK && (code = ox_registry_events_bounds(&tx, &bounds, err)) == OX_OK) {
        code = ox_registry_webhooks(&tx, &rows, &count, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        code = ox_json_append(list, webhook_json(control, &rows[i], &bounds), err);
    }
    ox_registry_end(&tx);
    if (code == OX_OK) {
        *out = json_pack("{s:O}", "webhooks", list);
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    json_decref(list);
    return code;
}

/* --- adding --- */

/* What an operator asks for, checked; texts are lent but for kinds and secret. */
struct spec {
    char made_id[32];
    const char *id;
    const char *url;
    char *kinds; /* NULL: all */
    char secret[SECRET_MAX + 1];
    uint64_t after; /* UINT64_MAX: from now on */
};

/* HOST[:PORT] or [ADDRESS][:PORT], of `len` bytes. */
static bool has_good_port(const char *host, size_t len)
{
    const char *close = memchr(host, ']', len);
    const char *colon = host[0] == '[' ? close == NULL ? host : close + 1 : memchr(host, ':', len);
    char digits[sizeof("65535")];
    uint64_t port = 0;

    if (colon == NULL || colon == host + len) {
        return true;
    }
    len -= (size_t)(colon - host) + 1;
    if (*colon != ':' || colon == host || len >= sizeof(digits)) {
        return false;
    }
    memcpy(digits, colon + 1, len);
    digits[len] = '\0';
    return ox_number_parse(digits, &port) && port >= 1 && port <= 65535;
}

/* http or https and a host, without a user, who would be shown; nothing that is no plain text. */
static enum ox_code check_url(const char *url, struct ox_err *err)
{
    size_t scheme = strncasecmp(url, "https://", 8) == 0  ? 8
                    : strncasecmp(url, "http://", 7) == 0 ? 7
                                                          : 0;
    size_t host = scheme == 0 ? 0 : strcspn(url + scheme, "/?#");
    bool plain = strnlen(url, URL_MAX + 1) <= URL_MAX;

    for (const char *at = url; plain && *at != '\0'; at++) {
        plain = *at > ' ' && *at <= '~';
    }
    if (!plain || host == 0 || strchr(url, '#') != NULL) {
        return ox_err_set(err, OX_EINVAL,
                          "\"url\" is the address of a receiver, http://HOST[:PORT]/PATH or https, "
                          "of at most %d characters that are ASCII and no blank",
                          URL_MAX);
    }
    if (memchr(url + scheme, '@', host) != NULL) {
        return ox_err_set(err, OX_EINVAL,
                          "\"url\" names a user: the signature tells the receiver who calls, so "
                          "leave the user out");
    }
    if (!has_good_port(url + scheme, host)) {
        return ox_err_set(err, OX_EINVAL,
                          "\"url\" names no host and port in \"%.*s\": write HOST or HOST:PORT, a "
                          "port being 1 to 65535, and an IPv6 address as [ADDRESS]",
                          host < 80 ? (int)host : 80, url + scheme);
    }
    return OX_OK;
}

static enum ox_code take_kinds(const json_t *body, struct spec *spec, struct ox_err *err)
{
    const json_t *kinds = NULL;
    struct ox_buf text = OX_BUF_INIT;
    json_t *kind;
    size_t i;
    enum ox_code code = ox_json_opt_array(body, "kinds", &kinds, err);

    if (code != OX_OK || kinds == NULL) {
        return code;
    }
    if (json_array_size(kinds) == 0 || json_array_size(kinds) > KINDS_MAX) {
        return ox_err_set(err, OX_EINVAL, "\"kinds\" names 1 to %d kinds; without it, all",
                          KINDS_MAX);
    }
    json_array_foreach(kinds, i, kind)
    {
        const char *word = json_string_value(kind);

        if (code == OX_OK && (word == NULL || strchr(word, ',') != NULL)) {
            code = ox_err_set(err, OX_EINVAL, "\"kinds\" is an array of kinds of events");
        }
        if (code == OX_OK && (code = ox_control_event_kinds_check(word, err)) == OX_OK) {
            code = ox_buf_printf(&text, err, "%s%s", i == 0 ? "" : ",", word);
        }
    }
    if (code != OX_OK) {
        ox_buf_clear(&text);
        return code;
    }
    spec->kinds = (char *)text.data;
    return OX_OK;
}

static enum ox_code take_secret(const json_t *body, struct spec *spec, struct ox_err *err)
{
    const char *given = NULL;
    uint8_t random[SECRET_BYTES];
    enum ox_code code = ox_json_opt_str(body, "secret", &given, err);

    if (code != OX_OK) {
        return code;
    }
    if (given != NULL) {
        size_t len = strlen(given);

        if (len < SECRET_MIN || len > SECRET_MAX) {
            return ox_err_set(err, OX_EINVAL,
                              "\"secret\" has %d to %d bytes; without it, one is made", SECRET_MIN,
                              SECRET_MAX);
        }
        memcpy(spec->secret, given, len + 1);
        return OX_OK;
    }
    code = ox_random_bytes(random, sizeof(random), err);
    for (size_t i = 0; code == OX_OK && i < sizeof(random); i++) {
        (void)snprintf(spec->secret + 2 * i, 3, "%02x", random[i]);
    }
    explicit_bzero(random, sizeof(random));
    return code;
}

static enum ox_code take_id(const json_t *body, struct spec *spec, struct ox_err *err)
{
    uint8_t random[8] = {0};
    enum ox_code code;

    if (ox_json_has(body, "id")) {
        return ox_body_id(body, "id", &spec->id, err);
    }
    code = ox_random_bytes(random, sizeof(random), err);
    (void)snprintf(spec->made_id, sizeof(spec->made_id), "w-%02x%02x%02x%02x%02x%02x%02x%02x",
                   random[0], random[1], random[2], random[3], random[4], random[5], random[6],
                   random[7]);
    spec->id = spec->made_id;
    return code;
}

static enum ox_code take_spec(const json_t *body, struct spec *spec, struct ox_err *err)
{
    enum ox_code code;

    spec->after = UINT64_MAX;
    if ((code = ox_json_get_str(body, "url", &spec->url, err)) == OX_OK &&
        (code = check_url(spec->url, err)) == OX_OK && (code = take_id(body, spec, err)) == OX_OK &&
        (code = take_secret(body, spec, err)) == OX_OK &&
        (code = ox_json_opt_u64(body, "after", &spec->after, err)) == OX_OK) {
        code = take_kinds(body, spec, err);
    }
    return code;
}

/* The event that it was added is the first that a receiver gets, unless it asks for older ones. */
static enum ox_code add_in(struct ox_control *control, struct ox_tx *tx, const struct spec *spec,
                           struct ox_webhook_row *row, struct ox_err *err)
{
    struct ox_event_bounds bounds;
    struct ox_webhook_row *held = NULL;
    size_t count = 0;
    enum ox_code code = ox_registry_webhooks(tx, &held, &count, err);

    if (code == OX_OK && count >= OX_WEBHOOKS_MAX) {
        return ox_err_set(err, OX_ECONFLICT, "there are %d webhooks already: remove one",
                          OX_WEBHOOKS_MAX);
    }
    if (code == OX_OK) {
        code = ox_registry_events_bounds(tx, &bounds, err);
    }
    if (code != OX_OK) {
        return code;
    }
    *row = (struct ox_webhook_row){
        .id = spec->id,
        .url = spec->url,
        .kinds = spec->kinds,
        .secret = spec->secret,
        .created_ms = ox_control_now(control),
        .cursor = spec->after > (uint64_t)bounds.newest ? bounds.newest : (int64_t)spec->after};
    if (row->cursor < bounds.oldest - 1) { /* "from the beginning" loses nothing */
        row->cursor = bounds.oldest - 1;
    }
    code = ox_registry_webhook_add(tx, row, err);
    return code == OX_OK ? ox_event(control, tx, "webhook.added",
                                    json_pack("{s:s, s:s, s:o}", "webhook_id", row->id, "url",
                                              row->url, "kinds", kinds_json(row->kinds)),
                                    err)
                         : code;
}

enum ox_code ox_control_webhook_add(struct ox_control *control, const json_t *body, json_t **out,
                                    struct ox_err *err)
{
    struct spec spec = {.id = NULL};
    struct ox_webhook_row row;
    struct ox_tx tx = OX_TX_INIT;
    json_t *answer = NULL;
    enum ox_code code = take_spec(body, &spec, err);

    if (code == OX_OK &&
        (code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = add_in(control, &tx, &spec, &row, err)) == OX_OK &&
        (code = show(control, &tx, spec.id, spec.secret, &answer, err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    if (code == OX_OK) {
        code = ox_hooks_add(control->hooks, &row, err);
    }
    explicit_bzero(spec.secret, sizeof(spec.secret));
    free(spec.kinds);
    if (code != OX_OK) {
        json_decref(answer);
        return code;
    }
    *out = answer;
    return OX_OK;
}

/* --- the rest --- */

enum ox_code ox_control_webhook_remove(struct ox_control *control, const char *id, json_t **out,
                                       struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);

    if (code == OX_OK && (code = ox_registry_webhook_remove(&tx, id, err)) == OX_OK &&
        (code = ox_event(control, &tx, "webhook.removed", json_pack("{s:s}", "webhook_id", id),
                         err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    if (code == OX_OK) {
        ox_hooks_remove(control->hooks, id);
        *out = json_pack("{s:s}", "status", "removed");
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    return code;
}

static enum ox_code resume_in(struct ox_control *control, struct ox_tx *tx, const char *id,
                              struct ox_err *err)
{
    struct ox_webhook_row row;
    enum ox_code code = ox_registry_webhook_get(tx, id, &row, err);

    if (code == OX_OK) {
        row.stopped = false;
        row.next_try_ms = 0;
        code = ox_registry_webhook_update(tx, &row, err);
    }
    return code == OX_OK
               ? ox_event(control, tx, "webhook.resumed", json_pack("{s:s}", "webhook_id", id), err)
               : code;
}

enum ox_code ox_control_webhook_resume(struct ox_control *control, const char *id, json_t **out,
                                       struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    json_t *answer = NULL;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);

    if (code == OX_OK && (code = resume_in(control, &tx, id, err)) == OX_OK &&
        (code = show(control, &tx, id, NULL, &answer, err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    if (code != OX_OK) {
        json_decref(answer);
        return code;
    }
    ox_hooks_resume(control->hooks, id);
    *out = answer;
    return OX_OK;
}

/* Copies, since the registry is not held while the receiver is asked. */
static enum ox_code copy_target(struct ox_control *control, const char *id, char **url,
                                char **secret, struct ox_err *err)
{
    struct ox_webhook_row row;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_READ, &tx, err);

    if (code == OX_OK && (code = ox_registry_webhook_get(&tx, id, &row, err)) == OX_OK &&
        (code = ox_strdup(url, row.url, err)) == OX_OK) {
        code = ox_strdup(secret, row.secret, err);
    }
    ox_registry_end(&tx);
    return code;
}

enum ox_code ox_control_webhook_test(struct ox_control *control, const char *id, json_t **out,
                                     struct ox_err *err)
{
    struct ox_webhook_result result;
    struct ox_webhook_target target = {id, NULL, NULL};
    struct ox_http *http = NULL;
    char *url = NULL;
    char *secret = NULL;
    json_t *none = json_array();
    int64_t begun_ms = control->clock->mono_ms(control->clock->ctx);
    enum ox_code code = copy_target(control, id, &url, &secret, err);

    target.url = url;
    target.secret = secret;
    if (code == OX_OK && (code = ox_http_new(&http, "oxide", err)) == OX_OK &&
        (code = ox_webhook_post(control, http, &target, none, &result, err)) == OX_OK) {
        *out = json_pack("{s:b, s:o, s:o, s:I}", "delivered", result.error[0] == '\0', "status",
                         result.tried.status == 0 ? json_null() : json_integer(result.tried.status),
                         "error", result.error[0] == '\0' ? json_null() : json_string(result.error),
                         "duration_ms",
                         (json_int_t)(control->clock->mono_ms(control->clock->ctx) - begun_ms));
        code = *out == NULL ? ox_err_nomem(err, "an answer") : OX_OK;
    }
    ox_http_free(http);
    json_decref(none);
    if (secret != NULL) {
        explicit_bzero(secret, strlen(secret));
    }
    free(secret);
    free(url);
    return code;
}
