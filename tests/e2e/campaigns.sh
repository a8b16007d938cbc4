#!/usr/bin/env bash
# Campaigns by the command line: plans, policies, waiting, steering, going back, quarantine.
. "$(dirname "$0")/lib.sh"
small_models
serve --poll-interval 1

# Four devices that are agents whose check can be told to fail, and a script that polls by curl.
check="'$OXIDE_TOOLS/make_model' --check \"\$OXIDE_MODEL_PATH\""
oxide fleet create factory > /dev/null || die "fleet"
for id in cam-1 cam-2 cam-3; do
    oxide device register $id > /dev/null || die "device"
    oxide fleet add factory $id > /dev/null || die "member"
    agent $id --health-check "$check"
done
oxide push defect v1 v1.onnx > /dev/null && oxide push defect v2 v2-head.onnx > /dev/null &&
    oxide push defect v3 v3-finetune.onnx > /dev/null && oxide push defect bad bad.onnx > /dev/null ||
    die "push"
all_run() { # FILE
    local id
    for id in cam-1 cam-2 cam-3; do runs $id defect "$1" || return 1; done
}

step "a plan before anything runs: full files, in stages, and nothing happens"
exits 0 "" oxide campaign plan defect v1 --fleet factory --rollout canary --stages 1,50,100 --link 8M
holds "plan" "$(cat last.out)" "defect@v1 to fleet factory"
holds "plan" "$(cat last.out)" "3 to update"
holds "plan" "$(cat last.out)" "canary: 1, 50, 100 % of the devices"
holds "plan" "$(cat last.out)" "the full file: no delta from there"
holds "plan" "$(cat last.out)" "more than 0 failures in the stages so far pause it"
holds "plan" "$(cat last.out)" "nothing was changed"
same "campaigns after a plan" 0 "$(oxide campaign list --json | field '.campaigns | length')"
same "stages" "1 1 1" "$(oxide campaign plan defect v1 --fleet factory --stages 1,50,100 --json |
    field '[.stages[].devices] | join(" ")')"

step "deploy and wait: the status is the outcome"
exits 0 "" oxide deploy defect v1 --fleet factory --wait --timeout 60s
holds "page" "$(cat last.out)" "3 complete"
all_run v1.onnx || fail "not all run v1"
campaign=$(oxide campaign list --json | field '.campaigns[0].id')
exits 0 "" oxide campaign wait "$campaign"
same "wait says" "campaign $campaign: complete, 3 of 3 devices have defect@v1" "$(cat last.out)"
same "wait notes" "" "$(cat last.err)"
exits 0 "" oxide campaign wait "$campaign" --json
same "wait --json" "complete null" "$(field '"\(.state) \(.devices)"' < last.out)"
same "the sums without devices" "$(get "/api/v1/campaigns/$campaign" | field '.summary | tostring')" \
    "$(get "/api/v1/campaigns/$campaign?devices=false" | field '.summary | tostring')"
exits 3 "no campaign" oxide campaign wait c-none
exits 5 "cannot reach" oxide campaign wait "$campaign" --server http://127.0.0.1:9

step "a plan with deltas made: bytes are known, and then come true"
exits 0 "" oxide campaign plan defect v2 --fleet factory --prepare --timeout 60s
holds "plan" "$(cat last.out)" "a delta"
holds "plan" "$(cat last.out)" "100 % of the devices"
planned=$(oxide campaign plan defect v2 --fleet factory --json | field .bytes.total)
[ "$planned" -gt 0 ] || fail "no bytes are planned"
exits 0 "" oxide campaign plan defect v2 --fleet factory --window 00:00-24:00
holds "plan" "$(cat last.out)" "open now for 3 devices"

step "a policy of options is shown in words; stages wait for approval"
cat > policy.json << 'EOF'
{"strategy": "canary", "limits": {"in_flight": 2, "deadline_s": 600}, "gates": {"failed_count": 1}}
EOF
deploy defect v2 --fleet factory --policy policy.json --stages 33,100 --wait-between 0 --in-flight 3 \
    --approve-stages --halt health:3 --halt any:50%:min=2 --on-halt revert
exits 0 "" oxide campaign show "$campaign"
for words in "canary: 33, 100 % of the devices" "more than 3 failures by health" "of 2 devices or more): revert" \
    "1 failures at most, approval of each stage" "3 devices at a time, aborted after 10 min" "1 of 2"; do
    holds "show" "$(cat last.out)" "$words"
done
waits_for_approval() { [[ $(oxide campaign show "$campaign") == *"waiting for"*approve* ]]; }
within 30 "the first stage has passed" waits_for_approval
exits 11 "goes on" oxide campaign wait "$campaign" --timeout 1s
exits 0 "" oxide campaign approve "$campaign"
holds "approve" "$(cat last.out)" "rolling_out"
exits 0 "" oxide campaign wait "$campaign" --timeout 60s
all_run v2-head.onnx || fail "not all run v2"
served=$(campaign_field "$campaign" .summary.bytes_served)
[ $((served * 100)) -le $((planned * 105)) ] && [ $((served * 105)) -ge $((planned * 100)) ] ||
    fail "$planned bytes were planned, $served served"
exits 4 "approval" oxide campaign approve "$(oxide campaign list --json | field '.campaigns[0].id')"
holds "devices" "$(oxide campaign devices "$campaign")" "v1"

step "a bad version: the gate pauses it, which is status 9; abort is 10"
exits 9 "paused" oxide deploy defect bad --fleet factory --stages 33,100 --wait --timeout 60s
holds "paused" "$(cat last.err)" "1 failed: cam-"
holds "page" "$(cat last.out)" "1 health"
campaign=$(oxide campaign list --json | field '.campaigns[-1].id')
exits 9 "1 failed" oxide campaign wait "$campaign"
same "failed by" "health" "$(oxide campaign devices "$campaign" --class health --json | field '.devices[].class')"
exits 0 "" oxide campaign retry "$campaign"
holds "retry" "$(cat last.out)" "1 device to try again"
holds "retry" "$(cat last.out)" "oxide campaign resume $campaign"
exits 0 "" oxide campaign abort "$campaign" --revert --no-wait
holds "abort --revert" "$(cat last.out)" "campaign "
exits 10 "aborted" oxide campaign wait "$campaign"
all_run v2-head.onnx || fail "not all run v2"

step "all at once, and bad: complete with failures is status 1"
exits 1 "3 failed" oxide deploy defect bad --fleet factory --rollout all_at_once --wait --timeout 60s

step "a halt rule that reverts: aborted"
exits 10 "halt rule 1" oxide deploy defect bad --fleet factory --halt any:0 --on-halt revert --wait --timeout 60s

step "what failed three times is quarantined, listed and freed"
exits 1 "failed" oxide deploy defect bad --fleet factory --rollout all_at_once --wait --timeout 60s
exits 0 "" oxide device quarantine
holds "quarantine" "$(cat last.out)" "bad"
id=$(oxide device quarantine --json | field '.quarantined[0].device_id')
same "of one device" "$id" "$(oxide device quarantine "$id" --json | field '[.quarantined[].device_id] | unique | join(" ")')"
exits 0 "" oxide device free "$id" other
holds "free of another model" "$(cat last.out)" "0 versions freed"
exits 0 "" oxide device free "$id" defect
holds "free" "$(cat last.out)" "1 version freed"
exits 0 "nothing is quarantined" oxide device quarantine "$id"
exits 3 "" oxide device free nobody

step "revert: one command sends the fleet back, and fetches nothing"
all_run v2-head.onnx || fail "not all run v2"
exits 0 "" oxide revert defect --fleet factory --wait --timeout 60s
holds "revert" "$(cat last.out)" "3 devices to go back"
holds "revert" "$(cat last.out)" "3 of 3 devices are back"
all_run v1.onnx || fail "not all are back on v1"
campaign=$(oxide campaign list --json | field '.campaigns[-1].id')
same "bytes of going back" 0 "$(campaign_field "$campaign" .summary.bytes_served)"
holds "kind" "$(oxide campaign show "$campaign")" "devices go back"
holds "list" "$(oxide campaign list)" "revert"
exits 0 "" oxide revert defect --device cam-2 --to v3 --wait --timeout 60s
runs cam-2 defect v3-finetune.onnx || fail "cam-2 does not run v3"
exits 0 "" oxide revert defect --device cam-2 --to v1 --json
same "without waiting" "rolling_out" "$(field .state < last.out)"
within 30 "cam-2 is back on v1" runs cam-2 defect v1.onnx
exits 2 "which devices" oxide revert defect
exits 3 "" oxide revert nothing --fleet factory
exits 3 "" oxide revert defect --fleet factory --to v9

step "abort --revert sends back whom the campaign has updated, and shows it live on a terminal"
deploy defect v2 --fleet factory --rollout rolling --batch 1 --wait-between 1h
one_has_v2() { [ "$(campaign_field "$campaign" .summary.complete)" = 1 ]; }
within 30 "one device has v2" one_has_v2
if command -v script > /dev/null; then
    script -qec "'$OXIDE_BIN' campaign abort $campaign --revert" /dev/null > terminal.txt < /dev/null ||
        fail "abort --revert on a terminal"
    holds "the terminal" "$(cat terminal.txt)" "going back: 1 to go, 0 of 1 are back"
    holds "the terminal" "$(cat terminal.txt)" "1 of 1 devices are back"
else
    exits 0 "" oxide campaign abort "$campaign" --revert --wait
fi
all_run v1.onnx || fail "not all are back on v1"
exits 10 "an operator" oxide campaign wait "$campaign"
revert=$(campaign_field "$campaign" .reverted_by)
same "what the revert undoes" "revert $campaign null" \
    "$(campaign_field "$revert" '"\(.kind) \(.of_campaign) \(.reverted_by)"')"
holds "page" "$(oxide campaign show "$campaign")" "$revert"
holds "page of the revert" "$(oxide campaign show "$revert")" "revert of $campaign"

step "a campaign that takes devices from another names it; reverting undoes one campaign"
deploy defect v2 --fleet factory --rollout rolling --batch 1 --wait-between 1h
first=$campaign
exits 4 "$first" oxide deploy defect v3 --fleet factory --on-conflict refuse
exits 0 "" oxide campaign plan defect v3 --fleet factory
holds "plan" "$(cat last.out)" "from campaign $first"
exits 0 "" oxide deploy defect v3 --fleet factory --wait --timeout 60s
holds "deploy" "$(cat last.out)" "from campaign $first"
all_run v3-finetune.onnx || fail "not all run v3"
campaign=$(oxide campaign list --json | field '.campaigns[-1].id')
exits 0 "" oxide campaign revert "$campaign" --wait --timeout 60s
if all_run v3-finetune.onnx; then fail "v3 is still there"; fi
exits 4 "revert" oxide campaign revert "$(oxide campaign list --json | field '.campaigns[-1].id')"

step "mistakes are found before anything is sent, or named by the server"
echo '{"limits": {"in_fligth": 3}}' > typo.json
exits 2 "did you mean \"limits.in_flight\"" oxide deploy defect v2 --fleet factory --policy typo.json
exits 3 "absent.json" oxide deploy defect v2 --fleet factory --policy absent.json
exits 2 "--halt cannot be 'health'" oxide deploy defect v2 --fleet factory --halt health
exits 2 "--batch is for --rollout rolling" oxide deploy defect v2 --fleet factory --rollout canary --batch 2
exits 2 "failure class" oxide deploy defect v2 --fleet factory --halt heath:3
exits 2 "stages" oxide deploy defect v2 --fleet factory --stages 10,5,100
exits 2 "end with 100" oxide deploy defect v2 --fleet factory --stages 10,50
exits 2 "window" oxide deploy defect v2 --fleet factory --window 'someday 22:00-05:00'
later="$(date -d '+3 hours' +%H:00)-$(date -d '+4 hours' +%H:00)" # where the agents are
for act in deploy 'campaign plan'; do
    # shellcheck disable=SC2086
    exits 2 "no device could begin*\"$later\" opens in" oxide $act defect v2 --fleet factory --window "$later" --deadline 60m
done
exits 2 "--link cannot be" oxide campaign plan defect v2 --fleet factory --link fast
exits 2 "device" oxide device free 'a b'
exits 3 "" oxide campaign approve c-none
exits 3 "" oxide campaign retry c-none
exits 3 "" oxide campaign abort c-none --revert
