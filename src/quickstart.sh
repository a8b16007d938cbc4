#!/usr/bin/env bash
# oxide's main job, from a fresh checkout, before your eyes: build, start a control plane and a
# device's agent on this machine, roll out v1, then v2 by its changed bytes alone, then a broken v3
# that is rolled back. Leaves the build, and nothing else: no process, no temporary folder.
set -eu
cd "$(dirname "$0")/.."

usage() {
    cat << 'EOF'
usage: src/quickstart.sh [--yes] [--keep]

  --yes    install missing packages without asking (OXIDE_YES=1 does the same)
  --keep   keep the temporary folder, with models, logs, the control plane's and the device's data
EOF
}

keep=no
for option in "$@"; do
    case $option in
    --yes) export OXIDE_YES=1 ;;
    --keep) keep=yes ;;
    -h | --help) usage; exit 0 ;;
    *) echo "src/quickstart.sh: unknown option $option: see src/quickstart.sh --help" >&2; exit 2 ;;
    esac
done

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\033[1m' plain=$'\033[0m'; fi
step() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
grouped() { printf "%d" "$1" | sed -e ':a' -e 's/\([0-9]\)\([0-9]\{3\}\)\($\|,\)/\1,\2\3/;ta'; }

# --- packages and build -------------------------------------------------------------------------
. src/packaging/packages.sh
step "1. What it needs"
need_packages build

step "2. A release build in build/"
started=$SECONDS
mkdir -p build
if ! { cmake -S . -B build -DCMAKE_BUILD_TYPE=Release -DOXIDE_TESTS=OFF -DOXIDE_WERROR=OFF &&
    cmake --build build -j "$(nproc)" --target oxide make_model; } > build/build.log 2>&1; then
    tail -n 40 build/build.log >&2
    echo "The build failed: all of it is in build/build.log." >&2
    exit 1
fi
bin=$PWD/build/bin
echo "build/bin/oxide is built, $((SECONDS - started)) s."

# --- a place that is cleaned up, whatever happens -------------------------------------------------
work=$(mktemp -d "${TMPDIR:-/tmp}/oxide-quickstart.XXXXXX")
pids=()
clean_up() {
    local status=$? pid i
    trap - EXIT
    for pid in "${pids[@]}"; do kill -TERM "$pid" 2> /dev/null || true; done
    for pid in "${pids[@]}"; do
        for ((i = 0; i < 100; i++)); do
            kill -0 "$pid" 2> /dev/null || break
            sleep 0.1
        done
        kill -KILL "$pid" 2> /dev/null || true
        wait "$pid" 2> /dev/null || true
    done
    if [ $status -ne 0 ]; then
        echo "The quickstart failed. The last lines of its logs:" >&2
        tail -n 15 "$work"/*.log >&2 || true
    fi
    if [ $keep = yes ]; then echo "Kept: $work"; else rm -rf "$work"; fi
    exit $status
}
trap clean_up EXIT
trap 'exit 130' HUP INT TERM
unset OXIDE_SERVER http_proxy HTTP_PROXY all_proxy ALL_PROXY

run() { # show a command, run it, show what it says
    local word shown='  $ oxide'
    for word in "$@"; do
        case $word in *' '*) word="\"$word\"" ;; esac
        shown="$shown $word"
    done
    echo "${shown//"$work/"/}"
    "$bin/oxide" "$@" > "$work/run.out" || return 1
    grep -v '^next: ' "$work/run.out" | sed "s|$work/||g; s/^/  /" || true
}

step "3. Three versions of a small model that reads digits, trained here"
"$bin/make_model" onnx v1 "$work/v1.onnx" > /dev/null &
one=$!
"$bin/make_model" onnx v2-head "$work/v2.onnx" > /dev/null
"$bin/make_model" onnx bad "$work/v3.onnx" > /dev/null
wait $one
full=$(stat -c %s "$work/v2.onnx")
echo "  v1.onnx   $(grouped "$(stat -c %s "$work/v1.onnx")") bytes, trained"
echo "  v2.onnx   $(grouped "$full") bytes, v1 with its last layer trained on"
echo "  v3.onnx   $(grouped "$(stat -c %s "$work/v3.onnx")") bytes, broken: it parses, but reads nothing right"

step "4. A control plane, and the agent of a device"
"$bin/oxide" serve --listen 127.0.0.1:0 --data "$work/data" --poll-interval 1 \
    > "$work/ready.log" 2> "$work/serve.log" &
pids+=($!)
for ((i = 0; i < 100; i++)); do
    OXIDE_SERVER=$(sed -n 's/^listening on //p' "$work/ready.log")
    [ -z "$OXIDE_SERVER" ] || break
    kill -0 "${pids[0]}" 2> /dev/null || exit 1
    sleep 0.1
done
[ -n "$OXIDE_SERVER" ] || exit 1
export OXIDE_SERVER
echo "  \$ oxide serve --listen 127.0.0.1:0 &"
sed 's/^/  /' "$work/ready.log"
run device register cam-01 --name "East Camera"
run fleet create factory --name "Factory Floor"
run fleet add factory cam-01
check="'$bin/make_model' --check \"\$OXIDE_MODEL_PATH\""
echo "  \$ oxide agent --device-id cam-01 --health-check 'make_model --check \"\$OXIDE_MODEL_PATH\"' &"
"$bin/oxide" agent --control-plane "$OXIDE_SERVER" --device-id cam-01 --poll-interval 1 \
    --model-dir "$work/device" --health-check "$check" --log-format text > "$work/agent.log" 2>&1 &
pids+=($!)

# --- the updates -----------------------------------------------------------------------------------
# number KEY: of the JSON that the last deploy printed
number() { sed -n "s/.*\"$1\": \([0-9][0-9]*\).*/\1/p" "$work/deploy.json" | head -n 1; }
# active: the version that the device has switched to
active() { basename "$(readlink "$work/device/digits/current" 2> /dev/null || echo none)"; }
table=()
# update VERSION EXPECTED: push and deploy; the deployment must end as EXPECTED (0 or 1)
update() {
    local version=$1 expected=$2 status=0 seen served how
    run push digits "$version" "$work/$version.onnx"
    seen=$(wc -l < "$work/agent.log")
    echo "  \$ oxide deploy digits $version --fleet factory --wait"
    "$bin/oxide" deploy digits "$version" --fleet factory --wait --timeout 90s --json \
        > "$work/deploy.json" 2> "$work/deploy.log" || status=$?
    if [ $status -ne "$expected" ]; then
        echo "  the deployment of $version ended with status $status, $expected was expected" >&2
        exit 1
    fi
    tail -n +$((seen + 1)) "$work/agent.log" | sed -e 's/^[^ ]* *[a-z]* */  cam-01: /' -e "s|$work/||g; s|$bin/||g"
    served=$(number bytes_served)
    how="patch"
    [ "$served" -lt "$full" ] || how="whole file"
    table+=("$version|$how|$(grouped "$served")|$(awk "BEGIN { printf \"%.1f %%\", 100 * $served / $full }")|$(active)")
}

step "5. v1: the device has nothing yet, so the whole file crosses the wire"
update v1 0
step "6. v2: only what changed does"
update v2 0
step "7. v3 is broken: its health check fails on the device, which goes back at once"
update v3 1
[ "$(active)" = v2 ] || exit 1
cmp -s "$work/v2.onnx" "$work"/device/digits/current/* || exit 1

step "What crossed the wire, against the full size of $(grouped "$full") bytes"
{
    echo "version|as|bytes|of full|active on cam-01 then"
    printf '%s\n' "${table[@]}"
} | awk -F '|' '{ printf "  %-8s  %-10s  %12s  %8s   %s\n", $1, $2, $3, $4, $5 }'
echo "  cam-01 runs v2, bit for bit what was pushed."

step "Next"
cat << 'EOF'
  export PATH=$PWD/build/bin:$PATH       then, each in a terminal of its own:
  oxide serve                            a control plane on http://127.0.0.1:8080
  oxide device register ID               make a device known, and run its agent:
  oxide agent --device-id ID
  oxide push MODEL VERSION PATH          publish a file or a folder
  oxide deploy MODEL VERSION --device ID
  oxide delta create BASE TARGET -o P    or just make a patch; oxide info FILE looks inside
  oxide help                             everything else; docs/README.md is the map
EOF
