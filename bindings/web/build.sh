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

# The bundler runs here, so it is built with the compiler for this machine. Its version is that of wasm-bindgen in Cargo.lock.
bundler=$target/bundle
(cd bundle && CARGO_TARGET_DIR="$bundler" cargo build --quiet --locked --release)

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
# module FOLDER ARGUMENT...: builds the crate with these arguments, makes it small, and writes it and its JavaScript into FOLDER.
module() {
    local folder="$1" built="$target/wasm32-unknown-unknown/release/$name.wasm"
    shift
    cargo build --quiet --locked --release --target wasm32-unknown-unknown "${std[@]}" "$@"
    if command -v wasm-opt >/dev/null; then
        # Before the bundler, whose two tables older versions confuse. The features are those that the compiler uses itself.
        local features=(bulk-memory mutable-globals sign-ext nontrapping-float-to-int multivalue reference-types)
        mkdir -p "$target/small"
        wasm-opt -Oz "${features[@]/#/--enable-}" -o "$target/small/$name.wasm" "$built"
        built=$target/small/$name.wasm
    fi
    "$bundler/release/bundle" "$built" "$folder"
    bytes=$(wc -c <"$folder/${name}_bg.wasm") small=$(gzip -9 -c "$folder/${name}_bg.wasm" | wc -c)
    echo "${folder#dist/}: $((bytes)) bytes of WebAssembly, $((small)) with gzip"
}

rm -rf dist
mkdir -p dist/package dist/page/cases
module dist/package/wasm
module dist/page/look/wasm --no-default-features
cp js/*.js js/*.d.ts js/package.json README.md "$root"/LICENSE-* dist/package/
node js/generate/operators.mjs dist/package

cp -r page/. dist/page/
cp -r dist/package dist/page/visual-attention
cp "$root"/benches/ceiling/*.wgsl dist/page/measure/
cp "$root"/examples/pictures/coffee.png dist/page/look/
cp "$root"/tests/golden/*.safetensors "$root"/tests/golden/FORMAT.md dist/page/cases/
(cd dist/page/cases && printf '%s\n' *.safetensors >list.txt)
