# shellcheck shell=bash disable=SC2034
# Sourced by every end-to-end test: real processes on real sockets, in a temporary folder that is
# removed, with everything stopped, when the test ends.
#
# Needs OXIDE_BIN (the executable) and OXIDE_TOOLS (the folder of make_model); ctest sets both. With
# OXIDE_SANDBOX=yes, agent and control plane run under the restrictions of their units (root only).
# OXIDE_AGENT_BIN may name another executable, which devices run; OXIDE_EMULATED=yes says that it is
# for another processor.
set -u
: "${OXIDE_BIN:?OXIDE_BIN names the oxide executable}" "${OXIDE_TOOLS:?OXIDE_TOOLS names the folder of make_model}"
: "${OXIDE_AGENT_BIN:=$OXIDE_BIN}" # exported where it was given
unset OXIDE_SERVER NO_COLOR http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/oxide-e2e.XXXXXX")
pids=()
failures=0
cd "$work" || exit 1

oxide() {
    case "${1-} ${2-}" in
    "agent "* | "doctor agent") "$OXIDE_AGENT_BIN" "$@" ;;
    *) "$OXIDE_BIN" "$@" ;;
    esac
}
make_model() { "$OXIDE_TOOLS/make_model" "$@"; }

clean_up() {
    local status=$? pid
    trap - EXIT
    for pid in "${pids[@]}"; do kill -KILL "$pid" 2> /dev/null; done
    for pid in "${pids[@]}"; do wait "$pid" 2> /dev/null; done
    if type tear_down > /dev/null 2>&1; then tear_down; fi
    if [ $status -ne 0 ] || [ $failures -ne 0 ]; then
        echo "--- logs of the failed test"
        tail -n 40 "$work"/*.log 2> /dev/null
    fi
    cd / && rm -rf "$work"
    [ $failures -eq 0 ] || status=1
    exit $status
}
trap clean_up EXIT
trap 'exit 129' HUP INT TERM

# --- what is checked ---

step() { printf '== %s\n' "$*"; }
fail() {
    printf 'FAILED: %s (line %s)\n' "$*" "${BASH_LINENO[$((${#BASH_LINENO[@]} - 2))]}"
    failures=$((failures + 1))
}
skip() { printf 'SKIPPED: %s\n' "$*"; }
die() { fail "$*"; exit 1; }

expect() { # TEXT COMMAND...: the command succeeds
    local what=$1
    shift
    "$@" || fail "$what"
}
same() { # WHAT WANTED GOT
    [ "$2" = "$3" ] || fail "$1: '$2' expected, '$3' found"
}
holds() { # WHAT TEXT PATTERN: TEXT holds the pattern (a glob's inner part)
    # shellcheck disable=SC2053
    [[ $2 == *$3* ]] || fail "$1: '$3' expected in '$2'"
}
# exits STATUS PATTERN COMMAND...: the command ends with that status, and its standard error holds
# PATTERN; where the status is not 0, that is one line "oxide: what happened: what to do".
exits() {
    local wanted=$1 pattern=$2 got=0
    shift 2
    "$@" > last.out 2> last.err || got=$?
    same "status of: $*" "$wanted" "$got"
    holds "message of: $*" "$(cat last.err)" "$pattern"
    if [ "$wanted" -ne 0 ]; then
        holds "message of: $*" "$(grep -v '^[a-z ]*: .*/s$' last.err | head -n 1)" "oxide: "
    fi
    if grep -q 'Sanitizer\|runtime error' last.err; then fail "a sanitizer complains: $(cat last.err)"; fi
}
# within SECONDS WHAT COMMAND...: the command comes to succeed in this time
within() {
    local seconds=$1 what=$2 end=$((SECONDS + $1))
    shift 2
    until "$@" > /dev/null 2>&1; do
        if [ $SECONDS -ge $end ]; then
            fail "not within $seconds s: $what"
            return 1
        fi
        sleep 0.1
    done
}

# --- processes ---

# in_sandbox UNIT: sets sandbox to what is put in front of a command
in_sandbox() {
    sandbox=()
    [ -n "${OXIDE_SANDBOX-}" ] || return 0
    # what looks for leaks at the end of a process traces it, which the sandbox forbids
    export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
    sandbox=("$OXIDE_TOOLS/sandboxed" "$(dirname "$OXIDE_BIN")/../share/oxide-$1.service" "$work")
}
# start LOG COMMAND...: in the background; its process id is in $started
start() {
    local log=$1 sandbox=()
    shift
    if [[ "$1 ${2-}" == "$OXIDE_AGENT_BIN agent" || "$1 ${2-}" == "$OXIDE_BIN serve" ]]; then
        in_sandbox "$2"
    fi
    "${sandbox[@]}" "$@" >> "$log" 2>&1 &
    started=$!
    pids+=("$started")
}
catches_term() { # PID: one that was only just started does not yet
    local caught
    caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status" 2> /dev/null)
    [ -z "$caught" ] || [ $((0x$caught & 0x4000)) -ne 0 ] # gone, or SIGTERM is among them
}
stop() { # PID: ask it to end, and see that it does, cleanly
    local pid=$1 status=0 i
    [ -z "${OXIDE_EMULATED-}" ] || sleep 2 # an emulator catches it from the first instant
    for ((i = 0; i < 100; i++)); do
        ! catches_term "$pid" || break
        sleep 0.1
    done
    kill -TERM "$pid" 2> /dev/null
    for ((i = 0; i < 300; i++)); do
        kill -0 "$pid" 2> /dev/null || break
        sleep 0.1
    done
    if kill -0 "$pid" 2> /dev/null; then
        fail "process $pid does not end"
        kill -KILL "$pid"
    fi
    wait "$pid" 2> /dev/null || status=$?
    forget "$pid"
    same "exit status after SIGTERM" 0 "$status"
}
kill_hard() { # PID
    kill -KILL "$1" 2> /dev/null
    wait "$1" 2> /dev/null
    forget "$1"
}
forget() { # PID
    local pid left=()
    for pid in "${pids[@]}"; do [ "$pid" = "$1" ] || left+=("$pid"); done
    pids=("${left[@]}")
}

# serve [OPTIONS]: a control plane on a free port with data in ./data; sets $server, $server_pid and
# OXIDE_SERVER. A port that was used before is taken again, as a restarted server would.
serve() {
    local i line='' sandbox
    in_sandbox serve
    : > ready.log
    "${sandbox[@]}" "$OXIDE_BIN" serve --listen "127.0.0.1:${port:-0}" --data data "$@" > ready.log 2>> serve.log &
    server_pid=$!
    pids+=("$server_pid")
    for ((i = 0; i < 300; i++)); do
        line=$(sed -n 's/^listening on //p' ready.log)
        [ -z "$line" ] || break
        kill -0 "$server_pid" 2> /dev/null || die "the server ended: $(tail -n 5 serve.log)"
        sleep 0.1
    done
    [ -n "$line" ] || die "the server does not come up"
    server=$line
    port=${server##*:}
    export OXIDE_SERVER=$server
}

# agent NAME [OPTIONS]: an agent with models in ./NAME; sets $agent_pid
agent() {
    local name=$1
    shift
    start "$name.log" "$OXIDE_AGENT_BIN" agent --control-plane "$server" --device-id "$name" \
        --poll-interval 1 --model-dir "$name" "$@"
    agent_pid=$started
}

# --- questions ---

field() { # FILTER: of the JSON on standard input
    jq -r "$1"
}
get() { # PATH [CURL OPTIONS]: the body
    local path=$1
    shift
    curl -sS "$@" "$server$path"
}
http_status() { # PATH [CURL OPTIONS]
    local path=$1
    shift
    curl -sS -o last.body -D last.head -w '%{http_code}' "$@" "$server$path"
}
header() { # NAME: of the last http_status
    tr -d '\r' < last.head | sed -n "s/^$1: //Ip" | tail -n 1
}
digest() { sha256sum "$1" | cut -d ' ' -f 1; }
size() { stat -c %s "$1"; }

# runs DEVICE MODEL FILE: is what DEVICE runs of MODEL byte for byte FILE (or folder)?
runs() {
    local active=$1/$2/current
    if [ -d "$3" ]; then
        [ -d "$active" ] && diff -r "$active/" "$3" > /dev/null
    else
        [ -d "$active" ] && [ "$(find "$active/" -type f | wc -l)" -eq 1 ] &&
            cmp -s "$(find "$active/" -type f)" "$3"
    fi
}
device_field() { get "/api/v1/devices/$1" | field "$2"; } # DEVICE FILTER
campaign_field() { get "/api/v1/campaigns/$1" | field "$2"; } # CAMPAIGN FILTER
campaign_is() { [ "$(campaign_field "$1" .state)" = "$2" ]; }
in_campaign_is() { # CAMPAIGN DEVICE STATE
    [ "$(campaign_field "$1" ".devices[] | select(.device_id == \"$2\") | .state")" = "$3" ]
}
deploy() { # MODEL VERSION OPTIONS...: sets $campaign
    campaign=$(oxide deploy "$@" --json | field .campaign_id) || die "deploy $*"
}

# Small models, made once per test: v1, v2 (the last layer trained on), v3 (all layers), bad.
small_models() {
    local variant
    for variant in v1 v2-head v3-finetune bad; do
        make_model onnx "$variant" "$variant.onnx" --width 96 > /dev/null || die "make_model"
    done
}
