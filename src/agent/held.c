#include "held.h"

#include "oxide/base/buf.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES (sizeof(((struct ox_held *)0)->entries) / sizeof(((struct ox_held *)0)->entries[0]))

void ox_held_remove(struct ox_held *held, const struct ox_assignment *assignment)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        if (held->entries[i].model_id != NULL &&
            strcmp(held->entries[i].model_id, assignment->model_id) == 0) {
            free(held->entries[i].model_id);
            held->entries[i].model_id = NULL;
        }
    }
}

void ox_held_add(struct ox_held *held, const struct ox_assignment *assignment)
{
    char *model_id = NULL;

    ox_held_remove(held, assignment);
    if (ox_strdup(&model_id, assignment->model_id, NULL) != OX_OK) {
        return; /* what is not remembered is tried again, and held again */
    }
    free(held->entries[held->next].model_id);
    held->entries[held->next].model_id = model_id;
    held->entries[held->next].digest = assignment->digest;
    held->next = (held->next + 1) % ENTRIES;
}

bool ox_held_has(const struct ox_held *held, const struct ox_assignment *assignment)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        if (held->entries[i].model_id != NULL &&
            strcmp(held->entries[i].model_id, assignment->model_id) == 0 &&
            ox_digest_equal(&held->entries[i].digest, &assignment->digest)) {
            return true;
        }
    }
    return false;
}

void ox_held_clear(struct ox_held *held)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        free(held->entries[i].model_id);
    }
    *held = (struct ox_held){.next = 0};
}

int64_t ox_held_wait_ms(const struct ox_held *held, struct ox_tuning_place *place,
                        const struct ox_assignment *assignment, int64_t local_ms)
{
    struct ox_tuning *tuning = ox_tuning_hold(place);
    const struct ox_agent_model_options *model = ox_tuning_model(tuning, assignment->model_id);
    int64_t theirs_ms =
        ox_windows_wait_ms(assignment->windows, assignment->windows_count, local_ms);
    int64_t own_ms =
        ox_held_has(held, assignment)
            ? ox_windows_wait_ms(model->activate_windows, model->activate_windows_count, local_ms)
            : ox_windows_wait_ms(tuning->is.download_windows, tuning->is.download_windows_count,
                                 local_ms);

    ox_tuning_drop(place, tuning);
    return assignment->urgent ? 0 : theirs_ms > own_ms ? theirs_ms : own_ms;
}
