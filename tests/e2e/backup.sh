#!/usr/bin/env bash
# A backup while a campaign runs, restored elsewhere; nothing is assigned until somebody says so.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

small_models
serve --poll-interval 1
oxide push m v1 v1.onnx > /dev/null
oxide push m v2 v2-head.onnx > /dev/null
oxide fleet create f > /dev/null
for id in cam-01 cam-02 cam-03; do
    oxide device register "$id" > /dev/null
    oxide fleet add f "$id" > /dev/null
done
declare -A agents
for id in cam-01 cam-02; do
    agent "$id"
    agents[$id]=$agent_pid
done
deploy m v1 --device cam-01 --device cam-02
within 60 "v1 everywhere" campaign_is "$campaign" complete

step "a backup while a campaign runs under load"
# Heartbeats and tags that change all the time.
(while :; do
    for id in cam-01 cam-02 cam-03; do
        curl -sS -o /dev/null -X PATCH -d "{\"tags\":{\"n\":\"$RANDOM\"}}" "$server/api/v1/devices/$id"
    done
done) &
load=$!
pids+=("$load")
deploy m v2 --fleet f
expect "a backup" oxide backup all.tar --blobs 2> backup.err
holds "what is in it" "$(cat backup.err)" "with "
expect "one without blobs" oxide backup small.tar 2> backup.err
holds "what is not in it" "$(cat backup.err)" "without the"
kill_hard "$load"
same "entries" "oxide-backup.json registry.db blobs.txt" "$(tar tf small.tar | tr '\n' ' ' | sed 's/ $//')"
same "what it says of itself" "oxide-backup/1 true" \
    "$(tar xOf all.tar oxide-backup.json | field '"\(.format) \(.blobs.included)"')"
same "the registry's digest" "$(tar xOf all.tar oxide-backup.json | field .registry.sha256)" \
    "$(tar xOf all.tar registry.db | sha256sum | cut -d ' ' -f 1)"
same "blobs and their list" "$(tar xOf all.tar blobs.txt | cut -d ' ' -f 1 | sort)" \
    "$(tar tf all.tar | grep '^blobs/' | sed 's|^blobs/||; s|/||' | sort)"
exits 4 "exists" oxide backup all.tar
expect "in place of another, told as JSON" oxide backup small.tar --force --json > made.json 2> backup.err
same "nothing else is told" "" "$(cat backup.err)"
same "the file and its bytes" "small.tar $(stat -c %s small.tar)" "$(field '"\(.file) \(.size_bytes)"' < made.json)"
same "all else that it says of itself" "$(tar xOf small.tar oxide-backup.json | jq -cS .)" \
    "$(jq -cS 'del(.file, .size_bytes)' < made.json)"
oxide backup - --json 2> made.json | tar tf - > list.txt
holds "to standard output" "$(cat list.txt)" "registry.db"
same "JSON beside it" "- false" "$(field '"\(.file) \(.blobs.included)"' < made.json)"

within 60 "the campaign goes on meanwhile" runs cam-01 m v2-head.onnx
exits 4 "a control plane runs on it" oxide restore all.tar --data data --force
exits 4 "nothing to confirm" oxide restore --confirm
stop "$server_pid"

step "restoring elsewhere"
exits 2 "which backup" oxide restore --data there
exits 3 "nothing.tar" oxide restore nothing.tar --data there
exits 6 "no tar archive" oxide restore v1.onnx --data there
head -c 9000 all.tar > cut.tar
exits 6 "cut short" oxide restore cut.tar --data there
same "no registry came of it" "" "$(find there -name 'registry.db*')"
oxide restore all.tar --data there > restored.txt
holds "what it holds" "$(cat restored.txt)" "3 devices"
holds "what to do next" "$(cat restored.txt)" "oxide restore --confirm"
exits 4 "holds a registry already" oxide restore all.tar --data there
oxide restore all.tar --data there --force --json > restored.json
same "the one before is kept" 1 "$(find there -name "$(field .replaced < restored.json)" | wc -l)"
same "nothing is missing" 0 "$(field .missing_blobs < restored.json)"
same "its blobs" "" "$(find there/blobs -type f -printf '%P\n' | tr -d / | while read -r hex; do
    [ "$(sha256sum "there/blobs/${hex:0:2}/${hex:2}" | cut -d ' ' -f 1)" = "$hex" ] || echo "$hex"
done)"
oxide restore small.tar --data bare > bare.txt
holds "what is missing" "$(cat bare.txt)" "blobs are missing"

step "nothing is assigned until it is confirmed"
rm -rf data
mv there data
: > serve.log
serve --poll-interval 1
holds "the log says so" "$(cat serve.log)" "NOTHING IS ASSIGNED"
holds "/health says so" "$(get /health | field .holding.reason)" "restored from the backup of"
oxide campaign list > list.txt 2> list.err
holds "the list of campaigns says so" "$(cat list.err)" "NOTHING IS ASSIGNED"
same "its JSON, too" object "$(get /api/v1/campaigns | field '.holding | type')"
agent cam-03
agents[cam-03]=$agent_pid
is_online() { [ "$(device_field "$1" .status)" = online ]; }
within 30 "it is heard of" is_online cam-03
sleep 3
same "nothing is assigned" null "$(device_field cam-03 .assigned_model)"
expect "it runs nothing" test ! -e cam-03/m/current
same "the first generation hears of nothing" null \
    "$(get /api/v1/devices/cam-02/heartbeat -X POST -d '{}' | field .assigned_model)"
exits 4 "oxide restore --confirm" oxide gc
kill_hard "$server_pid"
serve --poll-interval 1
holds "it lasts" "$(get /health | field .holding.reason)" "restored from the backup of"
expect "confirmed" oxide restore --confirm > confirm.txt
same "nothing is held" null "$(get /health | field .holding)"
same "nor said" null "$(get /api/v1/campaigns | field .holding)"

step "the campaign goes on"
for id in cam-01 cam-02 cam-03; do within 60 "$id runs v2" runs "$id" m v2-head.onnx; done
within 60 "it ends as if nothing had happened" campaign_is "$campaign" complete
same "devices" 3 "$(campaign_field "$campaign" .summary.complete)"
for id in "${!agents[@]}"; do stop "${agents[$id]}"; done
stop "$server_pid"
