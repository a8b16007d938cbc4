/**
 * Backups: the registry as it is at one instant, the list of the blobs that it needs and, if asked
 * for, those blobs, as one tar archive (docs/backup.md). What control.h says of all functions
 * holds.
 */
#ifndef OXIDE_CONTROL_BACKUP_H
#define OXIDE_CONTROL_BACKUP_H

#include "oxide/base/io.h"
#include "oxide/base/stop.h"
#include "oxide/control/control.h"

/* What an archive holds, in this order; then the blobs, by the first two digits of their digest. */
#define OX_BACKUP_FORMAT "oxide-backup/1"
#define OX_BACKUP_MANIFEST "oxide-backup.json"
#define OX_BACKUP_REGISTRY "registry.db"
#define OX_BACKUP_LIST "blobs.txt"
#define OX_BACKUP_BLOBS "blobs/"

/** A backup on its way out. */
struct ox_backup;

/** Take the snapshot. Errors: OX_EBUSY while another backup is under way; OX_ENOSPC. */
OX_MUST_USE enum ox_code ox_control_backup_begin(struct ox_control *control, bool blobs,
                                                 struct ox_backup **out, struct ox_err *err);
/** Append the archive's next bytes, up to some 256 KiB; *end is true with the last ones. */
OX_MUST_USE enum ox_code ox_control_backup_next(struct ox_backup *backup, struct ox_buf *out,
                                                bool *end, struct ox_err *err);
/** NULL is fine. */
void ox_control_backup_free(struct ox_backup *backup);

/** What a restored backup holds. */
struct ox_restored {
    int64_t made_ms;
    uint64_t registry_bytes;
    uint64_t devices;
    uint64_t campaigns; /* under way */
    uint64_t blobs;     /* that it needs */
    uint64_t missing;   /* of them, those that are not here */
};

/**
 * Read an archive: its blobs go into `store`, its registry to the file `registry_path`, which must
 * not exist and is removed on failure. It is checked, brought to our schema, and holds (hold.h).
 * The folder is the caller's, who also has its lock.
 * Errors: OX_ECORRUPT (damaged, cut, no backup), OX_EUNSUPPORTED (of a newer release), OX_ENOSPC,
 * OX_ECANCELED.
 */
OX_MUST_USE enum ox_code ox_restore(const struct ox_source *archive, struct ox_store *store,
                                    const char *registry_path, struct ox_stop *stop,
                                    struct ox_restored *out, struct ox_err *err);

/** What is held, as {since, reason}; null where nothing is. */
OX_MUST_USE enum ox_code ox_control_hold(struct ox_control *control, json_t **out,
                                         struct ox_err *err);
/** Assign again. Errors: OX_ECONFLICT where nothing is held. */
OX_MUST_USE enum ox_code ox_control_hold_release(struct ox_control *control, json_t **out,
                                                 struct ox_err *err);

#endif
