#!/usr/bin/env bash
# The command line itself: help, hints, exit statuses, completion, manual pages, and info.
. "$(dirname "$0")/lib.sh"

step "every command has help with an example, and the overview lists it"
oxide help > overview.txt || fail "oxide help"
while read -r command; do
    # shellcheck disable=SC2086
    oxide $command --help > help.txt || fail "oxide $command --help"
    holds "help of $command" "$(cat help.txt)" "Example:"
    # shellcheck disable=SC2086
    oxide help $command | cmp -s - help.txt || fail "oxide help $command is not its --help"
    # shellcheck disable=SC2086
    oxide man $command > page.1 || fail "oxide man $command"
    if command -v groff > /dev/null; then
        same "what groff says of $command" "" "$(groff -man -Tutf8 -ww page.1 2>&1 > /dev/null)"
    fi
done < <(sed -n 's/^  \([a-z]*\( [a-z]*\)\{0,1\}\)   *[A-Z].*/\1/p' overview.txt)
[ "$(grep -c '^  [a-z]' overview.txt)" -ge 27 ] || fail "the overview is short"
same "version" "oxide $(sed -n 's/^project(oxide VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt")" \
    "$(oxide --version)"

step "mistakes on the command line end in status 2 with a hint"
exits 2 "did you mean 'oxide push'" oxide psuh
exits 2 "did you mean --json" oxide info x --jsno
exits 2 "needs PATH" oxide info
exits 2 "--output needs a value" oxide delta create a b -o
exits 2 "auto|tensor|binary" oxide delta create a b -o p --engine magic
exits 2 "whole number" oxide serve --port 70000
exits 2 "1 to 9" oxide serve --delta-effort 12
exits 2 "HOST:PORT" oxide serve --listen 127.0.0.1:x
exits 2 "--device-id" oxide agent
exits 2 "--fleet" oxide deploy m v1
exits 2 "no address" oxide device list --server example.org
got=0
oxide > nothing.out 2> nothing.err || got=$?
same "status of oxide alone" 2 "$got"
same "standard output of oxide alone" "" "$(cat nothing.out)"
holds "oxide alone" "$(cat nothing.err)" "Commands:"

step "bad identifiers never leave the machine"
for id in '../x' 'a..b' 'a b' '.hidden' 'ä' 'a/b' '' "$(printf 'a%.0s' {1..257})"; do
    exits 2 "device" oxide device status "$id" --server http://127.0.0.1:9
done

step "a server that is not there is status 5, with what to do"
exits 5 "is 'oxide serve' running there?" oxide device list --server http://127.0.0.1:9
OXIDE_SERVER=http://127.0.0.1:9 exits 5 "127.0.0.1:9" oxide model list

step "data goes to standard output, without colour where there is no terminal"
small_models
oxide info v1.onnx > info.txt 2> info.err || fail "info"
same "standard error of info" "" "$(cat info.err)"
if grep -q "$(printf '\033')" info.txt; then fail "info is coloured in a file"; fi
holds "info" "$(cat info.txt)" "fc1.weight"
holds "info" "$(cat info.txt)" "$(digest v1.onnx)"
same "info --json" "onnx 6 $(size v1.onnx) $(digest v1.onnx)" "$(oxide info --json v1.onnx |
    field '.files[0] | "\(.format) \(.tensors | length) \(.size) \(.sha256)"')"
same "tensors and gaps fill the file" "$(size v1.onnx)" \
    "$(oxide info --json v1.onnx | field '.files[0] | .tensor_bytes + .gap_bytes')"

step "info of other formats, folders, and of what is none"
make_model safetensors v1 v1.safetensors --width 96 > /dev/null
make_model gguf v1 v1.gguf --width 96 > /dev/null
same "safetensors" safetensors "$(oxide info --json v1.safetensors | field '.files[0].format')"
same "gguf" gguf "$(oxide info --json v1.gguf | field '.files[0].format')"
mkdir ext && make_model onnx external ext/model.onnx --width 96 > /dev/null
same "external data" "2 6 6" "$(oxide info --json ext |
    field '"\(.files | length) \(.files[0].tensors | length) \(.files[1].tensors | length)"')"
make_model random 10000 noise > /dev/null
exits 0 "" oxide info noise
holds "info of noise" "$(cat last.out)" "bytes"
head -c 5000 v1.safetensors > cut.safetensors
exits 6 "damaged" oxide info cut.safetensors
holds "info of a cut file" "$(cat last.out)" "bytes"
exits 3 "missing" oxide info missing
exits 2 "" oxide info /dev/null
mkdir empty && exits 2 "empty" oxide info empty

step "a reader that leaves early is no error worth a message"
oxide help | true
oxide info v1.onnx 2> pipe.err | true
same "message for a closed pipe" "" "$(cat pipe.err)"

step "an agent keeps its models where help says"
holds "help" "$(oxide agent --help)" "[oxide-models]"
timeout 2 "$OXIDE_AGENT_BIN" agent --device-id x --control-plane http://127.0.0.1:9 2> /dev/null
[ -d oxide-models/.oxide ] || fail "there is no folder oxide-models"

step "bash completes commands, options and their words"
cat > complete.sh << 'EOF'
source <(oxide completion bash)
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_oxide
echo "${COMPREPLY[*]}"
EOF
complete() { PATH="$(dirname "$OXIDE_BIN"):$PATH" bash complete.sh "$@"; }
same "second words" "create apply info --help" "$(complete oxide delta '')"
same "words of an option" "tensor" "$(complete oxide delta create --engine t)"
same "options" "--server" "$(complete oxide push --ser)"
exits 2 "bash is known" oxide completion tcsh
