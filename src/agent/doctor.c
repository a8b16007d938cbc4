#include "doctor.h"

#include "identity.h"
#include "oxide/base/file.h"
#include "update.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HINT_ASIDE_STATE                                                                           \
    "the agent sets it aside when it starts, and makes it anew from the symlinks: failures that "  \
    "it "                                                                                          \
    "counted are forgotten"
#define HINT_ASIDE_IDENTITY                                                                        \
    "the agent sets it aside when it starts, and is another installation then (docs/devices.md)"
#define HINT_ASIDE_JOURNAL "the agent sets it aside when it starts, and the update begins anew"

/* --- reading --- */

static void forget(struct ox_agent_doctor *doctor)
{
    if (doctor->has_state) {
        ox_state_clear(&doctor->state);
    }
    if (doctor->has_journal) {
        ox_journal_clear(&doctor->journal);
    }
    doctor->has_state = doctor->has_journal = doctor->journal_ended = false;
}

static enum ox_code read_state(struct ox_agent_doctor *doctor, struct ox_err *err)
{
    enum ox_code code = ox_state_load(&doctor->state, doctor->folders.state, err);

    doctor->has_state = code == OX_OK;
    return code;
}

static enum ox_code read_journal(struct ox_agent_doctor *doctor, struct ox_err *err)
{
    enum ox_code code = ox_journal_load(&doctor->journal, doctor->folders.journal, err);

    if (code == OX_OK && !ox_stage_is_known(doctor->journal.stage)) {
        code = ox_err_set(err, OX_EUNSUPPORTED, "%s names the unknown stage \"%s\"",
                          doctor->folders.journal, doctor->journal.stage);
        ox_journal_clear(&doctor->journal);
    }
    doctor->has_journal = code == OX_OK;
    doctor->journal_ended =
        code == OX_OK && doctor->has_state && doctor->journal.attempt == doctor->state.last_attempt;
    return code;
}

void ox_agent_doctor_read(struct ox_agent_doctor *doctor)
{
    forget(doctor);
    if (read_state(doctor, NULL) == OX_OK && read_journal(doctor, NULL) == OX_OK) {
        return;
    }
}

bool ox_agent_doctor_updates(const struct ox_agent_doctor *doctor, const char *model_id)
{
    return doctor->has_journal && !doctor->journal_ended &&
           strcmp(doctor->journal.assignment.model_id, model_id) == 0;
}

/* --- the agent's memory --- */

/* What is wrong with a file of the agent's, if anything; absent is not. */
static enum ox_code judge(struct ox_agent_doctor *doctor, const char *name, const char *hint,
                          enum ox_code code, const struct ox_err *found, struct ox_err *err)
{
    if (code == OX_ENOMEM || code == OX_ECANCELED) {
        return ox_err_set(err, code, "%s", found->msg);
    }
    if (code != OX_OK && code != OX_ENOTFOUND) {
        ox_checkup_find(doctor->checkup, OX_SEVERITY_ERROR, name,
                        code == OX_ECORRUPT || code == OX_EUNSUPPORTED
                            ? hint
                            : "look at the disk, and at owner and mode of the file",
                        "%s", found->msg);
    }
    return OX_OK;
}

static enum ox_code examine_state(struct ox_agent_doctor *doctor, struct ox_err *err)
{
    struct ox_err found = OX_ERR_INIT;
    enum ox_code code = read_state(doctor, &found);

    if (code == OX_ENOTFOUND) {
        ox_checkup_find(doctor->checkup, OX_SEVERITY_WARNING, ".oxide/state.json",
                        "the agent makes it when it starts, from the symlinks that are there",
                        "it is missing: which versions are kept is not known");
    }
    return judge(doctor, ".oxide/state.json", HINT_ASIDE_STATE, code, &found, err);
}

static enum ox_code examine_identity(struct ox_agent_doctor *doctor, struct ox_err *err)
{
    struct ox_identity identity;
    struct ox_err found = OX_ERR_INIT;
    enum ox_code code = ox_identity_load(&identity, doctor->folders.identity, &found);

    if (code == OX_ENOTFOUND) {
        ox_checkup_find(doctor->checkup, OX_SEVERITY_WARNING, ".oxide/identity.json",
                        "if the device was updated before, it will be another installation "
                        "(docs/devices.md)",
                        "it is missing");
    }
    if (code == OX_OK && doctor->has_state &&
        strcmp(identity.device_id, doctor->state.device_id) != 0) {
        ox_checkup_find(doctor->checkup, OX_SEVERITY_WARNING, ".oxide/state.json",
                        "the agent drops the reports of the other device when it starts",
                        "it is of device %s, the identity of %s", doctor->state.device_id,
                        identity.device_id);
    }
    return judge(doctor, ".oxide/identity.json", HINT_ASIDE_IDENTITY, code, &found, err);
}

static enum ox_code examine_journal(struct ox_agent_doctor *doctor, struct ox_err *err)
{
    struct ox_err found = OX_ERR_INIT;
    enum ox_code code = read_journal(doctor, &found);
    const struct ox_assignment *assignment = &doctor->journal.assignment;

    if (code == OX_OK && doctor->has_state && !doctor->checkup->in_use) {
        ox_checkup_find(doctor->checkup, OX_SEVERITY_NOTE, ".oxide/journal.json",
                        doctor->journal_ended ? "the agent tidies up after it when it starts"
                                              : "the agent goes on with it, or undoes it",
                        "an update to %s@%s %s stage %s", assignment->model_id, assignment->version,
                        doctor->journal_ended ? "has ended at" : "was interrupted in",
                        doctor->journal.stage);
    }
    return judge(doctor, ".oxide/journal.json", HINT_ASIDE_JOURNAL, code, &found, err);
}

/* --- the folder --- */

static void look_at_owner(struct ox_agent_doctor *doctor, const char *path, const char *name,
                          uid_t owner)
{
    struct stat st;

    if (lstat(path, &st) != 0) {
        return;
    }
    if (st.st_uid != owner) {
        ox_checkup_find(doctor->checkup, OX_SEVERITY_WARNING, name,
                        "the agent may not be able to write it: chown it to the owner of .oxide",
                        "it belongs to user %u, .oxide to user %u", (unsigned)st.st_uid,
                        (unsigned)owner);
    }
    if (!S_ISLNK(st.st_mode) && (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        ox_checkup_find(doctor->checkup, OX_SEVERITY_WARNING, name, "chmod go-w it",
                        "others than its owner may write to it (mode %04o)",
                        (unsigned)(st.st_mode & 07777u));
    }
}

static void examine_folder(struct ox_agent_doctor *doctor)
{
    const struct ox_folders *folders = &doctor->folders;
    uint64_t free_bytes = 0;
    struct stat own;

    if (lstat(folders->own, &own) == 0) {
        look_at_owner(doctor, folders->own, ".oxide", own.st_uid);
        look_at_owner(doctor, folders->state, ".oxide/state.json", own.st_uid);
        look_at_owner(doctor, folders->identity, ".oxide/identity.json", own.st_uid);
        look_at_owner(doctor, folders->journal, ".oxide/journal.json", own.st_uid);
        look_at_owner(doctor, folders->lock, ".oxide/lock", own.st_uid);
        look_at_owner(doctor, folders->download, ".oxide/download", own.st_uid);
    }
    if (ox_disk_free(folders->root, &free_bytes, NULL) == OX_OK &&
        free_bytes < OX_UPDATE_MARGIN_BYTES) {
        ox_checkup_find(doctor->checkup, OX_SEVERITY_WARNING, folders->root,
                        "no update fits: free some", "only %llu bytes are free on its disk",
                        (unsigned long long)free_bytes);
    }
}

/* --- all of it --- */

static enum ox_code examine(struct ox_agent_doctor *doctor, struct ox_err *err)
{
    struct ox_checkup *checkup = doctor->checkup;
    enum ox_code code;

    ox_checkup_begin(checkup, "state", "what the agent remembers");
    if ((code = examine_state(doctor, err)) != OX_OK ||
        (code = examine_identity(doctor, err)) != OX_OK ||
        (code = examine_journal(doctor, err)) != OX_OK) {
        return code;
    }
    ox_checkup_begin(checkup, "models",
                     checkup->quick ? "files of the versions that are kept, by their size"
                                    : "files of the versions that are kept, byte by byte");
    if ((code = ox_agent_doctor_models(doctor, err)) != OX_OK) {
        return code;
    }
    ox_checkup_begin(checkup, "leftovers", "files that nothing needs");
    if ((code = ox_agent_doctor_leftovers(doctor, err)) != OX_OK) {
        return code;
    }
    ox_checkup_begin(checkup, "folder", "owners, modes, room");
    examine_folder(doctor);
    return ox_checkup_state(checkup, err);
}

enum ox_code ox_doctor_agent(const char *model_dir, struct ox_checkup *checkup, struct ox_err *err)
{
    struct ox_agent_doctor *doctor = calloc(1, sizeof(*doctor)); /* a state is large */
    enum ox_code code = doctor == NULL ? ox_err_nomem(err, "an examination") : OX_OK;

    if (code == OX_OK && (code = ox_folders_locate(&doctor->folders, model_dir, err)) == OX_OK) {
        doctor->checkup = checkup;
        code = examine(doctor, err);
        forget(doctor);
        ox_folders_clear(&doctor->folders);
    }
    free(doctor);
    return code;
}
