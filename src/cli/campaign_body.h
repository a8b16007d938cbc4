/** What commands that make campaigns, or would, send: who gets which version, and how. */
#ifndef OXIDE_CLI_CAMPAIGN_BODY_H
#define OXIDE_CLI_CAMPAIGN_BODY_H

#include "args.h"

#include "oxide/base/json.h"

/** Add --fleet or the --device options to a request's body. Errors: OX_EINVAL unless it is one. */
OX_MUST_USE enum ox_code ox_campaign_who(const struct ox_args *args, json_t *body,
                                         struct ox_err *err);

/** The body for MODEL and VERSION (or the model's newest), who gets it, and its policy. The caller
 *  releases *out. Errors: OX_EINVAL; where the server is asked for the newest version, its own. */
OX_MUST_USE enum ox_code ox_campaign_body(struct ox_cli *cli, const struct ox_args *args,
                                          json_t **out, struct ox_err *err);

/** Print what the answer's "superseded" names, a line each: "takes 3 devices from campaign c-1". */
void ox_campaign_superseded(const struct ox_cli *cli, const json_t *answer);

#endif
