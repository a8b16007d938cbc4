#!/usr/bin/env bash
# The log of events from outside: a stream that is resumed without gap or duplicate over crashes of
# the server, pages, who did what, subscribers that do not read, and a quick end.
. "$(dirname "$0")/lib.sh"
# the server's memory is looked at: with sanitizers, what was freed shall not be kept for long
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=4:thread_local_quarantine_size_kb=64:allocator_release_to_os_interval_ms=100
serve

register() { curl -sS -o /dev/null "$server/api/v1/devices" -d "{\"id\": \"$1\"${2:-}}"; }
pages() { get "/api/v1/events?format=json&$1"; }
ids() { sed -n 's/^data: {"id":\([0-9]*\),.*/\1/p' "$1"; }

step "who did what is on record"
http_status /api/v1/devices -d '{"id": "cam-01"}' -H 'X-Request-Id: from-a-test' > /dev/null
curl -sS -o /dev/null -X POST "$server/api/v1/fleets" -d '{"id": "f"}'
curl -sS -o /dev/null -X POST "$server/api/v1/fleets/f/devices/cam-01"
curl -sS -o /dev/null -X POST "$server/api/v1/fleets/f/devices/cam-01"
curl -sS -o /dev/null -X DELETE "$server/api/v1/fleets/f/devices/cam-01"
curl -sS -o /dev/null -X DELETE "$server/api/v1/devices/nobody"
same "events" 'device.registered cam-01 127.0.0.1
fleet.created null 127.0.0.1
fleet.device_added cam-01 127.0.0.1
fleet.device_removed cam-01 127.0.0.1' \
    "$(pages after=0 | field '.events[] | "\(.kind) \(.device_id) \(.actor)"')"
same "request id" from-a-test "$(pages after=0 | field '.events[0].request_id')"
http_status /api/v1/devices -d '{"id": "cam-02"}' > /dev/null
same "request id of an answer" "$(header X-Request-Id)" "$(pages last=1 | field '.events[0].request_id')"

step "oxide events"
holds "a line" "$(oxide events --kind fleet.created)" "fleet.created           fleet_id=f  name=f  by=127.0.0.1"
same "lines as JSON" 5 "$(oxide events --after 0 --json | jq -s length)"
same "of a device" 3 "$(oxide events --device cam-01 --since 1h --json | jq -s length)"
same "the last" cam-02 "$(oxide events --last 1 --json | field .device_id)"
exits 2 "is no kind of event" oxide events --kind campain
exits 2 "--since cannot be" oxide events --since yesterday
exits 2 "give one" oxide events --since 1h --last 3

step "a stream, resumed over kill -9 without gap or duplicate"
last=$(pages last=1 | field .newest)
first=$last
: > stream
follow() { # until the server goes away, from where the last one ended
    curl -sSN -H "Last-Event-ID: $last" "$server/api/v1/events" >> stream 2> /dev/null
    last=$(ids stream | tail -n 1)
    last=${last:-$first}
}
touch writing
(for ((i = 0; i < 400; i++)); do
    [ -e writing ] || break # not killed: its last request would come behind what follows
    register "w-$i"
    sleep 0.02
done 2> /dev/null) &
writer=$!
pids+=("$writer")
for round in 1 2 3; do
    follow &
    follower=$!
    sleep "1.$((RANDOM % 10))"
    kill_hard "$server_pid"
    wait "$follower"
    last=$(ids stream | tail -n 1)
    serve
done
rm writing
wait "$writer" 2> /dev/null
forget "$writer"
register end
start follow.log curl -sSN -H "Last-Event-ID: $(ids stream | tail -n 1)" -o rest "$server/api/v1/events"
within 60 "the end of the stream" grep -q '"device_id":"end"' rest
kill_hard "$started"
cat rest >> stream
newest=$(pages last=1 | field .newest)
[ "$newest" -gt $((first + 10)) ] || fail "only $((newest - first)) events"
same "ids that came" "$(seq $((first + 1)) "$newest")" "$(ids stream)"

step "oxide events --follow waits for a server that is away"
start events.out "$OXIDE_BIN" events --follow --last 1 --json
follower=$started
within 30 "the last event" grep -q '"end"' events.out
kill_hard "$server_pid"
serve
register back
within 60 "the next event" grep -q '"back"' events.out
stop "$follower"
same "once each" 2 "$(jq -s length events.out)"

step "a subscriber that does not read holds no memory, and misses nothing"
rss() { awk '/^VmRSS/ {print $2}' "/proc/$server_pid/status"; }
register_many() { # PREFIX COUNT: 12 KB of events each
    local i tags
    tags=$(head -c 12000 /dev/zero | tr '\0' x)
    for ((i = 0; i < $2; i++)); do
        [ $i -eq 0 ] || echo next
        printf 'url = "%s/api/v1/devices"\noutput = /dev/null\ndata = "{\\"id\\":\\"%s-%s\\",\\"tags\\":{\\"t\\":\\"%s\\"}}"\n' \
            "$server" "$1" $i "$tags"
    done > many.curl
    curl -sS -K many.curl || fail "registering"
}
register_many first 500 # what the server takes at its first time is no matter here
before=$(rss)
newest=$(pages last=1 | field .newest)
cat > slow.py <<'PY'
import socket, sys, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
s.connect(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"GET /api/v1/events?after=%s HTTP/1.0\r\nHost: x\r\n\r\n" % sys.argv[2].encode())
open("slow.ready", "w").close()
while True:
    try:
        open("slow.go").close()
        break
    except OSError:
        time.sleep(0.1)
out = open("slow.out", "wb")
while True:
    got = s.recv(65536)
    if not got or b'"device_id":"last"' in got:
        out.write(got)
        break
    out.write(got)
PY
start slow.log python3 slow.py "$port" "$newest"
within 30 "the slow one" test -e slow.ready
start fast.log curl -sSN -o fast.out "$server/api/v1/events?after=$newest"
fast=$started
register_many big 1500
within 60 "all at the fast one" grep -q '"device_id":"big-1499"' fast.out
grown=$(($(rss) - before))
[ "$grown" -lt 21504 ] || fail "18 MB of events that nobody reads made the server grow by $grown KiB"
touch slow.go
register last
within 120 "the slow one comes to the end" grep -q '"device_id":"last"' slow.out
same "what the slow one saw" "$(seq $((newest + 1)) "$(pages last=1 | field .newest)")" "$(ids slow.out)"
kill_hard "$fast"

step "it ends at once with subscribers"
start a.log curl -sSN -o a.out "$server/api/v1/events"
within 30 "a subscriber" test -s a.out
SECONDS=0
stop "$server_pid"
[ $SECONDS -le 5 ] || fail "the end took $SECONDS s"
