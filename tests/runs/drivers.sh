#!/usr/bin/env bash
# The suite on every driver that a machine without a GPU can have, and every pipeline through the compilers and validators that are
# stricter than naga. Results must be right on all of them: what a driver is known to get wrong is in tests/common/known_faults.rs.
set -euo pipefail
cd "$(dirname "$0")/../.."
export VISUAL_ATTENTION_REQUIRE_GPU=1
scratch="$PWD/target/drivers"
mkdir -p "$scratch"

say() { printf -- '-- %s\n' "$*"; }
fail() { echo "$*" >&2; exit 1; }

packages="libvulkan1 mesa-vulkan-drivers libegl1 libgl1-mesa-dri libgles2 chromium spirv-tools glslang-tools"
missing=""
for package in $packages; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
# shellcheck disable=SC2086
[ -z "$missing" ] || bash tests/install.sh $missing
for tool in node npm; do
    command -v $tool >/dev/null || fail "There is no $tool here: Chromium is driven by Node.js 18 or newer and its npm. Install them."
done

# suite NAME ADAPTER VARIABLE=VALUE...: all tests on the driver that the variables choose, whose adapter's line must hold ADAPTER.
results=""
suite() {
    local name="$1" adapter="$2" found log="$scratch/${1// /_}.log" line
    shift 2
    found=$(env "$@" cargo run --quiet --example adapter) || fail "$name: no adapter"
    say "$name: $found"
    [[ "$found" == *"$adapter"* ]] || fail "$name is not what was asked for: $adapter"
    if ! env "$@" cargo test --test suite -- --show-output >"$log" 2>&1; then
        sed -n '/^failures:/,$p' "$log" >&2
        fail "$name: failed, see $log"
    fi
    line=$(awk '
        /^---- .* stdout ----$/ { test = $2 }
        /^KNOWN FAULT / && !known[test]++ { faults++ }
        /^SKIPPED .*16-bit/ && !half[test]++ { halves++ }
        /^SKIPPED / && !/16-bit/ && !whole[test]++ { skipped++ }
        /^test result: ok/ { passed = $4 }
        END {
            printf "%d passed (%d without 16-bit floats), %d skipped, %d known to fail\n",
                passed - skipped - faults, halves, skipped, faults
        }
    ' "$log")
    grep -hE '^(KNOWN FAULT|SKIPPED) ' "$log" | grep -v '16-bit' | sort -u || true
    say "$line"
    results="$results$name: $line; "
}

cargo test --quiet --no-run --test suite
swiftshader=/usr/lib/chromium/vk_swiftshader_icd.json
[ -f "$swiftshader" ] || fail "There is no $swiftshader, which Debian's package chromium has"
suite "llvmpipe in subgroups of 8" "256 bits" WGPU_BACKEND=vulkan WGPU_ADAPTER_NAME=llvmpipe LP_NATIVE_VECTOR_WIDTH=256
suite "llvmpipe in subgroups of 4" "128 bits" WGPU_BACKEND=vulkan WGPU_ADAPTER_NAME=llvmpipe LP_NATIVE_VECTOR_WIDTH=128
suite "the same with a GPU's variants" "128 bits" WGPU_BACKEND=vulkan WGPU_ADAPTER_NAME=llvmpipe LP_NATIVE_VECTOR_WIDTH=128 \
    VISUAL_ATTENTION_VARIANTS=gpu
# wgpu's OpenGL backend panics where a thread waits 6 seconds for the context, which belongs to one thread at a time.
suite "Mesa's OpenGL" "Gl, " WGPU_BACKEND=gl LIBGL_ALWAYS_SOFTWARE=1 RUST_TEST_THREADS=1
suite "OpenGL with a GPU's variants" "Gl, " WGPU_BACKEND=gl LIBGL_ALWAYS_SOFTWARE=1 RUST_TEST_THREADS=1 \
    VISUAL_ATTENTION_VARIANTS=gpu
suite "SwiftShader" "SwiftShader" WGPU_BACKEND=vulkan VK_ICD_FILENAMES=$swiftshader VK_DRIVER_FILES=$swiftshader

say "every pipeline in SPIR-V, GLSL, MSL and HLSL"
table="$scratch/table"
rm -rf "$table"
cargo run --quiet --example shader_table -- "$table"
validate() { # ENDING COMMAND...
    local ending="$1"
    shift
    find "$table" -name "*.$ending" -print0 | xargs -0 -P "$(nproc)" -n 1 "$@" >"$scratch/$ending.log" 2>&1 ||
        { cat "$scratch/$ending.log" >&2; fail "$*: refused one or more"; }
}
validate spv spirv-val --target-env vulkan1.1
validate comp glslangValidator
spirv=$(find "$table" -name '*.spv' | wc -l) glsl=$(find "$table" -name '*.comp' | wc -l)
say "$spirv modules of SPIR-V and $glsl of GLSL ES are valid"

say "every pipeline in Chromium"
npm install --silent --no-audit --no-fund --prefix "$scratch/npm" playwright-core@1 >/dev/null
browser=$(cd "$scratch/npm" && node "$OLDPWD/tests/drivers/chromium.mjs" "$table/table.json")
say "$browser"

mesa=$(dpkg-query -W -f '${Version}' mesa-vulkan-drivers)
bash tests/record.sh drivers "${results}$browser; spirv-val took $spirv modules, glslangValidator $glsl; Mesa $mesa"
