#include "human.h"

#include <stdio.h>
#include <string.h>

const char *ox_human_count(uint64_t value, char out[OX_HUMAN_MAX])
{
    char digits[24];
    size_t len = (size_t)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
    size_t at = 0;

    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            out[at++] = ',';
        }
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

const char *ox_human_size(uint64_t bytes, char out[OX_HUMAN_MAX])
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes / 1000;
    size_t unit = 0;

    if (bytes < 1000) {
        (void)snprintf(out, OX_HUMAN_MAX, "%llu B", (unsigned long long)bytes);
        return out;
    }
    while (value >= 999.95 && unit + 1 < sizeof(units) / sizeof(units[0])) { /* prints as 1000.0 */
        value /= 1000;
        unit++;
    }
    (void)snprintf(out, OX_HUMAN_MAX, "%.1f %s", value, units[unit]);
    return out;
}

const char *ox_human_bytes(uint64_t bytes, char out[OX_HUMAN_MAX])
{
    char count[OX_HUMAN_MAX];
    char size[OX_HUMAN_MAX];

    if (bytes < 1000) {
        (void)snprintf(out, OX_HUMAN_MAX, "%llu byte%s", (unsigned long long)bytes,
                       bytes == 1 ? "" : "s");
    } else {
        (void)snprintf(out, OX_HUMAN_MAX, "%.30s bytes (%.20s)", ox_human_count(bytes, count),
                       ox_human_size(bytes, size));
    }
    return out;
}

const char *ox_human_duration(uint64_t ms, char out[OX_HUMAN_MAX])
{
    uint64_t s = ms / 1000;

    if (ms < 1000) {
        (void)snprintf(out, OX_HUMAN_MAX, "%u ms", (unsigned)ms);
    } else if (ms < 60000) {
        (void)snprintf(out, OX_HUMAN_MAX, "%u.%u s", (unsigned)s, (unsigned)(ms % 1000 / 100));
    } else if (s < 3600) {
        (void)snprintf(out, OX_HUMAN_MAX, "%u min %02u s", (unsigned)(s / 60), (unsigned)(s % 60));
    } else {
        (void)snprintf(out, OX_HUMAN_MAX, "%llu h %02u min", (unsigned long long)(s / 3600),
                       (unsigned)(s % 3600 / 60));
    }
    return out;
}

const char *ox_human_saved(uint64_t part, uint64_t whole, char out[OX_HUMAN_MAX])
{
    double tenths = part < whole ? (double)(whole - part) / (double)whole * 1000 : 0;

    (void)snprintf(out, OX_HUMAN_MAX, "%u.%u %%", (unsigned)tenths / 10, (unsigned)tenths % 10);
    return out;
}

const char *ox_human_shape(const uint64_t *shape, uint32_t rank, char *out, size_t out_bytes)
{
    size_t at = 0;

    (void)snprintf(out, out_bytes, "scalar");
    for (uint32_t d = 0; d < rank && at + 24 < out_bytes; d++) {
        at += (size_t)snprintf(out + at, out_bytes - at, "%s%llu", d == 0 ? "" : " x ",
                               (unsigned long long)shape[d]);
    }
    return out;
}

/* The place behind `columns` code points. */
static char *skip_columns(char *text, size_t columns)
{
    for (; *text != '\0'; text++) {
        if (((unsigned char)*text & 0xc0) != 0x80 && columns-- == 0) {
            break;
        }
    }
    return text;
}

void ox_human_cut(char *text, size_t columns)
{
    size_t used = ox_human_columns(text);
    size_t keep = columns - 3;
    char *from;
    char *to;

    if (used <= columns) {
        return;
    }
    to = skip_columns(text, keep / 2); /* names tell more at their ends than in front */
    from = skip_columns(to, used - keep);
    memset(to, '.', 3); /* four or more code points go */
    memmove(to + 3, from, strlen(from) + 1);
}

void ox_human_cut_end(char *text, size_t columns)
{
    *skip_columns(text, columns) = '\0';
}

size_t ox_human_columns(const char *text)
{
    size_t columns = 0;

    for (; *text != '\0'; text++) {
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return columns;
}
