/* Maintenance windows, by what devices tell of their local time: who may begin now, and what that
 * does to a plan. A device that tells nothing is given its assignment at once and judges by itself,
 * as every device does again when it begins. */
#include "inner.h"

/* The zones of the world, UTC-12:00 to UTC+14:00, of which all are whole quarters of an hour.
 * Source: the tz database. */
#define FIRST_ZONE_S (-12 * 3600)
#define LAST_ZONE_S (14 * 3600)
#define ZONE_STEP_S 900

bool ox_window_shut(const struct ox_control *control, const struct ox_policy *policy,
                    const struct ox_device_row *device)
{
    return policy->windows_count > 0 && device->utc_offset_s != OX_UTC_OFFSET_UNKNOWN &&
           !ox_windows_open(policy->windows, policy->windows_count,
                            ox_control_now(control) + device->utc_offset_s * 1000);
}

static int64_t wait_ms(const struct ox_policy *policy, int64_t now_ms, int64_t utc_offset_s)
{
    return ox_windows_wait_ms(policy->windows, policy->windows_count, now_ms + utc_offset_s * 1000);
}

/* Until one is open for whoever does not tell where it is. */
static int64_t wait_anywhere_ms(const struct ox_policy *policy, int64_t now_ms)
{
    int64_t least_ms = INT64_MAX;

    for (int64_t offset_s = FIRST_ZONE_S; offset_s <= LAST_ZONE_S; offset_s += ZONE_STEP_S) {
        int64_t zone_ms = wait_ms(policy, now_ms, offset_s);

        least_ms = zone_ms < least_ms ? zone_ms : least_ms;
    }
    return least_ms;
}

static bool is_too_late(const struct ox_policy *policy, int64_t waits_ms)
{
    return policy->deadline_s > 0 && waits_ms / 1000 >= policy->deadline_s;
}

enum ox_code ox_zones_find(struct ox_control *control, struct ox_tx *tx, const char *campaign_id,
                           const struct ox_policy *policy, struct ox_zones *out, struct ox_err *err)
{
    struct ox_zone_row *rows = NULL;
    struct ox_zones zones = {.now_ms = ox_control_now(control)};
    size_t count = 0;
    enum ox_code code = OX_OK;

    if (policy->windows_count > 0) {
        code = ox_registry_campaign_zones(tx, campaign_id, &rows, &count, err);
    }
    for (size_t i = 0; code == OX_OK && i < count; i++) {
        int64_t waits_ms;

        if (!rows[i].known) {
            zones.not_known += rows[i].devices;
            continue;
        }
        if (!zones.has_main) { /* most devices first */
            zones.has_main = true;
            zones.main_offset_s = rows[i].utc_offset_s;
        }
        waits_ms = wait_ms(policy, zones.now_ms, rows[i].utc_offset_s);
        if (waits_ms == 0) {
            zones.open += rows[i].devices;
            continue;
        }
        zones.next_ms = zones.shut == 0 || waits_ms < zones.next_ms ? waits_ms : zones.next_ms;
        zones.last_ms = waits_ms > zones.last_ms ? waits_ms : zones.last_ms;
        zones.shut += rows[i].devices;
        zones.too_late += is_too_late(policy, waits_ms) ? rows[i].devices : 0;
    }
    if (code == OX_OK) {
        *out = zones;
    }
    return code;
}

enum ox_code ox_zones_check(struct ox_control *control, struct ox_tx *tx, const char *campaign_id,
                            const struct ox_policy *policy, struct ox_err *err)
{
    struct ox_zones zones;
    char window[OX_WINDOW_TEXT_MAX];
    int64_t first_ms = INT64_MAX;
    enum ox_code code = ox_zones_find(control, tx, campaign_id, policy, &zones, err);

    if (code != OX_OK || policy->windows_count == 0 || policy->deadline_s == 0 ||
        zones.open + zones.shut > zones.too_late) {
        return code;
    }
    if (zones.shut > 0) {
        first_ms = zones.next_ms;
    }
    if (zones.not_known > 0 || policy->follow) { /* who is still to come may be anywhere */
        int64_t anywhere_ms = wait_anywhere_ms(policy, zones.now_ms);

        first_ms = anywhere_ms < first_ms ? anywhere_ms : first_ms;
    }
    if (first_ms == INT64_MAX || !is_too_late(policy, first_ms)) { /* or nobody waits for one */
        return OX_OK;
    }
    return ox_err_set(err, OX_EINVAL,
                      "no device could begin: in their own time the window \"%s\"%s opens in "
                      "%lld s at the earliest, and \"limits.deadline_s\" ends the campaign in %lld "
                      "s: give it more time, or another of \"limits.windows\"",
                      ox_window_text(&policy->windows[0], window),
                      policy->windows_count > 1 ? " (or another)" : "",
                      (long long)(first_ms / 1000), (long long)policy->deadline_s);
}

int64_t ox_zones_pass_ms(const struct ox_zones *zones, const struct ox_policy *policy,
                         int64_t from_ms, int64_t open_ms)
{
    return zones->has_main
               ? ox_windows_pass_ms(policy->windows, policy->windows_count,
                                    zones->now_ms + from_ms + zones->main_offset_s * 1000, open_ms)
               : open_ms;
}

json_t *ox_zones_json(const struct ox_zones *zones, const struct ox_policy *policy)
{
    if (policy->windows_count == 0) {
        return json_null();
    }
    return json_pack(
        "{s:I, s:I, s:I, s:o, s:o}", "open", (json_int_t)zones->open, "closed",
        (json_int_t)zones->shut, "not_known", (json_int_t)zones->not_known, "next_opens_at",
        ox_json_of_time(zones->shut == 0 ? 0 : zones->now_ms + zones->next_ms), "last_opens_at",
        ox_json_of_time(zones->shut == 0 ? 0 : zones->now_ms + zones->last_ms));
}
