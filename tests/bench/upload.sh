#!/usr/bin/env bash
# Publish one large file and tell the server's peak resident memory; fails over 64 MiB.
# usage: upload.sh [--oxide PATH] [--gib N]     (default: 5 GiB; needs twice that of disk at the most)
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
oxide=$root/build/bin/oxide
gib=5
while [ $# -gt 0 ]; do
    case $1 in
    --oxide) oxide=$2; shift 2 ;;
    --gib) gib=$2; shift 2 ;;
    *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 2 ;;
    esac
done
work=$(mktemp -d "${TMPDIR:-/tmp}/oxide-bench.XXXXXX")
server=
trap '[ -z "$server" ] || { kill "$server" && wait "$server"; } || true; rm -rf "$work"' EXIT

truncate -s "${gib}G" "$work/large"
head -c 1048576 /dev/urandom | dd of="$work/large" bs=1M seek=$((gib * 512)) conv=notrunc status=none
"$oxide" serve --listen 127.0.0.1:0 --data "$work/data" > "$work/ready" 2> "$work/log" &
server=$!
for ((i = 0; i < 100; i++)); do
    url=$(sed -n 's/^listening on //p' "$work/ready")
    [ -z "$url" ] || break
    sleep 0.1
done
begin=$EPOCHREALTIME
"$oxide" push large v1 "$work/large" --server "$url" > /dev/null 2>&1
peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$server/status")
awk -v k="$peak" -v g="$gib" -v a="$begin" -v b="$EPOCHREALTIME" \
    'BEGIN { printf "%d GiB published in %.1f s; server: %.1f MiB resident at the most\n", g, b - a, k / 1024; exit !(k <= 65536) }'
