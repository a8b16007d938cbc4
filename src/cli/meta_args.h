/** The options that say something of a version: labels, lineage, variant. */
#ifndef OXIDE_CLI_META_ARGS_H
#define OXIDE_CLI_META_ARGS_H

#include "args.h"

#include "oxide/base/json.h"

/**
 * Put what --label, --parent, --commit, --data-digest, --notes, --metric, --variant, --requires and
 * --rank say into a document of the REST API (docs/rest.md). An empty value takes back what is
 * said. Errors: OX_EINVAL for a pair that is none, a metric that is no number.
 */
OX_MUST_USE enum ox_code ox_meta_args(const struct ox_args *args, json_t *meta, struct ox_err *err);

/** Set one label of a document: "KEY=VALUE", "KEY", or "KEY-", which takes it back.
 *  Errors: OX_EINVAL. */
OX_MUST_USE enum ox_code ox_meta_label(json_t *meta, const char *word, struct ox_err *err);

#endif
