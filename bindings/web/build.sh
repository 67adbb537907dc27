#!/usr/bin/env bash
# Builds the npm package into dist/package and the page into dist/page. Needs Rust and Node.js 18 or newer; binaryen's wasm-opt makes the
# module smaller if it is there.
#
# The target comes from `rustup target add wasm32-unknown-unknown`. Without rustup, Debian's compiler for the web and the sources of its
# standard library serve.
set -euo pipefail
cd "$(dirname "$0")"
root=../..
name=visual_attention_web
target=${CARGO_TARGET_DIR:-$PWD/target}

std=()
sysroot() { [ -d "$(rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown" ]; }
if ! sysroot && ! { rustup target add wasm32-unknown-unknown 2>/dev/null && sysroot; }; then
    if [ ! -d /usr/lib/rustlib/src/rust/library ] || ! command -v rust-lld >/dev/null; then
        bash "$root/tests/install.sh" rustc-web cargo-web rust-web-src rust-web-llvm lld-22 ||
            { echo "There is no compiler for WebAssembly here. Run: rustup target add wasm32-unknown-unknown" >&2; exit 1; }
    fi
    # Another compiler, so a folder of its own.
    export PATH="/usr/bin:$PATH" RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$target/debian"
    target=$CARGO_TARGET_DIR
    std=(-Z build-std=std,panic_abort)
fi
cargo build --quiet --locked --release --target wasm32-unknown-unknown "${std[@]}"
# The bundler runs here, so it is built with the compiler for this machine. Its version is that of wasm-bindgen in Cargo.lock.
(cd bundle && CARGO_TARGET_DIR="$PWD/../target/bundle" cargo build --quiet --locked --release)

rm -rf dist
mkdir -p dist/package dist/page/cases
built=$target/wasm32-unknown-unknown/release/$name.wasm
if command -v wasm-opt >/dev/null; then
    # Before the bundler, whose two tables older versions confuse. The features are those that the compiler uses itself.
    features=(bulk-memory mutable-globals sign-ext nontrapping-float-to-int multivalue reference-types)
    mkdir -p "$target/small"
    wasm-opt -Oz "${features[@]/#/--enable-}" -o "$target/small/$name.wasm" "$built"
    built=$target/small/$name.wasm
fi
target/bundle/release/bundle "$built" dist/package/wasm
module=dist/package/wasm/${name}_bg.wasm
cp js/*.js js/*.d.ts js/package.json README.md "$root"/LICENSE-* dist/package/
node js/generate/operators.mjs dist/package

cp -r page/. dist/page/
cp -r dist/package dist/page/visual-attention
cp "$root"/benches/ceiling/*.wgsl dist/page/measure/
cp "$root"/examples/pictures/coffee.png dist/page/look/
cp "$root"/tests/golden/*.safetensors dist/page/cases/
(cd dist/page/cases && printf '%s\n' *.safetensors >list.txt)

bytes() { wc -c <"$1" | tr -d ' '; }
echo "$(bytes "$module") bytes of WebAssembly, $(gzip -9 -c "$module" | wc -c | tr -d ' ') with gzip"
