#!/usr/bin/env bash
# Lists over HTTP: whole and streamed, in pages, sorted, filtered, in bounded memory.
. "$(dirname "$0")/lib.sh"
devices=20000
sanitized=no
! grep -q __asan_init "$OXIDE_BIN" || sanitized=yes

step "a server with $devices devices"
serve
stop "$server_pid"
if ! command -v sqlite3 > /dev/null; then
    skip "no sqlite3: apt-get install sqlite3"
    exit 0
fi
sqlite3 data/registry.db "
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < $devices - 1)
    INSERT INTO devices (id, name, tags, registered_at, status)
        SELECT printf('dev-%06d', i), 'Camera ' || (i % 100), '{\"site\":\"graz\"}', i, 'unknown' FROM n;
    INSERT INTO fleets (id, name, default_strategy, tags, created_at) VALUES ('all', 'All', 'canary', '{}', 1), ('few', 'Few', 'canary', '{}', 2);
    INSERT INTO fleet_devices SELECT 'all', id, 1 FROM devices;
    INSERT INTO fleet_devices SELECT 'few', id, 2 FROM devices WHERE id LIKE '%000';"
serve

step "the whole list is streamed, as the bare array that it was"
get /api/v1/devices > whole.json
same "devices" "$devices" "$(jq length whole.json)"
same "the first" dev-000000 "$(jq -r '.[0].id' whole.json)"
same "ids, sorted and unique" "$(jq -r '.[].id' whole.json | sort -u | sha256sum)" "$(jq -r '.[].id' whole.json | sha256sum)"
resident=$(awk '/VmHWM/ { print $2 }' "/proc/$server_pid/status")
echo "most resident: $resident KiB for a list of $(size whole.json) bytes"
[ "$(size whole.json)" -gt 5000000 ] || fail "the list is short"
if [ $sanitized = no ]; then
    [ "$resident" -lt 40000 ] || fail "the server held the list: $resident KiB"
fi
same "HEAD" 200 "$(http_status /api/v1/devices --head)"
curl -sS --http1.0 "$server/api/v1/devices" | cmp -s - whole.json || fail "the list differs in HTTP/1.0"

step "pages: walked by Link they are the whole list"
walk() { # PATH: the ids, page by page
    local url=$server$1 pages=0
    while [ -n "$url" ]; do
        curl -sS -D page.head "$url" > page.json
        jq -r '.[].id' page.json
        pages=$((pages + 1))
        url=$(tr -d '\r' < page.head | sed -n 's/^Link: <\(.*\)>; rel="next"$/\1/Ip')
        [ -z "$url" ] || url=$server$url
    done
    echo "$pages" > pages
}
walk '/api/v1/devices?limit=1000' > ids
same "pages" $((devices / 1000)) "$(cat pages)"
jq -r '.[].id' whole.json | cmp -s - ids || fail "pages are not the list"
walk '/api/v1/devices?limit=900&sort=-id' | sort > ids
jq -r '.[].id' whole.json | cmp -s - ids || fail "pages falling are not the list"
walk '/api/v1/devices?limit=7&fleet=few&sort=-name' > ids
same "of a fleet" $((devices / 1000)) "$(wc -l < ids)"
same "a page by cursor alone" 100 "$(get "/api/v1/devices?cursor=$(get '/api/v1/devices?limit=5' -D - -o /dev/null | tr -d '\r' | sed -n 's/^x-oxide-next-cursor: //Ip')" | jq length)"

step "a page is fast, wherever it is"
for query in '' '&sort=name' '&sort=-registered' '&sort=last_seen' '&fleet=all' '&fleet=few' '&status=unknown'; do
    get "/api/v1/devices?limit=100$query" > /dev/null
    best=$(for _ in 1 2 3 4 5; do get "/api/v1/devices?limit=100$query" -o /dev/null -w '%{time_total}\n'; done | sort -n | head -n 1)
    echo "limit=100$query: $best s"
    if [ $sanitized = no ]; then
        awk "BEGIN { exit !($best < 0.5) }" || fail "a page takes $best s"
    fi
done

step "oxide lists page by page, and print the same as before"
count() { oxide device list "$@" | tail -n +2 | wc -l; }
same "rows" "$devices" "$(count)"
same "limited" 1500 "$(count --limit 1500)"
same "of a fleet" $((devices / 1000)) "$(count --fleet few)"
same "sorted" dev-019999 "$(oxide device list --sort -registered --limit 1 | tail -n 1 | cut -d ' ' -f 1)"
same "json" "$(jq -c . whole.json | sha256sum)" "$(oxide device list --json | jq -c . | sha256sum)"
oxide device list --json --limit 3 > listed.json
jq --indent 2 . listed.json | cmp -s - listed.json || fail "--json is not indented as it was"
oxide model list --json > listed.json
jq -e '.models == []' listed.json > /dev/null || fail "an empty list in JSON"
same "fleets" "$devices $((devices / 1000))" "$(oxide fleet list | tail -n +2 | awk '{ print $3 }' | paste -sd ' ')"
same "fleets in JSON" "$devices" "$(oxide fleet list --json | jq '.[0].devices | length')"
exits 2 "one of id, name" oxide device list --sort colour
exits 2 "online|offline" oxide device list --status flying
exits 0 "no such devices" oxide device list --fleet none

step "fleets, with and without their devices"
same "ids" "$devices" "$(get /api/v1/fleets/all | jq '.devices | length')"
same "whole list" "$devices $((devices / 1000))" "$(get /api/v1/fleets | jq -r '[.[] | .devices | length] | join(" ")')"
same "left out" "false $devices" "$(get '/api/v1/fleets?devices=false&limit=1' | jq -r '.[0] | "\(has("devices")) \(.device_count)"')"

step "what is no page is refused, what is empty ignored"
refused() { # PATTERN QUERY
    same "status of $2" 400 "$(http_status "/api/v1/devices?$2")"
    holds "message of $2" "$(field .error.message < last.body)" "$1"
}
refused "limit: must be a whole number, 1 to 1000" limit=0
refused "limit: must be a whole number, 1 to 1000" limit=1001
refused "limit: must be" limit=ten
refused "limit: must be" limit=
refused "limit: must be" limit
refused "limit is given twice" 'limit=1&limit=1'
refused "percent-encoded" 'limit=%'
refused "no valid UTF-8" 'sort=%ff'
refused "one of id, name, last_seen, registered" sort=colour
refused "one of online" status=flying
refused "cursor" cursor=abc
refused "cursor" "cursor=$(printf 'A%.0s' {1..5000})"
refused "cursor" "sort=name&cursor=$(get '/api/v1/devices?limit=5' -D - -o /dev/null | tr -d '\r' | sed -n 's/^x-oxide-next-cursor: //Ip')"
same "empty parameters" 3 "$(get '/api/v1/devices?limit=3&=&&&' | jq length)"
same "an empty query" "$devices" "$(get '/api/v1/devices?' | jq length)"

step "a client that goes away in mid-list costs nothing"
for _ in 1 2 3 4 5; do curl -sS --max-time 0.05 "$server/api/v1/devices" > /dev/null 2>&1; done
same "health" healthy "$(get /health | field .status)"

step "a stop in mid-list ends it"
curl -sS --limit-rate 100k "$server/api/v1/devices" > cut.json 2> cut.err &
pids+=($!)
sleep 0.5
stop "$server_pid"
