# Simulated fleets: what the steps canary, large and bad share.
# shellcheck shell=bash

tools=$(dirname "$oxide")

publish_versions() { # v1, and v2 that differs in its last layer: each of some 66 KB
    local variant
    for variant in v1 v2-head; do
        "$tools/make_model" onnx "$variant" "$work/$variant.onnx" --width 96 > /dev/null || die "make_model"
        "$oxide" push m "${variant%-head}" "$work/$variant.onnx" > /dev/null 2>&1 || die "publishing $variant"
    done
}

# simulate NAME OPTIONS...: in the background; its result in $work/NAME.json. Sets $simulator
simulate() {
    local name=$1
    shift
    begin "$work/$name.json" "$oxide" simulate --json "$@"
    simulator=$begun
}
result() { jq -r "$2" "$work/$1.json"; } # NAME FILTER

# until_true SECONDS WHAT COMMAND...
until_true() {
    local limit=$1 what=$2 begun_s=$SECONDS
    shift 2
    while [ $((SECONDS - begun_s)) -lt "$limit" ]; do
        if "$@"; then return; fi
        kill -0 "$simulator" 2> /dev/null || die "oxide simulate ended: $(tail -n 3 "$work"/*.json.err)"
        sleep 0.5
    done
    die "not within $limit s: $what"
}
online() { sleep 2; [ "$(curl -s "$url/api/v1/fleets/f/status" | jq ".online // 0")" -ge "$1" ]; } # it costs the server
campaign_state() { curl -s "$url/api/v1/campaigns/$1?devices=false" | jq -r .state; }
campaign_in() { [[ $(campaign_state "$campaign") =~ ^($1)$ ]]; } # STATES

# requests NAME: a table of the simulator's requests
requests_table() {
    say "| requests | answered | refused | no answer | p50, ms | p99, ms | longest, ms |" "|---|---|---|---|---|---|---|"
    jq -r '.requests | to_entries[] | select(.value.sent > 0) | "| \(.key) | \(.value.answered) | \(.value.refused) | \(.value.failed) | \(.value.p50_ms) | \(.value.p99_ms) | \(.value.max_ms) |"' \
        "$work/$1.json" >> "$report"
    say ""
}
# the p99 of heartbeats and of reports, whichever is longer
p99_of() { result "$1" '[.requests.heartbeat.p99_ms, .requests.report.p99_ms // 0] | max'; }
lost_of() { result "$1" '[.requests[] | .failed + .refused] | add'; }

events_of() { "$oxide" events --json --after 0 --campaign "$1"; } # CAMPAIGN: a line of JSON per event, in order

# gates_honoured CAMPAIGN DEVICES WAIT_S: did each stage of a canary (5, 25, 50, 100 %) open only when
# all that had begun before had ended without a failure, and the wait was over? Prints the stages.
gates_honoured() {
    events_of "$1" | jq -s -r --argjson n "$2" --argjson wait "$3" '
        def ms: (.[0:19] + "Z" | fromdate) * 1000 + (.[20:23] | tonumber);
        reduce .[] as $e ({open: 0, began: 0, ended: 0, failed: 0, rows: [], wrong: []};
            if $e.kind == "campaign.stage_opened" or ($e.kind == "campaign.prepared") then
                ($e.at | ms) as $at
                | (if .open > 0 and $e.data.stage > .open then
                    .wrong += (if .ended < .allowed then ["stage \($e.data.stage) opened with \(.ended) of \(.allowed) ended"] else [] end)
                        + (if .failed > 0 then ["stage \($e.data.stage) opened after \(.failed) failures"] else [] end)
                        + (if $at - .at < $wait * 1000 then ["stage \($e.data.stage) opened after \($at - .at) ms"] else [] end)
                  else . end)
                | .open = ([$e.data.stage, 1] | max) | .at = $at
                | .allowed = ([5, 25, 50, 100][.open - 1] * $n / 100 | ceil)
                | .rows += ["stage \(.open) at \($e.at), \(.ended) had ended"]
            elif $e.kind == "campaign.device_moved" then
                (if .began >= 0 and ($e.data.from == "pending" or $e.data.from == "assigned") and
                    (.seen[$e.device_id] | not) then .seen[$e.device_id] = true | .began += 1 else . end)
                | (if .open > 0 and .began > .allowed then .wrong += ["\(.began) began in stage \(.open)"] else . end)
                | (if $e.data.to == "complete" then .ended += 1 elif $e.data.to == "failed" then .ended += 1 | .failed += 1 else . end)
            else . end)
        | .rows[], (.wrong[:5][] | "WRONG: " + .)'
}
