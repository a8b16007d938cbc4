/** Handlers, a file per resource (handle_*.c). Each answers by ox_reply_*, or returns an error. */
#ifndef OX_API_HANDLERS_H
#define OX_API_HANDLERS_H

#include "request.h"

#include "oxide/control/blob.h"
#include "oxide/control/campaign.h"
#include "oxide/control/device.h"
#include "oxide/control/event.h"
#include "oxide/control/fleet.h"
#include "oxide/control/model.h"
#include "oxide/control/pending.h"
#include "oxide/control/webhook.h"

#define OX_HANDLER(name)                                                                           \
    enum ox_code ox_handle_##name(struct ox_request *request, struct ox_err *err)

OX_HANDLER(health);
OX_HANDLER(metrics);
OX_HANDLER(backup);
OX_HANDLER(restore_confirm);
OX_HANDLER(openapi);

OX_HANDLER(device_register);
OX_HANDLER(devices);
OX_HANDLER(device);
OX_HANDLER(device_edit);
OX_HANDLER(device_remove);
OX_HANDLER(heartbeat);
bool ox_heartbeat_at_once(struct ox_request *request);
OX_HANDLER(device_split);
OX_HANDLER(device_replace);
OX_HANDLER(device_pin);
OX_HANDLER(device_unpin);
OX_HANDLER(device_history);
OX_HANDLER(pending_devices);
OX_HANDLER(pending_accept);
OX_HANDLER(pending_reject);

OX_HANDLER(fleet_create);
OX_HANDLER(fleets);
OX_HANDLER(fleet);
OX_HANDLER(fleet_edit);
OX_HANDLER(fleet_delete);
OX_HANDLER(fleet_add);
OX_HANDLER(fleet_remove);
OX_HANDLER(fleet_deploy);
OX_HANDLER(fleet_status);

OX_HANDLER(models);
OX_HANDLER(model);
OX_HANDLER(model_diff);
OX_HANDLER(model_delta);
OX_HANDLER(model_where);
OX_HANDLER(model_where_counts);
OX_HANDLER(publish);
OX_HANDLER(version);
OX_HANDLER(version_patch);
OX_HANDLER(version_remove);
OX_HANDLER(retention);
OX_HANDLER(retention_set);
OX_HANDLER(retention_remove);
OX_HANDLER(general_retention);
OX_HANDLER(general_retention_set);
OX_HANDLER(general_retention_remove);
OX_HANDLER(gc);
OX_HANDLER(download);
extern const struct ox_stream ox_stream_publish;

OX_HANDLER(blob);
OX_HANDLER(upload);
OX_HANDLER(upload_status);
extern const struct ox_stream ox_stream_upload;

OX_HANDLER(job);
OX_HANDLER(job_retry);
OX_HANDLER(job_cancel);

OX_HANDLER(campaign_create);
OX_HANDLER(campaigns);
OX_HANDLER(campaign);
OX_HANDLER(campaign_devices);
OX_HANDLER(campaign_pause);
OX_HANDLER(campaign_resume);
OX_HANDLER(campaign_abort);
OX_HANDLER(campaign_approve);
OX_HANDLER(campaign_retry);
OX_HANDLER(campaign_revert);
OX_HANDLER(campaign_plan);
OX_HANDLER(model_revert);
OX_HANDLER(quarantine);
OX_HANDLER(quarantine_free);

OX_HANDLER(jobs);

OX_HANDLER(events);

OX_HANDLER(webhook_add);
OX_HANDLER(webhooks);
OX_HANDLER(webhook);
OX_HANDLER(webhook_remove);
OX_HANDLER(webhook_resume);
OX_HANDLER(webhook_test);

#endif
