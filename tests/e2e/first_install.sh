#!/usr/bin/env bash
# Sending back a device whose first version of a model came by the campaign: it goes back to having
# nothing, whenever it is killed; what was there before is never lost.
. "$(dirname "$0")/lib.sh"
small_models
serve --poll-interval 1
oxide device register cam-01 > /dev/null && oxide device register cam-02 > /dev/null &&
    oxide push m v1 v1.onnx > /dev/null && oxide push m v2 v2-head.onnx > /dev/null || die "setting up"
has_nothing() { [ ! -e "$1/m" ]; }
agent_is_up() { [ "$(wc -l < cam-01.log)" -gt "$starts" ]; }

step "a first install is reverted"
agent cam-01
first=$agent_pid
deploy m v1 --device cam-01
within 30 "v1 is there" in_campaign_is "$campaign" cam-01 complete
runs cam-01 m v1.onnx || fail "cam-01 does not run v1"
exits 0 "" oxide campaign revert "$campaign" --json
back=$(field .campaign_id < last.out)
within 30 "it is back" campaign_is "$back" complete
same "as a removal" "remove complete" "$(campaign_field "$back" '.devices[0] | "\(.action) \(.state)"')"
within 5 "nothing is left" has_nothing cam-01 || ls -lR cam-01/m # readers had their second
within 10 "the server knows" eval '[ "$(device_field cam-01 ".models | length")" = 0 ]'
same "nothing is assigned" null "$(device_field cam-01 .assigned_model)"
sleep 2
has_nothing cam-01 || fail "it came again"

step "it can be sent again, and goes back to that from the next version"
deploy m v1 --device cam-01
within 30 "v1 is there" campaign_is "$campaign" complete
deploy m v2 --device cam-01
within 30 "v2 is there" campaign_is "$campaign" complete
exits 0 "" oxide campaign revert "$campaign"
within 30 "v1 is back" runs cam-01 m v1.onnx
stop "$first"

step "killed at any instant, it has v1 or nothing, and in the end nothing"
rm -rf cam-02
for round in 1 2 3 4 5 6; do
    agent cam-02
    deploy m v1 --device cam-02
    within 30 "v1 is there" campaign_is "$campaign" complete
    exits 0 "" oxide campaign revert "$campaign" --json
    back=$(field .campaign_id < last.out)
    for _ in 1 2 3; do
        sleep "0.$((RANDOM % 9))"
        kill_hard "$agent_pid"
        [ ! -e cam-02/m/current ] || runs cam-02 m v1.onnx || fail "round $round: neither"
        agent cam-02
    done
    within 30 "it is back" campaign_is "$back" complete
    within 5 "round $round: nothing is left" has_nothing cam-02 || ls -lR cam-02/m
    stop "$agent_pid"
done
same "staging and downloads" "" "$(find cam-02/.oxide/staging cam-02/.oxide/download -type f 2> /dev/null)"

step "an agent that cannot remove is skipped, and says so"
same "registered" 201 "$(http_status /api/v1/devices -d '{"id": "old"}')"
beat() { get /api/v1/devices/old/heartbeat -X POST -d "{\"protocol\": 1, \"reads\": \"oxdl/2; ops=1f\", $1}"; }
beat '"models": []' > /dev/null
deploy m v1 --device old
beat "\"models\": [{\"id\": \"m\", \"version\": \"v1\", \"digest\": \"$(digest v1.onnx)\"}], \"reports\": [{\"seq\": 1,
    \"campaign_id\": \"$campaign\", \"model_id\": \"m\", \"model_version\": \"v1\", \"state\": \"complete\", \"strategy\": \"full\",
    \"bytes_received\": 5, \"bytes_full\": 5}]" > /dev/null
within 10 "old runs v1" campaign_is "$campaign" complete
exits 0 "" oxide campaign revert "$campaign" --json
back=$(field .campaign_id < last.out)
holds "why" "$(campaign_field "$back" '.devices[0].error')" "its agent cannot remove it"
stop "$server_pid"
