# kill -9 at random moments during a campaign under load: what was acknowledged is there, no device
# is assigned two things, and the campaign ends as if nothing had happened.
# shellcheck shell=bash
. "$here/server/fleet.sh"

# Register devices one after the other, and note those that were acknowledged, until the file is gone.
keep_registering() { # ACKNOWLEDGED WHILE-IT-EXISTS
    local i status
    for ((i = 0; i < 100000; i++)); do
        [ -e "$2" ] || return 0
        status=$(curl -s -m 5 -o /dev/null -w '%{http_code}' "$url/api/v1/devices" -d "{\"id\":\"other-$i\",\"tags\":{\"n\":\"$i\"}}") || true
        case $status in 200 | 201) echo "other-$i" >> "$1" ;; *) sleep 0.05 ;; esac
    done
}

kill_step() {
    local fleet=1500 i delay began longest=0 took registering lost wrong after acknowledged
    serve "$work/kill" --poll-interval 1
    port=${url##*:}
    publish_versions
    simulate kill --agents $fleet --poll 1 --ramp 2 --fleet f --model m --model-version v1 --seed 5 \
        --fail 0.03 --bad-version v2 --restart 0.1 --apply-time 300ms --check-time 300ms --agents-file "$work/kill.jsonl"
    until_true 300 "all devices online" online $fleet
    : > "$work/acknowledged"
    touch "$work/registering"
    keep_registering "$work/acknowledged" "$work/registering" &
    registering=$!
    # some 1.2 s from kill to kill; the campaign outlasts them
    campaign=$("$oxide" deploy m v2 --fleet f --rollout all_at_once --gate none \
        --starts-per-minute $((fleet * 60 / (kills * 12 / 10 + 20))) --json | jq -r .campaign_id)
    for ((i = 0; i < kills; i++)); do
        delay=0.$((RANDOM % 9))$((RANDOM % 10))
        sleep "$delay"
        kill -9 "$server"
        wait "$server" 2> /dev/null || true
        forget "$server"
        began=$(now)
        serve "$work/kill" --poll-interval 1
        took=$(calc "($(now) - $began) * 1000" %.0f)
        [ "$took" -le "$longest" ] || longest=$took
    done
    after=$(curl -s "$url/api/v1/campaigns/$campaign?devices=false" | jq -r '"\(.state), \(.summary.complete) complete, \(.summary.failed) failed"')
    until_true 900 "the end of the campaign" campaign_in "complete|aborted|paused"
    sleep 3 # the last acknowledgements
    kill -INT "$simulator"
    wait "$simulator" || die "oxide simulate failed"
    forget "$simulator"
    rm "$work/registering"
    wait $registering
    # what the devices know to be acknowledged, against what the server says
    curl -s "$url/api/v1/campaigns/$campaign" | jq -r '.devices[] | "\(.device_id) \(.state)"' | sort > "$work/server.ends"
    jq -r --arg c "$campaign" '.id as $id | .ended[] | select(.campaign == $c) | "\($id) \(.state)"' "$work/kill.jsonl" | sort > "$work/device.ends"
    lost=$(comm -13 "$work/server.ends" "$work/device.ends" | wc -l)
    "$oxide" device list --json | jq -r '.[].id' | sort > "$work/registered"
    acknowledged=$(wc -l < "$work/acknowledged")
    lost=$((lost + $(sort "$work/acknowledged" | comm -13 "$work/registered" - | wc -l)))
    # devices that run another version than their outcome says
    wrong=$(jq -r --arg c "$campaign" 'select([.models[] | select(.id == "m")][0].version as $v
        | [.ended[] | select(.campaign == $c)] | length == 0 or (.[-1].state == "complete") != ($v == "v2")) | .id' "$work/kill.jsonl" | wc -l)
    finish "$server"
    "$oxide" doctor server --data "$work/kill" > "$work/doctor.out" || die "the data is damaged: $(cat "$work/doctor.out")"
    say "## kill -9 at $kills random moments, a campaign to $fleet devices under way" "" \
        "After the last kill: $after. At the end: $(wc -l < "$work/device.ends") outcomes acknowledged to devices, $acknowledged registrations acknowledged meanwhile; longest start $longest ms. \`oxide doctor\`: $(tail -n 1 "$work/doctor.out")" ""
    requests_table kill
    bar "kill -9, $kills times: what was acknowledged and is lost" "nothing" "$lost of $(($(wc -l < "$work/device.ends") + acknowledged))" "$lost == 0"
    bar "kill -9: devices that were assigned two things" "none" "$(result kill .conflicts)" "$(result kill .conflicts) == 0"
    bar "kill -9: the campaign ends as if nothing had happened" "all devices end, each with what it runs" \
        "$(wc -l < "$work/device.ends") of $fleet end, $wrong wrong" "$(wc -l < "$work/device.ends") == $fleet && $wrong == 0"
}
