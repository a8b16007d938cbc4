#include "routes.h"

#include "handlers.h"

/* To add a route: a row here, its handler in the file of its resource (declared in handlers.h), a
 * row in docs/rest.md. Literal parts win over parameters only by standing first in this table. */
const struct ox_route ox_routes[] = {
    {"GET", "/health", OX_BODY_NONE, ox_handle_health, NULL, "Is the control plane there?"},

    {"POST", "/api/v1/devices", OX_BODY_JSON, ox_handle_device_register, NULL, "Register a device"},
    {"GET", "/api/v1/devices", OX_BODY_NONE, ox_handle_devices, NULL, "List devices"},
    {"GET", "/api/v1/devices/:id", OX_BODY_NONE, ox_handle_device, NULL, "Show a device"},
    {"DELETE", "/api/v1/devices/:id", OX_BODY_NONE, ox_handle_device_remove, NULL,
     "Unregister a device"},
    {"POST", "/api/v1/devices/:id/heartbeat", OX_BODY_TEXT, ox_handle_heartbeat, NULL,
     "Say what a device runs, hear what it is to run"},

    {"POST", "/api/v1/fleets", OX_BODY_JSON, ox_handle_fleet_create, NULL, "Create a fleet"},
    {"GET", "/api/v1/fleets", OX_BODY_NONE, ox_handle_fleets, NULL, "List fleets"},
    {"GET", "/api/v1/fleets/:id", OX_BODY_NONE, ox_handle_fleet, NULL, "Show a fleet"},
    {"POST", "/api/v1/fleets/:id/devices/:did", OX_BODY_NONE, ox_handle_fleet_add, NULL,
     "Add a device to a fleet"},
    {"DELETE", "/api/v1/fleets/:id/devices/:did", OX_BODY_NONE, ox_handle_fleet_remove, NULL,
     "Remove a device from a fleet"},
    {"POST", "/api/v1/fleets/:id/deploy", OX_BODY_JSON, ox_handle_fleet_deploy, NULL,
     "Deploy a version to a fleet"},
    {"GET", "/api/v1/fleets/:id/status", OX_BODY_NONE, ox_handle_fleet_status, NULL,
     "Count a fleet's devices by status"},

    {"GET", "/api/v1/models", OX_BODY_NONE, ox_handle_models, NULL, "List models"},
    {"GET", "/api/v1/models/:id", OX_BODY_NONE, ox_handle_model, NULL, "List a model's versions"},
    {"POST", "/api/v1/models/:id/versions/:ver", OX_BODY_STREAM, ox_handle_publish,
     &ox_stream_publish, "Publish a version"},
    {"GET", "/api/v1/models/:id/versions/:ver/meta", OX_BODY_NONE, ox_handle_version, NULL,
     "Show a version"},
    {"GET", "/api/v1/models/:id/versions/:ver/download", OX_BODY_NONE, ox_handle_download, NULL,
     "Fetch a version, as a patch where one is ready"},

    {"GET", "/api/v1/blobs/:sha256", OX_BODY_NONE, ox_handle_blob, NULL, "Fetch a blob"},
    {"PUT", "/api/v1/blobs/:sha256", OX_BODY_STREAM, ox_handle_upload, &ox_stream_upload,
     "Upload a blob, or the rest of one"},
    {"GET", "/api/v1/uploads/:sha256", OX_BODY_NONE, ox_handle_upload_status, NULL,
     "How much of a blob is here"},

    {"POST", "/api/v1/campaigns", OX_BODY_JSON, ox_handle_campaign_create, NULL,
     "Create a campaign"},
    {"GET", "/api/v1/campaigns", OX_BODY_NONE, ox_handle_campaigns, NULL, "List campaigns"},
    {"GET", "/api/v1/campaigns/:id", OX_BODY_NONE, ox_handle_campaign, NULL, "Show a campaign"},
    {"POST", "/api/v1/campaigns/:id/pause", OX_BODY_NONE, ox_handle_campaign_pause, NULL,
     "Pause a campaign"},
    {"POST", "/api/v1/campaigns/:id/resume", OX_BODY_NONE, ox_handle_campaign_resume, NULL,
     "Resume a campaign"},
    {"POST", "/api/v1/campaigns/:id/abort", OX_BODY_NONE, ox_handle_campaign_abort, NULL,
     "Abort a campaign"},
};
const size_t ox_routes_count = sizeof(ox_routes) / sizeof(ox_routes[0]);
