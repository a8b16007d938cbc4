#!/usr/bin/env bash
# Does the interposer see every call that changes the disk? One update of each way under strace, which
# sees all of the agent's threads: of each call, both must have seen as many.
#
# usage: tests/sweep/seen.sh (OXIDE_BIN and OXIDE_TOOLS as for the end-to-end tests; needs strace)
. "$(dirname "$0")/lib.sh"
command -v strace > /dev/null || { skip "strace is not there"; exit; }

changing='open openat creat write writev pwrite64 pwritev pwritev2 truncate ftruncate fallocate sync_file_range
copy_file_range sendfile splice rename renameat renameat2 link linkat unlink unlinkat symlink symlinkat mkdir mkdirat
mknod mknodat rmdir chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes utimensat futimesat
setxattr lsetxattr fsetxattr removexattr fsync fdatasync syncfs msync bind ioctl mmap'
# A call of the C library under the name of the system call that it makes.
as_system_call() { sed -E 's/^(open64|open|openat64|mkstemp64|mkstemp|mkostemp64|mkostemp)$/openat/; s/^(ftruncate|fallocate)64$/\1/; s/^pwrite$/pwrite64/; s/^futimens$/utimensat/'; }
seen_by_strace() { # DEVICE: what is of its folder; opening counts where it makes or empties
    sed -E 's/^[0-9]+ +//' "$1.strace" | grep -F "$work/$1" | grep -vF "\"$work/$1." |
        grep -E "^[a-z0-9_]+\((.*[\"<]$work/$1[/\">]|.*sun_path=)" |
        grep -vE '^(open|openat)\(' | grep -vE '^mmap\(' | grep -vE '^write\([0-9]+<[^>]*\.(log|calls)>'
    sed -E 's/^[0-9]+ +//' "$1.strace" | grep -E "^(open|openat)\(.*\"$work/$1[/\"].*(O_CREAT|O_TRUNC)"
    sed -E 's/^[0-9]+ +//' "$1.strace" | grep -E "^mmap\(.*PROT_WRITE.*MAP_SHARED.*<$work/$1/"
    sed -E 's/^[0-9]+ +//' "$1.strace" | grep -E "^bind\(.*sun_path="
}

serve --poll-interval 1
make_contents
wanted=${*:-patch folder keep0 first}
# shellcheck disable=SC2086
push_contents $wanted
for way in $wanted; do
    oxide device register "$way" > /dev/null || die "register"
    if [ "$(old_of "$way")" != none ]; then
        deploy "$way" v1 --device "$way"
        agent "$way"
        within 30 "v1" in_campaign_is "$campaign" "$way" complete
        stop "$agent_pid"
    fi
    deploy "$way" "$(new_of "$way")" --device "$way"
    options=()
    [ "$way" != keep0 ] || options=(--keep 0)
    start "$way.log" strace -f -y -s 200 -o "$way.strace" -E "OXIDE_SWEEP_ROOT=$work/$way" -E "OXIDE_SWEEP_LOG=$work/$way.calls" \
        -E "LD_PRELOAD=$interposer" "$OXIDE_AGENT_BIN" agent --control-plane "$server" --device-id "$way" \
        --poll-interval 1 --model-dir "$work/$way" "${options[@]}"
    tracer=$started
    within 60 "the update" in_campaign_is "$campaign" "$way" complete
    within 20 "its end" ended "$way" "$way"
    kill -TERM "$(pgrep -P "$tracer")"
    wait "$tracer"
    forget "$tracer"
    seen_by_strace "$way" | sed -E 's/\(.*//' | grep -xF "$(tr -s ' ' '\n' <<< "$changing")" | sort | uniq -c > "$way.traced"
    sed -E 's/^!?[0-9]+ ([a-z0-9_]+) .*/\1/' "$way.calls" | as_system_call | sort | uniq -c > "$way.counted"
    diff "$way.traced" "$way.counted" > "$way.diff" ||
        fail "$way: strace (<) and the interposer (>) do not see the same: $(cat "$way.diff")"
    printf '| %s | %s calls | %s |\n' "$way" "$(wc -l < "$way.calls")" "$(awk '{ printf "%s%s %s", n++ ? ", " : "", $1, $2 }' "$way.counted")"
done
