"""What the crate says of its operators: options, tensors, shapes. No GPU is needed for it.

Names of axes come from each operator's example: an extent of a tensor shows which axes and options it is made of.
"""

from __future__ import annotations

import functools
import itertools
import re
from dataclasses import dataclass, field, replace

from . import _native

#: NumPy's name of each element type.
DTYPES = {"f32": "float32", "f16": "float16", "u32": "uint32", "i32": "int32"}
#: Options that choose an element type, and so follow from the arrays.
ELEMENTS = "f32, f16"


@dataclass(frozen=True)
class Option:
    """An option of an operator."""

    name: str
    #: The values that it takes, in words.
    values: str
    #: As text; `None` for one that must be given, or whose default follows from others.
    default: str | None
    required: bool

    @property
    def is_element(self) -> bool:
        return self.values == ELEMENTS

    @property
    def choices(self) -> list[str]:
        """Names that are all there is."""
        names = [name.strip() for name in self.values.split(",")]
        return names if all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names) and len(names) > 1 else []

    @property
    def type(self) -> str:
        """As a type for Python."""
        if self.values == "a number":
            return "float"
        if self.values == "a whole number":
            return "int"
        if self.values == "true or false":
            return "bool"
        if self.values == "height,width" or self.values.startswith("one number"):
            return "int | Sequence[int]"
        if "rows,columns" in self.values:
            return "str | Sequence[str]"
        # Digits alone name a value, too: 4 or 8.
        if re.fullmatch(r"\d+(, \d+)+", self.values):
            return f"Literal[{self.values}]"
        return f"Literal[{', '.join(map(repr, self.choices))}]" if self.choices and ":" not in self.values else "str"

    @property
    def value(self):
        """The default as a value of Python."""
        if self.default is None:
            return None
        if self.type in ("float", "int", "bool"):
            return {"float": float, "int": int, "bool": "true".__eq__}[self.type](self.default)
        if self.type.startswith("Literal["):
            return int(self.default) if self.default.isdigit() else self.default
        if self.type == "int | Sequence[int]":
            return tuple(int(number) for number in self.default.split(","))
        return self.default

    def text(self, operator: str, value) -> str:
        """A value of Python as the crate reads it."""
        if isinstance(value, (bool,)):
            return "true" if value else "false"
        if isinstance(value, (list, tuple)):
            return ",".join(self.text(operator, one) for one in value)
        if isinstance(value, str):
            return value
        try:
            return repr(value.item() if hasattr(value, "item") else value)
        except (TypeError, ValueError):
            raise TypeError(f"{operator}: `{self.name}` is {value!r}, needs {self.values}") from None


@dataclass(frozen=True)
class TensorInfo:
    """A tensor of an operator."""

    #: The crate's name: `norm.weight`.
    name: str
    #: Python's name: `norm_weight`.
    argument: str
    #: Names of the axes, slowest first.
    axes: tuple[str, ...]
    #: NumPy's name of the element type, or the option that chooses it.
    dtype: str
    optional: bool
    #: Whether its shape is needed, and its numbers only with some options.
    shape_only: bool

    @property
    def shape(self) -> str:
        return f"[{', '.join(self.axes)}]"


@dataclass(frozen=True)
class Description:
    """An operator."""

    name: str
    about: str
    options: tuple[Option, ...]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    @property
    def class_name(self) -> str:
        return "".join(word.capitalize() for word in self.name.split("_"))

    @functools.cached_property
    def crate_names(self) -> dict[str, str]:
        """The crate's name of each argument and output."""
        return {tensor.argument: tensor.name for tensor in self.inputs + self.outputs}

    @functools.cached_property
    def flags(self) -> frozenset[str]:
        """Options that say whether the input of the same name is given."""
        return frozenset(self.by_option) & {tensor.argument for tensor in self.inputs}

    @functools.cached_property
    def by_option(self) -> dict[str, Option]:
        return {option.name: option for option in self.options}


def argument(name: str) -> str:
    """A tensor's name as an identifier: `norm.weight` is `norm_weight`, `y[0]` is `y0`."""
    return re.sub(r"\[(\d+)\]", r"\1", name).replace(".", "_")


@dataclass
class _Axes:
    """What each extent of an example is called."""

    axes: dict[int, str] = field(default_factory=dict)
    options: dict[int, str] = field(default_factory=dict)

    def of(self, extent: int) -> str:
        exact = self.axes.get(extent) or self.options.get(extent)
        return exact or self._made_of_options(extent) or self._made_of_both(extent) or str(extent)

    def _made_of_options(self, extent: int) -> str | None:
        for number, name in self.options.items():
            if extent == 2 * number - 1:
                return f"2*{name} - 1"
            for parts in (2, 3):
                if extent == number // parts and extent > 3:
                    return f"{name}//{parts}"
        for number, name in self.options.items():
            if extent == number + 2:
                return f"2 + {name}"
        for (first, a), (second, b) in itertools.combinations(self.options.items(), 2):
            if extent == first * second:
                return f"{a}*{b}"
        return None

    def _made_of_both(self, extent: int) -> str | None:
        for (whole, axis), (part, name) in itertools.product(self.axes.items(), self.options.items()):
            if extent == whole // part and extent > 3:
                return f"{axis}//{name}"
        return None


def _axes(example_options, inputs) -> _Axes:
    axes = _Axes()
    for _, shape in inputs:
        for name, extent in shape:
            axes.axes.setdefault(extent, name)
    for name, text in example_options:
        numbers = text.split(",")
        for index, number in enumerate(numbers):
            if number.isdigit():
                axes.options.setdefault(int(number), name if len(numbers) == 1 else f"{name}[{index}]")
    return axes


def _variants(example_options, asked):
    """The example's options, then with each other value of one option."""
    base = list(example_options)
    yield base
    for name, values, default in asked:
        option = Option(name, values, default, default is None)
        if option.is_element:
            continue
        others = [choice for choice in option.choices if choice != default]
        if option.type == "bool":
            others = ["true", "false"]
        if option.type == "int" and default == "1":
            others = ["2", "3"]
        if name in dict(base) and re.fullmatch(r"\d+,\d+", dict(base)[name]):
            others = ["3," + dict(base)[name]]
        for other in others:
            yield [(given, value) for given, value in base if given != name] + [(name, other)]
        # A table for each axis takes a window over each axis.
        if option.choices and "window" in dict(base):
            window = "3," + dict(base)["window"]
            for other in option.choices:
                yield [(given, value) for given, value in base if given not in (name, "window")] + [
                    (name, other),
                    ("window", window),
                ]


def _listed(name, options, shapes):
    try:
        return _native.tensors(name, options, shapes)
    except ValueError:
        # These values do not go together.
        return []


def _describe(name: str, about: str, example) -> Description:
    example_options, inputs, left_out = example
    asked = _native.options(name, example_options)
    shapes = [(tensor, [extent for _, extent in axes]) for tensor, axes in inputs]
    axes = _axes(example_options, inputs)
    halves = [option for option, values, _ in asked if values == ELEMENTS]
    deciding = {tensor for tensor, _ in inputs}
    forward = name.removesuffix("_backward")
    needed = {row[0] for row in _native.tensors(forward, example_options, shapes) if not row[4]}
    found: dict[str, TensorInfo] = {}
    # The option that chooses an element type, by tensor.
    varying: dict[str, str] = {}
    # Inputs that are needed with all options.
    always = {row[0] for row in _native.tensors(name, example_options, shapes)}
    roles: dict[str, str] = {}
    for number, variant in enumerate(_variants(example_options, asked)):
        single = _listed(name, variant, shapes)
        if single:
            always &= {row[0] for row in single if not row[4]}
        for half in halves:
            listed = _listed(name, [*variant, (half, "f16")], shapes)
            varying |= {row[0]: half for row in listed if row[2] == "f16"}
            if listed:
                always &= {row[0] for row in listed if not row[4]}
        for tensor, shape, dtype, role, optional, _ in single:
            shape_only = optional and role == "input" and tensor in deciding & needed
            if tensor in found:
                info = found[tensor]
                if shape_only:
                    found[tensor] = info = replace(info, shape_only=True)
                # An axis that is as long as an option says.
                changed = [
                    option for option, value in variant if (option, value) not in example_options and value == "2"
                ]
                if changed and len(shape) == len(info.axes):
                    named = [changed[0] if pair == ("1", 2) else pair[0] for pair in zip(info.axes, shape)]
                    found[tensor] = replace(info, axes=tuple(named))
                continue
            dtype = varying.get(tensor, DTYPES[dtype])
            names = tuple(axes.of(extent) for extent in shape)
            # What only some options ask for can't be asked for in every call.
            optional = (optional or number > 0 or tensor in left_out) and not shape_only
            found[tensor] = TensorInfo(tensor, argument(tensor), names, dtype, optional, shape_only)
            roles[tensor] = role
    # A default that changes with another option follows from it.
    changed = [(option, str(int(text) + 2) if text.isdigit() else text) for option, text in example_options]
    other = {option: default for option, _, default in _native.options(name, changed)}
    options = []
    for option, values, default in asked:
        constant = default if other[option] == default else None
        options.append(Option(option, values, constant, default is None))
    order = sorted(found.values(), key=lambda tensor: tensor.optional)
    inputs_found = [
        replace(tensor, optional=not tensor.shape_only and tensor.name not in always - set(left_out))
        for tensor in order
        if roles[tensor.name] != "output"
    ]
    return Description(
        name,
        about,
        tuple(sorted(options, key=lambda option: not option.required)),
        tuple(sorted(inputs_found, key=lambda tensor: tensor.optional)),
        tuple(tensor for tensor in order if roles[tensor.name] != "input"),
    )


@functools.cache
def descriptions() -> dict[str, Description]:
    """Every operator by name."""
    return {name: _describe(name, about, example) for name, about, example in _native.describe()}
