#!/usr/bin/env bash
# Who uses a model: hooks, a request, a signal, a probe, a lock, and the time in which a version proves
# itself.
. "$(dirname "$0")/lib.sh"
command -v python3 > /dev/null || { skip "no python3 for a program that uses a model"; exit; }
serve --poll-interval 1
"$OXIDE_TOOLS/make_pair" synthetic . 1 f32 base,n3 > /dev/null || die "make_pair"
mv f32-base.safetensors one
mv f32-n3.safetensors two
oxide device register cam-01 > /dev/null && oxide push m v1 one > /dev/null 2>&1 &&
    oxide push m v2 two > /dev/null 2>&1 || die "setting up"

# A program that loads what it is told to load, says which version it runs, and notes signals.
cat > consumer.py << 'PY'
import http.server, json, os, signal
loaded = {"version": "none"}
def note(text):
    with open("consumer.log", "a") as log:
        log.write(text + "\n")
signal.signal(signal.SIGUSR1, lambda *_: note("signal"))
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        note("load " + self.path + " " + body["want"])
        if os.path.exists("refuse"):
            return self.answer(503, "no memory")
        if not os.path.exists("stuck"):
            loaded["version"] = body["want"]
        self.answer(200, "{}")
    def do_GET(self):
        self.answer(200, json.dumps(loaded))
    def log_message(self, *args):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
with open("consumer.pid", "w") as f:
    f.write(str(os.getpid()) + "\n")
with open("consumer.port", "w") as f:
    f.write(str(server.server_port))
server.serve_forever()
PY
start consumer.out python3 consumer.py
consumer=$started
within 10 "the consumer is up" test -s consumer.port
url=http://127.0.0.1:$(cat consumer.port)
said() { grep -q "^$1\$" consumer.log; }
: > hooks
settings=(--notify-url "$url/v2/repository/models/{model}/load" --notify-body '{"want":"{version}"}'
    --probe-url "$url/" --probe-expect '"{version}"' --probe-timeout 3
    --pid-file "$PWD/consumer.pid" --signal usr1 --busy-lock "$PWD/busy"
    --pre-activate "echo pre \$OXIDE_MODEL_VERSION >> $PWD/hooks; [ ! -e $PWD/wait ]"
    --post-activate "echo post \$OXIDE_MODEL_VERSION >> $PWD/hooks; test -e \$OXIDE_MODEL_PATH")

step "it is told of a version, and asked whether it runs it"
agent cam-01 "${settings[@]}"
exits 0 "" oxide deploy m v1 --device cam-01 --wait --timeout 60s
same "hooks" "pre v1 post v1" "$(tr '\n' ' ' < hooks | sed 's/ $//')"
said "load /v2/repository/models/m/load v1" || fail "it was not told: $(cat consumer.log)"
within 5 "it was sent a signal" said signal

step "one that does not come to run it: back, and told so"
touch stuck
exits 1 "without" oxide deploy m v2 --device cam-01 --wait --timeout 60s
runs cam-01 m one || fail "it was not rolled back"
same "the last it was told" "load /v2/repository/models/m/load v1" "$(grep load consumer.log | tail -n 1)"
same "the last hook" "post v1" "$(tail -n 1 hooks)"
rm stuck

step "one that refuses to load it"
touch refuse
exits 1 "503" oxide deploy m v2 --device cam-01 --wait --timeout 60s
runs cam-01 m one || fail "it was not rolled back"
rm refuse

step "a hook that says no before the switch: nothing was switched, nothing counts"
touch wait
exits 1 "pre_activate" oxide deploy m v2 --device cam-01 --wait --timeout 60s
runs cam-01 m one || fail "it was switched"
same "failures" 2 "$(oxide agent status --model-dir cam-01 --json | field '.failures[0].failures')"
rm wait

step "a busy one is waited for"
: > busy
flock busy sh -c 'while [ ! -e release ]; do sleep 0.1; done' &
holder=$!
pids+=("$holder")
oxide deploy m v2 --device cam-01 > /dev/null
within 60 "v2 waits" grep -q "ready, and waits for a program that is busy" cam-01.log
runs cam-01 m one || fail "it was switched while the program was busy"
touch release
wait "$holder"
forget "$holder"
within 60 "then it is switched" runs cam-01 m two
stop "$agent_pid"

step "what fails while it proves itself goes back"
agent cam-01 --soak 20 --health-check "[ ! -e $PWD/rotten ]"
oxide deploy m v1 --device cam-01 > /dev/null
within 60 "v1 proves itself" runs cam-01 m one
sleep 2
touch rotten
within 60 "it went back" runs cam-01 m two
within 60 "and it is known" sh -c "'$OXIDE_BIN' campaign list --json | jq -e '.campaigns[-1].failed == 1' > /dev/null"
stop "$agent_pid"
kill "$consumer" 2> /dev/null
