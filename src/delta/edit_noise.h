/**
 * How many bytes of a frame are noise: what no model of literals shrinks and no copy gives, so that
 * a body has about as many at the least, whatever work goes into it. Encrypted, compressed and
 * random bytes are such. To tell costs some nanoseconds a byte, to code them as edits a thousand.
 */
#ifndef OXIDE_DELTA_EDIT_NOISE_H
#define OXIDE_DELTA_EDIT_NOISE_H

#include "edit.h"

/** Frames with less noise than this share are not looked through: they hold other things. */
#define EDIT_NOISE_SHARE 8

/** A frame of edits, as edit_encode takes it; n is at most OX_OXDL_FRAME_TARGET_MAX. */
struct edit_frame {
    const uint8_t *history;
    uint32_t gathered;
    uint32_t n;
    const struct edit_hint *hints;
    size_t hint_count;
};

/**
 * Bytes of noise among the frame's target bytes; 0 where they are fewer than n / EDIT_NOISE_SHARE.
 * A window of 1 KiB, or what is left between copies, is noise where its bytes, and how they differ
 * from those one and two before and from where the hints say that they come from, are distributed
 * as evenly as chance has it. Repeats in such windows are taken off, and so is what the windows
 * together show.
 *
 * places: working memory of 1 << places_log2 entries, at least 1 << 10. Repeats of less than about
 * 64 bytes may be missed: more where the history has more than 4 bytes to an entry.
 */
uint32_t edit_noise_find(const struct edit_frame *frame, uint32_t *places, unsigned places_log2);

#endif
