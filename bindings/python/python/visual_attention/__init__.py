"""GPU compute kernels for visual attention, on every GPU that wgpu reaches.

Every operator is a function on NumPy arrays, `squeeze_excite(features, ...)`. It is a class, too, which keeps results
on the GPU: `SqueezeExcite(...)` takes and returns `Tensor`. Gradients are operators: `squeeze_excite_backward`.
"""

from ._native import Device, DeviceLostError
from ._operators import *  # noqa: F403
from ._operators import __all__ as _operators
from ._tensor import Tensor, default_device, set_default_device

__all__ = ["Device", "DeviceLostError", "Tensor", "default_device", "set_default_device", *_operators]
