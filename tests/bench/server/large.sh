# 100,000 devices that poll each minute: some 1,700 heartbeats a second; a filtered campaign, its
# pages, and the start.
# shellcheck shell=bash
. "$here/server/fleet.sh"

timed_ms() { # CURL'S ARGUMENTS...: milliseconds of the whole request; its body in $work/answer
    curl -s -S --fail-with-body -o "$work/answer" -w '%{time_total}' "$@" | awk '{ printf "%.1f", $1 * 1000 }'
}
page_ms() { # URL: the longest of 20
    local i
    for ((i = 0; i < 20; i++)); do timed_ms "$1"; echo; done | sort -n | tail -n 1
}

large_step() {
    local created_ms pages devices_ms campaign_ms ready peak began
    serve "$work/large" --poll-interval 60
    publish_versions
    # The first heartbeat of each is written: they are spread, so that what is measured is polling.
    note "registering $devices devices"
    simulate large --agents "$devices" --poll 60 --ramp 300 --fleet f --model m --model-version v1 \
        --tag site=graz,linz,wien,enns --duration 20m --seed 7
    until_true 1800 "all devices online" online "$devices"
    peak_reset "$server"
    sleep 120 # two rounds of heartbeats that change nothing
    curl -s -S --fail -o /dev/null "$url/api/v1/fleets" -d '{"id":"graz","filter":"tag.site = graz and model.m = v1"}' || die "a fleet by filter"
    created_ms=$(timed_ms "$url/api/v1/campaigns" -d '{"model_id":"m","model_version":"v2","fleet_id":"graz",
        "strategy":"canary","limits":{"in_flight":100}}')
    campaign=$(jq -r .campaign_id "$work/answer")
    [ "$(jq -r .total_devices "$work/answer")" = $((devices / 4)) ] || die "the campaign has $(jq -r .total_devices "$work/answer") devices"
    campaign_ms=$(page_ms "$url/api/v1/campaigns/$campaign/devices?limit=100")
    devices_ms=$(page_ms "$url/api/v1/devices?limit=100&filter=tag.site%20%3D%20linz")
    pages=$(page_ms "$url/api/v1/campaigns?limit=100")
    sleep 60
    peak=$(peak_kib "$server")
    kill -INT "$simulator"
    wait "$simulator" || die "oxide simulate failed"
    forget "$simulator"
    finish "$server"
    began=$(now)
    serve "$work/large" --poll-interval 60
    ready=$(calc "$(now) - $began")
    say "## $devices devices" "" \
        "Registered, then polling each minute. Resident $(calc "$peak / 1024" %.1f) MiB at the most, database $(du -m "$work/large"/*.db | cut -f 1 | head -n 1) MiB." ""
    requests_table large
    say "| | ms |" "|---|---|" "| a campaign for a fleet by filter, $((devices / 4)) devices | $created_ms |" \
        "| a page of 100 of its devices, the longest of 20 | $campaign_ms |" \
        "| a page of 100 devices by filter, the longest of 20 | $devices_ms |" \
        "| the list of campaigns, the longest of 20 | $pages |" ""
    bar "$devices devices: a filtered campaign is created" "2 s" "$(calc "$created_ms / 1000") s" "$created_ms < 2000"
    bar "$devices devices: its page listed" "50 ms" "$campaign_ms ms" "$campaign_ms < 50"
    bar "$devices devices: p99 of $((devices / 60)) heartbeats a second" "50 ms" "$(p99_of large) ms" "$(p99_of large) < 50"
    bar "$devices devices: requests lost" "0" "$(lost_of large)" "$(lost_of large) == 0"
    bar "$devices devices: ready after start" "1 s" "$ready s" "$ready < 1"
    finish "$server"
}
