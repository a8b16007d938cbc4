/**
 * The heartbeat: what a device says, and what it is told. Both sides build and parse it here.
 *
 * Unknown fields are ignored; unknown meanings of known fields are refused. In a request an absent
 * field means "unchanged" and null means "none". Devices of the first generation send
 * current_model, current_model_version, status, last_update_result and metrics alone, or no body at
 * all.
 */
#ifndef OXIDE_WIRE_HEARTBEAT_H
#define OXIDE_WIRE_HEARTBEAT_H

#include "oxide/base/manifest.h"
#include "oxide/base/window.h"
#include "oxide/wire/instance.h"
#include "oxide/wire/reads.h"
#include "oxide/wire/state.h"

#define OX_PROTOCOL_VERSION 1
#define OX_HEARTBEAT_MODELS_MAX 64
#define OX_HEARTBEAT_REPORTS_MAX 64
#define OX_HEARTBEAT_URLS_MAX 16
#define OX_REPORT_STAGES_MAX 16
#define OX_STAGE_WORD_MAX 32
#define OX_STAGE_MS_MAX ((int64_t)1 << 53) /* what every reader of JSON holds */
/** Bytes of a text for people in a message (errors); over it a peer is refused. */
#define OX_REPORT_TEXT_MAX 4096
#define OX_ASSIGNMENT_WINDOWS_MAX 8

/** A field that may be absent (unchanged), null (none), or a value. Strings are owned. */
enum ox_presence { OX_ABSENT, OX_NULL, OX_PRESENT };
struct ox_opt_str {
    enum ox_presence presence;
    char *value;
};

/** One model that a device runs. */
struct ox_device_model {
    char *model_id;
    char *version;
    struct ox_digest digest; /* of the artifact */
};

/** Where the bytes of an update came from. To add one: here, and its word in report.c. */
enum ox_origin {
    OX_ORIGIN_CONTROL_PLANE,
    OX_ORIGIN_MIRROR,  /* one of the assignment's blob_urls */
    OX_ORIGIN_EARLIER, /* they lay there: an earlier run of the agent had fetched them */
    OX_ORIGIN_HAND,    /* a person brought them */
    OX_ORIGINS
};

/** How one update goes or went. seq grows by one per report of a device, and survives restarts. */
struct ox_device_report {
    uint64_t seq;
    char *campaign_id; /* NULL: not of a campaign */
    char *model_id;
    char *version;
    enum ox_rollout_state state;
    char *error_code;    /* failed or skipped: download, verify, apply, health, disk, ...; complete:
                          * "patch" if the full files had to do; else NULL */
    char *error_message; /* goes with error_code */
    char *strategy;      /* "delta", "full", "none"; NULL while not known */
    char *stage;         /* of the agent's, in which it is or ended; NULL: not said */
    uint64_t bytes_received;
    uint64_t bytes_full;          /* what the whole artifact would have cost */
    uint64_t origins[OX_ORIGINS]; /* of bytes_received; all 0: not said */
    uint64_t duration_ms;
    json_t *stages_ms; /* owned: an object, milliseconds by stage; NULL: not said */
};

/** The installation that speaks. Text is empty, and a number 0, where it was not said. */
#define OX_UTC_OFFSET_S_MAX 64800 /* 18 h: more than any time zone */
#define OX_POLL_INTERVAL_S_MAX 86400
struct ox_installation {
    char instance[OX_INSTANCE_HEX + 1];
    char start[OX_START_HEX + 1];
    uint64_t poll_interval_s; /* how often it comes back */
    bool has_utc_offset;
    int64_t utc_offset_s; /* local time less UTC */
    uint64_t disk_free_bytes;
    uint64_t disk_total_bytes;
};

struct ox_heartbeat {
    struct ox_opt_str current_model;
    struct ox_opt_str current_version;
    enum ox_presence status_presence;
    enum ox_device_status status;
    enum ox_presence result_presence; /* last_update_result */
    bool result_failed;
    char *result_error; /* owned; NULL unless result_failed */
    json_t *metrics;    /* owned object, NULL if absent */
    json_t *platform;   /* owned object, NULL if absent */
    char *agent;        /* "oxide/0.1.0"; NULL from the first generation */
    uint64_t protocol;  /* 0 from the first generation */
    struct ox_installation installation;
    enum ox_presence reads_presence;
    struct ox_reads reads;
    enum ox_presence models_presence;
    struct ox_device_model *models; /* owned */
    size_t models_count;
    struct ox_device_report *reports; /* owned */
    size_t reports_count;
};

/** Free what it owns and become zero. */
void ox_device_report_clear(struct ox_device_report *report);

/** The word of a report's strategy that a text is, static: "delta", "full" or "none"; else NULL. */
const char *ox_report_strategy(const char *text);

/** Set key to the bytes by origin, unless all are 0. */
OX_MUST_USE enum ox_code ox_origins_put(json_t *object, const char *key,
                                        const uint64_t origins[OX_ORIGINS], struct ox_err *err);
/** Absent and null are zeros; words that are not known are passed by. Errors: OX_EINVAL. */
OX_MUST_USE enum ox_code ox_origins_take(const json_t *object, const char *key,
                                         uint64_t origins[OX_ORIGINS], struct ox_err *err);
/** An object of at most OX_REPORT_STAGES_MAX numbers up to OX_STAGE_MS_MAX under short words;
 * absent and null leave *out as it is. *out is a reference to release. Errors: OX_EINVAL. */
OX_MUST_USE enum ox_code ox_stages_ms_take(const json_t *object, const char *key, json_t **out,
                                           struct ox_err *err);

/** Free what it owns and become zero. A zeroed heartbeat says nothing (all absent). */
void ox_heartbeat_clear(struct ox_heartbeat *heartbeat);

/** Parse a request body; an empty body is a heartbeat that says nothing. Errors: OX_EINVAL. */
OX_MUST_USE enum ox_code ox_heartbeat_parse(const void *body, size_t len_bytes,
                                            struct ox_heartbeat *out, struct ox_err *err);

/**
 * Where the value of "metrics" stands in a request body: [*begin, *end), both len_bytes where there
 * is no such object. Bodies that differ in nothing else say the same. Cheaper than to parse it.
 * False where that cannot be told so: it is no object, or a key has escapes, or the metrics are not
 * flat or stand there twice. Nothing else is checked.
 */
bool ox_heartbeat_metrics_span(const char *body, size_t len_bytes, size_t *begin, size_t *end);

/** Is this an object of plain names and numbers, without blanks, as agents write their metrics?
 * Then it is valid as it stands, and need not be parsed for that. False says nothing. */
bool ox_heartbeat_metrics_are_plain(const char *metrics, size_t len_bytes);

/** Build a request body; the caller frees *out. */
OX_MUST_USE enum ox_code ox_heartbeat_build(const struct ox_heartbeat *heartbeat, char **out,
                                            struct ox_err *err);

/** Bytes by digest. size_bytes 0 and zero digest: none. */
struct ox_patch_ref {
    bool present;
    struct ox_digest sha256; /* of the patch file */
    uint64_t size_bytes;
    char *format;   /* "oxdl/2" or "oxdl/1" */
    char *strategy; /* "tensor" or "binary" */
};

/** Patches in a row, at most. */
#define OX_CHAIN_MAX 8

/** One of several patches that are applied one after the other, and what it rebuilds. */
struct ox_chain_link {
    struct ox_patch_ref patch;
    char *version;            /* of the last one NULL: the assignment's own, as the files */
    struct ox_digest digest;  /* of the artifact */
    struct ox_manifest files; /* the whole artifact */
};

/** One model that a device is to run. */
struct ox_assignment {
    char *campaign_id; /* NULL: none */
    char *model_id;
    char *version;
    struct ox_digest digest;  /* of the artifact */
    struct ox_manifest files; /* the whole artifact; empty if it is to go */
    bool remove;              /* it is to go: the device runs nothing of the model then */
    bool base_present;
    char *base_version; /* what the patch starts from */
    struct ox_digest base_digest;
    struct ox_patch_ref patch;
    struct ox_chain_link *chain; /* in place of the patch: owned */
    size_t chain_count;          /* 0: none; else 2 to OX_CHAIN_MAX */
    char
        *blob_urls[OX_HEARTBEAT_URLS_MAX]; /* GET url + "/" + hex digest; before the server's own */
    size_t blob_urls_count;
    bool urgent;     /* whatever the hour: windows do not hold it */
    bool patch_only; /* where the patch fails, so does the update: the full files are not for it */
    uint64_t rate_bps; /* bytes per second that it may fetch; 0: no limit */
    struct ox_window windows[OX_ASSIGNMENT_WINDOWS_MAX]; /* when it may begin, in its own time */
    size_t windows_count;                                /* 0: always */
};

struct ox_heartbeat_answer {
    char *assigned_model;              /* NULL: none */
    char *assigned_version;            /* NULL: none */
    bool assignments_present;          /* parsed: a server of the first generation says none */
    struct ox_assignment *assignments; /* owned */
    size_t assignments_count;
    bool reports_ack_present;
    uint64_t reports_ack;     /* every report up to this seq is durable at the server */
    uint64_t poll_interval_s; /* 0: the agent's own */
    uint64_t time_ms;         /* the server's, since 1970 UTC; 0: not told */
    char *device_id;          /* what the installation is called from now on; NULL: as before */
    char instance[OX_INSTANCE_HEX + 1]; /* its id from now on; empty: as before */
    bool replaced; /* another installation is the device: this one has nothing to do any more */
    bool resend;   /* the next heartbeat shall say all */
    bool brief; /* building alone: only what an agent that had nothing new to say wants to know */
};

void ox_assignment_clear(struct ox_assignment *assignment);
void ox_heartbeat_answer_clear(struct ox_heartbeat_answer *answer);

/** Build {status:"ok", assigned_model, assigned_model_version, assignments[]?, reports_ack?,
 *  poll_interval_s?, time?, device_id?, instance?, replaced?, resend?}; assignments[] stands there
 * if assignments_present or reports_ack_present is set, be it empty. A brief one has neither
 * assigned_model nor assigned_model_version nor reports_ack. The caller frees *out. */
OX_MUST_USE enum ox_code ox_heartbeat_answer_build(const struct ox_heartbeat_answer *answer,
                                                   char **out, struct ox_err *err);

/** Parse an answer. Errors: OX_EPROTO, naming the field. */
OX_MUST_USE enum ox_code ox_heartbeat_answer_parse(const void *body, size_t len_bytes,
                                                   struct ox_heartbeat_answer *out,
                                                   struct ox_err *err);

#endif
