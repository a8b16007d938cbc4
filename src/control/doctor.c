#include "doctor.h"

#include "oxide/base/buf.h"
#include "oxide/base/file.h"
#include "oxide/registry/hold.h"
#include "oxide/store/inspect.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISK_LOW_BYTES ((uint64_t)64 << 20) /* what an upload leaves free (api) */

#define REGISTRY "registry.db"

void ox_doctor_mended(struct ox_doctor *doctor, const struct ox_checkup *mark, enum ox_code code,
                      const struct ox_err *why)
{
    if (code == OX_OK) {
        ox_checkup_mend(doctor->checkup, mark);
    } else {
        ox_checkup_find(doctor->checkup, OX_SEVERITY_NOTE, doctor->dir, NULL,
                        "the last finding could not be mended: %s", why->msg);
    }
}

/* --- the registry --- */

static enum ox_code look_at_hold(struct ox_doctor *doctor, struct ox_err *err)
{
    struct ox_hold_row hold;
    struct ox_tx tx = OX_TX_INIT;
    enum ox_code code = ox_audit_begin(doctor->audit, &tx, err);

    if (code == OX_OK && (code = ox_registry_hold_get(&tx, &hold, &doctor->holds, err)) == OX_OK &&
        doctor->holds) {
        ox_checkup_find(doctor->checkup, OX_SEVERITY_NOTE, REGISTRY,
                        "'oxide restore --confirm' once devices have been looked at",
                        "nothing is assigned: %s", hold.reason);
    }
    ox_registry_end(&tx);
    return code;
}

/* A schema that is not ours: is it known at all? */
static bool is_current(struct ox_doctor *doctor)
{
    int schema = ox_audit_schema(doctor->audit);
    int newest = ox_audit_schema_newest();

    if (schema == 0) {
        ox_checkup_find(doctor->checkup, OX_SEVERITY_ERROR, REGISTRY,
                        "restore a backup (docs/backup.md), or remove the file to begin anew",
                        "it is empty, or no registry of oxide");
    } else if (schema > newest) {
        ox_checkup_find(doctor->checkup, OX_SEVERITY_ERROR, REGISTRY,
                        "use the newer oxide that wrote it",
                        "its schema is number %d, this release knows up to %d", schema, newest);
    } else if (schema < newest) {
        ox_checkup_find(doctor->checkup, OX_SEVERITY_NOTE, REGISTRY,
                        "'oxide serve' brings it up to date; examine it again then",
                        "its schema is number %d, that of this release %d", schema, newest);
    }
    return schema == newest;
}

static enum ox_code open_registry(struct ox_doctor *doctor, const char *path, struct ox_err *err)
{
    struct ox_err found = OX_ERR_INIT;
    enum ox_code code = ox_audit_open(&doctor->audit, path, doctor->checkup->stop, &found);

    if (code == OX_ECANCELED || code == OX_ENOMEM || code == OX_EBUSY) {
        return ox_err_set(err, code, "%s", found.msg);
    }
    if (code != OX_OK) {
        ox_checkup_find(doctor->checkup, OX_SEVERITY_ERROR, REGISTRY,
                        code == OX_EPERM
                            ? "run this as the server's user"
                            : "restore a backup (docs/backup.md); blobs are not concerned",
                        "%s", code == OX_ENOTFOUND ? "it is missing" : found.msg);
    }
    return OX_OK;
}

static enum ox_code examine_registry(struct ox_doctor *doctor, const char *path, struct ox_err *err)
{
    struct ox_checkup *checkup = doctor->checkup;
    bool current = false;
    enum ox_code code;

    ox_checkup_begin(checkup, "registry", "the registry's database");
    if ((code = open_registry(doctor, path, err)) == OX_OK && doctor->audit != NULL &&
        (code = ox_audit_database(doctor->audit, checkup, err)) == OX_OK) {
        current = is_current(doctor);
        doctor->trusted = current && !ox_checkup_section_is_bad(checkup);
    }
    if (code == OX_OK && doctor->trusted && (code = look_at_hold(doctor, err)) == OX_OK &&
        checkup->fix) {
        code = ox_registry_open(&doctor->registry, path, err);
    }
    if (code != OX_OK) {
        return code;
    }
    ox_checkup_begin(checkup, "rules", "what must be so in it");
    if (!current) {
        ox_checkup_skip(checkup, doctor->audit == NULL ? "the registry cannot be read"
                                                       : "its schema is not that of this release");
        return OX_OK;
    }
    code = ox_audit_rules(doctor->audit, doctor->registry, checkup, err);
    doctor->trusted = doctor->trusted && !ox_checkup_section_is_bad(checkup);
    return code;
}

/* --- files --- */

static void remove_file(struct ox_doctor *doctor, const struct ox_checkup *mark, const char *path)
{
    struct ox_err why = OX_ERR_INIT;
    char *full = NULL;
    enum ox_code code = ox_path_join(&full, doctor->dir, path, &why);

    if (code == OX_OK && unlink(full) != 0 && errno != ENOENT) {
        code = ox_err_sys(&why, errno, "removing %s", path);
    }
    ox_doctor_mended(doctor, mark, code, &why);
    free(full);
}

static void take_thing(void *ctx, const struct ox_store_thing *thing)
{
    struct ox_doctor *doctor = ctx;
    struct ox_checkup *checkup = doctor->checkup;
    const struct ox_checkup mark = *checkup;
    unsigned long long bytes = thing->size_bytes;
    bool removable = false;

    ox_checkup_looked(checkup, 1);
    switch (thing->odd) {
    case OX_STORE_STRAY:
        ox_checkup_find(checkup, OX_SEVERITY_WARNING, thing->path,
                        "oxide never looks at it: move it away", "%s", thing->why);
        break;
    case OX_STORE_UNREADABLE:
        ox_checkup_find(checkup, OX_SEVERITY_ERROR, thing->path,
                        "look at owner and mode: the server's user must be able to read it",
                        "it cannot be read: %s", thing->why);
        break;
    case OX_STORE_TEMPORARY:
        if (!checkup->in_use) {
            ox_checkup_find(checkup, OX_SEVERITY_NOTE, thing->path,
                            "the server removes it when it starts",
                            "a write that was cut short left it (%llu bytes)", bytes);
            removable = true;
        }
        break;
    case OX_STORE_UPLOAD:
        if (thing->written_ms < checkup->now_ms - OX_STORE_UPLOAD_KEEP_MS) {
            ox_checkup_find(checkup, OX_SEVERITY_NOTE, thing->path,
                            "the server removes it when it collects garbage",
                            "an upload that broke off a day ago and more left it (%llu bytes)",
                            bytes);
            removable = !checkup->in_use;
        }
        break;
    }
    if (removable && checkup->fix) {
        remove_file(doctor, &mark, thing->path);
    }
}

static bool begins(const char *name, const char *front)
{
    return strncmp(name, front, strlen(front)) == 0;
}

/* What a backup or a restore that was killed has left beside the registry, and who owns what. */
static void look_at_file(struct ox_doctor *doctor, const struct stat *folder, const char *name)
{
    struct ox_checkup *checkup = doctor->checkup;
    const struct ox_checkup mark = *checkup;
    struct stat st;
    char *full = NULL;

    if (ox_path_join(&full, doctor->dir, name, NULL) != OX_OK || lstat(full, &st) != 0) {
        free(full);
        return;
    }
    free(full);
    if ((begins(name, REGISTRY ".backup") || begins(name, REGISTRY ".restoring")) &&
        !checkup->in_use) {
        ox_checkup_find(checkup, OX_SEVERITY_NOTE, name, "the next one removes it",
                        "a backup or restore that was cut short left it (%llu bytes)",
                        (unsigned long long)st.st_size);
        if (checkup->fix) {
            remove_file(doctor, &mark, name);
        }
    } else if ((begins(name, REGISTRY) || strcmp(name, "lock") == 0 || S_ISDIR(st.st_mode)) &&
               st.st_uid != folder->st_uid) {
        ox_checkup_find(checkup, OX_SEVERITY_WARNING, name,
                        "the server may not be able to write it: chown it to the folder's owner",
                        "it belongs to user %u, the folder to user %u", (unsigned)st.st_uid,
                        (unsigned)folder->st_uid);
    }
}

static void look_at_folder(struct ox_doctor *doctor)
{
    const struct dirent *entry;
    struct stat st;
    DIR *dir = opendir(doctor->dir);

    while (dir != NULL && stat(doctor->dir, &st) == 0 && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            look_at_file(doctor, &st, entry->d_name);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
}

static enum ox_code examine_files(struct ox_doctor *doctor, struct ox_err *err)
{
    const struct ox_store_inspector inspector = {doctor, take_thing};
    uint64_t free_bytes = 0;

    ox_checkup_begin(doctor->checkup, "files", "other files in the folder");
    look_at_folder(doctor);
    if (ox_disk_free(doctor->dir, &free_bytes, NULL) == OX_OK && free_bytes < DISK_LOW_BYTES) {
        ox_checkup_find(doctor->checkup, OX_SEVERITY_WARNING, doctor->dir,
                        "uploads and deltas are refused: free some, or give it a larger disk",
                        "only %llu bytes are free on its disk", (unsigned long long)free_bytes);
    }
    return ox_store_inspect(doctor->dir, &inspector, doctor->checkup->stop, err);
}

/* --- all of it --- */

enum ox_code ox_doctor_server(const char *dir, struct ox_checkup *checkup, struct ox_err *err)
{
    struct ox_doctor doctor = {.dir = dir, .checkup = checkup};
    char *path = NULL;
    enum ox_code code;

    if ((code = ox_path_join(&path, dir, REGISTRY, err)) == OX_OK &&
        (code = ox_store_open_as_is(&doctor.store, dir, err)) == OX_OK &&
        (code = examine_registry(&doctor, path, err)) == OX_OK) {
        ox_checkup_begin(checkup, "blobs",
                         checkup->quick ? "blobs that it names, by their size"
                                        : "blobs that it names, byte by byte");
        code = ox_doctor_blobs(&doctor, err);
    }
    if (code == OX_OK) {
        ox_checkup_begin(checkup, "orphans", "blobs that it does not name");
        code = ox_doctor_orphans(&doctor, err);
    }
    if (code == OX_OK && (code = examine_files(&doctor, err)) == OX_OK) {
        code = ox_checkup_state(checkup, err);
    }
    ox_registry_close(doctor.registry);
    ox_audit_close(doctor.audit);
    ox_store_close(doctor.store);
    free(path);
    return code;
}
