#!/usr/bin/env bash
# The whole check, on a machine that has only Rust: formatting, lints, docs and all tests, with a GPU adapter required.
# Where there is no Vulkan adapter it installs Mesa's software driver, if it may.
#
# With arguments it does the longer runs of tests/README.md instead, for instance `bash tests/run.sh --drivers --soak`; each is
# the script or test of its name, and each writes its result there.
set -euo pipefail
cd "$(dirname "$0")/.."

# Mesa and the Vulkan loader complain without it.
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-$(mktemp -d)}"

# The drivers that are installed here are Vulkan's; a caller may ask for another backend.
[ "$(uname)" != Linux ] || export WGPU_BACKEND="${WGPU_BACKEND:-vulkan}"

has_adapter() {
    cargo run --quiet --example adapter >/dev/null 2>&1
}

say() { printf '\n== %s\n' "$*"; }

for component in clippy fmt; do
    cargo "$component" --version >/dev/null 2>&1 || rustup component add clippy rustfmt
done

say "GPU adapter"
# Built apart, so that a compiler's message is seen.
cargo build --quiet --example adapter
if ! has_adapter; then
    if ! bash tests/install.sh libvulkan1 mesa-vulkan-drivers || ! has_adapter; then
        echo "There is no GPU adapter here. Install a Vulkan driver: a GPU's own, or Mesa's software driver (mesa-vulkan-drivers)." >&2
        exit 1
    fi
fi
cargo run --quiet --example adapter

if [ $# -gt 0 ]; then
    for argument in "$@"; do
        run="tests/runs/${argument#--}.sh"
        [ -f "$run" ] || { echo "no run $argument; there are: $(cd tests/runs && echo *.sh)" >&2; exit 2; }
        say "${argument#--}"
        bash "$run"
    done
    exit
fi

say "format"
cargo fmt --check

say "lints"
cargo clippy --quiet --all-targets -- -D warnings
# The core alone, as a program with its own device embeds it.
cargo clippy --quiet --lib --no-default-features -- -D warnings

say "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps

say "tests"
VISUAL_ATTENTION_REQUIRE_GPU=1 cargo test --quiet

say "tests of the variants that GPUs get"
VISUAL_ATTENTION_REQUIRE_GPU=1 VISUAL_ATTENTION_VARIANTS=gpu cargo test --quiet --test suite

say "faults in the kernels, a sample"
bash tests/runs/mutants.sh --sample

say "examples"
cargo run --quiet --example check_cases -- tests/golden | tail -n 1
cargo run --quiet --example train_attention | tail -n 3

say "machine code, a sample"
cargo run --quiet --example isa_report -- --check benches/isa.tsv --every 12 --if-present
