/** The options that say how a campaign goes, as JSON that the API takes (docs/campaigns.md). */
#ifndef OXIDE_CLI_POLICY_ARGS_H
#define OXIDE_CLI_POLICY_ARGS_H

#include "args.h"

#include "oxide/base/json.h"

/** How the values of an option are read, and what becomes of them. */
enum ox_policy_kind {
    OX_POLICY_WORD,
    OX_POLICY_FLAG,
    OX_POLICY_COUNT,
    OX_POLICY_PERCENT,
    OX_POLICY_FACTOR,  /* a number with a point */
    OX_POLICY_SECONDS, /* a time, whole seconds */
    OX_POLICY_BYTES,   /* a size */
    OX_POLICY_STAGES,  /* "1,10,50,100" */
    OX_POLICY_TEXTS,   /* each value an element */
    OX_POLICY_GATE,    /* "success=95,failed=3,min=10,soak=30m", or "none" */
    OX_POLICY_TIMES,   /* "downloading=30m,applying=10m" */
    OX_POLICY_RULES,   /* each value one of "health:3", "any:10%:min=20" */
};

/** To add an option: a row in policy_args.c, and one in POLICY of commands.c. */
struct ox_policy_arg {
    const char *option;
    const char *section; /* NULL: the body itself */
    const char *key;     /* NULL: the whole section */
    const char *implies; /* the only strategy that it is for, or NULL */
    enum ox_policy_kind kind;
};
extern const struct ox_policy_arg ox_policy_args_rows[]; /* ended by a row with option NULL */

/**
 * Add what --policy FILE and the options say to a request's body; options win over the file.
 * Errors: OX_EINVAL naming option, or file and key, and what was expected (a key that no policy has
 * is one, so that no typing mistake is taken for a rule); those of reading a file.
 */
OX_MUST_USE enum ox_code ox_policy_args(const struct ox_args *args, json_t *body,
                                        struct ox_err *err);

#endif
