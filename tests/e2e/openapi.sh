#!/usr/bin/env bash
# Answers are what the OpenAPI document says they are: every GET of a server with something in it.
. "$(dirname "$0")/lib.sh"
serve
get /api/v1/openapi.json > doc.json
same "the document" "3.1.0" "$(field .openapi < doc.json)"

# fits OPERATION METHOD STATUS FILE: does the JSON in FILE fit the schema of the answer?
fits() {
    local schema wrong
    schema=$(jq -c --arg op "$1" --arg status "$3" '
        [.paths[][] | select(.operationId == $op)][0].responses[$status] as $r
        | (if $r."$ref" then .components.responses[$r."$ref" | ltrimstr("#/components/responses/")] else $r end)
        | .content["application/json"].schema' doc.json)
    [ "$schema" != null ] || { fail "$1: no schema for status $3"; return; }
    wrong=$(jq -r --slurpfile docs doc.json --argjson schema "$schema" \
        '$docs[0] as $doc | '"$(cat "$root/tests/e2e/schema.jq")" "$4") || fail "$1: no JSON"
    [ -z "$wrong" ] || fail "$1 ($2, $3): $wrong"
}
# call OPERATION METHOD STATUS PATH [CURL OPTIONS]
called=''
call() {
    local operation=$1 method=$2 status=$3 path=$4
    shift 4
    same "status of $method $path" "$status" "$(http_status "$path" -X "$method" "$@")"
    fits "$operation" "$method" "$status" last.body
    called+=" $operation "
}

step "the schema checker finds what is wrong"
echo '{"sha256": "abc", "size_bytes": "many", "more": 1}' > bad.json
wrong=$(jq -r --slurpfile docs doc.json '$docs[0] as $doc | {"$ref": "#/components/schemas/Blob"} as $schema | '"$(cat "$root/tests/e2e/schema.jq")" bad.json)
same "found" 'answer.sha256: abc is not ^[0-9a-f]{64}$
answer.size_bytes: is string, not "integer"
answer: more stands in no schema' "$wrong"
echo '{}' > bad.json
wrong=$(jq -r --slurpfile docs doc.json '$docs[0] as $doc | {"$ref": "#/components/schemas/Blob"} as $schema | '"$(cat "$root/tests/e2e/schema.jq")" bad.json)
same "found" 'answer: lacks sha256
answer: lacks size_bytes' "$wrong"

step "every change, and what it answers"
make_model onnx v1 one --width 64 > /dev/null
make_model onnx v2-head two --width 64 > /dev/null
call device_register POST 201 /api/v1/devices -d '{"id": "cam-01", "name": "Cam", "tags": {"site": "graz"}}'
call device_register POST 200 /api/v1/devices -d '{"id": "cam-01"}'
call device_register POST 201 /api/v1/devices -d '{"id": "cam-02"}'
call fleet_create POST 201 /api/v1/fleets -d '{"id": "f", "tags": {"a": "b"}}'
call fleet_add POST 200 /api/v1/fleets/f/devices/cam-01
call device_edit PATCH 200 /api/v1/devices/cam-01 -d '{"tags": {"site": "graz", "line": null}}'
call fleet_create POST 201 /api/v1/fleets -d '{"id": "g", "filter": "tag.site = graz"}'
call fleet_edit PATCH 200 /api/v1/fleets/g -d '{"description": "x", "tags": {"a": null}}'
call fleet_create POST 400 /api/v1/fleets -d '{"id": "h", "filter": "tag.site"}'
call publish POST 201 /api/v1/models/m/versions/v1 --data-binary @one
call publish POST 201 /api/v1/models/m/versions/v2 --data-binary @two
call upload PUT 200 "/api/v1/blobs/$(digest one)" --data-binary @one
call heartbeat POST 200 /api/v1/devices/cam-01/heartbeat -d "{\"agent\": \"oxide/0.1.0\", \"protocol\": 1,
    \"reads\": \"oxdl/2; ops=ff\", \"platform\": {\"arch\": \"x86_64\", \"os\": \"linux\", \"cpu_count\": 4, \"total_memory_bytes\": 1000},
    \"models\": [{\"id\": \"m\", \"version\": \"v1\", \"digest\": \"$(digest one)\"}],
    \"metrics\": {\"inference_count\": 5, \"avg_latency_us\": 1.5, \"uptime_secs\": 6, \"free_memory_bytes\": 7}}"
call fleet_deploy POST 200 /api/v1/fleets/f/deploy -d '{"model_id": "m", "model_version": "v2"}'
campaign=$(field .campaign_id < last.body)
call campaign_create POST 201 /api/v1/campaigns -d '{"model_id": "m", "model_version": "v2", "device_ids": ["cam-02"]}'
call campaign_pause POST 200 "/api/v1/campaigns/$campaign/pause"
call campaign_resume POST 200 "/api/v1/campaigns/$campaign/resume"
assigned() {
    get /api/v1/devices/cam-01/heartbeat -X POST -d '{"protocol": 1}' | jq -e '.assignments | length > 0'
}
within 30 "an assignment with a patch" assigned
call heartbeat POST 200 /api/v1/devices/cam-01/heartbeat -d '{"protocol": 1}'
holds "it is whole" "$(cat last.body)" '"patch"'
call heartbeat POST 200 /api/v1/devices/cam-01/heartbeat -d "{\"protocol\": 1, \"last_update_result\": {\"failed\": {\"error\": \"x\"}},
    \"reports\": [{\"seq\": 1, \"campaign_id\": \"$campaign\", \"model_id\": \"m\", \"model_version\": \"v2\", \"state\": \"failed\",
    \"error\": {\"code\": \"no_space\", \"message\": \"full\"}, \"strategy\": \"delta\", \"bytes_received\": 5}]}"

call campaign_create POST 201 /api/v1/campaigns -d '{"model_id": "m", "model_version": "v1", "device_ids": ["cam-02"]}'
call campaign_abort POST 200 "/api/v1/campaigns/$(field .campaign_id < last.body)/abort"

call campaign_plan POST 200 /api/v1/campaigns/plan -d '{"model_id": "m", "model_version": "v1", "fleet_id": "f", "link_bps": 300000}'
call campaign_create POST 201 /api/v1/campaigns -d '{"model_id": "m", "model_version": "v1", "device_ids": ["cam-02"],
    "strategy": "canary", "gates": {"approval": true}, "halt": {"action": "revert", "rules": [{"class": "health", "count": 1}]}}'
call campaign_approve POST 409 "/api/v1/campaigns/$(field .campaign_id < last.body)/approve"
call campaign_retry POST 200 "/api/v1/campaigns/$campaign/retry?device=cam-01"
call campaign_revert POST 409 "/api/v1/campaigns/$campaign/revert"
call model_revert POST 201 /api/v1/models/m/revert -d '{"fleet_id": "f", "model_version": "v1"}'
call quarantine_free DELETE 200 /api/v1/devices/cam-01/quarantine
call device_pin POST 200 /api/v1/devices/cam-02/pin -d '{"model_id": "m", "reason": "a demo"}'
call device_pin POST 200 /api/v1/devices/cam-02/pin
call device_unpin POST 200 /api/v1/devices/cam-02/unpin
for instance in 0123456789abcdef0123456789abcdef fedcba9876543210fedcba9876543210; do
    call heartbeat POST 200 /api/v1/devices/cam-02/heartbeat -d "{\"protocol\": 1, \"instance\": \"$instance\",
        \"start\": \"0123456789abcdef\", \"poll_interval_s\": 900, \"utc_offset_s\": -3600,
        \"disk\": {\"free_bytes\": 1, \"total_bytes\": 2}, \"models\": []}"
done
call device_split POST 200 /api/v1/devices/cam-02/split -d '{"as": "cam-03"}'
call heartbeat POST 200 /api/v1/devices/cam-02/heartbeat -d "{\"protocol\": 1, \"instance\": \"$instance\"}"
call device_split POST 409 /api/v1/devices/cam-02/split
call heartbeat POST 200 /api/v1/devices/cam-02/heartbeat -d '{"protocol": 1, "instance": "00000000000000000000000000000000"}'
call device_replace POST 200 /api/v1/devices/cam-02/replace
call heartbeat POST 200 /api/v1/devices/cam-02/heartbeat -d '{"protocol": 1, "instance": "0123456789abcdef0123456789abcdef"}'
for id in cam-07 cam-08; do
    call heartbeat POST 404 /api/v1/devices/$id/heartbeat -d '{"platform": {"arch": "x", "os": "y", "cpu_count": 1, "total_memory_bytes": 2}}'
done
call pending_devices GET 200 /api/v1/pending-devices
call pending_reject POST 200 /api/v1/pending-devices/cam-07/reject
call pending_accept POST 200 /api/v1/pending-devices/cam-08/accept -d '{"fleet_id": "f", "tags": {"a": "b"}}'
call pending_accept POST 404 /api/v1/pending-devices/cam-09/accept

step "errors have the shape that is told"
call device GET 404 /api/v1/devices/nobody
call device_register POST 400 /api/v1/devices -d '{'
call device_register POST 415 /api/v1/devices -d '{}' -H 'Content-Type: text/xml'
call fleet_create POST 409 /api/v1/fleets -d '{"id": "f"}'

step "every GET"
call health GET 200 /health
call openapi GET 200 /api/v1/openapi.json
call devices GET 200 /api/v1/devices
call device GET 200 /api/v1/devices/cam-01
call device GET 200 /api/v1/devices/cam-02
call device_history GET 200 /api/v1/devices/cam-01/history
call pending_devices GET 200 '/api/v1/pending-devices?state=rejected'
call model_where GET 200 /api/v1/models/m/where
call model_where_counts GET 200 /api/v1/models/m/where/counts
call fleets GET 200 /api/v1/fleets
call fleet GET 200 /api/v1/fleets/f
call fleet GET 200 /api/v1/fleets/g
call fleet_status GET 200 /api/v1/fleets/f/status
call devices GET 200 '/api/v1/devices?filter=tag.site=graz'
call models GET 200 /api/v1/models
call model GET 200 /api/v1/models/m
call version GET 200 /api/v1/models/m/versions/v1/meta
call model_delta POST 200 /api/v1/models/m/delta -d '{"from": "v2", "to": "v1"}'
call model_delta POST 400 /api/v1/models/m/delta -d '{"from": "v2", "to": "v2"}'
compared() { [ "$(http_status '/api/v1/models/m/diff?from=v1&to=v2&all=true')" = 200 ]; }
within 30 "the versions are compared" compared
call model_diff GET 200 '/api/v1/models/m/diff?from=v1&to=v2&all=true'
call model_diff GET 200 '/api/v1/models/m/diff?from=v1&to=v2&limit=1'
call model_diff GET 404 '/api/v1/models/m/diff?from=v1&to=v9'
call version_patch PATCH 200 /api/v1/models/m/versions/v1 -d '{"labels": {"a": "b"}, "metrics": {"m": 1.5}, "parent": "v0"}'
call upload_status GET 200 "/api/v1/uploads/$(digest one)"
call campaigns GET 200 /api/v1/campaigns
call campaign_devices GET 200 "/api/v1/campaigns/$campaign/devices"
call jobs GET 200 /api/v1/jobs
call quarantine GET 200 /api/v1/quarantine
call job GET 200 /api/v1/jobs/1
call retention_set PUT 200 /api/v1/models/m/retention -d '{"keep_newest": 9, "keep_labels": ["a"]}'
call retention GET 200 /api/v1/models/m/retention
call general_retention_set PUT 200 /api/v1/retention -d '{"keep_newest": 9}'
call general_retention GET 200 /api/v1/retention
call gc POST 200 /api/v1/gc?dry_run=true
for list in devices fleets models models/m campaigns jobs "campaigns/$campaign/devices"; do
    name=$(jq -r --arg path "/api/v1/$(sed 's|models/m|models/{id}|; s|/c-[^/]*|/{id}|' <<< "$list")" '.paths[$path].get.operationId' doc.json)
    call "$name" GET 200 "/api/v1/$list?limit=1"
done
call fleets GET 200 '/api/v1/fleets?devices=false'
call campaign GET 200 "/api/v1/campaigns/$campaign"
call events GET 200 '/api/v1/events?format=json&after=0'
call webhook_add POST 201 /api/v1/webhooks -d '{"url": "http://127.0.0.1:1/", "id": "h", "kinds": ["campaign"]}'
call webhooks GET 200 /api/v1/webhooks
call webhook GET 200 /api/v1/webhooks/h
call webhook_test POST 200 /api/v1/webhooks/h/test
call webhook_resume POST 200 /api/v1/webhooks/h/resume
call webhook_remove DELETE 200 /api/v1/webhooks/h
call fleet_remove DELETE 200 /api/v1/fleets/f/devices/cam-01
call fleet_delete DELETE 200 /api/v1/fleets/g
call device_remove DELETE 200 /api/v1/devices/cam-02

# Bytes, not JSON: download and blob have tests of their own.
for operation in $(jq -r '.paths[] | .get // empty
    | select([.responses[] | .content? // {} | keys[]] | index("application/json")) | .operationId' doc.json); do
    [[ $called == *" $operation "* ]] || fail "GET $operation is not called here: add a line"
done
stop "$server_pid"
