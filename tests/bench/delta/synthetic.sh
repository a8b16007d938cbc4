# Parts of delta.sh: Gaussian pairs: bytes against the floor, speed of create and of apply.
# shellcheck shell=bash disable=SC2154,SC2034

dtypes="f32 bf16 f16 i8 q8_0 q4_0"
cases="head sparse n4 n3 n2 rows new same"
busy_cases="n4 n3 n2 rows" # every weight changed

# MB of patch for pairs of 32 MiB: what a prototype reached; the floor (the entropy of the difference
# given the base's exponent), - where none is known; at most so much.
synthetic_limits() {
    cat << 'END'
f32-n3	17.4	17.4	17.922
bf16-n4	0.70	0.68	0.7004
bf16-n3	2.89	2.85	2.9355
bf16-n2	8.29	8.20	8.446
f16-n2	14.5	14.3	14.729
i8-n2	5.09	-	5.09
q8_0-n2	6.79	-	6.79
bf16-rows	5.82	5.15	5.4
END
}
slow_pairs=" f32-n3 bf16-n3 f16-n2 "

suffix_of() { case $1 in q*) echo gguf ;; *) echo safetensors ;; esac; }

# synthetic_pair DTYPE CASE BASE TARGET: a row in $work/synth.tsv: name, dtype, case, full, bytes,
# create MB/s, decode MB/s, MB/s with digests, seconds of create.
synthetic_pair() {
    local name=$1-$2 base=$3 target=$4 full bytes create_s create_k
    full=$(size "$target")
    oxide_create "$base" "$target" "$work/patch"
    create_s=$took create_k=$peak
    bytes=$(size "$work/patch")
    run "$oxide" delta create "$base" "$target" -o "$work/patch.threads" "${over[@]}" --threads 8
    if ! cmp -s "$work/patch" "$work/patch.threads"; then
        note "$name: 8 threads give other bytes than one"
        other_bytes=$((other_bytes + 1))
    fi
    run "$oxide" delta create "$base" "$target" -o "$work/patch.threads" "${over[@]}"
    seen_create "$name" "$peak"
    run "$oxide" delta apply "$base" "$work/patch" -o "$work/rebuilt" --force
    cmp -s "$work/rebuilt" "$target" || die "oxide rebuilt other bytes for $name"
    seen_apply "$name" "$peak"
    rm -f "$work/rebuilt"
    decode "$base" "$work/patch"
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$name" "$1" "$2" "$full" "$bytes" \
        "$(rate "$full" "$create_s")" "$(rate "$full" "$decoded")" "$(rate "$full" "$applied")" \
        "$create_s" >> "$work/synth.tsv"
    printf '| %s | %s | %s | %s s, %s MB/s, %s MiB | %s MB/s | %s s | %s MB/s |\n' "$name" \
        "$(calc %.3f "$bytes / 1e6")" "$(limit_of "$name" "$bytes")" "$create_s" \
        "$(rate "$full" "$create_s")" "$(mib "$create_k")" "$(rate "$full" "$decoded")" "$digested" \
        "$(rate "$full" "$applied")" >> "$work/synth.md"
    note "$name: $bytes bytes, create $(rate "$full" "$create_s") MB/s, decode $(rate "$full" "$decoded") MB/s"
    if wanted synthetic && [ -n "$peers" ] && [[ $slow_pairs == *" $name "* ]]; then
        slow_peers "$name" "$base" "$target" "$create_s"
    fi
}

# limit_of NAME BYTES: cells: prototype, floor, bar; a bar in the table at the end too.
limit_of() {
    local prototype floor limit
    IFS=$'\t' read -r _ prototype floor limit < <(synthetic_limits | grep "^$1"$'\t') || true
    if [ -z "${limit:-}" ] || { [ -z "$synthetic" ] && [ "$mib" != 32 ]; }; then
        printf ' | |'
        return
    fi
    if wanted synthetic; then
        bar "synthetic $1, MB" "$limit" "$(calc %.4f "$2 / 1e6")" "$(at_most "$2" "$(calc %d "$limit * 1000000")")"
    fi
    printf '%s | %s | %s' "$prototype" "$floor" "$limit"
}

# slow_peers NAME BASE TARGET SECONDS: how many times faster oxide is than zstd -19 and bsdiff. They run
# once, perhaps on another day: their processor time counts, which cannot be longer for other work.
slow_peers() {
    local tool times
    for tool in zstd bsdiff; do
        peer "$tool" "$2" "$3"
        times=$(calc %.1f "$peer_create_cpu_s / $4")
        bar "synthetic $1: create, times as fast as $tool" 50 "$times ($peer_create_cpu_s s; $(commas "$peer_bytes") bytes)" \
            "$(at_least "$times" 50)"
    done
}

# speed_bar NAME COLUMN BAR DTYPES CASES: the slowest of these pairs.
speed_bar() {
    local slowest
    slowest=$(awk -F '\t' -v column="$2" -v dtypes=" $4 " -v cases=" $5 " \
        'index(dtypes, " " $2 " ") && index(cases, " " $3 " ") && (!name || $column < least) { least = $column; name = $1 }
         END { if (name) printf "%d %s", least, name }' "$work/synth.tsv")
    [ -z "$slowest" ] || bar "$1" "$3 MB/s" "${slowest%% *} MB/s, the slowest: ${slowest#* }" \
        "$(at_least "${slowest%% *}" "$3")"
}

synthetic_step() {
    local dtype name base target folder
    : > "$work/synth.tsv"; : > "$work/synth.md"
    other_bytes=0
    for dtype in $dtypes; do
        folder=${synthetic:-$work/synthetic}
        base=$folder/$dtype-base.$(suffix_of "$dtype")
        [ -n "$synthetic" ] || "$tools/make_pair" synthetic "$folder" "$mib" "$dtype" base
        for name in $cases; do
            matches "$dtype-$name" || continue
            if [ "$name" = same ]; then # nothing changed
                target=$base
            else
                target=$folder/$dtype-$name.$(suffix_of "$dtype")
                [ -n "$synthetic" ] || "$tools/make_pair" synthetic "$folder" "$mib" "$dtype" "$name"
            fi
            if [ -r "$target" ]; then
                synthetic_pair "$dtype" "$name" "$base" "$target"
            else
                note "no $target: left out"
            fi
            [ -n "$synthetic" ] || [ "$name" = same ] || rm -f "$target"
        done
        [ -n "$synthetic" ] || rm -f "$base"
    done
    [ -s "$work/synth.tsv" ] || return 0
    {
        printf '\n## Gaussian pairs of %s MB, one core\n\n' "$(awk -F '\t' '$4 > m { m = $4 } END { printf "%.1f", m / 1e6 }' "$work/synth.tsv")"
        printf '| pair | oxide, MB | prototype | floor | bar | create | decode | digests | decode and digests |\n'
        printf '|---|---:|---:|---:|---:|---|---|---|---|\n'
        cat "$work/synth.md"
        printf '\nDecode: apply into a file in memory, frame sums included, without the time inside the whole-file\n'
        printf 'SHA-256, which stands beside it (time_apply).\n'
    } >> "$report"
    if wanted synthetic; then
        speed_bar "create, default effort, all weights changed" 6 100 "$dtypes" "$busy_cases"
        bar "synthetic pairs: 1 and 8 threads, same bytes" "all pairs" "$other_bytes patches differ" \
            "$(at_most "$other_bytes" 0)"
    fi
    if wanted apply; then
        speed_bar "decode, every weight changed: f32 bf16 f16" 7 500 "f32 bf16 f16" "$busy_cases new"
        speed_bar "decode, every weight changed: i8 q8_0" 7 250 "i8 q8_0" "$busy_cases new"
        speed_bar "decode, nothing changed" 7 1000 "$dtypes" same
    fi
}
