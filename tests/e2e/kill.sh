#!/usr/bin/env bash
# Never neither: the agent is killed at random moments, the server too, and every time the device
# holds the old model or the new one, whole; and in the end the new one.
. "$(dirname "$0")/lib.sh"
small_models
make_model random 2000000 big1 > /dev/null
make_model random 2000000 big2 --seed 2 > /dev/null # nothing in common: 2 MB have to cross
serve --poll-interval 1
oxide device register cam-01 > /dev/null && oxide push m v1 v1.onnx > /dev/null &&
    oxide push m v2 v2-head.onnx > /dev/null && oxide push m v3 big1 > /dev/null &&
    oxide push m v4 big2 > /dev/null || die "setting up"

whole() { # FILE...: what is active is one of these; "none": or nothing is
    local file
    for file in "$@"; do
        if [ "$file" = none ]; then
            [ -e cam-01/m/current ] || return 0
        elif runs cam-01 m "$file"; then
            return 0
        fi
    done
    fail "what is active is none of: $*"
    ls -lR cam-01
}

# killed_until FILE OLD MS: kill the agent within MS of each start, until it runs FILE or has been
# killed often enough; then let it finish
killed_until() {
    local file=$1 old=$2 ms=$3 i
    for ((i = 0; i < 8; i++)); do
        agent cam-01 --rate-limit 1500000
        sleep "$(printf '%d.%03d' 0 $((10 + RANDOM % ms)))"
        kill_hard "$agent_pid"
        kills=$((kills + 1))
        whole "$file" "$old"
        ! runs cam-01 m "$file" || break
    done
    starts=$(wc -l < cam-01.log)
    agent cam-01
    within 40 "cam-01 runs $file" runs cam-01 m "$file"
    within 20 "the agent is up" agent_is_up # or SIGTERM meets it before it can catch one
    within 10 "the campaign is complete" campaign_is "$campaign" complete
    stop "$agent_pid"
    whole "$file"
}
agent_is_up() { [ "$(wc -l < cam-01.log)" -gt "$starts" ]; }
kills=0

step "the agent, while it installs and updates by patch, to and fro"
deploy m v1 --device cam-01
killed_until v1.onnx none 250
for _ in 1 2 3 4; do
    deploy m v2 --device cam-01
    killed_until v2-head.onnx v1.onnx 250
    deploy m v1 --device cam-01
    killed_until v1.onnx v2-head.onnx 250
done
echo "killed $kills times"

step "the agent, while it fetches a whole file"
deploy m v3 --device cam-01
killed_until big1 v1.onnx 900

step "the server, while the agent fetches from it"
deploy m v4 --device cam-01
agent cam-01 --rate-limit 1000000
for _ in 1 2 3; do
    sleep "0.$((RANDOM % 10))"
    kill_hard "$server_pid"
    whole big1 big2
    serve --poll-interval 1
done
within 40 "cam-01 runs v4" runs cam-01 m big2
within 20 "the campaign is complete" campaign_is "$campaign" complete

step "nothing is left lying about"
stop "$agent_pid"
same "staging and downloads" "" "$(find cam-01/.oxide/staging cam-01/.oxide/download -type f 2> /dev/null)"
[ "$(find cam-01/m/versions -mindepth 1 -maxdepth 1 | wc -l)" -le 2 ] ||
    fail "old versions are kept: $(ls cam-01/m/versions)"
