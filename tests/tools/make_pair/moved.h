/** Parts of make_pair.c: bytes of a file that stand elsewhere in the next version. */
#ifndef MAKE_PAIR_MOVED_H
#define MAKE_PAIR_MOVED_H

#include <stdbool.h>
#include <stdint.h>

#define MOVED_BYTES_MAX ((uint64_t)1 << 30) /* of a file: it is held in memory */

/** Write `count` blocks of `bytes` random bytes, and the same in another order. The same arguments
 *  give the same bytes. Exits with a message where it cannot. */
void moved_blocks(const char *base, const char *target, uint64_t count, uint64_t bytes);

/** Write `base` with `count` pieces of itself, of 16 to `most` bytes, put in; or over what stands
 *  there. Exits with a message where it cannot, also where base has fewer than `most` bytes. */
void moved_pastes(const char *base, const char *target, bool over, uint64_t count, uint64_t most);

#endif
