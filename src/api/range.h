/** Range and Content-Range: RFC 9110, section 14. */
#ifndef OX_API_RANGE_H
#define OX_API_RANGE_H

#include "oxide/base/err.h"

#include <stdint.h>

enum ox_range_kind {
    OX_RANGE_WHOLE, /* no header, several ranges, or what is to be ignored */
    OX_RANGE_PART,
    OX_RANGE_OUTSIDE, /* 416 */
};
struct ox_range {
    uint64_t first;
    uint64_t len_bytes;
};

/** What a Range header (NULL: none) asks for of size_bytes. *out is set for a part. */
enum ox_range_kind ox_range_parse(const char *header, uint64_t size_bytes, struct ox_range *out);

/** The first byte and the total of a request's "bytes FIRST-LAST/TOTAL". Errors: OX_EINVAL. */
OX_MUST_USE enum ox_code ox_content_range_parse(const char *header, uint64_t *first, uint64_t *last,
                                                uint64_t *total, struct ox_err *err);

/** Does an If-None-Match list (or "*") name this entity tag (with its quotes)? Weak tags match. */
bool ox_etag_listed(const char *list, const char *etag);

#endif
