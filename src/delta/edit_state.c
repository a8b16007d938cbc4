#include "edit_state.h"

#include <string.h>

void edit_state_init(struct edit_state *state, uint32_t gathered)
{
    *state =
        (struct edit_state){.reps = {gathered > 0 ? gathered : 1, 1, 2, 4}, .last = EDIT_LITERAL};
}

uint32_t edit_state_dist(const struct edit_state *state, enum edit_kind kind)
{
    switch (kind) {
    case EDIT_REP0:
        return state->reps[0];
    case EDIT_INSERTED:
        return state->reps[0] + state->run;
    case EDIT_RESUMED1:
    case EDIT_RESUMED2:
        return state->reps[kind - EDIT_RESUMED1 + 1] + state->since[kind - EDIT_RESUMED1 + 1];
    case EDIT_REP1:
    case EDIT_REP2:
    case EDIT_REP3:
        return state->reps[kind - EDIT_REP1 + 1];
    default:
        return 0;
    }
}

void edit_state_update(struct edit_state *state, const struct edit_token *token)
{
    unsigned at = 0;

    for (unsigned i = 0; i < EDIT_REPS; i++) {
        state->since[i] += token->len;
    }
    if (token->kind == EDIT_LITERAL) {
        state->run++;
        return;
    }
    state->before = state->run > 0;
    state->run = 0;
    state->last = (uint8_t)token->kind;
    while (at < EDIT_REPS - 1 && state->reps[at] != token->dist) {
        at++;
    }
    memmove(state->reps + 1, state->reps, at * sizeof(state->reps[0]));
    state->reps[0] = token->dist;
    memmove(state->since + 1, state->since, at * sizeof(state->since[0]));
    state->since[0] = 0;
}

unsigned edit_state_context(const struct edit_state *state)
{
    static const uint8_t run_class[16] = {0, 1, 2, 3, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6};
    unsigned run = state->run < 16 ? run_class[state->run] : state->run < 64 ? 7 : 8;

    return run == 0 ? state->last * 2u + state->before /* 0 to 19 */
                    : 18 + run * 2 + (state->last == EDIT_REP0);
}
