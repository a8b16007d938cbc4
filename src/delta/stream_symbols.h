/**
 * Numbers as symbols and raw bits, for the fast coder: of each number a symbol that says its size
 * or the size of its difference to the prediction, which is coded by its frequency, and the bits
 * below it, which are as good as random. docs/oxdl.md, "The static coder", specifies the bytes.
 */
#ifndef OXIDE_DELTA_STREAM_SYMBOLS_H
#define OXIDE_DELTA_STREAM_SYMBOLS_H

#include "stream.h"
#include "vectors.h"

/** What a symbol says. Values are pinned: they stand in patches. */
enum symbol_meaning {
    SYMBOL_STEP = 0,   /* the difference to the prediction: its sign, its octave, two bits more */
    SYMBOL_NUMBER = 1, /* a number of one byte, whole */
    SYMBOL_TOP = 2,    /* a float's exponent and the highest bits of its mantissa */
    SYMBOL_MEANING_COUNT = 3,
};

#define SYMBOL_COUNT 256

/** How numbers become symbols. Set kind, meaning, kept_bits and lowest; then call symbols_init. */
struct symbols {
    enum number_kind kind;
    enum symbol_meaning meaning;
    uint8_t kept_bits; /* SYMBOL_TOP: bits of the mantissa in a symbol, 0 to symbols_kept_max() */
    uint16_t lowest;   /* SYMBOL_TOP: symbol 2 is this magnitude, less the bits that are not kept */
    enum vector_path vectors;
    /* A symbol's least size, or magnitude, and how many raw bits follow it. */
    uint32_t first[SYMBOL_COUNT];
    uint8_t raw_bits[SYMBOL_COUNT];
};

#define SYMBOL_ESCAPE 0 /* SYMBOL_TOP: the whole number follows raw */
#define SYMBOL_ZERO 1   /* SYMBOL_TOP: the number is (positive) zero */
#define SYMBOL_TOPS 254 /* SYMBOL_TOP: symbols from 2 on */

/** Most mantissa bits that a symbol may keep, for floats of 2 or 4 bytes. */
unsigned symbols_kept_max(enum number_kind kind);

/** Fill the tables. The best of the processor's vectors up to `most` are used. */
void symbols_init(struct symbols *symbols, enum vector_path most);

/** Bytes that raw bits of `count` numbers may take, at most, with room to write ahead. */
size_t symbols_raw_max(const struct symbols *symbols, size_t count);

/** Split numbers into symbols and raw bits. Returns the raw bits' length in whole bytes. */
size_t symbols_split(const struct symbols *symbols, const uint8_t *predicted,
                     const uint8_t *numbers, size_t count, uint8_t *out, uint8_t *raw);

/** Raw bits, least significant first, that are being read. */
struct symbols_raw {
    const uint8_t *data;
    size_t len_bytes;
    uint64_t pos_bits;
};

/** Join symbols and raw bits to numbers; false, with numbers undefined, where raw bits run out. */
bool symbols_join(const struct symbols *symbols, const uint8_t *predicted, const uint8_t *in,
                  struct symbols_raw *raw, uint8_t *numbers, size_t count);

#endif
