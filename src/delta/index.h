/**
 * Finding content that moved. Anchors are places that a run of bytes chooses by itself: the least
 * rolling hash of every window of W hashes. So any run of W + INDEX_HASHED bytes has one, and the
 * same run has the same one wherever it stands.
 *
 * An index remembers the anchors of some of the base, in a stated number of bytes. W follows from
 * them: about base / 5.6 M x (64 MiB / index) bytes, and at least 16. A run of the target that
 * stands somewhere in the base is found if it has so many bytes:
 *
 *     base      index of 64 MiB     of 16 MiB
 *     64 MiB    48                  80
 *     160 MiB   ~ 62                ~ 150
 *     1 GiB     ~ 220               ~ 800
 *     20 GiB    ~ 3,800             ~ 15,000
 *     1 TiB     ~ 190,000           ~ 750,000
 *
 * (Several copies of the same content count as the first of them.) What is missed at the ends of a
 * run, and shorter runs near by, are the encoder's: it looks finely within what a frame gathers.
 *
 * Source: Schleimer et al., "Winnowing: local algorithms for document fingerprinting" (2003); the
 * gear hash of Ddelta (Xia et al., 2014) and FastCDC (Xia et al., 2016), section 3.
 */
#ifndef OXIDE_DELTA_INDEX_H
#define OXIDE_DELTA_INDEX_H

#include "oxide/base/io.h"
#include "oxide/base/stop.h"

#define INDEX_HASHED 32 /* bytes that a hash sees */
#define INDEX_WINDOW_MIN 16

/** The rolling hash: feed byte after byte. */
struct roll {
    uint64_t hash;
};
extern const uint64_t roll_gear[256];
static inline uint64_t roll_byte(struct roll *roll, uint8_t byte)
{
    roll->hash = (roll->hash << 1) + roll_gear[byte];
    return roll->hash;
}

/** ... and one that sees INDEX_HASHED bytes. */
static inline uint64_t anchor_roll(uint64_t hash, uint8_t byte)
{
    return (hash << 2) + roll_gear[byte];
}

/** Finds the anchors of bytes fed one after the other. */
struct anchor_scan {
    uint64_t *ring; /* the hashes of late, owned; NULL: not initialised */
    uint64_t mask;
    uint64_t window;
    uint64_t hash;
    uint64_t count; /* bytes fed */
    uint64_t least;
    uint64_t least_at; /* its count */
};

enum ox_code anchor_scan_init(struct anchor_scan *scan, uint64_t window, struct ox_err *err);
/** Begin anew, elsewhere. */
void anchor_scan_reset(struct anchor_scan *scan);
void anchor_scan_clear(struct anchor_scan *scan);
/** The least hash has left the window: choose again. */
void anchor_scan_choose(struct anchor_scan *scan);

/** Feed a byte. True if there is a new anchor: scan->least, of the bytes that end where scan->count
 *  was scan->least_at. The first window of whole hashes has the first. */
static inline bool anchor_scan_byte(struct anchor_scan *scan, uint8_t byte)
{
    uint64_t hash = scan->hash = anchor_roll(scan->hash, byte);
    bool chosen = false;

    scan->count++;
    scan->ring[scan->count & scan->mask] = hash;
    if (hash < scan->least) {
        scan->least = hash;
        scan->least_at = scan->count;
        chosen = true;
    } else if (scan->count - scan->least_at >= scan->window) {
        anchor_scan_choose(scan);
        chosen = true;
    }
    return scan->count == INDEX_HASHED + scan->window ||
           (chosen && scan->count > INDEX_HASHED + scan->window);
}

struct anchor_index;

/** Bytes of the table of an index of len_bytes, of max_bytes or less. */
uint64_t anchor_index_bytes(uint64_t len_bytes, uint64_t max_bytes);

/**
 * Read base[from, to) once and index it in about max_bytes, less for a short one.
 * Errors: OX_ENOMEM, OX_ECANCELED, the base's own.
 */
enum ox_code anchor_index_new(struct anchor_index **out, const struct ox_source *base,
                              uint64_t from, uint64_t to, uint64_t max_bytes, struct ox_stop *stop,
                              struct ox_err *err);
void anchor_index_free(struct anchor_index *index);

/** The window that a scan for this index must have. */
uint64_t anchor_index_window(const struct anchor_index *index);

/** Does an anchor with this hash stand in the base? Then *out_end is where its bytes end.
 *  Errors: the base's own. */
enum ox_code anchor_index_find(struct anchor_index *index, uint64_t hash, bool *found,
                               uint64_t *out_end, struct ox_err *err);

#endif
