#!/usr/bin/env bash
# Hold the device agent against its bars. README.md tells what each figure means.
#
# usage: agent.sh [OPTIONS]
#   --only STEP,...   some of the steps: resume large lossy spells activations rollback idle consumer
#                     (default: all; large wants 60 GiB of free disk)
#   --oxide PATH      the executable, a release build with its tests' tools beside it
#                     (default: build/bin/oxide)
#   --kills N         of the resumed download (default: 20)
#   --mib N           that it has, in MiB (default: 1024)
#   --gib N           of the large model (default: 20)
#   --activations N   beside readers (default: 10000)
#   --rollbacks N     after a failed check (default: 100)
#   --seconds N       of each part of the consumer's run (default: 100)
#   --dir DIR         where to work (default: TMPDIR, or /tmp)
#   --out FILE        the report, Markdown (default: standard output)
#
# Exits 1 if a bar is missed. Needs root (network namespaces), and Debian's packages curl, jq,
# python3, iproute2, nftables, strace.
# shellcheck disable=SC2034 # options that the parts in agent/ use
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
oxide=$here/../../build/bin/oxide
only=resume,large,lossy,spells,activations,rollback,idle,consumer
kills=20 mib=1024 gib=20 activations=10000 rollbacks=100 seconds=100
dir=${TMPDIR:-/tmp}
out=
missed=0

die() { printf 'agent.sh: %s\n' "$*" >&2; exit 2; }
note() { printf 'agent.sh: %s\n' "$*" >&2; }
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h) sed -n '2,/^# shell/s/^# \{0,1\}//p' "$0" | sed '$d'; exit 0 ;;
    --only | --oxide | --kills | --mib | --gib | --activations | --rollbacks | --seconds | --dir | --out)
        [ $# -ge 2 ] || die "$1 needs a value: see --help"
        printf -v "${1#--}" '%s' "$2"
        shift 2
        ;;
    *) die "unknown option $1: see --help" ;;
    esac
done
[ -x "$oxide" ] || die "no oxide at $oxide: build a release (cmake -B build -DCMAKE_BUILD_TYPE=Release && cmake --build build), or give --oxide"
oxide=$(readlink -f "$oxide")
tools=$(dirname "$oxide")
for tool in curl jq python3 ip tc nft strace; do
    command -v "$tool" > /dev/null || die "$tool is missing: apt-get install curl jq python3 iproute2 nftables strace"
done

work=$(mktemp -d "$dir/oxide-bench.XXXXXX")
report=$work/report.md
: > "$report"
. "$here/lib.sh"
. "$here/agent/device.sh"
trap 'finish_all; leave_network; rm -rf "$work"' EXIT
for step in ${only//,/ }; do
    [ -f "$here/agent/$step.sh" ] && [ "$step" != device ] || die "no step $step: see --help"
    # shellcheck source=/dev/null
    . "$here/agent/$step.sh"
done
for step in ${only//,/ }; do
    note "step $step"
    "${step}_step"
done
{
    printf '# The device agent\n\n'
    cat "$report"
    printf '## Bars\n\n| name | bar | measured | met |\n|---|---|---|---|\n'
    printf '%s\n' "${bars[@]}"
} > "$work/whole.md"
if [ -n "$out" ]; then cp "$work/whole.md" "$out"; else cat "$work/whole.md"; fi
exit $missed
