# What the steps share: processes, figures, and the two tables of the report.
# shellcheck shell=bash

pids=()
# begin LOG COMMAND...: in the background; its id is in $begun, and it is ended at the latest by the exit
begin() {
    local log=$1
    shift
    "$@" > "$log" 2> "$log.err" &
    begun=$!
    pids+=("$begun")
}

# finish PID: SIGTERM, and wait for its end
finish() {
    kill "$1" 2> /dev/null || true
    wait "$1" 2> /dev/null || true
    forget "$1"
}

forget() { # PID: it has ended
    local pid kept=()
    for pid in "${pids[@]}"; do [ "$pid" = "$1" ] || kept+=("$pid"); done
    pids=("${kept[@]}")
}

finish_all() { for pid in "${pids[@]}"; do finish "$pid"; done; }

# serve DATA OPTIONS...: the control plane, ready; sets $server and $url
serve() {
    local data=$1
    shift
    : > "$work/serve.log"
    begin "$work/serve.log" "$oxide" serve --listen "127.0.0.1:${port:-0}" --data "$data" --log-format json "$@"
    server=$begun
    url=
    for ((tries = 0; tries < 3000; tries++)); do
        url=$(sed -n 's/^listening on //p' "$work/serve.log")
        [ -z "$url" ] || break
        kill -0 "$server" 2> /dev/null || die "oxide serve ended: $(tail -n 3 "$work/serve.log.err")"
        sleep 0.01
    done
    [ -n "$url" ] || die "oxide serve was not ready within 30 s"
    export OXIDE_SERVER=$url
}

# nginx_serve CONFIG-OF-SERVER: beside it, on port $((nginx_port)); sets $nginx and $nginx_url
nginx_serve() {
    local dir=$work/nginx
    mkdir -p "$dir"
    nginx_port=${nginx_port:-18999}
    cat > "$dir/nginx.conf" << EOF
daemon off; worker_processes ${nginx_workers:-auto}; pid $dir/pid; error_log $dir/error.log; user root;
worker_rlimit_nofile 20000;
events { worker_connections 8192; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; keepalive_timeout 600;
  client_body_temp_path $dir/a; proxy_temp_path $dir/b; fastcgi_temp_path $dir/c; uwsgi_temp_path $dir/d; scgi_temp_path $dir/e;
  server { listen 127.0.0.1:$nginx_port backlog=4096; $1 }
}
EOF
    begin "$dir/log" ${pin:-} nginx -c "$dir/nginx.conf" -p "$dir"
    nginx=$begun
    nginx_url=http://127.0.0.1:$nginx_port
    for ((tries = 0; tries < 300; tries++)); do
        if curl -s -o /dev/null "$nginx_url/"; then return; fi
        sleep 0.02
    done
    die "nginx does not answer: $(tail -n 2 "$dir/error.log" "$dir/log.err")"
}

# --- memory of a process, KiB ---
peak_reset() { echo 5 > "/proc/$1/clear_refs"; }
peak_kib() { awk '/^VmHWM/ { print $2 }' "/proc/$1/status"; }
resident_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }

now() { date +%s.%N; }
calc() { awk "BEGIN { printf \"${2:-%.2f}\", $1 }"; }
is() { awk "BEGIN { exit !($1) }"; }

# --- the report: lines as measured, and a row per bar ---
say() { printf '%s\n' "$@" >> "$report"; }
bars=()
# bar NAME BAR MEASURED CONDITION: CONDITION is one of awk's
bar() {
    local met=NO
    if is "$4"; then met=yes; fi
    bars+=("| $1 | $2 | $3 | $met |")
    note "$1: $3 (bar: $2): $met"
    [ "$met" = yes ] || missed=1
}

figure() { awk -v n="$1" '$1 == n { print $2 }' "$work/wrk.out"; } # NAME: of what wrk said last
