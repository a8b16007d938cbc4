/** What the sections of an agent's examination share. */
#ifndef OX_AGENT_DOCTOR_INNER_H
#define OX_AGENT_DOCTOR_INNER_H

#include "folders.h"
#include "journal.h"
#include "oxide/agent/doctor.h"
#include "shelf.h"
#include "state.h"

struct ox_agent_doctor {
    struct ox_checkup *checkup;
    struct ox_folders folders;
    struct ox_agent_state state; /* only if has_state */
    struct ox_journal journal;   /* only if has_journal */
    bool has_state;
    bool has_journal;
    bool journal_ended; /* its update is over, as the state says */
};

/** Read state and journal again, without a word about what is wrong with them. */
void ox_agent_doctor_read(struct ox_agent_doctor *doctor);
/** Is this model in the middle of an update, by the journal? */
bool ox_agent_doctor_updates(const struct ox_agent_doctor *doctor, const char *model_id);

/** Versions and symlinks against the state. */
OX_MUST_USE enum ox_code ox_agent_doctor_models(struct ox_agent_doctor *doctor, struct ox_err *err);
/** What no state and no journal needs. */
OX_MUST_USE enum ox_code ox_agent_doctor_leftovers(struct ox_agent_doctor *doctor,
                                                   struct ox_err *err);

#endif
