# A model of many GiB, by its full file and by a patch: the agent's memory.
# shellcheck shell=bash

large_step() {
    local full patch patch_bytes free sum
    free=$(($(stat -f -c '%a * %S' "$work") / 1073741824))
    [ "$free" -gt $((gib * 3 + 1)) ] || die "a large model of $gib GiB wants $((gib * 3 + 1)) GiB, and $work has $free: see --gib and --dir"
    "$tools/make_pair" large bf16 base "$gib" "$work/large.safetensors" > /dev/null
    serve "$work/large"
    "$oxide" device register dev > /dev/null
    "$oxide" push m v1 "$work/large.safetensors" > /dev/null
    rm "$work/large.safetensors"
    start_agent dev --poll-interval 1
    update dev v1 7200
    until_true 60 "it is idle" is_idle dev
    full=$(peak_kib "$agent")
    say "## $gib GiB" "" "| by | bytes | peak resident |" "|---|---|---|" \
        "| full file | $(stat -L -c %s "$work/dev/m/current/model.safetensors") | $(calc "$full / 1024" %.1f) MiB |"
    bar "$gib GiB full file: resident" "32 MiB" "$(calc "$full / 1024" %.1f) MiB" "$full < 32768"
    # the store's copy and the device's are one file from here on: a third of the disk is saved
    ln -f "$work/dev/m/versions/v1/model.safetensors" "$(find "$work/large" -type f -size +1G)"
    "$tools/make_pair" large bf16 sparse "$gib" "$work/large.safetensors" > /dev/null
    sum=$(sha256sum < "$work/large.safetensors")
    "$oxide" push m v2 "$work/large.safetensors" > /dev/null
    rm "$work/large.safetensors"
    patch_bytes=$(patch_size)
    finish "$agent"
    start_agent dev --poll-interval 1
    update dev v2 7200
    until_true 60 "it is idle" is_idle dev
    patch=$(peak_kib "$agent")
    [ "$(logged dev 'received patch')" = 1 ] || die "no patch came: $(tail -n 5 "$work/dev.log.err")"
    [ "$(sha256sum < "$work/dev/m/current/model.safetensors")" = "$sum" ] || die "v2 has other bytes"
    say "| patch | $patch_bytes | $(calc "$patch / 1024" %.1f) MiB |" ""
    bar "$gib GiB patch: resident" "32 MiB" "$(calc "$patch / 1024" %.1f) MiB" "$patch < 32768"
    finish "$agent"
    finish "$server"
    rm -rf "$work/dev" "$work/large"
}
