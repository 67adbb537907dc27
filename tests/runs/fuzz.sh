#!/usr/bin/env bash
# The fuzz targets under fuzz/, for FUZZ_SECONDS in all: ten minutes unless told otherwise. Nine tenths of it go to `bind`.
set -euo pipefail
cd "$(dirname "$0")/../../fuzz"

seconds="${FUZZ_SECONDS:-600}"
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz

log="$(mktemp)"
trap 'rm -f "$log"' EXIT
crashes=0
figures=""
for target in bind divide; do
    share=$((seconds / 10))
    [ "$target" = divide ] || share=$((seconds - share))
    mkdir -p "corpus/$target" "artifacts/$target"
    # An empty corpus would grow byte by byte; an operator and a few shapes are hundreds.
    for seed in $(seq 64); do
        head -c 384 /dev/urandom >"corpus/$target/seed-$seed"
    done
    # Sanitizers need a nightly compiler, and there is no unsafe code to be watched. Sums and products are checked.
    RUST_BACKTRACE=1 cargo fuzz run --sanitizer none "$target" -- \
        -max_total_time="$share" -max_len=512 -len_control=0 -timeout=60 -print_final_stats=1 2>&1 | tee "$log" | grep -v '	REDUCE\|	NEW' ||
        crashes=$((crashes + 1))
    executions="$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
    edges="$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)"
    figures="$figures$target ${executions:?no execution of $target} executions, $edges edges; "
done

cd ..
[ "$crashes" -eq 0 ] || { echo "crashes: see fuzz/artifacts" >&2; exit 1; }
bash tests/record.sh fuzz "$seconds s: ${figures}no crash; wgpu's noop device, $(rustc --version | cut -d' ' -f1,2)"
