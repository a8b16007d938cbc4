#include "tuning.h"

#include <stdlib.h>
#include <string.h>

struct ox_tuning *ox_tuning_new(void)
{
    struct ox_tuning *tuning = calloc(1, sizeof(*tuning));

    if (tuning != NULL) {
        tuning->holders = 1; /* the place that it is put in */
    }
    return tuning;
}

enum ox_code ox_tuning_open(struct ox_tuning_place *out, const struct ox_agent_tuning *first,
                            struct ox_err *err)
{
    struct ox_tuning *tuning = ox_tuning_new();

    if (tuning == NULL) {
        if (first->done != NULL) {
            first->done(first->owner);
        }
        return ox_err_nomem(err, "the agent's settings");
    }
    tuning->is = *first;
    (void)pthread_mutex_init(&out->lock, NULL);
    out->latest = tuning;
    return OX_OK;
}

void ox_tuning_close(struct ox_tuning_place *place)
{
    if (place->latest == NULL) {
        return;
    }
    ox_tuning_drop(place, place->latest);
    place->latest = NULL;
    (void)pthread_mutex_destroy(&place->lock);
}

void ox_tuning_put(struct ox_tuning_place *place, struct ox_tuning *take_next)
{
    struct ox_tuning *before;

    (void)pthread_mutex_lock(&place->lock);
    before = place->latest;
    place->latest = take_next;
    (void)pthread_mutex_unlock(&place->lock);
    ox_tuning_drop(place, before);
}

struct ox_tuning *ox_tuning_hold(struct ox_tuning_place *place)
{
    struct ox_tuning *tuning;

    (void)pthread_mutex_lock(&place->lock);
    tuning = place->latest;
    tuning->holders++;
    (void)pthread_mutex_unlock(&place->lock);
    return tuning;
}

void ox_tuning_drop(struct ox_tuning_place *place, struct ox_tuning *tuning)
{
    bool last;

    (void)pthread_mutex_lock(&place->lock);
    last = --tuning->holders == 0;
    (void)pthread_mutex_unlock(&place->lock);
    if (last) {
        if (tuning->is.done != NULL) {
            tuning->is.done(tuning->is.owner);
        }
        free(tuning);
    }
}

const struct ox_agent_model_options *ox_tuning_model(const struct ox_tuning *tuning,
                                                     const char *model_id)
{
    for (size_t i = 0; i < tuning->is.models_count; i++) {
        if (strcmp(tuning->is.models[i].model_id, model_id) == 0) {
            return &tuning->is.models[i];
        }
    }
    return &tuning->is.all;
}

uint64_t ox_tuning_rate_bps(struct ox_tuning_place *place)
{
    uint64_t rate_bps;

    (void)pthread_mutex_lock(&place->lock);
    rate_bps = place->latest->is.rate_bps;
    (void)pthread_mutex_unlock(&place->lock);
    return rate_bps;
}
