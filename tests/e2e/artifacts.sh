#!/usr/bin/env bash
# What is said of versions: labels, lineage, variants; by oxide and by curl.
. "$(dirname "$0")/lib.sh"
small_models
serve
meta() { get "/api/v1/models/$1/meta" | field "$2"; } # MODEL/versions/VERSION FILTER

step "labels and lineage come with the push"
exits 0 "" oxide push defect v1 v1.onnx --label prod --label site=graz --commit 4f1c2ab \
    --data-digest sha256:00ff --metric accuracy=0.91 --metric steps=1200 --notes "first
of all" --parent yolo@base
same "labels" '{"prod":"","site":"graz"}' "$(meta defect/versions/v1 '.labels | tojson')"
same "lineage" 'yolo@base 4f1c2ab sha256:00ff 0.91 1200' \
    "$(meta defect/versions/v1 '"\(.parent) \(.commit) \(.data_digest) \(.metrics.accuracy) \(.metrics.steps)"')"
exits 0 "" oxide push defect v2 v2-head.onnx --parent v1
exits 0 "" oxide push defect v3 v3-finetune.onnx --parent v2
exits 0 "" oxide push defect v2b bad.onnx --parent v1
exits 0 "" oxide push defect v2b bad.onnx --label late # nothing is sent, but it is labelled
same "late label" "" "$(meta defect/versions/v2b .labels.late)"

step "the tree"
same "as ASCII, for it is no terminal" "*-. v1 (from yolo@base)
* | v2
* | v3
  * v2b" "$(LANG=C.UTF-8 oxide model show defect | sed -n '2,$p' | sed 's/  *[0-9.]* [kM]*B .*//')"
holds "columns" "$(oxide model show defect | head -n 1)" "COMMIT"
if command -v script > /dev/null; then
    holds "on a terminal" "$(LC_ALL=C.UTF-8 script -qec "'$OXIDE_BIN' model show defect --server $server" /dev/null)" "●─┐ v1"
fi
same "for scripts" "m@null yolo@base defect@v1 defect@v2" \
    "m@null $(oxide model show defect --json | field '[.versions[] | select(.version != "v2b") | .parent] | join(" ")')"
holds "one version" "$(oxide model show defect v1)" "yolo@base"

step "labels and lineage are edited"
exits 0 "" oxide model label defect v1 beta site=wien prod-
same "labels" '{"site":"wien","beta":""}' "$(meta defect/versions/v1 '.labels | tojson')"
exits 0 "" oxide model edit defect v2 --parent "" --notes "none" --metric accuracy=0.95
same "edited" "null none 0.95" "$(meta defect/versions/v2 '"\(.parent) \(.notes) \(.metrics.accuracy)"')"
exits 4 "descends" oxide model edit defect v1 --parent v2b
exits 2 "nothing to change" oxide model edit defect v1
exits 2 "is no number" oxide model edit defect v1 --metric accuracy=high
exits 3 "v9" oxide model label defect v9 x
exits 2 "label" oxide model label defect v1 "a b=c"

step "with curl: a header with a raw upload, and PATCH"
same "published" 201 "$(http_status /api/v1/models/raw/versions/v1 --data-binary @v1.onnx \
    -H 'Content-Type: application/octet-stream' -H 'X-Oxide-Meta: {"labels":{"a":"b"},"parent":"defect@v1"}')"
same "said" "b defect@v1" "$(meta raw/versions/v1 '"\(.labels.a) \(.parent)"')"
for bad in '{"labels":{"a":1}}' '[1]' 'nonsense' '{"rank":5000}' '{"variant":"a/b"}'; do
    same "refused: $bad" 400 "$(http_status /api/v1/models/raw/versions/v2 --data-binary @v2-head.onnx \
        -H 'Content-Type: application/octet-stream' -H "X-Oxide-Meta: $bad")"
done
same "nothing came of it" 404 "$(http_status /api/v1/models/raw/versions/v2/meta)"
same "patched" 200 "$(http_status /api/v1/models/raw/versions/v1 -X PATCH -d '{"commit":"abc"}')"
same "patched" abc "$(field .commit < last.body)"
same "of no version" 404 "$(http_status /api/v1/models/raw/versions/v9 -X PATCH -d '{}')"
same "no JSON" 400 "$(http_status /api/v1/models/raw/versions/v1 -X PATCH -d '{')"

step "variants: several artifacts under one version"
exits 0 "" oxide push quant v1 v1.onnx
exits 0 "" oxide push quant v1 v2-head.onnx --variant int8 --requires 'platform.arch = "aarch64"' --rank 5
exits 4 "other bytes" oxide push quant v1 v3-finetune.onnx --variant int8
exits 4 "other bytes" oxide push quant v1 v3-finetune.onnx
same "the version is the one without a name" "$(digest v1.onnx)" "$(meta quant/versions/v1 .sha256)"
same "the variant" "$(digest v2-head.onnx) int8 5" \
    "$(get "/api/v1/models/quant/versions/v1/meta?variant=int8" | field '"\(.sha256) \(.variant) \(.rank)"')"
same "no such variant" 404 "$(http_status '/api/v1/models/quant/versions/v1/meta?variant=q4')"
same "a variant's bytes" "$(digest v2-head.onnx)" \
    "$(get '/api/v1/models/quant/versions/v1/download?variant=int8' | sha256sum | cut -d ' ' -f 1)"
same "models count versions" 1 "$(get /api/v1/models | field '.models[] | select(.model_id == "quant") | .versions')"
holds "shown" "$(oxide model show quant v1)" 'platform.arch = "aarch64"'
holds "listed" "$(oxide model show quant)" "int8 -"
exits 0 "" oxide model show quant v1 --variant int8
holds "one of them" "$(cat last.out)" "$(digest v2-head.onnx)"

step "all of it is there after a restart"
stop "$server_pid"
serve
same "labels" "wien" "$(meta defect/versions/v1 .labels.site)"
same "variants" 2 "$(meta quant/versions/v1 '.variants | length')"
stop "$server_pid"
