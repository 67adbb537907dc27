#!/usr/bin/env bash
# The page and the npm package of bindings/web, built, and driven in headless Chromium on SwiftShader. Screenshots and the report of Check
# are left in bindings/web/target/screenshots.
set -euo pipefail
cd "$(dirname "$0")/../.."

missing=""
for package in chromium binaryen python3; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
# Any Node.js of version 18.19 or newer serves; Debian's own is used where there is none.
newest() { node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major > 18 || (major == 18 && minor >= 19) ? 0 : 1)' 2>/dev/null; }
command -v npm >/dev/null || missing="$missing nodejs npm"
# shellcheck disable=SC2086
[ -z "$missing" ] || bash tests/install.sh $missing
newest || { echo "The tests of the page need Node.js 18.19 or newer, and here is $(node --version)." >&2; exit 1; }

echo "lints"
rustup target add wasm32-unknown-unknown >/dev/null 2>&1 || true
(cd bindings/web && cargo fmt --check)
if [ -d "$(rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown" ]; then
    for features in "" "--no-default-features"; do
        # shellcheck disable=SC2086
        (cd bindings/web && cargo clippy --quiet --locked --target wasm32-unknown-unknown $features -- -D warnings)
    done
fi

echo "page and package"
sizes=$(bash bindings/web/build.sh)
echo "$sizes"
cargo build --quiet --example salient_region

echo "tests"
npm install --silent --no-audit --no-fund --prefix bindings/web/target/npm playwright-core@1 typescript@5 @webgpu/types@0.1 >/dev/null
# The declarations, with a program that uses them.
npm_folder=$PWD/bindings/web/target/npm
rm -rf "$npm_folder/node_modules/visual-attention" && cp -r bindings/web/dist/package "$npm_folder/node_modules/visual-attention"
cp bindings/web/tests/types.ts "$npm_folder/"
(cd "$npm_folder" && node_modules/.bin/tsc --noEmit --strict --target es2022 --module nodenext --types @webgpu/types types.ts)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
node --test --test-concurrency=1 --test-reporter=spec bindings/web/tests/*.test.mjs 2>&1 | tee "$log"
figure() { sed -n "s/^ℹ $1 //p" "$log"; }
browser=$(/usr/bin/chromium --version 2>/dev/null | cut -d' ' -f1,2)
found=$(sed -n 's/^check: //p' "$log" | sed 's/ Long tasks.*//')
bash tests/record.sh web "$(figure pass) tests passed; $(tr '\n' ';' <<<"$sizes") golden cases: $found $(sed -n 's/^\(first picture.*\); long.*/\1/p' "$log"); $browser on SwiftShader"
