/*
 * What the code relies on and no constraint of the schema enforces.
 *
 * To add a rule: a row here. Its query finds violations, as (where, what): which row, in words that
 * an operator can type on, and what is wrong. It must hold in every committed state, whatever was
 * asked of the server before: a state that devices or operators can bring about is no finding. A
 * fix may only rebuild what other rows say, or write what the server itself would at its next
 * start; tests/unit/registry/test_audit.c breaks each rule once.
 */
#include "invariants.h"

#define RESTORE "restore a backup from before (docs/backup.md), or ask for help with this message"
#define AGAIN "'oxide doctor --fix' with the server stopped counts anew"

/* An artifact a that can be had. */
#define HELD "a.removed_at IS NULL"
#define OPEN "('pending', 'downloading', 'applying', 'verifying')"
#define ACTIVE "('pending', 'rolling_out', 'paused')"
#define NOT_HEX(column) "(length(" column ") <> 64 OR " column " GLOB '*[^0-9a-f]*')"
#define VERSION "a.model_id || '@' || a.version"
#define TALLY "campaign_id, state, class, released, deferred, accepted, offered"

/* Of a job j: is there an artifact with this digest? */
#define NO_ARTIFACT(digest)                                                                        \
    "NOT EXISTS (SELECT 1 FROM artifacts a WHERE a.digest = " digest " AND " HELD ")"
#define ORPHAN_JOB                                                                                 \
    "state <> 'running' AND (" NO_ARTIFACT("base_digest") " OR " NO_ARTIFACT("target_digest") ")"
#define NO_PATCH "state = 'ready' AND (patch_sha256 IS NULL OR coalesce(patch_bytes, 0) <= 0)"
#define JOB "'delta job ' || id"
#define BAD_JSON(table, id, column)                                                                \
    "SELECT '" table " ' || " id ", 'its " column " are no JSON' FROM " table " WHERE " column     \
    " IS NOT NULL AND NOT json_valid(" column ")"

const struct ox_invariant
    ox_invariants[] =
        {
            /* --- artifacts --- */
            {"artifact_files", OX_SEVERITY_ERROR, false,
             "SELECT 'artifact ' || " VERSION ", 'it has no files' FROM artifacts a WHERE " HELD
             " AND NOT EXISTS (SELECT 1 FROM artifact_files f WHERE f.artifact_id = a.id)",
             "no device can fetch it: " RESTORE, NULL},
            {"artifact_removed", OX_SEVERITY_WARNING, false,
             "SELECT 'artifact ' || " VERSION ", 'it is removed, and its files are listed still'"
             " FROM artifacts a WHERE a.removed_at IS NOT NULL"
             " AND EXISTS (SELECT 1 FROM artifact_files f WHERE f.artifact_id = a.id)",
             "its blobs are kept for nothing: push the same version again to have it, or leave it",
             NULL},
            {"artifact_size", OX_SEVERITY_ERROR, false,
             "SELECT 'artifact ' || " VERSION
             ", 'its size is ' || a.size_bytes || ', that of its files '"
             " || sum(f.size_bytes) FROM artifacts a JOIN artifact_files f ON f.artifact_id = a.id"
             " WHERE " HELD " GROUP BY a.id HAVING a.size_bytes <> sum(f.size_bytes)",
             RESTORE, NULL},
            {"artifact_digest", OX_SEVERITY_ERROR, false,
             "SELECT 'artifact ' || " VERSION
             ", 'its digest is ' || a.digest || ', that of its file '"
             " || min(f.sha256) FROM artifacts a JOIN artifact_files f ON f.artifact_id = a.id"
             " WHERE " HELD " GROUP BY a.id HAVING count(*) = 1 AND a.digest <> min(f.sha256)",
             "agents refuse it: " RESTORE, NULL},
            {"digests", OX_SEVERITY_ERROR, false,
             "SELECT 'artifact ' || " VERSION ", 'its digest is no SHA-256' FROM artifacts a"
             " WHERE " NOT_HEX(
                 "a.digest") " UNION ALL SELECT 'artifact ' || " VERSION
                             ", 'the digest of its file ' || f.path || ' is no SHA-256' FROM "
                             "artifact_files f"
                             " JOIN artifacts a ON a.id = f.artifact_id WHERE " NOT_HEX(
                                 "f.sha256") " UNION ALL SELECT " JOB
                                             ", 'one of its digests is no SHA-256' FROM delta_jobs"
                                             " WHERE " NOT_HEX("base_digest") " OR " NOT_HEX(
                                                 "target_digest") " OR " NOT_HEX("patch_sha256"),
             RESTORE, NULL},
            {"blob_sizes", OX_SEVERITY_ERROR, false,
             "SELECT 'blob ' || sha256, 'it is said to have ' || min(size_bytes) || ' bytes, and '"
             " || max(size_bytes) FROM artifact_files GROUP BY sha256"
             " HAVING min(size_bytes) <> max(size_bytes)",
             RESTORE, NULL},
            {"versions", OX_SEVERITY_WARNING, false,
             "SELECT 'version ' || v.model_id || '@' || v.version, 'no artifact belongs to it'"
             " FROM versions v WHERE NOT EXISTS (SELECT 1 FROM artifacts a WHERE a.model_id = "
             "v.model_id"
             " AND a.version = v.version)",
             "push it again, or leave it: nothing can be sent by it", NULL},

            /* --- campaigns --- */
            {"tallies", OX_SEVERITY_ERROR, false,
             "SELECT 'campaign ' || campaign_id, 'its tally says ' || sum(kept) || ' devices are ' "
             "|| state"
             " || ', there are ' || sum(counted) FROM (SELECT " TALLY
             ", devices AS kept, 0 AS counted"
             " FROM campaign_tallies UNION ALL SELECT campaign_id, state, class, released, "
             "deferred,"
             " accepted, offered_at IS NOT NULL, 0, count(*) FROM campaign_devices GROUP BY 1, 2, "
             "3, 4, 5,"
             " 6, 7) GROUP BY " TALLY " HAVING sum(kept) <> sum(counted)",
             "stages may open too soon or never: " AGAIN,
             "DELETE FROM campaign_tallies; INSERT INTO campaign_tallies SELECT campaign_id, "
             "state, class,"
             " released, deferred, accepted, offered_at IS NOT NULL, count(*) FROM campaign_devices"
             " GROUP BY 1, 2, 3, 4, 5, 6, 7"},
            {"sums", OX_SEVERITY_WARNING, false,
             "SELECT 'campaign ' || campaign_id, 'its sums say ' || sum(cost) || ' bytes sent and '"
             " || sum(saved) || ' saved, its devices ' || sum(real_cost) || ' and ' || "
             "sum(real_saved)"
             " FROM (SELECT campaign_id, cost, saved, 0 AS real_cost, 0 AS real_saved FROM "
             "campaign_sums"
             " UNION ALL SELECT campaign_id, 0, 0, sum(cost), sum(saved) FROM campaign_devices"
             " GROUP BY campaign_id) GROUP BY campaign_id"
             " HAVING sum(cost) <> sum(real_cost) OR sum(saved) <> sum(real_saved)",
             "its figures are wrong: " AGAIN,
             "DELETE FROM campaign_sums; INSERT INTO campaign_sums"
             " SELECT campaign_id, sum(cost), sum(saved) FROM campaign_devices GROUP BY "
             "campaign_id"},
            {"served", OX_SEVERITY_WARNING, false,
             "SELECT 'campaign ' || c.id, 'it says ' || c.bytes_served || ' bytes were served, its "
             "devices '"
             " || coalesce(sum(d.bytes_served), 0) FROM campaigns c"
             " LEFT JOIN campaign_devices d ON d.campaign_id = c.id GROUP BY c.id"
             " HAVING c.bytes_served <> coalesce(sum(d.bytes_served), 0)",
             "its budget is judged by a wrong figure: " AGAIN,
             "UPDATE campaigns SET bytes_served = coalesce((SELECT sum(d.bytes_served)"
             " FROM campaign_devices d WHERE d.campaign_id = campaigns.id), 0)"},
            {"total", OX_SEVERITY_ERROR, false,
             "SELECT 'campaign ' || c.id, 'it began with ' || c.total || ' devices, and has '"
             " || count(d.device_id) FROM campaigns c LEFT JOIN campaign_devices d ON "
             "d.campaign_id = c.id"
             " GROUP BY c.id HAVING count(d.device_id) < c.total",
             "it waits for devices that are not there: abort it and deploy again", NULL},
            {"campaign_target", OX_SEVERITY_ERROR, false,
             "SELECT 'campaign ' || c.id, 'it is ' || c.state || ', and ' || " VERSION
             " || ' is not held any more' FROM campaigns c JOIN artifacts a ON a.id = c.artifact_id"
             " WHERE c.state IN " ACTIVE " AND NOT EXISTS (SELECT 1 FROM artifacts o"
             " WHERE o.model_id = a.model_id AND o.version = a.version AND o.removed_at IS NULL)",
             "push the same version again, or abort the campaign", NULL},
            {"device_target", OX_SEVERITY_ERROR, false,
             "SELECT 'campaign ' || d.campaign_id || ', device ' || d.device_id, 'it is sent to ' "
             "|| " VERSION " || ' by a campaign of model ' || b.model_id FROM campaign_devices d"
             " JOIN artifacts a ON a.id = d.artifact_id JOIN campaigns c ON c.id = d.campaign_id"
             " JOIN artifacts b ON b.id = c.artifact_id WHERE a.model_id <> b.model_id",
             "abort the campaign", NULL},
            {"two_campaigns", OX_SEVERITY_WARNING, false,
             "SELECT 'device ' || d.device_id, count(*) || ' campaigns send it a version of model '"
             " || a.model_id || ' (' || min(c.id) || ', ' || max(c.id) || ')' FROM "
             "campaign_devices d"
             " JOIN campaigns c ON c.id = d.campaign_id JOIN artifacts a ON a.id = c.artifact_id"
             " WHERE d.state IN " OPEN " AND c.state IN " ACTIVE " GROUP BY d.device_id, a.model_id"
             " HAVING count(*) > 1",
             "abort the one that shall not be", NULL},
            {"aborted", OX_SEVERITY_WARNING, false,
             "SELECT 'campaign ' || c.id, 'it is aborted, and ' || count(*) || ' devices wait for "
             "it'"
             " FROM campaigns c JOIN campaign_devices d ON d.campaign_id = c.id"
             " WHERE c.state = 'aborted' AND d.state = 'pending' GROUP BY c.id",
             "they are sent nothing by it: deploy again if they shall have the version", NULL},
            {"unknown_device", OX_SEVERITY_WARNING, false,
             "SELECT 'campaign ' || d.campaign_id || ', device ' || d.device_id, 'it is ' || "
             "d.state"
             " || ' and not registered' FROM campaign_devices d JOIN campaigns c ON c.id = "
             "d.campaign_id"
             " WHERE d.state IN " OPEN " AND c.state IN " ACTIVE
             " AND NOT EXISTS (SELECT 1 FROM devices v WHERE v.id = d.device_id)",
             "the campaign waits for it: register it, or abort the campaign", NULL},

            /* --- fleets --- */
            {"desired_target", OX_SEVERITY_ERROR, false,
             "SELECT 'fleet ' || f.fleet_id, 'it is to run ' || " VERSION
             " || ', which is not held any more'"
             " FROM fleet_desired f JOIN campaigns c ON c.id = f.campaign_id"
             " JOIN artifacts a ON a.id = c.artifact_id WHERE NOT EXISTS (SELECT 1 FROM artifacts o"
             " WHERE o.model_id = a.model_id AND o.version = a.version AND o.removed_at IS NULL)",
             "push the same version again, or deploy another one", NULL},
            {"desired_model", OX_SEVERITY_ERROR, false,
             "SELECT 'fleet ' || f.fleet_id, 'what it is to run of model ' || f.model_id"
             " || ' is of model ' || a.model_id || ' (campaign ' || c.id || ')' FROM fleet_desired "
             "f"
             " JOIN campaigns c ON c.id = f.campaign_id JOIN artifacts a ON a.id = c.artifact_id"
             " WHERE a.model_id <> f.model_id",
             "deploy to the fleet again", NULL},
            {"filter_members", OX_SEVERITY_WARNING, false,
             "SELECT 'fleet ' || f.id, 'it is made by a filter, and lists ' || count(*) || ' "
             "devices'"
             " FROM fleets f JOIN fleet_devices d ON d.fleet_id = f.id WHERE f.filter IS NOT NULL"
             " GROUP BY f.id",
             "the list is not looked at: it may be left", NULL},

            /* --- deltas --- */
            {"job_artifacts", OX_SEVERITY_WARNING, false,
             "SELECT " JOB ", 'the version that it is ' || CASE WHEN " NO_ARTIFACT(
                 "base_digest") " THEN 'from, ' || substr(base_digest, 1, 12) ELSE 'to, ' || "
                                "substr(target_digest, 1, 12) END"
                                " || ', is not held any more' FROM delta_jobs WHERE " ORPHAN_JOB,
             "its patch takes room for nothing: 'oxide doctor --fix' with the server stopped "
             "forgets it",
             "DELETE FROM delta_jobs WHERE " ORPHAN_JOB},
            {"job_patch", OX_SEVERITY_ERROR, false,
             "SELECT " JOB ", 'it is ready, and names no patch' FROM delta_jobs WHERE " NO_PATCH,
             "'oxide doctor --fix' with the server stopped has it made again when a device asks",
             "UPDATE delta_jobs SET state = 'evicted', patch_sha256 = NULL WHERE " NO_PATCH},
            {"job_running", OX_SEVERITY_NOTE, true,
             "SELECT " JOB
             ", 'it is running, and no server is' FROM delta_jobs WHERE state = 'running'",
             "the server begins it anew when it starts",
             "UPDATE delta_jobs SET state = 'queued' WHERE state = 'running'"},

            /* --- devices --- */
            {"history", OX_SEVERITY_WARNING, false,
             "SELECT 'device ' || m.device_id, 'it runs ' || m.model_id || '@' || m.version"
             " || ', and its history does not say so' FROM device_models m WHERE NOT EXISTS"
             " (SELECT 1 FROM device_model_history h WHERE h.device_id = m.device_id"
             " AND h.model_id = m.model_id AND h.version = m.version AND h.to_ms IS NULL)",
             "its next update puts that right", NULL},
            {"split", OX_SEVERITY_ERROR, false,
             "SELECT 'device ' || device_id, 'its installation ' || instance || ' is split off, "
             "and has no"
             " new id' FROM device_instances WHERE state = 'split' AND new_id IS NULL",
             "'oxide device split' it again", NULL},
            {"future", OX_SEVERITY_WARNING, false,
             "SELECT 'device ' || id, 'it was heard of ' || ((last_heartbeat - ?1) / 3600000)"
             " || ' hours from now' FROM devices WHERE last_heartbeat > ?1 + 86400000",
             "the clock of this machine is wrong now, or was then", NULL},

            /* --- events, webhooks --- */
            {"event_ids", OX_SEVERITY_ERROR, false,
             "SELECT 'event ' || newest, 'the next event would be number ' || (seq + 1) FROM "
             "(SELECT"
             " (SELECT max(id) FROM events) AS newest, coalesce((SELECT seq FROM sqlite_sequence"
             " WHERE name = 'events'), 0) AS seq) WHERE newest > seq",
             "readers would miss events: " RESTORE, NULL},
            {"webhook_cursor", OX_SEVERITY_ERROR, false,
             "SELECT 'webhook ' || id, 'it was told of events up to ' || cursor || ', and the "
             "newest is '"
             " || coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0) FROM "
             "webhooks"
             " WHERE cursor > coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)",
             "it would miss events: remove the webhook and add it again", NULL},

            /* --- words in JSON --- */
            {"json", OX_SEVERITY_ERROR, false,
             BAD_JSON("devices", "id", "tags") " UNION ALL " BAD_JSON("devices", "id", "metrics") " UNION ALL " BAD_JSON("fleets", "id", "tags") " UNION ALL " BAD_JSON(
                 "campaigns", "id",
                 "policy") " UNION ALL " BAD_JSON("versions", "model_id || '@' || version",
                                                  "labels") " UNION ALL " BAD_JSON("artifacts",
                                                                                   "model_id || "
                                                                                   "'@' || version",
                                                                                   "metrics") " UNI"
                                                                                              "ON "
                                                                                              "ALL"
                                                                                              " " BAD_JSON("retention", "model_id", "keep_labels") " UNION ALL " BAD_JSON(
                                                                                                  "events",
                                                                                                  "id",
                                                                                                  "data"),
             "what reads it fails: " RESTORE, NULL},
};
const size_t ox_invariants_count = sizeof(ox_invariants) / sizeof(ox_invariants[0]);
