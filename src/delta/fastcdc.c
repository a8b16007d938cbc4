#include "fastcdc.h"

#include "index.h"

/* The least of three: how far a phase goes. */
static size_t phase_end(size_t at, size_t len_bytes, uint32_t chunk_bytes, uint32_t until)
{
    size_t left = until - chunk_bytes;

    return len_bytes - at < left ? len_bytes : at + left;
}

bool fastcdc_feed(struct fastcdc *cdc, const uint8_t *bytes, size_t len_bytes, size_t *used_bytes)
{
    static const struct {
        uint32_t until;
        uint64_t mask;
    } phases[] = {
        {FASTCDC_AVG_BYTES, 0xaaaaaaaaaa800000u}, /* 21 bits: 63, 61 ... 23 */
        {FASTCDC_MAX_BYTES, 0xaaaaaaaaa8000000u}, /* 19 bits: 63, 61 ... 27 */
    };
    struct roll roll = {cdc->hash};
    size_t at = 0;

    if (cdc->len_bytes < FASTCDC_MIN_BYTES) {
        at = phase_end(0, len_bytes, cdc->len_bytes, FASTCDC_MIN_BYTES);
        cdc->len_bytes += (uint32_t)at;
    }
    for (size_t phase = 0; phase < 2; phase++) {
        uint64_t mask = phases[phase].mask;
        size_t begin = at;
        size_t end;

        if (cdc->len_bytes >= phases[phase].until) {
            continue;
        }
        end = phase_end(at, len_bytes, cdc->len_bytes, phases[phase].until);
        while (at < end) {
            if ((roll_byte(&roll, bytes[at++]) & mask) == 0) {
                *cdc = (struct fastcdc){0, 0};
                *used_bytes = at;
                return true;
            }
        }
        cdc->len_bytes += (uint32_t)(at - begin);
    }
    cdc->hash = roll.hash;
    *used_bytes = at;
    if (cdc->len_bytes == FASTCDC_MAX_BYTES) {
        *cdc = (struct fastcdc){0, 0};
        return true;
    }
    return false;
}
