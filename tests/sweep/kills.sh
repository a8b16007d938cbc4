#!/usr/bin/env bash
# Kill one of two agents, or their server, with SIGKILL at random moments while updates go round: always
# old or new, bit for bit; each update ends at new; no litter; no report lost or told twice.
usage() {
    cat << 'END'
usage: tests/sweep/kills.sh [--kills N] [--seed N] [--every N] [--oxide PATH] [--keep DIR]

  --kills N      how many, of agents and server together                [1000]
  --seed N       of the moments and of who is killed; it is printed     [drawn]
  --every N      after so many kills all comes to rest and is examined  [50]
  --oxide PATH   the executable, make_model and make_pair beside it     [$OXIDE_BIN, $OXIDE_TOOLS]
  --keep DIR     copy there what was wrong, as it was then              [keep nothing]

One agent is given patches, the other full files: its versions have nothing in common. Beside each runs
one that is given the same and never killed, so that what lies in their folders can be compared. Prints
tables in Markdown; exits 1 if anything was wrong.
END
}
kills=1000 seed=$RANDOM every=50 keep=
while [ $# -gt 0 ]; do
    case $1 in
    --kills) kills=$2 && shift ;;
    --seed) seed=$2 && shift ;;
    --every) every=$2 && shift ;;
    --oxide) OXIDE_BIN=$(realpath "$2") && OXIDE_TOOLS=${OXIDE_BIN%/*} && shift ;;
    --keep) keep=$(realpath -m "$2") && shift ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done
. "$(dirname "$0")/../e2e/lib.sh"
exec 2> >(grep -v ' Killed  ' >&2) # what the shell says of each kill

most_ms=1200  # from one kill to the next
rate=2M       # what an update brings, some 2 MB, takes a second
patience_s=300
lanes="patch full" # a model, and the device that is killed while it is given that
declare -A content pid campaigns before old new began installed
declare -A killed by_patch in_full wrongs litters stages
for lane in $lanes; do
    before[$lane]='' old[$lane]='' new[$lane]='' campaigns[$lane]='' installed[$lane]=
    killed[$lane]=0 by_patch[$lane]=0 in_full[$lane]=0 wrongs[$lane]=0 litters[$lane]=0
done
killed[server]=0 wrongs[server]=0 litters[server]=0

copies=0
keep_copy() { # WHO
    [ -n "$keep" ] || return 0
    copies=$((copies + 1))
    mkdir -p "$keep/$copies" && cp -a "$1"* data ./*.log "$keep/$copies" 2> /dev/null
}
wrong() { # WHO WHAT
    fail "$1, after ${killed[patch]}, ${killed[full]} and ${killed[server]} kills: $2"
    wrongs[$1]=$((wrongs[$1] + 1))
    keep_copy "$1"
}
litter() { # WHO WHAT
    fail "$1, after ${killed[patch]}, ${killed[full]} and ${killed[server]} kills: $2"
    litters[$1]=$((litters[$1] + 1))
    keep_copy "$1"
}

# --- what runs ---

run_agent() { # LANE
    agent "$1" --rate-limit $rate
    pid[$1]=$agent_pid
}
set_up() {
    local lane device i=0 case
    "$OXIDE_TOOLS/make_pair" synthetic . 4 f32 base,n3,n2,rows > /dev/null || die "make_pair"
    for case in base n3 n2 rows; do
        i=$((i + 1))
        make_model random 2000000 random-$i --seed $i > /dev/null || die "make_model"
        content[patch/v$i]=f32-$case.safetensors
        content[full/v$i]=random-$i
    done
    serve --poll-interval 1
    for lane in $lanes; do
        for i in 1 2 3 4; do
            oxide push "$lane" v$i "${content[$lane/v$i]}" > /dev/null 2>&1 || die "push $lane"
        done
        for device in "$lane" "$lane-calm"; do
            oxide device register "$device" > /dev/null || die "register $device"
        done
        run_agent "$lane"
        agent "$lane-calm"
    done
    start follow.log bash -c 'exec "$0" events --follow --after 0 --json > followed' "$OXIDE_BIN"
}

# --- an update ---

# A version that the device does not have any more, so that it has to come.
begin_update() { # LANE
    local versions=() version
    for version in v1 v2 v3 v4; do
        [ "$version" = "${before[$1]}" ] || [ "$version" = "${new[$1]}" ] || versions+=("$version")
    done
    before[$1]=${new[$1]}
    old[$1]=${new[$1]}
    new[$1]=${versions[RANDOM % ${#versions[@]}]}
    began[$1]=$SECONDS
    deploy "$1" "${new[$1]}" --device "$1" --device "$1-calm" --rollout all_at_once --gate none
    campaigns[$1]=$campaign
}
# Has it ended? Then it is looked at.
ended() { # LANE
    local ends
    [ -n "${campaigns[$1]}" ] || return 0
    if ! campaign_is "${campaigns[$1]}" complete; then
        [ $((SECONDS - began[$1])) -lt $patience_s ] && return 1
        wrong "$1" "campaign ${campaigns[$1]} does not end: $(get "/api/v1/campaigns/${campaigns[$1]}")"
        exit
    fi
    leads_to "$1" current "${new[$1]}" || wrong "$1" "complete, and not at ${new[$1]}: $(ls -l "$1/$1")"
    ends=$(campaign_field "${campaigns[$1]}" '.devices | sort_by(.device_id)[] | "\(.state) \(.strategy) \(.error)"' | tr '\n' ',')
    case $ends in
    'complete delta null,complete delta null,') by_patch[$1]=$((by_patch[$1] + 1)) ;;
    'complete full null,complete full null,') in_full[$1]=$((in_full[$1] + 1)) ;;
    *) wrong "$1" "campaign ${campaigns[$1]} ended as $ends" ;;
    esac
    [ "$1" = full ] || [[ $ends = *delta* ]] || [ -z "${old[$1]}" ] || wrong "$1" "no patch was given from ${old[$1]} to ${new[$1]}"
    campaigns[$1]=''
}

# --- a kill, and what is there then ---

leads_to() { # LANE LINK VERSION: to that version, bit for bit, and to nothing beside it
    local files=("$1/$1/$2"/*)
    [ -L "$1/$1/$2" ] && [ ${#files[@]} -eq 1 ] && cmp -s "${files[0]}" "${content[$1/$3]}"
}
look() { # LANE
    local version
    if leads_to "$1" current "${new[$1]}"; then
        installed[$1]=yes
    elif [ -n "${old[$1]}" ]; then
        leads_to "$1" current "${old[$1]}" ||
            wrong "$1" "neither ${old[$1]} nor ${new[$1]}: $(ls -lR "$1/$1")"
    elif [ -n "${installed[$1]}" ] || [ -e "$1/$1/current" ] || [ -L "$1/$1/current" ]; then
        wrong "$1" "neither nothing nor ${new[$1]}: $(ls -lR "$1/$1")"
    fi
    [ -L "$1/$1/previous" ] || return 0
    for version in v1 v2 v3 v4; do
        ! leads_to "$1" previous $version || return 0
    done
    wrong "$1" "previous is none of them: $(ls -lR "$1/$1")"
}
stage_of() { # LANE: what its journal says
    sed -n 's/.*"stage":"\([a-z]*\)".*/\1/p' "$1/.oxide/journal.json" 2> /dev/null
}
kill_agent() { # LANE
    local stage
    kill -0 "${pid[$1]}" 2> /dev/null || wrong "$1" "the agent ended by itself: $(tail -n 3 "$1.log")"
    kill_hard "${pid[$1]}"
    stage=$(stage_of "$1")
    stages[$1/${stage:-none}]=$((${stages[$1/${stage:-none}]:-0} + 1))
    look "$1"
    run_agent "$1"
}
kill_server() {
    local stage
    kill -0 "$server_pid" 2> /dev/null || wrong server "it ended by itself: $(tail -n 3 serve.log)"
    stage="$(stage_of patch) $(stage_of full)"
    kill_hard "$server_pid"
    stage=$([[ $stage = *download* ]] && echo download)
    stages[server/${stage:-none}]=$((${stages[server/${stage:-none}]:-0} + 1))
    serve --poll-interval 1
}

# --- at rest ---

listing() { # DEVICE: all that lies in its folder; of the agent's own files not the size
    find "$1" \( -type d -o -path '*/.oxide/*' \) -printf '%P %y %m %n\n' -o -printf '%P %y %m %n %s %l\n' | sort
    jq -S '.models, .poison' "$1/.oxide/state.json"
}
is_like_calm() { [ "$(listing "$1")" = "$(listing "$1-calm")" ]; } # LANE
at_ease() { # LANE
    oxide agent status --model-dir "$1" --json |
        jq -e '.update == null and .reports_queued == 0 and .last_result.result == "complete"' > /dev/null
}
finds_nothing() { # WHO COMMAND...
    local who=$1 found
    shift
    found=$("$@" --json 2> doctor.err | jq -c '[.healthy, .in_use, .findings]')
    [ "$found" = '[true,false,[]]' ] || litter "$who" "oxide doctor: $found $(cat doctor.err)"
}
examine() {
    local lane i counted
    for lane in $lanes; do
        until ended "$lane"; do sleep 0.1; done
    done
    for lane in $lanes; do
        # a version goes a second after the switch
        for ((i = 0; i < 300; i++)); do
            is_like_calm "$lane" && at_ease "$lane" && break
            sleep 0.1
        done
        is_like_calm "$lane" || litter "$lane" "what lies there, and beside it where nothing was killed: $(diff <(listing "$lane") <(listing "$lane-calm"))"
        at_ease "$lane" || wrong "$lane" "not at ease: $(oxide agent status --model-dir "$lane" --json)"
        counted=$(oxide agent status --model-dir "$lane" --json | field '.failures | length')
        [ "$counted" = 0 ] || wrong "$lane" "failures are counted: $(oxide agent status --model-dir "$lane")"
        stop "${pid[$lane]}"
        finds_nothing "$lane" oxide doctor agent --model-dir "$lane"
    done
    stop "$server_pid"
    finds_nothing server oxide doctor server --data data
}

# --- what the control plane remembers ---

# Lines about what cannot be in a log of events, given how many campaigns there were.
# shellcheck disable=SC2016
judge='
    def times($what): if length == 1 then empty else "\($what) \(length) times" end;
    . as $all
    | (range(1; length) | select($all[.].id <= $all[. - 1].id) | "event \($all[.].id) comes after \($all[. - 1].id)"),
      ([.[] | select(.campaign_id != null)] | group_by(.campaign_id)
       | (if length == $campaigns then empty else "\(length) campaigns, \($campaigns) were made" end),
         (.[] | .[0].campaign_id as $id
          | ([.[] | select(.kind == "campaign.created")] | times("\($id) created")),
            ([.[] | select(.kind == "campaign.completed")] | times("\($id) completed")),
            (if .[-1].kind == "campaign.completed" then empty else "\($id) ends with \(.[-1].kind)" end),
            ([.[] | select(.kind == "campaign.device_moved")] | group_by(.device_id)
             | (if length == 2 then empty else "\($id): \(length) devices" end),
               (.[] | . as $moves | "\($id) \(.[0].device_id)" as $who
                | ([.[] | select(.data.to == "complete")] | times("\($who) complete")),
                  (if .[-1].data.to == "complete" then empty else "\($who) ends \(.[-1].data.to)" end),
                  (.[] | select(.data.to == "failed") | "\($who) failed: \(.data.error)"),
                  (range(length) | $moves[.].data.from as $from
                   | select($from == $moves[.].data.to or $from != (if . == 0 then "pending" else $moves[. - 1].data.to end))
                   | "\($who) moves from \($from) to \($moves[.].data.to), out of turn")))))'
judge_events() {
    local found
    oxide events --after 0 --json > all.events || die "oxide events"
    found=$(jq -rs --argjson campaigns "$updates" "$judge" all.events) || die "jq"
    [ -z "$found" ] || wrong server "events: $found"
    found=$(oxide campaign list --json | jq -c '[.campaigns[] | select(.state == "complete" and .total == 2 and .complete == 2)] | length')
    [ "$found" = "$updates" ] || wrong server "of $updates campaigns $found are complete"
    within 60 "who follows has all events" cmp -s all.events followed ||
        wrong server "who follows the events saw others: $(diff all.events followed | head)"
}

# --- all of it ---

row() { # WHAT LANES KILLS-OF-SERVER TIME
    local lane agent=0 patch=0 full=0 bad=0 lying=0
    for lane in $2; do
        agent=$((agent + killed[$lane])) patch=$((patch + by_patch[$lane])) full=$((full + in_full[$lane]))
        bad=$((bad + wrongs[$lane])) lying=$((lying + litters[$lane]))
    done
    [ "$3" = – ] || bad=$((bad + wrongs[server])) lying=$((lying + litters[server]))
    printf '| %s | %s | %s | %s / %s | %s | %s | %s |\n' "$1" $agent "$3" $patch $full $bad $lying "$4"
}
tables() {
    local lane stage words="none preflight download rebuild verify stage activate check commit"
    printf '\n| what | kills of agent | kills of server | updates completed by patch / in full | wrong | litter | time |\n'
    printf '|---|---|---|---|---|---|---|\n'
    row "given patches" patch – –
    row "given full files" full – –
    row "together" "$lanes" "${killed[server]}" "$((SECONDS / 60)) min $((SECONDS % 60)) s"
    printf '\nIn which stage, by the journal, the kill came (of the server: a download was under way, or none):\n\n'
    printf '| killed | %s |\n|---|%s\n' "${words// / | }" "$(printf '%s' "$words " | sed 's/[a-z]* /---|/g')"
    for lane in $lanes server; do
        printf '| %s |' "$lane"
        for stage in $words; do printf ' %s |' "${stages[$lane/$stage]:-0}"; done
        echo
    done
}

echo "seed $seed, $kills kills, $("$OXIDE_BIN" --version)"
set_up
SECONDS=0 updates=0
RANDOM=$seed
for ((count = 1; count <= kills; count++)); do
    victims=(patch full server)
    victim=${victims[RANDOM % 3]}
    ms=$((RANDOM % most_ms))
    for lane in $lanes; do
        ended "$lane" && begin_update "$lane" && updates=$((updates + 1))
    done
    sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
    killed[$victim]=$((killed[$victim] + 1))
    case $victim in
    server) kill_server ;;
    *) kill_agent "$victim" ;;
    esac
    if [ $((count % every)) -eq 0 ] || [ "$count" -eq "$kills" ]; then
        examine
        serve --poll-interval 1
        for lane in $lanes; do run_agent "$lane"; done
        echo "$count kills, $updates updates, $SECONDS s, $failures wrong"
    fi
done
judge_events
tables
