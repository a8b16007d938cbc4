# A link that is down for random spells of 1 to 60 s, in real time.
# shellcheck shell=bash

spells_step() {
    local bytes=10000000 spell down=0 count=0 received again
    join_network
    shape 1mbit
    "$tools/make_model" random $bytes "$work/spelled.bin" --seed 3 > /dev/null
    serve_at $server_address "$work/spells"
    "$oxide" device register gone > /dev/null
    "$oxide" push m v1 "$work/spelled.bin" > /dev/null
    ip netns exec "$netns" nft -f - << 'EOF'
table inet received {
  chain in {
    type filter hook input priority 10
    iifname "eth0" meta l4proto tcp counter
  }
}
EOF
    start_agent gone --poll-interval 5
    deploy v1 gone > /dev/null
    until_true 60 "it begins" logged_some gone 'downloading'
    # one of each length class, in an order of chance, and what chance adds
    for spell in $(shuf -e 1 2 4 8 15 30 60 $((RANDOM % 60 + 1))); do
        sleep "$((RANDOM % 7 + 2)).$((RANDOM % 10))"
        [ "$(logged gone 'received files')" = 0 ] || break
        ip link set oxb$$ down
        sleep "$spell"
        ip link set oxb$$ up
        ip addr add $server_address/30 dev oxb$$ 2> /dev/null || true
        down=$((down + spell))
        count=$((count + 1))
    done
    until_true 600 "it runs" runs gone v1
    received=$(ip netns exec "$netns" nft list chain inet received in | sed -n 's/.*counter packets [0-9]* bytes \([0-9]*\).*/\1/p')
    again=$(calc "100 * ($received / $bytes - 1)" %.1f)
    say "## 10 MB over 1 Mbit/s that is down for $count spells, $down s together" "" \
        "Bytes with TCP's and IP's headers, heartbeats, and what TCP sent twice: $received, $again % above the file's." ""
    bar "link down for $count spells of 1 to 60 s" "completes without starting again" "$received bytes for $bytes" "$received < $bytes * 1.15 && $count >= 5"
    finish "$agent"
    finish "$server"
    leave_network
}
