#!/usr/bin/env bash
# Plans and checks of every operator under random limits: tests/planner.rs and the planner's own tests.
set -euo pipefail
cd "$(dirname "$0")/../.."

log="$(mktemp)"
trap 'rm -f "$log"' EXIT
VISUAL_ATTENTION_REQUIRE_GPU=1 cargo test plan -- --nocapture 2>&1 | tee "$log"

cases="$(awk '$1 == "planner:" { cases += $2 } END { print cases }' "$log")"
bound="$(sed -n 's/^planner: .* \([0-9]*\) bound in .*/\1/p' "$log" | awk '{ all += $1 } END { print all }')"
divided="$(sed -n 's/^planner: .* \([0-9]* equal, [0-9]* of them divided\).*/\1/p' "$log")"
bash tests/record.sh planner "$cases cases: $bound bound within all limits, the rest refused or empty; on the GPU $divided; no panic; $(sed -n 's/^adapter: //p' "$log" | sort -u)"
