#!/usr/bin/env bash
# The agent's settings: files, environment and flags, what is said of them, and reading them again.
# shellcheck disable=SC2016,SC2154 # shell for the agent; what lib.sh sets
. "$(dirname "$0")/lib.sh"
small_models
serve
mkdir -p etc/agent.conf.d
conf=etc/agent.conf

value() { # KEY [MODEL]: what --check-config --json says of it
    field ".settings[] | select(.key == \"$1\" and .model == ${2:-null}) | .value | tostring"
}
from() { # KEY
    field ".settings[] | select(.key == \"$1\") | .from + \" \" + (.file // \"\") + \" \" + (.line // \"\" | tostring)"
}
check() { oxide agent --config $conf --check-config "$@"; }
logged() { grep -q -- "$1" cam-01.log; }

step "files, then the environment, then flags"
cat > $conf << END
# the device
[agent]
control_plane = $server/
device_id = cam-01
model_dir = $work/cam-01
poll_interval = 30
[check]
health_timeout = 20
[model defect]
health_check = test -s "\$OXIDE_MODEL_PATH" ; true
END
printf '[agent]\npoll_interval = 40\nlog_level = warn\n' > $conf.d/10-poll.conf
printf '[download]\nwindow = mon-fri 00:00-24:00; sat,sun 00:00-24:00\n' > $conf.d/20-times.conf
exits 0 "" check
holds "text" "$(tr -s ' ' < last.out)" "?agent? poll_interval 40 $conf.d/10-poll.conf:2"
holds "text" "$(cat last.out)" "this device is cam-01"
exits 0 "" env OXIDE_POLL_INTERVAL=50 OXIDE_LOG_LEVEL=error "$OXIDE_AGENT_BIN" agent --config $conf \
    --check-config --json --log-level info --rate-limit 64K
same "device" cam-01 "$(field .device_id < last.out)"
same "files" 3 "$(field '.files | length' < last.out)"
same "interval" 50 "$(value poll_interval < last.out)"
same "its place" "environment  " "$(from poll_interval < last.out)"
same "level" info "$(value log_level < last.out)"
same "rate" 65536 "$(value rate_limit < last.out)"
same "timeout" 20 "$(value health_timeout < last.out)"
same "its place" "file $conf 8" "$(from health_timeout < last.out)"
same "of the model" 'test -s "$OXIDE_MODEL_PATH" ; true' "$(value health_check '"defect"' < last.out)"
same "of all" null "$(value health_check < last.out)"
same "windows" 2 "$(field '.settings[] | select(.section == "download" and .key == "window") | .value | length' < last.out)"

step "what is wrong is said with its place, all at once"
printf '[agent]\npol_interval = 3\nmetered = maybe\n' > $conf.d/30-bad.conf
exits 2 "$conf.d/30-bad.conf:2: ?agent? has no setting pol_interval: did you mean poll_interval" check
holds "the second" "$(cat last.err)" "$conf.d/30-bad.conf:3: metered cannot be 'maybe': it is yes or no"
holds "the sum" "$(cat last.err)" "2 things are wrong"
exits 2 "--poll-interval cannot be '0'" oxide agent --config $conf --check-config --poll-interval 0
exits 2 "30-bad.conf:2" oxide agent --config $conf
rm $conf.d/30-bad.conf
printf 'device_id = a\0b\n' > nul.conf
exits 2 "nul.conf:1: the line has a NUL byte" oxide agent --config nul.conf --check-config
exits 2 "absent.conf" oxide agent --config absent.conf --check-config

step "the sample is a file that may stand as it is"
exits 0 "" oxide agent --sample-config
cp last.out sample.conf
expect "it is the one that is installed" cmp sample.conf "$root/src/packaging/agent.conf"
exits 0 "" oxide agent --config sample.conf --check-config --device-id x
exits 2 "which device is this?" oxide agent --config sample.conf --check-config

step "an agent runs by its files"
exits 0 "" oxide device register cam-01
exits 0 "" oxide push defect v1 v1.onnx
exits 0 "" oxide push defect v2 v2-head.onnx
exits 0 "" oxide push defect v3 v3-finetune.onnx
rm $conf.d/*
start cam-01.log "$OXIDE_AGENT_BIN" agent --config $conf --log-format text
agent_pid=$started
within 20 "it is heard of" eval '[ "$(device_field cam-01 .status)" = online ]'
deploy defect v1 --device cam-01
sleep 1
campaign_is "$campaign" complete && fail "an agent with an interval of 30 s came back at once"

step "SIGHUP: the interval and the health check change"
sed -i 's/^poll_interval = .*/poll_interval = 1/; s/^health_check = .*/health_check = exit 3/' $conf
kill -HUP "$agent_pid"
within 10 "the interval is said" logged "poll_interval is 1 now, no longer 30"
within 10 "the check is said" logged "\[model defect\] health_check is exit 3 now"
within 10 "the update fails its check" in_campaign_is "$campaign" cam-01 failed
logged "health check ended with status 3" || fail "it was another check"

step "a broken file changes nothing"
printf '[agent]\npoll_interval = never\nfoo = 1\n' > $conf.d/bad.conf
kill -HUP "$agent_pid"
within 10 "it is said" logged "the settings stay as they were: 2 things are wrong"
logged "bad.conf:2: poll_interval cannot be 'never'" || fail "the first is not said"
rm $conf.d/bad.conf
sed -i 's/^health_check = .*/health_check = true/; s/^device_id = .*/device_id = cam-02/' $conf
kill -HUP "$agent_pid"
within 10 "what needs a restart" logged "device_id stays cam-01 until the agent is started again"
deploy defect v1 --device cam-01
within 20 "v1 is installed" campaign_is "$campaign" complete
sed -i 's/^device_id = .*/device_id = cam-01/' $conf

step "a preflight command refuses"
printf 'preflight_command = echo the battery is low; exit 7\n' >> $conf
kill -HUP "$agent_pid"
within 10 "the command is said" logged "preflight_command is echo the battery is low; exit 7 now"
deploy defect v2 --device cam-01
within 20 "v2 is refused" in_campaign_is "$campaign" cam-01 failed
same "its class" 1 "$(campaign_field "$campaign" .summary.failures.preflight)"
same "nothing was fetched" 0 "$(campaign_field "$campaign" .summary.bytes_served)"
holds "why" "$(campaign_field "$campaign" '.devices[0].error')" "preflight command ended with status 7: the battery is low"
holds "result" "$(get /api/v1/devices/cam-01)" "the battery is low"
runs cam-01 defect v1.onnx || fail "v1 is not what runs"
sed -i '/^preflight_command/d' $conf

step "the device's own window for the switch"
later=$(date -d '+2 hours' +%H:%M)-$(date -d '+3 hours' +%H:%M)
printf 'window = %s\n' "$later" >> $conf
kill -HUP "$agent_pid"
within 10 "the window is said" logged "\[model defect\] window is $later now"
deploy defect v2 --device cam-01
within 20 "v2 is ready" logged "defect@v2 is ready, and waits for its window"
sleep 2
runs cam-01 defect v1.onnx || fail "v1 is not what runs"
sed -i '/^window/d' $conf
kill -HUP "$agent_pid"
within 20 "v2 is switched to" campaign_is "$campaign" complete
runs cam-01 defect v2-head.onnx || fail "v2 is not what runs"
stop "$agent_pid"
