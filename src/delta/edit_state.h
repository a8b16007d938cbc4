/** The tokens of operation "edit", and what both sides know of those so far: edit_model.h. */
#ifndef OXIDE_DELTA_EDIT_STATE_H
#define OXIDE_DELTA_EDIT_STATE_H

#include <stdint.h>

#define EDIT_REPS 4
#define EDIT_CONTEXTS 40 /* of a token's kind */

enum edit_kind {
    EDIT_LITERAL,
    EDIT_REP0,     /* the distance of the last copy; REP1 to REP3: of those before */
    EDIT_INSERTED, /* the last distance + the literals since: they were inserted */
    EDIT_REP1,
    EDIT_REP2,
    EDIT_REP3,
    EDIT_NEAR,     /* the last distance, and a signed difference */
    EDIT_FAR,      /* any distance */
    EDIT_RESUMED1, /* REP1 + the bytes since: what its copy came from goes on where it stopped */
    EDIT_RESUMED2,
    EDIT_KIND_COUNT,
};

struct edit_token {
    enum edit_kind kind;
    uint32_t len;  /* 1 for a literal */
    uint32_t dist; /* of a copy */
};

/** What both sides know of the tokens so far. */
struct edit_state {
    uint32_t reps[EDIT_REPS];
    uint32_t since[EDIT_REPS]; /* bytes since the last copy of that distance */
    uint32_t run;              /* literals since the last copy */
    uint8_t last;              /* enum edit_kind of the last copy */
    uint8_t before;            /* was it preceded by literals? */
};

/** Before the first token of a frame that gathers so many bytes. */
void edit_state_init(struct edit_state *state, uint32_t gathered);
/** After a token. */
void edit_state_update(struct edit_state *state, const struct edit_token *token);
/** The distance of a copy of this kind; 0 where it must be told. */
uint32_t edit_state_dist(const struct edit_state *state, enum edit_kind kind);
/** The context of the next token's kind, below EDIT_CONTEXTS. */
unsigned edit_state_context(const struct edit_state *state);

#endif
