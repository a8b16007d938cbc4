#!/usr/bin/env bash
# Kill the agent before and after every call that changes the disk, or let every such call fail once,
# from the assignment to the commit; after each, start it again and look: always old or new, bit for
# bit; at the end new, and no litter.
usage() {
    cat << 'END'
usage: tests/sweep/run.sh [--do WHAT,...] [--way patch|full|folder,...] [--every N] [--layout LAYOUT]

  --do WHAT      before, after (the kill); ENOSPC, EIO, EINTR, short (the failure)  [all]
  --way WAY      how v2 comes: by a patch, as a full file, as a folder of files     [all]
  --every N      only each Nth call; the first one is drawn by the day              [1]
  --layout L     versions, flat or triton                                           [versions]

Needs OXIDE_BIN and OXIDE_TOOLS, as the end-to-end tests do, and the interposer that is built beside
them. Prints a line per WAY and WHAT; exits 1 if anything was wrong, and keeps nothing.
END
}
what=before,after,ENOSPC,EIO,EINTR,short way=patch,full,folder every=1 layout=versions
while [ $# -gt 0 ]; do
    case $1 in
    --do) what=$2 && shift ;;
    --way) way=$2 && shift ;;
    --every) every=$2 && shift ;;
    --layout) layout=$2 && shift ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done
. "$(dirname "$0")/../e2e/lib.sh"
exec 2> >(grep -v ' Killed  ' >&2) # what the shell says of each kill
interposer=$OXIDE_TOOLS/../lib/sweep_interpose.so
[ -r "$interposer" ] || die "no $interposer: build it first"

serve --poll-interval 1
"$OXIDE_TOOLS/make_pair" synthetic . 1 f32 base,n3 > /dev/null || die "make_pair"
mkdir -p one/sub two/sub
cp f32-base.safetensors one/a.safetensors && cp f32-n3.safetensors two/a.safetensors
echo same > one/same.txt && echo same > two/same.txt
echo old > one/sub/b.txt && echo new > two/sub/b.txt
# A model for each way: of "full" the control plane does not hold what devices run.
content_of() { # MODEL VERSION: a file or folder
    case $1/$2 in
    folder/v1) echo one ;; folder/v2) echo two ;;
    */v1) echo f32-base.safetensors ;; */v2) echo f32-n3.safetensors ;;
    esac
}
for model in patch full folder; do
    [ $model = full ] || oxide push $model v1 "$(content_of $model v1)" > /dev/null 2>&1 || die "push $model"
    oxide push $model v2 "$(content_of $model v2)" > /dev/null 2>&1 || die "push $model"
done
seen() { # DEVICE MODEL: where a program would look
    case $layout in
    versions) echo "$1/$2/current" ;;
    flat) echo "$1/$2" ;;
    triton) find "$1/$2" -mindepth 1 -maxdepth 1 -type d -name '[0-9]*' | sort -V | tail -n 1 ;;
    esac
}
holds_version() { # DEVICE MODEL VERSION
    local at
    at=$(seen "$1" "$2")
    if [ "$2" = folder ]; then
        diff -rq "$at" "$(content_of "$2" "$3")" > /dev/null 2>&1
    else
        cmp -s "$at"/model.safetensors "$(content_of "$2" "$3")"
    fi
}
tidy() { # DEVICE: nothing is left of an update
    [ ! -e "$1/.oxide/journal.json" ] && [ ! -e "$1/.oxide/staging" ] && [ ! -e "$1/.oxide/between" ] &&
        [ -z "$(ls -A "$1/.oxide/download" 2> /dev/null)" ] && [ -z "$(ls -A "$1/.oxide/fresh" "$1/.oxide/gone" 2> /dev/null)" ]
}
names() { # DEVICE: of all that it has; a number that a kill wasted is not given again
    (cd "$1" && find . ! -name '*.sock' -printf '%p %y %l\n' | sed -E 's|/[0-9]+([ /])|/N\1|' | sort)
}
settled() { holds_version "$1" "$2" v2 && tidy "$1"; }

# one device that runs v1, to begin from; its state without an identity
prepare() { # MODEL
    local model=$1
    rm -rf "start-$model"
    oxide device register "start-$model" > /dev/null
    if [ "$model" = full ]; then
        OXIDE_DEVICE_ID=start-full OXIDE_MODEL_DIR=start-full OXIDE_LAYOUT=$layout oxide agent adopt full \
            f32-base.safetensors --model-version v1 > /dev/null || die "adopt"
    else
        deploy "$model" v1 --device "start-$model"
    fi
    agent "start-$model" --layout "$layout"
    within 30 "start-$model runs v1" holds_version "start-$model" "$model" v1
    within 10 "it is tidy" tidy "start-$model"
    stop "$agent_pid"
    rm -f "start-$model/.oxide/identity.json"
}
begin() { # DEVICE MODEL: it runs v1, and v2 is assigned
    cp -a "start-$2" "$1"
    oxide device register "$1" > /dev/null || die "register $1"
    campaign=$(oxide deploy "$2" v2 --device "$1" --json | field .campaign_id)
    [ -n "$campaign" ] || die "deploy to $1"
}
# the agent under the interposer: AT DO; ends when it is killed or the update has ended
run_at() { # DEVICE MODEL AT DO
    local i
    OXIDE_SWEEP_ROOT=$work/$1 OXIDE_SWEEP_AT=$3 OXIDE_SWEEP_DO=$4 OXIDE_SWEEP_LOG=$work/$1.calls \
        ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0 \
        LD_PRELOAD=$interposer start "$1.log" "$OXIDE_AGENT_BIN" agent --control-plane "$server" --device-id "$1" \
        --poll-interval 1 --model-dir "$1" --layout "$layout"
    agent_pid=$started
    for ((i = 0; i < 300; i++)); do
        kill -0 "$agent_pid" 2> /dev/null || break
        if settled "$1" "$2" || given_up "$1"; then break; fi
        sleep 0.1
    done
}
given_up() { [ ! -e "$1/.oxide/journal.json" ] && grep -q ' failed: ' "$1.log"; } # DEVICE

count=0
sweep() { # WAY WHAT: prints how many calls, and how many went wrong
    local way=$1 what=$2 model=$1 at calls wrong=0 done=0 device i
    device=count-$way-$what
    begin "$device" "$model"
    run_at "$device" "$model" 0 count
    settled "$device" "$model" || fail "$way: without a failure it does not end"
    stop "$agent_pid"
    calls=$(wc -l < "$device.calls")
    names "$device" > "names-$way-$what"
    rm -rf "$device"
    at=$((1 + $(date +%j | sed 's/^0*//') % every))
    for (( ; at <= calls; at += every)); do
        count=$((count + 1))
        device=s$count-$way-$what-$at
        begin "$device" "$model"
        run_at "$device" "$model" "$at" "$what"
        if ! holds_version "$device" "$model" v1 && ! holds_version "$device" "$model" v2; then
            fail "$way, $what at call $at ($(sed -n "${at}p" "$device.calls")): neither old nor new"
            wrong=$((wrong + 1))
        fi
        kill -TERM "$agent_pid" 2> /dev/null # which may be killed at its call even now
        wait "$agent_pid" 2> /dev/null
        forget "$agent_pid"
        agent "$device" --layout "$layout"
        for ((i = 0; i < 200; i++)); do
            settled "$device" "$model" && break
            [ $((i % 40)) -ne 15 ] || oxide campaign retry "$campaign" > /dev/null 2>&1
            sleep 0.1
        done
        if ! settled "$device" "$model"; then
            fail "$way, $what at call $at ($(sed -n "${at}p" "$device.calls")): it does not end at new: $(find "$device/.oxide" -mindepth 1 | tr '\n' ' ')"
            wrong=$((wrong + 1))
        fi
        stop "$agent_pid"
        if ! names "$device" | cmp -s - "names-$way-$what"; then
            fail "$way, $what at call $at ($(sed -n "${at}p" "$device.calls")): litter: $(names "$device" | diff - "names-$way-$what" | tr '\n' ' ')"
            wrong=$((wrong + 1))
        fi
        done=$((done + 1))
        rm -rf "$device" "$device.log" "$device.calls"
    done
    printf '| %s | %s | %s | %s | %s |\n' "$way" "$what" "$calls" "$done" "$wrong"
}

for w in ${way//,/ }; do prepare "$w"; done
printf '| way | what | calls that change the disk | tried | wrong |\n|---|---|---|---|---|\n'
for w in ${way//,/ }; do
    for d in ${what//,/ }; do sweep "$w" "$d"; done
done
