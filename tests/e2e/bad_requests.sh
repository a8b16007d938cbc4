#!/usr/bin/env bash
# What the server answers to what it should not get: JSON errors with the right status, naming the
# thing, and nothing changed.
. "$(dirname "$0")/lib.sh"
serve
make_model random 5000 one > /dev/null
make_model random 5000 two --seed 2 > /dev/null

# refuses STATUS CODE PATTERN PATH [CURL OPTIONS]
refuses() {
    local status=$1 code=$2 pattern=$3 path=$4
    shift 4
    same "status of $path $*" "$status" "$(http_status "$path" "$@")"
    same "code of $path $*" "$code" "$(field .error.code < last.body)"
    holds "message of $path $*" "$(field .error.message < last.body)" "$pattern"
    if grep -q "$work" last.body; then fail "$path: the answer shows a path of the server"; fi
}
post() { refuses "$1" "$2" "$3" "$4" -X POST -d "$5"; }

step "unknown routes and methods"
refuses 404 not_found "" /nothing
refuses 404 not_found "" /api/v2/devices
refuses 405 method_not_allowed "" /api/v1/devices -X PUT
holds "Allow" "$(header allow)" "POST"
same "OPTIONS" 204 "$(http_status /api/v1/devices -X OPTIONS)"
same "its Allow" "POST, GET, HEAD, OPTIONS" "$(header allow)"
same "HEAD" 200 "$(http_status /health --head)"
refuses 405 method_not_allowed "" /health -X TRACE
refuses 400 invalid_request "limit" '/api/v1/devices?limit=%g1'
refuses 400 invalid_request "UTF-8" '/api/v1/devices?sort=%c3%28'
refuses 405 method_not_allowed "" /health -X DELETE

step "parameters of the query that a call does not know"
refuses 400 invalid_request "did you mean limit" '/api/v1/devices?limt=5'
refuses 400 invalid_request "no parameter revert" '/api/v1/campaigns/c/abort?revert=true' -X POST
refuses 400 invalid_request "did you mean dry_run" '/api/v1/gc?dryrun=true' -X POST
refuses 400 invalid_request "no parameter colour" '/api/v1/models/m/versions/v1?colour=%ff' -X POST --data-binary @one
refuses 400 invalid_request "no parameter x" '/health?x'
same "an empty query" 200 "$(http_status '/health?&')"

step "bodies that are not JSON, not the right JSON, too large, of another type"
post 400 invalid_request "" /api/v1/devices 'no json'
post 400 invalid_request "" /api/v1/devices '{"id": "x", "id": "y", "name": "z"}'
post 400 invalid_request "" /api/v1/devices '[1, 2]'
post 400 invalid_request "id" /api/v1/devices '{"name": "z"}'
post 400 invalid_request "id" /api/v1/devices '{"id": 5, "name": "z"}'
post 400 invalid_request "" /api/v1/devices "$(printf '[%.0s' {1..100})"
post 400 invalid_request "" /api/v1/devices ''
post 400 invalid_request "" /api/v1/devices "$(printf '{"a":%.0s' {1..33})1$(printf '}%.0s' {1..33})"
refuses 400 invalid_request "32 levels" /api/v1/devices -X POST -d "$(printf '{"a":%.0s' {1..33})1$(printf '}%.0s' {1..33})"
refuses 400 invalid_request "JSON" /api/v1/devices -X POST --data-binary $'{"id": "x", "name": "\xff"}'
refuses 400 invalid_request "JSON" /api/v1/devices -X POST --data-binary $'{"id": "x", "name": "\xed\xa0\x80"}'
refuses 400 invalid_request "holds a NUL*line 1, column" /api/v1/devices -X POST -d '{"id": "x", "name": "\u0000"}'
printf '{"id": "x",\n"name": "\0"}' > nul.json
refuses 400 invalid_request "holds a NUL*line 2, column 10" /api/v1/devices -X POST --data-binary @nul.json
{ printf '{"id":"x","name":"'; head -c 2000000 /dev/zero | tr '\0' a; printf '"}'; } > large.json
refuses 413 too_large "" /api/v1/devices -X POST -H 'Content-Type: application/json' --data-binary @large.json
refuses 415 unsupported_media_type "" /api/v1/devices -X POST -H 'Content-Type: text/xml' -d '<id>x</id>'
same "no device came of it" "[]" "$(get /api/v1/devices | jq -c .)"

step "identifiers outside the rule"
for id in '..' 'a..b' '%2e%2e' 'a%2fb' 'a%20b' '.hidden' 'a%00b' '%ff' "$(printf 'a%.0s' {1..257})"; do
    status=$(http_status "/api/v1/models/$id/versions/v1" --path-as-is -X POST --data-binary @one)
    [ "$status" = 400 ] || [ "$status" = 404 ] || fail "model $id: status $status"
done
refuses 400 invalid_request "version" '/api/v1/models/m/versions/a%20b' -X POST --data-binary @one
post 400 invalid_request "id" /api/v1/devices '{"id": "a/b", "name": "z"}'
same "no model came of it" "[]" "$(get /api/v1/models | jq -c .models)"

step "things that do not exist"
refuses 404 not_found "nobody" /api/v1/devices/nobody
refuses 404 not_found "nobody" /api/v1/devices/nobody -X DELETE
refuses 404 not_found "egister" /api/v1/devices/nobody/heartbeat -X POST
refuses 404 not_found "nofleet" /api/v1/fleets/nofleet
refuses 404 not_found "" /api/v1/fleets/nofleet/devices/nobody -X POST
refuses 404 not_found "nomodel" /api/v1/models/nomodel
refuses 404 not_found "" /api/v1/models/nomodel/versions/v1/download
refuses 404 not_found "" /api/v1/campaigns/nocampaign
refuses 404 not_found "" /api/v1/campaigns/nocampaign/pause -X POST
refuses 404 not_found "" "/api/v1/blobs/$(digest one)"
refuses 400 invalid_request "" /api/v1/blobs/abc
post 404 not_found "nomodel" /api/v1/campaigns '{"model_id": "nomodel", "model_version": "v1", "fleet_id": "f"}'

step "duplicate uploads: the same bytes 200, others 409, and the first stay"
same "first" 201 "$(http_status /api/v1/models/m/versions/v1 -X POST --data-binary @one)"
uploaded=$(get /api/v1/models/m/versions/v1/meta | field .uploaded_at)
same "again" 200 "$(http_status /api/v1/models/m/versions/v1 -X POST --data-binary @one)"
refuses 409 conflict "v1" /api/v1/models/m/versions/v1 -X POST --data-binary @two
same "still the first" "$(digest one) $uploaded" \
    "$(get /api/v1/models/m/versions/v1/meta | field '"\(.sha256) \(.uploaded_at)"')"
get /api/v1/models/m/versions/v1/download | cmp -s - one || fail "the version changed"
post 201 null "" /api/v1/fleets '{"id": "f", "name": "f"}' # 201: no error in it
post 409 conflict "f" /api/v1/fleets '{"id": "f", "name": "f"}'

step "blobs that are not what they claim"
refuses 400 digest_mismatch "" "/api/v1/blobs/$(digest two)" -X PUT --data-binary @one
same "not held" false "$(get "/api/v1/uploads/$(digest two)" | field .held)"
refuses 409 conflict "" "/api/v1/blobs/$(digest two)" -X PUT --data-binary @two \
    -H 'Content-Range: bytes 100-5099/5100'
same "put" 201 "$(http_status "/api/v1/blobs/$(digest two)" -X PUT --data-binary @two)"
same "put again" 200 "$(http_status "/api/v1/blobs/$(digest two)" -X PUT --data-binary @two)"

step "manifests"
manifest() { refuses "$1" "$2" "$3" /api/v1/models/m/versions/v9 -X POST \
    -H 'Content-Type: application/vnd.oxide.manifest+json' -d "$4"; }
file() { printf '{"path": "%s", "size": %s, "sha256": "%s"}' "$1" "$2" "$3"; }
manifest 404 not_found "" "{\"files\": [$(file a 5 "$(printf 'a%.0s' {1..64})")]}"
manifest 400 invalid_request "" "{\"files\": [$(file ../a 5000 "$(digest two)")]}"
manifest 400 invalid_request "" "{\"files\": [$(file /a 5000 "$(digest two)")]}"
manifest 400 invalid_request "" "{\"files\": [$(file a 5000 "$(digest two)"), $(file a/b 5000 "$(digest two)")]}"
manifest 400 invalid_request "" '{"files": []}'
manifest 400 invalid_request "" "{\"files\": [$(file a 4999 "$(digest two)")]}"

step "a heartbeat that is none"
oxide device register cam-01 > /dev/null
post 400 invalid_request "" /api/v1/devices/cam-01/heartbeat 'x'
post 400 invalid_request "" /api/v1/devices/cam-01/heartbeat '{"status": "flying"}'
same "the device" unknown "$(device_field cam-01 .status)"

step "a request that is no HTTP ends its connection, not the server"
exec 3<> "/dev/tcp/127.0.0.1/$port" && printf 'hello\r\n\r\n' >&3 && timeout 5 cat <&3 > /dev/null
exec 3>&-
same "health" healthy "$(get /health | field .status)"
stop "$server_pid"
