/** Updates that are ready but for the switch, and wait for a window of the device's own or for a
 *  busy program. In memory:
 *  after a restart they are found ready again. */
#ifndef OX_AGENT_HELD_H
#define OX_AGENT_HELD_H

#include "oxide/wire/heartbeat.h"
#include "tuning.h"

/** One of a model; the oldest gives way. */
struct ox_held {
    struct {
        char *model_id; /* NULL: none */
        struct ox_digest digest;
    } entries[OX_HEARTBEAT_MODELS_MAX];
    size_t next;
};

void ox_held_add(struct ox_held *held, const struct ox_assignment *assignment);
void ox_held_remove(struct ox_held *held, const struct ox_assignment *assignment);
bool ox_held_has(const struct ox_held *held, const struct ox_assignment *assignment);
void ox_held_clear(struct ox_held *held);

/** How long until an update may begin: in a window of its campaign's and one of the device's own,
 *  for downloads or, where it is held, for the switch; local_ms is now, since 1970 of the local
 *  clock. 0: at once, as always for the urgent. */
int64_t ox_held_wait_ms(const struct ox_held *held, struct ox_tuning_place *place,
                        const struct ox_assignment *assignment, int64_t local_ms);

#endif
