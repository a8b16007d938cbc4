#include "routes.h"

#include "handlers.h"
#include "lists.h"

/* To add a route: a row here, its handler in the file of its resource (declared in handlers.h), the
 * schemas that it names in schemas.c, and a row in docs/rest.md. Literal parts of a path win over
 * parameters only by standing first in this table.
 *
 * A row is ROUTE(method, path, handler's name), and then by name (routes.h tells of each):
 *   .summary   one line, in the imperative
 *   .request   NONE, or a shape in the notation of shape.h, mostly a row of schemas.c; with
 *              .body = OX_BODY_JSON, or _TEXT where it may be empty; OX_BODY_STREAM comes with
 *              .stream and a media type
 *   .params    query parameters and headers that it reads, rows of ox_parameters in schemas.c
 *   .response  every good answer: "201 Registered, 200 Registered"; what is no JSON names its
 *              media type: "200 text/event-stream"
 *   .errors    every bad one: EVER, then the statuses of status.c: EVER " 400 404". What takes a
 *              parameter may answer 400, what takes a body 400, what takes JSON 413 and 415
 *   A list takes .params = OX_LIST_PARAMS " filter ..." and answers by ox_reply_list.
 *   .pool      OX_RUN_SLOW if it takes longer than some milliseconds
 *   .at_once   answers where that never blocks, on the connection's own thread
 * The document at /api/v1/openapi.json is made of it; the test "api/openapi" fails for a row that
 * leaves one out or names what is not there. */
#define ROUTE(METHOD, PATH, NAME)                                                                  \
    .name = #NAME, .method = (METHOD), .pattern = (PATH), .handle = ox_handle_##NAME
#define NONE "none"
#define EVER "500 503" /* of every route: a defect, a lack; try again */

const struct ox_route ox_routes[] = {
    {ROUTE("GET", "/health", health), .summary = "Is the control plane there?", .request = NONE,
     .response = "200 Health", .errors = EVER},

    {ROUTE("GET", "/api/v1/openapi.json", openapi), .summary = "Tell all routes, as OpenAPI 3.1",
     .request = NONE, .response = "200 {openapi: text, *: any}", .errors = EVER},

    {ROUTE("GET", "/api/v1/backup", backup),
     .summary = "Take a backup: the registry as it is now, as a tar archive", .request = NONE,
     .params = "blobs", .pool = OX_RUN_SLOW, .response = "200 application/x-tar",
     .errors = EVER " 400 507"},
    {ROUTE("POST", "/api/v1/restore/confirm", restore_confirm),
     .summary = "Assign again, after a backup was restored", .request = NONE,
     .response = "200 Done", .errors = EVER " 409 507"},

    {ROUTE("POST", "/api/v1/devices", device_register), .summary = "Register a device",
     .body = OX_BODY_JSON, .request = "NewDevice", .response = "201 Registered, 200 Registered",
     .errors = EVER " 400 413 415 507"},
    {ROUTE("GET", "/api/v1/devices", devices), .summary = "List devices", .request = NONE,
     .params = OX_LIST_PARAMS " filter fleet runs status", .pool = OX_RUN_SLOW,
     .response = "200 Device[]", .errors = EVER " 400 507"},
    {ROUTE("GET", "/api/v1/devices/:id", device), .summary = "Show a device", .request = NONE,
     .response = "200 Device", .errors = EVER " 400 404"},
    {ROUTE("PATCH", "/api/v1/devices/:id", device_edit),
     .summary = "Change a device's name and tags", .body = OX_BODY_JSON, .request = "DeviceEdit",
     .response = "200 Device", .errors = EVER " 400 404 413 415 507"},
    {ROUTE("DELETE", "/api/v1/devices/:id", device_remove), .summary = "Unregister a device",
     .request = NONE, .response = "200 Done", .errors = EVER " 400 404 507"},
    {ROUTE("POST", "/api/v1/devices/:id/heartbeat", heartbeat),
     .summary = "Say what a device runs, hear what it is to run", .body = OX_BODY_TEXT,
     .at_once = ox_heartbeat_at_once, .request = "Heartbeat", .response = "200 HeartbeatAnswer",
     .errors = EVER " 400 404 413 415 507"},

    {ROUTE("POST", "/api/v1/fleets", fleet_create), .summary = "Create a fleet",
     .body = OX_BODY_JSON, .request = "NewFleet", .response = "201 Created",
     .errors = EVER " 400 409 413 415 507"},
    {ROUTE("GET", "/api/v1/fleets", fleets), .summary = "List fleets", .request = NONE,
     .params = OX_LIST_PARAMS " device devices", .pool = OX_RUN_SLOW, .response = "200 Fleet[]",
     .errors = EVER " 400"},
    {ROUTE("GET", "/api/v1/fleets/:id", fleet), .summary = "Show a fleet", .request = NONE,
     .params = "devices", .response = "200 Fleet", .errors = EVER " 400 404"},
    {ROUTE("PATCH", "/api/v1/fleets/:id", fleet_edit),
     .summary = "Change what a fleet is, and who is in it", .body = OX_BODY_JSON,
     .request = "FleetEdit", .response = "200 FleetChanged",
     .errors = EVER " 400 404 409 413 415 507"},
    {ROUTE("DELETE", "/api/v1/fleets/:id", fleet_delete),
     .summary = "Remove a fleet; its devices stay", .request = NONE, .response = "200 Done",
     .errors = EVER " 400 404 409 507"},
    {ROUTE("POST", "/api/v1/fleets/:id/devices/:did", fleet_add),
     .summary = "Add a device to a fleet", .request = NONE, .response = "200 Done",
     .errors = EVER " 400 404 409 507"},
    {ROUTE("DELETE", "/api/v1/fleets/:id/devices/:did", fleet_remove),
     .summary = "Remove a device from a fleet", .request = NONE, .response = "200 Done",
     .errors = EVER " 400 404 409 507"},
    {ROUTE("POST", "/api/v1/fleets/:id/deploy", fleet_deploy),
     .summary = "Deploy a version to a fleet", .body = OX_BODY_JSON, .request = "Deploy",
     .response = "200 Deployed", .errors = EVER " 400 404 409 413 415 507"},
    {ROUTE("GET", "/api/v1/fleets/:id/status", fleet_status),
     .summary = "Count a fleet's devices by status", .request = NONE, .response = "200 FleetStatus",
     .errors = EVER " 400 404"},

    {ROUTE("GET", "/api/v1/models", models), .summary = "List models", .request = NONE,
     .params = OX_LIST_PARAMS, .pool = OX_RUN_SLOW, .response = "200 Models",
     .errors = EVER " 400"},
    {ROUTE("GET", "/api/v1/models/:id", model), .summary = "List a model's versions",
     .request = NONE, .params = OX_LIST_PARAMS, .pool = OX_RUN_SLOW, .response = "200 Model",
     .errors = EVER " 400 404"},
    {ROUTE("POST", "/api/v1/models/:id/versions/:ver", publish), .summary = "Publish a version",
     .body = OX_BODY_STREAM, .stream = &ox_stream_publish, .pool = OX_RUN_SLOW,
     .request = "application/octet-stream, application/vnd.oxide.manifest+json Manifest",
     .params = "X-Oxide-Meta", .response = "201 Published, 200 Published",
     .errors = EVER " 400 404 409 411 413 507"},
    {ROUTE("GET", "/api/v1/models/:id/versions/:ver/meta", version), .summary = "Show a version",
     .request = NONE, .params = "variant", .response = "200 Version", .errors = EVER " 400 404"},
    {ROUTE("PATCH", "/api/v1/models/:id/versions/:ver", version_patch),
     .summary = "Change labels, lineage and what a variant requires", .body = OX_BODY_JSON,
     .request = "Meta", .response = "200 Version", .errors = EVER " 400 404 409 413 415 507"},
    {ROUTE("DELETE", "/api/v1/models/:id/versions/:ver", version_remove),
     .summary = "Remove a version that nothing needs", .request = NONE, .params = "variant",
     .pool = OX_RUN_SLOW, .response = "200 Removed", .errors = EVER " 400 404 409 507"},
    {ROUTE("GET", "/api/v1/models/:id/versions/:ver/download", download),
     .summary = "Fetch a version, as a patch where one is ready", .request = NONE,
     .params =
         "variant X-Oxide-Base-Version X-Oxide-Reads X-Oxide-Device Range If-Range If-None-Match",
     .response = "200 application/octet-stream, 200 application/x-oxide-delta, 206 "
                 "application/octet-stream, 206 application/x-oxide-delta, 304",
     .errors = EVER " 400 404 409 416"},

    {ROUTE("GET", "/api/v1/models/:id/retention", retention),
     .summary = "Show which versions of a model are kept", .request = NONE,
     .response = "200 Retention", .errors = EVER " 400 404"},
    {ROUTE("PUT", "/api/v1/models/:id/retention", retention_set),
     .summary = "Say which versions of a model are kept", .body = OX_BODY_JSON,
     .request = "NewRetention", .response = "200 Retention", .errors = EVER " 400 413 415 507"},
    {ROUTE("DELETE", "/api/v1/models/:id/retention", retention_remove),
     .summary = "Remove a model's own rule", .request = NONE, .response = "200 Done",
     .errors = EVER " 400 404 507"},
    {ROUTE("GET", "/api/v1/retention", general_retention),
     .summary = "Show which versions are kept of models without a rule of their own",
     .request = NONE, .response = "200 Retention", .errors = EVER " 404"},
    {ROUTE("PUT", "/api/v1/retention", general_retention_set),
     .summary = "Say which versions are kept of models without a rule of their own",
     .body = OX_BODY_JSON, .request = "NewRetention", .response = "200 Retention",
     .errors = EVER " 400 413 415 507"},
    {ROUTE("DELETE", "/api/v1/retention", general_retention_remove),
     .summary = "Remove the general rule", .request = NONE, .response = "200 Done",
     .errors = EVER " 404 507"},
    {ROUTE("POST", "/api/v1/gc", gc), .summary = "Remove what nothing needs", .request = NONE,
     .params = "dry_run", .pool = OX_RUN_SLOW, .response = "200 Collected",
     .errors = EVER " 400 507"},

    {ROUTE("GET", "/api/v1/blobs/:sha256", blob), .summary = "Fetch a blob", .request = NONE,
     .params = "X-Oxide-Device Range If-Range If-None-Match",
     .response = "200 application/octet-stream, 206 application/octet-stream, 304",
     .errors = EVER " 400 404 416"},
    {ROUTE("PUT", "/api/v1/blobs/:sha256", upload), .summary = "Upload a blob, or the rest of one",
     .body = OX_BODY_STREAM, .stream = &ox_stream_upload, .pool = OX_RUN_SLOW,
     .request = "application/octet-stream", .params = "Content-Range",
     .response = "201 Blob, 200 Blob, 202 Upload", .errors = EVER " 400 409 411 507"},
    {ROUTE("GET", "/api/v1/uploads/:sha256", upload_status),
     .summary = "How much of a blob is here", .request = NONE, .response = "200 Upload",
     .errors = EVER " 400"},

    {ROUTE("POST", "/api/v1/campaigns", campaign_create), .summary = "Create a campaign",
     .body = OX_BODY_JSON, .request = "NewCampaign", .response = "201 CampaignCreated",
     .errors = EVER " 400 404 409 413 415 507"},
    {ROUTE("GET", "/api/v1/campaigns", campaigns), .summary = "List campaigns", .request = NONE,
     .params = OX_LIST_PARAMS " campaign.state model fleet device", .pool = OX_RUN_SLOW,
     .response = "200 Campaigns", .errors = EVER " 400"},
    {ROUTE("POST", "/api/v1/campaigns/plan", campaign_plan),
     .summary = "Tell what a campaign would do, without making it", .body = OX_BODY_JSON,
     .request = "PlanCampaign", .pool = OX_RUN_SLOW, .response = "200 Plan",
     .errors = EVER " 400 404 409 413 415 507"},
    {ROUTE("GET", "/api/v1/campaigns/:id", campaign), .summary = "Show a campaign", .request = NONE,
     .params = "devices", .pool = OX_RUN_SLOW, .response = "200 Campaign",
     .errors = EVER " 400 404"},
    {ROUTE("GET", "/api/v1/campaigns/:id/devices", campaign_devices),
     .summary = "List the devices in a campaign", .request = NONE,
     .params = OX_LIST_PARAMS " place.state class", .pool = OX_RUN_SLOW,
     .response = "200 {devices: CampaignDevice[]}", .errors = EVER " 400 404"},
    {ROUTE("POST", "/api/v1/campaigns/:id/pause", campaign_pause), .summary = "Pause a campaign",
     .request = NONE, .response = "200 CampaignState", .errors = EVER " 400 404 409 507"},
    {ROUTE("POST", "/api/v1/campaigns/:id/resume", campaign_resume), .summary = "Resume a campaign",
     .request = NONE, .response = "200 CampaignState", .errors = EVER " 400 404 409 507"},
    {ROUTE("POST", "/api/v1/campaigns/:id/abort", campaign_abort), .summary = "Abort a campaign",
     .request = NONE, .response = "200 CampaignState", .errors = EVER " 400 404 409 507"},
    {ROUTE("POST", "/api/v1/campaigns/:id/approve", campaign_approve),
     .summary = "Let the next stage open", .request = NONE, .response = "200 CampaignState",
     .errors = EVER " 400 404 409 507"},
    {ROUTE("POST", "/api/v1/campaigns/:id/retry", campaign_retry),
     .summary = "Try failed devices again", .request = NONE, .params = "device",
     .response = "200 Retried", .errors = EVER " 400 404 409 507"},
    {ROUTE("POST", "/api/v1/campaigns/:id/revert", campaign_revert),
     .summary = "Send back the devices that a campaign has updated", .request = NONE,
     .pool = OX_RUN_SLOW, .response = "201 CampaignCreated", .errors = EVER " 400 404 409 507"},
    {ROUTE("POST", "/api/v1/models/:id/revert", model_revert),
     .summary = "Send devices back to what they ran before, or to a version", .body = OX_BODY_JSON,
     .request = "Revert", .pool = OX_RUN_SLOW, .response = "201 CampaignCreated",
     .errors = EVER " 400 404 409 413 415 507"},

    {ROUTE("GET", "/api/v1/quarantine", quarantine),
     .summary = "List versions that are not given to devices any more", .request = NONE,
     .params = "device", .response = "200 Quarantine", .errors = EVER " 400"},
    {ROUTE("DELETE", "/api/v1/devices/:id/quarantine", quarantine_free),
     .summary = "Free what is quarantined on a device", .request = NONE, .params = "model",
     .response = "200 Freed", .errors = EVER " 400 404 507"},

    {ROUTE("GET", "/api/v1/jobs", jobs), .summary = "List delta jobs", .request = NONE,
     .params = OX_LIST_PARAMS " job.state base target", .pool = OX_RUN_SLOW, .response = "200 Jobs",
     .errors = EVER " 400"},
    {ROUTE("GET", "/api/v1/jobs/:id", job), .summary = "Show a delta job", .request = NONE,
     .response = "200 Job", .errors = EVER " 400 404"},
    {ROUTE("POST", "/api/v1/jobs/:id/retry", job_retry), .summary = "Make a delta once more",
     .request = NONE, .response = "200 Job", .errors = EVER " 400 404 409 507"},
    {ROUTE("POST", "/api/v1/jobs/:id/cancel", job_cancel), .summary = "Stop making a delta",
     .request = NONE, .response = "200 Job", .errors = EVER " 400 404 409 507"},
};
const size_t ox_routes_count = sizeof(ox_routes) / sizeof(ox_routes[0]);
