#!/usr/bin/env bash
# What people do on the device itself: adopt, apply, go back, free; by the running agent or, where
# none runs, in its place.
. "$(dirname "$0")/lib.sh"
serve --poll-interval 1
"$OXIDE_TOOLS/make_pair" synthetic . 1 f32 base,n3,n2 > /dev/null || die "make_pair"
mv f32-base.safetensors one
mv f32-n3.safetensors two
mv f32-n2.safetensors three
oxide device register cam-01 > /dev/null && oxide push m v1 one > /dev/null 2>&1 &&
    oxide push m v2 two > /dev/null 2>&1 || die "setting up"
oxide delta create one two -o one-two.oxdl > /dev/null && oxide delta create two three -o two-three.oxdl > /dev/null ||
    die "patches"
export OXIDE_MODEL_DIR=$PWD/cam-01 OXIDE_DEVICE_ID=cam-01 OXIDE_CONTROL_PLANE=$server
current() { oxide agent status --json | field '.models[0].version'; }

step "what is wrong is said"
exits 3 "no version of m" oxide agent rollback m
exits 3 "nowhere" oxide agent adopt m nowhere
exits 2 "say with --model" oxide agent apply one
exits 2 "needs a value" oxide agent apply one --model m --version
exits 2 "needs PATH" oxide agent apply --version v1
holds "version of oxide" "$(oxide agent --version)" "oxide 0"
exits 6 "no version here" oxide agent apply one-two.oxdl

step "where no agent runs: adopt what the device had"
exits 0 "" oxide agent adopt m one --version v1
runs cam-01 m one || fail "it was not adopted"
[ -e one ] || fail "what was adopted is gone"
exits 4 "is here already" oxide agent adopt m two
[ -z "$(ls -A cam-01/.oxide/download)" ] || fail "litter: $(ls cam-01/.oxide/download)"
[ ! -e cam-01/.oxide/journal.json ] || fail "a journal is left"

step "the agent starts with it, and gets a patch"
agent cam-01
exits 0 "" oxide deploy m v2 --device cam-01 --wait --timeout 60s
same "strategy" delta "$(campaign_field "$(oxide campaign list --json | field '.campaigns[-1].id')" '.devices[0].strategy')"
runs cam-01 m two || fail "cam-01 does not run v2"

step "go back by hand: what was active is not brought again"
exits 0 "" oxide agent rollback m
holds "next" "$(cat last.out)" "oxide agent free m"
runs cam-01 m one || fail "it did not go back"
same "version" v1 "$(current)"
same "quarantined" "v2 true" "$(oxide agent status --json | field '.failures[0] | "\(.version) \(.quarantined)"')"
oxide deploy m v2 --device cam-01 > /dev/null
skipped() { [ "$(oxide campaign list --json | field '.campaigns[-1].id' | xargs -I{} "$OXIDE_BIN" campaign show {} --json | field '.devices[0].state')" = skipped ]; }
within 20 "the control plane hears that it is skipped" skipped
runs cam-01 m one || fail "it was brought again"

step "freed, it can be brought again"
exits 0 "" oxide agent free m v2
holds "freed" "$(cat last.out)" "1 version freed"
exits 0 "" oxide deploy m v2 --device cam-01 --wait --timeout 60s
runs cam-01 m two || fail "cam-01 does not run v2"

step "a patch from a stick, by the running agent"
exits 0 "" oxide agent apply two-three.oxdl --version v3
runs cam-01 m three || fail "cam-01 does not run three"
same "version" v3 "$(current)"
exits 4 "active already" oxide agent apply three --model m
known() { [ "$(oxide device show cam-01 --json | field '.models[0].version')" = v3 ]; }
within 20 "the control plane hears of it" known

step "and a damaged one: refused, and nothing changes"
cp two-three.oxdl damaged.oxdl
printf 'rot' | dd of=damaged.oxdl bs=1 seek=5000 conv=notrunc status=none
exits 0 "" oxide agent rollback m
exits 6 "" oxide agent apply damaged.oxdl --version v4
runs cam-01 m two || fail "it changed"
[ -z "$(ls -A cam-01/.oxide/download)" ] || fail "litter: $(ls cam-01/.oxide/download)"
[ ! -e cam-01/.oxide/staging ] || fail "staging is left"
stop "$agent_pid"

step "a check that fails rolls back, without an agent, too"
exits 1 "health check" env OXIDE_HEALTH_CHECK=false "$OXIDE_AGENT_BIN" agent apply three --model m --version v5
runs cam-01 m two || fail "it was not rolled back"

step "the first install of another model goes back to nothing"
exits 0 "" oxide agent apply one --model other --version v1
runs cam-01 other one || fail "other is not active"
same "where it came from" "$(size one)" "$(field '.reports[-1].sources.by_hand' < cam-01/.oxide/state.json)"
exits 0 "" oxide agent rollback other
[ ! -e cam-01/other ] || fail "other is left: $(ls cam-01/other)"
