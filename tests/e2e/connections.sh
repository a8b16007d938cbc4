#!/usr/bin/env bash
# 10,000 connections that say nothing, and slow ones: who has something to say is answered.
. "$(dirname "$0")/lib.sh"
if ! command -v python3 > /dev/null; then
    skip "no python3"
    exit 0
fi
ulimit -n "$(ulimit -Hn)" 2> /dev/null
[ "$(ulimit -n)" = unlimited ] || [ "$(ulimit -n)" -ge 11000 ] || { skip "no more than $(ulimit -n) descriptors"; exit 0; }
serve
get /health > /dev/null
before=$(awk '/VmRSS/ { print $2 }' "/proc/$server_pid/status")

step "10,000 connections that send nothing"
cat > hold.py << 'END'
import socket, sys, time
port, count = int(sys.argv[1]), int(sys.argv[2])
held = []
for i in range(count):
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex(("127.0.0.1", port))
    held.append(s)
    if i % 200 == 199:
        time.sleep(0.02)
print("holding", flush=True)
time.sleep(float(sys.argv[3]))
END
start hold.log python3 hold.py "$port" 10000 12
holder=$started
within 60 "they are there" grep -q holding hold.log
open_now() { find "/proc/$server_pid/fd" -lname 'socket:*' | wc -l; }
after=$(awk '/VmRSS/ { print $2 }' "/proc/$server_pid/status")
opened=$(open_now)
echo "open: $opened; resident: $before KiB before, $after KiB now: $(((after - before) * 1024 / (opened > 0 ? opened : 1))) bytes for each"
for i in 1 2 3 4 5; do
    took=$(curl -sS --max-time 20 -o /dev/null -w '%{http_code} %{time_total}' "$server/health")
    echo "health: $took"
    holds "status" "$took" "200 "
done
within 20 "most are closed" grep -q 'silent longest' serve.log
kill_hard "$holder"

step "they are gone, and the server is as before"
few() { [ "$(open_now)" -lt 50 ]; }
within 30 "sockets are closed" few
same "health" healthy "$(get /health | field .status)"

step "a slow head and a slow body get 408, and no more"
slow() { # TEXT: sends it, then nothing; what comes is in slow.out
    exec 4<> "/dev/tcp/127.0.0.1/$port"
    printf '%b' "$1" >&4
    timeout 60 cat <&4 > slow.out
    exec 4>&-
}
begun=$SECONDS
slow 'GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: '
holds "slow head" "$(head -n 1 slow.out)" "408 Request Timeout"
holds "its message" "$(tail -n 1 slow.out)" '"code":"timeout"'
[ $((SECONDS - begun)) -lt 20 ] || fail "a slow head was waited for during $((SECONDS - begun)) s"
stop "$server_pid"
