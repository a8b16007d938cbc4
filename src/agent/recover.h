/** What an earlier run left: read the journal, finish what must be finished, tidy up the rest. */
#ifndef OX_AGENT_RECOVER_H
#define OX_AGENT_RECOVER_H

#include "core.h"
#include "journal.h"

/**
 * Bring the folders into agreement with the state. *pending tells whether *journal holds an update
 * that had begun to switch: it is to be run at once, from its journal. Other updates begin anew
 * when they are assigned again; what they had downloaded stays. The caller clears *journal. Errors:
 * OX_ECONFLICT, OX_EPERM, OX_EIO if the folders cannot be used.
 */
OX_MUST_USE enum ox_code ox_agent_recover(struct ox_agent *agent, struct ox_journal *journal,
                                          bool *pending, struct ox_err *err);

#endif
