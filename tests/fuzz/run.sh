#!/usr/bin/env bash
# Fuzz, for a bounded time, with libFuzzer or AFL++.
# shellcheck disable=SC2317 # functions named after the engine are called by name
set -u
cd "$(dirname "$0")/../.." || exit 2

usage() {
    cat << 'END'
usage: tests/fuzz/run.sh [--engine libfuzzer|afl] [--seconds N] [--jobs N] [--keep] [TARGET...]
       tests/fuzz/run.sh --seeds [TARGET...]
       tests/fuzz/run.sh --list

  --engine E   libfuzzer (needs clang) or afl (needs clang and Debian's afl++)  [libfuzzer]
  --seconds N  how long each target runs  [60]
  --jobs N     targets that run at the same time, a processor each  [processors]
  --keep       then add to tests/fuzz/corpus what reaches code that the corpus does not reach, as
               found-HASH; without it the sources stay as they are
  --seeds      instead, make seeds for the targets of patches from real patches (seeds.py), and keep
               the same way, as seed-HASH; where a target has such seeds, they are replaced
  TARGET...    of those that --list names  [all]

Starts from tests/fuzz/corpus/TARGET. Builds with AddressSanitizer and UndefinedBehaviorSanitizer in
build-fuzz-ENGINE/ (or $OXIDE_BUILD), which also holds work/TARGET, what was found so far and is
started from again, and findings/TARGET: inputs that crash, hang, leak or take too much memory. To
see one: build-fuzz-libfuzzer/bin/fuzz_TARGET FILE. Once mended, put it into the corpus: ctest
replays that.

Exits 0 if nothing was found, 1 if something was, 2 if a target could not be built or run.
END
}

say() { printf 'tests/fuzz/run.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 2; }

engine=libfuzzer seconds=60 jobs=$(nproc) keep=no seeds=no targets=()
number() { # OPTION VALUE
    case $2 in '' | *[!0-9]* | 0*) die "$1 needs a number above 0, not '$2': see --help" ;; esac
}
all_targets() {
    local file
    for file in tests/fuzz/*.c; do
        file=${file##*/}
        [ "$file" = replay_main.c ] || echo "${file%.c}"
    done
}
while [ $# -gt 0 ]; do
    case $1 in
    --engine) engine=${2-} && shift ;;
    --seconds) number "$1" "${2-}" && seconds=$2 && shift ;;
    --jobs) number "$1" "${2-}" && jobs=$2 && shift ;;
    --keep) keep=yes ;;
    --seeds) seeds=yes ;;
    --list) all_targets; exit 0 ;;
    -h | --help) usage; exit 0 ;;
    -*) die "unknown option $1: see --help" ;;
    *)
        [ -r "tests/fuzz/$1.c" ] || die "there is no target $1: see --list"
        targets+=("$1")
        ;;
    esac
    shift
done
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(all_targets)

# How long one input may take, and what one allocation and all together may: far above what the
# largest input that is no finding needs.
input_seconds=20 malloc_mib=128 memory_mib=2048

# --- building ---

# build ENGINE: fuzz_TARGET of all targets into $build/bin; those that fail are in $unbuilt
build() {
    local compiler=clang target log
    build=${OXIDE_BUILD:-build-fuzz-$1}
    [ "$1" = libfuzzer ] || compiler=afl-clang-fast
    command -v "$compiler" > /dev/null ||
        die "no $compiler: apt-get install --no-install-recommends clang${1:+$([ "$1" = afl ] && echo ' afl++')}"
    mkdir -p "$build"
    log=$build/build.log
    echo "Building in $build/ ..."
    AFL_QUIET=1 cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
        -DCMAKE_C_COMPILER="$compiler" -DOXIDE_FUZZ=ON -DOXIDE_SANITIZE=address,undefined \
        > "$log" 2>&1 || { tail -n 20 "$log" >&2; die "configuring failed: all of it is in $log"; }
    unbuilt=' '
    for target in "${targets[@]}"; do
        AFL_QUIET=1 nice cmake --build "$build" -j "$jobs" --target "fuzz_$target" >> "$log" 2>&1 ||
            unbuilt+="$target "
    done
    [ "$unbuilt" = ' ' ] || say "not built, see $log:$unbuilt"
}

# --- running: each fills $build/work/TARGET and $build/findings/TARGET ---

count_files() { find "$1" -type f ! -name '.*' ! -name 'README.txt' 2> /dev/null | wc -l; }

# bounded COMMAND...: ends in time, and with us
bounded() {
    local status=0 child
    timeout -k 30 $((seconds + 600)) nice "$@" &
    child=$!
    trap 'kill "$child" 2> /dev/null' TERM
    wait "$child" || status=$?
    if [ "$status" -gt 128 ]; then # maybe it was our own wait that was cut short
        status=0
        wait "$child" || status=$?
    fi
    return "$status"
}

run_libfuzzer() { # TARGET
    local work=$build/work/$1
    mkdir -p "$work"
    bounded "$build/bin/fuzz_$1" -max_total_time="$seconds" \
        -timeout="$input_seconds" -rss_limit_mb="$memory_mib" -malloc_limit_mb="$malloc_mib" \
        -use_value_profile=1 -len_control=20 -print_final_stats=1 -verbosity=1 \
        -artifact_prefix="$build/findings/$1/" "$work" "tests/fuzz/corpus/$1" \
        > "$build/logs/$1" 2>&1
}

table_libfuzzer() { # TARGET: executions and edges
    local log=$build/logs/$1
    sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1
    sed -n 's/^#.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1
}

run_afl() { # TARGET
    local out=$build/work/$1 from=tests/fuzz/corpus/$1 status=0
    if [ -d "$out/default/queue" ]; then from=-; fi
    # afl-fuzz finds a crash by its signal, so sanitizers must raise one; leaks are libFuzzer's
    AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_NO_AFFINITY=1 AFL_FORKSRV_INIT_TMOUT=60000 \
        AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_CRASH_EXITCODE=99 AFL_FAST_CAL=1 \
        ASAN_OPTIONS=abort_on_error=1:symbolize=0:detect_leaks=0:max_allocation_size_mb=$malloc_mib \
        UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:symbolize=0 \
        bounded afl-fuzz -i "$from" -o "$out" -V "$seconds" -m none \
        -t $((input_seconds * 1000)) -- "$build/bin/fuzz_$1" > "$build/logs/$1" 2>&1 || status=$?
    find "$out/default/crashes" "$out/default/hangs" -name 'id:*' -newer "$build/logs/.begun" \
        -exec cp -t "$build/findings/$1/" {} + 2> /dev/null
    [ "$status" -eq 0 ] || [ "$(count_files "$build/findings/$1")" -gt 0 ] || return 1
}

table_afl() { # TARGET
    local stats=$build/work/$1/default/fuzzer_stats
    sed -n 's/^execs_done *: *//p' "$stats" 2> /dev/null
    sed -n 's/^edges_found *: *//p' "$stats" 2> /dev/null
}

run_one() { # TARGET: leaves its status in logs/TARGET.status
    local status=0 begun=$SECONDS
    mkdir -p "tests/fuzz/corpus/$1" "$build/findings/$1"
    "run_$engine" "$1" || status=$?
    echo "$status $((SECONDS - begun))" > "$build/logs/$1.status"
}

run_all() {
    local target
    mkdir -p "$build/logs" "$build/work" "$build/findings"
    rm -f "$build/logs"/*.status
    touch "$build/logs/.begun"
    for target in "${targets[@]}"; do
        [[ $unbuilt != *" $target "* ]] || continue
        while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
        [ $stopped = no ] || break
        echo "$target for $seconds s ..."
        run_one "$target" &
    done
    wait
}

# Interrupted: what runs is ended, and the table tells how far it came.
stopped=no
stop_all() {
    local pids
    stopped=yes
    mapfile -t pids < <(jobs -rp)
    [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2> /dev/null
    wait
}

# --- the end ---

# Prints the table; returns 1 for findings, 2 for what could not run.
print_table() {
    local target status took found numbers worst=0
    printf '\n%-20s %-10s %8s %12s %8s %9s\n' target engine seconds executions edges findings
    for target in "${targets[@]}"; do
        if [[ $unbuilt == *" $target "* ]]; then
            printf '%-20s %-10s not built\n' "$target" "$engine"
            worst=2
            continue
        fi
        if ! read -r status took 2> /dev/null < "$build/logs/$target.status"; then
            printf '%-20s %-10s not run\n' "$target" "$engine"
            worst=2
            continue
        fi
        found=$(find "$build/findings/$target" -type f -newer "$build/logs/.begun" | wc -l)
        mapfile -t numbers < <("table_$engine" "$target")
        printf '%-20s %-10s %8s %12s %8s %9s\n' "$target" "$engine" "$took" "${numbers[0]:--}" \
            "${numbers[1]:--}" "$found"
        if [ "$found" -gt 0 ]; then
            echo "    in $build/findings/$target, told in $build/logs/$target"
            [ $worst -eq 2 ] || worst=1
        elif [ "$status" -ne 0 ]; then
            echo "    ended with status $status: see $build/logs/$target"
            worst=2
        fi
    done
    return $worst
}

# keep_new TARGET PREFIX FOLDER...: add to the corpus what reaches more than it does. Small inputs
# only: the corpus is replayed with every test run. Needs the build for libFuzzer.
keep_new() {
    local target=$1 prefix=$2 corpus=tests/fuzz/corpus/$1 fresh=$build/fresh/$1 file added=0
    shift 2
    rm -rf "$fresh"
    mkdir -p "$fresh/in" "$fresh/out"
    find "$@" -type f -size -17k ! -name '.*' ! -name README.txt -print0 2> /dev/null |
        while IFS= read -r -d '' file; do
            cp "$file" "$fresh/in/$(sha256sum < "$file" | head -c 12)"
        done
    cp "$corpus"/* "$fresh/out/" 2> /dev/null
    timeout -k 30 3600 nice "$build/bin/fuzz_$target" -merge=1 -use_counters=0 -timeout="$input_seconds" \
        -rss_limit_mb="$memory_mib" "$fresh/out" "$fresh/in" > "$build/logs/$target.merge" 2>&1 ||
        { say "$target: merging failed: see $build/logs/$target.merge"; return 1; }
    for file in "$fresh/out"/*; do
        if [ ! -e "$corpus/${file##*/}" ]; then
            cp "$file" "$corpus/$prefix-$(sha256sum < "$file" | head -c 12)"
            added=$((added + 1))
        fi
    done
    echo "$target: $added inputs added to $corpus"
}

keep_all() {
    local target found=()
    if [ "$engine" != libfuzzer ]; then
        found=("$build/work")
        build libfuzzer
    fi
    mkdir -p "$build/logs"
    for target in "${targets[@]}"; do
        [[ $unbuilt != *" $target "* ]] || continue
        keep_new "$target" found "${found[0]:-$build/work}/$target"
    done
}

make_seeds() {
    local target from
    build libfuzzer
    mkdir -p "$build/logs"
    # an executable without sanitizers: what is wanted is patches, whatever a sanitizer says
    if ! { cmake -S . -B "$build/oxide" -DCMAKE_BUILD_TYPE=Release -DOXIDE_TESTS=OFF &&
        cmake --build "$build/oxide" -j "$jobs" --target oxide; } > "$build/logs/seeds" 2>&1; then
        die "oxide was not built: see $build/logs/seeds"
    fi
    rm -rf "$build/seeds"
    python3 tests/fuzz/seeds.py "$build/oxide/bin/oxide" "$build/seeds" || die "no seeds were made"
    for from in "$build/seeds"/*; do
        target=${from##*/}
        [[ " ${targets[*]} " == *" $target "* && $unbuilt != *" $target "* ]] || continue
        mkdir -p "tests/fuzz/corpus/$target"
        rm -f "tests/fuzz/corpus/$target"/seed-*
        keep_new "$target" seed "$from"
    done
}

if [ $seeds = yes ]; then
    make_seeds
    exit
fi
case $engine in libfuzzer | afl) ;; *) die "there is no engine '$engine': see --help" ;; esac
build "$engine"
trap 'stop_all' INT TERM
run_all
trap - INT TERM
status=0
print_table || status=$?
[ $keep = no ] || keep_all || status=2
exit $status
