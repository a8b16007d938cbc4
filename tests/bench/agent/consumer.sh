# A program that uses its model while the next one is rebuilt beside it.
# shellcheck shell=bash

consumer_step() {
    local round alone beside file next=2
    "$tools/make_pair" synthetic "$work/used" 512 bf16 base,n2 > /dev/null
    serve "$work/consumer"
    "$oxide" device register dev > /dev/null
    "$oxide" push m v1 "$work/used/bf16-base.safetensors" > /dev/null
    "$oxide" push m v2 "$work/used/bf16-n2.safetensors" > /dev/null
    patch_size > /dev/null
    start_agent dev --poll-interval 1 --keep 0
    update dev v1 300
    until_true 30 "it is idle" is_idle dev
    file=$work/used/bf16-base.safetensors
    "$oxide" delta create "$file" "$work/used/bf16-n2.safetensors" -o "$work/there.oxdl" > /dev/null
    "$oxide" delta create "$work/used/bf16-n2.safetensors" "$file" -o "$work/back.oxdl" > /dev/null
    say "## A consumer of a 512 MiB model beside a rebuild of it" "" \
        "100 requests a second, each reads 4 MiB of the mapped file; beside it patches that change every weight are applied without a pause, there and back, with \`keep = 0\`, so that each is a rebuild (by hand, so that no server is on the same cores)." "" \
        "| round | alone: median, p99 | beside: median, p99 | rebuilds |" "|---|---|---|---|"
    : > "$work/ratios"
    for round in 1 2 3 4 5; do
        alone=$("$tools/time_consumer" "$file" $((seconds / 5)) 100 4)
        : > "$work/rebuilds"
        touch "$work/go"
        ( while [ -e "$work/go" ]; do
            for patch in there back; do
                "$oxide" agent apply "$work/$patch.oxdl" --model m --version "v$next" \
                    --model-dir "$work/dev" > /dev/null || exit 1
                echo $((next += 1)) >> "$work/rebuilds"
            done
        done ) 2> "$work/rebuild.err" &
        rebuilder=$!
        sleep 0.3
        beside=$("$tools/time_consumer" "$file" $((seconds / 5)) 100 4)
        rm "$work/go"
        wait $rebuilder || die "the rebuild failed: $(cat "$work/rebuild.err")"
        next=$(tail -n 1 "$work/rebuilds")
        say "| $round | ${alone% * *} ms | ${beside% * *} ms | $(wc -l < "$work/rebuilds") |"
        echo "$alone $beside" >> "$work/ratios"
    done
    say ""
    read -r p99a p99b < <(awk '{ print $2 }' "$work/ratios" | sort -n | sed -n 3p | tr '\n' ' '; awk '{ print $6 }' "$work/ratios" | sort -n | sed -n 3p)
    bar "a consumer's p99 beside a rebuild (medians of 5 rounds)" "1.20 of that alone" "$(calc "$p99b / $p99a" %.2f) ($p99b / $p99a ms)" "$p99b <= 1.2 * $p99a"
    finish "$agent"
    finish "$server"
}
