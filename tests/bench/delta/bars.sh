# Parts of delta.sh: the bars, collected while measuring, printed as one table at the end.
# shellcheck shell=bash disable=SC2154,SC2034

bars=$work/bars.tsv
: > "$bars"

# bar NAME BAR MEASURED MET: met is yes, NO, or a word that says why it is not known.
bar() { printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" >> "$bars"; }

# at_most VALUE LIMIT, at_least VALUE LIMIT: print yes or NO.
at_most() { awk -v a="$1" -v b="$2" 'BEGIN { print (a <= b ? "yes" : "NO") }'; }
at_least() { awk -v a="$1" -v b="$2" 'BEGIN { print (a >= b ? "yes" : "NO") }'; }

peaks_bars() {
    [ -z "$create_peak_of" ] || bar "memory of create, default threads, pairs above" "256 MiB" \
        "$(mib "$create_peak") MiB ($create_peak_of)" "$(at_most "$create_peak" 262144)"
    [ -z "$apply_peak_of" ] || bar "memory of apply, pairs above" "16 MiB" \
        "$(mib "$apply_peak") MiB ($apply_peak_of)" "$(at_most "$apply_peak" 16384)"
}

print_bars() {
    printf '\n## Bars\n\n| name | bar | measured | met |\n|---|---|---|---|\n'
    awk -F '\t' '{ printf "| %s | %s | %s | %s |\n", $1, $2, $3, $4
                   if ($4 == "yes") yes++; else if ($4 == "NO") no++; else other++ }
         END { printf "\n%d met, %d not, %d not measured.\n", yes, no, other }' "$bars"
}
