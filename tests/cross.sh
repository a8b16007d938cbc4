#!/usr/bin/env bash
# The agent alone for other processors: built by Debian's cross compilers with their libraries, and
# tried under qemu-user: unit tests, and all end-to-end tests in which an agent takes part, against a
# control plane of this machine.
set -u
usage() {
    cat << 'END'
usage: tests/cross.sh [--yes] [--unit|--e2e] [--only REGEX] [aarch64|armhf|native ...]

  aarch64, armhf  for a 64-bit, a 32-bit Arm (both are the default)
  native          the agent alone for this machine, without an emulator
  --unit, --e2e   only unit tests, only end-to-end tests
  --only REGEX    only tests whose name matches, such as unit/agent or main_job
  --yes           install missing packages without asking (OXIDE_YES=1 does the same)

Builds in build-cross/ (or $OXIDE_BUILD): the agents, and oxide as it is for this machine. Exits 0 if
all went well. What takes an agent for minutes in an emulator is left out: making large patches is what
servers do.
END
}
cd "$(dirname "$0")/.." || exit 1
kinds=unit,e2e only=. targets=()
while [ $# -gt 0 ]; do
    case $1 in
    --yes) export OXIDE_YES=1 ;;
    --unit) kinds=unit ;;
    --e2e) kinds=e2e ;;
    --only)
        [ $# -gt 1 ] || { usage >&2; exit 2; }
        only=$2
        shift
        ;;
    aarch64 | armhf | native) targets+=("$1") ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done
[ ${#targets[@]} -gt 0 ] || targets=(aarch64 armhf)
out=$(realpath -m "${OXIDE_BUILD:-build-cross}")
slow='unit/delta/(bad_input|edit|explain|memory|pool|pool_memory|round_trip)$'
problems=0

. src/packaging/packages.sh
need=(build test cross)
for target in "${targets[@]}"; do need+=("${target/aarch64/arm64}"); done
need_packages "${need[@]}" || exit 1

# build FOLDER CMAKE-OPTIONS...
build() {
    local folder=$1
    shift
    mkdir -p "$folder" || exit 1
    if ! { cmake -S . -B "$folder" -DCMAKE_BUILD_TYPE=Release "$@" &&
        cmake --build "$folder" -j "$(nproc)"; } > "$folder/build.log" 2>&1; then
        grep -E -A 8 'error|Error' "$folder/build.log" | head -n 60
        echo "cross.sh: $folder does not build: all of it is in $folder/build.log" >&2
        exit 1
    fi
}

# emulated TARGET: a script beside its agent that runs it in the emulator
emulated() {
    local emulator
    emulator=$(sed -n 's/^CMAKE_CROSSCOMPILING_EMULATOR:[A-Z]*=//p' "$out/$1/CMakeCache.txt")
    mkdir -p "$out/$1/run"
    printf '#!/bin/sh\nexec %s %s "$@"\n' "$emulator" "$out/$1/bin/oxide" > "$out/$1/run/oxide"
    chmod +x "$out/$1/run/oxide"
    echo "$out/$1/run/oxide"
}

# e2e TARGET AGENT [VARIABLE=VALUE]: every test that starts or asks an agent
e2e() {
    local target=$1 agent=$2 script name passed=0 skipped=0 failed=() log
    shift 2
    for script in tests/e2e/*.sh; do
        name=$(basename "$script" .sh)
        [ "$name" != lib ] && [[ e2e/$name =~ $only ]] || continue
        grep -qE '(^|[ ;&(])agent [a-z$"-]|oxide agent|AGENT_BIN" agent' "$script" || continue
        log=$out/$target/e2e-$name.log
        if ! env OXIDE_BIN="$out/whole/bin/oxide" OXIDE_TOOLS="$out/whole/bin" OXIDE_AGENT_BIN="$agent" "$@" \
            timeout 900 bash "$script" > "$log" 2>&1; then
            failed+=("$name")
            tail -n 30 "$log"
        elif grep -q '^SKIPPED' "$log"; then
            skipped=$((skipped + 1))
            echo "$target: e2e/$name: $(grep -m 1 '^SKIPPED' "$log")"
        fi
        passed=$((passed + 1))
    done
    echo "$target: $((passed - ${#failed[@]})) of $passed end-to-end tests pass, $skipped of them skip something${failed[*]:+; failed: ${failed[*]}}"
    problems=$((problems + ${#failed[@]}))
}

case $kinds in *e2e*) build "$out/whole" -DOXIDE_TESTS=OFF ;; esac
for target in "${targets[@]}"; do
    case $target in
    aarch64) prefix=aarch64-linux-gnu ;;
    armhf) prefix=arm-linux-gnueabihf ;;
    native) prefix='' ;;
    esac
    build "$out/$target" -DOXIDE_AGENT_ONLY=ON -DOXIDE_TESTS=ON \
        ${prefix:+-DCMAKE_TOOLCHAIN_FILE=src/cmake/$prefix.cmake}
    "${prefix:+$prefix-}strip" -o "$out/$target/stripped" "$out/$target/bin/oxide" || exit 1
    size=$(stat -c %s "$out/$target/stripped")
    echo "$target: $size bytes stripped, with" \
        "$(readelf -d "$out/$target/stripped" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | tr '\n' ' ')"
    [ "$size" -lt 1000000 ] || { echo "$target: that is over 1 MB"; problems=$((problems + 1)); }
    case $kinds in *unit*)
        ctest --test-dir "$out/$target" -L 'unit|fuzz' -R "$only" -E "$slow" -j "$(nproc)" --output-on-failure \
            > "$out/$target/unit.log" 2>&1 || { tail -n 60 "$out/$target/unit.log"; problems=$((problems + 1)); }
        echo "$target: $(grep 'tests passed' "$out/$target/unit.log")"
        ;;
    esac
    case $kinds,$target in
    *e2e*,native) e2e native "$out/native/bin/oxide" ;;
    *e2e*) e2e "$target" "$(emulated "$target")" OXIDE_EMULATED=yes ;;
    esac
done
[ $problems -eq 0 ]
