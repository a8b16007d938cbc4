#!/usr/bin/env bash
# Patches of the format POOL by the command line: made, applied, shown, refused.
. "$(dirname "$0")/lib.sh"

round_trip() { # BASE TARGET
    oxide delta create "$1" "$2" -o p.pool --force --format pool > /dev/null || fail "create $1 $2"
    oxide delta apply "$1" p.pool -o rebuilt --force > /dev/null || fail "apply $1 $2"
    cmp -s rebuilt "$2" || fail "$1 to $2: not the same bytes"
}
at_most() { # WHAT MAX GOT
    [ "$3" -le "$2" ] || fail "$1: $3 bytes, at most $2 expected"
}

step "models, edits, empty files"
for format in onnx safetensors bf16 gguf; do
    make_model $format v1 $format-v1 --width 96 > /dev/null || die "make_model"
    for variant in v2-head v3-finetune v5-prune; do
        make_model $format $variant $format-$variant --width 96 > /dev/null || die "make_model"
        round_trip $format-v1 $format-$variant
        at_most "$format $variant" $(($(size $format-$variant) + 2000)) "$(size p.pool)"
    done
done
make_model random 9000000 noise > /dev/null
make_model mutate noise noise2 --edits 20 > /dev/null
round_trip noise noise2
at_most "20 edits" 20000 "$(size p.pool)"
: > empty
round_trip empty noise
round_trip noise empty
round_trip empty empty
same "an empty target's patch" 54 "$(size p.pool)"

step "a byte changed, a byte put in front"
cp noise changed && printf '\377\001' | dd of=changed bs=1 seek=5 conv=notrunc 2> /dev/null
round_trip noise changed
at_most "two bytes changed" 200 "$(size p.pool)"
{ printf x; cat noise; } > longer
round_trip noise longer
same "one byte in front: header, literal, copy" $((54 + 9 + 1 + 17)) "$(size p.pool)"

step "what create and info tell"
oxide delta create noise longer -o p.pool --force --format pool --json > create.json || fail "create --json"
same "create" "p.pool pool $(size p.pool) 1 9000000 1 1 9000000 9000001" "$(field \
    '"\(.patch) \(.format) \(.patch_bytes) \(.copies) \(.copy_bytes) \(.literals) \(.literal_bytes) \(.base.size_bytes) \(.target.size_bytes)"' < create.json)"
oxide delta info p.pool --json > info.json || fail "info --json"
same "info" "$(jq -S 'del(.patch, .duration_ms)' create.json)" "$(jq -S . info.json)"
oxide delta info p.pool > info.txt || fail "info"
holds "info" "$(cat info.txt)" "POOL 1"
holds "info" "$(cat info.txt)" "$(field .target.blake3 < info.json)"
oxide delta apply noise p.pool -o told --json > apply.json || fail "apply --json"
same "apply" "$(field .target.blake3 < info.json)" "$(field .target.blake3 < apply.json)"

step "pipes on both sides"
oxide delta create onnx-v1 onnx-v2-head --format pool -o - 2> /dev/null |
    oxide delta apply onnx-v1 - -o piped > /dev/null || fail "apply from a pipe"
cmp -s piped onnx-v2-head || fail "through a pipe: not the same bytes"

step "the other formats by their names"
oxide delta create onnx-v1 onnx-v2-head -o p.oxdl --format oxdl > /dev/null || fail "--format oxdl"
same "version" 2 "$(oxide delta info p.oxdl --json | field .version)"
oxide delta create onnx-v1 onnx-v2-head -o p1.oxdl --format oxdl1 --json > create1.json ||
    fail "--format oxdl1"
same "version" 1 "$(oxide delta info p1.oxdl --json | field .version)"
same "bytes" "$(size p1.oxdl)" "$(field .patch_bytes < create1.json)"
same "what the header does not tell" '["engine","format","patch_bytes","version"] ["files","sha256"] 1' \
    "$(oxide delta info p1.oxdl --json | jq -c 'del(.base, .target) | keys' ) $(oxide delta info p1.oxdl --json |
        jq -c '.base | keys') $(oxide delta info p1.oxdl --json | field .base.files)"
same "create tells the same" "false false" \
    "$(field '"\(has("frames")) \(has("operations"))"' < create1.json)"
same "the strategy is the engine" tensor \
    "$(oxide delta info "$root/tests/golden/oxdl1/good/tensor.oxdl" --json | field .engine)"
grep -q frames <(oxide delta info p1.oxdl) && fail "info counts frames of version 1"
oxide delta apply onnx-v1 p1.oxdl -o first > /dev/null || fail "apply version 1"
cmp -s first onnx-v2-head || fail "version 1: not the same bytes"
exits 2 "format" oxide delta create onnx-v1 onnx-v2-head -o p --format zip
for option in "--engine tensor" "--effort 3" "--threads 1"; do
    for format in oxdl1 pool; do
        # shellcheck disable=SC2086
        exits 2 "${option% *} does nothing with --format $format: leave it out, or use --format oxdl" \
            oxide delta create onnx-v1 onnx-v2-head -o p --format $format $option
    done
done
exits 2 "use --format oxdl or oxdl1" \
    oxide delta create onnx-v1 onnx-v2-head -o p --format pool --memory 64M

step "version 1 needs memory for whole files: what it may not take is refused"
oxide delta create onnx-v1 onnx-v2-head -o m1.oxdl --format oxdl1 --memory 256M > /dev/null ||
    fail "--format oxdl1 --memory"
cmp -s m1.oxdl p1.oxdl || fail "--memory changes a patch of version 1"
exits 6 "may take 64 MiB: --memory 13" \
    oxide delta create noise noise2 -o m2.oxdl --format oxdl1 --memory 64M
expect "with what it asked for" \
    oxide delta create noise noise2 -o m2.oxdl --format oxdl1 --memory 140M > /dev/null

step "refused: nothing is left"
refused() { # STATUS PATTERN PATCH [BASE]
    exits "$1" "$2" oxide delta apply "${4:-onnx-v1}" "$3" -o out
    same "what is left of $3" "" "$(find . -name 'out*')"
}
oxide delta create onnx-v1 onnx-v2-head -o good.pool --format pool > /dev/null || die "create"
bytes=$(size good.pool)
for keep in 4 53 54 60 $((bytes - 1)); do
    head -c "$keep" good.pool > cut.pool
    refused 6 "cut.pool" cut.pool
    exits 6 "cut.pool" oxide delta info cut.pool
done
{ cat good.pool; printf x; } > behind.pool
refused 6 "behind.pool" behind.pool
{ printf 'POOL\002'; tail -c +6 good.pool; } > version.pool
refused 6 "version 2" version.pool
{ head -c 54 good.pool; printf '\007'; tail -c +56 good.pool; } > operation.pool
refused 6 "operation.pool" operation.pool
{ head -c 22 good.pool; head -c 32 /dev/zero; tail -c +55 good.pool; } > digest.pool
refused 6 "BLAKE3" digest.pool
refused 6 "is not the base of" good.pool noise
cp onnx-v1 near && printf x | dd of=near bs=1 seek=70 conv=notrunc 2> /dev/null
refused 6 "BLAKE3" good.pool near
mkdir folder && cp onnx-v1 folder/
refused 6 "folder" good.pool folder
exits 6 "folder" oxide delta create folder onnx-v1 -o p --format pool
exits 3 "nowhere" oxide delta create nowhere onnx-v1 -o p --format pool
echo precious > kept
exits 4 "--force" oxide delta apply onnx-v1 good.pool -o kept
exits 6 "" oxide delta apply onnx-v1 digest.pool -o kept --force
same "the file after a failure" precious "$(cat kept)"
exits 0 "" oxide delta apply onnx-v1 good.pool -o kept --force
cmp -s kept onnx-v2-head || fail "--force did not replace"
exits 2 "one file" oxide delta apply onnx-v1 good.pool -o folder --force
exits 2 "one file" oxide delta apply onnx-v1 good.pool -o fresh/
oxide delta apply onnx-v1 good.pool -o - 2> /dev/null | cmp -s - onnx-v2-head || fail "to a pipe"
