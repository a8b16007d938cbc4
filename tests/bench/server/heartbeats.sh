# Heartbeats that change nothing, from 256 kept-alive connections, beside nginx answering the same
# bytes with `return 200`.
# shellcheck shell=bash

heartbeat_body() { # NUMBER
    printf '{"protocol":1,"instance":"%032x","start":"%016x","poll_interval_s":60,"metrics":{"uptime_secs":%d,"free_memory_bytes":123456789}}' \
        $(($1 + 1)) $(($1 + 1)) $((1000 + $1))
}

register_heartbeats() { # HOW-MANY
    local i
    for ((i = 0; i < $1; i++)); do
        printf 'url = "%s/api/v1/devices"\ndata = "{\\"id\\":\\"hb-%06d\\"}"\nheader = "Content-Type: application/json"\noutput = /dev/null\nnext\n' \
            "$url" "$i"
        printf 'url = "%s/api/v1/devices/hb-%06d/heartbeat"\ndata = "%s"\nheader = "Content-Type: application/json"\noutput = /dev/null\nnext\n' \
            "$url" "$i" "$(heartbeat_body "$i" | sed 's/"/\\"/g')"
    done | sed "\$d" | curl -s -S --fail -K -
}

# beats URL DEVICES SECONDS: wrk's figures, a "name value" per line
beats() {
    ${client_pin:-} wrk -t "${wrk_threads:-2}" -c 256 -d "$3" -s "$here/server/heartbeats.lua" "$1" -- "$2" > "$work/wrk.out"
    [ "$(figure errors)" = 0 ] && [ "$(figure statuses)" = 0 ] ||
        die "wrk met errors: $(tr '\n' ' ' < "$work/wrk.out")"
}

heartbeats_step() {
    local pin client_pin wrk_threads nginx_workers how body ox ng rate_ox rate_ng round
    say "## Heartbeats that change nothing, 256 kept-alive connections" "" \
        "Median of $rounds rounds of $seconds s each, taken in turn." "" \
        "| cores | oxide, requests/s | p99, ms | nginx, requests/s | p99, ms | oxide / nginx |" "|---|---|---|---|---|---|"
    for how in shared apart; do
        pin='' client_pin='' wrk_threads=2 nginx_workers=2
        if [ $how = apart ]; then
            pin='taskset -c 0' client_pin='taskset -c 1' wrk_threads=1 nginx_workers=1
        fi
        serve "$work/beats-$how"
        if [ $how = apart ]; then taskset -a -p -c 0 "$server" > /dev/null; fi
        register_heartbeats 256
        body=$(curl -s -H 'Content-Type: application/json' -d "$(heartbeat_body 0)" "$url/api/v1/devices/hb-000000/heartbeat")
        nginx_serve "default_type application/json; add_header X-Request-Id 0123456789abcdef; location / { return 200 '$body'; }"
        : > "$work/ox"; : > "$work/ng"
        for ((round = 0; round < rounds; round++)); do
            beats "$url" 256 "$seconds"
            printf '%s %s\n' "$(calc "$(figure requests) / $(figure seconds)" %.0f)" "$(figure p99_us)" >> "$work/ox"
            beats "$nginx_url" 256 "$seconds"
            printf '%s %s\n' "$(calc "$(figure requests) / $(figure seconds)" %.0f)" "$(figure p99_us)" >> "$work/ng"
        done
        ox=$(sort -n "$work/ox" | sed -n "$((rounds / 2 + 1))p")
        ng=$(sort -n "$work/ng" | sed -n "$((rounds / 2 + 1))p")
        rate_ox=${ox% *} rate_ng=${ng% *}
        say "| $how | $rate_ox | $(calc "${ox#* } / 1000") | $rate_ng | $(calc "${ng#* } / 1000") | $(calc "$rate_ox / $rate_ng") |"
        if [ $how = shared ]; then
            bar "heartbeats that change nothing, 256 connections" "0.7 of nginx" \
                "$(calc "$rate_ox / $rate_ng") ($rate_ox / $rate_ng a second)" "$rate_ox >= 0.7 * $rate_ng"
        fi
        finish "$nginx"
        finish "$server"
    done
    say "" "shared: server and client on both cores; apart: the server on one core, the client on the other." ""
}
