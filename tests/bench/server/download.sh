# A blob of 256 MiB, 16 downloads at once, beside nginx with sendfile of the same file; and the
# memory of 100 downloads that are under way.
# shellcheck shell=bash

# fetches URL CONNECTIONS SECONDS: bytes per second
fetches() {
    wrk -t 2 -c "$2" -d "$3" --timeout 60 "$1" > "$work/wrk.out"
    ! grep -q -E 'Socket errors|Non-2xx' "$work/wrk.out" || die "wrk met errors: $(cat "$work/wrk.out")"
    awk '/Transfer\/sec/ { v = $2; u = v; sub(/[0-9.]+/, "", u); sub(/[A-Z]+/, "", v);
        print v * (u == "GB" ? 1024 : u == "MB" ? 1 : u == "KB" ? 1 / 1024 : 1 / 1048576) }' "$work/wrk.out"
}

download_step() {
    local digest file round ox ng before after begun_pids=()
    head -c 268435456 /dev/urandom > "$work/blob"
    digest=$(sha256sum "$work/blob" | cut -d ' ' -f 1)
    serve "$work/download"
    "$oxide" push blob v1 "$work/blob" > /dev/null 2>&1
    file=$(find "$work/download" -type f -name "*${digest:2}" | head -n 1)
    [ "$(stat -c %s "$file")" = 268435456 ] || die "the blob is not in the store"
    nginx_workers=2 nginx_serve "location / { return 204; } location /blob { alias $file; }"
    cmp <(curl -s "$url/api/v1/blobs/$digest") "$work/blob" || die "oxide serves other bytes"
    cmp <(curl -s "$nginx_url/blob") "$work/blob" || die "nginx serves other bytes"
    : > "$work/ox"; : > "$work/ng"
    for ((round = 0; round < rounds; round++)); do
        fetches "$url/api/v1/blobs/$digest" 16 "$seconds" >> "$work/ox"
        fetches "$nginx_url/blob" 16 "$seconds" >> "$work/ng"
    done
    ox=$(sort -n "$work/ox" | sed -n "$((rounds / 2 + 1))p")
    ng=$(sort -n "$work/ng" | sed -n "$((rounds / 2 + 1))p")
    say "## A blob of 256 MiB, 16 downloads at once, loopback" "" \
        "Median of $rounds rounds of $seconds s each, taken in turn." "" \
        "| oxide, MiB/s | nginx with sendfile, MiB/s | oxide / nginx |" "|---|---|---|" \
        "| $(calc "$ox" %.0f) | $(calc "$ng" %.0f) | $(calc "$ox / $ng") |" ""
    bar "download of 256 MiB, 16 at once" "0.9 of nginx" "$(calc "$ox / $ng") ($(calc "$ox" %.0f) / $(calc "$ng" %.0f) MiB/s)" "$ox >= 0.9 * $ng"

    before=$(resident_kib "$server")
    peak_reset "$server"
    for ((i = 0; i < 100; i++)); do
        curl -s -o /dev/null --limit-rate 200k --max-time 12 "$url/api/v1/blobs/$digest" &
        begun_pids+=($!)
    done
    sleep 8
    [ "$(jobs -r -p | wc -l)" -ge 100 ] || die "downloads ended too soon"
    after=$(peak_kib "$server")
    wait "${begun_pids[@]}" || true
    say "100 downloads under way: $(calc "$before / 1024") MiB resident before, $(calc "$after / 1024") MiB at the most." ""
    bar "memory of 100 downloads" "4 MiB" "$(calc "($after - $before) / 1024") MiB" "$after - $before <= 4096"
    finish "$nginx"
    finish "$server"
}
