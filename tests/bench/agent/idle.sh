# An agent that has nothing to do: memory, wake-ups, the disk, and bytes on the wire.
# shellcheck shell=bash

idle_step() {
    local polls=20 poll=3 anon rss wakes before after wrote bytes requests per far_bytes
    join_network
    serve_at $server_address "$work/idle"
    "$tools/make_model" random 100000 "$work/some.bin" > /dev/null
    "$oxide" device register calm --name calm > /dev/null
    "$oxide" push m v1 "$work/some.bin" > /dev/null
    ip netns exec "$netns" nft -f - << 'EOF'
table inet counted {
  counter wire {}
  counter opened {}
  chain in {
    type filter hook input priority 10
    iifname "eth0" meta l4proto tcp counter name wire
  }
  chain out {
    type filter hook output priority 10
    oifname "eth0" meta l4proto tcp counter name wire
    oifname "eth0" tcp flags & (syn | ack) == syn counter name opened
  }
}
EOF
    start_agent calm --poll-interval $poll
    update calm v1 60
    sleep $((3 * poll))
    anon=$(awk '/^RssAnon/ { print $2 }' "/proc/$(agent_pid)/status")
    rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$(agent_pid)/status")
    before=$(files_of calm)
    wrote=$(disk_writes)
    # a wake-up: it ran after it had slept for 0.3 s
    strace -f -ttt -o "$work/trace" -p "$(agent_pid)" 2> /dev/null &
    strace_pid=$!
    sleep $((polls * poll))
    kill "$strace_pid"
    wait "$strace_pid" 2> /dev/null || true
    after=$(files_of calm)
    wrote=$(($(disk_writes) - wrote))
    requests=$(grep -c '"POST /\|POST /' "$work/trace" || true)
    wakes=$(awk '{ if (last && $2 - last > 0.3) n++; last = $2 } END { print n + 0 }' "$work/trace")
    [ "$before" = "$after" ] || die "files changed: $before, then $after"
    # a poll each minute: the connection is a new one each time
    finish "$agent"
    start_agent calm --poll-interval 60
    sleep 80 # the first says all, the next who it is
    bytes=$(count_of wire)
    opened=$(count_of opened)
    sleep 260
    opened=$(($(count_of opened) - opened))
    per=$(calc "($(count_of wire) - $bytes) / $opened" %.0f)
    say "## Idle" "" "| anonymous | resident | polls | wake-ups | written to disk | bytes on the wire per poll |" "|---|---|---|---|---|---|" \
        "| $anon KiB | $rss KiB | $requests | $wakes | $wrote bytes | $per |" "" \
        "Bytes with the headers of IP and TCP, both ways, over $opened polls that each set up a connection." ""
    bar "idle: anonymous memory (resident: $(calc "$rss / 1024" %.1f) MiB)" "4 MiB" "$(calc "$anon / 1024" %.2f) MiB" "$anon < 4096"
    bar "idle: wake-ups per poll" "1" "$(calc "$wakes / $requests" %.2f) ($wakes in $requests)" "$wakes <= $requests + 1 && $requests >= $polls * 0.6"
    bar "idle: written to disk" "nothing" "$wrote bytes" "$wrote == 0"
    bar "idle: bytes on the wire per unchanged poll, connection and all" "900" "$per" "$per <= 900 && $opened >= 2"
    finish "$agent"
    finish "$server"
    leave_network
}
agent_pid() { pgrep -P "$agent" -x oxide || echo "$agent"; } # ip netns exec becomes it
disk_writes() { awk '/^write_bytes/ { print $2 }' "/proc/$(agent_pid)/io"; }
files_of() { find "$work/$1" -printf '%p %s %T@ %C@\n' | sort | sha256sum; }
count_of() { ip netns exec "$netns" nft -j list counter inet counted "$1" | jq "[.nftables[].counter // empty][0].$([ "$1" = opened ] && echo packets || echo bytes)"; }
