#!/usr/bin/env bash
# Each layout with a real control plane: updates and kills while a consumer reads all the time and
# never finds anything but a whole version; a version that fails its check; the way back from a
# first install; a change of the layout.
. "$(dirname "$0")/lib.sh"
serve --poll-interval 1
seed=0
for version in v1 v2 v3 bad; do # a model of several files, of which one is the same in all
    mkdir -p "$version/data"
    seed=$((seed + 1))
    make_model random 40000 "$version/data/weights" --seed $seed > /dev/null || die "make_model"
    echo "$version" > "$version/name"
    echo "cat, dog" > "$version/labels"
    exits 0 "" oxide push m $version $version
    cat $version/name $version/labels $version/data/weights | sha256sum > $version.sum
done
kinds='versions flat triton'
for kind in $kinds; do
    same "registered" 201 "$(http_status /api/v1/devices -d "{\"id\": \"$kind\"}")"
done
exits 0 "" oxide fleet create f
exits 0 "" oxide fleet add f versions flat triton
declare -A agents
cat > check.sh << 'END'
#!/bin/sh
[ "$(cat "$OXIDE_MODEL_PATH/name")" != bad ]
END
chmod +x check.sh
begin() { # KIND [OPTIONS]: its agent
    local kind=$1
    shift
    agent "$kind" --layout "$kind" --health-check "$work/check.sh" "$@"
    agents[$kind]=$agent_pid
}

# --- what consumers see ---

highest() { # FOLDER: of the numbers in it
    find "$1" -mindepth 1 -maxdepth 1 -name '[0-9]*' -printf '%f\n' 2> /dev/null | sort -n | tail -n 1
}
place() { # KIND: where the active version is found
    case $1 in
    versions) echo "$1/m/current" ;;
    flat) echo "$1/m" ;;
    triton) echo "$1/m/$(highest "$1/m")" ;;
    esac
}
active() { [ -d "$(place "$1")/" ] && diff -r "$(place "$1")/" "$2" > /dev/null; } # KIND FOLDER
all_active() { # FOLDER
    local kind
    for kind in $kinds; do active "$kind" "$1" || return 1; done
}
sums() { cat v1.sum v2.sum v3.sum; }

# A consumer: opens the folder that is active and reads all of it, again and again. The folder that
# it is in stays as long as keep has it, so nothing may lack, and nothing be mixed.
consume() { # KIND
    local sum count=0 torn=0 known
    known=$(sums)
    trap 'echo "$count $torn" > "consumed.$1"; exit 0' TERM
    while :; do
        sum=$(cd "$(place "$1")/" 2> /dev/null && cat name labels data/weights 2> /dev/null | sha256sum)
        count=$((count + 1))
        case $known in
        *"${sum:-nothing}"*) ;;
        *)
            torn=$((torn + 1))
            echo "$1: $sum: $(ls -lR "$1/m" 2>&1)" >> torn.log
            ;;
        esac
    done
}
declare -A consumers
consume_all() {
    local kind
    for kind in $kinds; do
        consume "$kind" &
        consumers[$kind]=$!
        pids+=("$!")
    done
}
consumed() { # what they saw
    local kind count torn
    for kind in $kinds; do
        kill -TERM "${consumers[$kind]}"
        wait "${consumers[$kind]}"
        forget "${consumers[$kind]}"
        read -r count torn < "consumed.$kind"
        echo "$kind: read $count times"
        [ "$count" -gt 50 ] || fail "$kind: the consumer read $count times only"
        same "$kind: what was not a whole version" 0 "$torn"
    done
}

step "a first install in each layout"
for kind in $kinds; do begin "$kind"; done
deploy m v1 --fleet f
within 40 "v1 is everywhere" campaign_is "$campaign" complete
all_active v1 || fail "v1 is not active everywhere: $(ls -lR versions flat triton)"
same "flat: a symlink" .kept/m/current "$(readlink flat/m)"
same "triton: numbers begin at 1" 1 "$(highest triton/m)"
echo 'name: "m"' > triton/m/config.pbtxt

step "to and fro 70 times in each, while consumers read; some agents are killed on the way"
consume_all
for ((round = 1; round <= 70; round++)); do
    version=v$((round % 3 + 1))
    deploy m $version --fleet f
    if [ $((round % 10)) = 0 ]; then
        for kind in $kinds; do
            sleep "0.$((RANDOM % 5))"
            kill_hard "${agents[$kind]}"
            begin "$kind"
        done
    fi
    within 40 "round $round: $version is everywhere" campaign_is "$campaign" complete || break
done
consumed
all_active $version || fail "$version is not active everywhere"
expect "config.pbtxt is left alone" test -f triton/m/config.pbtxt
two_numbers() { [ "$(find triton/m -mindepth 1 -maxdepth 1 -name '[0-9]*' | wc -l)" -le 2 ]; }
within 10 "old numbers go" two_numbers
number=$(highest triton/m)
[ "$number" -ge 30 ] || fail "numbers do not rise: $number"

step "what did not change is one file, and nobody may write to it"
names_are() { [ "$(stat -L -c %h "$2")" = "$1" ]; } # once old versions have gone
within 10 "versions: it has two names" names_are 2 versions/m/current/labels
within 10 "flat: it has two names" names_are 2 flat/m/labels
within 10 "triton: it has four names" names_are 4 "$(place triton)/labels" # two versions, each seen as a number
for kind in $kinds; do
    same "$kind: modes" 444 "$(find "$(place "$kind")/" -type f -printf '%m\n' | sort -u)"
done

step "a version that fails its check is gone back from"
for kind in $kinds; do
    deploy m bad --device "$kind"
    within 40 "$kind: it failed" in_campaign_is "$campaign" "$kind" failed
    active "$kind" $version || fail "$kind is not back: $(ls -lR "$kind/m")"
done
same "triton: its number is gone" "$number" "$(highest triton/m)"
deploy m v1 --fleet f
within 40 "v1 is everywhere" campaign_is "$campaign" complete
all_active v1 || fail "v1 is not active everywhere"
[ "$(highest triton/m)" -ge "$((number + 2))" ] || fail "the number of what failed was given again"

step "the doctor finds each well, and what is wrong with what consumers see"
for kind in $kinds; do
    stop "${agents[$kind]}"
    exits 0 "" oxide doctor agent --model-dir "$kind" --json
    same "$kind: findings" "[]" "$(field '[.findings[]? | select(.severity != "note") | .message] | tojson' < last.out)"
done
cp -a flat broken-flat && rm broken-flat/m
cp -a triton broken-triton && mkdir broken-triton/m/9999
for kind in flat triton; do
    oxide doctor agent --model-dir "broken-$kind" > found.txt 2>&1 && fail "$kind: nothing is found"
    holds "$kind: what is found" "$(cat found.txt)" "the agent switches it when it starts"
done

step "keep = 0 frees the old one, keep = 3 holds three"
for kind in $kinds; do begin "$kind" --keep 0; done
deploy m v2 --fleet f
within 40 "v2 is everywhere" campaign_is "$campaign" complete
kept() { # KIND: how many versions
    case $1 in
    versions) find versions/m/versions -mindepth 1 -maxdepth 1 | wc -l ;;
    *) find "$1/.kept/m/versions" -mindepth 1 -maxdepth 1 | wc -l ;;
    esac
}
keeps() { [ "$(kept "$1")" = "$2" ]; }
for kind in $kinds; do
    within 10 "$kind: one version" keeps "$kind" 1
    active "$kind" v2 || fail "$kind: v2 is not active"
    stop "${agents[$kind]}"
    begin "$kind" --keep 3
done
for version in v1 v3 v2; do
    deploy m $version --fleet f
    within 40 "$version is everywhere" campaign_is "$campaign" complete
done
for kind in $kinds; do
    within 10 "$kind: three versions" keeps "$kind" 3
    stop "${agents[$kind]}"
done

step "another layout: what is there moves"
for pair in versions:flat flat:triton triton:versions; do
    from=${pair%:*} to=${pair#*:}
    rm -rf moved
    cp -a "$from" moved
    [ "$from" != triton ] || rm moved/m/config.pbtxt
    same "registered" 201 "$(http_status /api/v1/devices -d "{\"id\": \"moved-$to\"}")"
    rm -rf "moved-$to"
    mv moved "moved-$to"
    rm "moved-$to/.oxide/identity.json"
    agent "moved-$to" --layout "$to"
    within 20 "it is $to" eval 'grep -q "layout is $to now" "moved-$to.log"'
    case $to in
    versions) seen=moved-$to/m/current ;;
    flat) seen=moved-$to/m ;;
    triton) seen=moved-$to/m/$(highest "moved-$to/m") ;;
    esac
    expect "$from to $to: the same version" diff -r "$seen/" v2
    stop "$agent_pid"
done

step "a first install that is reverted leaves nothing but what others put there"
for kind in $kinds; do
    rm -rf "new-$kind"
    same "registered" 201 "$(http_status /api/v1/devices -d "{\"id\": \"new-$kind\"}")"
    mkdir -p "new-$kind/m"
    [ $kind = triton ] && echo 'name: "m"' > "new-$kind/m/config.pbtxt" || rmdir "new-$kind/m"
    agent "new-$kind" --layout $kind
    deploy m v1 --device "new-$kind"
    within 30 "$kind: v1 is there" campaign_is "$campaign" complete
    exits 0 "" oxide campaign revert "$campaign" --json
    back=$(field .campaign_id < last.out)
    within 30 "$kind: it is back" campaign_is "$back" complete
    stop "$agent_pid"
    if [ $kind = triton ]; then
        same "triton: what is left" config.pbtxt "$(ls new-triton/m)"
    else
        [ ! -e "new-$kind/m" ] || fail "$kind: something is left: $(ls -lR "new-$kind")"
    fi
    [ ! -e "new-$kind/.kept" ] || fail "$kind: something is kept: $(ls -lR "new-$kind/.kept")"
done

step "a group that is none is said before anything is fetched"
agent new-flat --layout flat --group no-such-group
deploy m v2 --device new-flat
within 30 "it is refused" in_campaign_is "$campaign" new-flat failed
holds "why" "$(campaign_field "$campaign" '.devices[0].error')" "no-such-group"
stop "$agent_pid"
stop "$server_pid"
