/**
 * The filter language: which devices are meant, as in
 *
 *     tag.site = "graz" and platform.arch = "aarch64" and not model.yolo >= "3"
 *
 * docs/filter.md is its reference. A filter is parsed once, without a database; select.h asks for
 * the devices that pass it. Filters are read-only once parsed: any thread may use one.
 */
#ifndef OXIDE_REGISTRY_FILTER_H
#define OXIDE_REGISTRY_FILTER_H

#include "oxide/base/err.h"

#define OX_FILTER_MAX 4096       /* bytes of text */
#define OX_FILTER_TESTS_MAX 64   /* comparisons in one filter */
#define OX_FILTER_VALUES_MAX 512 /* values in one filter, those of lists counted one by one */
#define OX_FILTER_DEPTH_MAX 32   /* parentheses and nots within one another */

struct ox_filter;

/**
 * Parse a filter. The caller frees *out.
 * Errors: OX_EINVAL; the message begins "the filter at column N: ", characters counted from 1, and
 * says what was expected there. OX_ENOMEM.
 */
OX_MUST_USE enum ox_code ox_filter_parse(struct ox_filter **out, const char *text,
                                         struct ox_err *err);
/** NULL is fine. */
void ox_filter_free(struct ox_filter *filter);

/** Does it ask for what every heartbeat may change (status, last_seen, metrics)? */
bool ox_filter_is_live(const struct ox_filter *filter);

#endif
