"""Arrays on a device."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ._native import Buffer, Device

#: Element types of tensors.
DTYPES = ("float32", "float16", "uint32", "int32")

_default: Device | None = None
_lock = threading.Lock()


def default_device() -> Device:
    """The device for calls that name none. The first call opens it. A forked process opens another."""
    global _default
    with _lock:
        if _default is None or not _default.is_own:
            _default = Device()
        return _default


def set_default_device(device: Device) -> None:
    """Makes `device` the one for calls that name none."""
    global _default
    if not isinstance(device, Device):
        raise TypeError(f"`device` is {type(device).__name__}, needs Device")
    with _lock:
        _default = device


def checked(name: str, array: npt.ArrayLike) -> npt.NDArray[Any]:
    """A contiguous array of an element type that tensors have. One that is not contiguous is copied, once."""
    if not isinstance(array, np.ndarray):
        if hasattr(array, "__array__"):
            array = np.asarray(array)
        else:
            raise TypeError(f"{name} is {type(array).__name__}, needs a NumPy array")
    if array.dtype not in DTYPES or not array.dtype.isnative:
        raise TypeError(f"{name} is {array.dtype}, needs one of {', '.join(DTYPES)}")
    return np.ascontiguousarray(array) if array.ndim else array


def _bytes(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return array.reshape(-1).view(np.uint8)


class Tensor:
    """An array on a device.

    `Tensor(array)` uploads a NumPy array: float32, float16, uint32 or int32. An array that is not contiguous is made
    contiguous first.
    """

    __slots__ = ("__weakref__", "_buffer", "_dtype", "_shape")

    def __init__(self, array: npt.ArrayLike, *, device: Device | None = None) -> None:
        contents = checked("the array", array)
        self._buffer = Buffer.upload(device or default_device(), _bytes(contents))
        self._shape = contents.shape
        self._dtype = contents.dtype

    @classmethod
    def empty(cls, shape: Sequence[int], dtype: npt.DTypeLike = "float32", *, device: Device | None = None) -> Tensor:
        """A tensor with any contents, for results."""
        kind = np.dtype(dtype)
        if kind not in DTYPES:
            raise TypeError(f"`dtype` is {kind}, needs one of {', '.join(DTYPES)}")
        extents = tuple(int(extent) for extent in shape)
        if any(extent < 0 for extent in extents):
            raise ValueError(f"`shape` is {extents}, needs extents from 0 on")
        return cls._of(Buffer(device or default_device(), math.prod(extents) * kind.itemsize), extents, kind)

    @classmethod
    def _of(cls, buffer: Buffer, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Tensor:
        tensor = cls.__new__(cls)
        tensor._buffer, tensor._shape, tensor._dtype = buffer, shape, dtype
        return tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents, slowest first."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type."""
        return self._dtype

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self._shape)

    @property
    def size(self) -> int:
        """How many elements it has."""
        return math.prod(self._shape)

    @property
    def nbytes(self) -> int:
        """Bytes of its elements."""
        return self.size * self._dtype.itemsize

    @property
    def device(self) -> Device:
        """The device that it is on."""
        return self._buffer.device

    def numpy(self) -> npt.NDArray[Any]:
        """A copy on the host, after all work that writes it."""
        words = self._buffer.read()
        return words.view(self._dtype)[: self.size].reshape(self._shape)

    def write(self, array: npt.ArrayLike) -> None:
        """Replaces the contents with an array of the same shape and element type."""
        contents = checked("the array", array)
        if contents.shape != self._shape:
            raise ValueError(f"the array has shape {contents.shape}, the tensor {self._shape}")
        if contents.dtype != self._dtype:
            raise TypeError(f"the array is {contents.dtype}, the tensor {self._dtype}")
        self._buffer.write(_bytes(contents))

    def reshape(self, *shape: int | Sequence[int]) -> Tensor:
        """The same memory under another shape. One extent may be -1."""
        given: Any = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        extents = [int(extent) for extent in given]
        if extents.count(-1) == 1:
            others = math.prod(extent for extent in extents if extent != -1)
            extents[extents.index(-1)] = self.size // others if others else 0
        if any(extent < 0 for extent in extents) or math.prod(extents) != self.size:
            raise ValueError(f"a tensor of shape {self._shape} has no shape {tuple(given)}")
        return self._of(self._buffer, tuple(extents), self._dtype)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("a tensor on a device can't become an array without a copy")
        array = self.numpy()
        return array if dtype is None else array.astype(dtype, copy=False)

    def __len__(self) -> int:
        if not self._shape:
            raise TypeError("a tensor without axes has no length")
        return self._shape[0]

    def __repr__(self) -> str:
        return f"<Tensor {self._dtype} {list(self._shape)} on {self.device.name}>"
