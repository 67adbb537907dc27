"""Functions and classes of operators, with signatures and docstrings, from their descriptions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from . import _call
from ._description import Description, TensorInfo
from ._tensor import Tensor, default_device

POSITIONAL, KEYWORD = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY


def _parameter(name: str, kind: Any, annotation: str, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, kind, annotation=annotation, default=default)


def _inputs(description: Description, kind: str) -> list[inspect.Parameter]:
    required = [tensor for tensor in description.inputs if not tensor.optional]
    optional = [tensor for tensor in description.inputs if tensor.optional]
    shaped = f"{kind} | tuple[int, ...]"
    return [_parameter(tensor.argument, POSITIONAL, shaped if tensor.shape_only else kind) for tensor in required] + [
        _parameter(tensor.argument, KEYWORD, f"{kind} | None", None) for tensor in optional
    ]


def _options(description: Description, of_class: bool) -> list[inspect.Parameter]:
    parameters = []
    for option in description.options:
        if option.name in description.flags and not of_class:
            continue
        if option.is_element:
            if of_class:
                parameters.append(_parameter(option.name, KEYWORD, "npt.DTypeLike", "float32"))
        elif option.required:
            parameters.append(_parameter(option.name, KEYWORD, option.type))
        else:
            kind = option.type if option.value is not None else f"{option.type} | None"
            parameters.append(_parameter(option.name, KEYWORD, kind, option.value))
    # Those without a default first.
    return sorted(parameters, key=lambda parameter: parameter.default is not inspect.Parameter.empty)


WANT = _parameter("want", KEYWORD, "str | Sequence[str] | None", None)
DEVICE = _parameter("device", KEYWORD, "Device | None", None)


def result_type(description: Description, kind: str) -> str:
    """What a call returns with default options."""
    needed = [tensor for tensor in description.outputs if not tensor.optional] or description.outputs
    return kind if len(needed) == 1 else f"{description.class_name}Outputs[{kind}]"


def function_signature(description: Description) -> inspect.Signature:
    keywords = [*_inputs(description, "Array"), *_options(description, False), WANT, DEVICE]
    return inspect.Signature(
        sorted(keywords, key=lambda parameter: parameter.kind), return_annotation=result_type(description, "Array")
    )


def init_signature(description: Description) -> inspect.Signature:
    return inspect.Signature([*_options(description, True), DEVICE])


def call_signature(description: Description) -> inspect.Signature:
    keywords = [
        *_inputs(description, "Tensor | Array"),
        WANT,
        _parameter("out", KEYWORD, "Mapping[str, Tensor] | None", None),
    ]
    return inspect.Signature(keywords, return_annotation=result_type(description, "Tensor"))


def _tensor_line(tensor: TensorInfo) -> str:
    dtype = "float32 or float16" if tensor.dtype.endswith("element") else tensor.dtype
    need = ", optional" if tensor.optional else ", or a tuple with its shape" if tensor.shape_only else ""
    return f"    {tensor.argument}: {dtype} `{tensor.shape}`{need}"


def tensor_lines(description: Description) -> list[str]:
    lines = ["Inputs:", *map(_tensor_line, description.inputs), "", "Outputs:", *map(_tensor_line, description.outputs)]
    return lines


def option_lines(description: Description, of_class: bool) -> list[str]:
    options = [
        option
        for option in description.options
        if not option.is_element and (of_class or option.name not in description.flags)
    ]
    if not options:
        return []
    lines = ["", "Options:"]
    for option in options:
        default = (
            "" if option.required else ("; follows from others" if option.default is None else f"; {option.default}")
        )
        lines.append(f"    {option.name}: {option.values}{default}")
    return lines


def summary(description: Description) -> str:
    about = description.about
    return f"{about[0].upper()}{about[1:]}."


def function_doc(description: Description) -> str:
    lines = [
        summary(description),
        "",
        *tensor_lines(description),
        *option_lines(description, False),
        "",
        "Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the",
        "type of the others. `want` names the optional outputs to compute.",
        f"`{description.class_name}` keeps results on the GPU.",
    ]
    return "\n".join(lines)


def class_doc(description: Description) -> str:
    lines = [
        summary(description),
        "",
        "An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.",
        "It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.",
        "",
        *tensor_lines(description),
        *option_lines(description, True),
    ]
    return "\n".join(lines)


def torch_signature(description: Description) -> inspect.Signature:
    """Of the function on PyTorch's tensors."""
    signature = function_signature(description)
    parameters = [
        parameter.replace(annotation=parameter.annotation.replace("Array", "torch.Tensor"))
        for name, parameter in signature.parameters.items()
        if name != "device"
    ]
    return inspect.Signature(parameters, return_annotation=result_type(description, "torch.Tensor"))


def torch_doc(description: Description) -> str:
    lines = [summary(description), "", *tensor_lines(description), *option_lines(description, False)]
    return "\n".join([*lines, "", "Tensors are on the CPU. `want` names the optional outputs to compute."])


def bound(signature: inspect.Signature, name: str, arguments: Any, keywords: Any) -> dict[str, Any]:
    try:
        return signature.bind(*arguments, **keywords).arguments
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None


def _given(description: Description, arguments: dict[str, Any]) -> dict[str, Any]:
    """Inputs that were given, by the crate's names."""
    return {
        tensor.name: arguments[tensor.argument]
        for tensor in description.inputs
        if arguments.get(tensor.argument) is not None
    }


def make_function(description: Description) -> Callable[..., Any]:
    signature = function_signature(description)
    options = set(description.by_option)

    def call(*arguments: Any, **keywords: Any) -> Any:
        passed = bound(signature, description.name, arguments, keywords)
        chosen = {name: value for name, value in passed.items() if name in options - description.flags}
        chosen |= {name: passed.get(name) is not None for name in description.flags}
        want = _call.wanted(description, passed.get("want"))
        return _call.function(description, _given(description, passed), chosen, want, passed.get("device"))

    call.__name__ = call.__qualname__ = description.name
    call.__module__ = "visual_attention"
    call.__doc__ = function_doc(description)
    call.__signature__ = signature  # type: ignore[attr-defined]
    return call


class Operator:
    """An operator with its options, on a device. It keeps its pipelines, and what it was bound to last."""

    _description: Description
    _opened: _call.Opened

    @property
    def device(self) -> Any:
        """The device that it runs on."""
        return self._opened.device

    def cost(self, **shapes: Any) -> tuple[int, int]:
        """Floating-point operations and bytes of one run, for inputs of these shapes."""
        names = self._description.crate_names
        return self._opened.native.cost([(names.get(name, name), list(shape)) for name, shape in shapes.items()])

    def clear(self) -> None:
        """Frees scratch buffers, and forgets what it was bound to."""
        self._opened.native.clear()

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value}" for name, value in self._texts)
        return f"{type(self).__name__}({options})"

    _texts: tuple[tuple[str, str], ...]


def make_class(description: Description) -> type[Operator]:
    of_init, of_call = init_signature(description), call_signature(description)

    def __init__(self: Operator, *arguments: Any, **keywords: Any) -> None:
        passed = bound(of_init, description.class_name, arguments, keywords)
        device = passed.pop("device", None) or default_device()
        self._texts = _call.texts(description, passed)
        for option in description.options:
            if option.required and option.name not in passed:
                raise TypeError(f"{description.name}: `{option.name}` is missing, needs {option.values}")
        self._opened = _call.Opened(description, device, self._texts)

    def __call__(self: Operator, *arguments: Any, **keywords: Any) -> Any:
        passed = bound(of_call, description.name, arguments, keywords)
        want = _call.wanted(description, passed.get("want"))
        given = {}
        for name, value in _given(description, passed).items():
            given[name] = value if isinstance(value, Tensor) else _call.array(description, name, value)
        if any(not isinstance(value, Tensor) for value in given.values()):
            # What does not fit is refused before anything goes to the device.
            self._opened.plan(given, want)
            given = {name: _call.uploaded(value, self.device) for name, value in given.items()}
        return _call.result(description, self._opened.run(given, want, passed.get("out")), want)

    for method, signature in ((__init__, of_init), (__call__, of_call)):
        own = _parameter("self", inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.empty)
        method.__signature__ = signature.replace(parameters=[own, *signature.parameters.values()])  # type: ignore[attr-defined]
        method.__qualname__ = f"{description.class_name}.{method.__name__}"
    members = {
        "__init__": __init__,
        "__call__": __call__,
        "__doc__": class_doc(description),
        "__module__": "visual_attention",
        "_description": description,
    }
    return type(description.class_name, (Operator,), members)
