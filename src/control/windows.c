/* Maintenance windows, by what devices tell of their local time: who may begin now, and what that
 * does to a plan. A device that tells nothing is given its assignment at once and judges by itself,
 * as every device does again when it begins. */
#include "inner.h"

bool ox_window_shut(const struct ox_control *control, const struct ox_policy *policy,
                    const struct ox_device_row *device)
{
    return policy->windows_count > 0 && device->utc_offset_s != OX_UTC_OFFSET_UNKNOWN &&
           !ox_windows_open(policy->windows, policy->windows_count,
                            ox_control_now(control) + device->utc_offset_s * 1000);
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
        int64_t wait_ms;

        if (!rows[i].known) {
            zones.not_known += rows[i].devices;
            continue;
        }
        if (!zones.has_main) { /* most devices first */
            zones.has_main = true;
            zones.main_offset_s = rows[i].utc_offset_s;
        }
        wait_ms = ox_windows_wait_ms(policy->windows, policy->windows_count,
                                     zones.now_ms + rows[i].utc_offset_s * 1000);
        if (wait_ms == 0) {
            zones.open += rows[i].devices;
            continue;
        }
        zones.next_ms = zones.shut == 0 || wait_ms < zones.next_ms ? wait_ms : zones.next_ms;
        zones.last_ms = wait_ms > zones.last_ms ? wait_ms : zones.last_ms;
        zones.shut += rows[i].devices;
    }
    if (code == OX_OK) {
        *out = zones;
    }
    return code;
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
