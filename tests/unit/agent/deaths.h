/** An agent that dies at an instant, and starts again. */
#ifndef TESTS_AGENT_DEATHS_H
#define TESTS_AGENT_DEATHS_H

#include "helpers.h"

/** Nothing but v1 in MODEL_DIR, freshly installed. */
void begin_with_v1(struct world *world);

struct death {
    const char *stage;
    enum ox_stage_event event;
};

/** Update to v2, or remove v1, in a process of its own, which dies at the instant named (42).
 *  Returns its status; -1: it ended by a signal. */
int die_at(struct world *world, struct death death, bool removing);
int die_updating(struct world *world, struct death death);

/** Start again: what had begun to switch is run from its journal to *code. Returns whether there
 * was such. */
bool start_again(struct world *world, enum ox_code *code);

#endif
