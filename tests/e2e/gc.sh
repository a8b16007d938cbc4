#!/usr/bin/env bash
# What is kept and what goes: rules of retention, garbage collection, removal, the delta cache.
. "$(dirname "$0")/lib.sh"
small_models
serve --poll-interval 1 --gc-grace 2s --delta-cache 1
there() { [ "$(http_status "/api/v1/models/m/versions/$1/meta")" = 200 ]; } # VERSION
held() { [ "$(http_status "/api/v1/blobs/$(digest "$1")" -I)" = 200 ]; } # FILE

step "versions with a device on one of them"
for i in 1 2 3 4 5 6; do
    cp v1.onnx "m$i" && printf '%s' "$i" >> "m$i"
    exits 0 "" oxide push m "v$i" "m$i"
done
exits 0 "" oxide model label m v1 prod
exits 0 "" oxide device register cam-01
exits 0 "" oxide fleet create f
exits 0 "" oxide fleet add f cam-01
agent cam-01
exits 0 "" oxide deploy m v2 --fleet f --wait --timeout 40s
exits 0 "" oxide deploy m v3 --fleet f --wait --timeout 40s

step "without a rule nothing goes"
exits 3 "all versions are kept" oxide model retention m
exits 0 "" oxide gc
holds "said" "$(cat last.out)" "0 versions"
there v1 || fail "v1 is gone"

step "by rule, but for what is needed"
exits 0 "" oxide model retention m --keep 1 --keep-label prod
holds "the rule" "$(oxide model retention m)" "the newest 1 versions are kept, those labelled prod"
sleep 2.1
same "a dry run" "v4 v5" "$(oxide gc --dry-run --json | field '[.versions[].version] | join(" ")')"
there v4 || fail "a dry run removes"
exits 0 "" oxide gc
holds "said" "$(cat last.out)" "removed"
holds "said" "$(cat last.out)" "kept: device cam-01 runs it"
for v in v1 v2 v3 v6; do there $v || fail "$v is gone"; done
for v in v4 v5; do there $v && fail "$v is there"; done
held m4 && fail "the blob of v4 is there"
held m3 || fail "the blob of v3 is gone"
runs cam-01 m m3 || fail "cam-01 does not run v3"

step "removal by hand is refused while something needs it, saying what"
exits 4 "m@v3 is needed: device cam-01 runs it" oxide model remove m v3
exits 4 "came from it" oxide model remove m v2
exits 3 "v4" oxide model remove m v4
exits 0 "" oxide model remove m v1
holds "said" "$(cat last.out)" "m@v1 is removed"
holds "its name stays taken" "$(oxide push m v1 m6 2>&1)" "other bytes"
exits 0 "" oxide push m v1 m1
there v1 || fail "v1 does not come back"

step "what cam-01 came from is there to go back to"
exits 0 "" oxide deploy m v2 --fleet f --wait --timeout 40s
runs cam-01 m m2 || fail "cam-01 does not run v2"

step "an upload is there for its manifest, then goes"
head -c 100000 /dev/urandom > lone
curl -sS -o /dev/null -T lone "$server/api/v1/blobs/$(digest lone)"
exits 0 "" oxide gc
holds "said" "$(cat last.out)" "stay for now"
held lone || fail "an upload went before its time"
sleep 2.1
get "/api/v1/uploads/$(digest lone)" > /dev/null # whoever hears that it is held has time again
exits 0 "" oxide gc
held lone || fail "what was just told to be held is gone"
sleep 2.1
exits 0 "" oxide gc
held lone && fail "an orphan stays"

step "kill -9 in the middle of collecting: nothing needed is lost, and the rest goes later"
for i in $(seq 1 40); do
    printf '%s' "$i" > tiny
    oxide push t "v$i" tiny > /dev/null || fail "push t v$i"
done
exits 0 "" oxide model retention t --keep 1
sleep 2.1
curl -sS -o /dev/null -X POST "$server/api/v1/gc" 2> /dev/null &
sleep 0.05
kill_hard "$server_pid"
wait $! 2> /dev/null
serve --poll-interval 1 --gc-grace 2s --delta-cache 1
exits 0 "" oxide gc
same "one version of t is left" 1 "$(get /api/v1/models/t | field '.versions | length')"
blobs=$(find data/blobs -type f | wc -l)
wanted=$(get /api/v1/models | field '.models[].model_id' | while read -r model; do
    get "/api/v1/models/$model" | field '.versions[].variants[].sha256'
done | sort -u | wc -l)
patches=$(oxide job list --state ready --json | field '.jobs | length')
[ "$blobs" -le $((wanted + patches)) ] || fail "$blobs blobs for $wanted artifacts and $patches patches"
runs cam-01 m m2 || fail "cam-01 does not run v2"

step "bad input"
exits 2 "keep" oxide model retention m --keep -1
exits 2 "off" oxide model retention m --off --keep 1
exits 2 "label" oxide model retention m --keep 1 --keep-label "a b"
exits 0 "" oxide model retention m --off
exits 3 "rule" oxide model retention m --off
exits 0 "" oxide model retention --keep 3 --keep-for 30d
holds "general" "$(oxide model retention)" "models without a rule of their own"
exits 2 "gc-grace" oxide serve --data other --gc-grace 0
same "a body of nonsense" 400 "$(http_status /api/v1/retention -X PUT -d '{"keep_newest":"x"}')"
same "no such flag" 400 "$(http_status '/api/v1/gc?dry_run=maybe' -X POST)"
stop "$agent_pid"
stop "$server_pid"
