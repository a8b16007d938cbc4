/**
 * Answers to heartbeats from memory. Most heartbeats say what the one before said, and are answered
 * the same: then nothing is parsed and no query runs.
 *
 * An answer is kept for a device that has no open place in any campaign, so that it depends on what
 * is written alone, not on the time; and it is given while nothing has been written that it depends
 * on (registry/touch.c says what that is). Kept or not, what a device is told is the same.
 */
#ifndef OX_CONTROL_RECALL_H
#define OX_CONTROL_RECALL_H

#include "live.h"

/** What was written before an answer was made; from memory until then. */
struct ox_recall_mark {
    uint64_t epoch;
    uint64_t touches;
};
struct ox_recall_mark ox_recall_mark(struct ox_control *control, const char *device_id);

/** Keep the answer to a heartbeat that was just noted (ox_live_note), if it will stay true. */
void ox_recall_keep(struct ox_control *control, const char *device_id, struct ox_recall_mark mark,
                    const void *body, size_t len_bytes, const char *answer);

/** Forget the answer of a device, and that which is being made: with the shard's lock. */
void ox_recall_forget(struct ox_live_shard *shard, struct ox_live_device *device);

/** For ox_registry_watch. */
void ox_recall_changed(void *control, const char *device_id);

#endif
