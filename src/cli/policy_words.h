/** A policy as people say it, without what goes without saying. */
#ifndef OXIDE_CLI_POLICY_WORDS_H
#define OXIDE_CLI_POLICY_WORDS_H

#include "table.h"

#include "oxide/base/json.h"

/** Append rows of two cells to a table: its strategy, and each section in which something is not
 *  as it is by default (docs/campaigns.md). `policy` is as the API shows it. */
void ox_policy_words(struct ox_table *table, const json_t *policy);

#endif
