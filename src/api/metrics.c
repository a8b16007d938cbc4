#include "metrics.h"

#include "recorder.h"

#include "oxide/base/usage.h"
#include "oxide/control/figures.h"

#include <stddef.h>

/* To add a metric: its figure (control/figures.h, or a source of its own here), a row in one of the
 * tables below, and a row in docs/serve.md, which tests/e2e/metrics.sh compares with the answer. */

#define FIGURE(member) offsetof(struct ox_figures, member)

/* --- of the control plane --- */

/* A sample per word. */
static const struct by_word {
    struct ox_prom_family family;
    const char *label;
    size_t figures; /* a struct ox_word_figures */
} by_word[] = {
    {{"oxide_devices", OX_PROM_GAUGE, "Registered devices by status."}, "status", FIGURE(devices)},
    {{"oxide_campaigns", OX_PROM_GAUGE, "Campaigns by state."}, "state", FIGURE(campaigns)},
    {{"oxide_delta_jobs", OX_PROM_GAUGE, "Delta jobs that are known, by state."},
     "state",
     FIGURE(jobs)},
    {{"oxide_delta_jobs_ended_total", OX_PROM_COUNTER,
      "Delta jobs that workers ended, by the state in which they left them."},
     "state",
     FIGURE(ended)},
    {{"oxide_served_bytes_total", OX_PROM_COUNTER,
      "Body bytes of downloads that crossed the wire, by kind."},
     "kind",
     FIGURE(sent)},
    {{"oxide_heartbeats_total", OX_PROM_COUNTER,
      "Heartbeats that were answered, by where the answer came from."},
     "source",
     FIGURE(beats)},
};

/* One sample. */
static const struct single {
    struct ox_prom_family family;
    size_t figure; /* a uint64_t; UINT64_MAX is left out */
    bool is_ns;
} singles[] = {
    {{"oxide_pending_devices", OX_PROM_GAUGE, "Devices that ask and wait to be accepted."},
     FIGURE(pending_devices),
     false},
    {{"oxide_saved_bytes_total", OX_PROM_COUNTER,
      "Bytes that devices which completed were not sent: the full size less what they took."},
     FIGURE(saved_bytes),
     false},
    {{"oxide_delta_jobs_begun_total", OX_PROM_COUNTER, "Delta jobs that workers were at."},
     FIGURE(begun),
     false},
    {{"oxide_delta_job_seconds_total", OX_PROM_COUNTER, "Time that workers were at delta jobs."},
     FIGURE(worked_ns),
     true},
    {{"oxide_assignments_held", OX_PROM_GAUGE,
      "1 while nothing is assigned, after a backup was restored."},
     FIGURE(holding),
     false},
    {{"oxide_patch_cache_bytes", OX_PROM_GAUGE, "Patches that are kept."},
     FIGURE(patch_bytes),
     false},
    {{"oxide_patch_cache_max_bytes", OX_PROM_GAUGE, "Patches that are kept at most."},
     FIGURE(patch_bytes_max),
     false},
    {{"oxide_database_bytes", OX_PROM_GAUGE, "The file of the database."},
     FIGURE(database_bytes),
     false},
    {{"oxide_database_wal_bytes", OX_PROM_GAUGE, "The database's write-ahead log."},
     FIGURE(wal_bytes),
     false},
    {{"oxide_store_blobs", OX_PROM_GAUGE, "Blobs that are held."}, FIGURE(store_blobs), false},
    {{"oxide_store_bytes", OX_PROM_GAUGE, "Blobs that are held, together."},
     FIGURE(store_bytes),
     false},
    {{"oxide_store_free_bytes", OX_PROM_GAUGE, "What is free where blobs are held."},
     FIGURE(store_free_bytes),
     false},
};

static const struct of_webhook {
    struct ox_prom_family family;
    size_t figure;
} of_webhooks[] = {
    {{"oxide_webhook_backlog_events", OX_PROM_GAUGE,
      "Events, of all kinds, that are behind what the receiver took last."},
     offsetof(struct ox_webhook_figures, backlog)},
    {{"oxide_webhook_delivered_events_total", OX_PROM_COUNTER, "Events that the receiver took."},
     offsetof(struct ox_webhook_figures, delivered)},
    {{"oxide_webhook_lost_events_total", OX_PROM_COUNTER,
      "Events that the log dropped before the receiver took them."},
     offsetof(struct ox_webhook_figures, lost)},
    {{"oxide_webhook_failed_tries_total", OX_PROM_COUNTER, "Deliveries that failed."},
     offsetof(struct ox_webhook_figures, failed_tries)},
    {{"oxide_webhook_stopped", OX_PROM_GAUGE, "1 where the receiver said that it is gone."},
     offsetof(struct ox_webhook_figures, stopped)},
};

static const void *member(const void *of, size_t offset)
{
    return (const char *)of + offset;
}

static void write_campaigns(const struct ox_figures *figures, struct ox_prom *out)
{
    static const struct ox_prom_family family = {"oxide_campaign_devices", OX_PROM_GAUGE,
                                                 "Devices in campaigns under way, by state."};

    ox_prom_begin(out, &family);
    for (size_t i = 0; i < figures->under_way_count; i++) {
        const struct ox_campaign_figures *campaign = &figures->under_way[i];

        for (size_t j = 0; j < campaign->devices.count; j++) {
            const struct ox_prom_label labels[] = {{"campaign", campaign->id},
                                                   {"model", campaign->model_id},
                                                   {"version", campaign->version},
                                                   {"state", campaign->devices.word[j]}};

            ox_prom_number(out, labels, 4, campaign->devices.value[j]);
        }
    }
}

static void write_webhooks(const struct ox_figures *figures, struct ox_prom *out)
{
    for (size_t i = 0; i < sizeof(of_webhooks) / sizeof(of_webhooks[0]); i++) {
        ox_prom_begin(out, &of_webhooks[i].family);
        for (size_t j = 0; j < figures->webhook_count; j++) {
            const struct ox_prom_label label = {"webhook", figures->webhooks[j].id};

            ox_prom_number(out, &label, 1,
                           *(const uint64_t *)member(&figures->webhooks[j], of_webhooks[i].figure));
        }
    }
}

static enum ox_code write_figures(void *ctx, const struct ox_figures *figures, struct ox_err *err)
{
    struct ox_prom *out = ctx;

    (void)err; /* the writer keeps it */
    for (size_t i = 0; i < sizeof(by_word) / sizeof(by_word[0]); i++) {
        const struct ox_word_figures *words = member(figures, by_word[i].figures);

        ox_prom_begin(out, &by_word[i].family);
        for (size_t j = 0; j < words->count; j++) {
            const struct ox_prom_label label = {by_word[i].label, words->word[j]};

            ox_prom_number(out, &label, 1, words->value[j]);
        }
    }
    for (size_t i = 0; i < sizeof(singles) / sizeof(singles[0]); i++) {
        uint64_t value = *(const uint64_t *)member(figures, singles[i].figure);

        if (value != UINT64_MAX) {
            ox_prom_begin(out, &singles[i].family);
            (singles[i].is_ns ? ox_prom_seconds : ox_prom_number)(out, NULL, 0, value);
        }
    }
    write_campaigns(figures, out);
    write_webhooks(figures, out);
    return out->code;
}

/* --- of requests and of the process --- */

static void put(struct ox_prom *out, const char *name, enum ox_prom_type type, const char *help,
                uint64_t value)
{
    const struct ox_prom_family family = {name, type, help};

    ox_prom_begin(out, &family);
    ox_prom_number(out, NULL, 0, value);
}

static void write_requests(struct ox_api *api, struct ox_prom *out)
{
    put(out, "oxide_http_requests_in_flight", OX_PROM_GAUGE,
        "Requests between their first byte and their end, this one among them.",
        atomic_load(&api->active));
    put(out, "oxide_http_requests_with_workers", OX_PROM_GAUGE,
        "Of them, those that a worker has or that wait for one.", atomic_load(&api->suspended));
    put(out, "oxide_http_connections", OX_PROM_GAUGE, "Connections that are open.",
        ox_conns_count(api->conns));
    put(out, "oxide_http_connections_max", OX_PROM_GAUGE, "Connections that may be open.",
        ox_conns_max(api->conns));
    ox_recorder_write(api->recorder, out);
}

/* The names are those that all of Prometheus's own clients give. */
static enum ox_code write_process(const struct ox_api *api, struct ox_prom *out, struct ox_err *err)
{
    static const struct ox_prom_family processor = {"process_cpu_seconds_total", OX_PROM_COUNTER,
                                                    "Processor time, user and system."};
    static const struct ox_prom_family started = {"process_start_time_seconds", OX_PROM_GAUGE,
                                                  "When the server began, since 1970 UTC."};
    static const struct ox_prom_family build = {"oxide_build_info", OX_PROM_GAUGE,
                                                "1, of this release."};
    const struct ox_prom_label version = {"version", api->version};
    struct ox_usage usage;
    enum ox_code code = ox_usage_read(&usage, err);

    if (code != OX_OK) {
        return code;
    }
    put(out, "process_resident_memory_bytes", OX_PROM_GAUGE, "Resident memory.",
        usage.resident_bytes);
    put(out, "process_virtual_memory_bytes", OX_PROM_GAUGE, "Virtual memory.", usage.virtual_bytes);
    put(out, "process_threads", OX_PROM_GAUGE, "Threads.", usage.threads);
    put(out, "process_open_fds", OX_PROM_GAUGE, "Open file descriptors.", usage.open_fds);
    if (usage.max_fds != UINT64_MAX) {
        put(out, "process_max_fds", OX_PROM_GAUGE, "File descriptors that may be open.",
            usage.max_fds);
    }
    ox_prom_begin(out, &processor);
    ox_prom_seconds(out, NULL, 0, usage.processor_ns);
    ox_prom_begin(out, &started);
    ox_prom_seconds(out, NULL, 0, (uint64_t)api->started_ms * 1000000);
    ox_prom_begin(out, &build);
    ox_prom_number(out, &version, 1, 1);
    return out->code;
}

enum ox_code ox_metrics_write(struct ox_api *api, struct ox_prom *out, struct ox_err *err)
{
    const struct ox_figures_reader reader = {out, write_figures};
    enum ox_code code = ox_control_figures(api->control, &reader, err);

    if (code == OX_OK) {
        write_requests(api, out);
        code = write_process(api, out, err);
    }
    return code;
}
