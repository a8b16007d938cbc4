/** One update of one model, from its assignment to its commit or back: what the stages share. */
#ifndef OX_AGENT_UPDATE_H
#define OX_AGENT_UPDATE_H

#include "core.h"
#include "device_time.h"
#include "journal.h"
#include "oxide/base/random.h"
#include "oxide/net/http.h"
#include "shelf.h"

#include <stdatomic.h>

/** Free bytes that an update leaves on the disk. */
#define OX_UPDATE_MARGIN_BYTES ((uint64_t)16 << 20)

/** What happens to a stage: begun (its name is in the journal), done, undone. */
enum ox_stage_event { OX_STAGE_BEGUN, OX_STAGE_DONE, OX_STAGE_UNDONE };

struct ox_stage_observer {
    void *ctx;
    void (*on_stage)(void *ctx, const char *stage, enum ox_stage_event event); /* may be NULL */
};

struct ox_update {
    struct ox_agent *agent;
    struct ox_stage_observer observer;
    struct ox_http *http;
    struct ox_rng rng;
    struct ox_device_time time;      /* as it was known at the begin */
    struct ox_stop stop;             /* of this update: shutdown or withdrawal */
    bool withdrawn;                  /* under agent->lock */
    bool past_return;                /* under agent->lock: too late to withdraw */
    bool by_hand;                    /* nobody but who asked for it withdraws it */
    struct ox_local_request request; /* by hand: what is to be prepared first */
    bool told;                       /* the consumer of the new version, or it may have been */
    bool deferred;             /* it ended before the switch, outside of the windows for that */
    struct ox_journal journal; /* the assignment, and what was current before */
    struct ox_way earlier;     /* of a try that broke off; what it brought may lie there ready */

    /* What the stages found out. */
    struct ox_installed held[1 + OX_KEEP_MAX]; /* what is current, and what is kept beside it */
    size_t held_count;
    const struct ox_installed *base; /* among them: what patches build on; NULL: nothing is held */
    struct ox_shelf shelf; /* of the model; its home is NULL as long as it was not opened */
    char *target_path;     /* where the new version will lie */
    bool ready;            /* it lies there already, whole */
    bool use_patch;
    char *patch_path; /* what a server of the first generation sent instead of the file; or NULL */
    char *said;       /* by a command of the operator's that said no: its last 4 KiB; or NULL */
    bool digests_known;
    int64_t rest_ms; /* so long no source of the download wants to be asked again */
    int64_t started_mono_ms;
    uint64_t earlier_ms;      /* that its stages took before that, in earlier runs of the agent */
    int64_t switched_mono_ms; /* what consumers see, last */
    bool frees;               /* a version that consumers may still be opening goes at the end */
    int64_t logged_mono_ms;   /* last line about the download */
};

/** Prepare one; *take_journal is emptied. The caller frees *out. */
OX_MUST_USE enum ox_code ox_update_new(struct ox_update **out, struct ox_agent *agent,
                                       struct ox_journal *take_journal, struct ox_err *err);
void ox_update_free(struct ox_update *update);
/** Open the shelf of the model, in the layout that it has or, if it is unknown, is to have. */
OX_MUST_USE enum ox_code ox_update_open_shelf(struct ox_update *update, struct ox_err *err);
/** Forget what was held. */
void ox_update_drop_held(struct ox_update *update);

/** Ask it to end before it switches; without effect after that. Any thread. */
void ox_update_withdraw(struct ox_update *update);

/**
 * Run from the stage that the journal names (the first one that may be resumed at or before it) to
 * the end, then write down and report how it ended. OX_OK: committed.
 * Errors: OX_ECANCELED (stop: the journal stays; or withdrawn), OX_ENET and OX_ETIMEOUT (the
 * journal stays, to go on later); all else has been undone and reported.
 */
OX_MUST_USE enum ox_code ox_update_run(struct ox_update *update, struct ox_err *err);

/** The same of what was asked by hand: first its files are put into place (local.h), which leaves
 * no journal when it fails. */
OX_MUST_USE enum ox_code ox_update_run_by_hand(struct ox_update *update, struct ox_err *err);

/** The state says that it is done: leave nothing of it, and say "model WORD". What cannot be tidied
 *  now is logged, and settled at the next start. */
void ox_update_done(struct ox_update *update, const char *word);

/** Tell the server how far it is, or how it ended. error_code and message may be NULL. */
void ox_update_report(struct ox_update *update, enum ox_rollout_state state, const char *error_code,
                      const char *message);

/** Build the report of an update; what it points to is lent. */
struct ox_device_report ox_update_describe(const struct ox_update *update,
                                           enum ox_rollout_state state);

/** Must what began with this stage be finished or undone before anything else? */
bool ox_stage_is_committing(const char *name);
/** Is it the name of a stage? */
bool ox_stage_is_known(const char *name);

/* --- what the stages do (preflight.c, rebuild.c, activate.c); the table in stages.c says when ---
 */
typedef enum ox_code ox_stage_run(struct ox_update *update, struct ox_err *err);
ox_stage_run ox_stage_preflight, ox_stage_download, ox_stage_rebuild, ox_stage_verify;
ox_stage_run ox_stage_stage, ox_stage_activate, ox_stage_check, ox_stage_commit;
ox_stage_run ox_stage_remove, ox_stage_forget; /* remove.c */
/** Undoing goes on over errors, which it logs: what is left is settled at the next start. */
typedef void ox_stage_undo(struct ox_update *update);
ox_stage_undo ox_undo_download, ox_undo_rebuild, ox_undo_stage, ox_undo_activate, ox_undo_remove;

#endif
