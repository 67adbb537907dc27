#!/usr/bin/env bash
# The wheel of the Python bindings, built, installed into a fresh environment, and tested there.
set -euo pipefail
cd "$(dirname "$0")/../.."
export VISUAL_ATTENTION_REQUIRE_GPU=1

# Debian keeps what makes an environment in a package of its own.
python3 -c "import ensurepip, venv" 2>/dev/null || bash tests/install.sh python3-venv

environment=$(mktemp -d)
trap 'rm -rf "$environment"' EXIT
python3 -m venv "$environment/venv"
pip() { "$environment/venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }
pip install "maturin>=1.9,<2"

echo "wheel"
(cd bindings/python && cargo fmt --check && cargo clippy --quiet -- -D warnings)
(cd bindings/python && "$environment/venv/bin/maturin" build --quiet --profile "${VISUAL_ATTENTION_WHEEL_PROFILE:-dev}" --out "$environment/wheels")
ls -l "$environment/wheels" | tail -n 1 | awk '{ print $NF, $5, "bytes" }'

echo "environment"
wheel=("$environment"/wheels/*.whl)
pip install "${wheel[0]}" -r bindings/python/tests/requirements.txt
# On Linux these bring CUDA's libraries, 5 GB, which PyTorch does not load without. An index of builds for CPUs has none of them:
# PIP_INDEX_URL chooses one. VISUAL_ATTENTION_WITHOUT_TORCH=1 leaves out the tests that need PyTorch.
[ -n "${VISUAL_ATTENTION_WITHOUT_TORCH:-}" ] || pip install -r bindings/python/tests/requirements-torch.txt
pip install -r bindings/python/tests/requirements-examples.txt

echo "lints"
(cd bindings/python && "$environment/venv/bin/ruff" check --quiet . && "$environment/venv/bin/ruff" format --check --quiet .)

echo "tests"
figures=$(cd bindings/python/tests && "$environment/venv/bin/python" -m pytest --quiet -p no:cacheprovider . | tee >(cat >&2))
adapter=$(cargo run --quiet --example adapter)
bash tests/record.sh python "$(tail -n 1 <<<"$figures"); $adapter"
