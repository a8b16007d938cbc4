/** The natural order of version names: "v9" before "v10", "2.0-rc1" before "2.0". */
#ifndef OXIDE_REGISTRY_NATURAL_H
#define OXIDE_REGISTRY_NATURAL_H

#include <stddef.h>

/**
 * Compare two names of versions: less than, equal to, or greater than 0.
 *
 * A name is read as parts: runs of digits are numbers, of any length; runs of letters (any byte
 * past ASCII is one) are words, without regard to case; all else only separates. A "v" right before
 * the first number does not count, nor do zeros behind the last other number of a run of them. The
 * first part that differs decides: words of a version before (alpha, beta, dev, pre, preview, rc,
 * snapshot) rank below the end of a name, then come other words, then numbers. So "2" equals "v2"
 * and "2.0.0", and names that are equal here need not be the same. This is a total preorder.
 * Source: the idea is rpm's and dpkg's; the words are those of PEP 440 and semver.org.
 */
int ox_natural_compare(const char *a, size_t a_len, const char *b, size_t b_len);

#endif
