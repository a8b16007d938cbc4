/** Parts of make_pair.c: blocks of 256 weights as GGUF has them, quantised plainly: llama.cpp
 *  searches for better scales, and lays out the bytes just so. */
#ifndef MAKE_PAIR_PACKED_BLOCKS_H
#define MAKE_PAIR_PACKED_BLOCKS_H

#include <stdint.h>

#define K_BLOCK 256

void block_q4_k(const float *values, uint8_t *out);   /* 144 bytes */
void block_q5_k(const float *values, uint8_t *out);   /* 176 bytes */
void block_q6_k(const float *values, uint8_t *out);   /* 210 bytes */
void block_iq4_xs(const float *values, uint8_t *out); /* 136 bytes */

#endif
