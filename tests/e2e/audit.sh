#!/usr/bin/env bash
# The log of events is the audit: every route that changes something is called once, and leaves an
# event with who asked and the request's id. The routes are those of the OpenAPI document, which is
# made of their table: one that is added fails here until it has a line.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
small_models
serve --delta-workers 1 --delta-effort 9

# Routes that leave no event of their own, and why.
declare -A exempt=(
    [heartbeat]="devices say how they do, by the thousand; what comes of it has events of its own"
    [upload]="bytes that nothing refers to; publishing says so"
    [campaign_plan]="changes nothing; a delta that it prepares says so when it is made"
    [webhook_test]="sends one delivery, and changes nothing"
)

# does OPERATION KIND METHOD PATH [CURL OPTIONS]: it succeeds, and leaves an event of this kind
declare -A called
does() {
    local operation=$1 kind=$2 method=$3 path=$4 id="audit-$1" status
    shift 4
    status=$(http_status "$path" -X "$method" -H "X-Request-Id: $id" "$@")
    case $status in
    2*) ;;
    *) fail "$operation: status $status: $(cat last.body)" ;;
    esac
    cp last.body answer
    get "/api/v1/events?format=json&last=50" |
        jq -c --arg id "$id" '.events[] | select(.request_id == $id)' > left
    holds "kinds of $operation" " $(field .kind < left | tr '\n' ' ')" " $kind "
    same "who asked for $operation" 127.0.0.1 "$(field .actor < left | sort -u)"
    called[$operation]=1
}
# beat DEVICE BODY
beat() { get "/api/v1/devices/$1/heartbeat" -X POST -d "$2" > /dev/null; }
runs_v1='"models": [{"id": "m", "version": "v1", "digest": "'$(digest v1.onnx)'"}]'

step "devices and fleets"
does device_register device.registered POST /api/v1/devices -d '{"id": "cam-01"}'
for id in cam-02 cam-03; do oxide device register $id > /dev/null; done
does device_edit device.changed PATCH /api/v1/devices/cam-01 -d '{"tags": {"site": "graz"}}'
does device_pin device.pinned POST /api/v1/devices/cam-01/pin
does device_unpin device.unpinned POST /api/v1/devices/cam-01/unpin
does fleet_create fleet.created POST /api/v1/fleets -d '{"id": "f"}'
does fleet_edit fleet.changed PATCH /api/v1/fleets/f -d '{"name": "F"}'
does fleet_add fleet.device_added POST /api/v1/fleets/f/devices/cam-01
does fleet_remove fleet.device_removed DELETE /api/v1/fleets/f/devices/cam-01
does fleet_delete fleet.removed DELETE /api/v1/fleets/f
for instance in 0123456789abcdef0123456789abcdef fedcba9876543210fedcba9876543210; do
    beat cam-03 "{\"protocol\": 1, \"instance\": \"$instance\"}"
done
does device_split device.split POST /api/v1/devices/cam-03/split -d '{"as": "cam-04"}'
beat cam-03 '{"protocol": 1, "instance": "00000000000000000000000000000000"}'
does device_replace device.replaced POST /api/v1/devices/cam-03/replace
does device_remove device.removed DELETE /api/v1/devices/cam-03
for id in cam-07 cam-08; do http_status /api/v1/devices/$id/heartbeat -X POST -d '{}' > /dev/null; done
does pending_accept device.registered POST /api/v1/pending-devices/cam-07/accept
does pending_reject device.rejected POST /api/v1/pending-devices/cam-08/reject

step "models and what is kept of them"
does publish model.published POST /api/v1/models/m/versions/v1 --data-binary @v1.onnx
oxide push m v2 v2-head.onnx > /dev/null
oxide push m v3 v3-finetune.onnx > /dev/null
does version_patch model.changed PATCH /api/v1/models/m/versions/v1 -d '{"labels": {"a": "b"}}'
no_job() { [ "$(get /api/v1/jobs | field '[.jobs[] | select(.state | IN("queued", "running"))] | length')" = 0 ]; }
within 60 "no delta is being made" no_job
does version_remove model.removed DELETE /api/v1/models/m/versions/v3
does retention_set retention.set PUT /api/v1/models/m/retention -d '{"keep_newest": 9}'
same "what was set" '"m" {"keep_newest":9,"keep_labels":[],"keep_for_s":0}' \
    "$(jq -r '"\(.model_id | tojson) \(.data | tojson)"' left)"
does retention_remove retention.removed DELETE /api/v1/models/m/retention
does general_retention_set retention.set PUT /api/v1/retention -d '{"keep_newest": 9}'
same "of all models" null "$(field .model_id < left)"
does general_retention_remove retention.removed DELETE /api/v1/retention
does gc garbage.collected POST /api/v1/gc
http_status '/api/v1/gc?dry_run=true' -X POST -H 'X-Request-Id: looked' > /dev/null
same "who only looks leaves nothing" "" \
    "$(get '/api/v1/events?format=json&last=5' | field '.events[] | select(.request_id == "looked")')"

step "campaigns"
for id in cam-01 cam-02; do beat $id "{\"protocol\": 1, \"reads\": \"oxdl/2; ops=ffffffff\", $runs_v1}"; done
oxide fleet create f > /dev/null
for id in cam-01 cam-02; do oxide fleet add f $id > /dev/null; done
does fleet_deploy campaign.created POST /api/v1/fleets/f/deploy -d '{"model_id": "m", "model_version": "v2"}'
campaign=$(field .campaign_id < answer)
does campaign_pause campaign.paused POST "/api/v1/campaigns/$campaign/pause"
does campaign_resume campaign.resumed POST "/api/v1/campaigns/$campaign/resume"
assigned() {
    get /api/v1/devices/cam-01/heartbeat -X POST -d '{"protocol": 1}' | jq -e '.assignments | length > 0'
}
fails() { # SEQ
    within 30 "cam-01 is told" assigned
    beat cam-01 "{\"protocol\": 1, \"reports\": [{\"seq\": $1, \"campaign_id\": \"$campaign\", \"model_id\": \"m\",
        \"model_version\": \"v2\", \"state\": \"failed\", \"error\": {\"code\": \"health\", \"message\": \"hot\"}}]}"
}
fails 1
does campaign_retry campaign.retried POST "/api/v1/campaigns/$campaign/retry?device=cam-01"
same "whom" "cam-01 1" "$(field '"\(.device_id) \(.data.devices)"' < left)"
fails 2
oxide campaign retry "$campaign" > /dev/null
fails 3
does quarantine_free device.quarantine_freed DELETE /api/v1/devices/cam-01/quarantine
beat cam-02 "{\"protocol\": 1, \"models\": [{\"id\": \"m\", \"version\": \"v2\", \"digest\": \"$(digest v2-head.onnx)\"}]}"
within 30 "it is complete" campaign_is "$campaign" complete
does campaign_revert campaign.created POST "/api/v1/campaigns/$campaign/revert"
beat cam-02 "{\"protocol\": 1, $runs_v1}" # it is back: both are to be updated
does campaign_create campaign.created POST /api/v1/campaigns -d '{"model_id": "m", "model_version": "v2",
    "device_ids": ["cam-01", "cam-02"], "strategy": {"batch": 1, "wait_s": 9000}, "gates": {"approval": true}}'
campaign=$(field .campaign_id < answer)
first_ends() { # the one device of the first stage ends well
    local id
    for id in cam-01 cam-02; do
        get "/api/v1/devices/$id/heartbeat" -X POST -d '{"protocol": 1}' | jq -e '.assignments | length > 0' > /dev/null || continue
        beat $id "{\"protocol\": 1, \"models\": [{\"id\": \"m\", \"version\": \"v2\", \"digest\": \"$(digest v2-head.onnx)\"}],
            \"reports\": [{\"seq\": 9, \"campaign_id\": \"$campaign\", \"model_id\": \"m\", \"model_version\": \"v2\", \"state\": \"complete\"}]}"
        return 0
    done
    return 1
}
within 30 "the first stage has ended" first_ends
does campaign_approve campaign.approved POST "/api/v1/campaigns/$campaign/approve"
does campaign_abort campaign.aborted POST "/api/v1/campaigns/$campaign/abort"
does model_revert campaign.created POST /api/v1/models/m/revert -d '{"filter": "id = cam-01", "model_version": "v2"}'

step "deltas"
make_model random 60000000 one > /dev/null
make_model random 60000000 two --seed 3 > /dev/null
oxide push big v1 one > /dev/null 2>&1
oxide push big v2 two > /dev/null 2>&1
job=$(get /api/v1/jobs | field '[.jobs[] | select(.model_id == "big")][0].id')
does model_delta delta.ordered POST /api/v1/models/big/delta -d '{"from": "v2", "to": "v1"}'
does job_cancel delta.canceled POST "/api/v1/jobs/$job/cancel"
does job_retry delta.retried POST "/api/v1/jobs/$job/retry"
oxide job cancel "$job" > /dev/null

step "webhooks"
does webhook_add webhook.added POST /api/v1/webhooks -d '{"url": "http://127.0.0.1:1/", "id": "h"}'
does webhook_resume webhook.resumed POST /api/v1/webhooks/h/resume
does webhook_remove webhook.removed DELETE /api/v1/webhooks/h

step "a control plane that was restored"
oxide backup all.tar --blobs 2> /dev/null
stop "$server_pid"
oxide restore all.tar --data data --force > /dev/null
serve
does restore_confirm hold.released POST /api/v1/restore/confirm

step "no route is left out"
get /api/v1/openapi.json > doc.json
mapfile -t operations < <(jq -r '.paths[] | to_entries[] | select(.key | IN("post", "put", "patch", "delete"))
    | .value.operationId' doc.json)
[ "${#operations[@]}" -gt 30 ] || fail "the document tells ${#operations[@]} routes"
for operation in "${operations[@]}"; do
    if [ -n "${exempt[$operation]:-}" ]; then
        [ -z "${called[$operation]:-}" ] || fail "$operation is called, and exempt"
    elif [ -z "${called[$operation]:-}" ]; then
        fail "$operation changes something, and is not called here: add a line"
    fi
done
for operation in "${!exempt[@]}"; do
    [[ " ${operations[*]} " == *" $operation "* ]] || fail "$operation is exempt, and no route"
done
stop "$server_pid"
