#!/usr/bin/env bash
# A server that cannot start says why, and changes nothing: port in use, folder in use, a newer
# database, beyond loopback, a full disk.
. "$(dirname "$0")/lib.sh"
serve
make_model random 200000 one > /dev/null
oxide push m v1 one > /dev/null || die "push"

step "the port is in use"
exits 4 "$port" oxide serve --listen "127.0.0.1:$port" --data other
step "the folder is in use"
exits 4 "data" oxide serve --listen 127.0.0.1:0 --data data
step "beyond loopback only with --insecure"
exits 8 "--insecure" oxide serve --listen 0.0.0.0:0 --data other
exits 8 "--insecure" oxide serve --host 0.0.0.0 --port 0 --data other
step "a host that is none"
got=0
oxide serve --host no-such-host.invalid --port 0 --data other > last.out 2> last.err || got=$?
[ $got -ne 0 ] || fail "served on a host that is none"
holds "message" "$(cat last.err)" "no-such-host.invalid"
step "a data folder that is a file"
exits 4 "one" oxide serve --listen 127.0.0.1:0 --data one

step "what was acknowledged is there after kill -9"
oxide device register cam-01 > /dev/null && oxide fleet create f > /dev/null &&
    oxide fleet add f cam-01 > /dev/null || die "setting up"
deploy m v1 --fleet f
kill_hard "$server_pid"
serve
same "device" cam-01 "$(get /api/v1/devices | field '.[0].id')"
same "fleet" cam-01 "$(get /api/v1/fleets/f | field '.devices[0]')"
same "model" "$(digest one)" "$(get /api/v1/models/m/versions/v1/meta | field .sha256)"
same "campaign" rolling_out "$(campaign_field "$campaign" .state)"
get /api/v1/models/m/versions/v1/download | cmp -s - one || fail "the version's bytes"
stop "$server_pid"

step "a database of a newer release is refused and left alone"
database=$(find data -maxdepth 1 -type f \( -name '*.db' -o -name '*.sqlite*' \) ! -name '*-*' | head -n 1)
[ -n "$database" ] || die "no database in data/: $(ls data)"
cp -r data kept
printf '\000\000\017\377' | dd of="$database" bs=1 seek=60 conv=notrunc 2> /dev/null # user_version
before=$(digest "$database")
exits 6 "newer" oxide serve --listen 127.0.0.1:0 --data data
same "the database" "$before" "$(digest "$database")"
rm -rf data && mv kept data

step "a damaged database is refused"
cp -r data kept
printf 'garbage garbage garbage' | dd of="$database" bs=1 conv=notrunc 2> /dev/null
got=0
oxide serve --listen 127.0.0.1:0 --data data > last.out 2> last.err || got=$?
same "status" 6 $got
holds "message" "$(cat last.err)" "oxide: "
rm -rf data && mv kept data

step "the disk is full before an upload, and in the middle of one"
if [ "$(id -u)" -eq 0 ] && mkdir full && mount -t tmpfs -o size=80m tmpfs full 2> /dev/null; then
    tear_down() { umount "$work/full" 2> /dev/null; }
    rm -rf data && ln -s full data
    serve
    head -c 90000000 /dev/zero > large
    refused() { # CURL OPTIONS: an upload that does not fit
        same "upload" 507 "$(http_status /api/v1/models/m/versions/v1 "$@")"
        same "code" no_space "$(field .error.code < last.body)"
    }
    refused -X POST --data-binary @large # its size is known beforehand
    refused -X POST -H 'Transfer-Encoding: chunked' -H 'Expect:' -T large # it is not
    exits 7 "oxide: " oxide push m v2 large
    exits 0 "" oxide push m v3 one
    get /api/v1/models/m/versions/v3/download | cmp -s - one || fail "after the full disk: other bytes"
    same "no trace of what did not fit" "v3" \
        "$(get /api/v1/models/m | field '[.versions[].version] | join(" ")')"
    [ "$(du -sm full | cut -f 1)" -lt 10 ] || fail "what did not fit is still there: $(du -am full)"
    stop "$server_pid"
    umount full && rm data
else
    skip "disk full: mounting a small tmpfs needs root"
fi
