#!/usr/bin/env bash
# An agent's folder that cannot be used as it is: another agent's, read-only, full, of another owner,
# with symlinks planted where the agent writes, with files that it did not write. It is said what is
# wrong, nothing outside is touched, and what runs goes on running.
. "$(dirname "$0")/lib.sh"
serve --poll-interval 1
make_model random 300000 v1 > /dev/null
make_model random 300000 v2 --seed 2 > /dev/null
exits 0 "" oxide push m v1 v1
exits 0 "" oxide push m v2 v2
exits 0 "" oxide device register cam-01
agent cam-01
deploy m v1 --device cam-01
within 30 "cam-01 runs v1" runs cam-01 m v1
within 20 "the server knows" campaign_is "$campaign" complete
# once STATUS WORDS [COMMAND...]: an agent on the folder ends at once with that, and says so
once() {
    local status=$1 words=$2
    shift 2
    exits "$status" "$words" timeout 20 "$@" "$OXIDE_AGENT_BIN" agent --control-plane "$server" --device-id cam-01 \
        --model-dir "$work/cam-01"
}

step "a second agent is refused"
once 4 "another"
stop "$agent_pid"

step "symlinks in the place of what is ours are refused, and not followed"
mkdir outside && echo mine > outside/file
planted() { # PATH [WORDS]: a symlink to a file or folder outside in the place of it
    local path=cam-01/.oxide/$1 to=$work/outside
    [ -d "$path" ] || to=$work/outside/file
    [ ! -e "$path" ] || mv "$path" kept-entry
    ln -s "$to" "$path"
    once "${3:-8}" "$2"
    [ -L "$path" ] || fail "$1 was replaced"
    rm "$path"
    [ ! -e kept-entry ] || mv kept-entry "$path"
    same "what lies outside after $1" "file mine" "$(ls outside) $(cat outside/file)"
}
planted download "symlink"
planted state.json "symlink"
planted identity.json "symlink"
planted journal.json "symlink"
planted lock "lock"
mv cam-01/.oxide kept && ln -s "$work/kept" cam-01/.oxide
once 8 "symlink"
rm cam-01/.oxide && mv kept cam-01/.oxide

step "and those of models are left, and reported"
mv cam-01/m kept && mkdir elsewhere && ln -s "$work/elsewhere" cam-01/m
agent cam-01
deploy m v2 --device cam-01
within 30 "v2 has failed" in_campaign_is "$campaign" cam-01 failed
holds "why" "$(campaign_field "$campaign" '.devices[0].error')" "symlink"
same "nothing was put there" "" "$(ls -A elsewhere)"
stop "$agent_pid"
rm cam-01/m && mv kept cam-01/m
runs cam-01 m v1 || fail "it does not run v1"

step "files of a newer release, of a stranger's hand, or cut short are set aside under their name"
for text in '{"format":99}' 'PK stranger' '{"format":1,"device' ''; do
    for file in state journal identity; do
        printf '%s' "$text" > "cam-01/.oxide/$file.json"
    done
    : > cam-01.log
    agent cam-01
    within 20 "it is up" grep -q 'models in' cam-01.log
    stop "$agent_pid"
    for file in state journal identity; do
        aside=$(find cam-01/.oxide -name "$file.json.bad-*")
        [ -n "$aside" ] && [ "$(cat "$aside")" = "$text" ] || fail "$file '$text' was not kept: $aside"
        grep -q "$file.json.*is kept as" cam-01.log || fail "$file '$text' is not said"
        rm -f "$aside"
    done
    [ "$text" != '{"format":99}' ] || grep -q "use a newer release" cam-01.log || fail "what to do is not said"
    runs cam-01 m v1 || fail "it does not run v1 any more"
done

if [ "$(id -u)" -ne 0 ] || ! command -v setpriv > /dev/null; then
    skip "other owners, read-only and full disks want root and setpriv"
    exit
fi

step "of another owner"
chmod 711 "$work"
once 8 "cam-01" setpriv --reuid=65534 --regid=65534 --clear-groups

step "read-only"
mount --bind cam-01 cam-01 2> /dev/null && mount -o remount,ro,bind cam-01 2> /dev/null || { skip "no mounts here"; exit; }
tear_down() { umount -l "$work/cam-01" "$work/full" 2> /dev/null; }
once 8 "ead-only"
umount cam-01
runs cam-01 m v1 || fail "it does not run v1"

step "full: refused with the bytes that lack, and gone on with once there is room"
mkdir full && mount -t tmpfs -o size=21m,mode=0755 oxide-e2e full || { skip "no tmpfs here"; exit; }
cp -r cam-01/. full/ && rm -f full/.oxide/agent.sock
dd if=/dev/zero of=full/filler bs=1M count=30 status=none 2> /dev/null
start full.log "$OXIDE_AGENT_BIN" agent --control-plane "$server" --device-id cam-01 --poll-interval 1 --model-dir full
deploy m v2 --device cam-01
within 30 "it is said" grep -q 'No space left on device\|bytes' full.log
sleep 2
kill -0 "$started" || fail "the agent ended"
runs full m v1 || fail "it does not run v1"
rm full/filler
oxide campaign retry "$campaign" > /dev/null 2>&1
within 60 "it runs v2" runs full m v2
stop "$started"
