#!/usr/bin/env bash
# The curl lines of the first generation's README, typed in order, unchanged but for the port: they
# work as they did, and then an agent gets v2 by a patch.
. "$(dirname "$0")/lib.sh"
small_models
mv v1.onnx model-v1.onnx && mv v2-head.onnx model-v2.onnx
serve --poll-interval 1
at=localhost:$port

step "devices and fleets"
same "register" '{"status":"registered","id":"cam-01"}' "$(curl -sS -X POST $at/api/v1/devices \
    -H "Content-Type: application/json" \
    -d '{"id": "cam-01", "name": "East Camera"}' | jq -c .)"
same "fleet" '{"status":"created","id":"factory"}' "$(curl -sS -X POST $at/api/v1/fleets \
    -H "Content-Type: application/json" \
    -d '{"id": "factory", "name": "Factory Floor"}' | jq -c .)"
same "member" '{"status":"added"}' \
    "$(curl -sS -X POST $at/api/v1/fleets/factory/devices/cam-01 | jq -c .)"

step "upload model versions"
same "v1" "defect v1 $(digest model-v1.onnx) $(size model-v1.onnx)" \
    "$(curl -sS -X POST $at/api/v1/models/defect/versions/v1 \
        --data-binary @model-v1.onnx | field '"\(.model_id) \(.version) \(.sha256) \(.size_bytes)"')"

step "the device gets v1 first, as it would have"
agent cam-01
curl -sS -X POST $at/api/v1/campaigns -H "Content-Type: application/json" \
    -d '{"model_id": "defect", "model_version": "v1", "fleet_id": "factory"}' > v1.json
within 30 "cam-01 runs v1" runs cam-01 defect model-v1.onnx
stop "$agent_pid"

same "v2" "defect v2 $(digest model-v2.onnx) $(size model-v2.onnx)" \
    "$(curl -sS -X POST $at/api/v1/models/defect/versions/v2 \
        --data-binary @model-v2.onnx | field '"\(.model_id) \(.version) \(.sha256) \(.size_bytes)"')"

step "create deployment campaign"
curl -sS -X POST $at/api/v1/campaigns \
    -H "Content-Type: application/json" \
    -d '{"model_id": "defect", "model_version": "v2", "fleet_id": "factory"}' > campaign.json
same "campaign" "rolling_out 1" "$(field '"\(.state) \(.total_devices)"' < campaign.json)"
campaign=$(field .campaign_id < campaign.json)

step "start agent on device (downloads v2 via delta)"
start agent2.log "$OXIDE_AGENT_BIN" agent \
    --control-plane "http://127.0.0.1:$port" \
    --device-id cam-01 \
    --poll-interval 30 --model-dir cam-01
within 40 "cam-01 runs v2" runs cam-01 defect model-v2.onnx
within 20 "campaign is complete" campaign_is "$campaign" complete
served=$(campaign_field "$campaign" .summary.bytes_served)
saved=$(campaign_field "$campaign" .summary.bytes_saved)
[ "$served" -gt 0 ] && [ $((served * 4)) -lt "$(size model-v2.onnx)" ] ||
    fail "v2 took $served bytes of $(size model-v2.onnx)"
same "served and saved make the file" "$(size model-v2.onnx)" $((served + saved))

step "the shapes that scripts read"
same "health" "healthy oxide-control-plane" "$(get /health | field '"\(.status) \(.service)"')"
same "devices is a bare array" "array cam-01 online defect v2" "$(get /api/v1/devices |
    field '"\(type) \(.[0].id) \(.[0].status) \(.[0].current_model) \(.[0].current_model_version)"')"
same "device" "success factory" \
    "$(device_field cam-01 '"\(.last_update_result) \(.fleet_id)"')"
same "versions" "v1 v2" "$(get /api/v1/models/defect | field '[.versions[].version] | join(" ")')"
same "meta" "$(digest model-v2.onnx)" "$(get /api/v1/models/defect/versions/v2/meta | field .sha256)"
same "campaigns" "defect v2 factory complete 1 1 0" "$(get /api/v1/campaigns | field ".campaigns[] |
    select(.id == \"$campaign\") |
    \"\(.model_id) \(.target_version) \(.fleet_id) \(.state) \(.total) \(.complete) \(.failed)\"")"
same "campaign's device" "cam-01 complete" \
    "$(campaign_field "$campaign" '"\(.devices[0].device_id) \(.devices[0].state)"')"
same "bandwidth" "$served $saved" "$(campaign_field "$campaign" \
    '"\(.bandwidth.bytes_served) \(.bandwidth.bytes_saved_by_delta)"')"
same "fleet status" "factory 1 1 0" "$(get /api/v1/fleets/factory/status |
    field '"\(.fleet_id) \(.total_devices) \(.online) \(.offline)"')"
same "deploy, the legacy way" "deployed 1" "$(curl -sS -X POST $at/api/v1/fleets/factory/deploy \
    -d '{"model_id": "defect", "model_version": "v1"}' | field '"\(.status) \(.total_devices)"')"
within 60 "cam-01 runs v1 again" runs cam-01 defect model-v1.onnx
same "unregister" '{"status":"unregistered"}' "$(curl -sS -X DELETE $at/api/v1/devices/cam-01 | jq -c .)"
