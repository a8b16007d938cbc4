# Parts of delta.sh: the other tools, measured once, or looked up in the cache.
# shellcheck shell=bash disable=SC2154,SC2034

# One tool, one way: TOOL_create BASE TARGET PATCH, TOOL_apply BASE PATCH OUT; one thread each.
zstd_create() { run zstd -q -f -19 --long=31 --single-thread --patch-from="$1" "$2" -o "$3"; }
zstd_apply() { run zstd -q -f -d --long=31 --memory=2048MB --patch-from="$1" "$2" -o "$3"; }
xdelta3_create() { run xdelta3 -f -9 -e -s "$1" "$2" "$3"; }
xdelta3_apply() { run xdelta3 -f -d -s "$1" "$2" "$3"; }
bsdiff_create() { run bsdiff "$1" "$2" "$3"; }
bsdiff_apply() { run bspatch "$1" "$3" "$2"; }
hdiffz_create() { run hdiffz -f -p-1 -c-zstd-21-24 "$1" "$2" "$3"; }
hdiffz_apply() { run hpatchz -f "$1" "$2" "$3"; }

measured_peers=0 cached_peers=0 noted_peers=0

digest() { sha256sum < "$1" | cut -d ' ' -f 1; }

# peer TOOL BASE TARGET: leaves patch bytes, create seconds and KiB, apply seconds and KiB in
# peer_bytes, peer_create_s, peer_create_k, peer_apply_s, peer_apply_k, and the processor seconds of
# create in peer_create_cpu_s.
peer() {
    local tool=$1 base=$2 target=$3 key='' create wall cpu
    if [ -n "$cache" ]; then # a peer is known by its executable and by how it is called above
        key=$cache/$(printf '%s %s %s %s' "$(digest "$(command -v "$tool")")" \
            "$(declare -f "${tool}_create" | digest /dev/stdin)" "$(digest "$base")" \
            "$(digest "$target")" | digest /dev/stdin).$tool
    fi
    if [ -n "$key" ] && [ -r "$key" ]; then
        cached_peers=$((cached_peers + 1))
    else
        "${tool}_create" "$base" "$target" "$work/peer.patch"
        create="$wall $cpu $peak"
        rm -f "$work/peer.rebuilt"
        "${tool}_apply" "$base" "$work/peer.patch" "$work/peer.rebuilt"
        cmp -s "$work/peer.rebuilt" "$target" || die "$tool rebuilt other bytes: $base, $target"
        printf '%s %s %s %s %s\n' "$(size "$work/peer.patch")" "$create" "$wall" "$cpu" "$peak" \
            > "$work/peer.line"
        rm -f "$work/peer.patch" "$work/peer.rebuilt"
        measured_peers=$((measured_peers + 1))
        if [ -n "$key" ]; then
            mkdir -p "$cache"
            cp "$work/peer.line" "$key.new" && mv "$key.new" "$key"
        fi
    fi
    read -r peer_bytes wall cpu peer_create_k create < "${key:-$work/peer.line}"
    peer_create_s=${!clock} peer_create_cpu_s=$cpu
    read -r wall cpu peer_apply_k <<< "$create"
    peer_apply_s=${!clock}
}

# The bytes that models/peers.tsv notes for a peer that is not here: noted_peer TOOL FAMILY TARGET.
noted_peer() {
    [ -r "$models/peers.tsv" ] || return 0
    awk -F '\t' -v tool="$1" -v family="$2" -v target="$3" \
        'NR == 1 { for (i = 1; i <= NF; i++) if ($i == tool) column = i }
         column && $1 == family && $2 == target { print $column }' "$models/peers.tsv"
}

describe_peers() {
    if [ -z "$peers" ]; then
        printf 'no peers were run; %s figures marked * are those of peers.tsv.\n' "$noted_peers"
        return
    fi
    printf 'peers on one thread, once: %s patches measured in this run, %s taken from the cache.\n' \
        "$measured_peers" "$cached_peers"
    printf '%s -19 --long=31 --patch-from; xdelta3 %s -9; bsdiff %s; HDiffPatch -c-zstd-21-24: %s.\n' \
        "$(zstd --version | grep -o 'v[0-9.]*' | head -n 1 | sed 's/^v/zstd /')" \
        "$(xdelta3 -V 2>&1 | grep -o '[0-9][0-9.]*' | head -n 1)" \
        "$(dpkg-query -W -f '${Version}' bsdiff 2> /dev/null || echo '(version unknown)')" \
        "$(if [[ $peers == *hdiffz* ]]; then echo measured; else echo "not found here, $noted_peers figures marked * are peers.tsv's"; fi)"
}
