#!/usr/bin/env bash
# 1,000 runs of every operator give one bit pattern each, whatever the driver's threads and however the work is divided.
set -euo pipefail
cd "$(dirname "$0")/../.."

export VISUAL_ATTENTION_REQUIRE_GPU=1 VISUAL_ATTENTION_REPEATS="${VISUAL_ATTENTION_REPEATS:-1000}"
logs="$(mktemp -d)"
trap 'rm -rf "$logs"' EXIT
# 0 runs shaders in the thread that submits. Only Mesa's software driver looks at it.
for threads in 0 1 2; do
    LP_NUM_THREADS="$threads" cargo test --test suite -- --nocapture repeated_runs_give_the_same_bits \
        every_base_and_every_origin_is_used divided_work_gives_the_same_bits 2>&1 | tee "$logs/all"
    sed -n 's/^bits: //p' "$logs/all" >"$logs/$threads"
    [ -s "$logs/$threads" ] || { echo "no operator ran with $threads threads" >&2; exit 1; }
    diff "$logs/0" "$logs/$threads" || { echo "$threads threads give other bits than 0" >&2; exit 1; }
done
divided="$(sed -n 's/^planner: .* \([0-9]* equal, [0-9]* of them divided\).*/\1/p' "$logs/all")"
bash tests/record.sh determinism "$VISUAL_ATTENTION_REPEATS runs of each of $(wc -l <"$logs/0") operators and element types, in each of 3 processes with 0, 1 and 2 driver threads: one bit pattern each; divided work $divided; $(sed -n 's/^adapter: //p' "$logs/all")"
