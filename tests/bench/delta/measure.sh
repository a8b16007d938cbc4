# Parts of delta.sh: running a program under the clock, and oxide itself.
# shellcheck shell=bash disable=SC2154,SC2034 # variables that cross between the parts

core=$(taskset -cp $$ | sed 's/.*[ ,-]//') # the last one that we may use

# run COMMAND...: leaves seconds in $took, by the clock that --clock names, those by the wall in $wall
# and those of processor time in $cpu, and peak resident KiB in $peak; its output in $work/stdout.
run() {
    local begin=$EPOCHREALTIME TIMEFORMAT='%3U %3S'
    { time /usr/bin/time -q -o "$work/time" -f '%M' "$@" > "$work/stdout" 2> "$work/stderr"; } \
        2> "$work/cpu" || {
        cat "$work/stderr" >&2
        die "failed: $*"
    }
    wall=$(calc %.4f "$EPOCHREALTIME - $begin")
    cpu=$(awk '{ print $1 + $2 }' "$work/cpu")
    took=${!clock}
    peak=$(tail -n 1 "$work/time")
}

# fastest COMMAND...: as run, the fastest of $repeat runs on one core, and the highest of their peaks.
# A run of seconds is not repeated.
fastest() {
    local best='' most=0 i
    for ((i = 0; i < repeat; i++)); do
        run taskset -c "$core" "$@"
        if [ -z "$best" ] || is_less "$took" "$best"; then best=$took; fi
        if ((peak > most)); then most=$peak; fi
        if is_less 3 "$took"; then break; fi
    done
    took=$best peak=$most
}

is_less() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a < b) }'; }
calc() { awk "BEGIN { printf \"$1\", $2 }"; } # FORMAT EXPRESSION
rate() { awk -v n="$1" -v s="$2" 'BEGIN { printf "%.0f", (s > 0 ? n / s / 1e6 : 0) }'; } # MB/s
mib() { awk -v k="$1" 'BEGIN { printf "%.1f", k / 1024 }'; }
size() { stat -Lc %s "$1"; }
commas() { sed -E ':a; s/^([0-9]+)([0-9]{3})/\1,\2/; ta' <<< "$1"; }

has_option() { "$oxide" delta create --help | grep -q -- "$1"; }
has_effort=false
! has_option '--effort' || has_effort=true
has_pool=false
! has_option '--format .*pool' || has_pool=true

# A patch is made several times under one name; an older oxide replaces it unasked.
over=()
! has_option '--force' || over=(--force)

# Patches at the default effort and at 9; where oxide knows no --effort, both are the default.
effort9=()
! $has_effort || effort9=(--effort 9)

create_peak=0 create_peak_of=''
apply_peak=0 apply_peak_of=''
# Remember the highest peak: seen_create NAME KIB, seen_apply NAME KIB.
seen_create() { if (($2 > create_peak)); then create_peak=$2 create_peak_of=$1; fi; }
seen_apply() { if (($2 > apply_peak)); then apply_peak=$2 apply_peak_of=$1; fi; }

# oxide_create BASE TARGET PATCH [OPTION...]: on one core.
oxide_create() { fastest "$oxide" delta create "$1" "$2" -o "$3" "${over[@]}" --threads 1 "${@:4}"; }
# oxide_apply NAME BASE PATCH TARGET: compares, and remembers the peak.
oxide_apply() {
    rm -rf "$work/rebuilt"
    fastest "$oxide" delta apply "$2" "$3" -o "$work/rebuilt" --force
    diff -rq "$work/rebuilt" "$4" > /dev/null || die "oxide rebuilt other bytes for $1"
    rm -rf "$work/rebuilt"
    seen_apply "$1" "$peak"
}

# decode BASE PATCH: leaves seconds of apply without the whole-file digests in $decoded, with them in
# $applied, and inside them in $digested.
decode() {
    rm -f "$work/rebuilt"
    run taskset -c "$core" "$tools/time_apply" "$1" "$2" "$work/rebuilt" "$repeat"
    if [ "$clock" = wall ]; then
        read -r _ applied digested _ < "$work/stdout"
    else
        read -r _ _ _ applied digested _ < "$work/stdout"
    fi
    decoded=$(calc %.6f "$applied - $digested")
}

describe() {
    printf '# oxide delta, measured\n\n'
    "$oxide" --version | head -n 1
    printf '%s, %s processors; %s\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
        "$(nproc)" "$(uname -sr)"
    printf 'Seconds by the %s clock; load average at the end %s.\n' "$clock" "$(cut -d ' ' -f 1-3 /proc/loadavg)"
    printf 'oxide on one core unless said otherwise, the fastest of %s runs; ' "$repeat"
    describe_peers
}
