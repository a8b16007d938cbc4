#!/usr/bin/env bash
# The build of the agent alone: it wants no library of servers, not even to be configured; it is small,
# links what it may and nothing newer than Ubuntu 20.04 has, says what it is, and does its work.
# usage: agent_only.sh BUILD_DIR [SIZE_MAX]; OXIDE_BIN and OXIDE_TOOLS as for the end-to-end tests.
set -u
build=${1:?usage: agent_only.sh BUILD_DIR [SIZE_MAX]}
size_max=${2:-1000000}
root=$(cd "$(dirname "$0")/.." && pwd)
problems=0
complain() { printf 'agent_only: %s\n' "$*"; problems=$((problems + 1)); }

# --- build, where nothing of a server is to be had ---
mkdir -p "$build/without" || exit 1
for header in sqlite3.h microhttpd.h; do
    echo "#error \"the agent alone includes $header\"" > "$build/without/$header"
done
cat > "$build/without/pkg-config" << 'END'
#!/bin/sh
case " $* " in *sqlite3* | *libmicrohttpd*) exit 1 ;; esac
exec pkg-config "$@"
END
chmod +x "$build/without/pkg-config"
if ! { cmake -S "$root" -B "$build" -DOXIDE_AGENT_ONLY=ON -DCMAKE_BUILD_TYPE=Release \
    -DPKG_CONFIG_EXECUTABLE="$build/without/pkg-config" -DCMAKE_C_FLAGS="-I$build/without" &&
    cmake --build "$build" -j "$(nproc)"; } > "$build/build.log" 2>&1; then
    tail -n 40 "$build/build.log"
    echo "agent_only: it does not build"
    exit 1
fi
agent=$build/bin/oxide

# --- what it is ---
strip -o "$build/stripped" "$agent" || exit 1
size=$(stat -c %s "$build/stripped")
[ "$size" -lt "$size_max" ] || complain "$size bytes stripped, $size_max are too many"

libraries=$(readelf -d "$build/stripped" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
for library in $libraries; do
    case $library in
    libcurl.so.* | libcrypto.so.* | libzstd.so.* | libjansson.so.* | libinih.so.*) ;;
    libc.so.* | libm.so.* | libpthread.so.* | ld-linux*) ;;
    *) complain "it wants $library" ;;
    esac
done

# --- nothing newer than tests/old_libraries.txt ---
may=$(grep -v '^#' "$root/tests/old_libraries.txt" | tr ' ' '\n' | sort -u)
newer() { # names on standard input that stand in no row
    comm -13 <(printf '%s\n' "$may") <(sort -u)
}
for symbol in $(nm -D --undefined-only "$build/stripped" |
    awk '$1 == "U" { # NAME or NAME@VERSION
        split($2, part, "@+")
        if (part[2] !~ /^GLIBC_/) { print part[1] }
        else if (split(part[2], of, /[_.]/) && (of[2] > 2 || of[3] > 31)) { print part[1] }
    }' | newer); do
    complain "it calls $symbol, which tests/old_libraries.txt does not name"
done
for name in $(awk '/^#if LIBCURL_VERSION_NUM/ { skip = 1 } /^#(else|endif)/ { skip = 0 } !skip' \
    "$root"/src/net/*.c | grep -oE '\bCURL[A-Z]*_[A-Z0-9_]+\b' | grep -v '^CURL_$' | newer); do
    complain "src/net names $name, which tests/old_libraries.txt does not"
done

# --- what it says ---
for word in $("$OXIDE_BIN" help | sed -n 's/^  \([a-z]*\) .*/\1/p' | sort -u); do
    case $word in agent | doctor | help | completion | man) continue ;; esac
    said=$("$agent" "$word" 2>&1)
    status=$?
    [ $status -eq 2 ] && [[ $said == *"'oxide $word' in this build, which is that of the agent alone"* ]] ||
        complain "oxide $word ends with $status: $said"
done
for word in agent "agent status" doctor help man; do
    # shellcheck disable=SC2086
    "$agent" $word --help > /dev/null || complain "oxide $word --help fails"
done
"$agent" agent --check-config --control-plane http://127.0.0.1:1 --device-id d > /dev/null ||
    complain "oxide agent --check-config fails"
[ ! -e "$build/share/oxide-serve.service" ] || complain "a unit of the server is there"

# --- what it does ---
export OXIDE_AGENT_BIN=$agent
for test in main_job by_hand layouts; do
    bash "$root/tests/e2e/$test.sh" > "$build/e2e.log" 2>&1 || {
        cat "$build/e2e.log"
        complain "e2e/$test fails with it"
    }
done

if [ $problems -ne 0 ]; then
    printf 'agent_only: %d problems\n' "$problems"
    exit 1
fi
printf 'agent_only: %s bytes stripped, with %s\n' "$size" "${libraries//$'\n'/ }"
