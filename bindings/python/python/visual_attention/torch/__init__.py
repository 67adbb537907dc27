"""The operators for PyTorch, with autograd, `torch.compile` and `torch.export`.

Modules have the parameter names of torchvision and timm, so that state dicts of those load.

Every operator that has a gradient is a function on tensors, `squeeze_excite(features, ...)`, and the custom operator
`torch.ops.visual_attention.squeeze_excite`. Tensors are on the CPU. The computation is on the device of
`visual_attention.default_device()`.
"""

from ._modules import CbamModule, EcaModule, SqueezeExcitation, WindowAttention, replace_squeeze_excite
from ._ops import *  # noqa: F403
from ._ops import __all__ as _operators

__all__ = [
    "CbamModule",
    "EcaModule",
    "SqueezeExcitation",
    "WindowAttention",
    "replace_squeeze_excite",
    *_operators,
]
