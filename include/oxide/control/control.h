/**
 * The control plane without HTTP: what is published, who runs what, who is to run what, and the
 * deltas between. Answers are JSON documents in the shapes of docs/rest.md, which the caller
 * releases (json_decref). Every function but new, start, stop and free may be called from any
 * thread; what an answer says is durable when the call returns.
 *
 * Errors of all: OX_EINVAL, OX_ENOTFOUND, OX_ECONFLICT as docs/rest.md says; OX_EIO, OX_ENOSPC,
 * OX_ECORRUPT, OX_ENOMEM from below.
 */
#ifndef OXIDE_CONTROL_CONTROL_H
#define OXIDE_CONTROL_CONTROL_H

#include "oxide/base/clock.h"
#include "oxide/base/digest.h"
#include "oxide/base/json.h"
#include "oxide/base/log.h"

#include <stdint.h>

struct ox_store;
struct ox_registry;
struct ox_control;

/** How often devices come back where nobody said otherwise: the agent's own default. A device that
 *  was silent for three intervals is offline. */
#define OX_POLL_INTERVAL_S_DEFAULT 30

struct ox_control_options {
    struct ox_store *store; /* lent, as all of these */
    struct ox_registry *registry;
    const struct ox_clock *clock; /* NULL: the system's */
    const struct ox_log *log;     /* may be NULL */
    unsigned delta_workers;       /* threads that make deltas; 0: processors less one */
    unsigned delta_effort;        /* of each, as in ox_delta_options; 0: the default */
    uint64_t delta_wait_s;        /* an assignment waits so long for its delta */
    uint64_t poll_interval_s;     /* how often devices shall come back; 0: as they themselves say */
    const char *const *blob_urls; /* where devices fetch blobs first */
    size_t blob_urls_count;
};

/** Deltas that were running when the process ended are queued again. */
OX_MUST_USE enum ox_code ox_control_new(struct ox_control **out,
                                        const struct ox_control_options *options,
                                        struct ox_err *err);
/** Start the threads: delta workers and the clockwork. */
OX_MUST_USE enum ox_code ox_control_start(struct ox_control *control, struct ox_err *err);
/** End the threads, cancelling deltas, and write what is in memory. */
void ox_control_stop(struct ox_control *control);
void ox_control_free(struct ox_control *control);

/** What the clockwork does every second: open stages, end campaigns. `flush`: write last-seen
 *  times, metrics and byte counts too. Tests call it in place of ox_control_start. */
OX_MUST_USE enum ox_code ox_control_tick(struct ox_control *control, bool flush,
                                         struct ox_err *err);
/** What a worker does: make the most awaited delta. *made is false if none was queued. */
OX_MUST_USE enum ox_code ox_control_make_delta(struct ox_control *control, bool *made,
                                               struct ox_err *err);

/* --- devices --- */

OX_MUST_USE enum ox_code ox_control_device_register(struct ox_control *control, const json_t *body,
                                                    bool *created, json_t **out,
                                                    struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_devices(struct ox_control *control, json_t **out,
                                            struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_device(struct ox_control *control, const char *id, json_t **out,
                                           struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_device_remove(struct ox_control *control, const char *id,
                                                  json_t **out, struct ox_err *err);
/** The answer's text, which the caller frees. */
OX_MUST_USE enum ox_code ox_control_heartbeat(struct ox_control *control, const char *id,
                                              const void *body, size_t len_bytes, char **out,
                                              struct ox_err *err);

/* --- fleets --- */

OX_MUST_USE enum ox_code ox_control_fleet_create(struct ox_control *control, const json_t *body,
                                                 json_t **out, struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_fleets(struct ox_control *control, json_t **out,
                                           struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_fleet(struct ox_control *control, const char *id, json_t **out,
                                          struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_fleet_status(struct ox_control *control, const char *id,
                                                 json_t **out, struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_fleet_add(struct ox_control *control, const char *id,
                                              const char *device_id, json_t **out,
                                              struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_fleet_remove(struct ox_control *control, const char *id,
                                                 const char *device_id, json_t **out,
                                                 struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_fleet_deploy(struct ox_control *control, const char *id,
                                                 const json_t *body, json_t **out,
                                                 struct ox_err *err);

/* --- campaigns --- */

OX_MUST_USE enum ox_code ox_control_campaign_create(struct ox_control *control, const json_t *body,
                                                    json_t **out, struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_campaigns(struct ox_control *control, json_t **out,
                                              struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_campaign(struct ox_control *control, const char *id,
                                             json_t **out, struct ox_err *err);

enum ox_campaign_action { OX_ACTION_PAUSE, OX_ACTION_RESUME, OX_ACTION_ABORT };
OX_MUST_USE enum ox_code ox_control_campaign_act(struct ox_control *control, const char *id,
                                                 enum ox_campaign_action action, json_t **out,
                                                 struct ox_err *err);

/* --- models --- */

OX_MUST_USE enum ox_code ox_control_models(struct ox_control *control, json_t **out,
                                           struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_model(struct ox_control *control, const char *id, json_t **out,
                                          struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_version(struct ox_control *control, const char *model_id,
                                            const char *version, json_t **out, struct ox_err *err);

/** A size that the sender did not tell. */
#define OX_SIZE_UNKNOWN UINT64_MAX

/** A version of one file on its way in: begin, write, then finish or abort (which free it). */
struct ox_publish;
/** Errors: OX_ENOSPC if size_bytes does not fit on the disk. */
OX_MUST_USE enum ox_code ox_control_publish_begin(struct ox_control *control, const char *model_id,
                                                  const char *version, uint64_t size_bytes,
                                                  struct ox_publish **out, struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_publish_write(struct ox_publish *publish, const void *bytes,
                                                  size_t len_bytes, struct ox_err *err);
/** Store, find the layout, register, queue deltas. Same bytes again: *created is false. */
OX_MUST_USE enum ox_code ox_control_publish_finish(struct ox_publish *take_publish, bool *created,
                                                   json_t **out, struct ox_err *err);
void ox_control_publish_abort(struct ox_publish *take_publish);
/** Publish a version of files that are held: {files:[...]}. */
OX_MUST_USE enum ox_code ox_control_publish_manifest(struct ox_control *control,
                                                     const char *model_id, const char *version,
                                                     const json_t *body, bool *created,
                                                     json_t **out, struct ox_err *err);

/* --- blobs --- */

OX_MUST_USE enum ox_code ox_control_upload_status(struct ox_control *control,
                                                  const struct ox_digest *digest, json_t **out,
                                                  struct ox_err *err);
/** A blob on its way in. */
struct ox_upload;
/**
 * *out is NULL if the blob is held already, with *received_bytes its size. first_byte 0 begins
 * anew. total_bytes may be OX_SIZE_UNKNOWN. Errors: OX_ECONFLICT if first_byte is not what was
 * received, which *received_bytes tells; OX_EBUSY.
 */
OX_MUST_USE enum ox_code ox_control_upload_begin(struct ox_control *control,
                                                 const struct ox_digest *digest,
                                                 uint64_t first_byte, uint64_t total_bytes,
                                                 struct ox_upload **out, uint64_t *received_bytes,
                                                 struct ox_err *err);
OX_MUST_USE enum ox_code ox_control_upload_write(struct ox_upload *upload, const void *bytes,
                                                 size_t len_bytes, struct ox_err *err);
/** *complete is false if total_bytes were not reached: what came is kept. Errors: OX_EDIGEST. */
OX_MUST_USE enum ox_code ox_control_upload_finish(struct ox_upload *take_upload, bool *complete,
                                                  json_t **out, struct ox_err *err);
/** The connection broke (`keep` what came) or the disk is full. */
void ox_control_upload_abort(struct ox_upload *take_upload, bool keep);

/** Bytes to send. */
struct ox_download {
    int fd; /* the caller's to close */
    uint64_t size_bytes;
    struct ox_digest digest; /* of these bytes */
    bool is_patch;
    const char *strategy;  /* of a patch: "tensor" or "binary"; static */
    struct ox_digest base; /* of a patch, as the next two */
    struct ox_digest target;
    uint64_t target_bytes;
    bool pending;        /* a patch is being made */
    int64_t artifact_id; /* 0: a blob */
};
OX_MUST_USE enum ox_code ox_control_blob(struct ox_control *control, const struct ox_digest *digest,
                                         struct ox_download *out, struct ox_err *err);
/**
 * A version, as a patch where one is ready. base_version NULL: the whole file. reads NULL: the
 * asker is of the first generation. Errors: OX_ECONFLICT for the whole of an artifact of several
 * files.
 */
OX_MUST_USE enum ox_code ox_control_download(struct ox_control *control, const char *model_id,
                                             const char *version, const char *base_version,
                                             const char *reads, struct ox_download *out,
                                             struct ox_err *err);
/** Count body bytes that crossed the wire. device_id NULL: the asker did not say who it is. */
void ox_control_served(struct ox_control *control, const char *device_id,
                       const struct ox_digest *blob, int64_t artifact_id, uint64_t bytes);

#endif
