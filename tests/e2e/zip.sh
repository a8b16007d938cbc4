#!/usr/bin/env bash
# PyTorch and NumPy files: their tensors are predicted one by one, as those of safetensors are.
. "$(dirname "$0")/lib.sh"

if ! command -v python3 > /dev/null; then
    skip "python3 is not here to make archives"
    exit
fi
python3 "$root/tests/golden/zip/make.py" pair . || die "make.py"

round_trip() { # FORMAT
    oxide delta create base."$1" target."$1" -o p.oxdl --force --json > created.json 2> /dev/null ||
        fail "create $1"
    oxide delta apply base."$1" p.oxdl -o rebuilt --force > /dev/null 2>&1 || fail "apply $1"
    cmp -s rebuilt target."$1" || fail "$1: not the same bytes"
}

step "a patch of each costs what the same weights cost as safetensors"
round_trip safetensors
wanted=$(size p.oxdl)
for format in pt npz; do
    round_trip $format
    same "$format" $format "$(oxide info --json base.$format | field '.files[0].format')"
    [ "$(size p.oxdl)" -le $((wanted + wanted / 100 + 4096)) ] ||
        fail "$format: a patch of $(size p.oxdl) bytes, $wanted as safetensors"
    for name in embed.weight layers.0.weight layers.1.weight; do
        same "the predictor of $name in $format" same \
            "$(field ".tensors[] | select(.name == \"$name\") | .predictor" < created.json)"
    done
done

step "a lone array"
round_trip npy
same "npy" npy "$(oxide info --json base.npy | field '.files[0].format')"
[ $(($(size p.oxdl) * 10)) -lt $(($(size target.npy) * 6)) ] ||
    fail "npy: a patch of $(size p.oxdl) bytes for $(size target.npy)"

step "from one format to another"
oxide delta create base.safetensors target.pt -o p.oxdl --force > /dev/null 2>&1 || fail "create"
[ "$(size p.oxdl)" -le $((wanted + wanted / 100 + 4096)) ] ||
    fail "from safetensors to pt: a patch of $(size p.oxdl) bytes, $wanted within safetensors"

step "an archive that is damaged is bytes"
head -c 100000 base.pt > cut.pt
exits 6 "damaged" oxide info cut.pt
oxide delta create cut.pt target.pt -o p.oxdl --force > /dev/null 2>&1 || fail "create from cut.pt"
oxide delta apply cut.pt p.oxdl -o rebuilt --force > /dev/null 2>&1 || fail "apply to cut.pt"
cmp -s rebuilt target.pt || fail "cut.pt: not the same bytes"
