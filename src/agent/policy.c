#include "policy.h"

#include <string.h>

int64_t ox_policy_poll_ms(int64_t interval_ms, struct ox_rng *rng)
{
    int64_t spread = interval_ms / 5;

    return interval_ms - spread + (int64_t)ox_rng_below(rng, (uint64_t)(2 * spread) + 1);
}

int64_t ox_policy_backoff_ms(int64_t base_ms, uint64_t failures, struct ox_rng *rng)
{
    int64_t most = base_ms > OX_BACKOFF_MAX_MS ? base_ms : OX_BACKOFF_MAX_MS;
    int64_t bound = base_ms;

    for (uint64_t i = 0; i < failures && bound < most; i++) {
        bound = bound > most / 2 ? most : bound * 2;
    }
    return bound / 10 + (int64_t)ox_rng_below(rng, (uint64_t)(bound - bound / 10) + 1);
}

int64_t ox_policy_rest_ms(int64_t asked_s, struct ox_rng *rng)
{
    int64_t wait_ms = (asked_s < OX_RETRY_AFTER_S_MAX ? asked_s : OX_RETRY_AFTER_S_MAX) * 1000;

    return wait_ms <= 0 ? 0 : wait_ms + (int64_t)ox_rng_below(rng, (uint64_t)wait_ms / 5 + 1);
}

enum ox_decision ox_policy_decide(const struct ox_assignment *assignment,
                                  const char *current_version,
                                  const struct ox_digest *current_digest, uint64_t failures)
{
    if (assignment->remove) { /* what was poison may go all the same */
        return current_version == NULL ? OX_DECIDE_NOTHING : OX_DECIDE_UPDATE;
    }
    if (current_version != NULL && current_digest != NULL &&
        strcmp(current_version, assignment->version) == 0 &&
        ox_digest_equal(current_digest, &assignment->digest)) {
        return OX_DECIDE_NOTHING;
    }
    return failures >= OX_POISON_LIMIT ? OX_DECIDE_SKIP : OX_DECIDE_UPDATE;
}

/* How each way to fail is taken; a code without a row is the machine's trouble. */
static const struct {
    enum ox_code code;
    bool counts;
    bool blames_patch;
    bool is_interruption;
} verdicts[] = {
    {OX_EFAILED, true, false, false},      {OX_EDIGEST, true, true, false},
    {OX_ECORRUPT, true, true, false},      {OX_EBASE, false, true, false},
    {OX_EUNSUPPORTED, false, true, false}, {OX_ETOOBIG, false, true, false},
    {OX_ENOTFOUND, false, true, false},    {OX_EPROTO, false, true, false},
    {OX_ENET, false, false, true},         {OX_ETIMEOUT, false, false, true},
    {OX_ECANCELED, false, false, true},
};

static size_t row_of(enum ox_code code)
{
    size_t i = 0;

    while (i < sizeof(verdicts) / sizeof(verdicts[0]) && verdicts[i].code != code) {
        i++;
    }
    return i;
}

#define VERDICT(code, field)                                                                       \
    (row_of(code) < sizeof(verdicts) / sizeof(verdicts[0]) && verdicts[row_of(code)].field)

bool ox_policy_counts(enum ox_code code)
{
    return VERDICT(code, counts);
}

bool ox_policy_blames_patch(enum ox_code code)
{
    return VERDICT(code, blames_patch);
}

bool ox_policy_is_of_disk(enum ox_code code)
{
    return code == OX_ENOSPC || code == OX_EIO;
}

bool ox_policy_is_interruption(enum ox_code code)
{
    return VERDICT(code, is_interruption);
}
