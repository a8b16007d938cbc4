/** Variants of a version: which one a device gets. */
#ifndef OX_CONTROL_VARIANTS_H
#define OX_CONTROL_VARIANTS_H

#include "oxide/registry/artifact.h"

/** Is it a filter that we can ask devices by? Errors: OX_EINVAL, with the place. */
OX_MUST_USE enum ox_code ox_requires_check(const char *requires, struct ox_err *err);

#endif
