# Parts of delta.sh: memory and patch sizes on pairs of many GiB.
# shellcheck shell=bash disable=SC2154,SC2034

# Base and target of a case; the format is for make_pair: bf16 (a model) or bytes (no format).
memory_cases="bf16:sparse bytes:change1 bytes:insert1 bf16:insert1"

create_limit_k() { [ "$1" = pool ] && echo 65536 || echo 262144; }
patch_limit() { [ "$1" = pool ] && echo 5242879 || echo 262143; } # "under"

# large_pair GIB KIND CASE FORMAT: create into a file and into a pipe, apply, compare.
large_pair() {
    local name="$1 GiB $2 $3 $4" base=$disk/base target=$disk/target bytes create_s create_k pipe_k
    local options=(--threads 4) # the most that oxide takes unless told
    [ "$4" != pool ] || options+=(--format pool)
    run "$oxide" delta create "$base" "$target" -o "$disk/patch" "${over[@]}" "${options[@]}"
    create_s=$took create_k=$peak
    bytes=$(size "$disk/patch")
    /usr/bin/time -q -o "$work/time" -f '%M' "$oxide" delta create "$base" "$target" -o - \
        "${options[@]}" 2> "$work/stderr" | cmp -s - "$disk/patch" ||
        die "$name: a pipe gets another patch than a file: $(tail -n 1 "$work/stderr")"
    pipe_k=$(tail -n 1 "$work/time")
    rm -f "$disk/rebuilt"
    run "$oxide" delta apply "$base" "$disk/patch" -o "$disk/rebuilt"
    cmp -s "$disk/rebuilt" "$target" || die "oxide rebuilt other bytes for $name"
    rm -f "$disk/rebuilt" "$disk/patch"
    printf '| %s | %s | %s s, %s MiB | %s MiB | %s s, %s MiB |\n' "$name" "$(commas "$bytes")" \
        "$create_s" "$(mib "$create_k")" "$(mib "$pipe_k")" "$took" "$(mib "$peak")" >> "$work/large.md"
    if ((pipe_k > create_k)); then create_k=$pipe_k; fi
    bar "$name: memory of create" "$(mib "$(create_limit_k "$4")") MiB" "$(mib "$create_k") MiB" \
        "$(at_most "$create_k" "$(create_limit_k "$4")")"
    bar "$name: memory of apply" "16 MiB" "$(mib "$peak") MiB" "$(at_most "$peak" 16384)"
    [ "$3" = sparse ] || bar "$name: patch bytes" "$(commas "$(patch_limit "$4")")" \
        "$(commas "$bytes")" "$(at_most "$bytes" "$(patch_limit "$4")")"
    note "$name: $bytes bytes, create $(mib "$create_k") MiB in $create_s s, apply $(mib "$peak") MiB in $took s"
}

# enough_disk GIB N: is there room for N files more? Base, target and what is rebuilt lie on the disk
# at once; a POOL patch of sparse changes, too.
enough_disk() {
    local free
    free=$(df --output=avail -B 1G "$disk" | tail -n 1)
    [ "$free" -gt $(($1 * $2 + 1)) ] || { note "$disk has $free GiB free, $2 x $1 GiB are wanted"; return 1; }
}

memory_step() {
    local gib entry kind name format made
    : > "$work/large.md"
    if [ -z "$large" ]; then
        bar "memory of create and apply on pairs of 8 and 20 GiB" "" "" "skipped: --large 8,20"
        return
    fi
    for gib in ${large//,/ }; do
        made=''
        for entry in $memory_cases; do
            kind=${entry%:*} name=${entry#*:}
            matches "$kind $name" || continue
            if [ "$made" != "$kind" ]; then
                rm -f "$disk/base"
                made=''
            fi
            if ! enough_disk "$gib" "$([ -n "$made" ] && echo 2 || echo 3)"; then
                bar "$gib GiB $kind $name" "" "" "skipped: disk"
                continue
            fi
            if [ -z "$made" ]; then
                "$tools/make_pair" large "$kind" base "$gib" "$disk/base"
                made=$kind
            fi
            "$tools/make_pair" large "$kind" "$name" "$gib" "$disk/target"
            for format in oxdl pool; do
                if [ $format = pool ] && ! $has_pool; then
                    bar "$gib GiB $kind $name pool" "64 MiB, 16 MiB" "" "no --format pool yet"
                elif [ $format = pool ] && [ "$name" = sparse ] && ! enough_disk "$gib" 2; then
                    bar "$gib GiB $kind $name pool" "64 MiB, 16 MiB" "" "skipped: disk"
                else
                    large_pair "$gib" "$kind" "$name" $format
                fi
            done
            rm -f "$disk/target"
        done
        rm -f "$disk/base"
    done
    [ -s "$work/large.md" ] || return 0
    {
        printf '\n## Large pairs, 4 threads\n\n| pair | patch bytes | create | create into a pipe | apply |\n|---|---:|---|---|---|\n'
        cat "$work/large.md"
    } >> "$report"
}
