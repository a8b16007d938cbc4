#!/usr/bin/env bash
# Another release and this one, each as agent and as control plane: the main job between them, an
# agent's folder that the newer takes over in the middle of an update, and a data folder that the newer
# server takes over. Run it by hand before a release: the older oxide is built from the history.
#
#   tests/compat.sh BUILD COMMIT [OLD_BUILD]
#
# BUILD is this tree's, COMMIT the older release; OLD_BUILD is where it is built (or was), else a
# temporary folder.

# shellcheck disable=SC2015,SC2034,SC2154 # lib.sh sets them, and is told by them
set -u
[ $# -ge 2 ] || { sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
build=$(cd "$1" && pwd) commit=$2
tree=$(cd "$(dirname "$0")/.." && pwd)
made=$(mktemp -d "${TMPDIR:-/tmp}/oxide-compat.XXXXXX") || exit 1
old_build=${3:-$made/build}
new=$build/bin/oxide old=$old_build/bin/oxide

if [ ! -x "$old" ]; then
    echo "== building oxide of $commit"
    mkdir -p "$made/source" && git -C "$tree" archive "$commit" | tar -x -C "$made/source" || exit 1
    { cmake -S "$made/source" -B "$old_build" -DCMAKE_BUILD_TYPE=Release &&
        cmake --build "$old_build" -j "$(nproc)" --target oxide; } > "$made/build.log" 2>&1 ||
        { tail -n 20 "$made/build.log"; exit 1; }
fi

export OXIDE_TOOLS=$build/bin OXIDE_BIN=$new
# shellcheck disable=SC1091
. "$tree/tests/e2e/lib.sh"
tear_down() { rm -rf "$made"; }

models() {
    make_model random 300000 v1 > /dev/null && cp v1 v2 && cp v1 v3 || die "make_model"
    printf 'something else' | dd of=v2 bs=1 seek=100000 conv=notrunc status=none
    printf 'and another' | dd of=v3 bs=1 seek=200000 conv=notrunc status=none
}
models

# as WHO COMMAND...: with that release's executable
as() {
    OXIDE_BIN=$1 OXIDE_AGENT_BIN=$1
    shift
    "$@"
}
# main_job SERVER AGENT: register, full file, patch, a failing check, rollback, report
main_job() {
    local campaign_server=$1 device=$2
    rm -rf data cam-01 cam-01.log serve.log
    port=''
    as "$campaign_server" serve --poll-interval 1
    for v in v1 v2 v3; do as "$campaign_server" exits 0 "" "$campaign_server" push m $v $v; done
    exits 0 "" "$campaign_server" device register cam-01
    as "$device" agent cam-01 --health-check '! test -e bad'
    as "$campaign_server" deploy m v1 --device cam-01
    within 30 "cam-01 runs v1" runs cam-01 m v1
    within 20 "the server knows" campaign_is "$campaign" complete
    as "$campaign_server" deploy m v2 --device cam-01
    within 60 "cam-01 runs v2" runs cam-01 m v2
    within 20 "the server knows" campaign_is "$campaign" complete
    same "by a patch" delta "$(campaign_field "$campaign" '.devices[0].strategy')"
    touch bad
    as "$campaign_server" deploy m v3 --device cam-01
    within 30 "v3 has failed" in_campaign_is "$campaign" cam-01 failed
    runs cam-01 m v2 || fail "it did not go back to v2"
    rm bad
    as "$campaign_server" deploy m v1 --device cam-01
    within 30 "cam-01 runs v1 again" runs cam-01 m v1
    within 20 "the server knows" campaign_is "$campaign" complete
    same "what it says that it runs" v1 "$(device_field cam-01 .current_model_version)"
    stop "$agent_pid"
    stop "$server_pid"
}

step "an agent of $commit with this control plane"
main_job "$new" "$old"
step "this agent with a control plane of $commit"
main_job "$old" "$new"

# take_over WHEN: the older agent is killed at that point of the update, and this one goes on
in_stage() { [ "$(jq -r .stage cam-01/.oxide/journal.json)" = "$1" ]; }
some_has_come() { [ -n "$(find cam-01/.oxide -name '*.part' -size +30k -o -name '*.mark' | head -n 1)" ]; }
take_over() {
    rm -rf data cam-01 cam-01.log serve.log hold
    port=''
    OXIDE_BIN=$new OXIDE_AGENT_BIN=$new
    serve --poll-interval 1
    for v in v1 v2; do exits 0 "" oxide push m $v $v; done
    exits 0 "" oxide device register cam-01
    as "$old" agent cam-01
    deploy m v1 --device cam-01
    within 30 "cam-01 runs v1" runs cam-01 m v1
    within 20 "the server knows" campaign_is "$campaign" complete
    stop "$agent_pid"
    touch hold
    case $1 in
    download) make_model random 300000 v2 --seed 9 > /dev/null && exits 0 "" oxide push m v9 v2 && deploy m v9 --device cam-01
        as "$old" agent cam-01 --rate-limit 30000
        within 30 "a part has come" some_has_come ;;
    check) deploy m v2 --device cam-01
        as "$old" agent cam-01 --health-check 'while test -e hold; do sleep 0.1; done'
        within 60 "it checks" in_stage check ;;
    esac
    kill_hard "$agent_pid"
    rm hold
    cp cam-01/.oxide/state.json state.before && cp cam-01/.oxide/journal.json journal.before
    as "$new" agent cam-01 --health-check "${2:-true}"
}

step "killed in its download, this agent goes on"
take_over download
within 60 "cam-01 runs the new version" runs cam-01 m v2
within 20 "the server knows" campaign_is "$campaign" complete
if [ "$(field .release < state.before)" != "$(field .release < cam-01/.oxide/state.json)" ]; then
    cmp -s state.before cam-01/.oxide/before-upgrade/state.json || fail "no copy of the state is kept"
    cmp -s journal.before cam-01/.oxide/before-upgrade/journal.json || fail "no copy of the journal is kept"
fi
step "and an older agent takes it back"
stop "$agent_pid"
as "$old" agent cam-01
sleep 3
runs cam-01 m v2 || fail "it runs something else"
stop "$agent_pid"
rm -f cam-01/.oxide/journal.json && cp cam-01/.oxide/before-upgrade/*.json cam-01/.oxide/
as "$old" agent cam-01
within 60 "with the copies, too" eval 'runs cam-01 m v1 || runs cam-01 m v2' # the models of then
stop "$agent_pid"
stop "$server_pid"

models
step "killed in its check, this agent checks again"
take_over check
within 60 "cam-01 runs v2" runs cam-01 m v2
within 20 "the server knows" campaign_is "$campaign" complete
stop "$agent_pid"
stop "$server_pid"
step "or goes back"
take_over check false
within 60 "v2 has failed" in_campaign_is "$campaign" cam-01 failed
runs cam-01 m v1 || fail "it does not run v1"
stop "$agent_pid"
stop "$server_pid"

step "this control plane takes over the data of $commit, and that takes them back"
rm -rf data cam-01 cam-01.log serve.log
port=''
as "$old" serve --poll-interval 1
exits 0 "" "$old" push m v1 v1
exits 0 "" "$old" push m v2 v2
exits 0 "" "$old" device register cam-01
as "$old" agent cam-01
as "$old" deploy m v1 --device cam-01
within 30 "cam-01 runs v1" runs cam-01 m v1
stop "$server_pid"
as "$new" serve --poll-interval 1
as "$new" deploy m v2 --device cam-01
within 60 "cam-01 runs v2" runs cam-01 m v2
within 20 "the server knows" campaign_is "$campaign" complete
stop "$server_pid"
kept=$(find data -name 'registry.db.schema-*')
if [ -n "$kept" ]; then
    holds "the log says so" "$(cat serve.log)" "for the way back"
    mv "$kept" data/registry.db && rm -f data/registry.db-wal data/registry.db-shm
fi
as "$old" serve --poll-interval 1
same "it knows the version" 200 "$(http_status /api/v1/models/m)"
stop "$agent_pid"
stop "$server_pid"
