#!/usr/bin/env bash
# Install what is missing, build with sanitizers, run every test.
set -eu
cd "$(dirname "$0")/.."

usage() {
    cat << 'EOF'
usage: tests/run.sh [--yes] [--fast] [--only REGEX] [--thread] [--clang] [--release]

  --yes         install missing packages without asking (OXIDE_YES=1 does the same)
  --fast        leave out the end-to-end tests
  --only REGEX  run the tests whose name matches, such as unit/wire or e2e/push
  --thread      ThreadSanitizer instead of AddressSanitizer and UndefinedBehaviourSanitizer
  --release     no sanitizers, a release build
  --clang       build with clang (which you install)

Builds in build-tests/ (or $OXIDE_BUILD). Exits 0 if every test passed.
EOF
}

fast=no only='' sanitize=address,undefined type=RelWithDebInfo suffix='' compiler=()
while [ $# -gt 0 ]; do
    case $1 in
    --yes) export OXIDE_YES=1 ;;
    --fast) fast=yes ;;
    --only)
        [ $# -gt 1 ] || { echo "tests/run.sh: --only needs a REGEX" >&2; exit 2; }
        only=$2
        shift
        ;;
    --thread) sanitize=thread suffix=$suffix-thread ;;
    --release) sanitize='' type=Release suffix=$suffix-release ;;
    --clang) compiler=(-DCMAKE_C_COMPILER=clang) suffix=$suffix-clang ;;
    -h | --help) usage; exit 0 ;;
    *) echo "tests/run.sh: unknown option $1: see tests/run.sh --help" >&2; exit 2 ;;
    esac
    shift
done
build=${OXIDE_BUILD:-build-tests$suffix}
jobs=$(nproc)

. src/packaging/packages.sh
need_packages build test

started=$SECONDS
mkdir -p "$build"
log=$build/build.log
echo "Building in $build/ (${sanitize:-no sanitizers}, $jobs jobs) ..."
if ! { cmake -S . -B "$build" -DCMAKE_BUILD_TYPE="$type" -DOXIDE_SANITIZE="$sanitize" \
    "${compiler[@]}" && cmake --build "$build" -j "$jobs"; } > "$log" 2>&1; then
    grep -E -A 8 'error|Error' "$log" | head -n 80 >&2 || tail -n 40 "$log" >&2
    echo "tests/run.sh: the build failed: all of it is in $log" >&2
    exit 1
fi
echo "Built in $((SECONDS - started)) s."

select=()
[ $fast = no ] || select+=(-LE e2e)
[ -z "$only" ] || select+=(-R "$only")
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0:exitcode=99}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
status=0
ctest --test-dir "$build" -j "$jobs" --output-on-failure --no-tests=error "${select[@]}" || status=$?
if [ $status -eq 0 ]; then
    echo "tests/run.sh: every test passed, $((SECONDS - started)) s in all."
else
    echo "tests/run.sh: tests failed: their output is above, and in $build/Testing/Temporary/LastTest.log" >&2
fi
exit $status
