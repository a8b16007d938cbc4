#include "identity.h"

#include <string.h>

/* Free space changes with every log line: less than this part of the disk is no news. */
#define DISK_NEWS 64

static bool disk_differs(const struct ox_installation *said, const struct ox_device_row *row)
{
    uint64_t more = said->disk_free_bytes > row->disk_free_bytes
                        ? said->disk_free_bytes - row->disk_free_bytes
                        : row->disk_free_bytes - said->disk_free_bytes;

    return said->disk_total_bytes != row->disk_total_bytes ||
           more > said->disk_total_bytes / DISK_NEWS;
}

/* How often it comes back: one that was told another interval a moment ago, after its own yet.
 * Older agents do not say theirs, and have the one that they are told. */
static uint64_t interval_of(const struct ox_installation *said, uint64_t told_s, uint64_t before_s)
{
    bool is_older = said->instance[0] == '\0' && said->poll_interval_s == 0;
    uint64_t own_s = said->poll_interval_s != 0 ? said->poll_interval_s : before_s;

    return is_older || told_s > own_s ? told_s : own_s;
}

bool ox_installation_merge(const struct ox_heartbeat *heartbeat, const char *address,
                           uint64_t told_s, struct ox_device_row *row)
{
    const struct ox_installation *said = &heartbeat->installation;
    uint64_t poll_s = interval_of(said, told_s, row->poll_interval_s);
    bool changed = false;

    if (said->instance[0] != '\0' && row->instance == NULL) {
        row->instance = said->instance;
        row->instance_since_ms = row->registered_ms; /* as far as is known */
        changed = true;
    }
    if (poll_s != row->poll_interval_s) {
        row->poll_interval_s = poll_s;
        changed = true;
    }
    if (said->has_utc_offset && said->utc_offset_s != row->utc_offset_s) {
        row->utc_offset_s = said->utc_offset_s;
        changed = true;
    }
    if (said->disk_total_bytes != 0) {
        changed = changed || disk_differs(said, row);
        row->disk_free_bytes = said->disk_free_bytes;
        row->disk_total_bytes = said->disk_total_bytes;
    }
    if (address != NULL && (row->address == NULL || strcmp(address, row->address) != 0)) {
        row->address = address;
        /* Behind some gateways it is another one each time. */
        changed = changed || heartbeat->platform != NULL;
    }
    return changed;
}
