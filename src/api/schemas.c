#include "schemas.h"

#include <string.h>

/* To add a schema: a row here, in the notation of shape.h; fields in the order of docs/rest.md. An
 * answer holds the fields of its schema and no others: the e2e test "openapi" holds every answer of
 * a GET against its schema. What an answer shares with another is a macro. */

#define CAMPAIGN_KIND "'rollout' | 'revert'"
#define DEVICE_STATE                                                                               \
    "'pending' | 'downloading' | 'applying' | 'verifying' | 'complete' | 'failed' | 'skipped'"
#define DEVICE_STATUS "'online' | 'offline' | 'updating' | 'error' | 'unknown' | 'conflict'"
#define CAMPAIGN_STATE "'pending' | 'rolling_out' | 'paused' | 'complete' | 'aborted'"
#define STRATEGY "'all_at_once' | 'rolling' | 'canary' | 'exponential'"
#define FAILURE                                                                                    \
    "'download' | 'verify' | 'apply' | 'health' | 'silent' | 'rollback' | 'fallback' | 'disk' |"   \
    " 'preflight' | 'other'"
/* How a campaign goes; what is absent is as the strategy has it: src/rollout/policy.c */
#define POLICY                                                                                     \
    "strategy?: " STRATEGY " | {type?: " STRATEGY " | null, stages?: number[] | null,"             \
    " batch?: int | null, start?: int | null, factor?: number | null, wait_s?: int | null} | "     \
    "null,"                                                                                        \
    " gates?: bool | {success_percent?: number | null, failed_percent?: number | null,"            \
    " failed_count?: int | null, min_sample?: int | null, soak_s?: int | null,"                    \
    " approval?: bool | null} | null,"                                                             \
    " halt?: {action?: 'pause' | 'abort' | 'revert' | null, rules?: {class?: 'any' | " FAILURE     \
    " | null, count?: int | null, percent?: number | null, min_sample?: int | null}[] | null}"     \
    " | null,"                                                                                     \
    " timeouts?: {downloading_s?: int | null, applying_s?: int | null, verifying_s?: int | null}"  \
    " | null,"                                                                                     \
    " limits?: {in_flight?: int | null, starts_per_minute?: int | null, rate_bps?: int | null,"    \
    " deadline_s?: int | null, windows?: text[] | null} | null,"                                   \
    " bytes?: {fallback_full?: 'never' | 'limited' | 'always' | null,"                             \
    " fallback_percent?: number | null, per_device?: int | null, total?: int | null} | null,"      \
    " on_conflict?: 'supersede' | 'refuse' | null, late_delta?: 'wait' | 'full' | null,"           \
    " follow?: bool | null"
#define JOB_STATE "'queued' | 'running' | 'ready' | 'useless' | 'failed' | 'canceled' | 'evicted'"
#define COMPARED "'same' | 'changed' | 'added' | 'removed' | 'renamed'"
#define UPLOADED "uploaded_at: time"
#define VARIANT_FILE "sha256: digest, size_bytes: int"
#define VARIANT "variant: id | null, requires: text | null, rank: int(0..1000), metrics: Numbers"
#define LINEAGE                                                                                    \
    "labels: Labels, parent: text | null, commit: text | null, data_digest: text | null,"          \
    " notes: text | null"
#define META                                                                                       \
    "variant?: id | null, labels?: {*: text(256) | null} | null, parent?: text | null,"            \
    " commit?: text(256) | null, data_digest?: text(256) | null, notes?: text(16384) | null,"      \
    " requires?: text | null, rank?: int(0..1000) | null, metrics?: {*: number | null} | null"

#define WEBHOOK                                                                                    \
    "id: id, url: text, kinds: text[], state: 'active' | 'failing' | 'stopped', created_at: time," \
    " cursor: int, backlog: int, delivered: int, lost: int, failures: int,"                        \
    " last_status: int | null, last_error: text | null, last_tried_at: time | null,"               \
    " last_delivered_at: time | null, next_try_at: time | null"

const struct ox_schema ox_schemas[] = {
    {"Error", "Why a request was refused, and what to do",
     "{error: {code: text, message: text, request_id: text(64)}}"},
    {"Health", "The control plane is there",
     "{status: 'healthy', service: text, version: text | null, holding: Hold | null}"},
    {"Hold",
     "Nothing is assigned: what is known of devices is as old as the backup that was restored",
     "{since: time, reason: text}"},
    {"Done", "What was done", "{status: text}"},

    /* devices */
    {"Tags", "Words that people gave", "{*: text}"},
    {"NewDevice", "A device to register; the name is the id unless given",
     "{id: id, name?: text(1024), tags?: Tags | null}"},
    {"DeviceEdit", "What to change; a tag that is null goes, those not named stay",
     "{name?: text(1024) | null, tags?: {*: text | null} | null}"},
    {"Registered", "The device is registered", "{status: 'registered', id: id}"},
    {"Platform", "What a device is; \"unknown\" or 0 where it did not say",
     "{arch: text, os: text, cpu_count: int, total_memory_bytes: int}"},
    {"Metrics", "What a device counts",
     "{inference_count?: int, avg_latency_us?: number, uptime_secs?: int,"
     " free_memory_bytes?: int, *: any}"},
    {"RunningModel", "A model that a device runs; since when, where one device is asked for",
     "{id: id, version: id, digest: digest | null, since?: time | null}"},
    {"Installation", "An installation that speaks, or spoke, under a device's id",
     "{instance: text, state: 'device' | 'rival' | 'split' | 'replaced', new_id: id | null,"
     " first_seen: time | null, last_seen: time | null, address: text | null, agent: text | null,"
     " platform: object | null}"},
    {"PinRow", "A model, or null for all, that stays as it is",
     "{model_id: id | null, reason: text | null, since: time}"},
    {"Disk", "Room on the disk that holds the models", "{free_bytes: int, total_bytes: int}"},
    {"UpdateResult", "How a device's last update ended", "'success' | {failed: {error: text}}"},
    {"Device", "A device; what is not known is null; the last three where one is asked for",
     "{id: id, name: text, status: " DEVICE_STATUS ","
     " platform: Platform, current_model: id | null, current_model_version: id | null,"
     " assigned_model: id | null, assigned_model_version: id | null, fleet_id: id | null,"
     " last_heartbeat: time | null, last_update_result: UpdateResult | null, tags: Tags,"
     " agent: text | null, metrics: Metrics | null, models: RunningModel[],"
     " registered_at: time, address: text | null, disk: Disk | null,"
     " utc_offset_s: int(-64800..64800) | null, poll_interval_s: int | null,"
     " instance: text | null, conflict_since: time | null, installations?: Installation[],"
     " pins?: PinRow[], fleets?: id[]}"},
    {"DeviceHistory", "What a device ran, the newest first; to is null for what it runs",
     "{device_id: id, history: {model_id: id, version: id, digest: digest | null, from: time,"
     " to: time | null}[]}"},
    {"Split", "Which installation, unless the one that came first; its name",
     "{instance?: text | null, as?: id | null}"},
    {"SplitDone", "The new device, and how many installations are still to be decided",
     "{status: 'split', id: id, new_id: id, instance: text, undecided: int}"},
    {"Replace", "Which installation is the device, unless the newest", "{instance?: text | null}"},
    {"ReplaceDone", "The installation that is the device, and those that are not any more",
     "{status: 'replaced', id: id, instance: text, replaced: text[]}"},
    {"Pin", "Which model, unless all; why", "{model_id?: id | null, reason?: text(1024) | null}"},
    {"Unpin", "Which model, unless the pin of all", "{model_id?: id | null}"},
    {"DeviceDone", "What was done", "{status: text, id: id}"},
    {"PendingDevices", "Devices that ask and are not known",
     "{devices: {id: id, state: 'pending' | 'rejected', address: text | null, agent: text | null,"
     " platform: object | null, first_seen: time, last_seen: time}[]}"},
    {"Accept", "How the device begins",
     "{name?: text(1024) | null, fleet_id?: id | null, tags?: Tags | null}"},
    {"Accepted", "The device is registered", "{status: 'accepted', id: id, fleet_id: id | null}"},
    {"Report", "Progress or the end of one assignment",
     "{seq: int, campaign_id?: id | null, model_id: id, model_version: id,"
     " state: 'downloading' | 'applying' | 'verifying' | 'complete' | 'failed' | 'skipped',"
     " error?: {code?: text | null, message?: text | null} | null,"
     " strategy?: 'delta' | 'full' | 'none' | null, stage?: text(32) | null,"
     " bytes_received?: int | null, bytes_full?: int | null, sources?: Sources | null,"
     " duration_ms?: int | null, stages_ms?: {*: int} | null}"},
    {"Sources", "Bytes by where they came from; earlier: fetched by a run that broke off",
     "{control_plane?: int, mirror?: int, earlier?: int, by_hand?: int}"},
    {"Heartbeat", "What a device says; absent means unchanged, null means none",
     "{current_model?: id | null, current_model_version?: id | null, status?: text | null,"
     " last_update_result?: UpdateResult | null, metrics?: Metrics | null, agent?: text | null,"
     " protocol?: int | null, reads?: text | null, platform?: Platform | null,"
     " instance?: text(32) | null, start?: text(16) | null, poll_interval_s?: int | null,"
     " utc_offset_s?: int(-64800..64800) | null, disk?: Disk | null,"
     " models?: {id: id, version: id, digest: digest}[] | null, reports?: Report[] | null}"},
    {"File", "A file of an artifact",
     "{path: text, size: int, sha256: digest, mode: '0644' | '0755'}"},
    {"Assignment",
     "What a device is to run, and how it comes to it; or what is to be removed there",
     "{campaign_id: id, model_id: id, model_version: id, digest: digest, files: File[],"
     " base: {model_version: id, digest: digest} | null,"
     " patch: {sha256: digest, size: int, format: text, strategy: text} | null,"
     " patches?: {sha256: digest, size: int, format: text, strategy: text, model_version?: id,"
     " digest?: digest, files?: File[]}[],"
     " blob_urls: text[], remove?: bool, urgent?: bool, patch_only?: bool, rate_bps?: int,"
     " windows?: text[]}"},
    {"HeartbeatAnswer",
     "What a device is to run; from assignments on for agents that send protocol",
     "{status: 'ok', assigned_model?: id | null, assigned_model_version?: id | null,"
     " assignments?: Assignment[], reports_ack?: int, poll_interval_s?: int, time?: int,"
     " device_id?: id, instance?: text(32), replaced?: bool, resend?: bool}"},

    /* fleets */
    {"NewFleet", "A fleet to create",
     "{id: id, name?: text(1024), description?: text(1024) | null, filter?: text(4096) | null,"
     " default_strategy?: " STRATEGY " | null, tags?: Tags | null}"},
    {"FleetEdit",
     "What to change. A filter that is null leaves those who pass it now as a list; one in place "
     "of "
     "a list wants replace_list",
     "{name?: text(1024) | null, description?: text(1024) | null, filter?: text(4096) | null,"
     " replace_list?: bool | null, default_strategy?: " STRATEGY
     " | null, tags?: {*: text | null} | null}"},
    {"FleetChanged", "How many devices are in the fleet now",
     "{status: 'changed', id: id, device_count: int}"},
    {"Created", "It was created; with a filter, so many devices pass it now",
     "{status: 'created', id: id, device_count?: int}"},
    {"Fleet", "A group of devices: those put into it or, with a filter, those that pass it now",
     "{id: id, name: text, description: text | null, filter: text | null, devices?: id[],"
     " device_count: int, default_strategy: " STRATEGY ", tags: Tags}"},
    {"FleetStatus", "A fleet's devices by status",
     "{fleet_id: id, fleet_name: text, total_devices: int, online: int, offline: int, error: int,"
     " unknown: int, updating: int, conflict: int}"},
    {"Deploy", "A version for a fleet", "{model_id: id, model_version: id, " POLICY "}"},
    {"Deployed", "The campaign that came of it",
     "{status: 'deployed', total_devices: int, successful: int, failed: int, campaign_id: id}"},

    /* models */
    {"Where", "Devices that run, or ran, a model; to is null for what runs now",
     "{model_id: id, devices: {device_id: id, version: id, digest: digest | null, from: time,"
     " to: time | null}[]}"},
    {"WhereCounts", "How many of them, by version, the most first",
     "{model_id: id, at: time, devices: int,"
     " versions: {version: id, digest: digest | null, devices: int}[]}"},
    {"Models", "Models by name",
     "{models: {model_id: id, versions: int, latest: id, size_bytes: int}[]}"},
    {"Labels", "Words that people gave", "{*: text(256)}"},
    {"Numbers", "Numbers by name", "{*: number}"},
    {"Variant", "An artifact of a version, and what devices it is for",
     "{" VARIANT_FILE ", " UPLOADED ", format: text, " VARIANT "}"},
    {"ModelVersion", "A version of a model; variant is null for the one without a name",
     "{version: id, " VARIANT_FILE ", " UPLOADED ", " LINEAGE ", variants: Variant[]}"},
    {"Model", "A model's versions, oldest first", "{model_id: id, versions: ModelVersion[]}"},
    {"Version", "An artifact; sha256 is its digest",
     "{model_id: id, version: id, " VARIANT_FILE ", " UPLOADED
     ", format: text, files: File[], " LINEAGE ", " VARIANT ", variants: Variant[]}"},
    {"Manifest", "The files of an artifact, all of them blobs that are held",
     "{files: {path: text, size: int, sha256: digest, mode?: '0644' | '0755' | null}[], " META "}"},
    {"Meta", "What is said of a version and of one variant; null takes it back", "{" META "}"},
    {"Published", "The artifact that was published",
     "{model_id: id, version: id, " VARIANT_FILE ", variant: id | null}"},

    /* what changed */
    {"DiffWaiting", "The versions are being compared: ask again; progress is in percent",
     "{status: 'comparing', progress: int(0..100)}"},
    {"DiffVersion", "One of the two versions",
     "{version: id, variant: id | null, " VARIANT_FILE "}"},
    {"DiffCount", "So many tensors, and their bytes", "{count: int, bytes: int}"},
    {"DiffPlace",
     "A tensor on one side, or the bytes of a file that are in none: then its name is null",
     "{file: text, name: text | null, dtype: text | null, shape: int[] | null, bytes: int}"},
    {"DiffRow",
     "What became of a tensor; numbers, and how many and how much they changed, are null where "
     "they "
     "cannot be compared; patch_bytes is what it costs in the patch, null without one",
     "{status: " COMPARED ", tensor: bool, how: text[], from: DiffPlace | null,"
     " to: DiffPlace | null, changed_bytes: int, numbers: int | null,"
     " changed_numbers: int | null, max_change: number | null, relative_change: number | null,"
     " patch_bytes: int | null}"},
    {"DiffDelta",
     "The cheapest way that there is now, and all others; changed_bytes is what a patch will "
     "hardly "
     "exceed",
     "{best: 'none' | 'patch' | 'chain' | 'full', best_bytes: int, full_bytes: int,"
     " changed_bytes: int, patch_bytes: int | null,"
     " chain: {patches: int, bytes: int, versions: id[]} | null, job: Job | null}"},
    {"Diff", "What changed between two versions; what changed the most comes first",
     "{model_id: id, from: DiffVersion, to: DiffVersion,"
     " tensors: {same: DiffCount, changed: DiffCount, added: DiffCount, removed: DiffCount,"
     " renamed: DiffCount},"
     " files: {path: text, status: " COMPARED ", from_bytes: int | null, to_bytes: int | null}[],"
     " files_same: int, meta: {field: text, from: any, to: any}[], delta: DiffDelta,"
     " rows: DiffRow[], rows_left_out: int}"},
    {"NewDelta", "The versions between which a delta is to be made",
     "{from: id, to: id, from_variant?: id | null, to_variant?: id | null}"},

    /* keeping and removing */
    {"Removed", "What was removed; its blobs go once they are old enough",
     "{status: 'removed', size_bytes: int, freed_bytes: int}"},
    {"NewRetention", "Which versions are kept",
     "{keep_newest: int(0..1000000), keep_labels?: text(400)[] | null, keep_for_s?: int | null}"},
    {"Retention", "Which versions are kept; model_id is null in the general rule",
     "{model_id: id | null, keep_newest: int, keep_labels: text[], keep_for_s: int}"},
    {"Collected", "What went, or would go; kept is what a rule lets go and something needs",
     "{dry_run: bool, versions: {model_id: id, version: id, size_bytes: int}[],"
     " kept: {model_id: id, version: id, why: text}[], patches: {count: int, bytes: int},"
     " blobs: {count: int, bytes: int, young: int}}"},

    /* blobs */
    {"Blob", "A blob that is held", "{sha256: digest, size_bytes: int}"},
    {"Upload", "How much of a blob is here", "{sha256: digest, held: bool, received_bytes: int}"},

    /* delta jobs */
    {"Job", "A delta job; progress is in percent, null unless it is running",
     "{id: int, model_id: id | null, base_version: id | null, target_version: id | null,"
     " variant: id | null, base: digest, target: digest, format: text, state: " JOB_STATE
     ", progress: int(0..100) | null, waiting: int, reason: text | null, patch: digest | null,"
     " patch_bytes: int | null, strategy: text | null, queued_at: time, ended_at: time | null,"
     " used_at: time | null}"},
    {"Jobs", "Delta jobs", "{jobs: Job[]}"},

    /* campaigns */
    {"NewCampaign", "A version for one of: a fleet, devices by name, those that pass a filter now",
     "{model_id: id, model_version: id, fleet_id?: id | null, device_ids?: id[] | null,"
     " filter?: text(4096) | null, " POLICY "}"},
    {"Policy", "How a campaign goes", "{" POLICY "}"},
    {"CampaignCreated", "The campaign that was made",
     "{campaign_id: id, state: " CAMPAIGN_STATE ", total_devices: int,"
     " superseded: {campaign_id: id, devices: int}[]}"},
    {"CampaignRow", "A campaign in short",
     "{id: id, kind: " CAMPAIGN_KIND ", model_id: id, target_version: id, fleet_id: id | null,"
     " state: " CAMPAIGN_STATE ", phase: 'preparing' | 'rolling_out' | 'done',"
     " reason: text | null, stage: int, created_at: time, total: int, complete: int, failed: int}"},
    {"Campaigns", "Campaigns, oldest first; holding only while nothing is assigned",
     "{holding?: Hold, campaigns: CampaignRow[]}"},
    {"CampaignDevice", "A device within a campaign",
     "{device_id: id, action: 'update' | 'remove', state: " DEVICE_STATE ", class: " FAILURE
     " | null, error: text | null, failed_at: text | null,"
     " strategy: 'delta' | 'full' | 'none' | null, bytes_received: int, sources: Sources | null,"
     " duration_ms: int | null, stages_ms: {*: int} | null, from_version: id | null, deferred: "
     "bool, late: bool, offered_at: time | null,"
     " updated_at: time}"},
    {"Campaign", "A campaign and how far it is; stage counts from 1",
     "{id: id, kind: " CAMPAIGN_KIND
     ", of_campaign: id | null, reverted_by: id | null, model_id: id,"
     " target_version: id, fleet_id: id | null, state: " CAMPAIGN_STATE
     ", phase: 'preparing' | 'rolling_out' | 'done', strategy: " STRATEGY
     ", policy: Policy, stage: int, stages: int, reason: text | null, waiting_for: text | null,"
     " halted: text | null, created_at: time, ended_at: time | null,"
     " summary: {total: int, pending: int, in_progress: int, complete: int, failed: int,"
     " skipped: int, deferred: int, late: int, released: int, bytes_served: int, bytes_saved: int,"
     " failures: {*: int}}, devices?: CampaignDevice[],"
     " bandwidth: {bytes_served: int, bytes_saved_by_delta: int}}"},
    {"PlanCampaign",
     "What a campaign would be; link_bps is what devices fetch per second, for the estimate of its"
     " duration; prepare makes the deltas that are missing",
     "{model_id: id, model_version: id, fleet_id?: id | null, device_ids?: id[] | null,"
     " filter?: text(4096) | null, link_bps?: int | null, prepare?: bool | null, " POLICY "}"},
    {"Plan",
     "What it would do; bytes that are not known yet are null. Of skips, device_id is the first of "
     "the devices that are skipped for that reason",
     "{model_id: id, target_version: id, fleet_id: id | null, devices: {total: int,"
     " to_update: int, already: int, skipped: int, by_full_file: int, in_conflict: int},"
     " skips: {why: text, devices: int, device_id: id}[],"
     " stages: {stage: int, devices: int, released: int}[],"
     " variants: {variant: id | null, sha256: digest, size_bytes: int, devices: int, bytes: int,"
     " bytes_full: int, devices_not_known: int}[],"
     " bases: {from_version: id | null, from_digest: digest | null, to_version: id,"
     " variant: id | null, to_digest: digest, devices: int, by: 'patch' | 'full' | null,"
     " delta: 'ready' | 'chain' | 'queued' | 'failed' | 'useless' | 'canceled' | 'missing' |"
     " 'none',"
     " bytes_per_device: int | null, bytes: int | null}[],"
     " bytes: {total: int, per_device_max: int, full: int, saved: int, devices_known: int,"
     " devices_not_known: int}, delta_coverage: number, disk_bytes_per_device: int,"
     " duration_s: int, windows: {open: int, closed: int, not_known: int,"
     " next_opens_at: time | null, last_opens_at: time | null} | null,"
     " superseded: {campaign_id: id, devices: int}[], halts: text[],"
     " warnings: text[], policy: Policy}"},
    {"Revert", "Who goes back, by one of three; to a version, or to what each ran before",
     "{fleet_id?: id | null, device_ids?: id[] | null, filter?: text(4096) | null,"
     " model_version?: id | null}"},
    {"Retried",
     "How many failed devices try again; those of all whose version is quarantined do not, and none"
     " does before a campaign that is paused, or was halted after its end, is resumed",
     "{state: " CAMPAIGN_STATE ", devices: int, quarantined: int, halted: text | null}"},
    {"Quarantine", "Versions that are not given to devices any more",
     "{quarantined: {device_id: id, model_id: id, version: id, digest: digest, failures: int,"
     " class: " FAILURE ", updated_at: time}[]}"},
    {"Freed", "How many versions were freed", "{freed: int}"},
    {"CampaignState", "Where the campaign stands now", "{state: " CAMPAIGN_STATE "}"},

    /* events */
    {"Event", "Something that happened; data is as docs/events.md says for its kind",
     "{id: int, at: time, kind: text, device_id: id | null, campaign_id: id | null,"
     " model_id: id | null, actor: text | null, request_id: text | null, data: {*: any}}"},
    {"Events", "A page of the log: go on with after=next, to the end where next is newest",
     "{events: Event[], next: int, oldest: int, newest: int}"},
    {"NewWebhook", "A receiver; all kinds, from now on, with a secret that is made, unless given",
     "{url: text(2048), kinds?: text[] | null, secret?: text(256) | null, id?: id, after?: int}"},
    {"Webhook", "A receiver of events, and how it does; no kinds stand for all", "{" WEBHOOK "}"},
    {"WebhookAdded", "The receiver that was added; the secret is not shown again",
     "{" WEBHOOK ", secret: text}"},
    {"Webhooks", "Receivers of events", "{webhooks: Webhook[]}"},
    {"WebhookTest", "What the receiver answered; status is null where no answer came",
     "{delivered: bool, status: int | null, error: text | null, duration_ms: int}"},
};
const size_t ox_schemas_count = sizeof(ox_schemas) / sizeof(ox_schemas[0]);

/* To add a parameter: a row here. One name means one thing in all routes; where it takes other
 * values in some, a row for them is called after what it is of: "job.state" is "state" in their
 * requests. */
const struct ox_parameter ox_parameters[] = {
    {"id", OX_IN_PATH, "id", "The name of the thing"},
    {"did", OX_IN_PATH, "id", "The device's id"},
    {"ver", OX_IN_PATH, "id", "The version"},
    {"sha256", OX_IN_PATH, "digest", "The blob's SHA-256"},

    {"limit", OX_IN_QUERY, "int(1..1000)",
     "Rows of a page, at most; without it and cursor: all rows"},
    {"cursor", OX_IN_QUERY, "text(4096)",
     "Where the page begins: as X-Oxide-Next-Cursor of the page before"},
    {"sort", OX_IN_QUERY, "text(64)",
     "A field, with - in front for falling; docs/rest.md lists them"},
    {"devices", OX_IN_QUERY, "bool", "With the devices (true, unless given) or without"},
    {"filter", OX_IN_QUERY, "text(4096)", "That pass this filter alone; docs/filter.md"},
    {"blobs", OX_IN_QUERY, "bool", "With the blobs, or without (unless given)"},
    {"fleet", OX_IN_QUERY, "id", "Of this fleet alone"},
    {"device", OX_IN_QUERY, "id", "With this device alone"},
    {"model", OX_IN_QUERY, "id", "Of this model alone"},
    {"runs", OX_IN_QUERY, "text(600)", "That run MODEL, or MODEL@VERSION, alone"},
    {"status", OX_IN_QUERY, DEVICE_STATUS, "With this status alone"},
    {"pending.state", OX_IN_QUERY, "'pending' | 'rejected'",
     "In this state alone; pending, unless given"},
    {"version", OX_IN_QUERY, "id", "Of this version alone"},
    {"at", OX_IN_QUERY, "text(40)", "At this time (RFC 3339, or a date); now, unless given"},
    {"campaign.state", OX_IN_QUERY, CAMPAIGN_STATE, "In this state alone"},
    {"place.state", OX_IN_QUERY, DEVICE_STATE, "In this state alone"},
    {"class", OX_IN_QUERY, FAILURE, "That failed in this way alone"},
    {"job.state", OX_IN_QUERY, JOB_STATE, "In this state alone"},
    {"base", OX_IN_QUERY, "digest", "From this artifact alone"},
    {"target", OX_IN_QUERY, "digest", "To this artifact alone"},
    {"dry_run", OX_IN_QUERY, "bool", "Only tell what would go"},
    {"variant", OX_IN_QUERY, "id", "The variant; the one that stands for the version if left out"},

    {"from", OX_IN_QUERY, "id", "The older of two versions"},
    {"to", OX_IN_QUERY, "id", "The newer of two versions"},
    {"from_variant", OX_IN_QUERY, "id", "As variant, of from"},
    {"to_variant", OX_IN_QUERY, "id", "As variant, of to"},
    {"all", OX_IN_QUERY, "bool", "With what did not change"},
    {"diff.limit", OX_IN_QUERY, "int(0..10000)", "Rows at most; 10000 unless given"},

    {"format", OX_IN_QUERY, "'sse' | 'json'",
     "A stream of events (the default, unless Accept names JSON alone), or a page of them"},
    {"kind", OX_IN_QUERY, "text(1023)",
     "Kinds of events, or their first words, commas between: campaign,delta.failed"},
    {"campaign", OX_IN_QUERY, "id", "About this campaign alone"},
    {"after", OX_IN_QUERY, "int", "Begin behind this id; 0 is the beginning"},
    {"since", OX_IN_QUERY, "time", "Begin at this time"},
    {"last", OX_IN_QUERY, "int(0..1000)", "Begin with the last so many"},
    {"event.limit", OX_IN_QUERY, "int(1..1000)", "Events of a page, at most; 100 unless given"},

    {"Last-Event-ID", OX_IN_HEADER, "int", "The last event that was seen; wins over the query"},
    {"X-Request-Id", OX_IN_HEADER, "text(64)",
     "An id for the request: letters, digits and . _ : + / = -; others are replaced by a fresh "
     "one"},
    {"X-Oxide-Meta", OX_IN_HEADER, "text", "What is said of a raw upload: a Meta, as JSON"},
    {"X-Oxide-Base-Version", OX_IN_HEADER, "id", "The version that the asker holds"},
    {"X-Oxide-Reads", OX_IN_HEADER, "text", "Patch formats that the asker reads"},
    {"X-Oxide-Device", OX_IN_HEADER, "id", "The device that asks, for byte counts"},
    {"Range", OX_IN_HEADER, "text", "One range of bytes; several get the whole"},
    {"If-Range", OX_IN_HEADER, "text", "Range counts only if this is the ETag"},
    {"If-None-Match", OX_IN_HEADER, "text", "ETags that the asker holds"},
    {"Content-Range", OX_IN_HEADER, "text", "bytes FIRST-LAST/TOTAL: go on from FIRST"},
};
const size_t ox_parameters_count = sizeof(ox_parameters) / sizeof(ox_parameters[0]);

const char *ox_parameter_name(const struct ox_parameter *parameter)
{
    const char *dot = strchr(parameter->name, '.');

    return dot == NULL ? parameter->name : dot + 1;
}

const struct ox_parameter *ox_parameter_find(enum ox_parameter_place place, const char *name,
                                             size_t len)
{
    for (size_t i = 0; i < ox_parameters_count; i++) {
        if (ox_parameters[i].place == place && strlen(ox_parameters[i].name) == len &&
            memcmp(ox_parameters[i].name, name, len) == 0) {
            return &ox_parameters[i];
        }
    }
    return NULL;
}
