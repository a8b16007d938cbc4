# 1,000 simulated agents and a version whose check fails on one in ten: a canary that halts and reverts.
# shellcheck shell=bash
. "$here/server/fleet.sh"

bad_step() {
    local fleet=1000 poll=2 began first halt_ms back first_stage=50
    serve "$work/bad"
    publish_versions
    simulate bad --agents $fleet --poll $poll --ramp $poll --fleet f --model m --model-version v1 \
        --fail 0.1 --bad-version v2 --seed 11
    until_true 300 "all devices online" online $fleet
    campaign=$("$oxide" deploy m v2 --fleet f --rollout canary --gate none --wait-between 10 \
        --halt health:0 --on-halt revert --json | jq -r .campaign_id)
    until_true 300 "the halt" campaign_in "aborted|complete"
    [ "$(campaign_state "$campaign")" = aborted ] || die "the campaign was not halted"
    back=$("$oxide" campaign list --json | jq -r '[.campaigns[] | select(.kind == "revert")][0].id')
    first=$campaign campaign=$back
    until_true 300 "the way back" campaign_in "complete|aborted|paused"
    sleep $((3 * poll))
    kill -INT "$simulator"
    wait "$simulator" || die "oxide simulate failed"
    forget "$simulator"
    began=$(result bad ".campaigns[] | select(.id == \"$first\") | .began")
    # from the report that broke the rule to the halt
    halt_ms=$(events_of "$first" | jq -s 'def ms: (.[0:19] + "Z" | fromdate) * 1000 + (.[20:23] | tonumber);
        [.[] | select(.kind == "campaign.aborted")][0] as $halt
        | [.[] | select(.kind == "campaign.device_moved" and .data.to == "failed" and .id < $halt.id)][-1] as $failed
        | ($halt.at | ms) - ($failed.at | ms)')
    say "## 1,000 agents that poll every $poll s, one in ten fails the check of v2" "" \
        "Canary of 5, 25, 50, 100 %, halted at the first failure of the check (so that no stage of 50 has too few to halt it), devices reverted." "" \
        "| campaign | began | complete | failed | withdrawn | bytes | full |" "|---|---|---|---|---|---|---|"
    jq -r '.campaigns[] | "| \(.model_id)@\(.version) | \(.began) | \(.complete) | \(.failed) | \(.withdrawn) | \(.bytes) | \(.full) |"' "$work/bad.json" >> "$report"
    say "" "At the end: $(result bad '[.running[] | "\(.agents) run \(.version // "nothing")"] | join(", ")')." ""
    requests_table bad
    bar "bad artifact, 1,000 agents: devices exposed" "at most the first stage, $first_stage" "$began" "$began <= $first_stage"
    bar "bad artifact: from the failure that breaks the rule to the halt" "one poll, $poll s" "$halt_ms ms" "$halt_ms <= $poll * 1000"
    bar "bad artifact: devices that run the version before at the end" "all, $fleet" \
        "$(result bad '[.running[] | select(.version == "v1") | .agents] | add')" \
        "$(result bad '[.running[] | select(.version == "v1") | .agents] | add') == $fleet"
    finish "$server"
}
