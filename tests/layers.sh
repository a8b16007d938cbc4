#!/usr/bin/env bash
# Enforce tests/layers.txt twice: by the headers that each source includes, also through others
# (gcc -MM), and by the undefined ox_* symbols of each module's archive (nm).
# usage: layers.sh BUILD_DIR
set -u
build=${1:?usage: layers.sh BUILD_DIR}
root=$(cd "$(dirname "$0")/.." && pwd)
cc=${CC:-cc}
nm=$(sed -n 's/^CMAKE_NM:FILEPATH=//p' "$build/CMakeCache.txt")
left_out=" " # modules that a build of the agent alone has not
if grep -q '^OXIDE_AGENT_ONLY:BOOL=ON' "$build/CMakeCache.txt"; then
    left_out=" $(sed -n 's/^set(server_modules \(.*\))/\1/p' "$root/CMakeLists.txt") "
fi
problems=0
checked=0

complain() { printf 'layers: %s\n' "$*"; problems=$((problems + 1)); }

declare -A uses external
while IFS= read -r line; do
    line=${line%%#*}
    [ -n "${line// /}" ] || continue
    module=${line%%:*}
    rest=${line#*:}
    uses[$module]="${rest%%|*} $module base"
    external[$module]=${rest#*|}
done < "$root/tests/layers.txt"

allowed() { # MODULE OTHER: does the row of MODULE name OTHER?
    case " ${uses[$1]} " in *" $2 "*) return 0 ;; *) return 1 ;; esac
}

# An arrow may not close a circle: a module's row names only modules whose rows stand above.
seen=" "
while IFS= read -r module; do
    for other in ${uses[$module]}; do
        [ "$other" = "$module" ] && continue
        [ "$module" = base ] && { [ "$other" = base ] || complain "base uses $other"; continue; }
        case "$seen" in *" $other "*) ;; *) complain "row $module names $other, which stands below it" ;; esac
    done
    seen="$seen$module "
done < <(sed -n 's/^\([a-z]*\):.*/\1/p' "$root/tests/layers.txt")

for dir in "$root"/src/*/; do
    module=$(basename "$dir")
    ls "$dir"*.c > /dev/null 2>&1 || continue
    if [ -z "${uses[$module]+x}" ]; then
        complain "src/$module has no row in tests/layers.txt"
        continue
    fi
    while IFS= read -r source; do
        checked=$((checked + 1))
        # Headers of the house, direct and through others.
        for header in $("$cc" -MM -I"$root/include" -I"$dir" -D_DEFAULT_SOURCE "$source" 2> /dev/null |
            tr ' \\' '\n\n' | grep -o 'include/oxide/[a-z]*' | sort -u); do
            other=${header##*/}
            allowed "$module" "$other" || complain "${source#"$root"/} includes oxide/$other: not in the row of $module"
        done
        # Private headers of other modules, and libraries that belong to others.
        while IFS= read -r header; do
            case $header in
            ../*) complain "${source#"$root"/} reaches into another folder: $header" ;;
            esac
        done < <(sed -n 's/^#include "\([^"]*\)".*/\1/p' "$source")
        while IFS= read -r header; do
            case $header in
            jansson* | openssl/* | zstd* | sqlite3* | curl/* | microhttpd* | ini.h | google/*)
                ok=no
                for prefix in ${external[$module]}; do
                    case $header in "$prefix"*) ok=yes ;; esac
                done
                [ $ok = yes ] || complain "${source#"$root"/} includes <$header>: not in the row of $module"
                ;;
            esac
        done < <(sed -n 's/^#include <\([^>]*\)>.*/\1/p' "$source")
    done < <(find "$dir" "$root/include/oxide/$module" -name '*.[ch]' ! -name main.c 2> /dev/null)

    # Every header compiles alone.
    for header in "$root/include/oxide/$module"/*.h; do
        [ -e "$header" ] || continue
        "$cc" -std=c11 -D_DEFAULT_SOURCE -fsyntax-only -I"$root/include" -x c "$header" 2> /dev/null ||
            complain "${header#"$root"/} does not compile alone"
    done

    # Who uses what is left out has undefined symbols here; the full build looks at those.
    for other in ${uses[$module]}; do
        case "$left_out" in *" $other "*) continue 2 ;; esac
    done
    archive=$(find "$build" -maxdepth 1 -name "liboxide_$module.a" | head -n 1)
    if [ -z "$archive" ]; then
        complain "no archive of $module in $build: build it first"
        continue
    fi
    missing=$("${nm:-nm}" -u "$archive" | awk '$2 ~ /^ox_/ {print $2}' | sort -u)
    for other in ${uses[$module]}; do
        lib=$(find "$build" -maxdepth 1 -name "liboxide_$other.a" | head -n 1)
        [ -n "$lib" ] || continue
        missing=$(comm -23 <(printf '%s\n' "$missing") \
            <("${nm:-nm}" --defined-only "$lib" | awk '$3 ~ /^ox_/ {print $3}' | sort -u))
    done
    for symbol in $missing; do
        complain "$module needs $symbol, which no module of its row defines"
    done
done

if [ $checked -eq 0 ]; then
    complain "no source was checked"
fi
if [ $problems -ne 0 ]; then
    printf 'layers: %d problems\n' "$problems"
    exit 1
fi
printf 'layers: %d sources keep the law of tests/layers.txt\n' "$checked"
