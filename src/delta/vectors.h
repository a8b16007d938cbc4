/** What loops over vectors of numbers need of the compiler. */
#ifndef OXIDE_DELTA_VECTORS_H
#define OXIDE_DELTA_VECTORS_H

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

/** May a function be compiled a second time, for AVX2? The same operations on each number, four at
 * a time, give the same bits. */
#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_AVX2_PATH 1
#endif

/** Which of a processor's vectors a coder uses; all give the same bytes, and tests compare them. */
enum vector_path {
    VECTORS_NONE,    /* the portable path */
    VECTORS_GATHER,  /* of x86-64: AVX2, which gathers raw bits from memory */
    VECTORS_DEPOSIT, /* and deposits them by BMI2, on processors that are quick at that */
};

#endif
