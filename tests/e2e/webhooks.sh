#!/usr/bin/env bash
# Webhooks: signed deliveries, in order, kept through an outage of the receiver and crashes of the
# server; the command line; what a receiver may and may not do.
. "$(dirname "$0")/lib.sh"
command -v python3 > /dev/null || { skip "no python3, which plays the receiver"; exit 0; }

cat > receiver.py <<'PY'
"""A receiver: checks signatures, remembers ids in FILE, answers what stands in the file "answer"."""
import hmac, http.server, json, sys, time
secret, log = sys.argv[2].encode(), sys.argv[3]
class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        stamp = self.headers["X-Oxide-Timestamp"]
        mac = hmac.new(secret, stamp.encode() + b"." + body, "sha256")
        good = hmac.compare_digest("v1=" + mac.hexdigest(), self.headers["X-Oxide-Signature"])
        status = int(open("answer").read()) if good and abs(time.time() - int(stamp)) < 300 else 403
        if status == 200:
            with open(log, "a") as out:
                for event in json.loads(body)["events"]:
                    out.write("%d %s\n" % (event["id"], event["kind"]))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.send_header("Location", "/elsewhere")
        self.end_headers()
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
print(server.server_port, flush=True)
server.serve_forever()
PY
receive() { # [PORT]: sets $receiver_pid and $receiver
    : > receiver.port
    python3 receiver.py "${1:-0}" "a secret of this test" taken > receiver.port 2>> receiver.log &
    receiver_pid=$!
    pids+=("$receiver_pid")
    within 60 "the receiver" test -s receiver.port
    receiver=http://127.0.0.1:$(cat receiver.port)
}
hook() { get /api/v1/webhooks/ops | field ".$1"; }
hook_is() { [ "$(hook "$1")" = "$2" ]; }
register() { curl -sS -o /dev/null "$server/api/v1/devices" -d "{\"id\": \"$1\"}"; }
newest() { get '/api/v1/events?format=json&last=1' | field .newest; }
ids_of() { get "/api/v1/events?format=json&after=0&limit=1000&kind=$1" | field '.events[].id'; }
caught_up() { [ "$(cut -d ' ' -f 1 taken | tail -n 1)" = "$(ids_of device | tail -n 1)" ]; }

serve
receive
echo 200 > answer
: > taken
echo "a secret of this test" > secret

step "a webhook is added, tested and served"
added=$(oxide webhook add "$receiver/in" --id ops --kind device --secret-file secret)
holds "what is printed" "$added" "secret: a secret of this test"
holds "the list" "$(oxide webhook list)" "ops  $receiver/in  device  active"
[[ $(get /api/v1/webhooks) != *"a secret"* ]] || fail "the secret is shown again"
holds "a test" "$(oxide webhook test ops)" "HTTP 200"
register cam-01
within 30 "the event" grep -q 'device.registered' taken
within 30 "no backlog" hook_is backlog 0
same "state" active "$(hook state)"

step "what is wrong is refused"
exits 2 "address of a receiver" oxide webhook add ftp://example.org/
exits 2 "names a user" oxide webhook add http://me:pw@example.org/
exits 2 "is no kind of event" oxide webhook add http://example.org/ --kind campain
exits 4 "exists already" oxide webhook add http://example.org/ --id ops
exits 3 "there is no webhook" oxide webhook remove nobody
exits 3 "there is no webhook" oxide webhook test nobody

step "another secret is refused, and said"
oxide webhook add "$receiver/in" --id other > /dev/null 2>&1
within 30 "a failure" sh -c "curl -sS $server/api/v1/webhooks/other | grep -q '\"failing\"'"
holds "the error" "$(get /api/v1/webhooks/other | field .last_error)" "compare the secret"
exits 1 "does not take it: HTTP 403" oxide webhook test other
expect "removing" oxide webhook remove other

step "an outage of the receiver loses nothing"
kill_hard "$receiver_pid"
register down-1
within 60 "a failure" hook_is state failing
holds "the error" "$(hook last_error)" "127.0.0.1"
[ "$(hook next_try_at)" != null ] || fail "no next try"
register down-2
kill_hard "$server_pid"
serve
register down-3
same "still failing after a restart" failing "$(hook state)"
receive "${receiver##*:}"
expect "a try at once" oxide webhook resume ops
within 60 "all that was missed" caught_up
same "every event once and in order" "$(ids_of device)" "$(cut -d ' ' -f 1 taken)"

step "errors, redirects and refusals of the receiver"
for answer in 500 302 400; do
    echo $answer > answer
    register "answer-$answer"
    within 60 "HTTP $answer" hook_is last_status $answer
    echo 200 > answer
    expect "a try at once" oxide webhook resume ops
    within 60 "the events" caught_up
done
[ ! -s receiver.log ] || fail "the receiver: $(cat receiver.log)"
echo 410 > answer
register gone
within 60 "the stop" hook_is state stopped
echo 200 > answer
register later
sleep 1
same "nothing is sent" stopped "$(hook state)"
expect "going on" oxide webhook resume ops
within 60 "the events" caught_up

step "kill -9 of the server while events flow: each at least once, in order"
(for ((i = 0; i < 300; i++)); do register "w-$i"; done 2> /dev/null) &
writer=$!
pids+=("$writer")
for round in 1 2 3; do
    sleep "1.$((RANDOM % 10))"
    kill_hard "$server_pid"
    serve
done
kill "$writer" 2> /dev/null
wait "$writer" 2> /dev/null
forget "$writer"
register end
within 60 "all events" caught_up
same "all of them" "$(ids_of device | sort -n)" "$(cut -d ' ' -f 1 taken | sort -nu)"
# A delivery is repeated whole, so an id that is lower than the one before was seen already.
same "in order" "" "$(awk '$1 <= last && !($1 in seen) {print} {seen[$1] = 1; last = $1}' taken)"
[ "$(wc -l < taken)" -le $(($(ids_of device | wc -l) + 300)) ] || fail "too many repetitions"

step "it ends at once though a receiver hangs"
start hang.log python3 -c '
import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen()
print(s.getsockname()[1], flush=True)
held = [s.accept() for _ in range(9)]'
within 60 "a receiver that hangs" test -s hang.log
oxide webhook add "http://127.0.0.1:$(cat hang.log)/" --id hang > /dev/null 2>&1
sleep 1
SECONDS=0
stop "$server_pid"
[ $SECONDS -le 5 ] || fail "the end took $SECONDS s"
