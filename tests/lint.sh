#!/usr/bin/env bash
# clang-tidy, cppcheck and clang-format over the sources, or over the folders named.
# usage: lint.sh [BUILD_DIR_WITH_compile_commands.json] [MODULE...]
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-$root/build}
shift || true
[ -r "$build/compile_commands.json" ] || { echo "lint: no $build/compile_commands.json: configure first"; exit 2; }
cd "$root" || exit 2
modules=("$@")
[ ${#modules[@]} -gt 0 ] || mapfile -t modules < <(sed -n 's/^\([a-z]*\):.*/\1/p' tests/layers.txt)
sources=()
headers=()
for module in "${modules[@]}"; do
    for file in "src/$module"/*.c; do [ -e "$file" ] && sources+=("$file"); done
    for file in "src/$module"/*.h "include/oxide/$module"/*.h; do [ -e "$file" ] && headers+=("$file"); done
done
status=0
clang-format --dry-run -Werror "${sources[@]}" "${headers[@]}" || status=1
printf '%s\n' "${sources[@]}" | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p "$build" 2> /dev/null || status=1
cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr \
    --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches --error-exitcode=1 \
    -Iinclude "${sources[@]}" || status=1
[ $status -eq 0 ] && printf 'lint: %d sources are clean\n' "${#sources[@]}"
exit $status
