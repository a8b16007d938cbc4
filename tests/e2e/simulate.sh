#!/usr/bin/env bash
# Simulated agents: what they count is what the control plane says, and they are no kinder to it
# than real ones.
. "$(dirname "$0")/lib.sh"
small_models
serve --poll-interval 1
oxide push m v1 v1.onnx > /dev/null && oxide push m v2 v2-head.onnx > /dev/null || die "setting up"

result() { field "$1" < sim.json; } # FILTER: of the last simulation
# simulate OPTIONS...: in the background; its process id is in $started
simulate() { start sim.log bash -c 'exec "$0" simulate "$@" > sim.json' "$OXIDE_BIN" "$@" --json; }
# campaign_ended: have all but the devices that fell silent ended?
campaign_ended() {
    [ "$(campaign_field "$campaign" '[.devices[] | select(.state == "complete" or .state == "failed")] | length')" -ge "$1" ]
}

step "a campaign in which some fail, some fall silent and some are restarted"
simulate --agents 60 --poll 1 --fleet f --model m --model-version v1 --tag site=graz,linz \
    --fail 0.2 --bad-version v2 --silent 0.05 --restart 0.2 --verify --apply-time 200ms \
    --check-time 200ms --seed 7 --agents-file agents.jsonl
simulator=$started
within 20 "they poll" sh -c "[ \"\$('$OXIDE_BIN' fleet status f --json | jq .online)\" = 60 ]"
same "tag of the first" graz "$(device_field sim-000000 .tags.site)"
same "tag of the second" linz "$(device_field sim-000001 .tags.site)"
deploy m v2 --fleet f
sleep 2
within 40 "the campaign ends but for the silent" campaign_ended 50
sleep 6 # restarted ones come back
stop "$simulator"
same "agents" 60 "$(result .agents)"
same "conflicts" 0 "$(result .conflicts)"
same "errors" '[]' "$(result '.errors | tostring')"
same "requests that got lost" 0 "$(result '[.requests[] | .failed + .refused] | add')"
for state in complete failed; do
    same "$state, by both counts" "$(campaign_field "$campaign" .summary.$state)" \
        "$(result ".campaigns[0].$state")"
done
same "all began" 60 "$(result '.campaigns[0].began')"
same "all are in the open stage" '[60]' "$(result '.campaigns[0].began_by_stage | tostring')"
same "the silent" "$(result .silent)" "$(result '.campaigns[0].silent')"
same "none is forgotten" 60 "$(result '.campaigns[0] | .complete + .failed + .silent')"
for share in failed silent; do
    [ "$(result ".campaigns[0].$share")" -gt 0 ] || fail "nobody is $share"
done
same "bytes, by both counts" "$(campaign_field "$campaign" .summary.bytes_served)" \
    "$(result '.campaigns[0].bytes')"
same "lines of agents" 60 "$(wc -l < agents.jsonl)"
same "who runs v2, by both counts" \
    "$(campaign_field "$campaign" '[.devices[] | select(.state == "complete") | .device_id] | sort | join(" ")')" \
    "$(jq -rs '[.[] | select(.models[0].version == "v2") | .id] | sort | join(" ")' agents.jsonl)"

step "the same seed draws the same devices"
fails() { jq -r 'select(.ended[0].state == "failed") | .id' "$1" | sort; } # FILE
oxide fleet create g > /dev/null
simulate --agents 60 --registered --poll 1 --model m --model-version v1 --fail 0.2 \
    --apply-time 50ms --check-time 50ms --seed 7 --agents-file again.jsonl --duration 8
sleep 1
deploy m v2 --fleet f
wait "$started" || fail "the simulation fails"
forget "$started"
# who fell silent before had no time to fail
same "who failed before and does not again" "" "$(comm -23 <(fails agents.jsonl) <(fails again.jsonl))"

step "a server that comes and goes is what it is for"
simulate --agents 20 --registered --poll 1 --duration 12
sleep 2
kill_hard "$server_pid"
sleep 1.5 # longer than they wait between heartbeats
serve --poll-interval 1
wait "$started" || fail "the simulation fails"
forget "$started"
[ "$(result '.requests.heartbeat.failed')" -gt 0 ] || fail "nothing failed"
within 10 "they are back" sh -c "[ \"\$('$OXIDE_BIN' fleet status f --json | jq .online)\" -ge 20 ]"

step "downloads at a rate"
make_model random 300000 big > /dev/null && oxide push big v1 big > /dev/null
simulate --agents 2 --registered --prefix sim- --poll 1 --rate 100000 --duration 9
sleep 1
deploy big v1 --device sim-000000
wait "$started" || fail "the simulation fails"
forget "$started"
# m@v2 may be on its way, too: devices that began anew converge to it
of_big() { result ".campaigns[] | select(.id == \"$campaign\") | .$1"; } # FIELD
same "done" 1 "$(of_big complete)"
same "bytes" 300000 "$(of_big bytes)"

step "bad options"
exits 2 "--agents N" oxide simulate
exits 2 "whole number" oxide simulate --agents 0
exits 2 "share from 0 to 1" oxide simulate --agents 1 --fail 1.5
exits 2 "share from 0 to 1" oxide simulate --agents 1 --silent x
exits 2 "go together" oxide simulate --agents 1 --model m
exits 2 "NAME=VALUE" oxide simulate --agents 1 --tag site
exits 2 "device id" oxide simulate --agents 1 --prefix 'a b'
exits 3 "does not hold m@v9: push it" oxide simulate --agents 1 --model m --model-version v9
exits 5 "is 'oxide serve' there?" oxide simulate --agents 1 --server http://127.0.0.1:9
exits 2 "no address" oxide simulate --agents 1 --server ftp://127.0.0.1
exits 6 "no TLS" oxide simulate --agents 1 --server https://127.0.0.1
exits 3 "none/there" oxide simulate --agents 1 --agents-file none/there
