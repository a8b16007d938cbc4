#include "oxide/wire/reads.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READS_TEXT_LIMIT 512

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

static enum ox_code parse_ops(const char *at, size_t len, uint64_t *out, struct ox_err *err)
{
    uint64_t ops = 0;

    if (len == 0 || len > 16 || strspn(at, "0123456789abcdefABCDEF") < len) {
        return ox_err_set(err, OX_EINVAL, "ops=%.*s must be 1 to 16 hex digits",
                          len > 32 ? 32 : (int)len, at);
    }
    for (size_t i = 0; i < len; i++) {
        char digit[2] = {at[i], '\0'};

        ops = ops << 4 | (uint64_t)strtoul(digit, NULL, 16);
    }
    *out = ops;
    return OX_OK;
}

/* More than we ever send is as much as that. */
static enum ox_code parse_chains(const char *at, size_t len, uint64_t *out, struct ox_err *err)
{
    if (len == 0 || len > 4 || strspn(at, "0123456789") < len) {
        return ox_err_set(err, OX_EINVAL, "chains=%.*s must be a number of up to 4 digits",
                          len > 32 ? 32 : (int)len, at);
    }
    *out = strtoull(at, NULL, 10);
    return OX_OK;
}

/* One "name; key=value; ..." of the list, which ends at `end`. */
static enum ox_code parse_entry(const char *at, const char *end, struct ox_reads *reads,
                                struct ox_err *err)
{
    size_t name_len = strcspn(at, "; \t,");
    bool is_oxdl2 = name_len == 6 && strncmp(at, "oxdl/2", 6) == 0;

    if (name_len == 6 && strncmp(at, "oxdl/1", 6) == 0) {
        reads->oxdl1 = true;
    }
    if (name_len == 8 && strncmp(at, OX_READS_REMOVE, 8) == 0) {
        reads->removes = true;
    }
    if (is_oxdl2) {
        reads->oxdl2 = true;
    }
    for (at += name_len; at < end;) {
        at = skip_blanks(at);
        if (at >= end || *at != ';') {
            break;
        }
        at = skip_blanks(at + 1);
        if (is_oxdl2 && strncmp(at, "ops=", 4) == 0) {
            size_t len = strcspn(at + 4, "; \t,");
            enum ox_code code = parse_ops(at + 4, len, &reads->oxdl2_ops, err);

            if (code != OX_OK) {
                return code;
            }
        } else if (is_oxdl2 && strncmp(at, "chains=", 7) == 0) {
            size_t len = strcspn(at + 7, "; \t,");
            enum ox_code code = parse_chains(at + 7, len, &reads->chains, err);

            if (code != OX_OK) {
                return code;
            }
        }
        at += strcspn(at, ";,");
    }
    return OX_OK;
}

enum ox_code ox_reads_parse(const char *text, struct ox_reads *out, struct ox_err *err)
{
    struct ox_reads reads = {.oxdl1 = false};

    if (strnlen(text, READS_TEXT_LIMIT + 1) > READS_TEXT_LIMIT) {
        return ox_err_set(err, OX_EINVAL, "a list of patch formats has at most %d characters",
                          READS_TEXT_LIMIT);
    }
    for (const char *at = text; *at != '\0';) {
        const char *end = at + strcspn(at, ",");
        enum ox_code code = parse_entry(skip_blanks(at), end, &reads, err);

        if (code != OX_OK) {
            return code;
        }
        at = *end == ',' ? end + 1 : end;
    }
    *out = reads;
    return OX_OK;
}

const char *ox_reads_text(const struct ox_reads *reads, char out[OX_READS_TEXT_MAX])
{
    char chains[32] = "";
    size_t len;

    out[0] = '\0';
    if (reads->chains > 0) {
        (void)snprintf(chains, sizeof(chains), "; chains=%" PRIu64, reads->chains);
    }
    if (reads->oxdl2) {
        (void)snprintf(out, OX_READS_TEXT_MAX, "oxdl/2; ops=%" PRIx64 "%s%s", reads->oxdl2_ops,
                       chains, reads->oxdl1 ? ", oxdl/1" : "");
    } else if (reads->oxdl1) {
        (void)snprintf(out, OX_READS_TEXT_MAX, "oxdl/1");
    }
    len = strlen(out);
    if (reads->removes) {
        (void)snprintf(out + len, OX_READS_TEXT_MAX - len, "%s%s", len == 0 ? "" : ", ",
                       OX_READS_REMOVE);
    }
    return out;
}
