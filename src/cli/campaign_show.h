/** A campaign as a page for people, or as JSON. */
#ifndef OXIDE_CLI_CAMPAIGN_SHOW_H
#define OXIDE_CLI_CAMPAIGN_SHOW_H

#include "command.h"
#include "table.h"

#include "oxide/base/json.h"

/** Print a campaign, which was asked for without its devices: with --json whole, as the server has
 *  it now; else a page, with all devices where they are few and else those that failed. */
OX_MUST_USE enum ox_code ox_campaign_show(struct ox_cli *cli, const json_t *campaign,
                                          struct ox_err *err);

/** Append a device's state as a cell: "complete, late", "pending, asleep". */
void ox_campaign_device_state(struct ox_table *table, const json_t *device);

#endif
