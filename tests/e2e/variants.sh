#!/usr/bin/env bash
# One campaign sends each device its own variant of a version, by what the device is.
. "$(dirname "$0")/lib.sh"
small_models
serve --poll-interval 1
make_model onnx v1 small.onnx --width 64 > /dev/null || die "make_model"
make_model onnx v2-head small2.onnx --width 64 > /dev/null || die "make_model"

step "a version in two variants"
exits 0 "" oxide push m v1 v1.onnx --variant f32 --rank 50 --requires 'tag.size = "large"'
exits 0 "" oxide push m v1 small.onnx --variant int8 --requires 'tag.size in ("small", "tiny")'
exits 2 "column" oxide push m v1 v3-finetune.onnx --variant q4 --requires 'tag.size ='
exits 2 "heartbeat" oxide push m v1 v3-finetune.onnx --variant q4 --requires 'status = "online"'

step "devices by size, and one for which there is nothing"
for row in big:large little:small odd:round; do
    same "registered" 201 "$(http_status /api/v1/devices -d "{\"id\": \"${row%:*}\", \"tags\": {\"size\": \"${row#*:}\"}}")"
done
exits 0 "" oxide fleet create f
exits 0 "" oxide fleet add f big little odd
agent big
big=$agent_pid
agent little
little=$agent_pid
agent odd
odd=$agent_pid
exits 0 "" oxide deploy m v1 --fleet f --json
campaign=$(field .campaign_id < last.out)
within 40 "the campaign is complete" campaign_is "$campaign" complete
runs big m v1.onnx || fail "big does not run f32"
runs little m small.onnx || fail "little does not run int8"
[ ! -e odd/m/current ] || fail "odd runs something"
same "odd" "skipped" "$(campaign_field "$campaign" '.devices[] | select(.device_id == "odd") | .state')"
holds "why" "$(campaign_field "$campaign" '.devices[] | select(.device_id == "odd") | .error')" \
    'no variant of m@v1 is for it: f32 requires tag.size = "large"'

step "the next version goes by patch, each from its own base"
exits 0 "" oxide push m v2 v2-head.onnx --variant f32 --requires 'tag.size = "large"'
exits 0 "" oxide push m v2 small2.onnx --variant int8 --requires 'tag.size = "small"'
exits 0 "" oxide campaign plan m v2 --fleet f --json
same "who is skipped" '[["odd",1]]' "$(jq -c '[.skips[] | [.device_id, .devices]]' < last.out)"
same "who gets which" "f32 1 $(size v2-head.onnx) int8 1 $(size small2.onnx)" \
    "$(field '[.variants | sort_by(.variant)[] | "\(.variant) \(.devices) \(.bytes_full)"] | join(" ")' < last.out)"
exits 0 "" oxide campaign plan m v2 --fleet f
holds "why" "$(tr -s ' ' < last.out)" '1 odd no variant of m@v2 is for it: f32 requires'
holds "variants" "$(tr -s ' ' < last.out)" 'int8 1 '
deploy m v2 --fleet f
within 40 "the campaign is complete" campaign_is "$campaign" complete
runs big m v2-head.onnx || fail "big does not run v2"
runs little m small2.onnx || fail "little does not run v2"
same "by patch" "delta delta" "$(campaign_field "$campaign" '[.devices[] | select(.state == "complete") | .strategy] | join(" ")')"
saved=$(campaign_field "$campaign" .summary.bytes_saved)
[ "$saved" -gt 0 ] || fail "nothing was saved"
served=$(campaign_field "$campaign" .summary.bytes_served)
[ "$served" -gt 0 ] && [ $((served * 4)) -lt $(($(size v2-head.onnx) + $(size small2.onnx))) ] ||
    fail "v2 took $served bytes"

step "another size of device: it changes over to its variant with the next campaign"
same "tags" 200 "$(http_status /api/v1/devices -d '{"id": "little", "tags": {"size": "large"}}')"
deploy m v2 --fleet f
within 40 "the campaign is complete" campaign_is "$campaign" complete
runs little m v2-head.onnx || fail "little does not run f32"

step "a device that joins later gets its own"
same "registered" 201 "$(http_status /api/v1/devices -d '{"id": "late", "tags": {"size": "small"}}')"
agent late
late=$agent_pid
exits 0 "" oxide fleet add f late
within 40 "late runs int8" runs late m small2.onnx

step "a variant that a device runs is not removed, and one that nothing needs is"
exits 4 "is needed" oxide model remove m v2 --variant int8
exits 0 "" oxide push m v3 v3-finetune.onnx --variant q4
exits 0 "" oxide push m v3 bad.onnx
exits 0 "" oxide model remove m v3 --variant q4
exits 3 "q4" oxide model remove m v3 --variant q4
same "one is left" 1 "$(get /api/v1/models/m/versions/v3/meta | field '.variants | length')"
for pid in $big $little $odd $late $server_pid; do stop "$pid"; done
