#include "simulate_http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A size in a header or chunk: 16 hexadecimal or 19 decimal digits fit. */
#define HEX_DIGITS_MAX 15
#define DIGITS_MAX 18

void ox_sim_http_begin(struct ox_sim_http *http)
{
    bool no_body = http->no_body;

    http->state = OX_SIM_HTTP_STATUS;
    http->no_body = no_body;
    http->status = 0;
    http->keep = true;
    http->has_length = false;
    http->chunked = false;
    http->left_bytes = 0;
    http->body_bytes = 0;
    http->head_bytes = 0;
    http->line_len = 0;
}

/* --- lines --- */

/* "HTTP/1.1 200 OK" */
static enum ox_code take_status(struct ox_sim_http *http, struct ox_err *err)
{
    const char *line = http->line;

    if (http->line_len < 12 || strncmp(line, "HTTP/1.", 7) != 0 || line[8] != ' ' ||
        strspn(line + 9, "0123456789") != 3) {
        return ox_err_set(err, OX_EPROTO, "the server's answer is no HTTP");
    }
    http->keep = line[7] != '0';
    http->status = (unsigned)strtoul(line + 9, NULL, 10);
    http->state = OX_SIM_HTTP_HEADER;
    return OX_OK;
}

/* The value of a header line if it is this header, else NULL. */
static const char *value_of(const char *line, const char *name)
{
    size_t len = strlen(name);

    if (strncasecmp(line, name, len) != 0 || line[len] != ':') {
        return NULL;
    }
    line += len + 1;
    return line + strspn(line, " \t");
}

static bool is_word(const char *value, const char *word)
{
    size_t len = strlen(word);

    return strncasecmp(value, word, len) == 0 && value[len + strspn(value + len, " \t")] == '\0';
}

static enum ox_code take_header(struct ox_sim_http *http, struct ox_err *err)
{
    const char *value;

    if ((value = value_of(http->line, "Content-Length")) != NULL) {
        size_t digits = strspn(value, "0123456789");

        if (digits == 0 || digits > DIGITS_MAX || http->has_length) {
            return ox_err_set(err, OX_EPROTO, "the server's answer has a bad Content-Length");
        }
        http->has_length = true;
        http->left_bytes = strtoull(value, NULL, 10);
    } else if ((value = value_of(http->line, "Transfer-Encoding")) != NULL) {
        if (!is_word(value, "chunked")) {
            return ox_err_set(err, OX_EPROTO,
                              "the server's answer has a Transfer-Encoding other than chunked");
        }
        http->chunked = true;
    } else if ((value = value_of(http->line, "Connection")) != NULL) {
        http->keep = is_word(value, "close") ? false : is_word(value, "keep-alive") || http->keep;
    }
    return OX_OK;
}

static void end_head(struct ox_sim_http *http)
{
    bool empty = http->no_body || http->status == 204 || http->status == 304;

    if (http->status < 200) { /* 100 Continue: the answer is still to come */
        ox_sim_http_begin(http);
    } else if (empty || (!http->chunked && http->has_length && http->left_bytes == 0)) {
        http->state = OX_SIM_HTTP_DONE;
    } else if (http->chunked) {
        http->state = OX_SIM_HTTP_CHUNK_SIZE;
    } else if (http->has_length) {
        http->state = OX_SIM_HTTP_BODY;
    } else {
        http->keep = false;
        http->state = OX_SIM_HTTP_UNTIL_CLOSE;
    }
}

static enum ox_code take_chunk_size(struct ox_sim_http *http, struct ox_err *err)
{
    size_t digits = strspn(http->line, "0123456789abcdefABCDEF");

    if (digits == 0 || digits > HEX_DIGITS_MAX ||
        strchr("; \t", http->line[digits]) == NULL) { /* "" counts: strchr finds its NUL */
        return ox_err_set(err, OX_EPROTO, "the server's answer has a bad chunk");
    }
    http->left_bytes = strtoull(http->line, NULL, 16);
    http->state = http->left_bytes == 0 ? OX_SIM_HTTP_TRAILER : OX_SIM_HTTP_CHUNK;
    return OX_OK;
}

/* A line is whole, without its end. */
static enum ox_code take_line(struct ox_sim_http *http, struct ox_err *err)
{
    bool empty = http->line_len == 0;
    enum ox_code code = OX_OK;

    http->line[http->line_len] = '\0';
    switch (http->state) {
    case OX_SIM_HTTP_STATUS:
        code = take_status(http, err);
        break;
    case OX_SIM_HTTP_HEADER:
        code = empty ? OX_OK : take_header(http, err);
        if (empty) {
            end_head(http);
        }
        break;
    case OX_SIM_HTTP_CHUNK_SIZE:
        code = take_chunk_size(http, err);
        break;
    case OX_SIM_HTTP_CHUNK_END:
        code = empty ? OX_OK : ox_err_set(err, OX_EPROTO, "the server's answer has a bad chunk");
        http->state = OX_SIM_HTTP_CHUNK_SIZE;
        break;
    case OX_SIM_HTTP_TRAILER:
        http->state = empty ? OX_SIM_HTTP_DONE : OX_SIM_HTTP_TRAILER;
        break;
    case OX_SIM_HTTP_BODY:
    case OX_SIM_HTTP_CHUNK:
    case OX_SIM_HTTP_UNTIL_CLOSE:
    case OX_SIM_HTTP_DONE:
        break;
    }
    http->line_len = 0;
    return code;
}

static enum ox_code feed_line(struct ox_sim_http *http, const char *bytes, size_t len, size_t *used,
                              struct ox_err *err)
{
    const char *end = memchr(bytes, '\n', len);
    size_t take = end == NULL ? len : (size_t)(end - bytes);

    *used = end == NULL ? len : take + 1;
    http->head_bytes += *used;
    if (http->line_len + take >= sizeof(http->line) || http->head_bytes > OX_SIM_HEAD_MAX) {
        return ox_err_set(err, OX_EPROTO, "the server's answer has an endless head");
    }
    memcpy(http->line + http->line_len, bytes, take);
    http->line_len += take;
    if (end == NULL) {
        return OX_OK;
    }
    if (http->line_len > 0 && http->line[http->line_len - 1] == '\r') {
        http->line_len--;
    }
    if (memchr(http->line, '\0', http->line_len) != NULL) {
        return ox_err_set(err, OX_EPROTO, "the server's answer is no HTTP");
    }
    return take_line(http, err);
}

/* --- the body --- */

static void feed_body(struct ox_sim_http *http, const char *bytes, size_t len, size_t *used,
                      struct ox_sim_span *body)
{
    bool counted = http->state != OX_SIM_HTTP_UNTIL_CLOSE;
    size_t take = counted && http->left_bytes < len ? (size_t)http->left_bytes : len;

    *used = take;
    *body = (struct ox_sim_span){bytes, take};
    http->body_bytes += take;
    http->head_bytes = 0;
    if (!counted) {
        return;
    }
    http->left_bytes -= take;
    if (http->left_bytes == 0) {
        http->state = http->state == OX_SIM_HTTP_BODY ? OX_SIM_HTTP_DONE : OX_SIM_HTTP_CHUNK_END;
    }
}

enum ox_code ox_sim_http_feed(struct ox_sim_http *http, const char *bytes, size_t len, size_t *used,
                              struct ox_sim_span *body, struct ox_err *err)
{
    *used = 0;
    *body = (struct ox_sim_span){NULL, 0};
    switch (http->state) {
    case OX_SIM_HTTP_DONE:
        return OX_OK;
    case OX_SIM_HTTP_BODY:
    case OX_SIM_HTTP_CHUNK:
    case OX_SIM_HTTP_UNTIL_CLOSE:
        feed_body(http, bytes, len, used, body);
        return OX_OK;
    case OX_SIM_HTTP_STATUS:
    case OX_SIM_HTTP_HEADER:
    case OX_SIM_HTTP_CHUNK_SIZE:
    case OX_SIM_HTTP_CHUNK_END:
    case OX_SIM_HTTP_TRAILER:
        break;
    }
    return feed_line(http, bytes, len, used, err);
}

enum ox_code ox_sim_http_closed(struct ox_sim_http *http, struct ox_err *err)
{
    if (http->state == OX_SIM_HTTP_UNTIL_CLOSE) {
        http->state = OX_SIM_HTTP_DONE;
    }
    return http->state == OX_SIM_HTTP_DONE
               ? OX_OK
               : ox_err_set(err, OX_ENET, "the server closed the connection");
}
