/** Memory for the names and shapes of a comparison, which goes all at once. */
#ifndef OXIDE_DELTA_COMPARE_TEXTS_H
#define OXIDE_DELTA_COMPARE_TEXTS_H

#include "oxide/base/err.h"

struct texts_chunk;

/** Zero-initialise. */
struct texts {
    struct texts_chunk *first;
    size_t total; /* bytes that were taken */
};

/** Copy bytes to a place aligned to 8. *out is lent until texts_free.
 *  Errors: OX_ETOOBIG over 64 MiB in all, OX_ENOMEM. */
OX_MUST_USE enum ox_code texts_copy(struct texts *texts, const void *from, size_t len_bytes,
                                    const void **out, struct ox_err *err);
void texts_free(struct texts *texts);

#endif
