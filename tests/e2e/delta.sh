#!/usr/bin/env bash
# Patches by the command line: every kind of model, engine and number of threads gives back the
# target bit for bit, and the same patch on every run.
. "$(dirname "$0")/lib.sh"

round_trip() { # BASE TARGET [OPTIONS]
    local base=$1 target=$2
    shift 2
    oxide delta create "$base" "$target" -o p.oxdl "$@" > /dev/null || fail "create $base $target $*"
    oxide delta apply "$base" p.oxdl -o rebuilt --force > /dev/null || fail "apply $base $target $*"
    diff -r rebuilt "$target" > /dev/null || fail "$base to $target $*: not the same bytes"
}

declare -A patch_bytes
step "models of each format and update, each engine, one thread and three"
for format in onnx safetensors bf16 gguf; do
    for variant in v1 v2-head v3-finetune v4-retrain v5-prune; do
        make_model $format $variant $format-$variant --width 96 > /dev/null || fail "make_model"
    done
    for variant in v1 v2-head v3-finetune v4-retrain v5-prune; do
        for engine in auto tensor binary; do
            round_trip $format-v1 $format-$variant --engine $engine --threads 1
            mv p.oxdl one.oxdl
            oxide delta create $format-v1 $format-$variant -o p.oxdl --engine $engine --threads 3 \
                > /dev/null || fail "create with 3 threads"
            cmp -s one.oxdl p.oxdl || fail "$format $variant $engine: the threads change the patch"
            patch_bytes[$engine]=$(size p.oxdl)
        done
        [ "${patch_bytes[auto]}" -le "${patch_bytes[tensor]}" ] &&
            [ "${patch_bytes[auto]}" -le "${patch_bytes[binary]}" ] ||
            fail "$format $variant: auto is not the smallest: ${patch_bytes[*]}"
        [ "$(size one.oxdl)" -le $(($(size $format-$variant) + 4096)) ] ||
            fail "$format $variant: the patch is larger than the file"
    done
    round_trip $format-v1 $format-v2-head
    [ $(($(size p.oxdl) * 4)) -lt "$(size $format-v2-head)" ] ||
        fail "$format: a changed last layer costs $(size p.oxdl) bytes"
done

step "a file to itself costs next to nothing"
round_trip onnx-v1 onnx-v1
[ "$(size p.oxdl)" -le 400 ] || fail "nothing changed, and the patch has $(size p.oxdl) bytes"

step "folders: external data, shards, a file that comes and one that goes"
mkdir a b
make_model onnx external a/model.onnx --width 96 > /dev/null
make_model onnx external-v3 b/model.onnx --width 96 > /dev/null
cp onnx-v1 a/shard-1 && cp onnx-v2-head b/shard-1
echo '{"labels": 10}' > a/labels.json && cp a/labels.json b/
echo old > a/old.txt && mkdir b/sub && echo new > b/sub/new.txt
round_trip a b
round_trip b a

step "bytes of no format, empty files, edits"
make_model random 300000 noise > /dev/null
make_model mutate noise noise2 --edits 20 > /dev/null
round_trip noise noise2
[ "$(size p.oxdl)" -lt 30000 ] || fail "20 edits cost $(size p.oxdl) bytes"
: > empty
round_trip empty noise
round_trip noise empty
round_trip empty empty

step "pipes on both sides"
oxide delta create onnx-v1 onnx-v2-head -o - 2> /dev/null |
    oxide delta apply onnx-v1 - -o piped > /dev/null || fail "apply from a pipe"
cmp -s piped onnx-v2-head || fail "through a pipe: not the same bytes"

step "delta info tells what is in a patch"
oxide delta create onnx-v1 onnx-v2-head -o p.oxdl --json > create.json || fail "create --json"
same "bytes of the patch" "$(size p.oxdl)" "$(field .patch_bytes < create.json)"
same "info" "2 $(digest onnx-v1) $(digest onnx-v2-head) $(size onnx-v2-head) $(size p.oxdl)" \
    "$(oxide delta info p.oxdl --json | field \
        '"\(.version) \(.base.sha256) \(.target.sha256) \(.target.size_bytes) \(.patch_bytes)"')"
same "operations add up to the target" "$(size onnx-v2-head)" \
    "$(oxide delta info p.oxdl --json | field '[.operations[].target_bytes] | add')"
same "operations add up to the patch" "$(size p.oxdl)" \
    "$(oxide delta info p.oxdl --json | field '[.operations[].patch_bytes] | add')"

step "larger than the window of the first generation: 1 % of 9 MB changed"
make_model random 9000000 big > /dev/null
cp big big2
dd if=/dev/zero of=big2 bs=1 seek=4000000 count=90000 conv=notrunc 2> /dev/null
round_trip big big2 --engine binary
[ "$(size p.oxdl)" -lt 20000 ] || fail "90,000 zeros cost $(size p.oxdl) bytes"
