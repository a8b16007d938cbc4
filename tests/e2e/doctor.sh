#!/usr/bin/env bash
# oxide doctor: what is damaged is named, beside a running server and agent and without them; what
# is safe is mended; hostile input gets an answer.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

small_models
serve --poll-interval 1
oxide push m v1 v1.onnx > /dev/null
oxide push m v2 v2-head.onnx > /dev/null
oxide fleet create f > /dev/null
oxide device register cam > /dev/null
oxide fleet add f cam > /dev/null
agent cam
deploy m v1 --fleet f
within 60 "v1" campaign_is "$campaign" complete
deploy m v2 --fleet f
within 60 "v2" campaign_is "$campaign" complete
within 60 "v2 is there" runs cam m v2-head.onnx

sql() { # DB STATEMENT...: by Python, whose SQLite every machine with these tests has
    python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1]); db.executescript(sys.argv[2]); db.commit()' "$@"
}
blob() { echo "blobs/${1:0:2}/${1:2}"; } # SHA256
flip() { # FILE OFFSET
    python3 -c 'import sys
f = open(sys.argv[1], "r+b"); f.seek(int(sys.argv[2])); b = f.read(1)[0]
f.seek(int(sys.argv[2])); f.write(bytes([b ^ 1]))' "$@"
}
in_json() { # WHERE WHAT
    jq -e --arg where "$1" --arg what "$2" \
        '.findings | any((.where | contains($where)) and (.what | contains($what)))' found.json > /dev/null
}
# finds STATUS WHERE WHAT OPTIONS...: doctor ends so, and names WHAT at WHERE, also in its JSON
finds() {
    local status=$1 where=$2 what=$3 got=0
    shift 3
    oxide doctor "$@" > found.txt 2> found.err || got=$?
    same "status of doctor $*" "$status" "$got"
    holds "doctor $*" "$(cat found.txt)" "$where: "
    holds "doctor $*" "$(cat found.txt)" "$what"
    got=0
    oxide doctor "$@" --json > found.json 2> found.err || got=$?
    case " $* " in *" --fix "*) return ;; esac # it is mended now
    same "status of doctor --json $*" "$status" "$got"
    in_json "$where" "$what" || fail "doctor $* --json: $where, $what"
    if grep -q 'Sanitizer\|runtime error' found.err; then fail "a sanitizer complains: $(cat found.err)"; fi
}
healthy() { # OPTIONS...: not a word but notes
    oxide doctor "$@" > found.txt 2> found.err || fail "doctor $*: $(cat found.txt found.err)"
    holds "doctor $*" "$(cat found.txt)" "healthy"
    if grep -q 'error: \|warning: ' found.txt; then fail "doctor $*: $(cat found.txt)"; fi
}
fresh() { rm -rf try && cp -a "$1" try && chmod -R u+w try; } # FOLDER: a copy to be damaged

step "healthy, beside a running server and agent"
for _ in 1 2 3; do healthy --data data; done
healthy server --data data --quick
holds "it says so" "$(cat found.txt)" "a control plane is running"
healthy --model-dir cam
holds "it says so" "$(cat found.txt)" "the agent is running"
same "its JSON" "server true true 0" \
    "$(oxide doctor --data data --json | field '"\(.kind) \(.healthy) \(.in_use) \(.counts.errors)"')"
exits 4 "a control plane runs on it: stop it first" oxide doctor --data data --fix
exits 4 "an agent runs on it: stop it first" oxide doctor --model-dir cam --fix

step "no false alarms while versions come and go and an agent switches"
(for i in $(seq 1 40); do
    oxide push n "v$i" v3-finetune.onnx
    oxide model remove n "v$i"
    oxide deploy m "v$((i % 2 + 1))" --fleet f
    sleep 0.1
done) > load.log 2>&1 &
load=$!
pids+=("$load")
for _ in $(seq 1 20); do
    healthy --data data
    healthy agent --model-dir cam
done
kill_hard "$load"
sleep 1
deploy m v1 --fleet f
within 60 "v1 again" campaign_is "$campaign" complete
deploy m v2 --fleet f
within 60 "v2 again" campaign_is "$campaign" complete
within 60 "v2 is there" runs cam m v2-head.onnx

step "healthy once they are stopped"
stop "$agent_pid"
stop "$server_pid"
healthy --data data
healthy --data data --fix
healthy agent --model-dir cam
healthy agent --model-dir cam --fix

step "the command line"
exits 2 "neither server nor agent" oxide doctor fleet
exits 2 "names the folder of agent" oxide doctor server --model-dir cam
exits 2 "names the folder of agent" oxide doctor --data data --model-dir cam server
exits 3 "nothing" oxide doctor --data nothing
exits 3 "no control plane has kept anything there" oxide doctor --data cam
exits 3 "no agent has kept anything there" oxide doctor --model-dir data

step "blobs"
one=$(digest v1.onnx) two=$(digest v2-head.onnx)
fresh data
flip "try/$(blob "$two")" 1000
finds 1 "$(blob "$two")" "m@v2: model.onnx: its bytes are damaged" --data try
healthy --data try --quick
truncate -s 999 "try/$(blob "$one")"
finds 1 "$(blob "$one")" "it has 999 bytes, not $(size v1.onnx)" --data try --quick
rm "try/$(blob "$two")"
finds 1 "$(blob "$two")" "m@v2: model.onnx: it is missing" --data try
exits 1 "try is not healthy: 2 errors, named above" oxide doctor --data try
oxide doctor --data try --fix > found.txt 2>&1
expect "what cannot be mended stays" test -e "try/$(blob "$one")"

fresh data
patch=$(python3 -c 'import sqlite3
print(sqlite3.connect("try/registry.db").execute(
    "SELECT patch_sha256 FROM delta_jobs WHERE state = ?", ("ready",)).fetchone()[0])')
flip "try/$(blob "$patch")" 50
finds 1 "$(blob "$patch")" "the patch from" --data try
finds 0 "$(blob "$patch")" "mended: " --data try --fix
expect "a damaged patch goes" test ! -e "try/$(blob "$patch")"
healthy --data try

step "orphans, temporaries, strays"
fresh data
orphan=$(echo orphan | sha256sum | cut -d ' ' -f 1)
mkdir -p "try/blobs/${orphan:0:2}"
echo orphan > "try/$(blob "$orphan")"
healthy --data try
holds "a young one" "$(cat found.txt)" "younger than an hour"
oxide doctor --data try --fix > found.txt
expect "a young one stays" test -e "try/$(blob "$orphan")"
touch -d '2 hours ago' "try/$(blob "$orphan")"
finds 0 "$(blob "$orphan")" "nothing names it" --data try
echo x > try/tmp/blob.abcdef
echo x > "try/uploads/$orphan.part"
touch -d '2 days ago' "try/uploads/$orphan.part"
echo x > try/registry.db.restoring
echo x > try/blobs/note.txt
finds 0 tmp/blob.abcdef "cut short" --data try
finds 0 "uploads/$orphan.part" "broke off" --data try
finds 0 blobs/note.txt "it is no folder" --data try
finds 0 "$(blob "$orphan")" "mended: " --data try --fix
same "what goes" "" "$(ls "try/$(blob "$orphan")" try/tmp try/uploads try/registry.db.restoring 2> /dev/null | grep -v ':$' | grep .)"
expect "what is not ours stays" test -e try/blobs/note.txt
expect "what is needed stays" test -e "try/$(blob "$one")"

step "the registry"
fresh data
sql try/registry.db "UPDATE campaign_tallies SET devices = devices + 3; UPDATE delta_jobs SET state = 'running' WHERE state = 'useless'"
finds 1 "campaign $campaign" "its tally says 4 devices are complete, there are 1" --data try
finds 0 "campaign $campaign" "mended: " --data try --fix
healthy --data try
sql try/registry.db "DELETE FROM artifact_files"
finds 1 "artifact m@v1" "it has no files" --data try
find try/blobs -type f -exec touch -d '2 hours ago' {} +
finds 1 "$(blob "$one")" "nothing names it" --data try --fix
expect "no blob goes by the word of such a registry" test -e "try/$(blob "$one")"
fresh data
sql try/registry.db "PRAGMA foreign_keys = OFF; DELETE FROM devices WHERE id = 'cam'"
finds 1 "table fleet_devices, row 1" "devices that does not exist" --data try
fresh data
sql try/registry.db "PRAGMA user_version = 999"
finds 1 registry.db "its schema is number 999" --data try --fix
fresh data
rm try/registry.db*
finds 1 registry.db "it is missing" --data try --fix
expect "nothing is removed without a registry" test -e "try/$(blob "$one")"
head -c 20000 /dev/urandom > try/registry.db
finds 1 registry.db "the database is damaged" --data try --fix
: > try/registry.db
finds 1 registry.db "no registry of oxide" --data try --fix
rm try/registry.db && mkfifo try/registry.db
finds 1 registry.db "is no file" --data try
fresh data
pages=$(($(size try/registry.db) / 4096))
for ((page = 1; page < pages; page += 9)); do
    cp data/registry.db try/registry.db
    dd if=/dev/urandom of=try/registry.db bs=4096 seek="$page" count=1 conv=notrunc 2> /dev/null
    oxide doctor --data try > found.txt 2> found.err
    case $? in 0 | 1) ;; *) fail "page $page: $(cat found.err)" ;; esac
done

step "hostile folders"
fresh data
long=$(printf 'x%.0s' $(seq 1 250))
touch "try/blobs/$long" "try/tmp/$long" "try/$long" "try/blobs/${one:0:2}/$(printf '\033[31m\377')"
mkdir -p "try/blobs/ab" && ln -s ../ab "try/blobs/ab/loop" && ln -sfn cc try/blobs/cc
ln -s nowhere "try/blobs/ab/$(printf 'a%.0s' $(seq 1 62))"
finds 0 "blobs/$long" "it is no folder" --data try
holds "a loop" "$(cat found.txt)" "a symlink that leads nowhere"
rm "try/$(blob "$one")" && ln -s "${one:2}" "try/$(blob "$one")"
finds 1 "$(blob "$one")" "it cannot be read" --data try
rm "try/$(blob "$one")" && mkdir "try/$(blob "$one")"
finds 1 "$(blob "$one")" "it cannot be read" --data try --fix
if [ "$(id -u)" -ne 0 ]; then
    fresh data
    chmod 0 "try/blobs/${one:0:2}" try/uploads
    finds 1 uploads "it cannot be read" --data try
    chmod 700 "try/blobs/${one:0:2}" try/uploads
    chmod 0 try/registry.db
    finds 1 registry.db "owner and mode" --data try
    chmod 0 try
    exits 8 "reading folder try" oxide doctor --data try
    chmod 700 try
fi

step "the agent's models"
fresh cam
current=try/m/current/model.onnx
truncate -s -1 "$(readlink -f $current)"
finds 1 m/versions/v2/model.onnx "m@v2, the current version: the file has" --model-dir try --quick
fresh cam
flip "$(readlink -f try/m/current/model.onnx)" 500
finds 1 m/versions/v2/model.onnx "it hashes to something else" agent --model-dir try
healthy --model-dir try --quick
rm "$(readlink -f $current)"
finds 1 m/versions/v2/model.onnx "the file is missing" --model-dir try --fix
rm -rf try/m/versions/v2
finds 1 m/versions/v2 "its folder is missing" --model-dir try
rm -rf try/m/versions
ln -s versions try/m/versions
finds 1 m/versions "v2" --model-dir try
fresh cam
rm -rf try/m/versions/v1
finds 0 m/versions/v1 "the previous version: its folder is missing" --model-dir try
fresh cam
ln -sfn versions/v1 try/m/current
finds 1 m/current "it leads to v1, the state says v2" --model-dir try
ln -sfn /etc try/m/current
finds 1 m/current "does not name a version" --model-dir try

step "the agent's memory, and what it leaves"
fresh cam
mkdir -p try/.oxide/staging try/m/versions/v0 try/other/versions
echo x > try/.oxide/staging/x
echo x > "try/.oxide/download/$one.part"
echo x > try/.oxide/state.json.tmp-a1b2c3
echo x > try/.oxide/state.json.bad-17
finds 0 .oxide/staging "put together" --model-dir try
finds 0 m/versions/v0 "neither the current one nor kept beside it" --model-dir try
finds 0 other "the state does not know" --model-dir try
finds 0 m/versions/v0 "mended: " --model-dir try --fix
same "what goes" "" "$(ls -d try/.oxide/staging try/m/versions/v0 try/.oxide/download/* try/.oxide/state.json.tmp-* 2> /dev/null)"
expect "what others put there stays" test -d try/other -a -e try/.oxide/state.json.bad-17
expect "the model stays" cmp -s try/m/current/model.onnx v2-head.onnx
echo garbage > try/.oxide/state.json
finds 1 .oxide/state.json "is damaged" --model-dir try --fix
expect "nothing goes without a state" test -e try/m/versions/v1
rm try/.oxide/state.json
finds 0 .oxide/state.json "it is missing" --model-dir try --fix
cp cam/.oxide/state.json try/.oxide/
head -c 3000 /dev/urandom > try/.oxide/journal.json
finds 1 .oxide/journal.json "is damaged" --model-dir try
rm try/.oxide/journal.json
echo '{"format":99}' > try/.oxide/identity.json
finds 1 .oxide/identity.json "format 99" --model-dir try
