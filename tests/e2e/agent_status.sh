#!/usr/bin/env bash
# 'oxide agent status' asks the agent that runs; a service manager is told the same.
. "$(dirname "$0")/lib.sh"
serve --poll-interval 1
"$OXIDE_TOOLS/make_pair" synthetic . 8 f32 base,n3 > /dev/null || die "make_pair"
mv f32-base.safetensors one
mv f32-n3.safetensors two
oxide device register cam-01 > /dev/null && oxide push m v1 one > /dev/null 2>&1 &&
    oxide push m v2 two > /dev/null 2>&1 || die "setting up"
status() { oxide agent status --model-dir cam-01 --json | field "$1"; }
shows() { [ "$(status "$1")" = "$2" ]; }

step "nobody runs there"
exits 3 "cam-01" oxide agent status --model-dir cam-01
mkdir -p cam-01/.oxide
exits 5 "no agent runs" oxide agent status --model-dir cam-01
exits 2 "did you mean 'oxide agent status'" oxide agent statsu

step "an agent that waits"
deploy m v1 --device cam-01
agent cam-01
within 30 "cam-01 runs v1" runs cam-01 m one
within 10 "it says so" shows '.models[0].version' v1
exits 0 "" oxide agent status --model-dir cam-01
for words in "none under way" "complete" "v1" "$server"; do
    holds "status" "$(cat last.out)" "$words"
done
same "by the settings" v1 "$(OXIDE_MODEL_DIR=cam-01 oxide agent status --json | field '.models[0].version')"
stop "$agent_pid"
[ ! -e cam-01/.oxide/agent.sock ] || fail "its socket is left"

step "an update under way"
agent cam-01 --rate-limit 400000
deploy m v2 --device cam-01
within 20 "it downloads" shows '.update.stage' download
downloads() { [ "$(status '.update.percent // 0')" -gt 5 ] && [ "$(status '.update.rate_bps // 0')" -gt 100000 ]; }
within 20 "it says how far and how fast" downloads
holds "status" "$(oxide agent status --model-dir cam-01)" "m@v2: download, "
kill_hard "$agent_pid"

step "after a kill, beside a control plane that is gone"
agent cam-01
within 30 "cam-01 runs v2" runs cam-01 m two
within 10 "v1 is kept" shows '.models[0].kept[0].version' v1
stop "$server_pid"
away() { [[ $(oxide agent status --model-dir cam-01) == *"problem "*"127.0.0.1"* ]]; }
within 20 "it says that it is alone" away
stop "$agent_pid"
