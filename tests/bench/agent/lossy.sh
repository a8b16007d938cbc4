# 10 MB over 300 kbit/s of which each fiftieth packet is lost, each way.
# shellcheck shell=bash

lossy_step() {
    local bytes=10000000 rate_bit=300000 began took goodput beats longest listener
    join_network
    shape ${rate_bit}bit
    lose 2
    "$tools/make_model" random $bytes "$work/ten.bin" > /dev/null
    serve_at $server_address "$work/lossy"
    "$oxide" device register far > /dev/null
    "$oxide" push m v1 "$work/ten.bin" > /dev/null
    start_agent far --poll-interval 10
    deploy v1 far > /dev/null
    until_true 60 "it begins" logged_some far 'downloading'
    began=$(now)
    begin "$work/heard" listen far
    listener=$begun
    until_true 1500 "it is complete" logged_some far 'received files'
    took=$(calc "$(now) - $began" %.1f)
    until_true 30 "it runs" runs far v1
    goodput=$(calc "$bytes * 8 / $took / $rate_bit" %.3f)
    finish "$listener"
    read -r beats longest < <(gaps "$work/heard")
    say "## 10 MB over 300 kbit/s, 2 % of the packets lost each way" "" \
        "$took s from the line that it begins to the line that it is complete; a heartbeat asked for each 10 s." "" \
        "| goodput | of the link | heartbeats | longest gap | tries |" "|---|---|---|---|---|" \
        "| $(calc "$bytes * 8 / $took / 1000" %.0f) kbit/s | $goodput | $beats | $longest s | $(($(logged far 'download at') + 1)) |" ""
    bar "300 kbit/s, 2 % loss: goodput" "0.85 of the link" "$goodput" "$goodput >= 0.85"
    bar "300 kbit/s, 2 % loss: heartbeats go on" "no gap above 30 s" "$beats, the longest gap $longest s" "$longest <= 30 && $beats > 20"
    finish "$agent"
    finish "$server"
    leave_network
}
