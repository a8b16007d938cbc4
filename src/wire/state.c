#include "oxide/wire/state.h"

#include <stdio.h>
#include <string.h>

/* To add a state: a value in its enum (wire/state.h), a word here, and its word in docs/rest.md;
 * the registry checks campaign and rollout words in its migrations. */
#define COUNT(words) (sizeof(words) / sizeof((words)[0]))

static const char *const device_words[] = {
    [OX_DEVICE_UNKNOWN] = "unknown", [OX_DEVICE_ONLINE] = "online",
    [OX_DEVICE_OFFLINE] = "offline", [OX_DEVICE_UPDATING] = "updating",
    [OX_DEVICE_ERROR] = "error",     [OX_DEVICE_CONFLICT] = "conflict",
};

static const char *const campaign_words[] = {
    [OX_CAMPAIGN_PENDING] = "pending", [OX_CAMPAIGN_ROLLING_OUT] = "rolling_out",
    [OX_CAMPAIGN_PAUSED] = "paused",   [OX_CAMPAIGN_COMPLETE] = "complete",
    [OX_CAMPAIGN_ABORTED] = "aborted",
};

static const char *const rollout_words[] = {
    [OX_ROLLOUT_PENDING] = "pending",   [OX_ROLLOUT_DOWNLOADING] = "downloading",
    [OX_ROLLOUT_APPLYING] = "applying", [OX_ROLLOUT_VERIFYING] = "verifying",
    [OX_ROLLOUT_COMPLETE] = "complete", [OX_ROLLOUT_FAILED] = "failed",
    [OX_ROLLOUT_SKIPPED] = "skipped",
};

static enum ox_code find(const char *what, const char *word, const char *const *words, size_t count,
                         size_t *out, struct ox_err *err)
{
    char known[256];
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        if (word != NULL && strcmp(words[i], word) == 0) {
            *out = i;
            return OX_OK;
        }
    }
    known[0] = '\0';
    for (size_t i = 0; i < count && used < sizeof(known) - 1; i++) {
        int put =
            snprintf(known + used, sizeof(known) - used, "%s%s", i == 0 ? "" : ", ", words[i]);

        used += put > 0 ? (size_t)put : 0;
    }
    return ox_err_set(err, OX_EINVAL, "\"%.64s\" is no %s: it is one of %s",
                      word == NULL ? "" : word, what, known);
}

const char *ox_device_status_word(enum ox_device_status status)
{
    return device_words[status];
}

const char *ox_campaign_state_word(enum ox_campaign_state state)
{
    return campaign_words[state];
}

const char *ox_rollout_state_word(enum ox_rollout_state state)
{
    return rollout_words[state];
}

enum ox_code ox_device_status_parse(const char *word, enum ox_device_status *out,
                                    struct ox_err *err)
{
    size_t index = 0;
    enum ox_code code = find("device status", word, device_words, COUNT(device_words), &index, err);

    if (code == OX_OK) {
        *out = (enum ox_device_status)index;
    }
    return code;
}

enum ox_code ox_campaign_state_parse(const char *word, enum ox_campaign_state *out,
                                     struct ox_err *err)
{
    size_t index = 0;
    enum ox_code code =
        find("campaign state", word, campaign_words, COUNT(campaign_words), &index, err);

    if (code == OX_OK) {
        *out = (enum ox_campaign_state)index;
    }
    return code;
}

enum ox_code ox_rollout_state_parse(const char *word, enum ox_rollout_state *out,
                                    struct ox_err *err)
{
    size_t index = 0;
    enum ox_code code =
        find("rollout state", word, rollout_words, COUNT(rollout_words), &index, err);

    if (code == OX_OK) {
        *out = (enum ox_rollout_state)index;
    }
    return code;
}
