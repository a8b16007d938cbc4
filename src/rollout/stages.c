#include "oxide/rollout/rollout.h"

#include "oxide/base/random.h"

/* total * bp / 10000, rounded up, divided first against overflow. */
static uint64_t share_of(uint64_t total, uint32_t bp)
{
    return total / OX_BP_ALL * bp + (total % OX_BP_ALL * bp + OX_BP_ALL - 1) / OX_BP_ALL;
}

static uint64_t exponential(const struct ox_policy *policy, uint64_t stage, uint64_t total)
{
    uint64_t released = policy->start;

    for (uint64_t i = 0; i < stage && released < total; i++) {
        uint64_t next =
            released / 100 * policy->factor_pct + released % 100 * policy->factor_pct / 100;

        released = next > released ? next : released + 1; /* a factor near 1 still grows */
    }
    return released;
}

uint64_t ox_rollout_released(const struct ox_policy *policy, uint64_t stage, uint64_t total)
{
    uint64_t released = total;

    switch (policy->strategy) {
    case OX_STRATEGY_ROLLING:
        released = stage >= total / policy->batch ? total : (stage + 1) * policy->batch;
        break;
    case OX_STRATEGY_CANARY:
        released =
            stage >= policy->shares_count ? total : share_of(total, policy->shares_bp[stage]);
        break;
    case OX_STRATEGY_EXPONENTIAL:
        released = exponential(policy, stage, total);
        break;
    case OX_STRATEGY_ALL_AT_ONCE:
    case OX_STRATEGIES:
        break;
    }
    return released < total ? released : total;
}

uint64_t ox_rollout_last_stage(const struct ox_policy *policy, uint64_t total)
{
    uint64_t stage = 0;

    if (policy->strategy == OX_STRATEGY_ROLLING) { /* the only one with many stages */
        return total == 0 ? 0 : (total - 1) / policy->batch;
    }
    while (ox_rollout_released(policy, stage, total) < total) {
        stage++;
    }
    return stage;
}

uint64_t ox_rollout_fallbacks(const struct ox_policy *policy, uint64_t total)
{
    switch (policy->fallback) {
    case OX_FALLBACK_NEVER:
        return 0;
    case OX_FALLBACK_ALWAYS:
        return total;
    case OX_FALLBACK_LIMITED:
        break;
    }
    return share_of(total, policy->fallback_bp);
}

uint64_t ox_rollout_position(const char *campaign_id, const char *device_id)
{
    const char *const names[] = {campaign_id, device_id};
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a: RFC 9923, section 2 */
    struct ox_rng rng;

    for (size_t i = 0; i < 2; i++) {
        for (const char *c = names[i];; c++) { /* with the NUL, which keeps ab|c from a|bc */
            hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
            if (*c == '\0') {
                break;
            }
        }
    }
    ox_rng_init(&rng, hash); /* FNV leaves the high bits of short names alike */
    return ox_rng_u64(&rng);
}
