/**
 * Parts of make_pair.c: models of Gaussian weights, and updates of a known size.
 *
 * 42 tensors: an embedding (a quarter of the weights), eight layers of five, a head (a twentieth).
 * Each tensor's sigma is drawn from [0.01, 0.06]; norms are 1 with a deviation of 0.05. Weights are
 * updated as float32 and rounded to their dtype after that, as training does.
 */
#ifndef MAKE_PAIR_SYNTHETIC_H
#define MAKE_PAIR_SYNTHETIC_H

#include <stdint.h>
#include <stdio.h>

/**
 * Write <folder>/<dtype>-<case>.<suffix>, each `mib` MiB of weights, for every dtype and case that
 * stands in the lists, with commas between; NULL: all. The same arguments give the same bytes on
 * one machine; others may round logarithms otherwise. Returns NULL, or the word that is unknown.
 * Exits with a message where a file cannot be written.
 */
const char *synthetic_write(const char *folder, uint64_t mib, const char *dtypes,
                            const char *cases);
void synthetic_help(FILE *to);

#endif
