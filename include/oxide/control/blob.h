/** Blobs: uploading and fetching bytes by their digest. What control.h says of all functions holds.
 */
#ifndef OXIDE_CONTROL_BLOB_H
#define OXIDE_CONTROL_BLOB_H

#include "oxide/control/control.h"

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

/** What a download is, for ox_control_sent. */
enum ox_sent { OX_SENT_BLOB, OX_SENT_PATCH, OX_SENT_VERSION };
/** Bytes to send. */
struct ox_download {
    int fd; /* the caller's to close */
    uint64_t size_bytes;
    struct ox_digest digest; /* of these bytes */
    enum ox_sent sent;       /* a patch also where it is fetched as a blob */
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
/** The same for one of its variants, whose bases are those of the same variant. */
struct ox_download_ask {
    const char *model_id;
    const char *version;
    const char *variant; /* NULL: the one that stands for the version */
    const char *base_version;
    const char *reads;
};
OX_MUST_USE enum ox_code ox_control_download_variant(struct ox_control *control,
                                                     const struct ox_download_ask *ask,
                                                     struct ox_download *out, struct ox_err *err);
/** Count body bytes that crossed the wire, in memory: they are written with what the device says
 *  next. device_id NULL: the asker did not say who it is. */
void ox_control_served(struct ox_control *control, const char *device_id,
                       const struct ox_digest *blob, int64_t artifact_id, uint64_t bytes);
/** Count them for the figures of all (figures.h). Never blocks. */
void ox_control_sent(struct ox_control *control, enum ox_sent what, uint64_t bytes);

#endif
