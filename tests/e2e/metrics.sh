#!/usr/bin/env bash
# GET /metrics: text that Prometheus takes, figures that agree with what happened, every metric told
# of in docs/serve.md.
. "$(dirname "$0")/lib.sh"

check() { awk -f "$root/tests/e2e/prometheus.awk" "$1"; } # FILE: what is wrong with it
scrape() { get /metrics > metrics.txt; }
# metric NAME[{LABELS}]: its value in the last scrape; "" if it is not there
metric() { awk -v name="$1" 'index($0, name " ") == 1 { print substr($0, length(name) + 2) }' metrics.txt; }
metric_is() { scrape; [ "$(metric "$1")" = "$2" ]; }
# is METRIC VALUE: within some seconds, as what the registry holds may be kept for that long
is() { within 20 "$1 is $2, not $(metric "$1")" metric_is "$1" "$2"; }
answered() { # METHOD ROUTE STATUS: how many requests, in the last scrape
    local count
    count=$(metric "oxide_http_request_duration_seconds_count{method=\"$1\",route=\"$2\",status=\"$3\"}")
    echo "${count:-0}"
}
beat() { get "/api/v1/devices/$1/heartbeat" -d "$2"; }

step "the checker finds what is wrong"
cat > bad.txt <<'END'
# HELP oxide_a A.
# TYPE oxide_a counter
oxide_a 1
# HELP oxide_b_total B.
# TYPE oxide_b_total counter
oxide_b_total{x="a\q"} 1
oxide_b_total{x="a"} 1
oxide_b_total{x="a"} 2
oxide_b_total{x="b"} one
oxide_c 5

# HELP oxide_h H.
# TYPE oxide_h histogram
oxide_h_bucket{le="1"} 2
oxide_h_bucket{le="2"} 1
oxide_h_bucket{le="+Inf"} 3
oxide_h_sum 1
oxide_h_count 4
END
same "faults" 'line 2: counters end in _total, others do not
line 6: no value, or wrong labels
line 8: told twice
line 9: no value, or wrong labels
line 10: it stands not below its family
line 11: no sample
line 15: buckets are not cumulative
line 18: _count is not that of le="+Inf"' "$(check bad.txt | sed 's/: [^:]*$//; s/: oxide_h_count.*//')"

serve
step "an empty server"
same "status" 200 "$(http_status /metrics)"
same "type" "text/plain; version=0.0.4; charset=utf-8" "$(header Content-Type)"
cp last.body metrics.txt
same "faults" "" "$(check metrics.txt)"
same "devices" 0 "$(metric 'oxide_devices{status="online"}')"
same "campaigns" 0 "$(metric 'oxide_campaigns{state="rolling_out"}')"
same "release" 1 "$(metric "oxide_build_info{version=\"$(get /health | field .version)\"}")"
same "POST" 405 "$(http_status /metrics -X POST)"
same "the document" '["text/plain"]' "$(get /api/v1/openapi.json |
    jq -c '.paths["/metrics"].get.responses["200"].content | keys')"

step "devices, and where their answers come from"
for id in cam-01 cam-02 cam-03; do get /api/v1/devices -d "{\"id\": \"$id\"}" > /dev/null; done
for i in 1 2 3 4; do beat cam-01 '{"protocol": 1, "agent": "a"}' > /dev/null; done
beat cam-02 '{"status": "error"}' > /dev/null
same "not known" 404 "$(http_status /api/v1/devices/stranger/heartbeat -d '{}')"
is 'oxide_devices{status="online"}' 1
is 'oxide_devices{status="error"}' 1
is 'oxide_devices{status="unknown"}' 1
is oxide_pending_devices 1
same "beats" 5 "$(($(metric 'oxide_heartbeats_total{source="memory"}') + $(metric 'oxide_heartbeats_total{source="registry"}')))"
[ "$(metric 'oxide_heartbeats_total{source="memory"}')" -ge 1 ] || fail "no heartbeat was answered from memory"
same "requests" 5 "$(answered POST /api/v1/devices/:id/heartbeat 2xx)"
same "refused" 1 "$(answered POST /api/v1/devices/:id/heartbeat 4xx)"
same "registered" 3 "$(answered POST /api/v1/devices 2xx)"

step "requests of no route are one, however they are called"
for i in 1 2 3; do http_status "/no/such/$i" > /dev/null; done
http_status /health -X "STRANGE" > /dev/null
http_status "/health?%22%0a\"" > /dev/null
http_status /health -I > /dev/null
scrape
same "faults" "" "$(check metrics.txt)"
same "elsewhere" 5 "$(answered other other 4xx)" # with the POST above
! grep -q 'no/such\|STRANGE' metrics.txt || fail "what clients say stands in labels"

step "a campaign: deltas, bytes, devices in it"
small_models
exits 0 "" oxide push m v1 v1.onnx
agent cam-11
within 30 "the agent asks" sh -c "curl -sS $server/api/v1/pending-devices | grep -q cam-11"
exits 0 "" oxide device accept cam-11
deploy m v1 --device cam-11
within 60 "it runs v1" runs cam-11 m v1.onnx
same "campaign" 0 "$(within 30 "complete" campaign_is "$campaign" complete; echo $?)"
exits 0 "" oxide push m v2 v2-head.onnx
is 'oxide_delta_jobs{state="ready"}' 1
same "ended" 1 "$(metric 'oxide_delta_jobs_ended_total{state="ready"}')"
same "begun" 1 "$(metric oxide_delta_jobs_begun_total)"
same "failed" 0 "$(metric 'oxide_delta_jobs_ended_total{state="failed"}')"
patch_bytes=$(get /api/v1/jobs/1 | field .patch_bytes)
is oxide_patch_cache_bytes "$patch_bytes"
deploy m v2 --device cam-11
within 60 "it runs v2" runs cam-11 m v2-head.onnx
within 30 "complete" campaign_is "$campaign" complete
is 'oxide_campaigns{state="complete"}' 2
scrape
same "blobs" "$(size v1.onnx)" "$(metric 'oxide_served_bytes_total{kind="blob"}')"
same "patches" "$patch_bytes" "$(metric 'oxide_served_bytes_total{kind="patch"}')"
is oxide_saved_bytes_total $(($(size v2-head.onnx) - patch_bytes))
same "what the campaign says" "$(campaign_field "$campaign" .summary.bytes_saved)" "$(metric oxide_saved_bytes_total)"
get /api/v1/models/m/versions/v1/download > whole
get /api/v1/models/m/versions/v1/download -r 0-99 > part
scrape
same "versions" $(($(size v1.onnx) + 100)) "$(metric 'oxide_served_bytes_total{kind="version"}')"
stop "$agent_pid"

step "devices in a campaign under way"
oxide deploy m v2 --device cam-01 --device cam-03 --json > deployed.json || fail "deploy"
campaign=$(field .campaign_id < deployed.json)
is "oxide_campaign_devices{campaign=\"$campaign\",model=\"m\",version=\"v2\",state=\"pending\"}" 2
same "none has ended" 0 "$(metric "oxide_campaign_devices{campaign=\"$campaign\",model=\"m\",version=\"v2\",state=\"complete\"}")"
oxide abort "$campaign" > /dev/null 2>&1 || get "/api/v1/campaigns/$campaign/abort" -X POST > /dev/null
is 'oxide_campaigns{state="aborted"}' 1
! grep -q "campaign=\"$campaign\"" metrics.txt || fail "a campaign that has ended is told of"

step "sizes, the process, webhooks"
blobs=$(find data/blobs -type f | wc -l)
is oxide_store_blobs "$blobs"
same "bytes" "$(find data/blobs -type f -printf '%s\n' | awk '{ sum += $1 } END { printf "%d", sum }')" "$(metric oxide_store_bytes)"
is oxide_database_bytes "$(size data/registry.db)"
is oxide_database_wal_bytes "$(size data/registry.db-wal)"
free=$(($(stat -f -c '%a * %S' data/blobs)))
within=$(($(metric oxide_store_free_bytes) - free))
[ ${within#-} -lt 5000000000 ] || fail "free bytes: $free expected, $(metric oxide_store_free_bytes) found"
[ "$(metric process_resident_memory_bytes)" -gt 1000000 ] || fail "no resident memory"
[ "$(metric process_open_fds)" -gt 5 ] || fail "no descriptors"
[ "$(metric oxide_http_connections)" -ge 1 ] || fail "no connections"
started=$(metric process_start_time_seconds)
[ $(($(date +%s) - ${started%.*})) -lt 600 ] || fail "the start was at $started"
get /api/v1/webhooks -d '{"id": "ops", "url": "http://127.0.0.1:1/", "after": 0}' > /dev/null
tries_failed() { scrape; [ "$(metric 'oxide_webhook_failed_tries_total{webhook="ops"}')" -ge 1 ]; }
within 30 "a try fails" tries_failed
[ "$(metric 'oxide_webhook_backlog_events{webhook="ops"}')" -ge 10 ] || fail "no backlog"
same "delivered" 0 "$(metric 'oxide_webhook_delivered_events_total{webhook="ops"}')"

step "the text is well-formed while others make requests"
(while :; do beat cam-01 '{"protocol": 1, "agent": "a"}'; done > /dev/null 2>&1) &
busy=$!
pids+=("$busy")
for i in 1 2 3 4 5 6 7 8; do
    scrape
    same "faults" "" "$(check metrics.txt)"
done
kill "$busy" 2> /dev/null
wait "$busy" 2> /dev/null
forget "$busy"

step "every metric is told of, and no other"
sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' metrics.txt | sort > there
sed -n '/^## Metrics/,/^## /s/^| `\([a-z_]*\)[`{].*/\1/p' "$root/docs/serve.md" | sort > told
same "docs/serve.md" "" "$(diff there told)"

step "after a restart sums begin anew, and what is held is held"
stop "$server_pid"
serve
scrape
same "served" 0 "$(metric 'oxide_served_bytes_total{kind="blob"}')"
same "saved" 0 "$(metric oxide_saved_bytes_total)"
same "blobs" "$blobs" "$(metric oxide_store_blobs)"
stop "$server_pid"
