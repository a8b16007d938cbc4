#!/usr/bin/env bash
# Devices that failed try again: while the campaign rolls out, and after its end, when whoever waits
# waits for them.
. "$(dirname "$0")/lib.sh"
serve --poll-interval 1
"$OXIDE_TOOLS/make_pair" synthetic . 1 f32 base > /dev/null || die "make_pair"
mv f32-base.safetensors one
oxide device register cam-01 > /dev/null && oxide push m v1 one > /dev/null 2>&1 || die "setting up"
agent cam-01 --health-check 'test -e ok'

step "it fails, and the campaign ends with that"
exits 1 "1 failed" oxide deploy m v1 --device cam-01 --wait --timeout 60s
campaign=$(oxide campaign list --json | field '.campaigns[-1].id')
same "state" complete "$(campaign_field "$campaign" .state)"

step "mended, it tries again, and 'wait' waits for it"
touch ok
exits 0 "" oxide campaign retry "$campaign"
holds "retry" "$(cat last.out)" "1 device to try again"
exits 0 "" oxide campaign wait "$campaign" --timeout 60s
holds "wait" "$(cat last.out)" "1 of 1 devices have m@v1"
runs cam-01 m one || fail "cam-01 does not run v1"
stop "$agent_pid"
