"""One call of any operator, by the names of its tensors."""

from __future__ import annotations

import collections
import functools
import itertools
import threading
from typing import Any

import numpy as np

from . import _native
from ._description import DTYPES, Description, Option
from ._tensor import Tensor, checked, default_device

#: Operators that functions keep.
MOST_OPERATORS = 64
#: The crate's name of each element type that an operator can be built for.
ELEMENTS = {"float32": "f32", "float16": "f16", "f32": "f32", "f16": "f16"}


def element(operator: str, option: str, given: Any) -> str:
    """An element type by NumPy's name or the crate's."""
    name = given if isinstance(given, str) else None
    try:
        return ELEMENTS[name if name in ELEMENTS else np.dtype(given).name]
    except (TypeError, KeyError):
        raise ValueError(f"{operator}: `{option}` is {given!r}, needs float32 or float16") from None


def texts(description: Description, options: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Options that were given, as the crate reads them."""
    given = []
    for name, value in options.items():
        option = description.by_option[name]
        if value is None:
            if option.required:
                raise TypeError(f"{description.name}: `{name}` is missing, needs {option.values}")
            continue
        text = element(description.name, name, value) if option.is_element else option.text(description.name, value)
        given.append((name, text))
    return tuple(given)


class ShapeOnly:
    """Stands for an array that is not read."""

    dtype = None

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape


def array(description: Description, name: str, value: Any) -> Any:
    """An array that an operator takes, or a shape that stands for one."""
    if isinstance(value, tuple) and all(isinstance(extent, (int, np.integer)) for extent in value):
        tensor = next(tensor for tensor in description.inputs if tensor.name == name)
        if tensor.shape_only:
            return ShapeOnly(tuple(int(extent) for extent in value))
    return checked(f"{description.name}: `{name}`", value)


def uploaded(value: Any, device: _native.Device) -> Any:
    """An array on a device. What is there, and what is only a shape, stays as it is."""
    return Tensor(value, device=device) if isinstance(value, np.ndarray) else value


def planned(
    description: Description, rows: list[Any], given: dict[str, Any], want: tuple[str, ...] | None
) -> tuple[list[Any], list[Any]]:
    """Of an operator's rows those of the inputs that are given, and of the outputs to compute."""
    op, known, inputs = description.name, {row[0]: row for row in rows}, []
    for name, shape, dtype, role, optional, _ in rows:
        if role == "output":
            continue
        value = given.get(name)
        if value is None or isinstance(value, ShapeOnly):
            if not optional:
                raise TypeError(f"{op}: `{name}` is missing, needs {DTYPES[dtype]} {shape}")
            continue
        if value.dtype != DTYPES[dtype]:
            raise TypeError(f"{op}: `{name}` is {value.dtype}, needs {DTYPES[dtype]}")
        if list(value.shape) != shape:
            raise ValueError(f"{op}: shape of `{name}` is {list(value.shape)}, needs {shape}")
        inputs.append(known[name])
    outputs = [row for row in rows if row[3] != "input"]
    if want is None:
        chosen = [row for row in outputs if not row[4]]
        return inputs, chosen or [row for row in outputs if _applies(row[0], known, given)]
    names = {description.crate_names.get(name, name) for name in want}
    has = {row[0] for row in outputs}
    for name in names - has:
        raise ValueError(f"{op}: `want` has {name}, needs some of {', '.join(sorted(has))}")
    return inputs, [row for row in outputs if row[0] in names or not row[4]]


def _applies(name: str, known: dict[str, Any], given: dict[str, Any]) -> bool:
    """Whether an optional gradient has something to be the gradient of."""
    of = name.removesuffix("_gradient")
    return of == name or of in given or of not in known or not known[of][4]


class Opened:
    """An operator with its options, on a device."""

    def __init__(self, description: Description, device: _native.Device, options: tuple[tuple[str, str], ...]) -> None:
        self.description = description
        self.native = _native.Operator(device, description.name, list(options))
        self.device = device

    def plan(self, given: dict[str, Any], want: tuple[str, ...] | None) -> tuple[list[Any], list[Any]]:
        """Rows of the inputs and of the outputs. `given` has inputs by the crate's names."""
        rows = self.native.tensors([(name, list(value.shape)) for name, value in given.items()])
        return planned(self.description, rows, given, want)

    def run(
        self,
        given: dict[str, Tensor],
        want: tuple[str, ...] | None,
        out: dict[str, Tensor] | None = None,
        *,
        consume: bool = False,
    ) -> dict[str, Tensor]:
        """Runs on tensors. Outputs are new tensors, or those in `out`. With `consume`, inputs may be written over."""
        op, out = self.description.name, dict(out or {})
        crate_names = self.description.crate_names
        out = {crate_names.get(name, name): tensor for name, tensor in out.items()}
        known = {tensor.name for tensor in self.description.outputs}
        for name in out.keys() - known:
            raise ValueError(f"{op}: `out` has {name}, needs some of {', '.join(sorted(known))}")
        if want is None and out:
            # What has a place is wanted.
            _, chosen = self.plan(given, None)
            want = tuple({row[0] for row in chosen} | set(out))
        inputs, outputs = self.plan(given, want)
        tensors = {row[0]: given[row[0]] for row in inputs}
        shapes = [(name, list(value.shape)) for name, value in given.items()]
        results = {}
        for name, shape, dtype, role, _, _ in outputs:
            tensor = out.pop(name, None)
            if not isinstance(tensor, (Tensor, type(None))):
                raise TypeError(f"{op}: `out` has {type(tensor).__name__} for `{name}`, needs Tensor")
            if tensor is None and role == "in_place" and consume:
                tensor = tensors[name]
            if tensor is None:
                tensor = Tensor.empty(shape, DTYPES[dtype], device=self.device)
                if role == "in_place":
                    tensors[name]._buffer.copy_to(tensor._buffer)
            elif role == "in_place" and tensor._buffer is not tensors[name]._buffer:
                raise ValueError(f"{op}: `{name}` is computed in place, so `out` needs the input itself")
            elif list(tensor.shape) != shape or tensor.dtype != DTYPES[dtype]:
                given_text, needed = f"{tensor.dtype} {list(tensor.shape)}", f"{DTYPES[dtype]} {shape}"
                raise ValueError(f"{op}: `out` has {given_text} for `{name}`, needs {needed}")
            tensors[name] = results[name] = tensor
        if out:
            raise ValueError(f"{op}: `out` has {', '.join(out)}, needs some of {', '.join(sorted(results))}")
        self.native.run(shapes, [(name, tensor._buffer) for name, tensor in tensors.items()])
        return results


_opened: collections.OrderedDict[Any, Opened] = collections.OrderedDict()
_lock = threading.Lock()


def opened(description: Description, device: _native.Device, options: tuple[tuple[str, str], ...]) -> Opened:
    """An operator that was opened with the same options before, or another one."""
    key = (description.name, device, options)
    with _lock:
        found = _opened.get(key)
        if found is not None:
            _opened.move_to_end(key)
            return found
    made = Opened(description, device, options)
    with _lock:
        _opened[key] = made
        if len(_opened) > MOST_OPERATORS:
            _opened.popitem(last=False)
    return made


def result(description: Description, results: dict[str, Any], want: tuple[str, ...] | None) -> Any:
    """The one result, or all of them by name."""
    if want is None and len(results) == 1:
        return next(iter(results.values()))
    fields = outputs_type(description.name)._fields
    names = {tensor.argument: tensor.name for tensor in description.outputs}
    return outputs_type(description.name)(*(results.get(names[field]) for field in fields))


@functools.cache
def outputs_type(name: str) -> Any:
    """The tuple of an operator's results."""
    from ._description import descriptions

    description = descriptions()[name]
    made = collections.namedtuple(
        f"{description.class_name}Outputs", [tensor.argument for tensor in description.outputs]
    )
    made.__module__ = "visual_attention"
    made.__doc__ = f"Results of `{name}`. A result that was not computed is `None`."
    return made


def elements(description: Description, given: dict[str, Any]) -> list[tuple[tuple[str, str], ...]]:
    """Element types that an operator may have. Those of the first array with a choice come first."""
    names = [option.name for option in description.options if option.is_element]
    choosing = {tensor.name for tensor in description.inputs if tensor.dtype in names}
    first = next((value.dtype for name, value in given.items() if name in choosing), None)
    order = ("f16", "f32") if first == np.float16 else ("f32", "f16")
    return [tuple(zip(names, types)) for types in itertools.product(order, repeat=len(names))]


def function(description: Description, given: dict[str, Any], options: dict[str, Any], want: Any, device: Any) -> Any:
    """A call on NumPy arrays: uploads, runs, downloads."""
    arrays = {name: array(description, name, value) for name, value in given.items()}
    device, chosen = device or default_device(), texts(description, options)
    operator, refused = None, None
    for candidate in elements(description, arrays):
        operator = opened(description, device, tuple(sorted((*chosen, *candidate))))
        try:
            operator.plan(arrays, want)
            break
        except TypeError as error:
            # What the likeliest types lack is worth a message.
            refused = refused or error
    else:
        raise refused or TypeError(description.name)
    tensors = {name: uploaded(value, device) for name, value in arrays.items()}
    results = operator.run(tensors, want, consume=True)
    return result(description, {name: tensor.numpy() for name, tensor in results.items()}, want)


def wanted(description: Description, want: Any) -> tuple[str, ...] | None:
    """Names of outputs, or of one."""
    if want is None:
        return None
    names = (want,) if isinstance(want, str) else tuple(want)
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"{description.name}: `want` is {want!r}, needs names of outputs")
    return names


__all__ = ["Opened", "Option", "element", "function", "opened", "outputs_type", "result", "texts", "wanted"]
