#!/usr/bin/env bash
# A disk that fills up in mid-upload: 507 that says what to do, nothing half-done, and all is well
# once there is room again.
. "$(dirname "$0")/lib.sh"
mkdir data
if ! mount -t tmpfs -o size=24m,mode=0755 oxide-e2e data 2> /dev/null; then
    skip "no tmpfs can be mounted here: run as root"
    exit 0
fi
tear_down() { umount -l "$work/data"; }
serve
make_model random 4000000 small > /dev/null
make_model random 40000000 large --seed 2 > /dev/null
made() { find data/blobs data/tmp data/uploads -type f 2> /dev/null | sort; }
oxide device register cam-01 > /dev/null

# refused PATH CURL-OPTIONS...: 507, in our words, and no byte of it stays
refused() {
    local before after
    before=$(made)
    same "status of $*" 507 "$(http_status "$@")"
    same "code" no_space "$(field .error.code < last.body)"
    holds "message" "$(field .error.message < last.body)" "free space"
    after=$(made)
    same "files after $*" "$before" "$after"
}

step "uploads that tell their size are refused before a byte is written"
refused /api/v1/models/m/versions/v1 -X POST --data-binary @large
refused "/api/v1/blobs/$(digest large)" -X PUT --data-binary @large

step "uploads in chunks fill the disk: what they wrote is gone"
refused /api/v1/models/m/versions/v1 -X POST -H 'Transfer-Encoding: chunked' --data-binary @large
refused "/api/v1/blobs/$(digest large)" -X PUT -H 'Transfer-Encoding: chunked' --data-binary @large
same "no version came of it" 404 "$(http_status /api/v1/models/m)"
same "not held" "false 0" "$(get "/api/v1/uploads/$(digest large)" | field '"\(.held) \(.received_bytes)"')"
same "the server serves" healthy "$(get /health | field .status)"
holds "the log says so" "$(cat serve.log)" '"code":"no_space"'

step "the registry on a full disk: what cannot be kept is not acknowledged"
head -c 64000000 /dev/zero > data/filler 2> /dev/null
status=200
for ((i = 0; i < 400 && status != 507; i++)); do
    status=$(http_status /api/v1/devices -X POST -d "{\"id\": \"d-$i\", \"name\": \"$(printf 'n%.0s' {1..900})\"}")
    [ "$status" = 201 ] || [ "$status" = 507 ] || fail "registering d-$i: status $status"
done
same "it is refused in the end" 507 "$status"
same "the one that was refused is not there" 404 "$(http_status "/api/v1/devices/d-$((i - 1))")"
if [ "$i" -gt 1 ]; then
    same "the one before is" 200 "$(http_status "/api/v1/devices/d-$((i - 2))")"
fi

step "with room again all goes on"
rm data/filler
same "published" 201 "$(http_status /api/v1/models/m/versions/v1 -X POST -H 'Transfer-Encoding: chunked' --data-binary @small)"
same "registered" 201 "$(http_status /api/v1/devices -X POST -d '{"id": "late"}')"
get /api/v1/models/m/versions/v1/download | cmp -s - small || fail "the version differs"
stop "$server_pid"
serve
same "after a restart" 200 "$(http_status /api/v1/devices/late)"
stop "$server_pid"
