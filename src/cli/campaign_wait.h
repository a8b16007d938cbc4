/** Staying until a campaign ends, and what became of it. */
#ifndef OXIDE_CLI_CAMPAIGN_WAIT_H
#define OXIDE_CLI_CAMPAIGN_WAIT_H

#include "args.h"

#include "oxide/base/json.h"

/** How often a waiting command asks. */
#define OX_WAIT_POLL_MS 500

/**
 * Ask until the campaign is complete, paused or aborted, with a line on the terminal meanwhile; as
 * long as --timeout says. A server that is away for a while is asked again. *out is the campaign
 * without its devices, which the caller releases. Errors: OX_ENOTFOUND and others of the server;
 * OX_ETIMEOUT (cli->outcome is set) and OX_ECANCELED: it goes on.
 */
OX_MUST_USE enum ox_code ox_campaign_wait(struct ox_cli *cli, const struct ox_args *args,
                                          const char *id, json_t **out, struct ox_err *err);

/**
 * OX_OK where a campaign is complete, no device failed, and one at least has the version (or there
 * was none to get it); else OX_EFAILED with what became of it, and cli->outcome set.
 */
OX_MUST_USE enum ox_code ox_campaign_verdict(struct ox_cli *cli, const json_t *campaign,
                                             struct ox_err *err);

/** Print in a line what a campaign with a good verdict came to. */
void ox_campaign_print_end(const struct ox_cli *cli, const json_t *campaign);

#endif
