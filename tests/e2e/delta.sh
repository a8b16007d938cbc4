#!/usr/bin/env bash
# Patches by the command line: every kind of model, engine and number of threads gives back the
# target bit for bit, and the same patch on every run.
. "$(dirname "$0")/lib.sh"

round_trip() { # BASE TARGET [OPTIONS]
    local base=$1 target=$2
    shift 2
    oxide delta create "$base" "$target" -o p.oxdl --force "$@" > /dev/null || fail "create $base $target $*"
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
same "copies alone are told as binary" binary "$(oxide delta info p.oxdl --json | field .engine)"
for engine in auto tensor binary; do
    same "info tells the engine that create told, asked for $engine" "$(
        oxide delta create onnx-v1 onnx-v1 -o p.oxdl --force --engine $engine --json |
            field .engine)" "$(
        oxide delta info p.oxdl --json | field .engine)"
done

step "folders: external data, shards, a file that comes and one that goes"
mkdir a b
make_model onnx external a/model.onnx --width 96 > /dev/null
make_model onnx external-v3 b/model.onnx --width 96 > /dev/null
cp onnx-v1 a/shard-1 && cp onnx-v2-head b/shard-1
echo '{"labels": 10}' > a/labels.json && cp a/labels.json b/
echo old > a/old.txt && mkdir b/sub && echo new > b/sub/new.txt
round_trip a b
round_trip b a
rm -r rebuilt # a file does not take the place of a folder

step "a folder of one file stays a folder, with name and mode; a file stays a file"
mkdir e f && cp onnx-v1 e/run.bin && cp onnx-v2-head f/run.sh && chmod +x f/run.sh
for base in onnx-v1 e a; do
    round_trip $base f
    rm -r rebuilt
    round_trip $base f --engine binary
    [ -x rebuilt/run.sh ] || fail "$base to f: no longer executable"
    rm -r rebuilt
    round_trip $base onnx-v2-head
    [ -f rebuilt ] || fail "$base to a file: no file"
    oxide delta apply $base p.oxdl -o - 2> /dev/null | cmp -s - onnx-v2-head || fail "$base: -o -"
    rm rebuilt
done
round_trip f b
rm -r rebuilt
oxide delta create onnx-v1 onnx-v2-head -o file.oxdl > /dev/null || fail "create"
oxide delta create e onnx-v2-head -o other.oxdl > /dev/null || fail "create"
cmp -s file.oxdl other.oxdl || fail "a file's patch depends on its base being a folder"
exits 6 "f is a folder" oxide delta create onnx-v1 f -o first.oxdl --format oxdl1
oxide delta create e f -o p.oxdl --force > /dev/null || fail "create"
cp -r e current && mkdir current/.git && echo x > current/.git/HEAD
exits 4 "current holds .git/HEAD" oxide delta apply current p.oxdl -o current --force
rm -r current/.git
mv current/run.bin current/model.bin # the digest of one file does not tell its name
exits 0 "" oxide delta apply current p.oxdl -o current --force
diff -r current f || fail "in place: not the same files"
rm -r current

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
oxide delta create onnx-v1 onnx-v2-head -o p.oxdl --force --json > create.json || fail "create --json"
same "bytes of the patch" "$(size p.oxdl)" "$(field .patch_bytes < create.json)"
same "info" "2 $(digest onnx-v1) $(digest onnx-v2-head) $(size onnx-v2-head) $(size p.oxdl)" \
    "$(oxide delta info p.oxdl --json | field \
        '"\(.version) \(.base.sha256) \(.target.sha256) \(.target.size_bytes) \(.patch_bytes)"')"
same "operations add up to the target" "$(size onnx-v2-head)" \
    "$(oxide delta info p.oxdl --json | field '[.operations[].target_bytes] | add')"
same "operations add up to the patch" "$(size p.oxdl)" \
    "$(oxide delta info p.oxdl --json | field '[.operations[].patch_bytes] | add')"

step "where the bytes go: rows add up to the patch, by tensor and by predictor"
adds_up() { field '([.tensors // .predictors | .[].patch_bytes] | add) + .framing_bytes == .patch_bytes'; }
same "create --json adds up" true "$(adds_up < create.json)"
same "tensors of create --json" "fc1.bias fc1.weight fc2.bias fc2.weight fc3.bias fc3.weight" \
    "$(field '[.tensors[] | select(.tensor) | .name] | sort | join(" ")' < create.json)"
same "the costliest is what was trained" "fc3.weight f32 10x96 3840 true" \
    "$(field '.tensors[0] | "\(.name) \(.dtype) \(.shape | join("x")) \(.target_bytes) \(.patch_bytes < 3840)"' \
        < create.json)"
same "sorted by cost" true "$(field '[.tensors[].patch_bytes] | . == (sort | reverse)' < create.json)"
sides=(--base onnx-v1 --target onnx-v2-head)
same "info tells the same as create" "$(field .tensors < create.json)" \
    "$(oxide delta info p.oxdl "${sides[@]}" --json | field .tensors)"
same "without sides, by predictor" "true true" "$(oxide delta info p.oxdl --json |
    field '"\([.predictors[].predictor] | contains(["copy"])) \(has("tensors") | not)"')"
same "that adds up, too" true "$(oxide delta info p.oxdl --json | adds_up)"
oxide delta info p.oxdl "${sides[@]}" > info.txt || fail "info with both sides"
holds "the table" "$(cat info.txt)" "PREDICTED BY"
holds "the table" "$(grep '^fc3.weight ' info.txt)" "10 x 96"
holds "a hint" "$(oxide delta info p.oxdl)" "--target TARGET"
holds "a hint" "$(oxide delta info p.oxdl --target onnx-v2-head)" "--base BASE"
COLUMNS=50 oxide delta info p.oxdl "${sides[@]}" | sed -n '/^TENSOR/,$p' > narrow.txt
[ "$(awk '{ if (length > most) most = length } END { print most }' narrow.txt)" -le 50 ] ||
    fail "not narrow: $(cat narrow.txt)"
exits 6 "is not the base" oxide delta info p.oxdl --base onnx-v3-finetune
exits 6 "is not the target" oxide delta info p.oxdl --target onnx-v1
oxide delta create a b -o folder.oxdl --json > folder.json || fail "create of folders"
same "folders add up" true "$(adds_up < folder.json)"
holds "folders name files" "$(field '.tensors[].name' < folder.json)" "shard-1: fc1.weight"
holds "a file without tensors" "$(field '.tensors[].name' < folder.json)" "sub/new.txt"
oxide delta create onnx-v1 onnx-v2-head -o - --json 2> piped.json > piped.oxdl || fail "--json -o -"
cmp -s piped.oxdl p.oxdl || fail "the patch in a pipe is another"
same "--json beside a pipe" true "$(sed '/^[a-z ]*: .*\/s$/d' piped.json | adds_up)"

step "many tensors: the costliest 20, the rest with --all"
mkdir c d
for i in 1 2 3 4 5; do cp safetensors-v1 c/$i && cp safetensors-v3-finetune d/$i; done
oxide delta create c d -o many.oxdl > /dev/null || fail "create"
rows() { oxide delta info many.oxdl --base c --target d "$@" | grep -c ': fc\|: ('; }
same "rows" 20 "$(rows)"
same "all rows" 35 "$(rows --all)"
holds "the rest" "$(oxide delta info many.oxdl --base c --target d)" "15 more with"

step "effort: 1 to 9, each rebuilds the target, and the most is no larger than the least"
for effort in 1 9; do
    round_trip onnx-v1 onnx-v3-finetune --effort $effort
    patch_bytes[$effort]=$(size p.oxdl)
    round_trip noise noise2 --effort $effort
done
[ "${patch_bytes[9]}" -le "${patch_bytes[1]}" ] || fail "effort 9 gives ${patch_bytes[*]}"
for effort in 0 10 x; do
    exits 2 "--effort cannot be '$effort': it is a whole number, 1 to 9" \
        oxide delta create onnx-v1 onnx-v3-finetune -o e.oxdl --effort $effort
done

step "memory: the same amount gives the same patch, whatever the threads; too little is refused"
make_model mutate noise noise3 --edits 2000 > /dev/null
for memory in 64M 200M 1G; do
    round_trip noise noise3 --memory $memory --threads 1
    mv p.oxdl one.oxdl
    round_trip noise noise3 --memory $memory --threads 4
    cmp -s one.oxdl p.oxdl || fail "--memory $memory: the threads change the patch"
done
exits 2 "64M to" oxide delta create noise noise3 -o m.oxdl --memory 16M
exits 2 "--memory" oxide delta create noise noise3 -o m.oxdl --memory lots

step "larger than the window of the first generation: 1 % of 9 MB changed"
make_model random 9000000 big > /dev/null
cp big big2
dd if=/dev/zero of=big2 bs=1 seek=4000000 count=90000 conv=notrunc 2> /dev/null
round_trip big big2 --engine binary
[ "$(size p.oxdl)" -lt 20000 ] || fail "90,000 zeros cost $(size p.oxdl) bytes"
