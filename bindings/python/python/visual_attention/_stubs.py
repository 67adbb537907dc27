"""Writes `_operators.pyi`: `python -m visual_attention._stubs`. With `--check` it only compares."""

from __future__ import annotations

import argparse
import inspect
import pathlib
import sys
from collections.abc import Iterable

from ._build import call_signature, class_doc, function_doc, function_signature, init_signature
from ._description import Description, descriptions

HEADER = '''\
# Written by `python -m visual_attention._stubs`. What it says comes from the crate's descriptions.

from collections.abc import Mapping, Sequence
from typing import Any, Generic, Literal, NamedTuple, TypeVar

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


def _operator(description: Description) -> Iterable[str]:
    yield ""
    yield f"class {description.class_name}Outputs(NamedTuple, Generic[_T]):"
    yield f'    """Results of `{description.name}`. A result that was not computed is `None`."""'
    for tensor in description.outputs:
        yield f"    {tensor.argument}: _T{' | None' if tensor.optional else ''}"
    yield ""
    yield f"def {description.name}("
    signature = function_signature(description)
    yield from _arguments(signature, "    ")
    yield f") -> {signature.return_annotation}:"
    yield from _doc(function_doc(description), "    ")
    yield ""
    yield f"class {description.class_name}(Operator):"
    yield from _doc(class_doc(description), "    ")
    yield "    def __init__("
    yield "        self,"
    yield from _arguments(init_signature(description), "        ")
    yield "    ) -> None: ..."
    yield "    def __call__("
    yield "        self,"
    signature = call_signature(description)
    yield from _arguments(signature, "        ")
    yield f"    ) -> {signature.return_annotation}: ..."


def text() -> str:
    lines = [HEADER.rstrip()]
    for description in descriptions().values():
        lines += _operator(description)
    names = ["Operator"]
    for description in descriptions().values():
        names += [description.name, description.class_name, f"{description.class_name}Outputs"]
    return "\n".join(lines) + "\n\n__all__ = [\n" + "".join(f'    "{name}",\n' for name in names) + "]\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the file, and fail where it differs")
    parser.add_argument(
        "path", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).with_suffix("").with_name("_operators.pyi")
    )
    arguments = parser.parse_args()
    if not arguments.check:
        arguments.path.write_text(text())
    elif arguments.path.read_text() != text():
        sys.exit(f"{arguments.path} is not current: run python -m visual_attention._stubs")


if __name__ == "__main__":
    main()
