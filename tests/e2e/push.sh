#!/usr/bin/env bash
# oxide push: idempotent, sends only what is lacking, goes on where it broke off, follows symlinks;
# and artifacts of several files update by a patch.
. "$(dirname "$0")/lib.sh"
serve --poll-interval 1
make_model random 3000000 one > /dev/null

step "the same bytes again send nothing; other bytes are refused before any is sent"
same "first push" "3000000 false" \
    "$(oxide push m v1 one --json | field '"\(.sent_bytes) \(.published_before)"')"
same "again" "0 true" "$(oxide push m v1 one --json | field '"\(.sent_bytes) \(.published_before)"')"
same "the same bytes as another version" "0 false" \
    "$(oxide push m v2 one --json | field '"\(.sent_bytes) \(.published_before)"')"
make_model random 3000000 two --seed 2 > /dev/null
exits 4 "m@v1" oxide push m v1 two
same "nothing was sent" "0 false" "$(get "/api/v1/uploads/$(digest two)" |
    field '"\(.received_bytes) \(.held)"')"
exits 3 "missing" oxide push m v3 missing
exits 2 "version" oxide push m 'v 3' one

step "goes on where an upload broke off"
curl -sS -T two --limit-rate 1M --max-time 1 -o /dev/null "$server/api/v1/blobs/$(digest two)" 2> /dev/null
there() { [ "$(get "/api/v1/uploads/$(digest two)" | field .received_bytes)" -gt 0 ]; }
within 10 "the server holds a part" there
part=$(get "/api/v1/uploads/$(digest two)" | field .received_bytes)
sent=$(oxide push m v3 two --json | field .sent_bytes)
same "what was sent" $((3000000 - part)) "$sent"

step "killed in the middle, and again: it arrives whole"
truncate -s 300M big && printf end >> big
sum=$(digest big)
for _ in 1 2; do
    "$OXIDE_BIN" push big v1 big > push.out 2>&1 &
    pid=$!
    begun() { [ "$(get "/api/v1/uploads/$sum" | field .received_bytes)" -gt 1000000 ] || ! kill -0 $pid; }
    within 60 "a part of it arrived" begun
    kill -KILL $pid 2> /dev/null
    wait $pid 2> /dev/null
done
exits 0 "" oxide push big v1 big
same "the version" "$sum" "$(get /api/v1/models/big/versions/v1/meta | field .sha256)"
same "its bytes" "$sum" "$(get "/api/v1/blobs/$sum" | sha256sum | cut -d ' ' -f 1)"

step "the server dies under a push, and comes back: the push goes on by itself"
printf more >> big
sum=$(digest big)
"$OXIDE_BIN" push big v2 big > push.out 2>&1 &
pid=$!
within 60 "a part of it arrived" begun
kill_hard "$server_pid"
serve --poll-interval 1
got=0
wait $pid || got=$?
same "status of the push: $(cat push.out)" 0 $got
same "the version" "$sum" "$(get /api/v1/models/big/versions/v2/meta | field .sha256)"
rm big

step "ctrl-c ends a push with status 130"
truncate -s 400M slow && printf x >> slow
"$OXIDE_BIN" push slow v1 slow > push.out 2>&1 &
pid=$!
sleep 0.3
kill -INT $pid
got=0
wait $pid || got=$?
[ $got -eq 130 ] || [ $got -eq 0 ] || fail "status after SIGINT: $got: $(cat push.out)"
[ $got -eq 130 ] || skip "the push was faster than the signal"
rm slow

step "a folder as Hugging Face snapshots have it: symlinks into blobs"
mkdir -p cache/blobs cache/snapshots/4f1c/onnx
make_model onnx external e.onnx --width 96 > /dev/null
mv e.onnx cache/blobs/aaa && mv e.onnx.data cache/blobs/bbb
echo '{"labels": 10}' > cache/blobs/ccc
ln -s ../../../blobs/aaa cache/snapshots/4f1c/onnx/model.onnx
ln -s ../../../blobs/bbb cache/snapshots/4f1c/onnx/e.onnx.data
ln -s ../../blobs/ccc cache/snapshots/4f1c/config.json
echo hidden > cache/snapshots/4f1c/.gitattributes
exits 0 "" oxide push hf v1 cache/snapshots/4f1c
same "files" "config.json onnx/e.onnx.data onnx/model.onnx" \
    "$(get /api/v1/models/hf/versions/v1/meta | field '[.files[].path] | join(" ")')"
same "digest" "$(oxide info --json cache/snapshots/4f1c | field .digest)" \
    "$(get /api/v1/models/hf/versions/v1/meta | field .sha256)"
ln -s /etc/passwd cache/snapshots/4f1c/passwd
exits 2 "passwd" oxide push hf v2 cache/snapshots/4f1c
rm cache/snapshots/4f1c/passwd

step "several files update by one patch"
cp -rL cache/snapshots/4f1c v1 && rm v1/.gitattributes && cp -r v1 v2
make_model onnx external-v3 v2/onnx/e.onnx --width 96 > /dev/null && mv v2/onnx/e.onnx v2/onnx/model.onnx
make_model random 500000 v1/noise > /dev/null && cp v1/noise v2/noise
echo '{"labels": 11}' > v2/config.json && mkdir v2/new && echo new > v2/new/file
chmod +x v2/config.json
exits 0 "" oxide push folder v1 v1
exits 0 "" oxide push folder v2 v2
exits 0 "" oxide device register cam-01
agent cam-01
exits 0 "" oxide deploy folder v1 --device cam-01 --wait --timeout 40s
runs cam-01 folder v1 || fail "cam-01 does not run the folder"
exits 0 "" oxide deploy folder v2 --device cam-01 --wait --timeout 40s --json
runs cam-01 folder v2 || fail "cam-01 does not run the new folder"
[ -x cam-01/folder/current/config.json ] || fail "config.json lost its mode"
served=$(field .summary.bytes_served < last.out)
[ "$served" -gt 0 ] && [ $((served * 2)) -lt 500000 ] || fail "the new folder took $served bytes"
