/**
 * Which process of an installation speaks: each start has a random number. One that was followed by
 * another and is heard again belongs to a copy of the installation. Pure: time comes in as an
 * argument. Not locked.
 */
#ifndef OX_CONTROL_STARTS_H
#define OX_CONTROL_STARTS_H

#include "oxide/base/err.h"

#include <stdint.h>

/** Starts of all devices that were followed by another. Old ones are overwritten: then a copy is
 *  found a little later. A fleet restarts its agents by the thousand, copies speak every minute. */
#define OX_STARTS_MAX 8192
struct ox_starts {
    struct {
        uint64_t device; /* a hash */
        uint64_t start;  /* 0: free */
    } slots[OX_STARTS_MAX];
};

/** What is kept of one device; zeroed at first. */
struct ox_start {
    uint64_t current;         /* 0: not heard of yet */
    uint64_t newcomer;        /* the copy that shall be told so; 0: none */
    bool returned;            /* an earlier one was heard again, */
    bool current_spoke;       /* and the current one after that */
    int64_t returned_mono_ms; /* when it was */
};

enum ox_start_verdict {
    OX_START_FINE,
    OX_START_COPIED, /* a copy of what speaks speaks too */
    OX_START_COPY,   /* what speaks is the copy */
};

/**
 * Judge a heartbeat of process `id` (not 0). Not once, but twice must an earlier process be heard,
 * and the later one in between: a request of a process that ended may come late. patience_ms: after
 * this long a silent process counts as ended.
 */
enum ox_start_verdict ox_start_judge(struct ox_start *start, struct ox_starts *starts,
                                     const char *device_id, uint64_t id, int64_t now_mono_ms,
                                     int64_t patience_ms);

#endif
