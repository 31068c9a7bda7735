#!/usr/bin/env bash
# Does everything work together? Runs inside the image, or wherever timeloop-model and timeloop-marl are on the path:
#
#   docker run --rm --entrypoint /usr/local/lib/timeloop-marl/src/docker/smoke.sh timeloop-marl
#   docker/smoke.sh [FOLDER]        results go to FOLDER, by default a temporary one
#
# Native and real model on three machines, a search with the real evaluator, a comparison. About five minutes.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=${1:-$(mktemp -d)}
samples=${SMOKE_SAMPLES:-20}
layer=$root/problems/resnet18/conv4_3x3.yaml
export TIMELOOP_MARL_CACHE=$out/cache.sqlite
mkdir -p "$out"

files() { ls "$root/arch/$1"/*.yaml; }
say() { echo "== $*"; }

for program in timeloop-marl timeloop-model; do
    command -v "$program" >/dev/null || { echo "smoke: $program is not on the path" >&2; exit 1; }
done
timeloop-marl --version

for machine in small_toy eyeriss_like simba_like; do
    say "verify $machine"
    # shellcheck disable=SC2046
    timeloop-marl verify $(files $machine) "$layer" --samples "$samples" --jobs 2 -o "$out/verify-$machine"
done

say "search with the real evaluator"
# shellcheck disable=SC2046
timeloop-marl search $(files eyeriss_like) "$layer" --evaluator timeloop --jobs 2 --samples "$samples" \
    -o "$out/search" --quiet

say "comparison"
# shellcheck disable=SC2046
timeloop-marl compare $(files eyeriss_like) "$layer" --samples 2000 --seconds "${SMOKE_SECONDS:-5}" --seeds 3 \
    -o "$out/compare"

for file in search/timeloop-marl.stats.txt search/timeloop-marl.png compare/compare.json compare/compare.png; do
    test -s "$out/$file" || { echo "smoke: $file is missing" >&2; exit 1; }
done
say "all well; results in $out"
