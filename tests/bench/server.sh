#!/usr/bin/env bash
# Hold the control plane against its bars, beside nginx on the same cores in the same run.
# README.md tells what each figure means.
#
# usage: server.sh [OPTIONS]
#   --only STEP,...   some of the steps: heartbeats download range canary large bad kill (default: all)
#   --oxide PATH      the executable, a release build (default: build/bin/oxide)
#   --rounds N        of heartbeats and downloads; the median counts (default: 5)
#   --seconds N       that each round of heartbeats takes (default: 8)
#   --agents N        of the canary campaign (default: 10000)
#   --devices N       of the large registry (default: 100000)
#   --kills N         times that the server is killed (default: 200)
#   --out FILE        the report, Markdown (default: standard output)
#
# Exits 1 if a bar is missed. Needs Debian's packages nginx-light, wrk, curl, jq.
# shellcheck disable=SC2034 # options that the parts in server/ use
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
oxide=$here/../../build/bin/oxide
only=heartbeats,download,range,canary,large,bad,kill
rounds=5 seconds=8 agents=10000 devices=100000 kills=200
out=
missed=0

die() { printf 'server.sh: %s\n' "$*" >&2; exit 2; }
note() { printf 'server.sh: %s\n' "$*" >&2; }
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h) sed -n '2,/^# shell/s/^# \{0,1\}//p' "$0" | sed '$d'; exit 0 ;;
    --only | --oxide | --rounds | --seconds | --agents | --devices | --kills | --out)
        [ $# -ge 2 ] || die "$1 needs a value: see --help"
        printf -v "${1#--}" '%s' "$2"
        shift 2
        ;;
    *) die "unknown option $1: see --help" ;;
    esac
done
[ -x "$oxide" ] || die "no oxide at $oxide: build a release (cmake -B build -DCMAKE_BUILD_TYPE=Release && cmake --build build), or give --oxide"
for tool in nginx wrk curl jq; do
    command -v "$tool" > /dev/null || die "$tool is missing: apt-get install nginx-light wrk curl jq"
done
ulimit -n "$(ulimit -Hn)"

work=$(mktemp -d "${TMPDIR:-/tmp}/oxide-bench.XXXXXX")
report=$work/report.md
: > "$report"
. "$here/lib.sh"
trap 'finish_all; rm -rf "$work"' EXIT
for step in ${only//,/ }; do
    [ -f "$here/server/$step.sh" ] || die "no step $step: see --help"
    # shellcheck source=/dev/null
    . "$here/server/$step.sh"
done
for step in ${only//,/ }; do
    note "step $step"
    "${step}_step"
done
{
    printf '# The control plane beside nginx %s\n\n' "$(nginx -v 2>&1 | sed 's|.*/||')"
    cat "$report"
    printf '## Bars\n\n| name | bar | measured | met |\n|---|---|---|---|\n'
    printf '%s\n' "${bars[@]}"
} > "$work/whole.md"
if [ -n "$out" ]; then cp "$work/whole.md" "$out"; else cat "$work/whole.md"; fi
exit $missed
