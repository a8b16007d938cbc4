#!/usr/bin/env bash
# Where there is no direct patch, a chain of those that are made is taken: v1 to v2, v2 to v3.
. "$(dirname "$0")/lib.sh"
serve --poll-interval 1 --delta-workers 1

step "three versions, the patches between neighbours, devices on the first"
make_model random 300000 v1 > /dev/null
cp v1 v2 && printf 'something else' | dd of=v2 bs=1 seek=100000 conv=notrunc status=none
cp v2 v3 && printf 'and more of it' | dd of=v3 bs=1 seek=200000 conv=notrunc status=none
for v in v1 v2 v3; do exits 0 "" oxide push m $v $v; done
agents=()
made() { [ "$(oxide job list --state ready --json | field '.jobs | length')" -eq "$1" ]; } # COUNT
within 60 "two patches are made" made 2
patches=$(oxide job list --state ready --json | field '[.jobs[].patch_bytes] | add')
exits 0 "" oxide fleet create f
for device in cam-01 cam-02 cam-03; do
    exits 0 "" oxide device register $device
    exits 0 "" oxide fleet add f $device
    agent $device
    agents+=("$agent_pid")
done
exits 0 "" oxide deploy m v1 --fleet f --wait --timeout 60s
for pid in "${agents[@]}"; do stop "$pid"; done

step "the one worker is at something large, so that the direct patch is not made"
stop "$server_pid"
serve --poll-interval 1 --delta-workers 1 --delta-effort 9
make_model random 200000000 one > /dev/null
cp one two && make_model random 60000000 tail --seed 3 > /dev/null && cat tail >> two
exits 0 "" oxide push big v1 one
exits 0 "" oxide push big v2 two
rm one two tail
job_of() { # MODEL BASE TARGET
    oxide job list --json | field ".jobs[] | select(.model_id == \"$1\" and .base_version == \"$2\" and .target_version == \"$3\") | .id"
}
running() { [ "$(get "/api/v1/jobs/$(job_of big v1 v2)" | field .state)" = running ]; }
within 30 "the large one is under way" running

step "an operator cancels it: the chain is taken"
deploy m v3 --device cam-01
direct=$(job_of m v1 v3)
same "the direct patch" queued "$(get "/api/v1/jobs/$direct" | field .state)"
exits 0 "" oxide job cancel "$direct"
exits 0 "" oxide job cancel "$(job_of big v1 v2)"
same "the plan says so" "chain $patches" "$(get /api/v1/campaigns/plan \
    -d '{"model_id":"m","model_version":"v3","device_ids":["cam-02"]}' | field '.bases[0] | "\(.delta) \(.bytes_per_device)"')"
agent cam-01
within 40 "cam-01 runs v3" runs cam-01 m v3
within 20 "the campaign is complete" campaign_is "$campaign" complete
holds "the agent says so" "$(cat cam-01.log)" "downloading 2 patches from v1 by way of v2"
same "strategy" delta "$(campaign_field "$campaign" '.devices[0].strategy')"
same "bytes" "$patches" "$(campaign_field "$campaign" .summary.bytes_served)"
[ ! -e cam-01/.oxide/between ] || fail "versions in between are left"
[ ! -e cam-01/m/versions/v2 ] || fail "v2 is left"
stop "$agent_pid"

step "killed in the middle of it, an agent goes on"
deploy m v3 --device cam-02
for delay in 0.1 0.2 0.3 0.4 0.5 0.6; do
    agent cam-02
    sleep $delay
    kill_hard "$agent_pid"
done
agent cam-02
within 40 "cam-02 runs v3" runs cam-02 m v3
[ ! -e cam-02/.oxide/between ] || fail "versions in between are left"
stop "$agent_pid"

step "a damaged link: the full file does, where the campaign allows it"
link=$(get "/api/v1/jobs/$(job_of m v2 v3)" | field .patch)
chmod u+w "data/blobs/${link:0:2}/${link:2}"
printf 'rot' | dd of="data/blobs/${link:0:2}/${link:2}" bs=1 seek=60 conv=notrunc status=none
campaign=$(get /api/v1/campaigns -d '{"model_id":"m","model_version":"v3","device_ids":["cam-03"],
    "bytes":{"fallback_full":"always"}}' | field .campaign_id)
agent cam-03
within 40 "cam-03 runs v3" runs cam-03 m v3
within 20 "it is complete" campaign_is "$campaign" complete
stop "$agent_pid"
stop "$server_pid"
