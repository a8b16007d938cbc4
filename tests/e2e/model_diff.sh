#!/usr/bin/env bash
# What changed between two versions, tensor by tensor, and what the delta costs.
. "$(dirname "$0")/lib.sh"
small_models
make_model safetensors v1 a.safetensors --width 96 > /dev/null || die "make_model"
make_model safetensors v2-head b.safetensors --width 96 > /dev/null || die "make_model"
serve

step "two versions, and what is said of them"
exits 0 "" oxide push m v1 v1.onnx --label stage=dev --metric accuracy=0.9
exits 0 "" oxide push m v2 v2-head.onnx --label stage=prod --metric accuracy=0.95 --parent v1
exits 0 "" oxide model diff m v1 v2
holds "versions" "$(cat last.out)" "v1, "
holds "what is said" "$(cat last.out)" "metrics.accuracy"
holds "the label" "$(grep labels.stage last.out)" "prod"
holds "the rest" "$(cat last.out)" "unchanged"

step "it is what info says of the files"
exits 0 "" oxide model diff m v1 v2 --json --all
cp last.out diff.json
same "tensors" "$(oxide info v2-head.onnx --json | field '.files[0].tensors | length')" "$(field '[.rows[] | select(.tensor)] | length' < diff.json)"
same "changed ones" "$(field .tensors.changed.count < diff.json)" "$(field '[.rows[] | select(.tensor and .status == "changed")] | length' < diff.json)"
changed=$(field .tensors.changed.count < diff.json)
[ "$changed" -gt 0 ] && [ "$(field .tensors.same.count < diff.json)" -gt 0 ] || fail "$changed tensors changed"
same "the sizes" "$(size v1.onnx) $(size v2-head.onnx)" "$(field '"\(.from.size_bytes) \(.to.size_bytes)"' < diff.json)"
same "the first changed the most" true "$(field '[.rows[] | select(.relative_change != null) | .relative_change] | . == (sort | reverse)' < diff.json)"

step "what the delta costs, once it is made"
same "none of v2 to v1" null "$(oxide model diff m v2 v1 --json | field .delta.patch_bytes)"
exits 0 "" oxide model diff m v2 v1
holds "how to" "$(cat last.out)" "--make"
exits 0 "" oxide model diff m v2 v1 --make --json
cp last.out diff.json
same "best" "patch" "$(field .delta.best < diff.json)"
same "the job" "$(field .delta.patch_bytes < diff.json)" "$(get "/api/v1/jobs/$(field .delta.job.id < diff.json)" | field .patch_bytes)"
same "tensors cost most of it" true "$(field '([.rows[].patch_bytes // 0] | add) as $sum | $sum > 0 and $sum <= .delta.patch_bytes' < diff.json)"
exits 0 "" oxide model diff m v2 v1
holds "saved" "$(grep '^patch' last.out)" "saved"

step "variants, and the same version twice"
exits 0 "" oxide push s v1 a.safetensors --variant f32
exits 0 "" oxide push s v1 b.safetensors --variant tuned
exits 0 "" oxide model diff s v1 v1 --variant f32 --variant tuned --json
same "variants" "f32 tuned" "$(field '"\(.from.variant) \(.to.variant)"' < last.out)"
exits 2 "the same version twice" oxide model diff s v1 v1 --variant f32
exits 2 "the same version twice" oxide model diff m v1 v1
same "by curl" 400 "$(http_status '/api/v1/models/m/diff?from=v1&to=v1')"
same "half of it" 400 "$(http_status '/api/v1/models/m/diff?from=v1')"

step "names that are not there"
exits 3 "there is no model mm: did you mean m?" oxide model diff mm v1 v2
exits 3 "there is no version v22: did you mean v2?" oxide model diff m v1 v22
exits 3 "there is no variant tunde: did you mean tuned?" oxide model diff s v1 v1 --variant f32 --variant tunde
same "by curl" 404 "$(http_status '/api/v1/models/m/diff?from=v1&to=v22')"

step "folders: files, and tensors that moved from one to another"
mkdir one two
cp a.safetensors one/a.safetensors
cp a.safetensors two/b.safetensors
echo '{"x": 1}' > one/config.json
echo '{"x": 2}' > two/config.json
exits 0 "" oxide push f v1 one
exits 0 "" oxide push f v2 two
exits 0 "" oxide model diff f v1 v2
holds "the file" "$(grep '^config.json' last.out)" "changed"
holds "moved" "$(cat last.out)" "moved"
exits 0 "" oxide model diff f v1 v2 --json
same "no tensor changed" 0 "$(field '.tensors | .changed.count + .added.count + .removed.count' < last.out)"
same "files" "added changed removed" "$(field '[.files[].status] | sort | join(" ")' < last.out)"
stop "$server_pid"
