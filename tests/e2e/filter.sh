#!/usr/bin/env bash
# Devices by filter, fleets by filter, and a campaign to one of them.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

ids() { field '[.[].id] | join(" ")'; } # of a list of devices
by_filter() { get /api/v1/devices -G --data-urlencode "filter=$1" | ids; } # FILTER
fleet_field() { get "/api/v1/fleets/$1" | field "$2"; } # FLEET FILTER

small_models
serve --poll-interval 1
oxide push m v1 v1.onnx > /dev/null
oxide push m v2 v2-head.onnx > /dev/null

step "devices with tags"
for id in cam-01 cam-02 cam-03 cam-04; do oxide device register "$id" > /dev/null; done
expect "tagging" oxide device tag cam-01 site=graz line=9 > /dev/null
oxide device tag cam-02 site=graz line=10 > /dev/null
oxide device tag cam-03 site=wien > /dev/null
same "tags" "9 graz" "$(device_field cam-01 '"\(.tags.line) \(.tags.site)"')"
oxide device tag cam-01 line- hall=2 > tags.txt
same "a tag that went" "null 2 graz" "$(device_field cam-01 '"\(.tags.line) \(.tags.hall) \(.tags.site)"')"
holds "the tags as they are now" "$(cat tags.txt)" "hall"
oxide device tag cam-01 hall- line=9 > /dev/null
exits 2 "write KEY=VALUE to set one" oxide device tag cam-01 site
exits 2 "write KEY=VALUE to set one" oxide device tag cam-01 =x
exits 2 "named twice" oxide device tag cam-01 a=1 a-
exits 3 "is not registered" oxide device tag cam-09 a=1
same "a value that is no text" 400 "$(http_status /api/v1/devices/cam-01 -X PATCH -d '{"tags":{"a":1}}')"
holds "its message" "$(cat last.body)" 'must be a string, or null'
same "a name" "East Camera" \
    "$(get /api/v1/devices/cam-01 -X PATCH -d '{"name":"East Camera"}' | field .name)"
same "tags stay" graz "$(device_field cam-01 .tags.site)"

step "lists by filter"
same "one tag" "cam-01 cam-02" "$(by_filter 'tag.site = graz')"
same "the opposite" "cam-03 cam-04" "$(by_filter 'not tag.site = "graz"')"
same "natural order" "cam-02" "$(by_filter 'tag.line > 9')"
same "name" "cam-01" "$(by_filter 'name ~ "*Camera"')"
same "all" "cam-01 cam-02 cam-03 cam-04" "$(by_filter 'registered > 1h ago')"
same "never heard of" "cam-01 cam-02 cam-03 cam-04" "$(by_filter 'status = unknown and not last_seen exists')"
same "page by page" "cam-02 cam-03" "$(get "/api/v1/devices?limit=2&sort=id" -G \
    --data-urlencode "filter=id != cam-01" | ids)"
same "falling" "cam-04 cam-03 cam-02" "$(get "/api/v1/devices?sort=-id" -G \
    --data-urlencode "filter=id != cam-01" | ids)"
same "with another filter" "cam-02" "$(get "/api/v1/devices?status=unknown" -G \
    --data-urlencode "filter=tag.line > 9" | ids)"
oxide device list --filter 'tag.site = graz' > list.txt
holds "the table" "$(cat list.txt)" "East Camera"
same "rows" 3 "$(wc -l < list.txt)"
oxide device list --filter 'id = nobody' 2> list.err
holds "none" "$(cat list.err)" "no such devices"

step "filters that are wrong"
exits 2 "the filter at column 11: expected a value" oxide device list --filter 'tag.site == "graz"'
same "the filter, and a caret" '  tag.site == "graz"
            ^' "$(tail -n 2 last.err)"
exits 2 "the filter at column 1: expected a field" oxide device list --filter 'site = graz'
exits 2 "the filter at column 9: there is no fleet nowhere" oxide device list --filter 'fleet = nowhere'
exits 2 "the filter at column 15" oxide fleet create bad --filter 'tag.a = b and '
same "no such fleet was made" 404 "$(http_status /api/v1/fleets/bad)"
same "status" 400 "$(http_status '/api/v1/devices?filter=a')"
same "an empty one" 400 "$(http_status '/api/v1/devices?filter=')"
same "SQL is a value" "" "$(by_filter "id = \"x' OR 1=1 --\"")"
same "the devices are still there" 4 "$(get /api/v1/devices | field length)"

step "fleets by filter"
oxide fleet create graz --filter 'tag.site = graz' > made.txt
holds "how many" "$(cat made.txt)" "2 devices pass"
same "its filter" "tag.site = graz" "$(fleet_field graz .filter)"
same "its devices" "cam-01 cam-02" "$(fleet_field graz '.devices | join(" ")')"
same "their number" 2 "$(get '/api/v1/fleets/graz?devices=false' | field .device_count)"
oxide device tag cam-04 site=graz > /dev/null
same "it follows" "cam-01 cam-02 cam-04" "$(fleet_field graz '.devices | join(" ")')"
same "the list by fleet" "cam-01 cam-02 cam-04" "$(get '/api/v1/devices?fleet=graz' | ids)"
same "fleet within a filter" "cam-03" "$(by_filter 'fleet != graz')"
same "fleets of a device" "graz" "$(get '/api/v1/fleets?device=cam-04' | ids)"
same "fleets of another" "" "$(get '/api/v1/fleets?device=cam-03' | ids)"
same "status" 3 "$(get /api/v1/fleets/graz/status | field .unknown)"
holds "the table" "$(oxide fleet list)" "tag.site = graz"
exits 4 "has a filter" oxide fleet add graz cam-03
exits 4 "has a filter" oxide fleet remove graz cam-01

step "fleets of fleets"
oxide fleet create lab > /dev/null
oxide fleet add lab cam-03 > /dev/null
oxide fleet create both --filter 'fleet in (graz, lab)' > /dev/null
same "both kinds" 4 "$(fleet_field both .device_count)"
exits 4 "fleet graz cannot be removed: fleet both: the filter at column 11: there is no fleet graz" \
    oxide fleet delete graz
exits 2 "leads back to fleet" oxide fleet edit graz --filter 'fleet = both'
same "it is as it was" "tag.site = graz" "$(fleet_field graz .filter)"

step "editing"
exits 2 "nothing to change" oxide fleet edit graz
exits 4 "devices were put into fleet lab (1)" oxide fleet edit lab --filter 'id = cam-04'
expect "with force" oxide fleet edit lab --filter 'id = cam-04' --force > /dev/null
same "by filter now" cam-04 "$(fleet_field lab '.devices | join(" ")')"
expect "as a list" oxide fleet edit lab --no-filter > /dev/null
same "its list" "null cam-04" "$(fleet_field lab '"\(.filter) \(.devices | join(" "))"')"
expect "another name" oxide fleet edit lab --name Laboratory --description 'what is new' > /dev/null
same "name" Laboratory "$(fleet_field lab .name)"
same "description" "what is new" "$(fleet_field lab .description)"
same "description away" 200 "$(http_status /api/v1/fleets/lab -X PATCH -d '{"description":null,"tags":{"a":"b"}}')"
same "it is gone" "null b" "$(fleet_field lab '"\(.description) \(.tags.a)"')"
same "the list stays" 1 "$(fleet_field lab .device_count)"
exits 3 "there is no fleet nowhere" oxide fleet edit nowhere --name x

step "what heartbeats tell is asked for as of now"
agent cam-01
within 20 "it is heard of" sh -c "curl -sS -G '$server/api/v1/devices' \
    --data-urlencode 'filter=status = online and last_seen > 10s ago' | grep -q cam-01"
same "platform" "cam-01" "$(by_filter "platform.os exists and platform.cpu_count >= 1")"
same "agent" "cam-01" "$(by_filter 'agent >= 0.1')"
same "fleet's status" 1 "$(get /api/v1/fleets/graz/status | field .online)"

step "a campaign takes those that pass when it starts"
deploy m v1 --fleet graz
same "so many" 3 "$(campaign_field "$campaign" .summary.total)"
oxide device tag cam-03 site=graz > /dev/null
same "as many" 3 "$(campaign_field "$campaign" .summary.total)"
within 60 "the agent runs it" runs cam-01 m v1.onnx
within 20 "the filter knows" sh -c "curl -sS -G '$server/api/v1/devices' \
    --data-urlencode 'filter=model.m = v1' | grep -q cam-01"
exits 4 "campaign $campaign to fleet graz is under way" oxide fleet delete graz
oxide campaign abort "$campaign" > /dev/null
exits 4 "fleet both" oxide fleet delete graz
expect "both" oxide fleet delete both > /dev/null
expect "graz" oxide fleet delete graz > /dev/null
same "it is gone" 404 "$(http_status /api/v1/fleets/graz)"
same "its devices stay" 4 "$(get /api/v1/devices | field length)"
deploy m v2 --device cam-01
within 60 "the new version" runs cam-01 m v2-head.onnx
within 20 "older than v2" sh -c "! curl -sS -G '$server/api/v1/devices' \
    --data-urlencode 'filter=model.m < 2' | grep -q cam-01"
stop "$agent_pid"

step "a campaign to a filter of its own"
exits 2 "the filter at column 11" oxide deploy m v1 --filter 'tag.site == graz'
same "a caret" "            ^" "$(tail -n 1 last.err)"
exits 2 "Say one of --fleet" oxide deploy m v1 --filter 'tag.site = graz' --fleet lab
exits 4 "the filter selects no device" oxide deploy m v1 --filter 'tag.site = linz'
same "both" 400 "$(http_status /api/v1/campaigns -d \
    '{"model_id":"m","model_version":"v1","fleet_id":"lab","filter":"tag.site = graz"}')"
same "a plan" 4 "$(oxide campaign plan m v1 --filter 'tag.site = graz' --json | field .devices.total)"
deploy m v1 --filter 'tag.site = graz'
same "so many" "4 null" "$(campaign_field "$campaign" '"\(.summary.total) \(.fleet_id)"')"
oxide campaign abort "$campaign" > /dev/null

step "all of it is there after a restart"
oxide fleet create again --filter 'model.m >= v2' > /dev/null
kill_hard "$server_pid"
serve --poll-interval 1
same "the fleet" "cam-01" "$(fleet_field again '.devices | join(" ")')"
stop "$server_pid"
