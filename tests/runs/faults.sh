#!/usr/bin/env bash
# Faults of the driver, one process for each, and the loss of the device between any two steps of every operator.
set -euo pipefail
cd "$(dirname "$0")/../.."
export VISUAL_ATTENTION_REQUIRE_GPU=1

cargo test --quiet --test suite loss::
cargo test --quiet --test suite errors::
figures=$(cargo test --quiet --test faults)
echo "$figures"
adapter=$(WGPU_BACKEND=vulkan cargo run --quiet --example adapter)
bash tests/record.sh faults "$(tail -n 1 <<<"$figures"); $adapter"
