/**
 * The update that is under way: journal.json, replaced atomically before each stage acts. When an
 * update has ended, the state says so first (last_attempt), then the journal goes.
 */
#ifndef OX_AGENT_JOURNAL_H
#define OX_AGENT_JOURNAL_H

#include "boot.h"
#include "state.h"

#define OX_JOURNAL_FORMAT 1
#define OX_JOURNAL_STAGE_MAX 32

/** How the files of the new version came to lie there: what reports say of it at the end. */
struct ox_way {
    const char *strategy;          /* "delta", "full" or "none", static; NULL: not chosen yet */
    uint64_t received[OX_ORIGINS]; /* bytes */
    char note[OX_ERR_MSG_MAX];     /* why the patch did not do; empty if it did or there was none */
};

struct ox_journal {
    uint64_t attempt; /* not 0; the number of this update on this device */
    char stage[OX_JOURNAL_STAGE_MAX];
    bool first_gen; /* assigned by a server of the first generation */
    struct ox_assignment assignment;
    enum ox_model_layout layout;     /* in which the new version is put */
    char *folder;                    /* of the new version; NULL before preflight chose it */
    struct ox_installed before;      /* what was current when the update began */
    char check_boot[OX_BOOT_ID_MAX]; /* in which the check was begun last; "": not yet */
    uint64_t check_reboots;          /* that cut it short */
    struct ox_way way;
    json_t *stages_ms; /* owned: how long each stage took so far; NULL: none has ended */
};

/** Bytes that came, wherever from. */
uint64_t ox_way_received(const struct ox_way *way);

/** Add to the time that a stage took; without memory for it, it is not known. */
void ox_journal_add_time(struct ox_journal *journal, const char *stage, uint64_t took_ms);
/** All of these times. */
uint64_t ox_journal_time_ms(const struct ox_journal *journal);

void ox_journal_clear(struct ox_journal *journal);

/** Errors: OX_ENOTFOUND (no update is under way); OX_ECORRUPT, OX_EUNSUPPORTED; the system's.
 *  The caller clears *out. */
OX_MUST_USE enum ox_code ox_journal_load(struct ox_journal *out, const char *path,
                                         struct ox_err *err);
OX_MUST_USE enum ox_code ox_journal_save(const struct ox_journal *journal, const char *path,
                                         struct ox_err *err);
/** What an earlier try of the same assignment, that broke off, left in its journal: the way of the
 *  files, and the times of its stages (a reference to release). Both are empty if there was none.
 */
void ox_journal_earlier(const struct ox_assignment *assignment, const char *path,
                        struct ox_way *way, json_t **stages_ms);
/** Durably; absent is success. */
OX_MUST_USE enum ox_code ox_journal_remove(const char *path, struct ox_err *err);

#endif
