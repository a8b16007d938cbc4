# Parts of delta.sh: pairs of real versions, and pairs of this bench's own, beside all peers.
# shellcheck shell=bash disable=SC2154,SC2034

peer_names="zstd xdelta3 bsdiff hdiffz"

# Effort, pair, patch bytes at most: so many, times so much ("full": of the whole file).
# Those at effort 9 are absolute; the others are the smaller of the two best figures known before
# (integer subtraction with planes and zstd -19; the entropy of the difference given the base's
# exponent), and 3 %.
named_limits() {
    cat << 'END'
9	cnn v1.onnx v4-adam.onnx	580000	1
9	mlp v1.onnx v4-adam.onnx	286000	1
9	mlp v1.onnx v3-sgd.onnx	170000	1
9	lm v1-bf16.safetensors v3-ft-bf16.safetensors	206000	1
default	cnn v1.onnx v4-adam.onnx	582814	1.03
default	mlp v1.onnx v4-adam.onnx	294814	1.03
default	lm v1-f32.safetensors v3-ft-f32.safetensors	1482449	1.03
default	lm v1-bf16.safetensors v3-ft-bf16.safetensors	202477	1.03
default	lm v1-f16.safetensors v3-ft-f16.safetensors	415661	1.03
default	lm v1-bf16.safetensors v5-lora-bf16.safetensors	602709	1.03
default	cnn v1-int8.onnx v4-adam-int8.onnx	12767	1.03
default	cnn v1.onnx v7-prune.onnx	full	0.02
default	mlp v1.onnx v7-prune.onnx	full	0.02
default	lm v1-f32.safetensors v1-bf16.safetensors	full	0.02
END
}

# Real versions of a MB and more in which every weight changed: the bars of speed are for them, too.
# Noise, of which the synthetic pairs are made, has no structure that a slow coder would pay for.
busy='^(cnn v1.onnx v[456]-|lm v1-(f32|bf16|f16).safetensors v[34]-)'

# same_bytes NAME BASE TARGET PATCH [OPTION...]: 8 threads, and as many as are the default, give the
# same patch as one.
same_bytes() {
    local threads
    for threads in "--threads 8" ""; do
        # shellcheck disable=SC2086 # two words, or none
        run "$oxide" delta create "$2" "$3" -o "$work/patch.threads" "${over[@]}" $threads "${@:5}"
        if ! cmp -s "$4" "$work/patch.threads"; then
            note "$1: ${threads:-the default threads} ${*:5}: other bytes than one thread"
            other_bytes=$((other_bytes + 1))
        fi
    done
    seen_create "$1" "$peak"
}

# flatten FOLDER: its files one after the other.
flatten() { (cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 cat); }

# pair NAME BASE TARGET FAMILY FILE: a row in $rows (name, full, default, effort 9, best peer) and one
# in each table; in $speeds, too, if it is a busy one (name; MB/s of create and of decode; times as fast
# as zstd, as bsdiff).
pair() {
    local name=$1 base=$2 target=$3 full small='' tool shown bytes row times first second speed='' create_s
    local peer_base=$2 peer_target=$3
    matches "$name" || return 0
    if [ -d "$base" ]; then
        peer_base=$work/base.flat peer_target=$work/target.flat
        flatten "$base" > "$peer_base"
        flatten "$target" > "$peer_target"
    fi
    full=$(size "$peer_target")
    oxide_create "$base" "$target" "$work/patch"
    first=$(size "$work/patch") create_s=$took
    times="| $name | $took s, $(mib "$peak") MiB |"
    oxide_apply "$name" "$base" "$work/patch" "$target"
    shown="$took s, $(mib "$peak") MiB"
    same_bytes "$name" "$base" "$target" "$work/patch"
    if [[ $name =~ $busy ]]; then
        decode "$base" "$work/patch"
        speed="$name"$'\t'$(rate "$full" "$create_s")$'\t'$(rate "$full" "$decoded")
    fi
    second=$first
    if $has_effort; then
        oxide_create "$base" "$target" "$work/patch" "${effort9[@]}"
        second=$(size "$work/patch")
        times="$times $took s, $(mib "$peak") MiB |"
        oxide_apply "$name at effort 9" "$base" "$work/patch" "$target"
        same_bytes "$name at effort 9" "$base" "$target" "$work/patch" "${effort9[@]}"
    else
        times="$times |"
    fi
    times="$times $shown |"
    row="| $name | $(commas "$full") | $(commas "$first") | $(commas "$second") |"
    for tool in $peer_names; do
        if [[ " $peers " == *" $tool "* ]]; then
            peer "$tool" "$peer_base" "$peer_target"
            bytes=$peer_bytes shown=$(commas "$bytes")
            if [ -n "$speed" ] && [[ $tool == zstd || $tool == bsdiff ]]; then
                speed=$speed$'\t'$(calc %.1f "$peer_create_cpu_s / $create_s")
            fi
            times="$times $peer_create_s s, $(mib "$peer_create_k") MiB; $peer_apply_s s, $(mib "$peer_apply_k") MiB |"
        else
            bytes=$(noted_peer "$tool" "$4" "$5") shown=''
            times="$times |"
            [ -z "$bytes" ] || { shown="$(commas "$bytes")*"; noted_peers=$((noted_peers + 1)); }
        fi
        row="$row $shown |"
        if [ -n "$bytes" ] && { [ -z "$small" ] || [ "$bytes" -lt "$small" ]; }; then small=$bytes; fi
    done
    row="$row $([ -z "$small" ] || calc %.3f "$second / $small") |"
    printf '%s\t%s\t%s\t%s\t%s\n' "$name" "$full" "$first" "$second" "${small:-0}" >> "$rows"
    [ -z "$speed" ] || printf '%s\n' "$speed" >> "$speeds"
    printf '%s\n' "$row" >> "$work/sizes.md"
    printf '%s\n' "$times" >> "$work/times.md"
    note "$name: $first, $second; best peer ${small:-unknown}"
}

begin_rows() {
    rows=$work/rows.tsv speeds=$work/speeds.tsv other_bytes=0
    : > "$rows"; : > "$speeds"; : > "$work/sizes.md"; : > "$work/times.md"
}

print_rows() {
    local tool
    printf '\n## %s: patch bytes\n\n' "$1"
    printf '| pair | full | oxide | oxide, effort 9 |'
    for tool in $peer_names; do printf ' %s |' "$tool"; done
    printf ' effort 9 / best peer |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n'
    cat "$work/sizes.md"
    $has_effort || printf '\nThis oxide has no --effort yet: the column shows its default.\n'
    printf '\n## %s: time and memory\n\n' "$1"
    printf '| pair | oxide create | effort 9 | oxide apply |'
    for tool in $peer_names; do printf ' %s create; apply |' "$tool"; done
    printf '\n|---|---|---|---|---|---|---|---|\n'
    cat "$work/times.md"
}

# How a set of pairs does against the best peers: ratio_bars LABEL GEOMETRIC_MEAN_BAR.
ratio_bars() {
    local measured
    measured=$(awk -F '\t' '$5 { s += log($4 / $5); n++ } END { if (n) printf "%.3f over %d pairs", exp(s / n), n }' "$rows")
    [ -z "$measured" ] || bar "$1: effort 9 over the best peer, geometric mean" "$2" "$measured" \
        "$(at_most "${measured%% *}" "$2")"
    [ -z "$measured" ] || bar "$1: larger than the best peer by more than 192 bytes" "no pair" "$(
        awk -F '\t' '$5 && $4 > $5 + 192 { n++; if (!worst || $4 / $5 > worst) { worst = $4 / $5; name = $1 } }
                     END { printf "%d", n; if (n) printf "; worst %.3f: %s", worst, name }' "$rows")" \
        "$(awk -F '\t' '$5 && $4 > $5 + 192 { n++ } END { print (n ? "NO" : "yes") }' "$rows")"
    if $has_effort; then
        measured=$(awk -F '\t' '{ s += log($3 / $4); n++ } END { printf "%.4f", exp(s / n) }' "$rows")
        bar "$1: default over effort 9, geometric mean" 1.08 "$measured" "$(at_most "$measured" 1.08)"
    else
        bar "$1: default over effort 9, geometric mean" 1.08 "" "no --effort yet"
    fi
    bar "$1: 1, 8 and the default threads, same bytes" "all pairs" "$other_bytes patches differ" \
        "$(at_most "$other_bytes" 0)"
}

named_bars() {
    local effort name count times row full limit bytes
    while IFS=$'\t' read -r effort name count times; do
        row=$(awk -F '\t' -v name="$name" '$1 == name' "$rows")
        [ -n "$row" ] || continue
        full=$(cut -f 2 <<< "$row")
        [ "$count" != full ] || count=$full
        limit=$(calc %d "$count * $times")
        bytes=$(cut -f "$([ "$effort" = 9 ] && echo 4 || echo 3)" <<< "$row")
        [ "$effort" = default ] || effort="effort $effort"
        bar "$effort: $name" "$(commas "$limit")" "$(commas "$bytes")" "$(at_most "$bytes" "$limit")"
    done < <(named_limits)
}

# slowest NAME COLUMN BAR UNIT: the lowest figure of $speeds.
slowest() {
    local least
    least=$(awk -F '\t' -v c="$2" '$c != "" && (name == "" || $c + 0 < least) { least = $c + 0; name = $1 }
                                  END { if (name != "") print least, name }' "$speeds")
    [ -z "$least" ] || bar "real versions, every weight changed: $1" "$3$4" \
        "${least%% *}$4, the slowest: ${least#* }" "$(at_least "${least%% *}" "$3")"
}

speed_bars() {
    slowest "create, default effort" 2 100 " MB/s"
    slowest "decode, f32 bf16 f16" 3 500 " MB/s"
    slowest "create, times as fast as zstd" 4 50 ""
    slowest "create, times as fast as bsdiff" 5 50 ""
}

pairs_step() {
    local family base target rest
    if [ ! -r "$models/pairs.tsv" ]; then
        note "no $models/pairs.tsv: real versions are left out"
        bar "pairs of real versions" "" "" "no pairs.tsv"
        return
    fi
    begin_rows
    while IFS=$'\t' read -r family base target rest; do
        [ "$family" != family ] || continue
        pair "${family##*/} $base $target" "$models/$family/$base" "$models/$family/$target" \
            "${family##*/}" "$target"
    done < "$models/pairs.tsv"
    [ -s "$rows" ] || return 0
    print_rows "Real versions" >> "$report"
    ratio_bars "real versions" 0.60
    named_bars
    speed_bars
}

# source_tar OUT [COMMAND...]: our own sources, in the order that COMMAND gives their names, or theirs.
source_tar() {
    (cd "$root" && find src/base src/delta -name '*.c' -print0 | LC_ALL=C sort -z | "${@:2}" |
        tar --null --no-recursion -T - --format=ustar --owner=0 --group=0 --numeric-owner \
            --mode=644 --mtime=@0 -cf -) > "$1"
}

# Bytes without a format, of which some stand elsewhere in the next version.
moved_pairs() {
    local base=$work/base.bin target=$work/target.bin name count bytes file way pieces most
    name="own tar of sources, in another order"
    if matches "$name"; then
        source_tar "$base" cat
        source_tar "$target" shuf -z --random-source=<(yes)
        pair "$name" "$base" "$target" own tar
    fi
    while read -r count bytes; do
        name="own $count blocks of $bytes, in another order"
        if matches "$name"; then
            "$tools/make_pair" blocks "$count" "$bytes" "$base" "$target"
            pair "$name" "$base" "$target" own blocks
        fi
    done <<< $'800 5120\n800 5003\n1600 5120\n4096 2048'
    while read -r file way pieces most; do
        name="own $file, $pieces pieces of it pasted $way"
        matches "$name" || continue
        case $file in
        text) source_tar "$base" cat ;;
        executable) cp "$oxide" "$base" ;;
        large) source_tar "$work/tar" cat; cat "$work/tar" "$oxide" > "$work/both"
            cat "$work"/both{,} > "$work/twice" # of two copies the first serves
            "$tools/make_model" random 4194304 "$work/random" --seed 3 > /dev/null
            cat "$work/twice" "$work/random" > "$base" ;;
        esac
        "$tools/make_pair" paste "$way" "$pieces" "$most" "$base" "$target"
        pair "$name" "$base" "$target" own paste
    done << 'END'
text in 200 2000
text over 200 300
executable in 200 2000
executable over 200 300
large in 300 2000
large over 300 600
END
    rm -f "$base" "$target" "$work/tar" "$work/both" "$work/twice" "$work/random"
}

# Weights that are packed with scales, as published models are.
packed_pairs() {
    local format name
    for format in f8 f8-tiles gptq gptq-zeros awq awq-clip int4-rows int4-bytes q4_k q5_k q6_k \
        iq4_xs; do
        name="own $format, all weights by 1e-2 sigma"
        matches "$name" || continue
        "$tools/make_pair" packed "$format" "$work/base.packed" "$work/target.packed"
        pair "$name" "$work/base.packed" "$work/target.packed" own "$format"
    done
    rm -f "$work/base.packed" "$work/target.packed"
}

# Folders, two shards and some text: all weights changed, and the shards have other names. Peers,
# which know no folders, have all files one after the other, in the order of their names.
folder_pair() {
    local name="own folder of two shards, renamed" base=$work/base.folder target=$work/target.folder
    matches "$name" || return 0
    "$tools/make_pair" synthetic "$work/synthetic" 2 bf16,f16 base,n3
    mkdir -p "$base/onnx" "$target/weights"
    cp "$work/synthetic/bf16-base.safetensors" "$base/model-00001-of-00002.safetensors"
    cp "$work/synthetic/f16-base.safetensors" "$base/onnx/model.safetensors"
    cp "$work/synthetic/f16-n3.safetensors" "$target/model-1.safetensors"
    cp "$work/synthetic/bf16-n3.safetensors" "$target/weights/model-2.safetensors"
    cp "$root/docs/oxdl.md" "$base/README.md"
    sed 's/patch/delta/g' "$base/README.md" > "$target/README.md"
    pair "$name" "$base" "$target" own folder
    rm -rf "$base" "$target" "$work/synthetic"
}

own_step() {
    local format variant name
    begin_rows
    for format in onnx safetensors gguf; do
        for variant in v2-head v3-finetune v4-retrain v5-prune; do
            name="own $format v1 $variant"
            matches "$name" || continue
            [ -e "$work/base.$format" ] || "$tools/make_model" "$format" v1 "$work/base.$format" > /dev/null
            "$tools/make_model" "$format" "$variant" "$work/target.$format" > /dev/null
            pair "$name" "$work/base.$format" "$work/target.$format" own "$variant"
        done
        rm -f "$work/base.$format" "$work/target.$format"
    done
    name="own random 16 MiB, 200 edits"
    if matches "$name"; then
        "$tools/make_model" random 16777216 "$work/base.bin" --seed 1 > /dev/null
        "$tools/make_model" mutate "$work/base.bin" "$work/target.bin" --seed 2 --edits 200 > /dev/null
        pair "$name" "$work/base.bin" "$work/target.bin" own random
        rm -f "$work/base.bin" "$work/target.bin"
    fi
    moved_pairs
    packed_pairs
    folder_pair
    [ -s "$rows" ] || return 0
    print_rows "Pairs of our own" >> "$report"
    ratio_bars "own pairs" 1.00
}
