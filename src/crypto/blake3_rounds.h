/*
 * The seven rounds, written once for numbers and for vectors of them. Who includes this has defined
 * `vec` (a number or vector of 32-bit numbers), TARGET (attributes of functions) and, where there
 * is something better than two shifts, ROTATE_16 and ROTATE_8.
 */
#define ROTATE(x, by) ((x) >> (by) | (x) << (32 - (by)))
#ifndef ROTATE_16
#define ROTATE_16(x) ROTATE(x, 16)
#endif
#ifndef ROTATE_8
#define ROTATE_8(x) ROTATE(x, 8)
#endif

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

/* Which word of the message goes where in each round: the permutation, applied again and again. */
static const uint8_t schedule[7][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8},
    {3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1},
    {10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6},
    {12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4},
    {9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7},
    {11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13},
};

TARGET INLINE void mix(vec v[16], int a, int b, int c, int d, const vec *x, const vec *y)
{
    v[a] = v[a] + v[b] + *x;
    v[d] = ROTATE_16(v[d] ^ v[a]);
    v[c] = v[c] + v[d];
    v[b] = ROTATE(v[b] ^ v[c], 12);
    v[a] = v[a] + v[b] + *y;
    v[d] = ROTATE_8(v[d] ^ v[a]);
    v[c] = v[c] + v[d];
    v[b] = ROTATE(v[b] ^ v[c], 7);
}

TARGET INLINE void mix_round(vec v[16], const vec m[16], int round)
{
    const uint8_t *s = schedule[round];

    mix(v, 0, 4, 8, 12, &m[s[0]], &m[s[1]]);
    mix(v, 1, 5, 9, 13, &m[s[2]], &m[s[3]]);
    mix(v, 2, 6, 10, 14, &m[s[4]], &m[s[5]]);
    mix(v, 3, 7, 11, 15, &m[s[6]], &m[s[7]]);
    mix(v, 0, 5, 10, 15, &m[s[8]], &m[s[9]]);
    mix(v, 1, 6, 11, 12, &m[s[10]], &m[s[11]]);
    mix(v, 2, 7, 8, 13, &m[s[12]], &m[s[13]]);
    mix(v, 3, 4, 9, 14, &m[s[14]], &m[s[15]]);
}

/* Spelled out, so that the schedule is known when this is compiled. */
TARGET INLINE void mix_all(vec v[16], const vec m[16])
{
    mix_round(v, m, 0);
    mix_round(v, m, 1);
    mix_round(v, m, 2);
    mix_round(v, m, 3);
    mix_round(v, m, 4);
    mix_round(v, m, 5);
    mix_round(v, m, 6);
}
