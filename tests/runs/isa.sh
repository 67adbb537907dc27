#!/usr/bin/env bash
# What Mesa's AMD compiler makes of every pipeline: fails where one spills or needs scratch memory, and benches/isa.tsv does not say so.
set -euo pipefail
cd "$(dirname "$0")/../.."

log="$(mktemp)"
trap 'rm -f "$log"' EXIT
cargo run --quiet --example isa_report -- --check benches/isa.tsv | tee "$log"
bash tests/record.sh isa "$(tail -n 1 "$log"), $(head -n 1 benches/isa.tsv | sed 's/^# //')"
