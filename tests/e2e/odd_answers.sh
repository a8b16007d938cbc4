#!/usr/bin/env bash
# Odd servers, caches and networks: between each agent and the control plane stands a proxy that
# distorts answers, to downloads of files and of patches and to heartbeats. Whatever it does, a device
# has the old model or the new one, bit for bit, and asks no more than so often; docs/agent.md, "Odd
# answers", says what is made of each.
. "$(dirname "$0")/lib.sh"
serve --poll-interval 1
"$OXIDE_TOOLS/make_model" random 300000 v1 > /dev/null || die "make_model"
make_model random 300000 v3 --seed 3 > /dev/null
make_model random 30000 piece --seed 5 > /dev/null
cp v1 v2 && dd if=piece of=v2 bs=1000 seek=100 conv=notrunc status=none
full=$(digest v3)

# NAME FLEET END MOST-REQUESTS MOST-KB WORDS: what becomes of the device, what its log says; then its
# rules (odd_proxy --help), where F is the full file's address, P the patch's and H the heartbeat's.
#   new    it runs the new version; new-patch: by the patch; new-full: by the full file, for the patch failed
#   CLASS  it has failed with this class, and runs the old version
#   waits  it is not done, and runs the old version
rows() {
    sed '/^$/d' << 'END'
whole            full new 3 700 -|F 1 1 cut 100000|F 2 1 whole
range-other      full new 4 700 the-answer-is-for|F 1 1 cut 100000|F 2 9 range-other
range-none       full new 4 700 the-answer-is-for|F 1 1 cut 100000|F 2 9 range-none
range-416        full new 3 420 asking-for-all|F 1 1 cut 100000|F 2 1 status 416
tag-other        full new 4 700 a-part-of-other-bytes|F 1 1 cut 100000|F 2 9 tag "other"
tag-weak         full new 2 320 -|F 1 1 cut 100000|F 2 9 tag-weak
tag-other-whole  full new 2 420 -|F 1 1 cut 100000|F 2 9 tag-other-whole "other"
cut              full new 3 320 of-300000-bytes|F 1 2 cut 100000
no-length-cut    full new 2 320 of-300000-bytes|F 1 1 cut-without-length 100000
no-length        full new 1 320 -|F 1 1 without-length
endless          full download 2 9000 more-than-the-300000-bytes|F 1 9 endless
shorter          full download 2 500 the-answer-has-200000|F 1 9 length 200000
longer           full download 2 5000 the-answer-has-400000|F 1 9 length 400000
chunks           full new 1 320 -|F 1 1 chunks
chunks-broken    full new 3 320 -|F 1 1 chunks-broken
chunks-no-end    full new 3 320 -|F 1 1 chunks-without-end
trailers         full new 2 9000 headers-pass|F 1 9 endless-trailers
identity         full new 1 320 -|F 1 9 encoded identity
gzip             full download 2 5000 coded-as|F 1 9 encoded gzip
wrong-byte       full download 1 320 not-those-of-the-digest|F 1 9 wrong-byte 5000
portal-once      full new 2 320 the-answer-has|F 1 1 page
portal           full download 2 10 the-answer-has|F 1 9 page
portal-chunks    full new 3 620 -|F 1 1 page-chunks
401              full download 2 10 answers-401|F 1 9 status 401
404              full download 1 10 answers-404:-not-now|F 1 9 status 404
410              full download 1 10 answers-410|F 1 9 status 410
429              full new 2 320 answers-429|F 1 1 status 429 3
429-for-long     full waits 1 10 was-interrupted|F 1 99 status 429 99999999999999999999
500              full new 3 320 answers-500|F 1 2 status 500
503-date         full new 2 320 answers-503|F 1 1 status 503 Fri, 01 Jan 2027 00:00:03 GMT
503-odd          full new 2 320 answers-503|F 1 1 status 503 soon
503-for-ever     full waits 40 40 answers-503|F 1 999 status 503
no-words-end     full download 1 9000 answers-404|F 1 9 endless-refusal 404
no-words-end-503 full new 2 9000 answers-503|F 1 1 endless-refusal 503
garbage-once     full new 2 320 -|F 1 1 garbage
garbage          full download 2 10 the-control-plane|F 1 9 garbage
http09           full download 2 700 HTTP/0.9|F 1 9 http09
tls              full download 2 10 the-control-plane|F 1 9 tls
nothing          full new 2 320 Empty-reply|F 1 1 nothing
reset            full new 2 320 -|F 1 1 reset
headers          full download 2 9000 headers-pass|F 1 9 endless-headers
long-header      full download 2 9000 -|F 1 9 long-header
interim          full download 2 9000 headers-pass|F 1 9 endless-interim
loop             full download 12 20 redirects|F 1 99 elsewhere
to-a-file        full download 2 10 file|F 1 99 elsewhere file:///etc/passwd
to-nowhere       full waits 40 40 -|F 1 999 elsewhere http://127.0.0.1:1/
stall            full new 2 320 Operation-too-slow|F 1 1 stall 100000
stall-at-once    full new 2 320 Operation-too-slow|F 1 1 stall-at-once

patch-cut        patch new-patch 3 50 -|P 1 2 cut 9000
patch-whole      patch new-patch 3 90 -|P 1 1 cut 9000|P 2 1 whole
patch-503        patch new-patch 2 50 answers-503|P 1 1 status 503 1
patch-404        patch new-full 2 350 the-patch-does-not-do|P 1 9 status 404
patch-gzip       patch new-full 3 450 the-patch-does-not-do|P 1 9 encoded gzip
patch-garbage    patch new-full 3 350 the-patch-does-not-do|P 1 9 garbage
patch-endless    patch new-full 3 9000 the-patch-does-not-do|P 1 9 endless
patch-wrong-byte patch new-full 3 450 the-patch-does-not-do|P 1 9 wrong-byte 20000
patch-portal     patch new-full 3 450 the-patch-does-not-do|P 1 9 page-chunks
only-404         only fallback 2 10 answers-404|P 1 9 status 404
only-wrong-byte  only fallback 3 450 -|P 1 9 wrong-byte 20000

beat-garbage     beat new - - -|H 1 2 garbage
beat-page        beat new - - answer-to-a-heartbeat|H 1 2 page
beat-empty       beat new - - neither|H 1 2 text {}
beat-list        beat new - - answer-to-a-heartbeat|H 1 2 text []
beat-types       beat new - - assignments|H 1 2 text {"assignments":{"a":1},"reports_ack":"x"}
beat-no-object   beat new - - assignments|H 1 2 text {"assignments":[7]}
beat-no-digest   beat new - - digest|H 1 2 text {"assignments":[{"model_id":"m","model_version":"v3"}]}
beat-bad-name    beat new - - model_id|H 1 2 text {"assignments":[{"model_id":"../m","model_version":"v3"}]}
beat-deep        beat new - - -|H 1 2 text {"a":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
beat-unknown     beat new - - -|H 1 99 words "status":"ok" "status":"fine","colour":[1,{"a":2}]
beat-interval    beat new - - -|H 1 3 words "poll_interval_s":1 "poll_interval_s":99999999
beat-interval-0  beat new - - poll_interval_s|H 1 2 words "poll_interval_s":1 "poll_interval_s":-1
beat-time        beat new - - -|H 1 99 words "time":1 "time":9991
beat-ack         beat new - - -|H 1 99 words "reports_ack": "reports_ack":900000000000000
beat-cut         beat new - - -|H 1 2 cut 5
beat-lossy       beat new - - Empty-reply|H 1 1 nothing|H 3 2 nothing|H 6 1 cut 5|H 8 2 nothing
beat-nothing     beat new - - Empty-reply|H 1 2 nothing
beat-endless     beat new - - passes|H 1 1 endless-words
beat-401         beat new - - answers-401|H 1 2 status 401
beat-404         beat new - - is-not-registered|H 1 2 status 404
beat-410         beat new - - answers-410|H 1 2 status 410
beat-429         beat new - - answers-429|H 1 1 status 429 3
beat-429-date    beat new - - answers-429|H 1 1 status 429 Fri, 01 Jan 2027 00:00:03 GMT
beat-503-long    beat waits - - next-try-in-[34]...-s|H 1 99 status 503 99999999999999999999
beat-500         beat new - - answers-500|H 1 2 status 500
beat-refusal     beat new - - answers-500|H 1 1 endless-refusal 500
beat-gzip        beat new - - -|H 1 2 encoded gzip
beat-moved       beat new - - has-moved-to|H 1 2 elsewhere
beat-http09      beat new - - HTTP/0.9|H 1 2 http09
beat-tls         beat new - - -|H 1 2 tls
beat-headers     beat new - - headers-pass|H 1 1 endless-headers
beat-interim     beat new - - headers-pass|H 1 1 endless-interim
END
}

step "a card with v1 is copied to each of them"
exits 0 "" oxide push m v1 v1
exits 0 "" oxide device register seed
deploy m v1 --device seed
agent seed
within 30 "seed runs v1" runs seed m v1
within 30 "the server knows" campaign_is "$campaign" complete
stop "$agent_pid"
for fleet in full patch only beat; do exits 0 "" oxide fleet create $fleet; done
declare -A fleet_of end_of most_of kb_of words_of rules_of
names=()
while IFS='|' read -r row rules; do
    read -r name fleet end most kb words <<< "$row"
    names+=("$name")
    fleet_of[$name]=$fleet end_of[$name]=$end most_of[$name]=$most kb_of[$name]=$kb
    words_of[$name]=${words//-/ } rules_of[$name]=$rules
done < <(rows)
for name in "${names[@]}"; do
    { oxide device register "$name" && oxide fleet add "${fleet_of[$name]}" "$name"; } > /dev/null || die "register $name"
    cp -r seed "$name" && rm -f "$name"/.oxide/identity.json "$name"/.oxide/agent.sock
    : > "$name.rules"
    start "$name.proxy" "$OXIDE_TOOLS/odd_proxy" "$port" "$name.rules"
done
born=$SECONDS
for name in "${names[@]}"; do
    within 20 "the proxy of $name" grep -q '^listening on ' "$name.proxy"
    start "$name.log" "$OXIDE_AGENT_BIN" agent --control-plane "$(sed -n 's/^listening on //p' "$name.proxy")" \
        --device-id "$name" --poll-interval 1 --stall-timeout 3 --model-dir "$name"
done
all_know_v1() {
    [ "$(get '/api/v1/devices?limit=200' | jq '[.[] | select(.current_model_version == "v1")] | length')" -gt "${#names[@]}" ]
}
within 120 "all of them run v1" all_know_v1

step "v2 by patch, v3 by the full file, through the proxies"
exits 0 "" oxide push m v2 v2
exits 0 "" oxide push m v3 v3
within 60 "the patch is made" eval 'oxide job list --json | jq -e ".jobs[] | select(.base_version == \"v1\" and .target_version == \"v2\" and .state == \"ready\")"'
patch=$(oxide job list --json | field '.jobs[] | select(.base_version == "v1" and .target_version == "v2") | .patch')
put_rules() { # NAME
    sed -e 's/|/\n/g' <<< "${rules_of[$1]}" | sed -e "s|^F |/blobs/$full |" -e "s|^P |/blobs/$patch |" \
        -e 's|^H |/heartbeat |' > "$1.new"
    mv "$1.new" "$1.rules"
}
for name in "${names[@]}"; do put_rules "$name"; done
begun=$SECONDS
declare -A campaign_of
deploy m v3 --fleet full && campaign_of[full]=$campaign
deploy m v3 --fleet beat && campaign_of[beat]=$campaign
deploy m v2 --fleet patch --fallback always && campaign_of[patch]=$campaign
deploy m v2 --fleet only --fallback never && campaign_of[only]=$campaign

# as_told: which devices are not yet where they are to end? Of those that wait nothing is expected.
states() { get "/api/v1/campaigns/$1" | jq -r '.devices[] | "\(.device_id) \(.state) \(.strategy) \(.class)"'; }
as_told() {
    local fleet device state strategy code end
    for fleet in full patch only beat; do states "${campaign_of[$fleet]}"; done > states.now
    left=
    while read -r device state strategy code; do
        end=${end_of[$device]}
        case "$end $state $strategy $code" in
        waits*) ;;
        "new complete "*) ;;
        "new-patch complete delta null") ;;
        "new-full complete full fallback") ;;
        "$end failed "*" $end") ;;
        *) left+=" $device($state $strategy $code)" ;;
        esac
    done < states.now
    [ -z "$left" ] && [ "$(wc -l < states.now)" -eq "${#names[@]}" ]
}
limit=150
[ -z "${OXIDE_EMULATED-}" ] || limit=400 # ninety emulators at once
within $limit "all have ended" as_told || echo "not as told:$left"
echo "it took $((SECONDS - begun)) s"

step "each runs the old version or the new one, and has asked no more than so often"
for name in "${names[@]}"; do
    case "${fleet_of[$name]} ${end_of[$name]}" in
    full*new | beat*new) want=v3 ;;
    patch*new*) want=v2 ;;
    *) want=v1 ;;
    esac
    runs "$name" m $want || fail "$name does not run $want"
    read -r asked sent < <(awk '$2 ~ "/blobs/" { n++; b += $5 } END { print n + 0, int(b / 1000) }' "$name.proxy")
    case ${most_of[$name]} in
    -) ;;
    *)
        [ "$asked" -le "${most_of[$name]}" ] || fail "$name asked $asked times"
        [ "$sent" -le "${kb_of[$name]}" ] || fail "$name was sent $sent kB"
        ;;
    esac
    words=${words_of[$name]}
    [ "$words" = " " ] || grep -q -- "${words// /.}" "$name.log" || fail "$name does not say '$words'"
    awk '$1 ~ "^(GET|POST)$" && $4 != "as-it-is" { n++ } END { exit n == 0 }' "$name.proxy" ||
        fail "no answer to $name was odd"
    [ "$(grep -c '/heartbeat' "$name.proxy")" -le $((3 * (SECONDS - born) + 3)) ] ||
        fail "$name sent $(grep -c '/heartbeat' "$name.proxy") heartbeats"
    if grep -q 'Sanitizer\|runtime error' "$name.log"; then fail "$name: a sanitizer complains"; fi
done

step "Retry-After is obeyed, of seconds and of dates"
gap() { # NAME PATH: milliseconds between its first two requests for PATH that the rule met and next
    awk -v path="$2" 'index($2, path) { if (odd && !done) { print $6 - odd; done = 1 } if ($4 == "status") odd = $6 }' "$1.proxy"
}
for name in 429 503-date; do
    [ "$(gap $name "/blobs/")" -ge 3000 ] || fail "$name came back after $(gap $name /blobs/) ms"
done
for name in beat-429 beat-429-date; do
    [ "$(gap $name /heartbeat)" -ge 3000 ] || fail "$name came back after $(gap $name /heartbeat) ms"
done

step "heartbeats go on while a download stands still"
during=$(awk '$4 == "stall" { end = $6 } $2 ~ "/heartbeat" { beat[++n] = $6 }
    END { for (i = 1; i <= n; i++) c += beat[i] < end && beat[i] > end - 3000; print c + 0 }' stall.proxy)
[ "$during" -ge 1 ] || fail "no heartbeat in the 3 s"

step "what was reported twice, since the answer was lost, counts once, and in order"
for name in beat-lossy beat-cut beat-nothing patch-cut; do
    told=$(get "/api/v1/events?format=json&limit=1000&after=0&device=$name" |
        jq -r '.events[] | select(.kind == "campaign.device_moved") | .data.to' | paste -sd ' ')
    [[ $told == *complete ]] || fail "$name told: $told"
    same "states of $name, each once" "$(tr ' ' '\n' <<< "$told" | sort -u | wc -l)" "$(wc -w <<< "$told")"
    within 10 "no report of $name waits" jq -e '.reports // [] | length == 0' "$name/.oxide/state.json"
done

step "nothing of it is quarantined by what the network did"
for name in "${names[@]}"; do
    case $name in
    wrong-byte | only-wrong-byte) continue ;;
    esac
    same "failures of $name that count" 0 "$(jq '.poison | length' "$name/.oxide/state.json")"
done
same "what came whole and wrong counts" 1 "$(jq '.poison[0].failures' wrong-byte/.oxide/state.json)"
