#!/usr/bin/env bash
# Kill the agent before and after every call that changes the disk, or let every such call fail once,
# from the assignment to the commit; after each, start it again and look: always old or new, bit for
# bit; at the end new, and no litter.
usage() {
    cat << 'HELP'
usage: tests/sweep/run.sh [OPTIONS]

  --do WHAT,...  before, after: the agent is killed before or after the call; ENOSPC, EIO, EINTR: the
                 call fails with that; short: a write takes half of what it is given          [all]
  --way WAY,...  patch, full, folder: how v2 comes; keep0: by a patch, after which v1 goes;
                 first: a first install; rollback: v2 fails its check; remove: v1 is taken back [all]
  --layout L     versions, flat or triton                                               [versions]
  --call N,...   only these calls, as a row of what was wrong names them
  --every N      only each Nth call; which is the first is drawn from the seed                 [1]
  --seed S       for --every                                                       [drawn, printed]
  --twice N      of N first kills, drawn evenly: killed again before every call of the start after [0]
  --jobs N       so many tries at a time                                                       [4]

Needs OXIDE_BIN and OXIDE_TOOLS, as the end-to-end tests do, and the interposer that is built beside
them. TMPDIR on a tmpfs makes it faster. Each try is a device of its own of one control plane. Where an
injected failure ended an update, the control plane has it try again, once.

After the first start and after the last, what programs see is the old version or the new one, bit for
bit; after the last also: it is what the update ends at; names, kinds and modes of all files are those
of a device that nothing happened to; nothing is quarantined; each campaign was told the end once. A
failure must be said with its class (disk) and the system's words for it, and a kill not at all.

Prints a row per WAY and WHAT: calls seen, tries that reached their call, failures that the update got
over without a word (and at which calls), what was wrong. Exits 1 if anything was, and keeps nothing.
HELP
}
do=before,after,ENOSPC,EIO,EINTR,short way='' call='' every=1 seed=$((RANDOM * 32768 + RANDOM)) twice=0 jobs=4 asked_layout=versions
while [ $# -gt 0 ]; do
    case $1 in
    --do) do=$2 && shift ;;
    --way) way=$2 && shift ;;
    --layout) asked_layout=$2 && shift ;;
    --call) call=$2 && shift ;;
    --every) every=$2 && shift ;;
    --seed) seed=$2 && shift ;;
    --twice) twice=$2 && shift ;;
    --jobs) jobs=$2 && shift ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done
. "$(dirname "$0")/lib.sh"
layout=$asked_layout
way=${way:-$ways}
RANDOM=$seed
began=$SECONDS

words_of() { # DO: the system's for the failure
    case $1 in ENOSPC) echo "No space left on device" ;; EIO) echo "Input/output error" ;; EINTR) echo "Interrupted system call" ;; esac
}

# --- devices and their updates ---

# One device that runs v1, to begin from.
prepare() { # WAY
    local device=start-$1
    oxide device register "$device" > /dev/null || die "register $device"
    case $1 in
    first | remove) return ;;
    full)
        OXIDE_DEVICE_ID=$device OXIDE_MODEL_DIR=$device OXIDE_LAYOUT=$layout oxide agent adopt full \
            "$(content_of full v1)" --version v1 > /dev/null || die "adopt"
        ;;
    *) deploy "$1" v1 --device "$device" ;;
    esac
    launch "$device" "$1" 0 count
    within 30 "$device runs v1" has "$device" "$1" v1 && until_told "$device"
    finish "$device"
    rm -f "$device/.oxide/identity.json" "$device.calls"
}
register() { # DEVICE...: in one go
    local device
    for device in "$@"; do
        printf 'url = "%s/api/v1/devices"\ndata = "{\\"id\\":\\"%s\\",\\"tags\\":{\\"batch\\":\\"%s\\"}}"\noutput = "/dev/null"\nfail\nnext\n' "$server" "$device" "$batch"
    done | sed '$d' > register.curl # but for the last "next"
    curl -sS -K register.curl || die "register"
}
# begin DEVICE WAY: the folder of one that runs what it begins from
begin() {
    [ -d "start-$2" ] || return 0
    cp -a "start-$2" "$1"
    slurp "$1/.oxide/state.json"
    printf '%s' "${text/\"device_id\":\"start-$2\"/\"device_id\":\"$1\"}" > "$1/.oxide/state.json"
}
assign() { # WAY: to the devices of the batch, which have begun; sets campaign
    case $1 in
    remove)
        deploy remove v1 --filter "tag.batch = $batch"
        in_turn run_first_version
        campaign=$(oxide campaign revert "$campaign" --json | field .campaign_id) || die "revert"
        ;;
    *) deploy "$1" "$(new_of "$1")" --filter "tag.batch = $batch" ;;
    esac
}
run_first_version() { # DEVICE of "remove"
    local at=${at_of[$1]}
    launch "$1" remove 0 count
    while next_line "$1" 30; do
        [[ $line != *'"message":"model active: '* ]] || break
    done
    until_told "$1"
    finish "$1"
    has "$1" remove v1 || wrong "$1" "$at" "v1 was not installed"
}
# in_turn FUNCTION: called for each device of the batch, so many at a time
in_turn() {
    local j i workers=()
    for ((j = 0; j < jobs; j++)); do
        for ((i = j; i < ${#devices[@]}; i += jobs)); do "$1" "${devices[i]}"; done 2>> workers.log &
        workers+=($!)
        pids+=($!)
    done
    for j in "${workers[@]}"; do wait "$j" && forget "$j"; done
}

# --- tries ---

declare -A at_of do_of # device: the call, or "first,second"; what is done there
# What is found wrong goes by files: tries run in processes of their own.
wrong() { # DEVICE CALL TEXT
    printf '%s %s, %s: %s: %s\n' "$batch_way" "${do_of[$1]}" "call $2" "$(hit_of "$1")" "$3" >> wrong
    cp "$1.log" "wrong-$1.log" 2> /dev/null
}
hit_of() { # DEVICE: the call that was hit
    [ ! -e "$1.hits" ] || tr '\n' ' ' < "$1.hits"
}
old_or_new() { # DEVICE WHEN
    has "$1" "$batch_way" "$(old_of "$batch_way")" || has "$1" "$batch_way" "$(new_of "$batch_way")" ||
        wrong "$1" "${at_of[$1]}" "$2: neither old nor new"
}
# The start at which something happens (for --twice, two of them).
disturb() { # DEVICE
    local at what=${do_of[$1]}
    for at in ${at_of[$1]//,/ }; do
        run_update "$1" "$batch_way" "$at" "$what"
        grep '^!' "$1.calls" | tr -d '!' >> "$1.hits"
        old_or_new "$1" "after it"
        [ -z "$hung" ] || wrong "$1" "$at" "the agent hangs"
        case $what/$status in
        before/137 | after/137 | */0) ;;
        E*/*) grep -q '^oxide: ' "$1.log" || wrong "$1" "$at" "status $status without a message" ;;
        *) wrong "$1" "$at" "status $status" ;;
        esac
    done
    case $what in E*)
        ! grep -q ' failed: ' "$1.log" || has "$1" "$batch_way" "$(old_of "$batch_way")" ||
            wrong "$1" "${at_of[$1]}" "it failed, and the old version is not there"
        if [ -s "$1.hits" ] && ! grep -qF "$(words_of "$what")" "$1.log"; then
            sed -E "s/^[0-9]+ /$what /; s/[0-9a-f]{64}/SHA256/; s/-[A-Za-z0-9]{6}\$//" "$1.hits" >> silent
        fi
        ;;
    esac
}
settle() { # DEVICE: the last start
    run_to_end "$1" "$batch_way"
    [ "$status" -eq 0 ] || wrong "$1" "${at_of[$1]}" "status $status of the last start"
    ended "$1" "$batch_way" || wrong "$1" "${at_of[$1]}" "it does not end"
    has "$1" "$batch_way" "$(end_of "$batch_way")" || wrong "$1" "${at_of[$1]}" "it does not end at $(end_of "$batch_way")"
    names "$1" > "$1.names"
    cmp -s "$1.names" "names-$batch_way" ||
        wrong "$1" "${at_of[$1]}" "litter: $(diff "names-$batch_way" "$1.names" | grep '^[<>]' | tr '\n' ' ')"
    slurp "$1/.oxide/state.json"
    case $batch_way in
    rollback) [[ $text =~ \"failures\":1[^0-9] ]] || wrong "$1" "${at_of[$1]}" "its failures are not 1: $text" ;;
    *) [[ $text == *'"poison":[]'* ]] || wrong "$1" "${at_of[$1]}" "it was counted as a failure: $text" ;;
    esac
    rm -rf "${1:?}"
}

# --- what the control plane was told ---

# Failures before the retry: all must be those of the injected failure, in its words.
judge_failures() {
    local device class message what
    : > retry
    while IFS=$'\t' read -r device class message; do
        [ "$batch_way/$class" != rollback/health ] || continue
        echo "$device" >> retry
        what=${do_of[$device]}
        case $what/$class in
        E*/disk) [[ $message == *"$(words_of "$what")"* ]] || wrong "$device" "${at_of[$device]}" "it failed for: $class: $message" ;;
        *) wrong "$device" "${at_of[$device]}" "it failed: $class: $message" ;;
        esac
    done < <(get "/api/v1/campaigns/$campaign" | jq -r '.devices[] | select(.state == "failed" or .state == "skipped") | [.device_id, .class, .error] | @tsv')
    while read -r device; do
        printf 'url = "%s/api/v1/campaigns/%s/retry?device=%s"\nrequest = POST\noutput = "/dev/null"\nfail\nnext\n' "$server" "$campaign" "$device"
    done < retry | sed '$d' > retry.curl
    [ ! -s retry ] || curl -sS -K retry.curl || fail "retry"
}
judge_ends() {
    local device found end=complete
    [ "$batch_way" != rollback ] || end=failed:health
    while read -r device found; do
        wrong "$device" "${at_of[$device]}" "the control plane has it as $found"
    done < <(get "/api/v1/campaigns/$campaign" | jq -r --arg last "$end" '.devices[] | {id: .device_id, is: (if .state == "failed" then "failed:\(.class)" else .state end)}
        | select(.is != $last) | "\(.id) \(.is)"')
    # told of each end once, and of nothing after it
    while read -r device found; do
        wrong "$device" "${at_of[$device]}" "told to the control plane: $found"
    done < <(events | jq -rs --arg last "${end%:*}" 'group_by(.device_id)[] | {id: .[0].device_id, to: [.[].to]}
        | select(.to[-1] != $last or (.to | map(select(. == "complete")) | length) != (if $last == "complete" then 1 else 0 end)) | "\(.id) \(.to | join(" "))"')
}
events() { # of the campaign's devices, one after the other
    local after=0 page
    for ((page = 0; page < 1000; page++)); do
        get "/api/v1/events?format=json&kind=campaign.device_moved&campaign=$campaign&limit=1000&after=$after" > page.json
        jq -c '.events[] | {device_id: .device_id, to: (.data.to // .to)}' page.json
        [ "$(jq '.events | length' page.json)" -gt 0 ] || return 0
        after=$(jq .next page.json)
    done
}

# --- batches ---

count=0
open_batch() { # WAY DO:CALL...: sets batch, devices, at_of, do_of
    local try device
    batch_way=$1 batch=b$((count += 1)) devices=() at_of=() do_of=()
    shift
    for try in "$@"; do
        device=$batch-$batch_way-${try/[:,]/-}
        device=${device/,/-}
        devices+=("$device")
        at_of[$device]=${try#*:}
        do_of[$device]=${try%%:*}
    done
    : > wrong && : > silent && : > workers.log
    register "${devices[@]}"
    for device in "${devices[@]}"; do begin "$device" "$batch_way"; done
    assign "$batch_way"
}
run_batch() { # WORD: prints a row for each DO, or one under that word
    local what
    in_turn disturb
    judge_failures
    in_turn settle
    judge_ends
    grep -v ' Killed \|^$' workers.log | head -n 5
    head -n 40 wrong
    failures=$((failures + $(wc -l < wrong)))
    for what in $(printf '%s\n' "${do_of[@]}" | sort -u | tr '\n' ' '); do row "$what" "${1:-$what}"; done
    rm -rf "$batch"-*
}
row() { # DO WORD
    local device reached=0 bad silently calls=${counted[$batch_way/count]}
    [ "$1" != short ] || calls=${counted[$batch_way/short]}
    for device in "${devices[@]}"; do
        if [ "${do_of[$device]}" = "$1" ] &&
            [ -e "$device.hits" ] && [ "$(wc -l < "$device.hits")" -eq "$(tr ',' '\n' <<< "${at_of[$device]}" | wc -l)" ]; then
            reached=$((reached + 1))
        fi
    done
    bad=$(grep -c "^$batch_way $1, " wrong)
    silently=$(sed -n "s/^$1 //p" silent | sort | uniq -c | awk '{ printf "%s%s %s %s", n++ ? ", " : "", $1, $2, $3 }')
    total=$((total + reached)) total_wrong=$((total_wrong + bad))
    printf '| %s | %s | %s | %s | %s | %s |\n' "$batch_way" "$2" "$calls" "$reached" "${silently:--}" "$bad"
}
total=0 total_wrong=0
# What nothing happens to: how many calls there are, and what lies there at the end.
declare -A counted
count_calls() { # WAY DO: sets calls
    local device
    calls=${counted[$1/$2]-}
    [ -z "$calls" ] || return 0
    open_batch "$1" "$2:0"
    device=${devices[0]}
    run_update "$device" "$1" 0 "$2"
    calls=$(wc -l < "$device.calls")
    counted[$1/$2]=$calls
    { ended "$device" "$1" && has "$device" "$1" "$(end_of "$1")"; } || die "$1: without a failure it does not end: $(tail -n 5 "$device.log")"
    run_to_end "$device" "$1"
    names "$device" > "names-$1"
    rm -rf "$batch"-*
}
sweep() { # WAY DO...: in one batch
    local way=$1 what kind at first tries=()
    shift
    for what in "$@"; do
        kind=count
        [ "$what" != short ] || kind=short
        count_calls "$way" $kind
        # a few more: how many there are depends on when heartbeats come
        first=$((1 + RANDOM % (every < calls ? every : calls)))
        for at in ${call:+${call//,/ }} $([ -n "$call" ] || seq $first "$every" $((calls + 3))); do tries+=("$what:$at"); done
    done
    open_batch "$way" "${tries[@]}"
    run_batch ''
}
sweep_twice() { # WAY
    local i first second tries=()
    count_calls "$1" count
    for ((i = 0; i < twice; i++)); do tries+=("before:$((1 + (2 * i + 1) * calls / (2 * twice)))"); done
    open_batch "$1" "${tries[@]}"
    in_turn disturb
    tries=()
    for first in "${devices[@]}"; do
        run_to_end "$first" "$1"
        for ((second = 1 + RANDOM % every; second <= $(wc -l < "$first.calls"); second += every)); do
            tries+=("before:${at_of[$first]},$second")
        done
    done
    rm -rf "$batch"-*
    open_batch "$1" "${tries[@]}"
    run_batch "before, twice"
}

serve --poll-interval 1
make_contents
# shellcheck disable=SC2086
push_contents ${way//,/ }
for w in ${way//,/ }; do prepare "$w"; done
printf 'seed %s, layout %s, every call of %s\n\n' "$seed" "$layout" "$every"
printf '| way | what | calls that change the disk | tried | got over in silence | wrong |\n|---|---|---|---|---|---|\n'
for w in ${way//,/ }; do
    if [ "$every" -ge 20 ]; then # few enough to go together
        # shellcheck disable=SC2086
        sweep "$w" ${do//,/ }
    else
        for d in ${do//,/ }; do sweep "$w" "$d"; done
    fi
    [ "$twice" -eq 0 ] || sweep_twice "$w"
done
printf '| all | | | %s | | %s |\n\n%s s\n' "$total" "$total_wrong" $((SECONDS - began))
