#!/usr/bin/env bash
# Delta jobs: listed with their progress, canceled, retried, bounded, resumed after kill -9.
. "$(dirname "$0")/lib.sh"
serve --delta-workers 1 --delta-effort 9 --delta-wait 10m
state() { get "/api/v1/jobs/$1" | field .state; } # JOB
is() { [ "$(state "$1")" = "$2" ]; } # JOB STATE

step "a large delta runs, and says how far it is"
make_model random 200000000 one > /dev/null
cp one two && printf x | dd of=two bs=1 seek=100000000 conv=notrunc status=none
make_model random 60000000 tail --seed 3 > /dev/null && cat tail >> two
exits 0 "" oxide push big v1 one
exits 0 "" oxide push big v2 two
begun() { [ "$(get /api/v1/jobs/1 | field '.progress // 0')" -gt 0 ]; }
within 60 "the job is under way" begun
holds "listed" "$(oxide job list)" "running, "
same "listed by state" "1" "$(oxide job list --state running --json | field '.jobs | length')"
same "names" "big v1 v2" "$(get /api/v1/jobs/1 | field '"\(.model_id) \(.base_version) \(.target_version)"')"

step "kill -9 while it runs: it is made after the start, once"
kill_hard "$server_pid"
serve --delta-workers 1 --delta-effort 9 --delta-wait 10m
within 60 "the job is under way again" is 1 running

step "canceled while it runs: the worker is free at once, and devices get the whole file"
exits 0 "" oxide job cancel 1
same "state" canceled "$(state 1)"
exits 4 "is canceled" oxide job cancel 1
make_model onnx v1 a.onnx --width 96 > /dev/null
make_model onnx v2-head b.onnx --width 96 > /dev/null
exits 0 "" oxide push small v1 a.onnx
exits 0 "" oxide push small v2 b.onnx
within 30 "another job is made meanwhile" is 2 ready
same "still canceled" canceled "$(state 1)"
same "a download brings nothing back" 200 "$(http_status /api/v1/models/big/versions/v2/download \
    -H 'X-Oxide-Base-Version: v1' -H 'X-Oxide-Reads: oxdl/2; ops=ffffffff')"
same "the whole file" "" "$(header x-oxide-delta-base)"
same "state" canceled "$(state 1)"
holds "reason" "$(oxide job list)" "canceled by an operator"

step "retried"
exits 0 "" oxide job retry 1
holds "said" "$(cat last.out)" "job 1 is queued"
within 60 "it runs" is 1 running
exits 0 "" oxide job cancel 1
exits 4 "is ready" oxide job retry 2
exits 3 "no delta job 99" oxide job retry 99
exits 2 "is no job" oxide job retry x
same "no number" 404 "$(http_status /api/v1/jobs/x)"
same "no number" 404 "$(http_status /api/v1/jobs/1x/cancel -X POST)"
same "no such state" 400 "$(http_status '/api/v1/jobs?state=lost')"

step "a bounded queue"
stop "$server_pid"
serve --delta-workers 1 --delta-queue 1 --delta-effort 9
exits 0 "" oxide job retry 1
within 30 "it runs" is 1 running
for i in 3 4 5 6; do
    make_model onnx v2-head "c$i.onnx" --width 96 > /dev/null
    printf '%s' "$i" >> "c$i.onnx"
    exits 0 "" oxide push small "v$i" "c$i.onnx"
done
same "one is queued" 1 "$(oxide job list --state queued --json | field '.jobs | length')"
exits 0 "" oxide job cancel 1
stop "$server_pid"
