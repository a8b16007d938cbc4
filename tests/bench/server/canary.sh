# 10,000 agents that poll each minute, through a canary campaign to its end.
# shellcheck shell=bash
. "$here/server/fleet.sh"

canary_step() {
    local begin_s peak stages wait_s=20
    serve "$work/canary"
    publish_versions
    simulate canary --agents "$agents" --poll 60 --ramp 60 --fleet f --model m --model-version v1 --seed 3
    until_true 600 "all devices online" online "$agents"
    peak_reset "$server"
    campaign=$("$oxide" deploy m v2 --fleet f --rollout canary --wait-between $wait_s --json | jq -r .campaign_id)
    begin_s=$SECONDS
    until_true 1800 "the end of the campaign" campaign_in "complete|aborted|paused"
    peak=$(peak_kib "$server")
    kill -INT "$simulator"
    wait "$simulator" || die "oxide simulate failed"
    forget "$simulator"
    stages=$(gates_honoured "$campaign" "$agents" $wait_s)
    say "## $agents agents that poll each minute, a canary of 5, 25, 50, 100 %" "" \
        "$(campaign_state "$campaign") after $((SECONDS - begin_s)) s; $(result canary '.campaigns[0].complete') devices completed by the simulator's count; $(result canary .conflicts) conflicts." ""
    requests_table canary
    say "$stages" ""
    bar "canary, $agents agents: p99 of requests" "50 ms" "$(p99_of canary) ms" "$(p99_of canary) < 50"
    bar "canary: resident" "64 MiB" "$(calc "$peak / 1024" %.1f) MiB" "$peak < 65536"
    bar "canary: requests lost" "0" "$(lost_of canary)" "$(lost_of canary) == 0"
    bar "canary: complete, every gate honoured" "$agents devices" \
        "$(result canary '.campaigns[0].complete') devices, $(grep -c WRONG <<< "$stages" || true) gates passed wrongly" \
        "$(result canary '.campaigns[0].complete') == $agents && $(grep -c WRONG <<< "$stages" || true) == 0"
    finish "$server"
}
