#include "sse.h"

#include <stdio.h>
#include <string.h>

void ox_sse_reset(struct ox_sse *sse)
{
    sse->line.len_bytes = 0;
    sse->data.len_bytes = 0;
    sse->type[0] = '\0';
    sse->after_cr = false;
}

void ox_sse_clear(struct ox_sse *sse)
{
    ox_buf_clear(&sse->line);
    ox_buf_clear(&sse->data);
    ox_sse_reset(sse);
}

/* The end of a block. The last line feed of the data is not part of it. */
static enum ox_code dispatch(struct ox_sse *sse, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    if (sse->data.len_bytes > 0) {
        sse->data.data[sse->data.len_bytes - 1] = '\0';
        code = sse->event(sse->ctx, sse->type, (const char *)sse->data.data, err);
    }
    sse->data.len_bytes = 0;
    sse->type[0] = '\0';
    return code;
}

static enum ox_code end_line(struct ox_sse *sse, struct ox_err *err)
{
    char *line;
    char *value;
    enum ox_code code = ox_buf_append(&sse->line, "", 1, err);

    if (code != OX_OK) {
        return code;
    }
    line = (char *)sse->line.data;
    sse->line.len_bytes = 0;
    if (line[0] == '\0') {
        return dispatch(sse, err);
    }
    value = strchr(line, ':'); /* a comment begins with it */
    if (value == NULL) {
        value = line + strlen(line);
    } else {
        *value++ = '\0';
        value += *value == ' ';
    }
    if (strcmp(line, "data") == 0) {
        code = ox_buf_printf(&sse->data, err, "%s\n", value);
    } else if (strcmp(line, "event") == 0) {
        (void)snprintf(sse->type, sizeof(sse->type), "%s", value);
    } else if (strcmp(line, "id") == 0) {
        (void)snprintf(sse->last_id, sizeof(sse->last_id), "%s", value);
    }
    return code;
}

enum ox_code ox_sse_feed(struct ox_sse *sse, const void *bytes, size_t len_bytes,
                         struct ox_err *err)
{
    const char *at = bytes;
    const char *end = at + len_bytes;
    enum ox_code code = OX_OK;

    while (code == OX_OK && at < end) {
        size_t len = 0;

        if (sse->after_cr && *at == '\n') {
            sse->after_cr = false;
            at++;
            continue;
        }
        sse->after_cr = false;
        while (at + len < end && at[len] != '\n' && at[len] != '\r') {
            len++;
        }
        if (sse->line.len_bytes + len > OX_SSE_LINE_MAX) {
            return ox_err_set(err, OX_EPROTO, "an event has a line of more than %zu bytes",
                              OX_SSE_LINE_MAX);
        }
        code = ox_buf_append(&sse->line, at, len, err);
        at += len;
        if (code == OX_OK && at < end) {
            sse->after_cr = *at++ == '\r';
            code = end_line(sse, err);
        }
    }
    return code;
}
