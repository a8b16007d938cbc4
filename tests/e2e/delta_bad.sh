#!/usr/bin/env bash
# Patches and bases that are not what they should be: a clear message, the right status, and never a
# byte under the final name.
. "$(dirname "$0")/lib.sh"
small_models
oxide delta create v1.onnx v2-head.onnx -o good.oxdl > /dev/null || die "create"

refused() { # STATUS PATTERN PATCH [BASE]: apply fails, and nothing is left
    exits "$1" "$2" oxide delta apply "${4:-v1.onnx}" "$3" -o out
    [ ! -e out ] || fail "$3: out is there"
    same "what is left of $3" "" "$(find . -name 'out.*' ! -name '*.oxdl')"
    rm -rf out
}

step "wrong magic, an unknown version, not a patch at all, empty"
{ printf 'OXDX'; tail -c +5 good.oxdl; } > magic.oxdl
refused 6 "magic.oxdl" magic.oxdl
{ printf 'OXDL\011'; tail -c +6 good.oxdl; } > version.oxdl
refused 6 "version" version.oxdl
refused 6 "v1.onnx" v1.onnx
: > empty.oxdl
refused 6 "empty.oxdl" empty.oxdl
refused 3 "missing.oxdl" missing.oxdl

step "cut short at many places"
bytes=$(size good.oxdl)
for keep in 1 4 5 20 80 100 150 200 $((bytes / 4)) $((bytes / 2)) $((bytes - 50)) $((bytes - 1)); do
    head -c "$keep" good.oxdl > cut.oxdl
    refused 6 "cut.oxdl" cut.oxdl
    exits 6 "cut.oxdl" oxide delta info cut.oxdl
done

step "bytes behind the end"
{ cat good.oxdl; printf x; } > longer.oxdl
refused 6 "longer.oxdl" longer.oxdl

step "a flipped bit anywhere: refused, or (a compressor's unused bits) the right bytes all the same"
refusals=0
for ((i = 0; i < 40; i++)); do
    at=$((i * (bytes - 1) / 39))
    cp good.oxdl flip.oxdl
    byte=$(od -An -tu1 -j $at -N 1 good.oxdl | tr -d ' ')
    printf "\\$(printf %03o $((byte ^ (1 << (i % 8)))))" |
        dd of=flip.oxdl bs=1 seek=$at conv=notrunc 2> /dev/null
    if oxide delta apply v1.onnx flip.oxdl -o out > last.out 2> last.err; then
        cmp -s out v2-head.onnx || fail "bit $((i % 8)) of byte $at: other bytes than the target's"
        rm out
    else
        refusals=$((refusals + 1))
        refused 6 "oxide: " flip.oxdl
        cp flip.oxdl refused.oxdl
    fi
done
[ $refusals -ge 30 ] || fail "only $refusals of 40 flipped bits were found"

step "another base than the patch was made for"
refused 6 "is not the base of" good.oxdl v3-finetune.onnx
cp v1.onnx near.onnx && printf x | dd of=near.onnx bs=1 seek=5000 conv=notrunc 2> /dev/null
refused 6 "$(digest v1.onnx)" good.oxdl near.onnx
refused 3 "nowhere.onnx" good.oxdl nowhere.onnx

step "what stands there stays, unless --force says otherwise"
echo precious > kept
exits 4 "--force" oxide delta apply v1.onnx good.oxdl -o kept
same "the file" precious "$(cat kept)"
exits 6 "" oxide delta apply v1.onnx refused.oxdl -o kept --force
same "the file after a failure" precious "$(cat kept)"
exits 0 "" oxide delta apply v1.onnx good.oxdl -o kept --force
cmp -s kept v2-head.onnx || fail "--force did not replace"

step "a patch that cannot be written"
exits 3 "no-such" oxide delta create v1.onnx v2-head.onnx -o no-such/p.oxdl
exits 2 "folder" oxide delta create v1.onnx v2-head.onnx -o .
expect "to /dev/null" oxide delta create v1.onnx v2-head.onnx -o /dev/null > /dev/null
[ -c /dev/null ] || fail "/dev/null was replaced"

step "interrupted: status 130, nothing half-written"
head -c 150000000 /dev/urandom > big
head -c 150000000 /dev/urandom > big2
start int.log "$OXIDE_BIN" delta create big big2 -o big.oxdl
begun() { ls big.oxdl.* || ! kill -0 "$started"; }
within 60 "the delta begins" begun
kill -TERM "$started" 2> /dev/null
got=0
wait "$started" || got=$?
forget "$started"
if [ $got -eq 0 ]; then
    skip "the delta was faster than the signal"
else
    same "status after SIGTERM" 130 $got
    same "what is left" "" "$(find . -name 'big.oxdl*')"
fi

step "a file that changes while it is read: refused, and nothing is left"
# changes FILE STATUS PATTERN COMMAND...: FILE changes once the command, which writes out, has begun
changes() {
    local file=$1 wanted=$2 pattern=$3 got=0
    shift 3
    cp "$file" "$file.was"
    rm -f out out.* change.log
    start change.log "$@"
    out_begun() { ls out.* || ! kill -0 "$started"; }
    within 60 "it begins: $*" out_begun
    kill -STOP "$started" 2> /dev/null
    printf changed | dd of="$file" bs=1 seek=$(($(size "$file") - 1000)) conv=notrunc 2> /dev/null
    kill -CONT "$started" 2> /dev/null
    wait "$started" || got=$?
    forget "$started"
    if [ $got -eq 0 ]; then
        skip "it was faster than the change: $*"
    else
        same "status of: $*" "$wanted" "$got"
        holds "message of: $*" "$(cat change.log)" "$pattern"
        same "what is left of: $*" "" "$(ls out out.* 2> /dev/null)"
    fi
    rm -f out
    mv "$file.was" "$file"
}
changes big 1 "big changed while it was read" "$OXIDE_BIN" delta create big big2 -o out
changes big2 1 "big2 changed while it was read" "$OXIDE_BIN" delta create big big2 -o out
{ cat big; printf x; } > big3
expect "create" oxide delta create big big3 -o big.oxdl > /dev/null
changes big 6 "damaged" "$OXIDE_BIN" delta apply big big.oxdl -o out
rm -f big.oxdl big3 big big2

step "a full disk"
if [ "$(id -u)" -eq 0 ] && mkdir full && mount -t tmpfs -o size=64k tmpfs full 2> /dev/null; then
    tear_down() { umount "$work/full" 2> /dev/null; }
    make_model random 200000 noise > /dev/null
    exits 7 "pace" oxide delta apply v1.onnx good.oxdl -o full/out
    same "what is left on the full disk" "" "$(ls full)"
    exits 7 "pace" oxide delta create v1.onnx noise -o full/p.oxdl
    same "what is left on the full disk" "" "$(ls full)"
else
    skip "disk full: mounting a small tmpfs needs root"
fi
