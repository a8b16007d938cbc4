#include "oxide/base/random.h"

#include <errno.h>
#include <sys/random.h>

enum ox_code ox_random_bytes(void *out, size_t len_bytes, struct ox_err *err)
{
    uint8_t *to = out;

    while (len_bytes > 0) {
        ssize_t got = getrandom(to, len_bytes, 0);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return ox_err_sys(err, errno, "asking the system for random bytes");
        }
        to += got;
        len_bytes -= (size_t)got;
    }
    return OX_OK;
}

void ox_rng_init(struct ox_rng *rng, uint64_t seed)
{
    rng->state = seed;
}

uint64_t ox_rng_u64(struct ox_rng *rng)
{
    uint64_t z = rng->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t ox_rng_below(struct ox_rng *rng, uint64_t bound)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound; /* the tail would favour small numbers */
    uint64_t draw;

    do {
        draw = ox_rng_u64(rng);
    } while (draw >= limit);
    return draw % bound;
}
