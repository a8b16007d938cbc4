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

step "-o is looked at before the work, and nothing is lost"
mkdir one two && cp v1.onnx one/model.onnx && cp v2-head.onnx two/model.onnx
echo 1 > one/old.txt && mkdir two/sub && echo 2 > two/sub/new.txt
expect "create of folders" oxide delta create one two -o folders.oxdl > /dev/null
# keeps STATUS PATTERN OUT PATCH: refused before BASE, which does not exist, is even looked for
keeps() {
    find . ! -name 'last.*' ! -name before.list | sort > before.list
    exits "$1" "$2" oxide delta apply nowhere "$4" -o "$3" --force
    find . ! -name 'last.*' ! -name before.list | sort | cmp -s - before.list || fail "-o $3 changed something"
}
for patch in good.oxdl folders.oxdl; do
    for out in . .. one/. one/.. ./ / one/../..; do keeps 2 "give a name" $out $patch; done
    keeps 2 "empty" '' $patch
    keeps 2 "device" /dev/null $patch
    keeps 3 "no-such" no-such/out $patch
    keeps 2 "not a folder" kept/out $patch
    keeps 2 "the patch itself" $patch $patch
done
mkfifo fifo && keeps 2 "pipe" fifo good.oxdl
ln -s fifo to-fifo && keeps 2 "pipe" to-fifo good.oxdl
rm fifo to-fifo
keeps 2 "one is a folder, and the patch rebuilds one file" one good.oxdl
keeps 2 "good.oxdl rebuilds one file" fresh/ good.oxdl
keeps 2 "standard output" - folders.oxdl
exits 4 "if the patch rebuilds a folder" oxide delta apply one folders.oxdl -o two

step "a folder in place: whole, or refused where it holds what neither version has"
cp -r one current
for stray in .git/HEAD notes.txt sub/notes old.txt.bak; do
    mkdir -p "current/$(dirname $stray)" && echo mine > current/$stray
    keeps 4 "current holds $stray" current folders.oxdl
    rm -r "current/${stray%%/*}"
done
exits 0 "" oxide delta apply current folders.oxdl -o current/ --force
diff -r current two || fail "in place: not the same files"
exits 0 "" oxide delta apply one folders.oxdl -o current --force
diff -r current two || fail "again: not the same files"
exits 0 "" oxide delta apply one folders.oxdl -o kept --force
diff -r kept two || fail "over a file: not the same files"
same "what is left beside them" "" "$(find . -name '*.tmp*')"
rm -r kept current
if [ "$(id -u)" -eq 0 ] && cp -r one current && mkdir current/busy &&
    mount -t tmpfs -o size=64k tmpfs current/busy 2> /dev/null; then
    tear_down() { umount "$work"/current*/busy 2> /dev/null; }
    exits 0 "remove it by hand" oxide delta apply one folders.oxdl -o current --force
    holds "what is left" "$(cat last.err)" "$(echo current.*.tmp)/busy"
    diff -r current two || fail "where the old one stays: not the same files"
    tear_down
    rm -r current current.*.tmp
else
    skip "an old folder that cannot be removed: a mount in it needs root"
fi

step "a file on standard output"
oxide delta apply v1.onnx good.oxdl -o - 2> told.txt > piped || fail "-o -"
cmp -s piped v2-head.onnx || fail "-o -: not the same bytes"
holds "what is told" "$(cat told.txt)" "$(digest v2-head.onnx)"
oxide delta apply v1.onnx good.oxdl -o - --json 2> told.txt > piped || fail "-o - --json"
same "as JSON" "- $(digest v2-head.onnx)" "$(field '"\(.output) \(.target.sha256)"' < told.txt)"
exits 6 "" oxide delta apply v1.onnx refused.oxdl -o -
same "bytes of a damaged patch" 0 "$(size last.out)"
[ ! -e ./- ] || fail "a file is called -"
mkdir tmp && TMPDIR=$work/tmp oxide delta apply v1.onnx good.oxdl -o - > piped 2> /dev/null
same "what is left in TMPDIR" "" "$(ls tmp)"
TMPDIR=no-such exits 3 "no-such/oxide-apply" oxide delta apply v1.onnx good.oxdl -o -

step "a name that no artifact can have is told"
mkdir odd && echo x > "$(printf 'odd/a\nb')"
exits 2 'folder odd: path "a?x0ab"' oxide delta create odd one -o odd.oxdl
rm -r odd one two folders.oxdl

step "a patch that cannot be written"
exits 3 "no-such" oxide delta create v1.onnx v2-head.onnx -o no-such/p.oxdl
for out in . .. ./ /; do exits 2 "give a name" oxide delta create nowhere v2-head.onnx -o $out; done
exits 2 "empty" oxide delta create nowhere v2-head.onnx -o ''
exits 2 "names a folder" oxide delta create nowhere v2-head.onnx -o p.oxdl/
mkdir one && cp v1.onnx one/model.onnx && ln v1.onnx linked && ln -s one to-one
exits 2 "names a folder" oxide delta create v1.onnx v2-head.onnx -o one --force
for format in oxdl oxdl1 pool; do
    options=(--force --format $format)
    exits 2 "v1.onnx is BASE" oxide delta create v1.onnx v2-head.onnx -o v1.onnx "${options[@]}"
    exits 2 "linked is BASE" oxide delta create v1.onnx v2-head.onnx -o linked "${options[@]}"
    exits 2 "is TARGET" oxide delta create v1.onnx v2-head.onnx -o ./v2-head.onnx "${options[@]}"
    exits 2 "in the folder one" oxide delta create one v1.onnx -o one/p.oxdl "${options[@]}"
    exits 2 "in the folder one" oxide delta create v1.onnx one -o to-one/p.oxdl "${options[@]}"
    echo precious > kept
    exits 4 "kept exists: --force" oxide delta create v1.onnx nowhere -o kept --format $format
    same "the file" precious "$(cat kept)"
    exits 0 "" oxide delta create v1.onnx v2-head.onnx -o kept "${options[@]}"
    exits 0 "" oxide delta apply v1.onnx kept -o rebuilt --force
    cmp -s rebuilt v2-head.onnx || fail "$format: --force wrote another patch"
done
cmp -s v1.onnx one/model.onnx || fail "the base has changed"
same "what is in the folder" model.onnx "$(ls one)"
rm -r one linked to-one kept rebuilt
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
for file in big big2; do
    changes $file 1 "$file changed while it was read" \
        "$OXIDE_BIN" delta create big big2 -o out --format pool
done
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
