/**
 * Parts of make_pair.c: small models of Gaussian weights whose numbers are packed with scales, as
 * published ones are: FP8, GPTQ, AWQ, blocks of GGUF. The target is the base, every weight moved
 * by a hundredth of a deviation, packed anew.
 */
#ifndef MAKE_PAIR_PACKED_H
#define MAKE_PAIR_PACKED_H

#include <stdbool.h>
#include <stdio.h>

/** Write a pair. The same format gives the same bytes on one machine; others may round logarithms
 *  otherwise. Returns false where there is no such format; exits with a message where a file cannot
 *  be written. */
bool packed_write(const char *format, const char *base, const char *target);
void packed_help(FILE *to);

#endif
