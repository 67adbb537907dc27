"""PyTorch: custom operators, autograd against float64, compilation and export."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from problems import PROBLEMS, WINDOW
from test_operators import problem_inputs, reference, rows
from visual_attention import _call
from visual_attention._description import descriptions

torch = pytest.importorskip("torch")

import compositions  # noqa: E402
import visual_attention.torch as vt  # noqa: E402
from visual_attention.torch import _ops  # noqa: E402

#: Largest error of a gradient, as a share of the largest value or of 1.
TOLERANCE = 5e-5
DIFFERENTIABLE = [problem for problem in PROBLEMS if problem[0] in _ops.DIFFERENTIABLE]


def ids(problem):
    return f"{problem[0]} {problem[1]}".strip()


def tensors_of(problem, element="float32"):
    """Inputs by the crate's names, as leaves where they have a gradient."""
    name, _, shapes, options, without = problem
    arrays = problem_inputs(name, shapes, options, without, element, np.random.default_rng(11))
    produced = {info.name for info in descriptions()[f"{name}_backward"].outputs}
    return {
        tensor: torch.from_numpy(array).requires_grad_(f"{tensor}_gradient" in produced)
        for tensor, array in arrays.items()
    }


def call(problem, tensors, **more):
    name, _, _, options, _ = problem
    description = descriptions()[name]
    names = {info.name: info.argument for info in description.inputs}
    arguments = {names[tensor]: value for tensor, value in tensors.items()}
    options = {option: value for option, value in options.items() if option not in description.flags}
    return getattr(vt, name)(**arguments, **options, **more)


def every(result):
    return [result] if isinstance(result, torch.Tensor) else [tensor for tensor in result if tensor is not None]


def test_every_operator_with_a_gradient_is_there():
    assert {problem[0] for problem in DIFFERENTIABLE} == set(_ops.DIFFERENTIABLE)
    assert len(_ops.DIFFERENTIABLE) >= 20
    assert all(name in vt.__all__ for name in _ops.DIFFERENTIABLE)


@pytest.mark.parametrize("problem", DIFFERENTIABLE, ids=ids)
def test_opcheck(problem):
    name, _, _, options, _ = problem
    tensors, description = tensors_of(problem), descriptions()[name]
    arguments = [tensors.get(info.name) for info in description.inputs]
    shapes = [None] * len(_ops._shaped(description))
    text = _ops.text_of(_call.texts(description, options), [])
    operator = getattr(torch.ops.visual_attention, name).default
    torch.library.opcheck(operator, (*arguments, *shapes, text))


@pytest.mark.parametrize("problem", DIFFERENTIABLE, ids=ids)
def test_gradients_are_those_of_the_reference(problem):
    name, _, shapes, options, without = problem
    backward, tensors = f"{name}_backward", tensors_of(problem)
    results = every(call(problem, tensors))
    generator = torch.Generator().manual_seed(3)
    upstream = [torch.randn(result.shape, generator=generator) for result in results]
    torch.autograd.backward(results, upstream)
    required = [row[0] for row in rows(name, options, shapes, "float32", without) if row[3] != "input" and not row[4]]
    given = {tensor: value.detach().numpy() for tensor, value in tensors.items()}
    exact = reference(name, options, shapes, "float32", given)
    inputs = {}
    for row in rows(backward, options, shapes, "float32", without):
        base = row[0].removesuffix("_gradient")
        if row[3] == "output":
            continue
        if base != row[0]:
            inputs[row[0]] = (
                upstream[required.index(base)].numpy() if base in required else np.zeros(row[1], np.float32)
            )
        else:
            inputs[row[0]] = exact[base].reshape(row[1]) if base in exact else given[base]
    expected = reference(backward, options, shapes, "float32", inputs)
    compared = 0
    for tensor, value in tensors.items():
        if value.grad is not None:
            wanted = expected[f"{tensor}_gradient"].reshape(value.shape)
            room = TOLERANCE * max(1.0, np.abs(wanted).max())
            np.testing.assert_allclose(value.grad.numpy(), wanted, rtol=0, atol=room, err_msg=tensor)
            compared += 1
    assert compared == sum(value.requires_grad for value in tensors.values())


COMPOSED = [
    *(problem for problem in DIFFERENTIABLE if problem[0] in ("attention_map", "resize", "crop_resize", "window_pool")),
    *(
        problem
        for problem in DIFFERENTIABLE
        if problem[0] in ("global_pool", "channel_scale", "eca", "bisenet", "scse")
    ),
    *(problem for problem in DIFFERENTIABLE if problem[0] in ("normalize", "pointwise_conv", "cross_attention")),
    *(problem for problem in DIFFERENTIABLE if problem[0] in ("merge_attention", "spatial_gate")),
    *(problem for problem in DIFFERENTIABLE if problem[0] in ("head_norm_rotary", "sasa_layer", "sasa_stem")),
    ("squeeze_excite", "", {"features": (2, 4, 6, 7), "reduce_weight": (3, 4)}, {"activation": "silu"}, ("identity",)),
    ("squeeze_excite", "residual", {"features": (2, 4, 6, 7), "reduce_weight": (3, 4)}, {"epilogue": "residual"}, ()),
    ("dense", "", {"input": (2, 5), "second": (2, 4), "weight": (3, 9)}, {"activation": "silu"}, ("norm",)),
    (
        "cbam",
        "",
        {"features": (2, 4, 6, 7), "reduce_weight": (3, 4), "spatial_weight": (1, 2, 3, 3)},
        {},
        ("identity", "norm"),
    ),
    *(
        ("window_attention", kind, {"q": (2, 4, 6, 7)}, {**WINDOW, "relative": kind, "border": "mask"}, ())
        for kind in ("none", "bias")
    ),
]


@pytest.mark.parametrize("problem", COMPOSED, ids=ids)
def test_gradients_are_those_of_float64_autograd(problem):
    name, _, _, options, _ = problem
    tensors = tensors_of(problem)
    if name == "cbam":
        tensors.pop("spatial_norm.weight", None)
    names = {info.name: info.argument for info in descriptions()[name].inputs}
    doubles = {
        names[tensor]: value.detach().double().requires_grad_(value.requires_grad)
        if value.is_floating_point()
        else value
        for tensor, value in tensors.items()
    }
    flags = descriptions()[name].flags
    expected = getattr(compositions, name)(
        **doubles, **{key: value for key, value in options.items() if key not in flags}
    )
    expected, actual = every(expected), every(call(problem, tensors))
    generator = torch.Generator().manual_seed(5)
    upstream = [torch.randn(result.shape, generator=generator) for result in actual]
    torch.autograd.backward(expected, [of.double() for of in upstream])
    torch.autograd.backward(actual, upstream)
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=0, atol=TOLERANCE * max(1.0, theirs.abs().max().item()))
    for tensor, value in tensors.items():
        if value.requires_grad:
            wanted = doubles[names[tensor]].grad
            room = TOLERANCE * max(1.0, wanted.abs().max().item())
            worst = (value.grad.double() - wanted).abs().max().item()
            assert worst <= room, f"{tensor}: off by {worst:.2e}, {room:.2e} is possible"


X, W1, W2 = torch.randn(2, 8, 5, 6), torch.randn(2, 8), torch.randn(8, 2)


def program(x):
    pooled = vt.global_pool(x, squeeze="mean_and_max")
    results = vt.squeeze_excite(x, W1, W2, want="gate")
    return (torch.relu(results.output).mean((2, 3)) * results.gate + pooled.mean * pooled.max).sum()


@pytest.mark.parametrize("backend", ["eager", "aot_eager", "inductor"])
def test_a_whole_graph_compiles_with_its_gradient(backend):
    if backend == "inductor" and not any(map(shutil.which, ["c++", "g++", "clang++"])):
        pytest.skip("PyTorch's own backend needs a C++ compiler")
    torch._dynamo.reset()
    compiled = torch.compile(program, backend=backend, fullgraph=True)
    for shape in [(2, 8, 5, 6), (3, 8, 5, 6), (5, 8, 7, 4)]:
        eager, traced = (torch.ones(shape).cumsum(3).requires_grad_() for _ in range(2))
        expected, actual = program(eager), compiled(traced)
        expected.backward(), actual.backward()
        torch.testing.assert_close(actual, expected)
        torch.testing.assert_close(traced.grad, eager.grad)


def test_a_module_is_exported_for_batches_of_any_size():
    module = vt.SqueezeExcitation(8, 2)
    exported = torch.export.export(module, (X,), dynamic_shapes=({0: torch.export.Dim("n", min=2, max=64)},))
    assert any("visual_attention.squeeze_excite" in str(node.target) for node in exported.graph.nodes)
    for batch in (2, 7):
        x = torch.randn(batch, 8, 5, 6)
        torch.testing.assert_close(exported.module()(x), module(x))


def test_only_what_is_needed_has_a_gradient():
    x, w1, w2 = X.clone().requires_grad_(), W1.clone(), W2.clone().requires_grad_()
    vt.squeeze_excite(x, w1, w2).sum().backward()
    assert x.grad is not None and w1.grad is None and w2.grad is not None
    y = torch.randn(2, 4, 6, 7, requires_grad=True)
    layer = vt.sasa_layer(
        y, torch.randn(3, 4, 4), tables_rows=torch.randn(1, 3), tables_columns=torch.randn(1, 3),
        inputs=4, heads=2, head_dim=2, window=3, want="log_sum_exp",
    )  # fmt: skip
    # The layer has no gradient of it.
    assert not layer.log_sum_exp.requires_grad and layer.y.requires_grad
    with pytest.raises(RuntimeError):
        first = torch.autograd.grad(vt.squeeze_excite(x, w1, w2).sum(), x, create_graph=True)[0]
        first.sum().backward()


def test_a_type_checker_accepts_a_program(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "program.py").write_text(
        "import torch\nimport visual_attention.torch as vt\n"
        "y: torch.Tensor = vt.eca(torch.ones(1, 4, 2, 2), torch.ones(3))\n"
        "gate: torch.Tensor | None = vt.eca(y, torch.ones(3), want='gate').gate\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "program.py"]
    outcome = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert outcome.returncode == 0, outcome.stdout


def test_halves_and_strides(device):
    if not device.has_float16:
        pytest.skip("no float16")
    halves = [tensor.half().requires_grad_() for tensor in (X, W1, W2)]
    result = vt.squeeze_excite(*halves)
    result.sum().backward()
    assert result.dtype == torch.float16 and all(tensor.grad.dtype == torch.float16 for tensor in halves)
    last = X.to(memory_format=torch.channels_last)
    torch.testing.assert_close(vt.squeeze_excite(last, W1.T.contiguous().T, W2), vt.squeeze_excite(X, W1, W2))


@pytest.mark.parametrize(
    ("wrong", "error", "text"),
    [
        (lambda: vt.squeeze_excite(X.double(), W1, W2), TypeError, "`features` is float64, needs float32"),
        (lambda: vt.squeeze_excite(X.bfloat16(), W1, W2), TypeError, "`features` is torch.bfloat16"),
        (lambda: vt.squeeze_excite(X, W1, W1), ValueError, r"`expand_weight` is \[2, 8\], needs \[8, 2\]"),
        (lambda: vt.squeeze_excite(X.numpy(), W1, W2), TypeError, "`features` is ndarray, needs torch.Tensor"),
        (lambda: vt.squeeze_excite(X, W1, W2, squeeze="median"), ValueError, "`squeeze` is median, needs mean"),
        (lambda: vt.squeeze_excite(X, W1), TypeError, "missing a required argument"),
    ],
)
def test_wrong_arguments_are_named_with_what_is_needed(wrong, error, text):
    with pytest.raises(error, match=text):
        wrong()
