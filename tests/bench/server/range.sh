# 100,000 range requests: the database is not written meanwhile.
# shellcheck shell=bash

database_sum() { cat "$1"/*.db "$1"/*.db-wal 2> /dev/null | sha256sum; }

range_step() {
    local digest before after answered=0 runs=0 written=0
    head -c 16777216 /dev/urandom > "$work/blob"
    digest=$(sha256sum "$work/blob" | cut -d ' ' -f 1)
    serve "$work/range"
    "$oxide" push blob v1 "$work/blob" > /dev/null 2>&1
    sleep 2
    [ -s "$(ls "$work/range"/*.db | head -n 1)" ] || die "no database in $work/range"
    before=$(database_sum "$work/range")
    while [ $answered -lt 100000 ] && [ $((runs++)) -lt 20 ]; do
        wrk -t 2 -c 64 -d 5 -s "$here/server/range.lua" "$url/api/v1/blobs/$digest" -- 16777216 > "$work/wrk.out"
        [ "$(figure errors)" = 0 ] && [ "$(figure partial)" = "$(figure answered)" ] ||
            die "wrong answers: $(tr '\n' ' ' < "$work/wrk.out")"
        answered=$((answered + $(figure answered)))
    done
    after=$(database_sum "$work/range")
    [ "$before" = "$after" ] || written=1
    say "## Range requests" "" "$answered of 4 KiB, $(calc "$answered / $runs / 5" %.0f) a second; p99 of the last 5 s $(calc "$(figure p99_us) / 1000") ms." ""
    bar "range requests, $answered of them" "no database write" \
        "$([ $written = 0 ] && echo "database and write-ahead log are the same bytes" || echo "the database was written")" \
        "$written == 0 && $answered >= 100000"
    finish "$server"
}
