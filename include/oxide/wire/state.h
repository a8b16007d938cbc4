/** The state words of the REST API, each in one table (wire/state.c). */
#ifndef OXIDE_WIRE_STATE_H
#define OXIDE_WIRE_STATE_H

#include "oxide/base/err.h"

enum ox_device_status {
    OX_DEVICE_UNKNOWN, /* registered, never heard of */
    OX_DEVICE_ONLINE,
    OX_DEVICE_OFFLINE,
    OX_DEVICE_UPDATING,
    OX_DEVICE_ERROR,
    OX_DEVICE_CONFLICT, /* two installations speak under its id; no device says so itself */
};

enum ox_campaign_state {
    OX_CAMPAIGN_PENDING,
    OX_CAMPAIGN_ROLLING_OUT,
    OX_CAMPAIGN_PAUSED,
    OX_CAMPAIGN_COMPLETE,
    OX_CAMPAIGN_ABORTED,
};

/** A device within a campaign. */
enum ox_rollout_state {
    OX_ROLLOUT_PENDING,
    OX_ROLLOUT_DOWNLOADING,
    OX_ROLLOUT_APPLYING,
    OX_ROLLOUT_VERIFYING,
    OX_ROLLOUT_COMPLETE,
    OX_ROLLOUT_FAILED,
    OX_ROLLOUT_SKIPPED,
};

const char *ox_device_status_word(enum ox_device_status status);
const char *ox_campaign_state_word(enum ox_campaign_state state);
const char *ox_rollout_state_word(enum ox_rollout_state state);

/** Errors: OX_EINVAL, naming the word and the words that are known. */
OX_MUST_USE enum ox_code ox_device_status_parse(const char *word, enum ox_device_status *out,
                                                struct ox_err *err);
OX_MUST_USE enum ox_code ox_campaign_state_parse(const char *word, enum ox_campaign_state *out,
                                                 struct ox_err *err);
OX_MUST_USE enum ox_code ox_rollout_state_parse(const char *word, enum ox_rollout_state *out,
                                                struct ox_err *err);

#endif
