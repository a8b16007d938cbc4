#!/usr/bin/env bash
# No file of the repository holds the marks that a merge leaves where it could not decide.
# usage: conflicts.sh
set -u
cd "$(dirname "$0")/.." || exit 2

# A line of seven signs, with what git writes behind them. (Headings of text may be underlined by "=",
# but not with seven of them alone.) Written so that this file does not hold them itself.
marks='^(<{7}|>{7}|[|]{7}) |^={7}[[:space:]]*$'
if git rev-parse --is-inside-work-tree > /dev/null 2>&1; then
    found=$(git grep -nIE --untracked "$marks" -- .)
else # a tree without its history, as of a release
    found=$(grep -rnIE --exclude-dir='build*' "$marks" .)
fi
status=$?
case $status in
0)
    printf '%s\n' "$found"
    echo "conflicts: a merge is not finished there"
    exit 1
    ;;
1) echo "conflicts: none" ;;
*) echo "conflicts: the tree cannot be searched" && exit 2 ;;
esac
