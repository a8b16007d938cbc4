# Activations, one after the other, beside readers that follow `current` without a pause.
# shellcheck shell=bash

activations_step() {
    local i version label=0 count torn lacking
    for version in v1 v2; do # files that tell their version, and are whole or not
        label=$((label + 1))
        mkdir -p "$work/$version/data"
        for name in one two data/three; do
            python3 -c "import sys; sys.stdout.buffer.write((b'$version ' * 4096)[:8192] * 4)" > "$work/$version/$name"
        done
    done
    cat > "$work/reader.py" << 'EOF'
# Opens every file by its path through `current`, each time anew; then those of one folder.
import os, signal, sys
base, out = sys.argv[1], sys.argv[2]
names = ["one", "two", "data/three"]
whole = {(v * 4096)[:8192] * 4: v for v in (b"v1 ", b"v2 ")}
count = torn = lacking = mixed = 0
def end(*_):
    open(out, "w").write("%d %d %d %d\n" % (count, torn, lacking, mixed))
    os._exit(0)
signal.signal(signal.SIGTERM, end)
while True:
    for name in names:
        try:
            with open("%s/current/%s" % (base, name), "rb") as f:
                if f.read() not in whole:
                    torn += 1
        except OSError:
            lacking += 1
    try:
        folder = os.open(base + "/current", os.O_RDONLY | os.O_DIRECTORY)
        seen = set()
        for name in names:
            fd = os.open(name, os.O_RDONLY, dir_fd=folder)
            seen.add(os.read(fd, 1 << 20))
            os.close(fd)
        os.close(folder)
        mixed += len(seen) != 1
    except OSError:
        lacking += 1
    count += 1
EOF
    serve "$work/activations"
    "$oxide" device register dev > /dev/null
    "$oxide" push m v1 "$work/v1" > /dev/null
    "$oxide" push m v2 "$work/v2" > /dev/null
    start_agent dev --poll-interval 1 --health-check true
    "$oxide" deploy m v1 --device dev --wait > /dev/null
    "$oxide" deploy m v2 --device dev --wait > /dev/null
    for i in 1 2; do begin "$work/reader.$i" nice -n 10 python3 "$work/reader.py" "$work/dev/m" "$work/read.$i"; done
    readers=("${pids[@]: -2}")
    began=$(now)
    for ((i = 0; i < activations; i++)); do
        "$oxide" agent rollback m --model-dir "$work/dev" > /dev/null || die "activation $i failed"
    done
    took=$(calc "$(now) - $began" %.0f)
    for reader in "${readers[@]}"; do finish "$reader"; done
    [ "$(logged dev 'model active: m@')" -ge $((activations + 2)) ] || die "there were $(logged dev 'model active: m@') activations"
    read -r count torn lacking mixed < <(awk '{ for (i = 1; i <= 4; i++) s[i] += $i } END { print s[1], s[2], s[3], s[4] }' "$work"/read.[12])
    say "## $activations activations beside two readers" "" \
        "By \`oxide agent rollback\`, to and fro, $took s. Each round opens three files through \`current\`, and three in the folder that it leads to." "" \
        "| rounds of reading | partial files | missing files | folders of two versions |" "|---|---|---|---|" \
        "| $count | $torn | $lacking | $mixed |" ""
    bar "$activations activations against readers" "no partial read, no missing file" \
        "$torn partial, $lacking missing, $mixed mixed in $count rounds" "$torn + $lacking + $mixed == 0 && $count > $activations"
    finish "$agent"
    finish "$server"
}
