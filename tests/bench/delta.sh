#!/usr/bin/env bash
# Measure oxide's deltas beside zstd, xdelta3, bsdiff and HDiffPatch in one run, and hold them
# against the bars that the project has set itself. README.md tells what each figure means.
#
# usage: delta.sh [OPTIONS]
#   --only STEP,...    some of the steps: pairs own synthetic apply memory (default: all of them)
#   --match REGEX      of the pairs, only those whose name matches
#   --oxide PATH       the executable (default: build/bin/oxide)
#   --tools DIR        where make_model, make_pair and time_apply are (default: beside oxide)
#   --models DIR       real versions with a pairs.tsv (default: ../shared/models by the repository)
#   --synthetic DIR    Gaussian pairs made before, DTYPE-CASE.SUFFIX (default: made by make_pair)
#   --mib N            size of those that make_pair makes (default: 32, what the bars are for)
#   --large GIB,...    sizes of the pairs of the memory step (default: none, the step is skipped)
#   --repeat N         times that oxide runs; the fastest counts (default: 3; peers run once)
#   --clock wall|cpu   seconds by the wall (default), or of processor time, for a busy machine
#   --cache DIR        keep the peers' figures here, by digests of the files and of the peer
#   --no-peers         without peers; the issue's own figures of them still count where there are any
#   --out FILE         the report, Markdown (default: standard output)
#
# Every patch is applied and what it rebuilds compared. Needs Debian's packages time, zstd, xdelta3,
# bsdiff; hdiffz and hpatchz are used where they are found.

# shellcheck disable=SC2034 # options that the parts in delta/ use
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
oxide=$root/build/bin/oxide
tools=
models=$root/../shared/models
out=/dev/stdout
only=pairs,own,synthetic,apply,memory
match=
synthetic=
mib=32
large=
repeat=3
clock=wall
cache=
peers="zstd xdelta3 bsdiff"

die() { printf 'delta.sh: %s\n' "$*" >&2; exit 2; }
note() { printf 'delta.sh: %s\n' "$*" >&2; }
while [ $# -gt 0 ]; do
    case $1 in
    --no-peers) peers=; shift; continue ;;
    --help | -h) sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; exit 0 ;;
    esac
    [ $# -ge 2 ] || die "$1: unknown, or its value is missing: see --help"
    case $1 in
    --oxide) oxide=$2 ;;
    --tools) tools=$2 ;;
    --models) models=$2 ;;
    --out) out=$2 ;;
    --only) only=$2 ;;
    --match) match=$2 ;;
    --synthetic) synthetic=$2 ;;
    --mib) mib=$2 ;;
    --large) large=$2 ;;
    --repeat) repeat=$2 ;;
    --clock) clock=$2 ;;
    --cache) cache=$2 ;;
    *) die "unknown option $1: see --help" ;;
    esac
    shift 2
done
for step in ${only//,/ }; do
    case $step in
    pairs | own | synthetic | apply | memory) ;;
    *) die "no step $step: see --help" ;;
    esac
done
[ "$clock" = wall ] || [ "$clock" = cpu ] || die "--clock is wall or cpu, not $clock"
wanted() { [[ ,$only, == *",$1,"* ]]; }
matches() { [[ $1 =~ $match ]]; }

tools=${tools:-$(dirname "$oxide")}
[ -x "$oxide" ] || die "no oxide at $oxide: build it (cmake -B build && cmake --build build) or give --oxide"
for tool in make_model make_pair time_apply; do
    [ -x "$tools/$tool" ] || die "no $tool in $tools: build it, or give --tools"
done
for tool in /usr/bin/time taskset $peers; do
    command -v "$tool" > /dev/null || die "$tool is missing: apt-get install $(basename "$tool") (taskset: util-linux)"
done
if [ -n "$peers" ] && command -v hdiffz > /dev/null && command -v hpatchz > /dev/null; then
    peers="$peers hdiffz"
fi

# Small files lie in memory, so that disks are not measured; the memory step's do not fit there.
room=/dev/shm
[ -w $room ] || room=${TMPDIR:-/tmp}
work=$(mktemp -d "$room/oxide-bench.XXXXXX")
disk=$(mktemp -d "${TMPDIR:-/tmp}/oxide-bench.XXXXXX")
trap 'rm -rf "$work" "$disk"' EXIT

for part in measure peers bars pairs synthetic memory; do
    # shellcheck source=/dev/null
    . "$here/delta/$part.sh"
done

report=$work/report.md
: > "$report"
if wanted pairs; then pairs_step; fi
if wanted own; then own_step; fi
if wanted synthetic || wanted apply; then synthetic_step; fi
if wanted memory; then memory_step; fi
peaks_bars
{
    describe
    cat "$report"
    print_bars
} > "$out"
