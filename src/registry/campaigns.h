/** What the queries about campaigns share. */
#ifndef OX_REGISTRY_CAMPAIGNS_H
#define OX_REGISTRY_CAMPAIGNS_H

#include "db.h"

#define OX_CAMPAIGN_COLUMNS                                                                        \
    "c.id, c.kind, c.artifact_id, a.model_id, a.version, a.digest, a.size_bytes, c.of_campaign,"   \
    " c.fleet_id, c.strategy, c.policy, c.state, c.reason, c.created_at, c.prepared_at,"           \
    " c.ended_at, c.total, c.stage, c.stage_opened_at, c.approved_stage, c.last_success_at,"       \
    " c.unnamed_bytes, c.bytes_served, c.staged"
#define OX_CAMPAIGN_FROM " FROM campaigns c JOIN artifacts a ON a.id = c.artifact_id"
#define OX_CAMPAIGN_ACTIVE "('pending', 'rolling_out', 'paused')"
/* of a device in one */
#define OX_CAMPAIGN_OPEN "('pending', 'downloading', 'applying', 'verifying')"
#define OX_CAMPAIGN_BEGUN "('downloading', 'applying', 'verifying')"

/** Of a device d, behind a condition: it names variants, or has not said what it can. */
#define OX_NOT_FIRST_GENERATION " AND (d.protocol > 0 OR d.last_heartbeat IS NULL)"

/** Read the one campaign of a query for OX_CAMPAIGN_COLUMNS. */
OX_MUST_USE enum ox_code ox_campaign_one(struct ox_tx *tx, sqlite3_stmt *statement,
                                         struct ox_campaign_row *out, bool *found,
                                         struct ox_err *err);

#endif
