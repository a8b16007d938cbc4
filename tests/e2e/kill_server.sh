#!/usr/bin/env bash
# kill -9 of the server at random moments during a campaign: nothing acknowledged is lost, no device
# is assigned two things, and the campaign ends as if nothing had happened. tests/bench/server.sh has
# the long form of it.
. "$(dirname "$0")/lib.sh"
small_models
serve --poll-interval 1
oxide push m v1 v1.onnx > /dev/null && oxide push m v2 v2-head.onnx > /dev/null || die "setting up"

start sim.log bash -c 'exec "$0" simulate "$@" > sim.json' "$OXIDE_BIN" --agents 100 --poll 1 --fleet f \
    --model m --model-version v1 --fail 0.05 --bad-version v2 --restart 0.1 --apply-time 300ms \
    --check-time 300ms --seed 5 --agents-file agents.jsonl --json
simulator=$started
within 60 "they poll" sh -c "[ \"\$('$OXIDE_BIN' fleet status f --json | jq .online)\" = 100 ]"
deploy m v2 --fleet f --rollout all_at_once --gate none --starts-per-minute 400

step "killed at 12 random moments, while devices are registered"
: > acknowledged
for ((i = 0; i < 12; i++)); do
    for ((j = 0; j < 3; j++)); do
        if curl -sS -f -o /dev/null "$server/api/v1/devices" -d "{\"id\":\"other-$i-$j\"}"; then
            echo "other-$i-$j" >> acknowledged
        fi
    done
    sleep 0.$((RANDOM % 10))$((RANDOM % 10))
    kill_hard "$server_pid"
    serve --poll-interval 1
done

step "the campaign ends"
within 120 "the end" sh -c "'$OXIDE_BIN' campaign show '$campaign' --json | jq -e '.state == \"complete\"' > /dev/null"
sleep 3 # the last acknowledgements
stop "$simulator"
same "conflicts" 0 "$(field .conflicts < sim.json)"
same "outcomes, by both counts" \
    "$(campaign_field "$campaign" '[.devices[] | "\(.device_id) \(.state)"] | sort | join("\n")')" \
    "$(jq -r --arg c "$campaign" '.id as $id | .ended[] | select(.campaign == $c) | "\($id) \(.state)"' agents.jsonl | sort)"
same "devices whose version is not that of their outcome" "" \
    "$(jq -r --arg c "$campaign" '([.models[] | select(.id == "m")][0].version) as $v
        | select(([.ended[] | select(.campaign == $c)][-1].state == "complete") != ($v == "v2")) | .id' agents.jsonl)"
same "registered and acknowledged" "$(sort acknowledged)" \
    "$(oxide device list --json | jq -r '.[].id' | sort | comm -12 - <(sort acknowledged))"

step "the data is whole"
stop "$server_pid"
exits 0 "" oxide doctor server --data data
