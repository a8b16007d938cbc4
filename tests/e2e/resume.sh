#!/usr/bin/env bash
# A patch that is applied while it arrives: killed in the middle of it, the agent goes on behind the
# last frame; after a power cut behind the last one that had been synced; and what lies there damaged
# is found, and made anew by the patch.
. "$(dirname "$0")/lib.sh"
serve --poll-interval 1
"$OXIDE_TOOLS/make_pair" synthetic . 8 f32 base,n3 > /dev/null || die "make_pair"
mv f32-base.safetensors one
mv f32-n3.safetensors two # every weight has moved: some 4.3 MB of patch
oxide device register cam-01 > /dev/null && oxide push m v1 one > /dev/null 2>&1 &&
    oxide push m v2 two > /dev/null 2>&1 || die "setting up"
marked() { jq .patch_bytes cam-01/.oxide/download/*."$1" 2> /dev/null || echo 0; } # mark|durable
far() { [ "$(marked mark)" -gt "$1" ]; }
slowly() { agent cam-01 --rate-limit 250000; } # 700,000 bytes take more than the 2 s between two syncs

step "v1 by the full file"
deploy m v1 --device cam-01
agent cam-01
within 30 "cam-01 runs v1" runs cam-01 m one
stop "$agent_pid"

step "killed again and again, it goes on"
deploy m v2 --device cam-01
reached=0
for ((i = 0; i < 3; i++)); do
    slowly
    within 30 "more of the patch arrives" far $((reached + 700000))
    kill_hard "$agent_pid"
    [ "$(marked mark)" -gt "$reached" ] || fail "from $reached it went back to $(marked mark)"
    reached=$(marked mark)
    runs cam-01 m one || fail "v1 is not active any more"
done
[ "$reached" -gt 2100000 ] || fail "only $reached bytes after three starts"

step "after a power cut it goes on behind what was synced"
durable=$(marked durable)
[ "$durable" -gt 0 ] && [ "$durable" -le "$reached" ] || fail "synced up to $durable of $reached"
sed -i 's/"boot":"[^"]*"/"boot":"another"/' cam-01/.oxide/download/*.mark
slowly
within 30 "it goes on" sh -c "! grep -q another cam-01/.oxide/download/*.mark"
[ "$(marked mark)" -gt "$durable" ] || fail "it began anew: $(marked mark), synced were $durable"
kill_hard "$agent_pid"

step "what lies there damaged is found, and the patch makes it anew"
staged=$(find cam-01/.oxide/staging -type f)
printf 'rot' | dd of="$staged" bs=1 seek=1000 conv=notrunc status=none
agent cam-01
within 60 "cam-01 runs v2" runs cam-01 m two
within 30 "the server knows" sh -c "'$OXIDE_BIN' campaign show '$campaign' --json | jq -e '.state == \"complete\"' > /dev/null"
same "strategy" delta "$(campaign_field "$campaign" '.devices[0].strategy')"
same "what is left in the folder of downloads" "" "$(ls cam-01/.oxide/download)"
[ ! -e cam-01/.oxide/staging ] || fail "staging is left"
stop "$agent_pid"
