#include "oxide/base/prometheus.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)
#define SECONDS_MAX 32

/* --- histograms --- */

const uint64_t ox_histogram_bounds_ns[OX_HISTOGRAM_BOUNDS] = {
    100000,   250000,    500000,    1000000,   2500000,    5000000,    10000000,   25000000,
    50000000, 100000000, 250000000, 500000000, 1000000000, 2500000000, 5000000000, 10000000000,
};

void ox_histogram_add(struct ox_histogram *histogram, uint64_t duration_ns)
{
    size_t i = 0;

    while (i < OX_HISTOGRAM_BOUNDS && duration_ns > ox_histogram_bounds_ns[i]) {
        i++;
    }
    (void)atomic_fetch_add_explicit(&histogram->buckets[i], 1, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&histogram->sum_ns, duration_ns, memory_order_relaxed);
}

uint64_t ox_histogram_count(struct ox_histogram *histogram)
{
    uint64_t count = 0;

    for (size_t i = 0; i <= OX_HISTOGRAM_BOUNDS; i++) {
        count += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
    }
    return count;
}

/* --- text --- */

static void put(struct ox_prom *out, const char *bytes, size_t len_bytes)
{
    if (out->code == OX_OK) {
        out->code = ox_buf_append(&out->text, bytes, len_bytes, out->err);
    }
}

static void put_text(struct ox_prom *out, const char *text)
{
    put(out, text, strlen(text));
}

/* `escaped`: the characters that stand as a backslash and themselves, or n for a line feed. */
static void put_escaped(struct ox_prom *out, const char *text, const char *escaped)
{
    while (*text != '\0') {
        size_t plain = strcspn(text, escaped);

        put(out, text, plain);
        text += plain;
        if (*text != '\0') {
            put(out, "\\", 1);
            put(out, *text == '\n' ? "n" : text, 1);
            text++;
        }
    }
}

static void put_sample(struct ox_prom *out, const char *suffix, const struct ox_prom_label *labels,
                       size_t count, const char *value)
{
    put_text(out, out->name);
    put_text(out, suffix);
    for (size_t i = 0; i < count; i++) {
        put_text(out, i == 0 ? "{" : ",");
        put_text(out, labels[i].name);
        put_text(out, "=\"");
        put_escaped(out, labels[i].value == NULL ? "" : labels[i].value, "\\\"\n");
        put_text(out, "\"");
    }
    put_text(out, count > 0 ? "} " : " ");
    put_text(out, value);
    put_text(out, "\n");
}

void ox_prom_begin(struct ox_prom *out, const struct ox_prom_family *family)
{
    static const char *const types[] = {[OX_PROM_COUNTER] = "counter",
                                        [OX_PROM_GAUGE] = "gauge",
                                        [OX_PROM_HISTOGRAM] = "histogram"};

    out->name = family->name;
    put_text(out, "# HELP ");
    put_text(out, family->name);
    put_text(out, " ");
    put_escaped(out, family->help, "\\\n");
    put_text(out, "\n# TYPE ");
    put_text(out, family->name);
    put_text(out, " ");
    put_text(out, types[family->type]);
    put_text(out, "\n");
}

/* As integers, so that nothing is rounded and no locale sets the decimal point. */
static const char *seconds_of(uint64_t value_ns, char text[SECONDS_MAX])
{
    size_t len = (size_t)snprintf(text, SECONDS_MAX, "%" PRIu64 ".%09" PRIu64, value_ns / NS_PER_S,
                                  value_ns % NS_PER_S);

    while (text[len - 1] == '0') {
        text[--len] = '\0';
    }
    if (text[len - 1] == '.') {
        text[len - 1] = '\0';
    }
    return text;
}

static void put_number(struct ox_prom *out, const char *suffix, const struct ox_prom_label *labels,
                       size_t count, uint64_t value)
{
    char text[SECONDS_MAX];

    (void)snprintf(text, sizeof(text), "%" PRIu64, value);
    put_sample(out, suffix, labels, count, text);
}

void ox_prom_number(struct ox_prom *out, const struct ox_prom_label *labels, size_t count,
                    uint64_t value)
{
    put_number(out, "", labels, count, value);
}

void ox_prom_seconds(struct ox_prom *out, const struct ox_prom_label *labels, size_t count,
                     uint64_t value_ns)
{
    char text[SECONDS_MAX];

    put_sample(out, "", labels, count, seconds_of(value_ns, text));
}

void ox_prom_histogram(struct ox_prom *out, const struct ox_prom_label *labels, size_t count,
                       struct ox_histogram *histogram)
{
    struct ox_prom_label all[OX_PROM_LABELS_MAX + 1];
    char text[SECONDS_MAX];
    uint64_t so_far = 0;

    for (size_t i = 0; i < count; i++) {
        all[i] = labels[i];
    }
    for (size_t i = 0; i <= OX_HISTOGRAM_BOUNDS; i++) {
        so_far += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        all[count].name = "le";
        all[count].value =
            i < OX_HISTOGRAM_BOUNDS ? seconds_of(ox_histogram_bounds_ns[i], text) : "+Inf";
        put_number(out, "_bucket", all, count + 1, so_far);
    }
    put_sample(out, "_sum", labels, count,
               seconds_of(atomic_load_explicit(&histogram->sum_ns, memory_order_relaxed), text));
    put_number(out, "_count", labels, count, so_far);
}
