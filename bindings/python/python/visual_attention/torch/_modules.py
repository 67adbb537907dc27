"""Modules whose parameters have the names of torchvision's and timm's."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from . import _ops

#: What modules of activations are called at the operators.
ACTIVATIONS = {
    nn.Identity: "none",
    nn.ReLU: "relu",
    nn.ReLU6: "relu6",
    nn.SiLU: "silu",
    nn.Hardswish: "hard_swish",
    nn.Sigmoid: "sigmoid",
    nn.Hardsigmoid: "hard_sigmoid",
    nn.Tanh: "tanh",
}
#: timm's own classes, by name.
NAMED = {
    "Sigmoid": "sigmoid",
    "HardSigmoid": "hard_sigmoid",
    "HardSwish": "hard_swish",
    "Swish": "silu",
    "Tanh": "tanh",
}
#: timm's names of gates.
GATES = {"sigmoid": nn.Sigmoid, "hard_sigmoid": nn.Hardsigmoid, "tanh": nn.Tanh}


def activation(module: nn.Module) -> str:
    """What an operator calls the activation of a module."""
    kind = type(module)
    if kind is nn.LeakyReLU:
        return f"leaky_relu:{module.negative_slope!r}"
    if kind is nn.GELU:
        return "gelu" if module.approximate == "none" else "gelu_tanh"
    text = ACTIVATIONS.get(kind) or NAMED.get(kind.__name__)
    if text is None:
        known = ", ".join(sorted(kind.__name__ for kind in [*ACTIVATIONS, nn.LeakyReLU, nn.GELU]))
        raise TypeError(f"the activation is {kind.__name__}, needs one of {known}")
    return text


def _created(layer: Any) -> nn.Module:
    """A gate by timm's name or by class."""
    if isinstance(layer, str):
        if layer not in GATES:
            raise ValueError(f"`gate_layer` is {layer!r}, needs one of {', '.join(GATES)}, or a class")
        layer = GATES[layer]
    return layer()


def _matrix(convolution: nn.Conv2d) -> torch.Tensor:
    return convolution.weight.flatten(1)


def _reduced(channels: int, ratio: float, divisor: int) -> int:
    """timm's `make_divisible`, which does not go below nine tenths only where it is told to."""
    return max(divisor, int(channels * ratio + divisor / 2) // divisor * divisor)


class SqueezeExcitation(nn.Module):
    """Squeeze-and-Excitation with the parameters of `torchvision.ops.SqueezeExcitation` and of timm's `SqueezeExcite`.

    Parameters: `fc1.weight`, `fc1.bias`, `fc2.weight`, `fc2.bias`. The arguments are torchvision's, `bias` is timm's.
    """

    def __init__(
        self,
        input_channels: int,
        squeeze_channels: int,
        activation: Any = nn.ReLU,
        scale_activation: Any = nn.Sigmoid,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(input_channels, squeeze_channels, 1, bias=bias)
        self.fc2 = nn.Conv2d(squeeze_channels, input_channels, 1, bias=bias)
        self.activation = activation()
        self.scale_activation = scale_activation()

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return _ops.squeeze_excite(
            input,
            _matrix(self.fc1),
            _matrix(self.fc2),
            reduce_bias=self.fc1.bias,
            expand_bias=self.fc2.bias,
            activation=activation(self.activation),
            gate=activation(self.scale_activation),
        )


class _Channel(nn.Module):
    """timm's `ChannelAttn`: names only, since both gates are one operator."""

    def __init__(self, channels: int, reduced: int, act_layer: Any, gate_layer: Any, bias: bool) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, reduced, 1, bias=bias)
        self.act = act_layer()
        self.fc2 = nn.Conv2d(reduced, channels, 1, bias=bias)
        self.gate = _created(gate_layer)


class _ConvNorm(nn.Module):
    """timm's `ConvNormAct` without its activation."""

    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.bn = nn.BatchNorm2d(1)


class _Spatial(nn.Module):
    """timm's `SpatialAttn`: names only."""

    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        self.conv = _ConvNorm(kernel_size)


class CbamModule(nn.Module):
    """CBAM with the parameters of timm's `CbamModule`.

    The spatial gate's batch norm uses the running mean and variance, in training too, and does not change them.
    """

    def __init__(
        self,
        channels: int,
        rd_ratio: float = 1.0 / 16,
        rd_channels: int | None = None,
        rd_divisor: int = 1,
        spatial_kernel_size: int = 7,
        act_layer: Any = nn.ReLU,
        gate_layer: Any = "sigmoid",
        mlp_bias: bool = False,
    ) -> None:
        super().__init__()
        reduced = rd_channels or _reduced(channels, rd_ratio, rd_divisor)
        self.channel = _Channel(channels, reduced, act_layer, gate_layer, mlp_bias)
        self.spatial = _Spatial(spatial_kernel_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        channel, norm = self.channel, self.spatial.conv.bn
        return _ops.cbam(
            x,
            _matrix(channel.fc1),
            _matrix(channel.fc2),
            # timm has the mean of the channels first, the operator the maximum.
            self.spatial.conv.conv.weight.flip(1),
            reduce_bias=channel.fc1.bias,
            expand_bias=channel.fc2.bias,
            spatial_norm_weight=norm.weight,
            spatial_norm_bias=norm.bias,
            spatial_norm_mean=norm.running_mean,
            spatial_norm_variance=norm.running_var,
            activation=activation(channel.act),
            gate=activation(channel.gate),
            norm_epsilon=norm.eps,
        )


class EcaModule(nn.Module):
    """ECA with the parameter of timm's `EcaModule`: `conv.weight`."""

    def __init__(self, channels: int | None = None, kernel_size: int = 3, gamma: float = 2, beta: float = 1) -> None:
        super().__init__()
        if channels is not None:
            taps = int(abs(math.log(channels, 2) + beta) / gamma)
            kernel_size = max(taps if taps % 2 else taps + 1, 3)
        if kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` is {kernel_size}, needs an odd number")
        self.conv = nn.Conv1d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _ops.eca(x, self.conv.weight.flatten())


class WindowAttention(nn.Module):
    """Self-attention inside windows, shifted or not, with the parameters of timm's Swin `WindowAttention`.

    Parameters: `qkv.weight`, `qkv.bias`, `proj.weight`, `proj.bias`, `relative_position_bias_table`. It takes whole
    images `[n, h, w, channels]`, as Swin's blocks do. `shift` is what a shifted block rolls by. Windows at a border of
    the image see only what lies on their side, as with timm's mask.
    """

    def __init__(self, dim: int, num_heads: int, window_size: int, *, shift: int = 0, qkv_bias: bool = True) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"`dim` is {dim}, needs a multiple of `num_heads`, {num_heads}")
        if not 0 <= shift < window_size:
            raise ValueError(f"`shift` is {shift}, needs a number from 0 to {window_size - 1}")
        self.dim, self.num_heads, self.window_size, self.shift = dim, num_heads, window_size, shift
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window_size - 1) ** 2, num_heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, height, width, _ = x.shape
        window, side = self.window_size, 2 * self.window_size - 1
        if height % window or width % window:
            raise ValueError(f"the image has {height} x {width} pixels, needs multiples of the window, {window}")
        q, k, v = self.qkv(x).movedim(-1, 1).chunk(3, dim=1)
        # timm counts offsets from the key to the query, the operator from the query to the key.
        bias = self.relative_position_bias_table.T.reshape(self.num_heads, side, side).flip(1, 2)
        attended = _ops.window_attention(
            q,
            k,
            v,
            tables_bias=bias,
            heads=self.num_heads,
            head_dim=self.dim // self.num_heads,
            window=window,
            group=window,
            origin=self.shift,
            border="mask",
            relative="bias",
            scale=(self.dim // self.num_heads) ** -0.5,
            scale_relative=False,
        )
        return self.proj(attended.movedim(1, -1))


def replace_squeeze_excite(model: nn.Module) -> int:
    """Replaces the Squeeze-and-Excitation blocks of a torchvision or timm model, and returns how many.

    The parameters are those of the replaced blocks.
    """
    count = 0
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            fc1, fc2 = getattr(child, "fc1", None), getattr(child, "fc2", None)
            inner = getattr(child, "activation", getattr(child, "act", None))
            outer = getattr(child, "scale_activation", getattr(child, "gate", None))
            convolutions = isinstance(fc1, nn.Conv2d) and isinstance(fc2, nn.Conv2d)
            if isinstance(child, SqueezeExcitation) or not convolutions or inner is None or outer is None:
                continue
            plain = isinstance(getattr(child, "bn", nn.Identity()), nn.Identity)
            if not plain or getattr(child, "add_maxpool", False) or fc1.kernel_size != (1, 1) or fc1.groups != 1:
                raise TypeError(f"`{name}` is {type(child).__name__} with a norm, a maximum or other convolutions")
            # Refused here rather than in the first call.
            activation(inner), activation(outer)
            block = SqueezeExcitation(fc1.in_channels, fc1.out_channels, bias=fc1.bias is not None)
            block.fc1, block.fc2, block.activation, block.scale_activation = fc1, fc2, inner, outer
            setattr(parent, name, block.train(child.training))
            count += 1
    return count
