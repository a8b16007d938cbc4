/* The archive, made piece by piece: its entries in the order in which they are read again. */
#include "inner.h"

#include "tar.h"

#include "oxide/base/file.h"
#include "oxide/control/backup.h"
#include "oxide/crypto/sha256.h"
#include "oxide/registry/blob.h"
#include "oxide/registry/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES ((size_t)256 * 1024)
#define LIST_ROWS 2000

/* A line of blobs.txt: digest, blank, the size in 20 columns, line feed. All are of one length, so
 * that the length of the list is known before it is made. */
#define LINE_BYTES (64 + 1 + 20 + 1)

enum part { PART_MANIFEST, PART_REGISTRY, PART_LIST, PART_BLOBS, PART_END };

struct ox_backup {
    struct ox_control *control;
    struct ox_snapshot *snapshot;
    int64_t made_ms;
    bool blobs;
    struct ox_digest registry_digest;
    uint64_t blob_count;
    uint64_t blob_bytes;

    enum part part;
    uint64_t at; /* in the entry; 0: its header comes next */
    struct ox_digest last;
    bool has_last;       /* blobs up to `last` are listed, or sent */
    struct ox_blob blob; /* that is being sent */
    bool blob_open;
};

/* --- what the archive will hold --- */

static enum ox_code next_rows(struct ox_backup *backup, struct ox_tx *tx, uint64_t limit,
                              struct ox_blob_row **rows, size_t *count, struct ox_err *err)
{
    enum ox_code code =
        ox_registry_blobs(tx, backup->has_last ? &backup->last : NULL, limit, rows, count, err);

    if (code == OX_OK && *count > 0) {
        backup->last = (*rows)[*count - 1].digest;
        backup->has_last = true;
    }
    return code;
}

static enum ox_code count_blobs(struct ox_backup *backup, struct ox_err *err)
{
    size_t count = 1;
    enum ox_code code = OX_OK;

    while (code == OX_OK && count > 0) {
        struct ox_blob_row *rows = NULL;
        struct ox_tx tx = OX_TX_INIT;

        if ((code = ox_snapshot_begin(backup->snapshot, &tx, err)) == OX_OK &&
            (code = next_rows(backup, &tx, LIST_ROWS, &rows, &count, err)) == OX_OK) {
            for (size_t i = 0; i < count; i++) {
                backup->blob_bytes += rows[i].size_bytes;
            }
            backup->blob_count += count;
        }
        ox_registry_end(&tx);
    }
    backup->has_last = false;
    return code;
}

static enum ox_code leave_event(struct ox_backup *backup, struct ox_err *err)
{
    struct ox_control *control = backup->control;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(control->registry, OX_TX_WRITE, &tx, err);

    if (code == OX_OK &&
        (code = ox_event(control, &tx, "backup.taken",
                         json_pack("{s:b, s:I}", "blobs", backup->blobs, "size_bytes",
                                   (json_int_t)ox_snapshot_bytes(backup->snapshot)),
                         err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    return code;
}

enum ox_code ox_control_backup_begin(struct ox_control *control, bool blobs, struct ox_backup **out,
                                     struct ox_err *err)
{
    struct ox_backup *backup;
    struct ox_fd_io io = {-1, "the registry's copy"};
    struct ox_source copy;
    enum ox_code code;

    if (atomic_exchange(&control->backing_up, true)) {
        return ox_err_set(err, OX_EBUSY, "another backup is under way");
    }
    backup = calloc(1, sizeof(*backup));
    if (backup == NULL) {
        atomic_store(&control->backing_up, false);
        return ox_err_nomem(err, "a backup");
    }
    backup->control = control;
    backup->blobs = blobs;
    backup->made_ms = ox_control_now(control);
    if ((code = ox_live_flush(control, err)) == OX_OK &&
        (code = ox_snapshot_take(&backup->snapshot, control->registry, backup->made_ms,
                                 &control->stop, err)) == OX_OK) {
        io.fd = ox_snapshot_fd(backup->snapshot);
        copy = ox_fd_source(&io, ox_snapshot_bytes(backup->snapshot));
        code = ox_sha256_source(&copy, &control->stop, NULL, &backup->registry_digest, err);
    }
    if (code == OX_OK && (code = count_blobs(backup, err)) == OX_OK) {
        code = leave_event(backup, err);
    }
    if (code != OX_OK) {
        ox_control_backup_free(backup);
        return code;
    }
    *out = backup;
    return OX_OK;
}

void ox_control_backup_free(struct ox_backup *backup)
{
    if (backup != NULL) {
        if (backup->blob_open) {
            ox_blob_close(&backup->blob);
        }
        ox_snapshot_free(backup->snapshot);
        atomic_store(&backup->control->backing_up, false);
        free(backup);
    }
}

/* --- entries --- */

static enum ox_code put_head(struct ox_backup *backup, const char *name, uint64_t size_bytes,
                             struct ox_buf *out, struct ox_err *err)
{
    struct ox_tar_entry entry = {.size_bytes = size_bytes};
    uint8_t block[OX_TAR_BLOCK];

    (void)snprintf(entry.name, sizeof(entry.name), "%s", name);
    ox_tar_write(&entry, backup->made_ms, block);
    return ox_buf_append(out, block, sizeof(block), err);
}

static enum ox_code put_padding(uint64_t size_bytes, struct ox_buf *out, struct ox_err *err)
{
    static const uint8_t zeros[OX_TAR_BLOCK];

    return ox_buf_append(out, zeros, ox_tar_padding(size_bytes), err);
}

static void go_on(struct ox_backup *backup, enum part part)
{
    backup->part = part;
    backup->at = 0;
}

static enum ox_code put_manifest(struct ox_backup *backup, struct ox_buf *out, struct ox_err *err)
{
    char time[OX_TIME_TEXT_MAX];
    json_t *json = json_pack("{s:s, s:s, s:i, s:{s:I, s:o}, s:{s:I, s:I, s:b}}", "format",
                             OX_BACKUP_FORMAT, "made_at", ox_time_text(backup->made_ms, time),
                             "schema", ox_snapshot_schema(backup->snapshot), "registry",
                             "size_bytes", (json_int_t)ox_snapshot_bytes(backup->snapshot),
                             "sha256", ox_json_of_digest(&backup->registry_digest), "blobs",
                             "count", (json_int_t)backup->blob_count, "size_bytes",
                             (json_int_t)backup->blob_bytes, "included", backup->blobs);
    char *text = NULL;
    enum ox_code code = json == NULL ? ox_err_nomem(err, "JSON") : ox_json_text(json, &text, err);
    size_t len = code == OX_OK ? strlen(text) : 0;

    if (code == OX_OK && (code = put_head(backup, OX_BACKUP_MANIFEST, len, out, err)) == OX_OK &&
        (code = ox_buf_append(out, text, len, err)) == OX_OK) {
        code = put_padding(len, out, err);
    }
    go_on(backup, PART_REGISTRY);
    free(text);
    json_decref(json);
    return code;
}

/* The next bytes of a file of `size_bytes`, and the padding behind its last ones. */
static enum ox_code put_bytes(struct ox_backup *backup, int fd, uint64_t size_bytes,
                              const char *name, struct ox_buf *out, struct ox_err *err)
{
    uint64_t left = size_bytes - backup->at;
    size_t len = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
    enum ox_code code = ox_buf_reserve(out, len, err);

    if (code == OX_OK && len > 0) {
        code = ox_pread_full(fd, backup->at, out->data + out->len_bytes, len, name, err);
    }
    if (code == OX_OK) {
        out->len_bytes += len;
        backup->at += len;
        code = backup->at == size_bytes ? put_padding(size_bytes, out, err) : OX_OK;
    }
    return code;
}

static enum ox_code put_registry(struct ox_backup *backup, struct ox_buf *out, struct ox_err *err)
{
    uint64_t size_bytes = ox_snapshot_bytes(backup->snapshot);
    enum ox_code code =
        backup->at == 0 ? put_head(backup, OX_BACKUP_REGISTRY, size_bytes, out, err) : OX_OK;

    if (code == OX_OK) {
        code = put_bytes(backup, ox_snapshot_fd(backup->snapshot), size_bytes,
                         "the registry's copy", out, err);
    }
    if (code == OX_OK && backup->at == size_bytes) {
        go_on(backup, PART_LIST);
    }
    return code;
}

static enum ox_code put_list(struct ox_backup *backup, struct ox_buf *out, struct ox_err *err)
{
    uint64_t size_bytes = backup->blob_count * LINE_BYTES;
    struct ox_blob_row *rows = NULL;
    struct ox_tx tx = OX_TX_INIT;
    char hex[OX_DIGEST_HEX_MAX];
    size_t count = 0;
    enum ox_code code =
        backup->at == 0 ? put_head(backup, OX_BACKUP_LIST, size_bytes, out, err) : OX_OK;

    if (code == OX_OK && (code = ox_snapshot_begin(backup->snapshot, &tx, err)) == OX_OK) {
        code = next_rows(backup, &tx, LIST_ROWS, &rows, &count, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        code = ox_buf_printf(out, err, "%s %20llu\n", ox_digest_hex(&rows[i].digest, hex),
                             (unsigned long long)rows[i].size_bytes);
    }
    ox_registry_end(&tx);
    backup->at += count * LINE_BYTES;
    if (code == OX_OK && backup->at == size_bytes) {
        backup->has_last = false;
        go_on(backup, backup->blobs ? PART_BLOBS : PART_END);
        code = put_padding(size_bytes, out, err);
    }
    return code;
}

/* Open the next blob that is held. One that is not is left out: the rest of the backup is worth
 * having, and whoever restores it is told. */
static enum ox_code open_next(struct ox_backup *backup, struct ox_err *err)
{
    size_t count = 1;
    enum ox_code code = OX_OK;

    while (code == OX_OK && count > 0 && !backup->blob_open) {
        struct ox_blob_row *rows = NULL;
        struct ox_tx tx = OX_TX_INIT;

        if ((code = ox_snapshot_begin(backup->snapshot, &tx, err)) == OX_OK &&
            (code = next_rows(backup, &tx, 1, &rows, &count, err)) == OX_OK && count > 0) {
            code = ox_store_read(backup->control->store, &rows[0].digest, &backup->blob, err);
            backup->blob_open = code == OX_OK;
        }
        if (code == OX_ENOTFOUND && rows != NULL) {
            ox_log(backup->control->log, OX_LOG_WARN,
                   "backup: a blob of %s is missing and is left out: 'oxide doctor' tells more",
                   rows[0].what);
            ox_err_clear(err);
            code = OX_OK;
        }
        ox_registry_end(&tx);
    }
    backup->at = 0;
    return code;
}

static enum ox_code put_blobs(struct ox_backup *backup, struct ox_buf *out, struct ox_err *err)
{
    char name[OX_TAR_NAME_MAX + 1];
    char hex[OX_DIGEST_HEX_MAX];
    enum ox_code code = OX_OK;

    if (!backup->blob_open) {
        code = open_next(backup, err);
        if (code != OX_OK || !backup->blob_open) {
            go_on(backup, PART_END);
            return code;
        }
        (void)ox_digest_hex(&backup->last, hex);
        (void)snprintf(name, sizeof(name), OX_BACKUP_BLOBS "%.2s/%s", hex, hex + 2);
        code = put_head(backup, name, backup->blob.size_bytes, out, err);
    }
    if (code == OX_OK) {
        code = put_bytes(backup, backup->blob.fd, backup->blob.size_bytes, "a blob", out, err);
    }
    if (code == OX_OK && backup->at == backup->blob.size_bytes) {
        ox_blob_close(&backup->blob);
        backup->blob_open = false;
    }
    return code;
}

enum ox_code ox_control_backup_next(struct ox_backup *backup, struct ox_buf *out, bool *end,
                                    struct ox_err *err)
{
    static const uint8_t zeros[2 * OX_TAR_BLOCK];

    switch (backup->part) {
    case PART_MANIFEST:
        return put_manifest(backup, out, err);
    case PART_REGISTRY:
        return put_registry(backup, out, err);
    case PART_LIST:
        return put_list(backup, out, err);
    case PART_BLOBS:
        return put_blobs(backup, out, err);
    case PART_END:
        break;
    }
    *end = true;
    return ox_buf_append(out, zeros, sizeof(zeros), err);
}
