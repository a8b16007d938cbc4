#!/usr/bin/env bash
# Downloads: Range, ETag, If-Range, If-None-Match, HEAD, as curl and caches speak them.
. "$(dirname "$0")/lib.sh"
serve
make_model random 100000 blob > /dev/null
oxide push m v1 blob > /dev/null || die "push"
sum=$(digest blob)

for path in "/api/v1/blobs/$sum" /api/v1/models/m/versions/v1/download; do
    step "$path"
    same "status" 200 "$(http_status "$path")"
    cmp -s last.body blob || fail "not the same bytes"
    same "length" 100000 "$(header content-length)"
    same "ranges" bytes "$(header accept-ranges)"
    etag=$(header etag)
    [ -n "$etag" ] || fail "no ETag"

    same "HEAD" 200 "$(http_status "$path" -I)"
    same "length by HEAD" 100000 "$(header content-length)"

    for range in 0-0:0:1 0-99:0:100 99999-:99999:1 50000-:50000:50000 -1000:99000:1000 \
        -200000:0:100000 99990-200000:99990:10; do
        IFS=: read -r text first length <<< "$range"
        same "bytes=$text" 206 "$(http_status "$path" -H "Range: bytes=$text")"
        same "Content-Range of $text" "bytes $first-$((first + length - 1))/100000" "$(header content-range)"
        tail -c +$((first + 1)) blob | head -c "$length" | cmp -s - last.body || fail "bytes of $text"
    done

    for range in 100000- 100000-100001 -0; do
        same "bytes=$range" 416 "$(http_status "$path" -H "Range: bytes=$range")"
        same "Content-Range of $range" "bytes */100000" "$(header content-range)"
    done
    for range in bytes=5-2 bytes=x items=0-5 bytes= bytes=0-5,10-20; do
        same "$range counts for nothing" 200 "$(http_status "$path" -H "Range: $range")"
        same "length" 100000 "$(size last.body)"
    done

    same "If-Range that holds" 206 "$(http_status "$path" -H "Range: bytes=5-9" -H "If-Range: $etag")"
    same "If-Range that does not" 200 "$(http_status "$path" -H "Range: bytes=5-9" -H 'If-Range: "other"')"
    same "If-None-Match" 304 "$(http_status "$path" -H "If-None-Match: $etag")"
    same "If-None-Match of several" 304 "$(http_status "$path" -H "If-None-Match: \"x\", $etag")"
    same "If-None-Match of another" 200 "$(http_status "$path" -H 'If-None-Match: "x"')"
done

step "blobs never change, and say so"
same "status" 200 "$(http_status "/api/v1/blobs/$sum" -I)"
same "ETag" "\"$sum\"" "$(header etag)"
holds "Cache-Control" "$(header cache-control)" "immutable"

step "resume by curl"
head -c 40000 blob > part
curl -sS -C - -o part "$server/api/v1/blobs/$sum"
cmp -s part blob || fail "curl -C - gives other bytes"

step "an empty file"
: > empty
oxide push m empty empty > /dev/null || fail "push of an empty file"
same "status" 200 "$(http_status /api/v1/models/m/versions/empty/download)"
same "length" 0 "$(size last.body)"
