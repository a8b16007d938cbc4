#!/usr/bin/env bash
# Under the restrictions of their units (seccomp, namespaces, mounts, no capabilities) control plane
# and agent do all that they do. OXIDE_SANDBOX=yes ctest -L e2e runs every test so.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || { skip "only root can set them up"; exit; }
[ -x "$OXIDE_TOOLS/sandboxed" ] || { skip "built without libseccomp"; exit; }
command -v systemd-analyze > /dev/null || { skip "no systemd-analyze"; exit; }
[ -z "${OXIDE_EMULATED-}" ] || { skip "an emulator writes code as it goes, which the sandbox forbids"; exit; }
OXIDE_SANDBOX=yes
is_up() { [[ $(tr '\0' ' ' < "/proc/$1/cmdline") == "$OXIDE_BIN "* || $(tr '\0' ' ' < "/proc/$1/cmdline") == "$OXIDE_AGENT_BIN "* ]]; }
sealed() { # PID: the restrictions hold
    local of
    within 10 "the sandbox is set up" is_up "$1"
    for of in "Seccomp:	2" "NoNewPrivs:	1" "CapEff:	0000000000000000" "CapBnd:	0000000000000000"; do
        grep -q "^$of" "/proc/$1/status" || fail "process $1: $of expected in $(grep "^${of%%:*}" "/proc/$1/status")"
    done
}
serve --poll-interval 1
"$OXIDE_TOOLS/make_pair" synthetic . 1 f32 base,n3 > /dev/null || die "make_pair"
oxide device register cam-01 > /dev/null && oxide push m v1 f32-base.safetensors > /dev/null 2>&1 &&
    oxide push m v2 f32-n3.safetensors > /dev/null 2>&1 || die "setting up"

step "they are sealed off, and install, update by a patch, check and roll back"
agent cam-01 --health-check 'touch /etc/oxide-was-here 2> said; head -c 1 /dev/urandom > /dev/null && [ ! -e no ]'
sealed "$server_pid"
sealed "$agent_pid"
exits 0 "" oxide deploy m v1 --device cam-01 --wait --timeout 60s
exits 0 "" oxide deploy m v2 --device cam-01 --wait --timeout 60s
same "strategy" delta "$(campaign_field "$(oxide campaign list --json | field '.campaigns[-1].id')" '.devices[0].strategy')"
runs cam-01 m f32-n3.safetensors || fail "cam-01 does not run v2"
[ ! -e /etc/oxide-was-here ] || fail "the sandbox has a hole"
holds "what the check was told" "$(cat said)" "Read-only file system"
touch no
exits 1 "failed" oxide deploy m v1 --device cam-01 --wait --timeout 60s
runs cam-01 m f32-n3.safetensors || fail "cam-01 did not go back"
stop "$agent_pid"
