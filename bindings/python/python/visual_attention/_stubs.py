"""Writes `_operators.pyi` and `torch/_ops.pyi`: `python -m visual_attention._stubs`."""

from __future__ import annotations

import argparse
import inspect
import pathlib
from collections.abc import Iterable

from ._build import (
    call_signature,
    class_doc,
    function_doc,
    function_signature,
    init_signature,
    torch_doc,
    torch_signature,
)
from ._description import Description, descriptions

HEADER = '''\
# Written by `python -m visual_attention._stubs`. What it says comes from the crate's descriptions.

from collections.abc import Mapping, Sequence
from typing import Any, Generic, Literal, NamedTuple, TypeVar, overload

import numpy.typing as npt

from ._native import Device
from ._tensor import Tensor

Array = npt.NDArray[Any]
_T = TypeVar("_T")

class Operator:
    """An operator with its options, on a device. It keeps its pipelines, and what it was bound to last."""
    @property
    def device(self) -> Device: ...
    def cost(self, **shapes: Sequence[int]) -> tuple[int, int]:
        """Floating-point operations and bytes of one run, for inputs of these shapes."""
    def clear(self) -> None:
        """Frees scratch buffers, and forgets what it was bound to."""
'''


def _doc(text: str, indent: str) -> list[str]:
    lines = text.split("\n")
    return [f'{indent}"""{lines[0]}', *(f"{indent}{line}".rstrip() for line in lines[1:]), f'{indent}"""']


def _arguments(signature: inspect.Signature, indent: str) -> list[str]:
    lines = []
    keyword = False
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not keyword:
            lines.append(f"{indent}*,")
            keyword = True
        default = "" if parameter.default is inspect.Parameter.empty else f" = {parameter.default!r}"
        lines.append(f"{indent}{parameter.name}: {parameter.annotation}{default},")
    return lines


def _function(name: str, signature: inspect.Signature, outputs: str, doc: str | None, own: str = "") -> Iterable[str]:
    """A function or a method. With `want` the results have names, without it a single one is itself."""
    indent, named = " " * (4 * bool(own)), signature.return_annotation == outputs
    for wanted in [None] if named else [False, True]:
        if wanted is not None:
            yield f"{indent}@overload"
        yield f"{indent}def {name}({own}"
        for line in _arguments(signature, indent + "    "):
            if wanted is False and line.lstrip().startswith("want:"):
                line = f"{indent}    want: None = None,"
            if wanted is True and line.lstrip().startswith("want:"):
                line = f"{indent}    want: str | Sequence[str],"
            yield line
        ended = f"{indent}) -> {outputs if wanted else signature.return_annotation}:"
        if doc is None or wanted:
            yield f"{ended} ..."
        else:
            yield ended
            yield from _doc(doc, indent + "    ")


def _operator(description: Description) -> Iterable[str]:
    yield ""
    yield f"class {description.class_name}Outputs(NamedTuple, Generic[_T]):"
    yield f'    """Results of `{description.name}`. A result that was not computed is `None`."""'
    for tensor in description.outputs:
        # A result may have the name of a method of tuples, and then takes its place.
        ignored = "  # type: ignore[assignment]" if hasattr(tuple, tensor.argument) else ""
        yield f"    {tensor.argument}: _T{' | None' if tensor.optional else ''}{ignored}"
    yield ""
    outputs = f"{description.class_name}Outputs"
    yield from _function(
        description.name, function_signature(description), f"{outputs}[Array]", function_doc(description)
    )
    yield ""
    yield f"class {description.class_name}(Operator):"
    yield from _doc(class_doc(description), "    ")
    yield "    def __init__("
    yield "        self,"
    yield from _arguments(init_signature(description), "        ")
    yield "    ) -> None: ..."
    yield from _function("__call__", call_signature(description), f"{outputs}[Tensor]", None, "self,")


def _listed(names: Iterable[str]) -> str:
    return "\n__all__ = [\n" + "".join(f'    "{name}",\n' for name in names) + "]\n"


def operators() -> str:
    """The stub of functions and classes."""
    lines, names = [HEADER.rstrip()], ["Operator"]
    for description in descriptions().values():
        lines += _operator(description)
        names += [description.name, description.class_name, f"{description.class_name}Outputs"]
    return "\n".join(lines) + "\n" + _listed(names)


TORCH = """\
# Written by `python -m visual_attention._stubs`. What it says comes from the crate's descriptions.

from collections.abc import Sequence
from typing import Literal, overload

import torch

from .._operators import (
"""


def torch() -> str:
    """The stub of the functions on PyTorch's tensors."""
    chosen = [of for of in descriptions().values() if f"{of.name}_backward" in descriptions()]
    names = sorted(f"{of.class_name}Outputs" for of in chosen)
    lines = [TORCH + "".join(f"    {name},\n" for name in names) + ")"]
    for of in chosen:
        outputs = f"{of.class_name}Outputs[torch.Tensor]"
        lines += ["", *_function(of.name, torch_signature(of), outputs, torch_doc(of))]
    return "\n".join(lines) + "\n\nDIFFERENTIABLE: list[str]\n" + _listed(of.name for of in chosen)


def files() -> dict[pathlib.Path, str]:
    """Every stub that is written."""
    here = pathlib.Path(__file__).parent
    return {here / "_operators.pyi": operators(), here / "torch" / "_ops.pyi": torch()}


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    for path, text in files().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
