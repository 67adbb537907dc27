"""Golden cases: what public implementations computed in float64, forward and backward."""

import inspect

import numpy as np
import pytest

import visual_attention as va
from conftest import GOLDEN
from golden import CASES, Case
from visual_attention._description import descriptions

FILES = [path for path in sorted(GOLDEN.glob("*.safetensors")) if path.name.split("__")[0] in CASES]


def check(name, actual, expected, tolerance):
    expected = np.asarray(expected)
    assert actual.size == expected.size, name
    actual = actual.reshape(expected.shape)
    if expected.dtype.kind in "iub":
        np.testing.assert_array_equal(actual, expected, err_msg=name)
        return
    half = 2.0**-11 * np.abs(expected) if actual.dtype == np.float16 else 0
    room = tolerance * max(1.0, np.abs(expected).max(initial=0)) + half
    worst = np.abs(actual.astype(np.float64) - expected)
    assert (worst <= room).all(), f"{name}: off by {worst.max():.2e}, {np.max(room):.2e} is possible"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_case(path, device):
    case = Case(path)
    if any(array.dtype == np.float16 for array in case.inputs.values()) and not device.has_float16:
        pytest.skip("no float16")
    description = descriptions()[case.operator]
    accepted = inspect.signature(getattr(va, case.operator)).parameters
    # A flag that says whether a tensor is there is the gradient's alone.
    options = {name: value for name, value in case.options.items() if name in accepted and name not in case.inputs}
    options.pop("bias", None)
    computable = {tensor.argument for tensor in description.outputs}
    want = sorted(computable & set(case.outputs))
    assert want, "the case expects an output that the operator has"
    results = getattr(va, case.operator)(**case.inputs, **options, want=want)
    for name in want:
        check(name, getattr(results, name), case.outputs[name], 1e-5)
    if not case.gradients:
        return
    backward = descriptions()[f"{case.operator}_backward"]
    names = {tensor.argument for tensor in backward.inputs}
    saved = names & computable
    if saved:
        results = getattr(va, case.operator)(**case.inputs, **options, want=sorted(saved | set(want)))
    given = {name: array for name, array in case.inputs.items() if name in names}
    given |= {name: getattr(results, name) for name in saved if getattr(results, name) is not None}
    for name in computable:
        if f"{name}_gradient" in names and name in case.outputs | case.upstream:
            upstream = case.upstream.get(name, np.zeros_like(case.outputs.get(name)))
            given[f"{name}_gradient"] = upstream.astype(np.float32)
    want = sorted(f"{name}_gradient" for name in case.gradients)
    accepted = inspect.signature(getattr(va, backward.name)).parameters
    options = {name: value for name, value in case.options.items() if name in accepted}
    gradients = getattr(va, backward.name)(**given, **options, want=want)
    for name, expected in case.gradients.items():
        check(f"{name}_gradient", getattr(gradients, f"{name}_gradient"), expected, 4e-5)
