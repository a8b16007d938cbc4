#!/usr/bin/env bash
# The main job by the command line: v1, v2 by patch, a bad v3 that is rolled back, and poison.
. "$(dirname "$0")/lib.sh"
small_models
serve --poll-interval 1

step "register, group, publish, roll out"
exits 0 "" oxide device register cam-01 --name "East Camera"
holds "next step" "$(cat last.out)" "next: "
exits 0 "" oxide fleet create factory --name "Factory Floor"
exits 0 "" oxide fleet add factory cam-01
exits 0 "" oxide push defect v1 v1.onnx
holds "push" "$(cat last.out)" "next: oxide deploy defect v1"
agent cam-01 --health-check "'$OXIDE_TOOLS/make_model' --check \"\$OXIDE_MODEL_PATH\""
exits 0 "" oxide deploy defect v1 --fleet factory --wait --timeout 40s
runs cam-01 defect v1.onnx || fail "cam-01 does not run v1"

step "v2 comes as a patch"
exits 0 "" oxide push defect v2 v2-head.onnx
exits 0 "" oxide deploy defect v2 --fleet factory --wait --timeout 40s --json
runs cam-01 defect v2-head.onnx || fail "cam-01 does not run v2"
served=$(field .summary.bytes_served < last.out)
[ "$served" -gt 0 ] && [ $((served * 4)) -lt "$(size v2-head.onnx)" ] ||
    fail "v2 took $served bytes of $(size v2-head.onnx)"
report() { field ".devices[0] | $1" < report.json; } # FILTER
oxide campaign show "$(field .id < last.out)" --json > report.json
same "where it came from" "$served" "$(report .sources.control_plane)"
same "how long it took" true "$(report '.duration_ms >= (.stages_ms | add) and .stages_ms.download >= 0')"
same "what did not fail" null "$(report .failed_at)"

step "v3 fails its health check: v2 is back at once, and stays"
exits 0 "" oxide push defect v3 bad.onnx
for try in 1 2 3; do
    exits 1 "1 failed" oxide deploy defect v3 --fleet factory --wait --timeout 40s
    within 10 "cam-01 runs v2 after failure $try" runs cam-01 defect v2-head.onnx
done
holds "campaign list" "$(oxide campaign list)" "v3"
failed=$(oxide campaign list --json | field '[.campaigns[] | select(.target_version == "v3")][-1].id')
holds "where it failed" "$(oxide campaign devices "$failed")" "check"
same "result" "failed" "$(device_field cam-01 '.last_update_result | keys[0]')"
same "what it says it runs" "v2" "$(device_field cam-01 .current_model_version)"

step "after three failures it is poison: not fetched again, even by a new agent"
stop "$agent_pid"
agent cam-01 --health-check "'$OXIDE_TOOLS/make_model' --check \"\$OXIDE_MODEL_PATH\""
deploy defect v3 --fleet factory
within 20 "v3 is skipped" in_campaign_is "$campaign" cam-01 skipped
same "bytes for poison" 0 "$(campaign_field "$campaign" .summary.bytes_served)"
runs cam-01 defect v2-head.onnx || fail "cam-01 does not run v2"

step "the fleet is not stuck: v4 rolls out"
exits 0 "" oxide push defect v4 v3-finetune.onnx
exits 0 "" oxide deploy defect --fleet factory --rollout canary --wait --timeout 40s
runs cam-01 defect v3-finetune.onnx || fail "cam-01 does not run v4"

step "a first install that fails leaves nothing active"
make_model onnx bad other.onnx --width 128 > /dev/null
exits 0 "" oxide push other v1 other.onnx
exits 1 "1 failed" oxide deploy other v1 --device cam-01 --wait --timeout 40s
[ ! -e cam-01/other/current ] || fail "a failed first install is active"

step "the lists show it"
holds "devices" "$(oxide device list)" "defect@v4"
holds "device" "$(oxide device status cam-01)" "East Camera"
holds "fleet" "$(oxide fleet status factory)" "devices"
same "fleets" "1" "$(oxide fleet list --json | field '.[0].devices | length')"
holds "models" "$(oxide model list)" "defect"
same "versions" "4" "$(oxide model show defect --json | field '.versions | length')"
holds "version" "$(oxide model show defect v2)" "$(digest v2-head.onnx)"

step "pause, resume, abort"
stop "$agent_pid"
exits 0 "" oxide deploy defect v1 --fleet factory --json
campaign=$(field .campaign_id < last.out)
exits 0 "" oxide campaign pause "$campaign"
same "state" paused "$(campaign_field "$campaign" .state)"
agent cam-01
sleep 2.5
runs cam-01 defect v3-finetune.onnx || fail "a paused campaign goes on"
exits 0 "" oxide campaign resume "$campaign"
within 20 "resumed: v1" runs cam-01 defect v1.onnx
within 20 "the campaign is complete" campaign_is "$campaign" complete
exits 4 "oxide: " oxide campaign pause "$campaign"
stop "$agent_pid"
deploy defect v2 --fleet factory
exits 0 "" oxide campaign abort "$campaign"
holds "abort" "$(cat last.out)" "aborted"
agent cam-01
exits 3 "oxide: " oxide campaign show no-such-campaign
exits 3 "oxide: " oxide deploy defect v99 --fleet factory
exits 3 "oxide: " oxide deploy defect v1 --fleet no-such
exits 4 "oxide: " oxide fleet create factory
exits 0 "" oxide fleet remove factory cam-01
exits 0 "" oxide device remove cam-01
exits 3 "cam-01" oxide device status cam-01

step "both end cleanly when asked"
stop "$agent_pid"
stop "$server_pid"
