"""Every operator and every gradient against the crate's plain CPU reference in float64."""

import inspect

import numpy as np
import pytest

import visual_attention as va
from problems import PROBLEMS
from visual_attention import _call, _native
from visual_attention._description import DTYPES, descriptions

#: Largest error, as a share of the largest value or of 1.
TOLERANCE = {"float32": 3e-5, "float16": 4e-3}


def backward(problem):
    return (f"{problem[0]}_backward", *problem[1:])


ALL = PROBLEMS + [backward(problem) for problem in PROBLEMS if f"{problem[0]}_backward" in descriptions()]


def numbers(name, shape, dtype, random):
    """Numbers that an input of this name may hold."""
    normal = random.standard_normal(shape)
    if name == "boxes":
        return np.tile(np.array([1, 0, 4, 3], dtype), (shape[0], 1))
    if dtype == "uint32":
        return (normal > 0).astype(dtype)
    if name.endswith("variance"):
        normal = np.abs(normal) + 0.5
    if name in ("map", "pictures"):
        normal = np.abs(normal) % 1
    return normal.astype(dtype)


def left_out(tensor, without):
    base = tensor.removesuffix("_gradient")
    return any(base == one or (base.rpartition(".")[0].endswith(one) and one == "norm") for one in without)


def texts(description, options, element):
    given = {option.name: element for option in description.options if option.is_element}
    return list(_call.texts(description, {**options, **given}))


def rows(name, options, shapes, element, without):
    found = _native.tensors(name, texts(descriptions()[name], options, element), list(shapes.items()))
    return [row for row in found if not left_out(row[0], without)]


def reference(name, options, shapes, element, inputs):
    flat = [(tensor, np.ascontiguousarray(array, np.float64).reshape(-1)) for tensor, array in inputs.items()]
    return dict(_native.reference(name, texts(descriptions()[name], options, element), list(shapes.items()), flat))


def problem_inputs(name, shapes, options, without, element, random):
    """Inputs by the crate's names. Of a gradient some are what the forward operator wrote."""
    tensors = rows(name, options, shapes, element, without)
    inputs = {row[0]: numbers(row[0], row[1], DTYPES[row[2]], random) for row in tensors if row[3] != "output"}
    if name.endswith("_backward"):
        forward = name.removesuffix("_backward")
        own = {row[0] for row in rows(forward, options, shapes, element, without) if row[3] != "output"}
        given = {
            row[0]: inputs.get(row[0], numbers(row[0], row[1], DTYPES[row[2]], random))
            for row in rows(forward, options, shapes, element, without)
            if row[0] in own
        }
        for tensor, values in reference(forward, options, shapes, element, given).items():
            if tensor in inputs:
                inputs[tensor] = values.reshape(inputs[tensor].shape).astype(inputs[tensor].dtype)
    return inputs


def typed():
    """Every problem in float32, and in float16 if its operator has an element type."""
    for problem in ALL:
        has_type = any(option.is_element for option in descriptions()[problem[0]].options)
        for element in ("float32", "float16")[: 1 + has_type]:
            yield pytest.param(problem, element, id=" ".join(filter(None, (*problem[:2], element))))


@pytest.mark.parametrize(("problem", "element"), list(typed()))
def test_against_the_reference(problem, element, device):
    name, _, shapes, options, without = problem
    description = descriptions()[name]
    if element == "float16" and not device.has_float16:
        pytest.skip("no float16")
    inputs = problem_inputs(name, shapes, options, without, element, np.random.default_rng(7))
    exact = reference(name, options, shapes, element, inputs)
    want = [row[0] for row in rows(name, options, shapes, element, without) if row[3] != "input" and row[0] in exact]
    names = {tensor.name: tensor.argument for tensor in description.inputs}
    arguments = {names[tensor]: array for tensor, array in inputs.items()}
    if description.flags:
        options = {option: value for option, value in options.items() if option not in description.flags}
    computed = getattr(va, name)(**arguments, **options, want=want)
    classes = getattr(va, description.class_name)
    flags = {flag: flag in arguments for flag in description.flags}
    elements = {option.name: element for option in description.options if option.is_element}
    operator = classes(**options, **flags, **elements)
    kept = [operator(**{key: va.Tensor(array) for key, array in arguments.items()}, want=want) for _ in range(2)]
    outputs = {tensor.name: tensor.argument for tensor in description.outputs}
    assert want
    for tensor in want:
        actual = getattr(computed, outputs[tensor])
        expected = exact[tensor].reshape(actual.shape + (4,) * (name == "heat_overlay"))
        if name == "heat_overlay":
            assert np.abs(actual.view(np.uint8).reshape(expected.shape) - 255 * expected).max() < 0.51
        elif actual.dtype.kind in "iu":
            np.testing.assert_array_equal(actual, expected)
        else:
            kind = element if element == "float16" else actual.dtype.name
            size = max(1.0, np.abs(expected).max(initial=0))
            np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE[kind] * size, err_msg=tensor)
        for result in kept:
            on_device = getattr(result, outputs[tensor])
            assert isinstance(on_device, va.Tensor)
            np.testing.assert_array_equal(on_device.numpy(), actual, err_msg=tensor)


def test_every_operator_has_a_problem():
    assert {problem[0] for problem in ALL} == set(descriptions())


def test_signatures_and_docstrings_name_every_tensor_and_option():
    for name, description in descriptions().items():
        function, kind = getattr(va, name), getattr(va, description.class_name)
        parameters = inspect.signature(function).parameters
        for tensor in description.inputs:
            assert tensor.argument in parameters
            assert f"    {tensor.argument}: " in function.__doc__ and tensor.shape in function.__doc__
        for tensor in description.outputs:
            assert f"    {tensor.argument}: " in function.__doc__
        for option in description.options:
            if not option.is_element:
                assert f"    {option.name}: {option.values}" in kind.__doc__
            assert option.name in inspect.signature(kind).parameters
        # Every extent has a name, or is a number that no shape changes.
        for tensor in description.inputs + description.outputs:
            assert all(not axis.isdigit() or int(axis) <= 4 for axis in tensor.axes), (name, tensor)
