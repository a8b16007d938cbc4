# What the steps share: one device, its updates, and a link between it and the control plane.
# shellcheck shell=bash

# start_agent DEVICE OPTIONS...: sets $agent. Put before it, `pre` is a command that runs it.
pre=()
start_agent() {
    local device=$1
    shift
    begin "$work/$device.log" "${pre[@]}" "$oxide" agent --control-plane "${agent_url:-$url}" \
        --device-id "$device" --model-dir "$work/$device" --log-format text "$@"
    agent=$begun
}

logged() { grep -c "$2" "$work/$1.log.err" 2> /dev/null || true; } # DEVICE PATTERN: how many lines

# until_true SECONDS WHAT COMMAND...
until_true() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        [ $SECONDS -lt $end ] || die "not in time: $what"
        sleep 0.05
    done
}
runs() { [ "$(readlink "$work/$1/m/current" 2> /dev/null)" = "versions/$2" ]; } # DEVICE VERSION
is_idle() { ! "$oxide" agent status --model-dir "$work/$1" --json 2> /dev/null | jq -e '.update' > /dev/null; }

# deploy VERSION DEVICE: without waiting
deploy() { "$oxide" deploy m "$1" --device "$2" --json | jq -r .campaign_id; }
# update DEVICE VERSION SECONDS: and wait until it runs
update() {
    deploy "$2" "$1" > /dev/null
    until_true "$3" "$1 runs $2" runs "$1" "$2"
}
same_file() { cmp -s "$1" "$2" || die "$1 is not $2"; }

# --- a link: the device in a namespace of its own ---

netns=
# join_network: sets $netns, $agent_url and `pre`; `serve` must listen on $server_address
octet=$(($$ % 250))
server_address=10.213.$octet.1
join_network() {
    [ -z "$netns" ] || return 0
    netns=oxide-bench-$$
    ip netns add "$netns"
    ip link add oxb$$ type veth peer name eth0 netns "$netns"
    ip addr add $server_address/30 dev oxb$$
    ip link set oxb$$ up
    ip -n "$netns" addr add 10.213.$octet.2/30 dev eth0
    ip -n "$netns" link set eth0 up
    ip -n "$netns" link set lo up
    # what is sent in pieces as large as the link's, as a real one does
    ethtool_off oxb$$
    ip netns exec "$netns" bash -c "$(declare -f ethtool_off); ethtool_off eth0"
    pre=(ip netns exec "$netns")
}
ethtool_off() { command -v ethtool > /dev/null && ethtool -K "$1" tso off gso off gro off > /dev/null 2>&1 || true; }
leave_network() {
    [ -n "$netns" ] || return 0
    ip link del oxb$$ 2> /dev/null || true
    ip netns del "$netns" 2> /dev/null || true
    netns=
    pre=()
}
# shape RATE: both ways
shape() {
    tc qdisc replace dev oxb$$ root tbf rate "$1" burst 3000 latency 400ms
    ip netns exec "$netns" tc qdisc replace dev eth0 root tbf rate "$1" burst 3000 latency 400ms
}
# lose PERCENT: of the packets, each way, at random
lose() {
    ip netns exec "$netns" nft -f - << EOF
table inet lossy {
  chain in { type filter hook input priority 0; numgen random mod 100 < $1 drop; }
  chain out { type filter hook output priority 0; oifname "eth0" numgen random mod 100 < $1 drop; }
}
EOF
}

# patch_size: of the newest patch that the server made, once it has it
patch_size() {
    local end=$((SECONDS + 3600)) size=
    while [ -z "$size" ] && [ $SECONDS -lt $end ]; do
        size=$(sed -n 's/.*delta oxdl.*: ready, \([0-9]*\) bytes.*/\1/p' "$work/serve.log.err" | tail -n 1)
        [ -n "$size" ] || sleep 0.5
    done
    [ -n "$size" ] || die "the server made no patch: $(tail -n 3 "$work/serve.log.err")"
    echo "$size"
}

# serve_at ADDRESS DATA OPTIONS...: as `serve`, where the device in its namespace reaches it
serve_at() {
    local address=$1 data=$2
    shift 2
    : > "$work/serve.log"
    begin "$work/serve.log" "$oxide" serve --listen "$address:0" --insecure --data "$data" --log-format json "$@"
    server=$begun
    until_true 30 "oxide serve is ready" grep -q '^listening on ' "$work/serve.log"
    url=$(sed -n 's/^listening on //p' "$work/serve.log")
    export OXIDE_SERVER=$url
}

# listen DEVICE: a line with the time of each heartbeat that the server saw, until it is ended
listen() {
    local at last=
    while :; do
        at=$(curl -s -m 5 "$url/api/v1/devices/$1" | jq -r '.last_heartbeat // empty') || true
        if [ -n "$at" ] && [ "$at" != "$last" ]; then
            date -d "$at" +%s.%N
            last=$at
        fi
        sleep 0.2
    done
}
gaps() { awk 'NR > 1 && $1 - last > most { most = $1 - last } { last = $1 } END { printf "%d %.1f\n", NR, most }' "$1"; }
logged_some() { [ "$(logged "$1" "$2")" -gt 0 ]; } # DEVICE PATTERN
