#!/usr/bin/env bash
# One device id, several installations: a copied card, a card that was imaged anew, split and
# replace, all through restarts of server and agents.
. "$(dirname "$0")/lib.sh"
small_models
serve --poll-interval 1
oxide push m v1 v1.onnx > /dev/null && oxide push m v2 v2-head.onnx > /dev/null || die "push"
oxide fleet create f > /dev/null || die "fleet create"

# agent_as FOLDER ID: an agent with models in ./FOLDER that says it is ID; sets $agent_pid
agent_as() {
    start "$1.log" "$OXIDE_AGENT_BIN" agent --control-plane "$server" --device-id "$2" --poll-interval 1 \
        --model-dir "$1"
    agent_pid=$started
}
status_is() { [ "$(device_field "$1" .status)" = "$2" ]; }
instance_of() { field .instance < "$1/.oxide/identity.json"; }
calls_itself() { [ "$(field .device_id < "$1/.oxide/identity.json")" = "$2" ]; }
assigned_to() { # FOLDER: what the next heartbeat of its installation is told
    curl -sS -X POST "$server/api/v1/devices/$2/heartbeat" -H 'Content-Type: application/json' \
        -d "{\"protocol\": 1, \"instance\": \"$(instance_of "$1")\"}" | field '.assignments | length'
}

step "two cards, imaged before their first start"
oxide device register cam-01 --tag site=graz > /dev/null && oxide fleet add f cam-01 > /dev/null
agent_as one cam-01
one_pid=$agent_pid
deploy m v1 --fleet f
within 30 "v1 runs" runs one m v1.onnx
within 10 "v1 is said" campaign_is "$campaign" complete
agent_as two cam-01
two_pid=$agent_pid
within 40 "it is a conflict" status_is cam-01 conflict
[ "$(instance_of one)" != "$(instance_of two)" ] || fail "two installations have one id"
grep -q "two installations speak" serve.log || fail "the server's log does not tell"
same "heartbeats are answered" 200 "$(http_status /api/v1/devices/cam-01/heartbeat -X POST -d '{}')"
exits 0 "" oxide device show cam-01
holds "page" "$(cat last.err)" "oxide device split cam-01"
holds "page" "$(cat last.out)" "to be decided"
same "list" cam-01 "$(oxide device list --status conflict --json | field '.[].id')"
same "fleet" 1 "$(oxide fleet status f --json | field .conflict)"
deploy m v2 --fleet f
sleep 4
for card in one two; do
    same "assigned to $card" 0 "$(assigned_to $card cam-01)"
done
runs one m v1.onnx || fail "a device in conflict was updated"

step "the conflict outlives the server, and both agents"
kill_hard "$server_pid"
kill_hard "$one_pid"
stop "$two_pid"
serve --poll-interval 1
status_is cam-01 conflict || fail "the conflict is gone"
agent_as one cam-01
one_pid=$agent_pid
agent_as two cam-01
two_pid=$agent_pid
sleep 3
status_is cam-01 conflict || fail "the conflict is gone"

step "split: the second one is a device of its own, and stays it"
exits 4 "exists already" oxide device split cam-01 --as cam-01
exits 0 "" oxide device split cam-01 --as cam-02
holds "split" "$(cat last.out)" "is device cam-02"
within 20 "it calls itself cam-02" calls_itself two cam-02
within 20 "cam-02 is online" status_is cam-02 online
within 20 "cam-01 is online" status_is cam-01 online
same "tags" graz "$(device_field cam-02 .tags.site)"
within 40 "cam-01 goes on to v2" runs one m v2-head.onnx
within 40 "cam-02 gets a model of its fleet" test -e two/m/current
kill_hard "$server_pid"
stop "$two_pid"
serve --poll-interval 1
agent_as two cam-01 # the command line says what it always said
two_pid=$agent_pid
within 20 "cam-02 is online again" status_is cam-02 online
sleep 3
status_is cam-01 online || fail "cam-01 is $(device_field cam-01 .status)"
exits 4 "only one installation" oxide device split cam-01

step "a card that is copied with its state: same instance, two processes"
stop "$one_pid"
cp -a one copy
agent_as one cam-01
one_pid=$agent_pid
agent_as copy cam-01
copy_pid=$agent_pid
within 30 "it is a conflict" status_is cam-01 conflict
its_own() { [ "$(instance_of one)" != "$(instance_of copy)" ]; }
within 30 "one of them takes an instance of its own" its_own
rivals() { oxide device show cam-01 --json | jq -e '[.installations[] | select(.state == "rival")] | length == 1'; }
within 30 "and asks under it" rivals
stop "$copy_pid"
kill_hard "$one_pid"
agent_as one cam-01
one_pid=$agent_pid
agent_as copy cam-01
copy_pid=$agent_pid

step "replace: the newer one is the device, the older one stops asking"
exits 0 "" oxide device replace cam-01
newer=$(field .instance <<< "$(oxide device show cam-01 --json)")
within 20 "no conflict" status_is cam-01 online
if [ "$(instance_of copy)" = "$newer" ]; then new=copy old=one; else new=one old=copy; fi
told() { grep -q "another installation is device cam-01 now" $old.log; }
within 20 "the older one is told" told
kill_hard "$server_pid"
serve --poll-interval 1
deploy m v1 --device cam-01
within 40 "the newer one is updated" runs $new m v1.onnx
runs $old m v2-head.onnx || fail "the older one was updated"
within 20 "the campaign is complete" campaign_is "$campaign" complete
status_is cam-01 online || fail "cam-01 is $(device_field cam-01 .status)"
stop "$one_pid"
stop "$copy_pid"

step "imaged anew: the new installation takes over after three missed polls"
rm -rf "$new"
agent_as fresh cam-01
fresh_pid=$agent_pid
is_instance() { [ "$(device_field cam-01 .instance)" = "$(instance_of "$1")" ]; }
within 20 "it is cam-01" is_instance fresh
within 40 "it gets its model back" runs fresh m v1.onnx
status_is cam-01 online || fail "cam-01 is $(device_field cam-01 .status)"
grep -q "cam-01 was set up anew" serve.log || fail "the server's log does not tell"

step "with --reimage-after never an operator decides"
stop "$fresh_pid"
stop "$server_pid"
serve --poll-interval 1 --reimage-after never
agent_as last cam-01
sleep 6
is_instance fresh || fail "it was taken over"
runs last m v1.onnx && fail "it was given a model"
exits 0 "" oxide device replace cam-01
within 20 "it is cam-01" is_instance last
within 40 "it gets its model" runs last m v1.onnx
