#include "starts.h"

/* Two returns so many times patience apart are two accidents. */
#define RETURNS_WITHIN 4

static uint64_t hash(const char *text)
{
    uint64_t sum = 0xcbf29ce484222325u; /* FNV-1a: RFC 9923, section 2 */

    for (; *text != '\0'; text++) {
        sum = (sum ^ (unsigned char)*text) * 0x100000001b3u;
    }
    return sum;
}

static size_t slot(uint64_t device, uint64_t start)
{
    return (size_t)((device ^ start) % OX_STARTS_MAX); /* starts are random already */
}

static void remember(struct ox_starts *starts, uint64_t device, uint64_t start)
{
    size_t at = slot(device, start);

    starts->slots[at].device = device;
    starts->slots[at].start = start;
}

static bool is_earlier(const struct ox_starts *starts, uint64_t device, uint64_t start)
{
    size_t at = slot(device, start);

    return starts->slots[at].device == device && starts->slots[at].start == start;
}

static void succeed(struct ox_start *start, struct ox_starts *starts, uint64_t device, uint64_t id)
{
    remember(starts, device, start->current);
    start->current = id;
    start->returned = false;
    start->current_spoke = false;
}

/* Did an earlier process return within this time? */
static bool is_recent(const struct ox_start *start, int64_t now_mono_ms, int64_t within_ms)
{
    return start->returned && now_mono_ms - start->returned_mono_ms <= within_ms;
}

enum ox_start_verdict ox_start_judge(struct ox_start *start, struct ox_starts *starts,
                                     const char *device_id, uint64_t id, int64_t now_mono_ms,
                                     int64_t patience_ms)
{
    uint64_t device = hash(device_id);

    if (start->current == 0) {
        start->current = id;
    }
    if (id == start->current) {
        start->current_spoke = start->returned;
        return OX_START_FINE;
    }
    if (id == start->newcomer) {
        return OX_START_COPY;
    }
    if (!is_earlier(starts, device, id)) { /* a restart, or a copy's first word */
        succeed(start, starts, device, id);
        return OX_START_FINE;
    }
    if (start->current_spoke && is_recent(start, now_mono_ms, RETURNS_WITHIN * patience_ms)) {
        start->newcomer = start->current;
        succeed(start, starts, device, id);
        return OX_START_COPIED;
    }
    if (start->returned && !start->current_spoke && !is_recent(start, now_mono_ms, patience_ms)) {
        succeed(start, starts, device, id); /* a machine's snapshot came back */
        return OX_START_FINE;
    }
    if (!start->returned || start->current_spoke) {
        start->returned = true;
        start->current_spoke = false;
        start->returned_mono_ms = now_mono_ms;
    }
    return OX_START_FINE;
}
