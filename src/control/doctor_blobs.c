/* Do the registry and the store agree? */
#include "doctor.h"

#include "oxide/control/control.h"
#include "oxide/crypto/sha256.h"
#include "oxide/registry/blob.h"
#include "oxide/registry/need.h"

#include <stdio.h>
#include <stdlib.h>

/* Rows of one transaction: it is over before the first of their blobs is hashed. */
#define PAGE_ROWS 256

#define BLOB_WHERE_MAX 80

#define HINT_MISSING                                                                               \
    "push the same version again from its files, or copy the blob from a backup (docs/backup.md)"
#define HINT_DAMAGED                                                                               \
    "remove this file, then push the same version again, or copy the blob from a backup"
#define HINT_PATCH                                                                                 \
    "devices fetch the full files; 'oxide doctor --fix' with the server stopped has it made again"
#define HINT_UNREADABLE "look at the disk, and at owner and mode of the file"
#define HINT_ORPHAN                                                                                \
    "it takes room for nothing: the running server removes it within the hour, as does 'oxide "    \
    "gc', "                                                                                        \
    "and 'oxide doctor --fix' with the server stopped"

/* A blob that the registry names, on its own memory. */
struct named {
    struct ox_digest digest;
    uint64_t size_bytes;
    bool is_patch;
    char what[256];
};

struct hashing {
    struct ox_doctor *doctor;
    uint64_t done_bytes; /* of blobs before this one */
    uint64_t all_bytes;
};

static const char *where_of(const struct ox_digest *digest, char out[BLOB_WHERE_MAX])
{
    char hex[OX_DIGEST_HEX_MAX];

    ox_digest_hex(digest, hex);
    (void)snprintf(out, BLOB_WHERE_MAX, "blobs/%.2s/%s", hex, hex + 2);
    return out;
}

/* Does the registry still name it? What went meanwhile is no finding. */
static enum ox_code is_needed(struct ox_doctor *doctor, const struct ox_digest *digest,
                              bool *needed, struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_audit_begin(doctor->audit, &tx, err);

    if (code == OX_OK) {
        code = ox_registry_blob_needed(&tx, digest, needed, err);
    }
    ox_registry_end(&tx);
    return code;
}

/* --- blobs that are named --- */

static enum ox_code take_page(struct ox_doctor *doctor, const struct ox_digest *after,
                              struct named *page, size_t *count, struct ox_err *err)
{
    struct ox_blob_row *rows = NULL;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_audit_begin(doctor->audit, &tx, err);

    *count = 0;
    if (code == OX_OK) {
        code = ox_registry_blobs(&tx, after, PAGE_ROWS, &rows, count, err);
    }
    for (size_t i = 0; code == OX_OK && i < *count; i++) {
        page[i].digest = rows[i].digest;
        page[i].size_bytes = rows[i].size_bytes;
        page[i].is_patch = rows[i].is_patch;
        (void)snprintf(page[i].what, sizeof(page[i].what), "%s", rows[i].what);
    }
    ox_registry_end(&tx);
    return code;
}

/* A patch can be made again: its job forgets it, and what is left of it goes. */
static enum ox_code drop_patch(struct ox_doctor *doctor, const struct named *blob,
                               struct ox_err *err)
{
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_registry_begin(doctor->registry, OX_TX_WRITE, &tx, err);

    if (code == OX_OK && (code = ox_registry_patch_lost(&tx, &blob->digest, doctor->checkup->now_ms,
                                                        err)) == OX_OK) {
        code = ox_registry_commit(&tx, err);
    }
    ox_registry_end(&tx);
    return code == OX_OK ? ox_store_remove(doctor->store, &blob->digest, err) : code;
}

static enum ox_code report(struct ox_doctor *doctor, const struct named *blob, const char *hint,
                           const char *what, struct ox_err *err)
{
    const struct ox_checkup mark = *doctor->checkup;
    struct ox_err why = OX_ERR_INIT;
    char where[BLOB_WHERE_MAX];
    bool needed = false;
    enum ox_code code = is_needed(doctor, &blob->digest, &needed, err);

    if (code != OX_OK || !needed) {
        return code;
    }
    ox_checkup_find(doctor->checkup, OX_SEVERITY_ERROR, where_of(&blob->digest, where),
                    blob->is_patch ? HINT_PATCH : hint, "%s: %s", blob->what, what);
    if (blob->is_patch && doctor->registry != NULL) {
        ox_doctor_mended(doctor, &mark, drop_patch(doctor, blob, &why), &why);
    }
    return OX_OK;
}

static void advance(void *ctx, uint64_t done, uint64_t total)
{
    const struct hashing *hashing = ctx;

    (void)total;
    ox_progress_update(hashing->doctor->checkup->progress, hashing->done_bytes + done,
                       hashing->all_bytes);
}

/* Is it whole? *what is NULL if so, else what is wrong with it. */
static enum ox_code look_into(const struct hashing *hashing, const struct named *blob,
                              struct ox_blob *held, char *what, size_t what_bytes,
                              struct ox_err *err)
{
    const struct ox_progress progress = {(void *)hashing, advance}; /* only read */
    struct ox_source source = ox_blob_source(held);
    struct ox_digest digest;
    enum ox_code code;

    what[0] = '\0';
    if (held->size_bytes != blob->size_bytes) {
        (void)snprintf(what, what_bytes, "it has %llu bytes, not %llu",
                       (unsigned long long)held->size_bytes, (unsigned long long)blob->size_bytes);
        return OX_OK;
    }
    if (hashing->doctor->checkup->quick) {
        return OX_OK;
    }
    code = ox_sha256_source(&source, hashing->doctor->checkup->stop, &progress, &digest, err);
    if (code == OX_OK && !ox_digest_equal(&digest, &blob->digest)) {
        (void)snprintf(what, what_bytes, "its bytes are damaged: they hash to something else");
    }
    return code;
}

static enum ox_code check_blob(const struct hashing *hashing, const struct named *blob,
                               struct ox_err *err)
{
    struct ox_doctor *doctor = hashing->doctor;
    struct ox_blob held = OX_BLOB_INIT;
    struct ox_err found = OX_ERR_INIT;
    char what[OX_ERR_MSG_MAX + 32];
    const char *hint = HINT_DAMAGED;
    enum ox_code code = ox_store_read(doctor->store, &blob->digest, &held, &found);

    if (code == OX_OK) {
        code = look_into(hashing, blob, &held, what, sizeof(what), &found);
    } else if (code == OX_ENOTFOUND) {
        hint = HINT_MISSING;
        (void)snprintf(what, sizeof(what), "it is missing");
        code = OX_OK;
    }
    ox_blob_close(&held);
    if (code == OX_ECANCELED || code == OX_ENOMEM) {
        return ox_err_set(err, code, "%s", found.msg);
    }
    if (code != OX_OK) {
        hint = HINT_UNREADABLE;
        (void)snprintf(what, sizeof(what), "it cannot be read: %s", found.msg);
    }
    return what[0] == '\0' ? OX_OK : report(doctor, blob, hint, what, err);
}

/* Call check (or only sum up, if it is NULL) for each blob that is named. */
static enum ox_code each_named(struct hashing *hashing, bool check, struct ox_err *err)
{
    struct named *page = calloc(PAGE_ROWS, sizeof(*page));
    struct ox_digest after = {{0}};
    size_t count = PAGE_ROWS;
    enum ox_code code = page == NULL ? ox_err_nomem(err, "blobs") : OX_OK;

    while (code == OX_OK && count == PAGE_ROWS) {
        code = take_page(hashing->doctor, &after, page, &count, err);
        for (size_t i = 0; code == OX_OK && i < count; i++) {
            if (check) {
                code = check_blob(hashing, &page[i], err);
                hashing->done_bytes += page[i].size_bytes;
                ox_checkup_looked(hashing->doctor->checkup, 1);
            } else {
                hashing->all_bytes += page[i].size_bytes;
            }
            code = code == OX_OK ? ox_checkup_state(hashing->doctor->checkup, err) : code;
            after = page[i].digest;
        }
    }
    free(page);
    return code;
}

/* What a damaged registry cannot tell is told once, where it was asked. */
static enum ox_code keep_damage(struct ox_checkup *checkup, enum ox_code code,
                                const struct ox_err *found, struct ox_err *err)
{
    if (code == OX_OK || code == OX_ECANCELED || code == OX_ENOMEM || code == OX_EBUSY) {
        return code == OX_OK ? OX_OK : ox_err_set(err, code, "%s", found->msg);
    }
    ox_checkup_skip(checkup, "%s", found->msg);
    ox_checkup_find(checkup, OX_SEVERITY_ERROR, "registry.db", NULL,
                    "it cannot tell which blobs there are: %s", found->msg);
    return OX_OK;
}

enum ox_code ox_doctor_blobs(struct ox_doctor *doctor, struct ox_err *err)
{
    struct hashing hashing = {.doctor = doctor};
    struct ox_err found = OX_ERR_INIT;
    enum ox_code code = OX_OK;

    if (doctor->audit == NULL) {
        ox_checkup_skip(doctor->checkup, "the registry cannot be read");
        return OX_OK;
    }
    code = each_named(&hashing, false, &found);
    if (code == OX_OK) {
        code = each_named(&hashing, true, &found);
    }
    return keep_damage(doctor->checkup, code, &found, err);
}

/* --- blobs that are not named --- */

struct orphans {
    struct ox_doctor *doctor;
    struct ox_digest *blobs; /* of one prefix */
    size_t count;
    size_t room;
    uint64_t young;
};

static enum ox_code list_blob(void *ctx, const struct ox_digest *digest, uint64_t size_bytes,
                              struct ox_err *err)
{
    struct orphans *orphans = ctx;

    (void)size_bytes;
    if (orphans->count == orphans->room) {
        size_t room = orphans->room == 0 ? 64 : orphans->room * 2;
        struct ox_digest *blobs = realloc(orphans->blobs, room * sizeof(*blobs));

        if (blobs == NULL) {
            return ox_err_nomem(err, "a list of blobs");
        }
        orphans->blobs = blobs;
        orphans->room = room;
    }
    orphans->blobs[orphans->count++] = *digest;
    return OX_OK;
}

/* A blob that nothing names: too young to be judged, or an orphan, as the garbage collector has it.
 */
static enum ox_code judge(struct orphans *orphans, const struct ox_digest *digest,
                          struct ox_err *err)
{
    struct ox_doctor *doctor = orphans->doctor;
    struct ox_checkup *checkup = doctor->checkup;
    const struct ox_checkup mark = *checkup;
    bool may_go = checkup->fix && doctor->trusted && !doctor->holds;
    int64_t since_ms = checkup->now_ms - (int64_t)OX_GC_GRACE_S_DEFAULT * 1000;
    struct ox_err why = OX_ERR_INIT;
    char where[BLOB_WHERE_MAX];
    uint64_t size_bytes = 0;
    bool old = false;
    enum ox_code code;

    if (ox_store_size(doctor->store, digest, &size_bytes, NULL) != OX_OK) {
        return OX_OK; /* it went meanwhile, or is none: the section of files names it */
    }
    code = ox_store_remove_unused(doctor->store, digest, since_ms, true, &old, err);
    if (code != OX_OK || !old) {
        orphans->young += code == OX_OK;
        return code;
    }
    ox_checkup_find(
        checkup, doctor->holds ? OX_SEVERITY_NOTE : OX_SEVERITY_WARNING, where_of(digest, where),
        doctor->holds ? "'oxide restore --confirm' first: the restored registry may not "
                        "know all that is needed"
                      : HINT_ORPHAN,
        "nothing names it (%llu bytes)", (unsigned long long)size_bytes);
    if (may_go && old) {
        ox_doctor_mended(doctor, &mark,
                         ox_store_remove_unused(doctor->store, digest, since_ms, false, &old, &why),
                         &why);
    }
    return OX_OK;
}

static enum ox_code check_prefix(struct orphans *orphans, uint8_t prefix, struct ox_err *err)
{
    const struct ox_store_visitor visitor = {orphans, list_blob};
    enum ox_code code;

    orphans->count = 0;
    code = ox_store_each_of(orphans->doctor->store, prefix, &visitor, err);
    if (code != OX_OK && code != OX_ENOMEM) {
        ox_err_clear(err); /* the folder cannot be read: the section of files names it */
        code = OX_OK;
    }
    ox_checkup_looked(orphans->doctor->checkup, orphans->count);
    for (size_t i = 0; code == OX_OK && i < orphans->count; i++) {
        bool needed = true;

        code = is_needed(orphans->doctor, &orphans->blobs[i], &needed, err);
        if (code == OX_OK && !needed) {
            code = judge(orphans, &orphans->blobs[i], err);
        }
        code = code == OX_OK ? ox_checkup_state(orphans->doctor->checkup, err) : code;
    }
    return code;
}

enum ox_code ox_doctor_orphans(struct ox_doctor *doctor, struct ox_err *err)
{
    struct orphans orphans = {.doctor = doctor};
    struct ox_err found = OX_ERR_INIT;
    enum ox_code code = OX_OK;

    if (doctor->audit == NULL) {
        ox_checkup_skip(doctor->checkup, "the registry cannot be read");
        return OX_OK;
    }
    for (unsigned prefix = 0; code == OX_OK && prefix < 256; prefix++) {
        code = check_prefix(&orphans, (uint8_t)prefix, &found);
    }
    free(orphans.blobs);
    if (orphans.young > 0) {
        ox_checkup_find(doctor->checkup, OX_SEVERITY_NOTE, "blobs/",
                        "nothing: a push may be about to name them",
                        "blobs that nothing names, younger than an hour: %llu",
                        (unsigned long long)orphans.young);
    }
    return keep_damage(doctor->checkup, code, &found, err);
}
