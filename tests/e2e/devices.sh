#!/usr/bin/env bash
# Devices by the command line: asking to be let in, ids made of the machine, what ran where, pins,
# and the page that shows it all.
. "$(dirname "$0")/lib.sh"
small_models
serve --poll-interval 1
oxide push m v1 v1.onnx > /dev/null && oxide push m v2 v2-head.onnx > /dev/null || die "push"
oxide fleet create f > /dev/null || die "fleet create"

step "who asks and is not known waits, and gets a 404 as ever"
agent cam-01
status_is() { [ "$(device_field "$1" .status)" = "$2" ]; }
waits() { [ "$(oxide device pending --json | field '.devices[].id' | paste -sd ' ')" = "$1" ]; }
within 10 "cam-01 waits" waits cam-01
same "old clients" 404 "$(http_status /api/v1/devices/old-01/heartbeat -X POST)"
holds "message" "$(cat last.body)" "oxide device accept old-01"
within 10 "both wait" waits "cam-01 old-01"
holds "list" "$(oxide device pending)" "127.0.0.1"
grep -q "type: oxide device accept cam-01" cam-01.log || fail "the agent does not say what to type"
exits 0 "" oxide device reject old-01
waits cam-01 || fail "old-01 is listed"
same "still" 404 "$(http_status /api/v1/devices/old-01/heartbeat -X POST)"
waits cam-01 || fail "old-01 is listed again"
same "rejected" old-01 "$(oxide device pending --state rejected --json | field '.devices[].id')"
exits 3 "no fleet nope" oxide device accept cam-01 --fleet nope
exits 2 "KEY=VALUE" oxide device accept cam-01 --tag site
exits 2 "given twice" oxide device accept cam-01 --tag a=1 --tag a=2
exits 3 "no device cam-09 waits" oxide device accept cam-09
exits 0 "" oxide device accept cam-01 --fleet f --tag site=graz --tag line=3 --name "East Camera"
holds "accept" "$(cat last.out)" "cam-01 is registered and in fleet f"
exits 4 "registered already" oxide device accept cam-01
within 10 "cam-01 is online" status_is cam-01 online
same "tags" "graz 3" "$(device_field cam-01 '"\(.tags.site) \(.tags.line)"')"

step "what ran where, and when"
deploy m v1 --fleet f
within 30 "v1 runs" runs cam-01 m v1.onnx
within 10 "and is said" campaign_is "$campaign" complete
sleep 1.1
between=$(date -u +%Y-%m-%dT%H:%M:%SZ)
sleep 0.1
deploy m v2 --fleet f
within 30 "v2 is said" campaign_is "$campaign" complete
same "history" "v2 v1" "$(oxide device history cam-01 --json | field '.history[].version' | paste -sd ' ')"
same "it runs now" null "$(oxide device history cam-01 --json | field '.history[0].to')"
same "digest" "$(digest v1.onnx)" "$(oxide device history cam-01 --json | field '.history[1].digest')"
same "one page" 1 "$(oxide device history cam-01 --limit 1 --json | field '.history | length')"
holds "table" "$(oxide device history cam-01)" "now"
same "where" "cam-01 v2" "$(oxide model where m --json | field '.devices[] | "\(.device_id) \(.version)"')"
same "then" "cam-01 v1" "$(oxide model where m --at "$between" --json | field '.devices[] | "\(.device_id) \(.version)"')"
same "of a version" 0 "$(oxide model where m v1 --json | field '.devices | length')"
same "of a version then" 1 "$(oxide model where m v1 --at "$between" --json | field '.devices | length')"
same "before" 0 "$(oxide model where m --at 2020-01-01 --json | field '.devices | length')"
holds "summary" "$(oxide model where m --summary | tr -s ' ')" "v2 1 "
same "summary then" "v1" "$(oxide model where m --summary --at "$between" --json | field '.versions[].version')"
exits 2 "is no time" oxide model where m --at yesterday
exits 3 "cam-09" oxide device history cam-09

step "the server, killed, still knows"
kill_hard "$server_pid"
serve --poll-interval 1
same "history" "v2 v1" "$(oxide device history cam-01 --json | field '.history[].version' | paste -sd ' ')"

step "a page that people read"
within 10 "cam-01 is online again" status_is cam-01 online
page=$(oxide device show cam-01)
for words in "East Camera" "ago (" "from 127.0.0.1, polls every 1.0 s" "processors" " free" "UTC" "oxide/" \
    "site=graz, line=3" "m@v2" "RUNS SINCE" "$(digest v2-head.onnx)"; do
    holds "page" "$page" "$words"
done
[ "$(device_field cam-01 '.disk.free_bytes <= .disk.total_bytes and .disk.total_bytes > 0')" = true ] || fail "disk"
same "instances" 1 "$(device_field cam-01 '.installations | length')"
same "fleets" f "$(device_field cam-01 '.fleets[]')"
same "status is show" cam-01 "$(oxide device status cam-01 --json | field .id)"

step "pins"
exits 0 "" oxide device pin cam-01 m --reason "trade fair"
deploy m v1 --fleet f
within 10 "passed by" in_campaign_is "$campaign" cam-01 skipped
holds "why" "$(campaign_field "$campaign" '.devices[].error')" "pinned: trade fair"
holds "page" "$(oxide device show cam-01)" "m: trade fair"
sleep 2.5
runs cam-01 m v2-head.onnx || fail "a pinned device changed"
exits 3 "not pinned as a whole" oxide device unpin cam-01
exits 0 "" oxide device unpin cam-01 m
within 30 "it catches up" runs cam-01 m v1.onnx

step "an id made of the machine"
hostname=$(uname -n)
case $hostname in
localhost*) skip "this machine has no name of its own" ;;
*)
    start template.log "$OXIDE_AGENT_BIN" agent --control-plane "$server" --device-id 'cam-{hostname}' \
        --poll-interval 1 --model-dir template
    # shellcheck disable=SC2154
    template_pid=$started
    named() { oxide device pending --json | field '.devices[].id' | grep -qi "^cam-${hostname//[^A-Za-z0-9._+-]/-}\$"; }
    within 10 "it asks under its name" named
    stop "$template_pid"
    ;;
esac
exits 2 "{serial}, {hostname}" oxide agent --device-id '{colour}'
exits 2 "brace" oxide agent --device-id 'cam-{serial'

step "auto: who asks is in"
stop "$server_pid"
serve --poll-interval 1 --accept auto
agent cam-05
in_list() { oxide device list --json | field '.[].id' | grep -qx "$1"; }
within 10 "cam-05 is registered" in_list cam-05
same "rejected stay out" 404 "$(http_status /api/v1/devices/old-01/heartbeat -X POST)"
exits 2 "manual" oxide serve --accept sometimes
exits 2 "reimage-after" oxide serve --reimage-after 0
exits 2 "history-keep" oxide serve --history-keep soon
