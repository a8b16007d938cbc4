#!/usr/bin/env bash
# The log: JSON where nobody reads it on a terminal, a line for each request, its id in all of them.
. "$(dirname "$0")/lib.sh"
lines() { jq -c "select($1)" serve.log; } # FILTER: of the lines of the log

step "into a file: every line is a JSON object with time, level and message"
serve --verbose
same "health" 200 "$(http_status /health -H 'X-Request-Id: probe-1')"
same "the id comes back" probe-1 "$(header x-request-id)"
within 5 "its line" test -n "$(lines '.request_id == "probe-1"')"
same "its line" 'debug request GET /health 200' \
    "$(lines '.request_id == "probe-1"' | field '"\(.level) \(.message) \(.method) \(.path) \(.status)"')"
same "bytes of the answer" "$(size last.body)" "$(lines '.request_id == "probe-1"' | field .bytes)"
jq -e 'has("time") and has("level") and has("message")' serve.log > /dev/null || fail "a line lacks something"

step "an error: the id that the answer names leads to the log"
same "status" 404 "$(http_status /api/v1/devices/nobody)"
id=$(field .error.request_id < last.body)
same "the header says the same" "$id" "$(header x-request-id)"
holds "the warning" "$(lines ".request_id == \"$id\" and .level == \"warn\"")" "nobody is not registered"
same "code" not_found "$(lines ".request_id == \"$id\" and .level == \"warn\"" | field .code)"

oxide device status nobody --verbose 2> last.err > /dev/null && fail "nobody is there"
id=$(sed -n 's/^request id \([0-9a-f]*\): .*/\1/p' last.err)
holds "the log of what oxide asked" "$(lines ".request_id == \"$id\" and .level == \"warn\"")" "nobody"

step "what comes of a request carries its id"
make_model random 5000 one > /dev/null
same "published" 201 "$(http_status /api/v1/models/m/versions/v1 -X POST --data-binary @one -H 'X-Request-Id: push-7')"
holds "the line of the publishing" "$(lines '.request_id == "push-7"')" "published m@v1"
same "lines of nobody's request have none" 0 "$(lines '.message == "stopping" and has("request_id")' | wc -l)"
stop "$server_pid"

step "--log-format text"
: > serve.log
serve --verbose --log-format text
http_status '/api/v1/devices/a%20b' -H 'X-Request-Id: t-1' > /dev/null
within 5 "a warning in text" grep -q ' warn  .*path=/api/v1/devices/a%20b status=400 code=invalid_request request_id=t-1$' serve.log
within 5 "a request in text" grep -q ' debug request method=GET path=.* request_id=t-1$' serve.log
stop "$server_pid"

if command -v script > /dev/null; then
    step "on a terminal: text"
    rm -rf data
    script -qefc "'$OXIDE_BIN' serve --listen 127.0.0.1:0 --data data" terminal.log > /dev/null 2>&1 < /dev/null &
    pids+=($!)
    within 20 "it serves" grep -q ' info  serving data' terminal.log
    pkill -TERM -P "$!" 2> /dev/null
fi
