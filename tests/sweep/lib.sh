# shellcheck shell=bash disable=SC2016,SC2034
# Sourced by run.sh, kills.sh and seen.sh: what devices get, agents under the interposer, and looks
# at a device that cost no process, since thousands of tries wait on them.
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.sh"
interposer=$OXIDE_TOOLS/../lib/sweep_interpose.so
[ -r "$interposer" ] || die "no $interposer: build it first"
layout=versions

# WAY: how an update comes, and the model that comes so
#   patch, full, folder   v1, then v2: by a patch, as a full file, as a folder of files
#   keep0                 by a patch, after which v1 goes
#   first                 nothing, then v1
#   rollback              v1; v2, whose check fails; v1 again
#   remove                v1, which is taken back: nothing
ways=patch,full,folder,keep0,first,rollback,remove
old_of() { case $1 in first) echo none ;; *) echo v1 ;; esac; }
new_of() { case $1 in first) echo v1 ;; remove) echo none ;; *) echo v2 ;; esac; }
end_of() { case $1 in rollback) echo v1 ;; *) new_of "$1" ;; esac; }
content_of() { # WAY VERSION: a file or folder
    case $1/$2 in
    folder/v1) echo one ;; folder/v2) echo two ;;
    full/v1) echo f32-n4.safetensors ;; # of which the control plane has no copy
    */v1) echo f32-base.safetensors ;; */v2) echo f32-n3.safetensors ;;
    esac
}
make_contents() {
    "$OXIDE_TOOLS/make_pair" synthetic . 1 f32 base,n3,n4 > /dev/null || die "make_pair"
    mkdir -p one/sub two/sub
    cp f32-base.safetensors one/a.safetensors && cp f32-n3.safetensors two/a.safetensors
    echo same > one/same.txt && echo same > two/same.txt
    echo old > one/sub/b.txt && echo new > two/sub/b.txt
}
push_contents() { # WAY...
    local way version
    for way in "$@"; do
        for version in v1 v2; do
            [ "$way/$version" = full/v1 ] || oxide push "$way" $version "$(content_of "$way" $version)" > /dev/null 2>&1 ||
                die "push $way $version"
        done
    done
}

# --- devices ---

now_seen() { # DEVICE WAY: where a program would look
    case $layout in
    versions) echo "$1/$2/current" ;;
    flat) echo "$1/$2" ;;
    triton) find "$1/$2" -mindepth 1 -maxdepth 1 -type d -name '[0-9]*' 2> /dev/null | sort -V | tail -n 1 ;;
    esac
}
has() { # DEVICE WAY VERSION, bit for bit; none: no program sees any
    local at
    at=$(now_seen "$1" "$2")
    if [ "$3" = none ]; then
        [ -z "$at" ] || [ ! -e "$at" ]
    elif [ "$2" = folder ]; then
        diff -rq "$at" "$(content_of "$2" "$3")" > /dev/null 2>&1
    else
        cmp -s "$at/model.safetensors" "$(content_of "$2" "$3")"
    fi
}
# Every name below a device's folder, with kind and mode. Numbers (triton) depend on how often a
# version was switched to.
names() { # DEVICE
    (cd "$1" && find . -printf '%P %y %m %l\n' | sed -E '/^\.oxide\/numbers\/[^ ]/d; s|^([^./ ]+)/[0-9]+([/ ])|\1/N\2|' | sort)
}
# slurp FILE: into $text; without a process
slurp() { text='' && [ -e "$1" ] && { IFS= read -r -d '' text < "$1" || :; }; }
# Has it come to the end of the update, with nothing left to do or to tell?
ended() { # DEVICE WAY
    [ ! -e "$1/.oxide/journal.json" ] && slurp "$1/.oxide/state.json" && [[ $text != *'"seq":'* ]] || return 1
    case $2 in
    rollback) [[ $text == *'"failures":'* && $text == *'"current":{"version":"v1"'* ]] ;;
    remove) [[ $text == *'"models":[]'* ]] ;;
    *) [[ $text == *"\"current\":{\"version\":\"$(new_of "$2")\""* ]] ;;
    esac
}
told_all() { slurp "$1/.oxide/state.json" && [[ $text != *'"seq":'* ]]; } # DEVICE: no report waits

# --- agents ---

# launch DEVICE WAY AT DO: an agent under the interposer; sets agent_pid, and log_fd, which it logs to
launch() {
    local options=()
    case $2 in
    rollback) options=(--health-check 'test "$OXIDE_MODEL_VERSION" != v2') ;;
    keep0) options=(--keep 0) ;;
    esac
    exec {log_fd}< <(
        export OXIDE_SWEEP_ROOT=$work/$1 OXIDE_SWEEP_AT=$3 OXIDE_SWEEP_DO=$4 OXIDE_SWEEP_LOG=$work/$1.calls
        export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0 LD_PRELOAD=$interposer
        exec "$OXIDE_AGENT_BIN" agent --control-plane "$server" --device-id "$1" --poll-interval 1 \
            --model-dir "$work/$1" --layout "$layout" "${options[@]}" 2>&1
    )
    agent_pid=$!
    : > "$1.calls"
    hung=''
}
# next_line DEVICE SECONDS: of the log, into $line, and kept; fails when it ends or the time is over
next_line() {
    IFS= read -r -t "$2" -u "$log_fd" line || return
    printf '%s\n' "$line" >> "$1.log"
}
# until_told DEVICE: wait until no report waits; an agent that was killed meanwhile is no trouble
until_told() {
    local i
    for ((i = 0; i < 60; i++)); do
        ! told_all "$1" || return 0
        next_line "$1" 0.05 || [ $? -gt 128 ] || return 0
    done
}
# finish DEVICE: SIGTERM, and wait for the end; sets status
finish() {
    kill -TERM "$agent_pid" 2> /dev/null
    reap "$1"
}
reap() { # DEVICE
    local got=0
    while [ $got -eq 0 ]; do
        next_line "$1" 20
        got=$?
    done
    if [ $got -gt 128 ]; then hung=yes && kill -KILL "$agent_pid"; fi
    status=0
    wait "$agent_pid" 2> /dev/null || status=$?
    exec {log_fd}<&-
}
# run_update DEVICE WAY AT DO: until it was killed, has ended, or the update has; sets status
run_update() {
    local quiet
    launch "$@"
    for ((quiet = 0; quiet < 30; quiet++)); do
        if next_line "$1" 1; then
            quiet=0
            case $line in
            *'"message":"model active: '* | *'"message":"model removed: '* | *" failed: "*)
                until_told "$1"
                break
                ;;
            esac
        elif [ $? -le 128 ] || ended "$1" "$2"; then
            break # it is gone; or an earlier start had come to the end
        fi
    done
    [ $quiet -lt 30 ] || hung=yes
    finish "$1"
}
# run_to_end DEVICE WAY: undisturbed, until the update has ended or 20 s have passed
run_to_end() {
    local i up=''
    launch "$1" "$2" 0 count
    for ((i = 0; i < 400; i++)); do
        next_line "$1" 0.05 || [ $? -gt 128 ] || break
        if [ -z "$up" ]; then # what an earlier start left is settled once it listens
            slurp "$1.calls" && [[ $text == *' bind '* ]] && up=yes
        elif ended "$1" "$2"; then
            break
        fi
    done
    finish "$1"
}
