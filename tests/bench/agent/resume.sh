# A download that is killed again and again: what is fetched a second time.
# shellcheck shell=bash

# Counts what a process reads from its sockets: a counter in a file that outlives it.
build_counter() {
    cat > "$work/received.c" << 'EOF'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
static _Atomic uint64_t *counter;
static ssize_t (*real)(int, void *, size_t, int);
__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("RECEIVED");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    counter = map == MAP_FAILED ? NULL : map;
    real = (ssize_t (*)(int, void *, size_t, int))dlsym(RTLD_NEXT, "recv");
}
ssize_t recv(int fd, void *out, size_t len, int flags)
{
    ssize_t got = real(fd, out, len, flags);
    if (got > 0 && counter != NULL && !(flags & MSG_PEEK)) {
        *counter += (uint64_t)got;
    }
    return got;
}
EOF
    cc -shared -fPIC -O1 -o "$work/received.so" "$work/received.c" -ldl
}
received() { od -An -tu8 -N8 "$work/received" | tr -d ' '; }

# killed WHAT VERSION BYTES FILE RATE: an update of $device that is killed $kills times
killed() {
    local what=$1 version=$2 bytes=$3 file=$4 rate=$5 i=0 at lost per before
    head -c 8 /dev/zero > "$work/received"
    pre=(env "LD_PRELOAD=$work/received.so" "RECEIVED=$work/received")
    start_agent dev --poll-interval 1 --rate-limit "$rate" --keep 0
    deploy "$version" dev > /dev/null
    while [ $i -lt "$kills" ] && ! runs dev "$version"; do
        before=$(received)
        until_true 120 "$what goes on after kill $i" moved "$before" $((bytes / kills / 3))
        sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
        ! runs dev "$version" || break
        kill -9 "$agent"
        wait "$agent" 2> /dev/null || true
        forget "$agent"
        i=$((i + 1))
        start_agent dev --poll-interval 1 --rate-limit "$rate" --keep 0
    done
    until_true 600 "$what: $version runs" runs dev "$version"
    until_true 30 "it is idle" is_idle dev
    finish "$agent"
    pre=()
    same_file "$work/dev/m/current/model.safetensors" "$file"
    at=$(received)
    lost=$((at - bytes))
    per=$(calc "$lost / $i / 1048576" %.3f)
    say "| $what | $bytes | $i | $at | $per MiB |"
    bar "$mib MiB, $what, killed $i times: fetched again per kill" "1 MiB" "$per MiB" "$per <= 1 && $i == $kills"
}
moved() { [ $(($(received) - $1)) -gt "$2" ]; } # BEFORE BYTES

resume_step() {
    local patch_bytes size
    build_counter
    "$tools/make_pair" synthetic "$work/pair" "$mib" bf16 base,n2 > /dev/null
    size=$(stat -c %s "$work/pair/bf16-base.safetensors")
    serve "$work/resume"
    "$oxide" device register dev > /dev/null
    "$oxide" push m v1 "$work/pair/bf16-base.safetensors" > /dev/null
    "$oxide" push m v2 "$work/pair/bf16-n2.safetensors" > /dev/null
    say "## A download that is killed" "" \
        "What the agent read from its sockets, heartbeats and headers among it, less what it had to fetch." "" \
        "| what | bytes to fetch | kills | bytes read | again per kill |" "|---|---|---|---|---|"
    killed "full file" v1 "$size" "$work/pair/bf16-base.safetensors" $((size / 24))
    patch_bytes=$(patch_size)
    killed "patch" v2 "$patch_bytes" "$work/pair/bf16-n2.safetensors" $((patch_bytes / 24))
    say ""
    finish "$server"
    rm -rf "$work/resume" "$work/dev" "$work/pair"
}
