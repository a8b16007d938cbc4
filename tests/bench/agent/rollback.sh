# A check that says no: how long until the old version is active again.
# shellcheck shell=bash

rollback_step() {
    local i
    mkdir "$work/many"
    for ((i = 0; i < 50; i++)); do "$tools/make_model" random 2000000 "$work/many/part-$i" --seed $i > /dev/null; done
    cp -r "$work/many" "$work/many2"
    for ((i = 0; i < 25; i++)); do "$tools/make_model" random 2000000 "$work/many2/part-$i" --seed 1$i > /dev/null; done
    cat > "$work/watch.py" << 'EOF'
# Follows what is active: a line "NANOSECONDS WHAT" whenever it changes.
import os, sys, time
layout, path = sys.argv[1], sys.argv[2]
def seen():
    try:
        if layout == "triton":
            n = max((int(x) for x in os.listdir(path) if x.isdigit()), default=0)
            return "%d" % os.stat("%s/%d/part-0" % (path, n)).st_ino
        return "%d" % os.stat(path + ("/part-0" if layout == "flat" else "/current/part-0")).st_ino
    except OSError:
        return "none"
last = None
while True:
    now = seen()
    if now != last:
        print(time.time_ns(), now, flush=True)
        last = now
    time.sleep(0.0005)
EOF
    say "## From a check's verdict to the way back" "" \
        "50 files of 2 MB, half of them new. The check's last act is to write down the time; then until the old version is what consumers find." "" \
        "| layout | times | median | longest |" "|---|---|---|---|"
    for layout in versions flat triton; do one_layout "$layout"; done
    say ""
}
one_layout() {
    local layout=$1 device=back-$1 i longest median
    serve "$work/rollback-$layout"
    "$oxide" device register "$device" > /dev/null
    "$oxide" push m v1 "$work/many" > /dev/null
    "$oxide" push m v2 "$work/many2" > /dev/null
    echo 0 > "$work/verdict"
    start_agent "$device" --poll-interval 1 --layout "$layout" --keep 2 \
        --health-check "case \$OXIDE_MODEL_VERSION in v1) exit 0 ;; esac; date +%s%N >> $work/verdicts.$layout; exit 1"
    "$oxide" deploy m v1 --device "$device" --wait > /dev/null
    begin "$work/seen.$layout" python3 "$work/watch.py" "$layout" "$work/$device/m"
    : > "$work/verdicts.$layout"
    for ((i = 0; i < rollbacks; i++)); do
        "$oxide" agent apply "$work/many2" --model m --version v2 --model-dir "$work/$device" > "$work/apply.log" 2>&1 && die "v2 was taken: $(cat "$work/apply.log" "$work/$device.log.err")"
        "$oxide" agent free m --model-dir "$work/$device" > /dev/null
    done
    finish "$agent"
    finish "$server"
    [ "$(wc -l < "$work/verdicts.$layout")" -ge "$rollbacks" ] || die "$layout: only $(wc -l < "$work/verdicts.$layout") verdicts"
    # each verdict, and the first change of what is seen after it
    python3 - "$work/verdicts.$layout" "$work/seen.$layout" > "$work/back.$layout" << 'EOF'
import sys
verdicts = [int(l) for l in open(sys.argv[1]) if l.strip() != "0"]
seen = [int(l.split()[0]) for l in open(sys.argv[2])]
took = sorted(min(s for s in seen + [v + 10**12] if s > v) - v for v in verdicts)
print(took[len(took) // 2] / 1e6, took[-1] / 1e6)
EOF
    read -r median longest < "$work/back.$layout"
    say "| $layout | $rollbacks | $(calc "$median" %.1f) ms | $(calc "$longest" %.1f) ms |"
    bar "$layout: verdict to rollback active, the longest of $rollbacks" "100 ms" "$(calc "$longest" %.1f) ms" "$longest < 100"
    finish "$begun"
}
