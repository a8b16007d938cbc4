/**
 * Who speaks under a device's id: the installation that is the device, another one, or a copy of
 * it. docs/devices.md says what an operator sees of it.
 */
#ifndef OX_CONTROL_IDENTITY_H
#define OX_CONTROL_IDENTITY_H

#include "oxide/base/json.h"
#include "oxide/registry/device.h"
#include "oxide/wire/heartbeat.h"

struct ox_control;

enum ox_speaker {
    OX_SPEAKER_DEVICE,
    OX_SPEAKER_OTHER,  /* another installation */
    OX_SPEAKER_COPIED, /* the device, but a copy of it speaks too */
    OX_SPEAKER_COPY,
};

/** A device that two speak for is judged by what both said so far, so tell each heartbeat once. */
enum ox_speaker ox_identity_look(struct ox_control *control, const struct ox_device_row *device,
                                 const struct ox_installation *said);

/**
 * Do what follows where it is not simply the device. *is_device: it is after all (it took over, or
 * it is the one that was copied), so go on; else *out is the answer's text, which the caller frees.
 */
OX_MUST_USE enum ox_code ox_identity_settle(struct ox_control *control, enum ox_speaker speaker,
                                            const char *device_id, const struct ox_heartbeat *said,
                                            const char *address, bool *is_device, char **out,
                                            struct ox_err *err);

/** What a heartbeat tells of the installation, and how often it is told to come back (0: as it
 *  likes), goes into the row. Returns whether that is worth to
 *  be written. */
bool ox_installation_merge(const struct ox_heartbeat *heartbeat, const char *address,
                           uint64_t told_s, struct ox_device_row *row);

/** Forget rivals that spoke once and not again. */
OX_MUST_USE enum ox_code ox_identity_prune(struct ox_control *control, struct ox_err *err);

#endif
