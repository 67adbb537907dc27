#!/usr/bin/env bash
# Tests of the tests: the suite must notice at least 97 of 100 faults in the kernels, those of tests/mutants/mutants.tsv and those that
# tests/mutants/rules.rs makes. Takes hours, and goes on where it stopped. With arguments only some: see tests/README.md.
set -euo pipefail
cd "$(dirname "$0")/../.."

suite=$(cargo test --no-run --test suite --message-format=json 2>/dev/null |
    sed -n '/"name":"suite"/s/.*"executable":"\([^"]*\)".*/\1/p')
[ -x "$suite" ] || { echo "cargo does not build the suite: cargo test --no-run --test suite" >&2; exit 1; }
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
VISUAL_ATTENTION_MUTANTS="$suite" cargo test --quiet --test mutants -- "$@" | tee "$log"
[ $# -eq 0 ] || exit 0
adapter=$(WGPU_BACKEND="${WGPU_BACKEND:-vulkan}" cargo run --quiet --example adapter)
bash tests/record.sh mutants "$(tail -n 1 "$log" | sed 's/^mutants: //'); $adapter"
