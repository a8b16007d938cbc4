#!/usr/bin/env bash
# Agents and scripts of the first generation, played by curl: old heartbeats, downloads with
# X-Oxide-Base-Version alone (an OXDL version 1 patch), and results by the version that is reported.
. "$(dirname "$0")/lib.sh"
small_models
serve --poll-interval 1
oxide device register old-01 > /dev/null && oxide push m v1 v1.onnx > /dev/null || die "setting up"

beat() { # BODY FILTER
    curl -sS -X POST "$server/api/v1/devices/old-01/heartbeat" -H 'Content-Type: application/json' -d "$1" |
        field "$2"
}
assigned='"\(.status) \(.assigned_model) \(.assigned_model_version)"'

step "a heartbeat without a body"
same "answer" "ok null null" "$(curl -sS -X POST "$server/api/v1/devices/old-01/heartbeat" | field "$assigned")"
same "device" online "$(device_field old-01 .status)"

step "v1 in full"
deploy m v1 --device old-01
told() { [ "$(beat '{"status": "online"}' "$assigned")" = "ok m $1" ]; }
within 20 "v1 is assigned" told v1
same "download" 200 "$(http_status /api/v1/models/m/versions/v1/download)"
same "type" application/octet-stream "$(header content-type)"
same "digest" "$(digest v1.onnx)" "$(header x-oxide-sha256)"
cmp -s last.body v1.onnx || fail "v1: other bytes"
beat '{"current_model": "m", "current_model_version": "v1", "last_update_result": "success",
    "metrics": {"inference_count": 1, "avg_latency_us": 113.5, "uptime_secs": 5, "free_memory_bytes": 1}}' . > /dev/null
within 10 "campaign is complete" campaign_is "$campaign" complete

step "v2 as a patch of version 1"
oxide push m v2 v2-head.onnx > /dev/null || fail "push"
deploy m v2 --device old-01
within 30 "v2 is assigned" told v2
is_delta() {
    http_status /api/v1/models/m/versions/v2/download -H 'X-Oxide-Base-Version: v1' > /dev/null
    [ "$(header content-type)" = application/x-oxide-delta ]
}
within 20 "a delta is served" is_delta
same "magic and version" "4f58444c01" "$(head -c 5 last.body | od -An -tx1 | tr -d ' \n')"
same "strategy" binary "$(header x-oxide-delta-strategy)"
same "base" "$(digest v1.onnx)" "$(header x-oxide-delta-base)"
same "target" "$(digest v2-head.onnx) $(size v2-head.onnx)" \
    "$(header x-oxide-target-sha256) $(header x-oxide-target-size)"
cp last.body v1.oxdl
[ $(($(size v1.oxdl) * 2)) -lt "$(size v2-head.onnx)" ] || fail "the patch has $(size v1.oxdl) bytes"
exits 0 "" oxide delta apply v1.onnx v1.oxdl -o rebuilt
cmp -s rebuilt v2-head.onnx || fail "the patch of version 1 gives other bytes"
same "info" 1 "$(oxide delta info v1.oxdl --json | field .version)"
exits 6 "base" oxide delta apply v2-head.onnx v1.oxdl -o wrong

step "completion looks at model and version"
beat '{"current_model": "other", "current_model_version": "v2", "last_update_result": "success"}' . > /dev/null
campaign_is "$campaign" rolling_out || fail "another model's v2 completed the campaign"
beat '{"current_model": "m", "current_model_version": "v2", "last_update_result": "success"}' . > /dev/null
within 10 "campaign is complete" campaign_is "$campaign" complete

step "a failure it reports"
oxide push m v3 v3-finetune.onnx > /dev/null || fail "push"
deploy m v3 --device old-01
within 30 "v3 is assigned" told v3
beat '{"current_model": "m", "current_model_version": "v2",
    "last_update_result": {"failed": {"error": "health check said no"}}}' . > /dev/null
within 10 "failed" in_campaign_is "$campaign" old-01 failed
holds "result" "$(device_field old-01 .last_update_result.failed.error)" "health check said no"

step "an asker that reads version 2 gets version 2"
reads() {
    http_status /api/v1/models/m/versions/v2/download -H 'X-Oxide-Base-Version: v1' \
        -H 'X-Oxide-Reads: oxdl/2; ops=ffff' > /dev/null
    [ "$(header content-type)" = application/x-oxide-delta ]
}
within 20 "a delta of version 2" reads
same "magic and version" "4f58444c02" "$(head -c 5 last.body | od -An -tx1 | tr -d ' \n')"
cp last.body v2.oxdl
exits 0 "" oxide delta apply v1.onnx v2.oxdl -o rebuilt2
cmp -s rebuilt2 v2-head.onnx || fail "the patch of version 2 gives other bytes"

step "an unknown base, and one that is no version, get the whole file"
for base in v0 'no version'; do
    same "base $base" 200 "$(http_status /api/v1/models/m/versions/v2/download -H "X-Oxide-Base-Version: $base")"
    cmp -s last.body v2-head.onnx || fail "base $base: other bytes"
done
