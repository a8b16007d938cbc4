#!/usr/bin/env bash
# Measure oxide's deltas beside zstd, xdelta3 and bsdiff, in one run, on real model versions.
#
# usage: delta.sh [--oxide PATH] [--tools DIR] [--models DIR] [--out FILE] [--only WORD]
#                 [--threads N] [--large GIB] [--no-peers]
#
# Pairs: those of DIR/pairs.tsv (default: ../shared/models beside the repository, if it is there), and
# pairs of this bench's own, made by make_model. Every patch is applied and compared. Seconds are wall
# time; memory is the peak resident set as /usr/bin/time reports it. --large N also patches a pair of N GiB
# that differs in places, to show memory. Needs Debian's packages time, zstd, xdelta3 and bsdiff.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
oxide=$root/build/bin/oxide
tools=
models=$root/../shared/models
out=/dev/stdout
only=
threads=1
large=0
peers="zstd xdelta3 bsdiff"

die() { printf 'delta.sh: %s\n' "$*" >&2; exit 2; }
while [ $# -gt 0 ]; do
    case $1 in
    --oxide) oxide=$2; shift 2 ;;
    --tools) tools=$2; shift 2 ;;
    --models) models=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --only) only=$2; shift 2 ;;
    --threads) threads=$2; shift 2 ;;
    --large) large=$2; shift 2 ;;
    --no-peers) peers=; shift ;;
    --help | -h) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) die "unknown option $1: see --help" ;;
    esac
done
tools=${tools:-$(dirname "$oxide")}
[ -x "$oxide" ] || die "no oxide at $oxide: build it (cmake -B build && cmake --build build) or give --oxide"
[ -x /usr/bin/time ] || die "/usr/bin/time is missing: apt-get install time"
for peer in $peers; do
    command -v "$peer" > /dev/null || die "$peer is missing: apt-get install $peer"
done

work=$(mktemp -d "${TMPDIR:-/tmp}/oxide-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT

# run COMMAND...: leaves wall seconds in $took and peak KiB in $peak.
run() {
    local begin=$EPOCHREALTIME
    /usr/bin/time -q -o "$work/time" -f '%M' "$@" > "$work/stdout" 2> "$work/stderr" || {
        printf 'delta.sh: failed: %s\n' "$*" >&2
        cat "$work/stderr" >&2
        exit 1
    }
    took=$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.3f", b - a }')
    peak=$(tail -n 1 "$work/time")
}

# One tool, one way: TOOL_create BASE TARGET PATCH, TOOL_apply BASE PATCH OUT.
oxide_create() { run "$oxide" delta create "$1" "$2" -o "$3" --threads "$threads"; }
oxide_apply() { run "$oxide" delta apply "$1" "$2" -o "$3"; }
zstd_create() { run zstd -q -f -19 --long=31 --single-thread --patch-from="$1" "$2" -o "$3"; }
zstd_apply() { run zstd -q -f -d --long=31 --memory=2048MB --patch-from="$1" "$2" -o "$3"; }
xdelta3_create() { run xdelta3 -f -9 -e -s "$1" "$2" "$3"; }
xdelta3_apply() { run xdelta3 -f -d -s "$1" "$2" "$3"; }
bsdiff_create() { run bsdiff "$1" "$2" "$3"; }
bsdiff_apply() { run bspatch "$1" "$3" "$2"; }

rate() { awk -v n="$1" -v s="$2" 'BEGIN { printf "%.0f", (s > 0 ? n / s / 1e6 : 0) }'; }
mib() { awk -v k="$1" 'BEGIN { printf "%.1f", k / 1024 }'; }

sizes=$work/sizes.md
times=$work/times.md
ratios=$work/ratios
: > "$sizes"; : > "$times"; : > "$ratios"

# pair NAME BASE TARGET
pair() {
    local name=$1 base=$2 target=$3 full best='' row cells tool bytes create_s create_k apply_s apply_k
    [ -z "$only" ] || [[ $name == *"$only"* ]] || return 0
    full=$(stat -c %s "$target")
    row="| $name | $full |"
    cells="| $name |"
    for tool in oxide $peers; do
        "${tool}_create" "$base" "$target" "$work/patch"; create_s=$took; create_k=$peak
        rm -f "$work/rebuilt"
        "${tool}_apply" "$base" "$work/patch" "$work/rebuilt"; apply_s=$took; apply_k=$peak
        cmp -s "$work/rebuilt" "$target" || die "$tool rebuilt other bytes for $name"
        bytes=$(stat -c %s "$work/patch")
        row="$row $bytes |"
        cells="$cells $create_s s, $(rate "$full" "$create_s") MB/s, $(mib "$create_k") MiB | $apply_s s, $(rate "$full" "$apply_s") MB/s, $(mib "$apply_k") MiB |"
        if [ "$tool" = oxide ]; then
            ours=$bytes
        elif [ -z "$best" ] || [ "$bytes" -lt "$best" ]; then
            best=$bytes
        fi
    done
    if [ -n "$best" ]; then
        printf '%s %s %s\n' "$ours" "$best" "$name" >> "$ratios"
        row="$row $(awk -v a="$ours" -v b="$best" 'BEGIN { printf "%.3f", a / b }') |"
    fi
    printf '%s\n' "$row" >> "$sizes"
    printf '%s\n' "$cells" >> "$times"
    printf '%s\n' "$name done" >&2
}

if [ -r "$models/pairs.tsv" ]; then
    while IFS=$'\t' read -r family base target _; do
        [ "$family" = family ] && continue
        pair "${family##*/} $base -> $target" "$models/$family/$base" "$models/$family/$target"
    done < "$models/pairs.tsv"
else
    printf 'delta.sh: no %s/pairs.tsv: only our own pairs are measured\n' "$models" >&2
fi

make_model=$tools/make_model
if [ -x "$make_model" ]; then
    for format in onnx safetensors gguf; do
        "$make_model" "$format" v1 "$work/base.$format" > /dev/null
        for variant in v2-head v3-finetune v4-retrain v5-prune; do
            "$make_model" "$format" "$variant" "$work/target.$format" > /dev/null
            pair "own $format v1 -> $variant" "$work/base.$format" "$work/target.$format"
        done
    done
    "$make_model" random 16777216 "$work/base.bin" --seed 1 > /dev/null
    "$make_model" mutate "$work/base.bin" "$work/target.bin" --seed 2 --edits 200 > /dev/null
    pair "own random 16 MiB, 200 edits" "$work/base.bin" "$work/target.bin"
else
    printf 'delta.sh: no %s: our own pairs are left out\n' "$make_model" >&2
fi

{
    printf 'oxide with %s thread(s), default engine; zstd -19 --long=31 --patch-from; xdelta3 -9; bsdiff\n\n' "$threads"
    printf '| pair | full | oxide |'; for p in $peers; do printf ' %s |' "$p"; done
    [ -z "$peers" ] || printf ' oxide / best peer |'
    printf '\n|---|---|---|'; for p in $peers; do printf -- '---|'; done
    [ -z "$peers" ] || printf -- '---|'
    printf '\n'; cat "$sizes"
    printf '\n| pair | oxide create | oxide apply |'
    for p in $peers; do printf ' %s create | %s apply |' "$p" "$p"; done
    printf '\n|---|---|---|'; for p in $peers; do printf -- '---|---|'; done
    printf '\n'; cat "$times"
    if [ -s "$ratios" ]; then
        awk '{ s += log($1 / $2); n++; if ($1 > $2 + 192) { over++; name = $0; sub(/^[0-9]+ [0-9]+ /, "", name); names = names "\n  " name ": " $1 " against " $2 } }
             END { printf "\npatch bytes over the best peer: geometric mean %.3f over %d pairs; %d pairs larger by more than 192 bytes%s\n", exp(s / n), n, over, names }' "$ratios"
    fi
    if [ "$large" -gt 0 ]; then
        base=$work/large-base target=$work/large-target
        truncate -s "${large}G" "$base"
        for at in 1 300 900; do
            head -c 8388608 /dev/urandom | dd of="$base" bs=1M seek=$((at * large / 1)) conv=notrunc status=none
        done
        cp --sparse=always "$base" "$target"
        for at in 2 301 901; do
            printf 'changed' | dd of="$target" bs=1M seek=$((at * large / 1)) conv=notrunc status=none
        done
        oxide_create "$base" "$target" "$work/patch"
        printf '\n%s GiB, changed in places: patch %s bytes; create %s s, %s MiB' "$large" "$(stat -c %s "$work/patch")" "$took" "$(mib "$peak")"
        rm -f "$work/rebuilt"
        oxide_apply "$base" "$work/patch" "$work/rebuilt"
        printf '; apply %s s, %s MiB\n' "$took" "$(mib "$peak")"
        cmp -s "$work/rebuilt" "$target" || die "oxide rebuilt other bytes for the large pair"
    fi
} > "$out"
