/**
 * What the threads of the agent share: the caller's, which beats, and one more while an update
 * runs. `lock` guards state and hand; everything else is fixed before the second thread begins.
 */
#ifndef OX_AGENT_CORE_H
#define OX_AGENT_CORE_H

#include "folders.h"
#include "identity.h"
#include "local.h"
#include "oxide/agent/agent.h"
#include "state.h"
#include "status.h"
#include "tuning.h"

#include <pthread.h>

/** What is asked by hand, one at a time: it waits until no update is under way. */
struct ox_hand {
    uint64_t number; /* of the last one; 0: none was asked yet */
    enum { OX_HAND_NONE, OX_HAND_WAITING, OX_HAND_RUNNING, OX_HAND_DONE } phase;
    struct ox_local_request request; /* while it waits */
    enum ox_code code;               /* once it is done */
    char error[OX_ERR_MSG_MAX];
};

struct ox_agent {
    const struct ox_agent_options *options; /* but for its tuning, which may be another since */
    struct ox_tuning_place tuning;
    const struct ox_log *log;
    struct ox_stop *stop;
    struct ox_folders folders;
    int lock_fd;
    int wake_fd;                 /* an eventfd: the beating thread has something to tell */
    struct ox_identity identity; /* changes only while no update runs, in the beating thread */
    struct ox_status status;     /* with a lock of its own */
    pthread_mutex_t lock;
    struct ox_agent_state state;
    struct ox_hand hand;
};

/**
 * Make the folders, take the lock, read the state. A damaged or newer state is set aside and made
 * anew from what the `current` symlinks lead to. The caller closes *out.
 */
OX_MUST_USE enum ox_code ox_agent_open(struct ox_agent *out, const struct ox_agent_options *options,
                                       struct ox_stop *stop, const struct ox_log *log,
                                       struct ox_err *err);
void ox_agent_close(struct ox_agent *agent);

/** Write the state. On failure the memory goes back to what the disk holds. Call under lock. */
OX_MUST_USE enum ox_code ox_agent_save(struct ox_agent *agent, struct ox_err *err);

/** Go back to what the disk holds; false if that cannot be read. Call under lock. */
bool ox_agent_reload(struct ox_agent *agent);

/**
 * Write the state as the end of this attempt. Where the file took its place and only the sync of
 * its folder failed, it is the end, too: should a power cut bring back the file before, the journal
 * is there as well, from which the attempt is ended once more. On failure the memory goes back to
 * what the disk holds. Call under lock, with an err.
 */
OX_MUST_USE enum ox_code ox_agent_save_end(struct ox_agent *agent, uint64_t attempt,
                                           struct ox_err *err);

/** The same, but what cannot be written stays in memory and is logged. Call under lock. */
void ox_agent_save_or_log(struct ox_agent *agent);

/** Versions of a model that stay beside the active one, as the agent was told last. Any thread. */
size_t ox_agent_keep(struct ox_agent *agent, const char *model_id);

/** The layout that a model is to have, likewise. */
enum ox_model_layout ox_agent_layout(struct ox_agent *agent, const char *model_id);

/** Who may read a model's files, by what the agent was told last. Errors: OX_EPERM. Any thread. */
OX_MUST_USE enum ox_code ox_agent_access(struct ox_agent *agent, const char *model_id,
                                         struct ox_access *out, struct ox_err *err);

/** Take into an empty state what the symlinks below MODEL_DIR lead to, each byte hashed (adopt.c).
 *  What is odd is left alone, and said. */
OX_MUST_USE enum ox_code ox_agent_adopt(struct ox_agent *agent, struct ox_err *err);

/** If another release wrote the state, keep copies of it, of the identity and of the journal in
 *  before-upgrade/, for the way back; where they cannot be kept, that is said and tried again at
 * the next start (upgrade.c). */
OX_MUST_USE enum ox_code ox_agent_take_over(struct ox_agent *agent, struct ox_err *err);

/** Make the folders of a model agree with the state: no more versions kept than were asked for,
 *  links switched, other versions removed, and all of it gone if the state does not know the model.
 * The version in folder `also` may stay; NULL: none. Call without lock. */
OX_MUST_USE enum ox_code ox_agent_settle(struct ox_agent *agent, const char *model_id,
                                         const char *also, struct ox_err *err);

/** Rouse the beating thread. */
void ox_agent_wake(const struct ox_agent *agent);

#define OX_NUMBER_TEXT_MAX 32
/** "2,143,752"; returns `out`. */
const char *ox_number_text(uint64_t value, char out[OX_NUMBER_TEXT_MAX]);
/** What `part` saves of `whole`: "99.6 %", rounded down; returns `out`. */
const char *ox_saved_text(uint64_t part, uint64_t whole, char out[OX_NUMBER_TEXT_MAX]);

#endif
