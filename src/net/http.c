#include "oxide/net/http.h"

#include "oxide/base/clock.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#define ANSWER_MAX_DEFAULT ((size_t)1 << 20)
#define HEAD_MAX                                                                                   \
    ((size_t)64 << 10) /* bytes of the header lines of a request's answers, with interim ones and  \
                          trailers; servers stop at 8 to 32 KiB */
#define REDIRECTS_MAX 5
#define POLL_MS 1000 /* stop and sockets wake us at once; this only bounds a lost wake-up */
#define SHOWN_URL_MAX 256
#define RATED_BUFFER_BYTES 4096L

struct ox_http {
    CURLM *multi; /* keeps the connections between requests */
    CURL *easy;
    char *user_agent;
};

/* One request under way: what the callbacks of libcurl need. */
struct transfer {
    CURL *easy;
    const struct ox_http_request *request;
    struct ox_http_answer *answer;
    struct ox_err *err;
    enum ox_code code; /* what a callback failed with, its message in err */
    uint64_t body_at;  /* next byte of body_source */
    bool head_done;
    size_t
        head_bytes; /* of all header lines: those of answers before the last, and trailers, too */
    int64_t free_mono_ms; /* with a rate limit: when the bytes so far are paid for */
    char curl_message[CURL_ERROR_SIZE];
};

/* libcurl's own state for the whole process, which releases before 7.84 do not guard themselves. */
static pthread_once_t global_once = PTHREAD_ONCE_INIT;

static void global_init(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

enum ox_code ox_http_new(struct ox_http **out, const char *user_agent, struct ox_err *err)
{
    struct ox_http *http = calloc(1, sizeof(*http));
    enum ox_code code;

    if (http == NULL) {
        return ox_err_nomem(err, "an HTTP client");
    }
    (void)pthread_once(&global_once, global_init);
    code = ox_strdup(&http->user_agent, user_agent, err);
    if (code == OX_OK) {
        http->multi = curl_multi_init();
        http->easy = curl_easy_init();
        if (http->multi == NULL || http->easy == NULL) {
            code = ox_err_nomem(err, "an HTTP client");
        }
    }
    if (code != OX_OK) {
        ox_http_free(http);
        return code;
    }
    *out = http;
    return OX_OK;
}

void ox_http_free(struct ox_http *http)
{
    if (http == NULL) {
        return;
    }
    if (http->easy != NULL) {
        curl_easy_cleanup(http->easy);
    }
    if (http->multi != NULL) {
        (void)curl_multi_cleanup(http->multi);
    }
    free(http->user_agent);
    free(http);
}

/* Append with a final NUL behind the length. */
static enum ox_code append_text(struct ox_buf *buf, const void *bytes, size_t len_bytes,
                                struct ox_err *err)
{
    enum ox_code code = ox_buf_reserve(buf, len_bytes + 1, err);

    if (code == OX_OK) {
        code = ox_buf_append(buf, bytes, len_bytes, err);
    }
    if (code == OX_OK) {
        buf->data[buf->len_bytes] = '\0';
    }
    return code;
}

static bool is_2xx(long status)
{
    return status >= 200 && status < 300;
}

/* --- what libcurl calls --- */

static size_t on_header_line(char *line, size_t size, size_t count, void *ctx)
{
    struct transfer *transfer = ctx;
    struct ox_http_answer *answer = transfer->answer;
    size_t len = size * count;

    transfer->head_bytes += len;
    if (transfer->head_bytes > HEAD_MAX) {
        transfer->code =
            ox_err_set(transfer->err, OX_EPROTO, "the answer's headers pass %zu bytes", HEAD_MAX);
        return 0;
    }
    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) { /* the first line of this or the next answer */
        answer->head.len_bytes = 0;
        transfer->head_done = false;
    }
    if (transfer->head_done) {
        return len; /* a trailer behind the body */
    }
    transfer->code = append_text(&answer->head, line, len, transfer->err);
    if (transfer->code != OX_OK) {
        return 0;
    }
    if (len <= 2 && (line[0] == '\r' || line[0] == '\n')) {
        (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &answer->status);
        transfer->head_done = answer->status >= 200;
        if (is_2xx(answer->status) && transfer->request->on_head != NULL) {
            transfer->code = transfer->request->on_head(transfer->request->ctx, transfer->err);
        }
    }
    return transfer->code == OX_OK ? len : 0;
}

static uint64_t rate_of(const struct ox_http_request *request)
{
    return request->rate_now != NULL ? request->rate_now(request->rate_ctx) : request->rate_bps;
}

/* Hold the transfer back by what these bytes cost. libcurl's own limit lets a hundred buffers pass
 * before it looks; we have the thread to ourselves, so sleeping is exact and stop still acts. */
static void pace(struct transfer *transfer, size_t len)
{
    const struct ox_http_request *request = transfer->request;
    int64_t now_mono_ms = ox_clock_system()->mono_ms(NULL);
    uint64_t rate_bps = rate_of(request);
    struct timespec nap;
    int64_t wait_ms;

    if (rate_bps == 0) {
        return;
    }
    if (transfer->free_mono_ms < now_mono_ms) { /* time that was not used is not saved up */
        transfer->free_mono_ms = now_mono_ms;
    }
    transfer->free_mono_ms += (int64_t)((uint64_t)len * 1000 / rate_bps);
    wait_ms = transfer->free_mono_ms - now_mono_ms;
    if (request->stop != NULL) {
        (void)ox_stop_wait(request->stop, wait_ms);
        return;
    }
    nap = (struct timespec){(time_t)(wait_ms / 1000), (long)(wait_ms % 1000) * 1000000};
    (void)nanosleep(&nap, NULL);
}

static size_t on_body_bytes(char *bytes, size_t size, size_t count, void *ctx)
{
    struct transfer *transfer = ctx;
    const struct ox_http_request *request = transfer->request;
    struct ox_http_answer *answer = transfer->answer;
    size_t len = size * count;

    answer->body_bytes += len;
    pace(transfer, len);
    if (request->on_body != NULL && is_2xx(answer->status)) {
        transfer->code = request->on_body(request->ctx, bytes, len, transfer->err);
    } else {
        size_t max =
            request->answer_max_bytes == 0 ? ANSWER_MAX_DEFAULT : request->answer_max_bytes;

        if (len > max || answer->body.len_bytes > max - len) {
            transfer->code =
                ox_err_set(transfer->err, OX_ETOOBIG, "the answer passes %zu bytes", max);
        } else {
            transfer->code = append_text(&answer->body, bytes, len, transfer->err);
        }
    }
    return transfer->code == OX_OK ? len : 0;
}

static size_t on_send(char *out, size_t size, size_t count, void *ctx)
{
    struct transfer *transfer = ctx;
    const struct ox_source *source = transfer->request->body_source;
    uint64_t left = source->size_bytes - transfer->body_at;
    size_t take = size * count < left ? size * count : (size_t)left;

    transfer->code = ox_source_read(source, transfer->body_at, out, take, transfer->err);
    if (transfer->code != OX_OK) {
        return CURL_READFUNC_ABORT;
    }
    transfer->body_at += take;
    pace(transfer, take);
    return take;
}

/* libcurl sends a body again when a kept-alive connection turns out to be gone. */
static int on_rewind(void *ctx, curl_off_t offset, int origin)
{
    struct transfer *transfer = ctx;
    const struct ox_http_request *request = transfer->request;
    uint64_t len = request->body_source->size_bytes - request->body_offset;

    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > len) {
        return CURL_SEEKFUNC_CANTSEEK;
    }
    transfer->body_at = request->body_offset + (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

static int on_progress(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    const struct transfer *transfer = ctx;
    const struct ox_http_request *request = transfer->request;
    bool sends = request->body_source != NULL || request->body != NULL;

    if (sends) {
        ox_progress_update(request->progress, (uint64_t)up, (uint64_t)up_total);
    } else if (is_2xx(transfer->answer->status)) {
        ox_progress_update(request->progress, (uint64_t)down, (uint64_t)down_total);
    }
    return ox_stop_requested(request->stop) ? 1 : 0;
}

/* --- the request --- */

/* May this header follow a redirect to another host? It says which bytes, never who asks. */
static bool may_travel(const char *line)
{
    return strncasecmp(line, "Range:", 6) == 0 || strncasecmp(line, "If-Range:", 9) == 0;
}

static enum ox_code add_header(struct curl_slist **list, const char *line, struct ox_err *err)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (longer == NULL) {
        return ox_err_nomem(err, "request headers");
    }
    *list = longer;
    return OX_OK;
}

static enum ox_code build_headers(const struct ox_http_request *request, bool other_host,
                                  struct curl_slist **out, struct ox_err *err)
{
    struct curl_slist *list = NULL;
    bool has_type = false;
    /* libcurl would wait for 100 Continue before it sends a long body. */
    enum ox_code code = add_header(&list, "Expect:", err);

    for (size_t i = 0; code == OX_OK && request->headers != NULL && request->headers[i] != NULL;
         i++) {
        const char *line = request->headers[i];

        if (strpbrk(line, "\r\n") != NULL) {
            code = ox_err_set(err, OX_EINVAL, "a request header holds a line break");
        } else if (!other_host || may_travel(line)) {
            has_type = has_type || strncasecmp(line, "Content-Type:", 13) == 0;
            code = add_header(&list, line, err);
        }
    }
    if (code == OX_OK && !has_type) { /* nor claim a form that nobody sent */
        code = add_header(&list, "Content-Type:", err);
    }
    if (code != OX_OK) {
        curl_slist_free_all(list);
        return code;
    }
    *out = list;
    return OX_OK;
}

static void set_body(CURL *easy, struct transfer *transfer)
{
    const struct ox_http_request *request = transfer->request;

    if (strcmp(request->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (request->body_source != NULL) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE,
                         (curl_off_t)(request->body_source->size_bytes - request->body_offset));
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
        curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_rewind);
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer);
    } else if (request->body != NULL || strcmp(request->method, "POST") == 0 ||
               strcmp(request->method, "PUT") == 0) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                         request->body == NULL ? "" : (const char *)request->body);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

/* A short talk: acknowledgements wait for what is sent anyway, from the handshake's on. */
static int on_socket(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
    (void)ctx;
    (void)purpose;
#ifdef TCP_QUICKACK
    (void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &(int){0}, sizeof(int));
#endif
    return CURL_SOCKOPT_OK;
}

static void set_options(struct ox_http *http, struct transfer *transfer, const char *url,
                        struct curl_slist *headers)
{
    const struct ox_http_request *request = transfer->request;
    CURL *easy = http->easy;
    int64_t connect_ms = request->connect_ms > 0 ? request->connect_ms : OX_HTTP_CONNECT_MS_DEFAULT;
    int64_t stall_s = request->stall_s > 0 ? request->stall_s : OX_HTTP_STALL_S_DEFAULT;

    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_URL, url);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, request->bare ? NULL : http->user_agent);
    if (request->close_after) {
        curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
        curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->total_ms);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)stall_s);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->curl_message);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header_line);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, transfer);
    if (rate_of(request) > 0) {
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RATED_BUFFER_BYTES); /* short naps */
    }
    set_body(easy, transfer);
}

/* --- performing --- */

/* What to make of libcurl's codes; the rest is a network error. */
static const struct {
    CURLcode curl;
    enum ox_code code;
} curl_codes[] = {
    {CURLE_URL_MALFORMAT, OX_EINVAL},
    {CURLE_UNSUPPORTED_PROTOCOL, OX_EINVAL},
    {CURLE_OUT_OF_MEMORY, OX_ENOMEM},
    {CURLE_OPERATION_TIMEDOUT, OX_ETIMEOUT},
    {CURLE_WEIRD_SERVER_REPLY, OX_EPROTO},
    {CURLE_ABORTED_BY_CALLBACK, OX_ECANCELED},
    {CURLE_BAD_CONTENT_ENCODING, OX_EPROTO},
#if LIBCURL_VERSION_NUM >= 0x080600
    {CURLE_TOO_LARGE, OX_EPROTO},
#endif
};

/* Where a request goes, for messages: without user, password and query. */
static void show_url(const char *url, char out[SHOWN_URL_MAX])
{
    size_t scheme = strcspn(url, ":");
    const char *host = url + (strncmp(url + scheme, "://", 3) == 0 ? scheme + 3 : 0);
    size_t authority = strcspn(host, "/?#");
    struct ox_err text;

    for (size_t i = 0; i < authority; i++) {
        if (host[i] == '@') { /* the last one counts */
            host += i + 1;
            authority -= i + 1;
            i = SIZE_MAX;
        }
    }
    (void)ox_err_set(&text, OX_OK, "%.*s%.*s",
                     strncmp(url + scheme, "://", 3) == 0 ? (int)scheme + 3 : 0, url,
                     (int)(authority + strcspn(host + authority, "?#")), host);
    memcpy(out, text.msg, SHOWN_URL_MAX - 1);
    out[SHOWN_URL_MAX - 1] = '\0';
}

static enum ox_code explain(const struct transfer *transfer, CURLcode result, const char *url)
{
    enum ox_code code = OX_ENET;
    char shown[SHOWN_URL_MAX];
    const char *why =
        transfer->curl_message[0] != '\0' ? transfer->curl_message : curl_easy_strerror(result);

    for (size_t i = 0; i < sizeof(curl_codes) / sizeof(curl_codes[0]); i++) {
        code = curl_codes[i].curl == result ? curl_codes[i].code : code;
    }
    if (result == CURLE_UNSUPPORTED_PROTOCOL && strncasecmp(url, "http", 4) == 0) {
        code = OX_EPROTO; /* bytes without a status line: HTTP/0.9 */
    }
    show_url(url, shown);
    return ox_err_set(transfer->err, code, "%s %s: %s", transfer->request->method, shown, why);
}

/* Drive the one transfer of http->multi to its end. */
static enum ox_code drive(struct ox_http *http, struct transfer *transfer, const char *url)
{
    struct ox_stop *stop = transfer->request->stop;
    struct curl_waitfd wait = {stop == NULL ? -1 : stop->fd, CURL_WAIT_POLLIN, 0};
    int running = 1;
    int left = 0;
    const CURLMsg *message;

    for (;;) {
        CURLMcode multi_code = curl_multi_perform(http->multi, &running);

        if (multi_code == CURLM_OK && running > 0 && !ox_stop_requested(stop)) {
            multi_code = curl_multi_poll(http->multi, &wait, stop == NULL ? 0 : 1, POLL_MS, NULL);
        }
        if (multi_code != CURLM_OK) {
            return ox_err_set(transfer->err, OX_ENOMEM, "HTTP client: %s",
                              curl_multi_strerror(multi_code));
        }
        if (running == 0) {
            break;
        }
        if (ox_stop_requested(stop)) {
#if LIBCURL_VERSION_NUM >= 0x075700
            /* Do not wait for a thread that resolves a name. */
            curl_easy_setopt(transfer->easy, CURLOPT_QUICK_EXIT, 1L);
#endif
            return ox_err_set(transfer->err, OX_ECANCELED, "stopped");
        }
    }
    message = curl_multi_info_read(http->multi, &left);
    if (transfer->code != OX_OK) {
        return transfer->code;
    }
    if (message == NULL || message->msg != CURLMSG_DONE) {
        return ox_err_set(transfer->err, OX_EINTERNAL, "HTTP client: no result");
    }
    return message->data.result == CURLE_OK ? OX_OK : explain(transfer, message->data.result, url);
}

static enum ox_code perform_once(struct ox_http *http, const struct ox_http_request *request,
                                 const char *url, bool other_host, struct ox_http_answer *answer,
                                 struct ox_err *err)
{
    struct transfer transfer = {
        .easy = http->easy, .request = request, .answer = answer, .err = err, .code = OX_OK};
    struct curl_slist *headers = NULL;
    uint64_t body_before = answer->body_bytes;
    long head_bytes = 0;
    enum ox_code code = build_headers(request, other_host, &headers, err);

    if (code != OX_OK) {
        return code;
    }
    transfer.body_at = request->body_offset;
    answer->status = 0;
    set_options(http, &transfer, url, headers);
    if (curl_multi_add_handle(http->multi, http->easy) != CURLM_OK) {
        code = ox_err_nomem(err, "a transfer");
    } else {
        code = drive(http, &transfer, url);
        (void)curl_easy_getinfo(http->easy, CURLINFO_HEADER_SIZE, &head_bytes);
        (void)curl_multi_remove_handle(http->multi, http->easy);
        answer->wire_bytes += (uint64_t)head_bytes + answer->body_bytes - body_before;
    }
    curl_easy_setopt(http->easy, CURLOPT_ERRORBUFFER, NULL);
    curl_slist_free_all(headers);
    return code;
}

/* --- redirects: our own, since libcurl's take custom headers along to other hosts --- */

static bool same_part(CURLU *a, CURLU *b, CURLUPart part)
{
    char *left = NULL;
    char *right = NULL;
    bool same = curl_url_get(a, part, &left, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                curl_url_get(b, part, &right, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                strcasecmp(left, right) == 0;

    curl_free(left);
    curl_free(right);
    return same;
}

/* Same scheme, host and port? A change from https to http is another host, too. */
static bool same_origin(const char *url_a, const char *url_b)
{
    CURLU *a = curl_url();
    CURLU *b = curl_url();
    bool same = a != NULL && b != NULL && curl_url_set(a, CURLUPART_URL, url_a, 0) == CURLUE_OK &&
                curl_url_set(b, CURLUPART_URL, url_b, 0) == CURLUE_OK &&
                same_part(a, b, CURLUPART_SCHEME) && same_part(a, b, CURLUPART_HOST) &&
                same_part(a, b, CURLUPART_PORT);

    curl_url_cleanup(a);
    curl_url_cleanup(b);
    return same;
}

/* Where the answer sends us, or NULL. Lent by libcurl until the next transfer. */
static const char *redirect_of(const struct ox_http *http, const struct ox_http_request *request,
                               const struct ox_http_answer *answer)
{
    char *url = NULL;

    if (!request->follow_redirects || answer->status < 300 || answer->status > 399 ||
        (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) ||
        curl_easy_getinfo(http->easy, CURLINFO_REDIRECT_URL, &url) != CURLE_OK) {
        return NULL;
    }
    return url;
}

enum ox_code ox_http_perform(struct ox_http *http, const struct ox_http_request *request,
                             struct ox_http_answer *answer, struct ox_err *err)
{
    char *url = NULL;
    bool other_host = false;
    enum ox_code code = OX_OK;

    if (request->body_source != NULL && request->body_offset > request->body_source->size_bytes) {
        return ox_err_set(err, OX_EINVAL, "the upload would begin behind the end of its source");
    }
    code = ox_strdup(&url, request->url, err);
    for (int hop = 0; code == OX_OK; hop++) {
        const char *next;
        char *copy = NULL;

        code = perform_once(http, request, url, other_host, answer, err);
        next = code == OX_OK ? redirect_of(http, request, answer) : NULL;
        if (next == NULL) {
            break;
        }
        if (hop == REDIRECTS_MAX) {
            code = ox_err_set(err, OX_EPROTO, "more than %d redirects", REDIRECTS_MAX);
            break;
        }
        other_host = other_host || !same_origin(request->url, next);
        answer->body.len_bytes = 0;
        answer->body_bytes = 0;
        code = ox_strdup(&copy, next, err);
        free(url);
        url = copy;
    }
    free(url);
    return code;
}
