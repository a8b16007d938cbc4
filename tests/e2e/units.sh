#!/usr/bin/env bash
# The units of systemd: valid, sealed off, and READY=1 where they say Type=notify.
. "$(dirname "$0")/lib.sh"
share=$(dirname "$OXIDE_BIN")/../share
command -v systemd-analyze > /dev/null || { skip "no systemd-analyze"; exit; }

step "what a unit is exposed to"
for unit in oxide-agent oxide-serve; do
    score=$(systemd-analyze security --offline=true --no-pager "$share/$unit.service" | sed -n 's/.*: \([0-9.]*\) .*/\1/p' | tail -n 1)
    [ -n "$score" ] && [ "${score/./}" -le 15 ] || fail "$unit: the exposure level is '$score', over 1.5"
done

step "systemd finds nothing wrong"
mkdir units
for unit in oxide-agent oxide-serve; do # whatever lies where it will be installed
    sed "s|^ExecStart=[^ ]*|ExecStart=$OXIDE_BIN|; /^Documentation/d" "$share/$unit.service" > "units/$unit.service"
done
said=$(systemd-analyze verify --man=no units/*.service 2>&1 | grep -v -e "Unknown lvalue" -e "not found" || true)
same "what it says" "" "$said"

step "both say that they are ready, and that they stop"
command -v python3 > /dev/null || { skip "no python3 to listen as systemd does"; exit; }
cat > listen.py << 'PY'
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("notify")
open("listening", "w").close()
while True:
    print(s.recv(4096).decode(), flush=True)
PY
start notify.log python3 listen.py
listener=$started
within 10 "somebody listens" test -e listening
export NOTIFY_SOCKET=$PWD/notify
serve --poll-interval 1
within 10 "serve is ready" grep -q '^READY=1' notify.log
: > notify.log
oxide device register cam-01 > /dev/null
WATCHDOG_USEC=2000000 agent cam-01
within 10 "the agent is ready" grep -q '^READY=1' notify.log
within 10 "it waits" grep -q '^STATUS=Waiting for work' notify.log
within 10 "it feeds the watchdog" grep -q '^WATCHDOG=1' notify.log
stop "$agent_pid"
within 10 "it says that it stops" grep -q '^STOPPING=1' notify.log
stop "$server_pid"
kill "$listener"
