/* The archive, read again: blobs into the store, the registry into a file of its own. */
#include "oxide/control/backup.h"

#include "tar.h"

#include "oxide/base/file.h"
#include "oxide/crypto/sha256.h"
#include "oxide/registry/blob.h"
#include "oxide/registry/campaign.h"
#include "oxide/registry/hold.h"
#include "oxide/registry/select.h"
#include "oxide/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANIFEST_BYTES_MAX 65536
#define BLOCK_BYTES ((size_t)256 * 1024)
#define LIST_ROWS 2000

struct reading {
    const struct ox_source *archive;
    struct ox_store *store;
    const char *registry_path;
    struct ox_stop *stop;
    uint64_t at;
    uint8_t *block;
    bool has_manifest;
    bool made; /* the registry's file is ours */
    bool has_registry;
    bool has_blobs;          /* that were held when it was made */
    uint64_t registry_bytes; /* as the manifest has them */
    struct ox_digest registry_digest;
    struct ox_restored *out;
};

static enum ox_code read_bytes(struct reading *reading, void *out, size_t len_bytes,
                               struct ox_err *err)
{
    enum ox_code code;

    if (reading->archive->size_bytes - reading->at < len_bytes) {
        return ox_err_set(err, OX_ECORRUPT, "the backup is cut short at byte %llu: make it again",
                          (unsigned long long)reading->archive->size_bytes);
    }
    code = ox_source_read(reading->archive, reading->at, out, len_bytes, err);
    reading->at += len_bytes;
    return code;
}

/* Hand the bytes of an entry on. */
static enum ox_code each_block(struct reading *reading, uint64_t size_bytes,
                               const struct ox_output *to, struct ox_err *err)
{
    enum ox_code code = OX_OK;

    while (code == OX_OK && size_bytes > 0) {
        size_t len = size_bytes < BLOCK_BYTES ? (size_t)size_bytes : BLOCK_BYTES;

        if (ox_stop_requested(reading->stop)) {
            return ox_err_set(err, OX_ECANCELED, "restoring was stopped");
        }
        if ((code = read_bytes(reading, reading->block, len, err)) == OX_OK) {
            code = to->write(to->ctx, reading->block, len, err);
        }
        size_bytes -= len;
    }
    return code;
}

/* --- entries --- */

static enum ox_code parse_manifest(struct reading *reading, const json_t *json, struct ox_err *err)
{
    const json_t *registry = NULL;
    const json_t *blobs = NULL;
    const char *format = NULL;
    const char *made = NULL;
    const char *digest = NULL;
    enum ox_code code;

    if ((code = ox_json_get_str(json, "format", &format, err)) != OX_OK) {
        return code;
    }
    if (strcmp(format, OX_BACKUP_FORMAT) != 0) {
        return ox_err_set(err, OX_EUNSUPPORTED,
                          "the backup is in format '%.40s', this release reads " OX_BACKUP_FORMAT
                          ": restore it with the oxide that made it",
                          format);
    }
    if ((code = ox_json_get_str(json, "made_at", &made, err)) != OX_OK ||
        (code = ox_time_parse(made, &reading->out->made_ms, err)) != OX_OK ||
        (code = ox_json_opt_object(json, "registry", &registry, err)) != OX_OK ||
        (code = ox_json_get_u64(registry, "size_bytes", &reading->registry_bytes, err)) != OX_OK ||
        (code = ox_json_get_str(registry, "sha256", &digest, err)) != OX_OK ||
        (code = ox_json_opt_object(json, "blobs", &blobs, err)) != OX_OK ||
        (code = ox_json_opt_bool(blobs, "included", &reading->has_blobs, err)) != OX_OK) {
        return code;
    }
    return ox_digest_parse(digest, &reading->registry_digest, err);
}

static enum ox_code take_manifest(struct reading *reading, uint64_t size_bytes, struct ox_err *err)
{
    json_t *json = NULL;
    enum ox_code code;

    if (size_bytes > MANIFEST_BYTES_MAX) {
        return ox_err_set(err, OX_ECORRUPT, "its manifest is too large");
    }
    if ((code = read_bytes(reading, reading->block, (size_t)size_bytes, err)) != OX_OK) {
        return code;
    }
    code = ox_json_parse_object(reading->block, (size_t)size_bytes, &json, err);
    if (code == OX_OK) {
        code = parse_manifest(reading, json, err);
    }
    json_decref(json);
    if (code == OX_EINVAL) {
        code = ox_err_set(err, OX_ECORRUPT, "its manifest is damaged");
    }
    reading->has_manifest = code == OX_OK;
    return code;
}

struct hashed_file {
    int fd;
    const char *path;
    struct ox_sha256 hash;
};

static enum ox_code write_hashed(void *ctx, const void *bytes, size_t len_bytes, struct ox_err *err)
{
    struct hashed_file *file = ctx;

    ox_sha256_update(&file->hash, bytes, len_bytes);
    return ox_write_full(file->fd, bytes, len_bytes, file->path, err);
}

static enum ox_code take_registry(struct reading *reading, uint64_t size_bytes, struct ox_err *err)
{
    struct hashed_file file = {.path = reading->registry_path};
    const struct ox_output to = {&file, write_hashed};
    struct ox_digest digest;
    enum ox_code code;

    if (!reading->has_manifest || reading->has_registry || size_bytes != reading->registry_bytes) {
        return ox_err_set(err, OX_ECORRUPT, "its registry is not the one of its manifest");
    }
    file.fd = open(reading->registry_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (file.fd < 0) {
        return ox_err_sys(err, errno, "making %s", reading->registry_path);
    }
    reading->made = true;
    if ((code = ox_sha256_init(&file.hash, err)) == OX_OK) {
        code = each_block(reading, size_bytes, &to, err);
    }
    if (code == OX_OK) {
        ox_sha256_final(&file.hash, &digest);
        if (!ox_digest_equal(&digest, &reading->registry_digest)) {
            code = ox_err_set(err, OX_ECORRUPT, "its registry is damaged: take another backup");
        }
    }
    if (code == OX_OK && fsync(file.fd) != 0) {
        code = ox_err_sys(err, errno, "syncing %s", reading->registry_path);
    }
    ox_sha256_clear(&file.hash);
    (void)close(file.fd);
    reading->has_registry = code == OX_OK;
    return code;
}

static enum ox_code take_blob(struct reading *reading, const char *name, uint64_t size_bytes,
                              struct ox_err *err)
{
    struct ox_store_writer *writer = NULL;
    struct ox_output to;
    struct ox_digest digest;
    char hex[OX_DIGEST_HEX_MAX];
    uint64_t held = 0;
    enum ox_code code = OX_EINVAL;

    if (strlen(name) == OX_DIGEST_HEX_MAX && name[2] == '/') { /* "ab/CDEF..." */
        (void)snprintf(hex, sizeof(hex), "%.2s%s", name, name + 3);
        code = ox_digest_parse(hex, &digest, NULL);
    }
    if (code != OX_OK) {
        return ox_err_set(err, OX_ECORRUPT, "it holds %.100s, which is no blob", name);
    }
    if (ox_store_size(reading->store, &digest, &held, NULL) == OX_OK && held == size_bytes) {
        reading->at += size_bytes; /* held already */
        return OX_OK;
    }
    if ((code = ox_store_begin(reading->store, &writer, err)) != OX_OK) {
        return code;
    }
    to = ox_store_output(writer);
    code = each_block(reading, size_bytes, &to, err);
    if (code != OX_OK) {
        ox_store_abort(writer);
        return code;
    }
    code = ox_store_commit(writer, &digest, NULL, NULL, err);
    return code == OX_EDIGEST
               ? ox_err_set(err, OX_ECORRUPT, "its blob %.12s is damaged: take another backup", hex)
               : code;
}

static enum ox_code take_entry(struct reading *reading, const struct ox_tar_entry *entry,
                               struct ox_err *err)
{
    static const char blobs[] = OX_BACKUP_BLOBS;

    if (!reading->has_manifest && strcmp(entry->name, OX_BACKUP_MANIFEST) != 0) {
        return ox_err_set(err, OX_ECORRUPT,
                          "it is no backup of oxide: " OX_BACKUP_MANIFEST
                          " does not come first in it");
    }
    if (strcmp(entry->name, OX_BACKUP_MANIFEST) == 0) {
        return take_manifest(reading, entry->size_bytes, err);
    }
    if (strcmp(entry->name, OX_BACKUP_REGISTRY) == 0) {
        return take_registry(reading, entry->size_bytes, err);
    }
    if (strncmp(entry->name, blobs, sizeof(blobs) - 1) == 0) {
        return take_blob(reading, entry->name + sizeof(blobs) - 1, entry->size_bytes, err);
    }
    if (strcmp(entry->name, OX_BACKUP_LIST) != 0) {
        return ox_err_set(err, OX_ECORRUPT, "it holds %.100s, which is no part of a backup",
                          entry->name);
    }
    reading->at += entry->size_bytes; /* the registry itself says what it needs */
    return OX_OK;
}

static enum ox_code read_archive(struct reading *reading, struct ox_err *err)
{
    bool end = false;
    enum ox_code code = OX_OK;

    while (code == OX_OK && !end) {
        struct ox_tar_entry entry;

        if ((code = read_bytes(reading, reading->block, OX_TAR_BLOCK, err)) != OX_OK ||
            (code = ox_tar_read(reading->block, &entry, &end, err)) != OX_OK || end) {
            break;
        }
        if (entry.size_bytes > reading->archive->size_bytes - reading->at) {
            return ox_err_set(err, OX_ECORRUPT, "the backup is cut short in %.100s: make it again",
                              entry.name);
        }
        code = take_entry(reading, &entry, err);
        reading->at += code == OX_OK ? ox_tar_padding(entry.size_bytes) : 0;
        if (code == OX_OK && reading->at > reading->archive->size_bytes) {
            reading->at = reading->archive->size_bytes; /* the next block is missing */
        }
    }
    if (code == OX_OK && !reading->has_registry) {
        code = ox_err_set(err, OX_ECORRUPT, "it is no backup of oxide: it holds no registry");
    }
    return code;
}

/* --- the registry as it is now --- */

/* A patch that the backup should hold and does not is made again when somebody needs it. */
static enum ox_code count_blob(struct ox_tx *tx, struct reading *reading,
                               const struct ox_blob_row *blob, struct ox_err *err)
{
    bool held = ox_store_has(reading->store, &blob->digest);

    if (!held && blob->is_patch && reading->has_blobs) {
        return ox_registry_patch_lost(tx, &blob->digest, reading->out->made_ms, err);
    }
    reading->out->blobs++;
    reading->out->missing += !held;
    return OX_OK;
}

static enum ox_code count_blobs(struct ox_tx *tx, struct reading *reading, struct ox_err *err)
{
    struct ox_digest last;
    bool has_last = false;
    size_t count = 1;
    enum ox_code code = OX_OK;

    while (code == OX_OK && count > 0) {
        struct ox_blob_row *rows = NULL;

        code = ox_registry_blobs(tx, has_last ? &last : NULL, LIST_ROWS, &rows, &count, err);
        for (size_t i = 0; code == OX_OK && i < count; i++) {
            code = count_blob(tx, reading, &rows[i], err);
            last = rows[i].digest;
            has_last = true;
        }
    }
    return code;
}

static enum ox_code look_at(struct ox_tx *tx, struct reading *reading, struct ox_err *err)
{
    const struct ox_selection all = {.now_ms = 0};
    struct ox_campaign_row *campaigns = NULL;
    struct ox_hold_row hold = {.since_ms = reading->out->made_ms,
                               .reason = "restored from a backup"};
    size_t count = 0;
    bool held = false;
    enum ox_code code;

    if ((code = ox_registry_hold_get(tx, &hold, &held, err)) != OX_OK ||
        (!held && (code = ox_registry_hold_put(tx, &hold, err)) != OX_OK) ||
        (code = ox_registry_selected_count(tx, &all, &reading->out->devices, err)) != OX_OK ||
        (code = ox_registry_campaigns(tx, true, &campaigns, &count, err)) != OX_OK) {
        return code;
    }
    reading->out->campaigns = count;
    return count_blobs(tx, reading, err);
}

static enum ox_code settle_registry(struct reading *reading, struct ox_err *err)
{
    struct ox_registry *registry = NULL;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_open(&registry, reading->registry_path, err);

    if (code == OX_OK && (code = ox_registry_begin(registry, OX_TX_WRITE, &tx, err)) == OX_OK &&
        (code = look_at(&tx, reading, err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    ox_registry_close(registry);
    return code;
}

static void remove_registry(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm"};

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        char *name = NULL;

        if (ox_strf(&name, NULL, "%s%s", path, ends[i]) == OX_OK) {
            (void)unlink(name);
        }
        free(name);
    }
}

enum ox_code ox_restore(const struct ox_source *archive, struct ox_store *store,
                        const char *registry_path, struct ox_stop *stop, struct ox_restored *out,
                        struct ox_err *err)
{
    struct ox_restored restored = {.made_ms = 0};
    struct reading reading = {.archive = archive,
                              .store = store,
                              .registry_path = registry_path,
                              .stop = stop,
                              .block = malloc(BLOCK_BYTES),
                              .out = &restored};
    enum ox_code code = reading.block == NULL ? ox_err_nomem(err, "a backup") : OX_OK;

    if (code == OX_OK && (code = read_archive(&reading, err)) == OX_OK) {
        code = settle_registry(&reading, err);
    }
    if (code != OX_OK && reading.made) {
        remove_registry(registry_path);
    }
    free(reading.block);
    if (code == OX_OK) {
        restored.registry_bytes = reading.registry_bytes;
        *out = restored;
    }
    return code;
}
