#include "args.h"
#include "client.h"
#include "sse.h"

#include "oxide/base/clock.h"
#include "oxide/base/text.h"
#include "oxide/wire/id.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 1000
#define LAST_DEFAULT 50
#define RECONNECT_MS 2000
#define SINCE_MAX_MS (3650ull * 24 * 3600000)

/* --- showing --- */

/* Words stand bare; what could be taken for more than one is quoted as in JSON. */
static enum ox_code put_value(struct ox_buf *out, const char *key, const json_t *value,
                              struct ox_err *err)
{
    const char *word = json_string_value(value);
    char *text = NULL;
    enum ox_code code;

    if (value == NULL || json_is_null(value) ||
        (json_is_object(value) && json_object_size(value) == 0)) {
        return OX_OK;
    }
    if (word != NULL && word[0] != '\0' && strpbrk(word, " \t\"\\") == NULL) {
        return ox_buf_printf(out, err, "  %s=%s", key, word);
    }
    code = ox_json_text(value, &text, err);
    if (code == OX_OK) {
        code = ox_buf_printf(out, err, "  %s=%s", key, text);
    }
    free(text);
    return code;
}

/* "2026-11-20T13:05:07.123Z  campaign.paused  campaign=c-1  model=m  reason="..."  by=192.0.2.1" */
static enum ox_code print_line(struct ox_cli *cli, const json_t *event, struct ox_err *err)
{
    static const char *const subjects[][2] = {
        {"device", "device_id"}, {"campaign", "campaign_id"}, {"model", "model_id"}};
    json_t *data = json_object_get(event, "data");
    const char *kind = ox_cli_text(event, "kind");
    const char *at = ox_cli_text(event, "at");
    struct ox_buf line = OX_BUF_INIT;
    const char *key;
    json_t *value;
    enum ox_code code =
        ox_buf_printf(&line, err, "%s  %-22s", at == NULL ? "-" : at, kind == NULL ? "-" : kind);

    for (size_t i = 0; code == OX_OK && i < sizeof(subjects) / sizeof(subjects[0]); i++) {
        code = put_value(&line, subjects[i][0], json_object_get(event, subjects[i][1]), err);
    }
    json_object_foreach(data, key, value)
    {
        code = code == OX_OK ? put_value(&line, key, value, err) : code;
    }
    if (code == OX_OK) {
        code = put_value(&line, "by", json_object_get(event, "actor"), err);
    }
    if (code == OX_OK) {
        ox_text_clean((char *)line.data);
        (void)fprintf(cli->out, "%s\n", (const char *)line.data);
    }
    ox_buf_clear(&line);
    return code;
}

static enum ox_code print_event(struct ox_cli *cli, const json_t *event, struct ox_err *err)
{
    char *text = NULL;
    enum ox_code code;

    if (!cli->json) {
        return print_line(cli, event, err);
    }
    code = ox_json_text(event, &text, err);
    if (code == OX_OK) {
        (void)fprintf(cli->out, "%s\n", text);
    }
    free(text);
    return code;
}

/* --- what is asked --- */

static enum ox_code put_param(struct ox_buf *query, const char *name, const char *value,
                              struct ox_err *err)
{
    /* RFC 3986, section 2.3, and the comma between kinds */
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~,";
    enum ox_code code = ox_buf_printf(query, err, "%s%s=", query->len_bytes == 0 ? "?" : "&", name);

    for (const char *at = value; code == OX_OK && *at != '\0'; at++) {
        code = strchr(plain, *at) != NULL
                   ? ox_buf_printf(query, err, "%c", *at)
                   : ox_buf_printf(query, err, "%%%02X", (unsigned)(unsigned char)*at);
    }
    return code;
}

/* A time, or how long ago it was. */
static enum ox_code put_since(struct ox_buf *query, const struct ox_args *args, struct ox_err *err)
{
    const char *since = ox_args_value(args, "since", NULL);
    char text[OX_TIME_TEXT_MAX];
    uint64_t ago_ms = 0;
    int64_t at_ms = 0;

    if (ox_time_parse(since, &at_ms, NULL) != OX_OK) {
        if (ox_args_seconds(args, "since", SINCE_MAX_MS, &ago_ms, NULL) != OX_OK) {
            return ox_err_set(
                err, OX_EINVAL,
                "--since cannot be '%s': it is a time such as 2026-11-20T13:05:07Z or "
                "2026-11-20, or how long ago it was, such as 90s, 15m or 24h",
                since);
        }
        at_ms = ox_clock_system()->wall_ms(NULL) - (int64_t)ago_ms;
        at_ms = at_ms > 0 ? at_ms : 0;
    }
    return put_param(query, "since", ox_time_text(at_ms, text), err);
}

/* The parts of the query that stay the same from page to page. */
static enum ox_code put_filter(struct ox_buf *query, const struct ox_args *args, struct ox_err *err)
{
    static const char *const names[] = {"kind", "device", "campaign"};
    enum ox_code code = OX_OK;

    for (size_t i = 0; code == OX_OK && i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = ox_args_value(args, names[i], NULL);

        if (value != NULL) {
            code = i == 0 ? OX_OK : ox_id_check(names[i], value, err);
            code = code == OX_OK ? put_param(query, names[i], value, err) : code;
        }
    }
    return code;
}

static enum ox_code put_start(struct ox_buf *query, const struct ox_args *args, struct ox_err *err)
{
    char number[32];
    uint64_t value = LAST_DEFAULT;
    bool by_id = ox_args_has(args, "after");
    enum ox_code code;

    if (ox_args_has(args, "since") + ox_args_has(args, "last") + by_id > 1) {
        return ox_err_set(err, OX_EINVAL, "of --since, --last and --after, give one");
    }
    if (ox_args_has(args, "since")) {
        return put_since(query, args, err);
    }
    code = by_id ? ox_args_number(args, "after", 0, INT64_MAX, &value, err)
                 : ox_args_number(args, "last", 0, PAGE, &value, err);
    (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)value);
    return code == OX_OK ? put_param(query, by_id ? "after" : "last", number, err) : code;
}

static enum ox_code put_query(struct ox_buf *query, const struct ox_args *args, struct ox_err *err)
{
    enum ox_code code = put_filter(query, args, err);

    return code == OX_OK ? put_start(query, args, err) : code;
}

/* --- page by page --- */

static enum ox_code print_page(struct ox_cli *cli, const json_t *answer, struct ox_err *err)
{
    const json_t *events = json_object_get(answer, "events");
    json_t *event;
    size_t i;
    enum ox_code code = OX_OK;

    json_array_foreach(events, i, event)
    {
        code = code == OX_OK ? print_event(cli, event, err) : code;
    }
    return code;
}

/* The end is where it stood at the first page: what comes meanwhile is not waited for. */
static enum ox_code print_log(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    struct ox_client client = {NULL, NULL, NULL};
    struct ox_buf filter = OX_BUF_INIT;
    struct ox_buf query = OX_BUF_INIT;
    uint64_t newest = UINT64_MAX;
    uint64_t next = 0;
    enum ox_code code = ox_client_open(&client, cli, err);

    if (code == OX_OK && (code = put_filter(&filter, args, err)) == OX_OK) {
        code = put_query(&query, args, err);
    }
    while (code == OX_OK && next < newest) {
        json_t *answer = NULL;

        code = ox_client_get(&client, &answer, err, "/api/v1/events%s&format=json&limit=%d",
                             (const char *)query.data, PAGE);
        if (code == OX_OK) {
            newest = newest == UINT64_MAX ? ox_cli_number(answer, "newest") : newest;
            next = ox_cli_number(answer, "next");
            code = print_page(cli, answer, err);
        }
        json_decref(answer);
        query.len_bytes = 0;
        if (code == OX_OK) {
            code = ox_buf_printf(&query, err, "%s%safter=%llu",
                                 filter.len_bytes == 0 ? "" : (const char *)filter.data,
                                 filter.len_bytes == 0 ? "?" : "&", (unsigned long long)next);
        }
        if (code == OX_OK && ox_stop_requested(cli->stop)) {
            code = ox_err_set(err, OX_ECANCELED, "stopped");
        }
    }
    ox_buf_clear(&query);
    ox_buf_clear(&filter);
    ox_client_close(&client);
    return code;
}

/* --- following --- */

struct follow {
    struct ox_cli *cli;
    struct ox_sse sse;
    bool connected; /* an answer began */
};

static enum ox_code on_event(void *ctx, const char *type, const char *data, struct ox_err *err)
{
    struct follow *follow = ctx;
    json_t *json = NULL;
    enum ox_code code = ox_json_parse_object(data, strlen(data), &json, err);

    if (code != OX_OK) {
        return ox_err_set(err, OX_EPROTO, "an event is no JSON object");
    }
    if (strcmp(type, "gap") == 0) {
        (void)fprintf(follow->cli->notes,
                      "oxide: the server's log no longer holds all that followed event %llu\n",
                      (unsigned long long)ox_cli_number(json, "after"));
    } else {
        code = print_event(follow->cli, json, err);
        if (code == OX_OK && fflush(follow->cli->out) != 0) {
            code = ox_err_sys(err, errno, "writing to standard output");
        }
    }
    json_decref(json);
    return code;
}

static enum ox_code on_head(void *ctx, struct ox_err *err)
{
    struct follow *follow = ctx;

    (void)err;
    follow->connected = true;
    return OX_OK;
}

static enum ox_code on_body(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    struct follow *follow = ctx;

    return ox_sse_feed(&follow->sse, bytes, len_bytes, err);
}

static enum ox_code follow_once(struct follow *follow, struct ox_client *client, const char *path,
                                struct ox_err *err)
{
    char resume[64];
    const char *headers[] = {"Accept: text/event-stream", NULL, NULL};
    struct ox_http_request request = {
        .method = "GET", .headers = headers, .on_head = on_head, .on_body = on_body, .ctx = follow};

    if (follow->sse.last_id[0] != '\0') {
        (void)snprintf(resume, sizeof(resume), "Last-Event-ID: %s", follow->sse.last_id);
        headers[1] = resume;
    }
    return ox_client_perform(client, path, &request, NULL, err);
}

/* Until told to stop: a server that goes away is waited for, and what it recorded meanwhile comes
 * when it is back. */
static enum ox_code follow_log(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    struct follow follow = {.cli = cli};
    struct ox_client client = {NULL, NULL, NULL};
    struct ox_buf query = OX_BUF_INIT;
    char *path = NULL;
    enum ox_code code = ox_client_open(&client, cli, err);

    follow.sse.event = on_event;
    follow.sse.ctx = &follow;
    if (code == OX_OK && (code = put_query(&query, args, err)) == OX_OK) {
        code = ox_strf(&path, err, "/api/v1/events%s&format=sse", (const char *)query.data);
    }
    while (code == OX_OK && !ox_stop_requested(cli->stop)) {
        code = follow_once(&follow, &client, path, err);
        ox_sse_reset(&follow.sse);
        if (follow.connected &&
            (code == OX_OK || code == OX_ENET || code == OX_ETIMEOUT || code == OX_EBUSY) &&
            !ox_stop_wait(cli->stop, RECONNECT_MS)) {
            ox_err_clear(err);
            code = OX_OK;
        }
    }
    free(path);
    ox_buf_clear(&query);
    ox_sse_clear(&follow.sse);
    ox_client_close(&client);
    if (ox_stop_requested(cli->stop)) { /* how it ends */
        ox_err_clear(err);
        return OX_OK;
    }
    return code;
}

enum ox_code ox_run_events(struct ox_cli *cli, const struct ox_args *args, struct ox_err *err)
{
    return ox_args_has(args, "follow") ? follow_log(cli, args, err) : print_log(cli, args, err);
}
