"""Every operator that has a gradient as a custom operator, from the crate's descriptions.

A custom operator returns a list: the outputs that are needed, those that are wanted, and those that its gradient reads.
Options travel as one text, since each operator has others.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from .. import _build, _call, _native
from .._description import Description, descriptions
from .._tensor import default_device

__all__: list[str] = []

TYPES = {"f32": torch.float32, "f16": torch.float16, "u32": torch.uint32, "i32": torch.int32}
#: Stands for a batch of unknown size: no other extent depends on it.
BATCH = 2


class Like(NamedTuple):
    """Shape and element type of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def numpy_type(name: str, tensor: torch.Tensor) -> np.dtype[Any]:
    """NumPy's element type."""
    try:
        return np.dtype(str(tensor.dtype).removeprefix("torch."))
    except TypeError:
        needed = "one of torch.float32, torch.float16"
        raise TypeError(f"{name} is {tensor.dtype}, needs {needed}") from None


def text_of(options: tuple[tuple[str, str], ...], want: list[str]) -> str:
    return json.dumps({"options": options, "want": want})


def of_text(text: str) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    read = json.loads(text)
    return tuple((name, value) for name, value in read["options"]), tuple(read["want"])


def backward_of(description: Description) -> Description:
    return descriptions()[f"{description.name}_backward"]


@functools.lru_cache(maxsize=4096)
def _rows(
    name: str, options: tuple[tuple[str, str], ...], shapes: tuple[tuple[str, tuple[int, ...]], ...]
) -> list[Any]:
    return _native.tensors(name, list(options), list(shapes))


def choose(
    description: Description, given: dict[str, Any], options: tuple[tuple[str, str], ...]
) -> tuple[tuple[tuple[str, str], ...], list[Any]]:
    """Options with the element types that the arrays have, and the rows of all tensors."""
    refused = None
    shapes = tuple((name, tuple(value.shape)) for name, value in given.items())
    for candidate in _call.elements(description, given):
        chosen = tuple(sorted((*options, *candidate)))
        rows = _rows(description.name, chosen, shapes)
        try:
            _call.planned(description, rows, given, ())
            return chosen, rows
        except TypeError as error:
            refused = refused or error
    raise refused or TypeError(description.name)


def saved(
    description: Description, options: tuple[tuple[str, str], ...], shapes: dict[str, tuple[int, ...]]
) -> set[str]:
    """Outputs that the gradient reads."""
    backward = backward_of(description)
    inputs = {tensor.name for tensor in backward.inputs}
    known = tuple((name, shape) for name, shape in shapes.items() if name in inputs)
    rows = _rows(backward.name, options, known)
    outputs = {tensor.name for tensor in description.outputs}
    return {row[0] for row in rows if row[3] != "output" and row[0] in outputs and not row[4]}


def outputs_of(
    description: Description, given: dict[str, Any], options: tuple[tuple[str, str], ...], want: tuple[str, ...]
) -> tuple[tuple[tuple[str, str], ...], list[Any]]:
    """Options with element types, and rows of what a custom operator returns."""
    chosen, rows = choose(description, given, options)
    if f"{description.name}_backward" in descriptions():
        shapes = {name: tuple(value.shape) for name, value in given.items()}
        has = {row[0] for row in rows if row[3] != "input"}
        want = (*want, *sorted(saved(description, chosen, shapes) & has - set(want)))
    _, outputs = _call.planned(description, rows, given, want)
    # What is wanted comes last, in the order in which it is wanted.
    outputs.sort(key=lambda row: want.index(row[0]) if row[0] in want else -1)
    return chosen, outputs


def _given(description: Description, tensors: tuple[Any, ...]) -> dict[str, torch.Tensor]:
    return {info.name: tensor for info, tensor in zip(description.inputs, tensors) if tensor is not None}


def _array(name: str, tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    numpy_type(name, tensor)
    return tensor.detach().contiguous().numpy()


def _likes(description: Description, given: dict[str, torch.Tensor], shapes: dict[str, Any]) -> dict[str, Any]:
    """Shapes and types. A batch of unknown size has a stand-in."""
    batched = {info.name for info in description.inputs if info.axes and info.axes[0] == "n"}
    likes: dict[str, Any] = {}
    for name, tensor in given.items():
        shape = tuple(tensor.shape)
        if name in batched and shape and not isinstance(shape[0], int):
            shape = (BATCH, *shape[1:])
        likes[name] = Like(tuple(int(extent) for extent in shape), numpy_type(f"{description.name}: `{name}`", tensor))
    for name, shape in shapes.items():
        whole = (BATCH, *shape[1:]) if not isinstance(shape[0], int) else shape
        likes[name] = _call.ShapeOnly(tuple(int(extent) for extent in whole))
    return likes


def _batch(description: Description, given: dict[str, torch.Tensor]) -> Any:
    """The batch, whether its size is known or not."""
    for info in description.inputs:
        if info.name in given and info.axes and info.axes[0] == "n":
            return given[info.name].shape[0]
    return BATCH


def _fakes(description: Description, rows: list[Any], given: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    batch, made = _batch(description, given), next(iter(given.values()))
    batched = {info.name for info in description.outputs if info.axes and info.axes[0] == "n"}
    fakes = []
    for name, shape, dtype, _, _, _ in rows:
        whole = [batch, *shape[1:]] if name in batched and not isinstance(batch, int) else shape
        fakes.append(made.new_empty(whole, dtype=TYPES[dtype]))
    return fakes


def _run(
    description: Description,
    options: tuple[tuple[str, str], ...],
    arrays: dict[str, Any],
    want: tuple[str, ...],
    rows: list[Any],
) -> list[torch.Tensor]:
    device = default_device()
    operator = _call.opened(description, device, options)
    tensors = {name: _call.uploaded(array, device) for name, array in arrays.items()}
    results = operator.run(tensors, want, consume=True)
    return [torch.from_numpy(results[row[0]].numpy()) for row in rows]


def _shaped(description: Description) -> list[str]:
    """Inputs whose shape may be all that is needed."""
    return [info.name for info in description.inputs if info.shape_only]


def _schema(description: Description) -> str:
    arguments = [
        f"Tensor{'?' if info.optional or info.shape_only else ''} {info.argument}" for info in description.inputs
    ]
    arguments += [f"SymInt[]? {info.argument}_shape" for info in description.inputs if info.shape_only]
    return f"({', '.join([*arguments, 'str options'])}) -> Tensor[]"


def _split(description: Description, arguments: tuple[Any, ...]) -> tuple[dict[str, torch.Tensor], dict[str, Any], str]:
    count = len(description.inputs)
    shapes = dict(zip(_shaped(description), arguments[count:-1]))
    shapes = {name: tuple(shape) for name, shape in shapes.items() if shape is not None}
    return _given(description, arguments[:count]), shapes, arguments[-1]


def _register(description: Description) -> Any:
    """The custom operator of an operator or of a gradient."""

    def compute(*arguments: Any) -> list[torch.Tensor]:
        given, shapes, text = _split(description, arguments)
        options, want = of_text(text)
        arrays: dict[str, Any] = {
            name: _array(f"{description.name}: `{name}`", tensor) for name, tensor in given.items()
        }
        arrays |= {name: _call.ShapeOnly(tuple(shape)) for name, shape in shapes.items()}
        chosen, rows = outputs_of(description, arrays, options, want)
        return _run(description, chosen, arrays, tuple(row[0] for row in rows), rows)

    def fake(*arguments: Any) -> list[torch.Tensor]:
        given, shapes, text = _split(description, arguments)
        options, want = of_text(text)
        _, rows = outputs_of(description, _likes(description, given, shapes), options, want)
        return _fakes(description, rows, given)

    made = torch.library.custom_op(
        f"visual_attention::{description.name}",
        compute,
        mutates_args=(),
        device_types="cpu",
        schema=_schema(description),
    )
    made.register_fake(fake)
    return made


def _differentiate(description: Description, forward: Any, gradient: Any) -> None:
    backward = backward_of(description)
    produced = {info.name.removesuffix("_gradient") for info in backward.outputs}
    takes = {info.name for info in backward.inputs}

    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: list[torch.Tensor]) -> None:
        given, _, text = _split(description, inputs)
        options, want = of_text(text)
        likes = _likes(description, given, {})
        chosen, rows = outputs_of(description, likes, options, want)
        outputs = dict(zip((row[0] for row in rows), output))
        ctx.mark_non_differentiable(*(tensor for name, tensor in outputs.items() if f"{name}_gradient" not in takes))
        known = tuple((name, tuple(like.shape)) for name, like in likes.items() if name in takes)
        optional = {row[0]: row[4] for row in _rows(backward.name, chosen, known) if row[3] != "output"}
        # What was computed in place of an input has its name.
        kept = {**given, **outputs}
        # Its numbers are read for gradients of other inputs alone.
        alone = len(produced & set(given)) == 1
        shaped = [name for name in _shaped(backward) if alone and name in given and optional.get(name, True)]
        unread = {name for name in outputs if optional.get(name, True)}
        ctx.reads = [name for name in optional if name in kept and name not in unread and name not in shaped]
        ctx.save_for_backward(*(kept[name] for name in ctx.reads))
        ctx.shapes = {name: list(given[name].shape) for name in shaped}
        ctx.types = {name: tensor.dtype for name, tensor in given.items()}
        ctx.likes = {name: (tensor.shape, tensor.dtype) for name, tensor in outputs.items()}
        ctx.options, ctx.optional = options, optional

    def differentiated(ctx: Any, upstream: list[torch.Tensor | None]) -> tuple[Any, ...]:
        tensors: dict[str, Any] = dict(zip(ctx.reads, ctx.saved_tensors))
        for (name, (shape, dtype)), of in zip(ctx.likes.items(), upstream):
            if f"{name}_gradient" not in ctx.optional:
                continue
            if of is None and not ctx.optional[f"{name}_gradient"]:
                of = torch.zeros(shape, dtype=dtype)
            tensors[f"{name}_gradient"] = of
        want = [
            f"{info.name}_gradient"
            for info, needed in zip(description.inputs, ctx.needs_input_grad)
            if needed and info.name in produced
        ]
        results: dict[str, torch.Tensor] = {}
        if want:
            arguments = [tensors.get(info.name) for info in backward.inputs]
            shapes = [ctx.shapes.get(name) for name in _shaped(backward)]
            results = dict(zip(want, gradient(*arguments, *shapes, text_of(ctx.options, want))))
        gradients = [
            results[name].to(ctx.types[info.name]) if (name := f"{info.name}_gradient") in results else None
            for info in description.inputs
        ]
        return (*gradients, *([None] * len(_shaped(description))), None)

    forward.register_autograd(differentiated, setup_context=setup_context)


def _function(description: Description, operator: Any) -> Callable[..., Any]:
    signature, options = _build.torch_signature(description), set(description.by_option)

    def call(*arguments: Any, **keywords: Any) -> Any:
        bound = _build.bound(signature, description.name, arguments, keywords)
        chosen = {name: value for name, value in bound.items() if name in options - description.flags}
        chosen |= {name: bound.get(name) is not None for name in description.flags}
        texts = _call.texts(description, chosen)
        want = _call.wanted(description, bound.get("want"))
        names = tuple(description.crate_names.get(name, name) for name in want or ())
        tensors = [bound.get(info.argument) for info in description.inputs]
        for info, tensor in zip(description.inputs, tensors):
            if tensor is not None and not isinstance(tensor, torch.Tensor):
                given = type(tensor).__name__
                raise TypeError(f"{description.name}: `{info.name}` is {given}, needs torch.Tensor")
            if tensor is not None and tensor.device.type not in ("cpu", "meta"):
                raise ValueError(f"{description.name}: `{info.name}` is on {tensor.device}, needs a tensor on cpu")
        made = operator(*tensors, text_of(texts, list(names)))
        given = {info.name: tensor for info, tensor in zip(description.inputs, tensors) if tensor is not None}
        _, rows = outputs_of(description, _likes(description, given, {}), texts, names)
        results = dict(zip((row[0] for row in rows), made))
        if want is None:
            needed = {row[0] for row in rows if not row[4]}
            results = {name: tensor for name, tensor in results.items() if name in needed}
        return _call.result(description, results, want)

    call.__name__ = call.__qualname__ = description.name
    call.__module__ = "visual_attention.torch"
    call.__doc__ = _build.torch_doc(description)
    call.__signature__ = signature  # type: ignore[attr-defined]
    # What it does with options is no part of a graph; the custom operator inside is.
    return torch.compiler.allow_in_graph(call)


#: Names of operators that have a gradient.
DIFFERENTIABLE = [name for name in descriptions() if f"{name}_backward" in descriptions()]

for _name in DIFFERENTIABLE:
    _forward, _backward = _register(descriptions()[_name]), _register(descriptions()[f"{_name}_backward"])
    _differentiate(descriptions()[_name], _forward, _backward)
    globals()[_name] = _function(descriptions()[_name], _forward)
    __all__.append(_name)
