#!/usr/bin/env bash
# 200,000 mixed dispatches in one process: memory and handles stay flat.
set -euo pipefail
cd "$(dirname "$0")/../.."
export VISUAL_ATTENTION_REQUIRE_GPU=1 VISUAL_ATTENTION_SOAK=200000

figures=$(cargo test --quiet --test soak)
echo "$figures"
adapter=$(cargo run --quiet --example adapter)
bash tests/record.sh soak "$(tail -n 1 <<<"$figures" | sed 's/^soak: //'); $adapter"
