/** Where two stretches of bytes that no longer go in step meet again nearby. */
#ifndef OXIDE_DELTA_POOL_NEAR_H
#define OXIDE_DELTA_POOL_NEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NEAR_BYTES ((size_t)64 * 1024) /* looked at on either side; slots are 16 bits wide */
#define NEAR_RUN_BYTES ((size_t)64)    /* equal bytes that count as meeting */

struct near {
    uint16_t slots[8192]; /* number of a block of 16 bytes in b, + 1; 0: free */
};

/**
 * The first place in a[0, a_len) whose next NEAR_RUN_BYTES stand in b too, at a block that no
 * earlier block hides. Lengths over NEAR_BYTES are cut. Runs of one byte value do not count.
 */
bool near_find(struct near *near, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len,
               size_t *out_a, size_t *out_b);

#endif
