# Written by `python -m visual_attention._stubs`. What it says comes from the crate's descriptions.

from collections.abc import Sequence
from typing import Literal, overload

import torch

from .._operators import (
    AttentionMapOutputs,
    BisenetOutputs,
    CbamOutputs,
    ChannelScaleOutputs,
    CropResizeOutputs,
    CrossAttentionOutputs,
    DenseOutputs,
    EcaOutputs,
    GlobalPoolOutputs,
    HeadNormRotaryOutputs,
    MergeAttentionOutputs,
    NormalizeOutputs,
    PointwiseConvOutputs,
    ResizeOutputs,
    SasaLayerOutputs,
    SasaStemOutputs,
    ScseOutputs,
    SpatialGateOutputs,
    SqueezeExciteOutputs,
    WindowAttentionOutputs,
    WindowPoolOutputs,
)

@overload
def attention_map(
    features: torch.Tensor,
    *,
    statistic: Literal['max_abs', 'mean_abs', 'rms', 'l2', 'max', 'mean'] = 'max_abs',
    want: None = None,
) -> torch.Tensor:
    """One statistic over the channels of each pixel.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`

    Outputs:
        map: float32 `[n, h, w]`

    Options:
        statistic: max_abs, mean_abs, rms, l2, max, mean; max_abs

    Tensors are on the CPU. `want` names the optional outputs to compute.
    """
@overload
def attention_map(
    features: torch.Tensor,
    *,
    statistic: Literal['max_abs', 'mean_abs', 'rms', 'l2', 'max', 'mean'] = 'max_abs',
    want: str | Sequence[str],
) -> AttentionMapOutputs[torch.Tensor]: ...

@overload
def bisenet(
    features: torch.Tensor,
    weight: torch.Tensor,
    norm_weight: torch.Tensor,
    norm_bias: torch.Tensor,
    norm_mean: torch.Tensor,
    norm_variance: torch.Tensor,
    *,
    identity: torch.Tensor | None = None,
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    norm_epsilon: float = 1e-05,
    want: None = None,
) -> torch.Tensor:
    """BiSeNet's attention: a gate from one layer with batch norm.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        weight: float32 or float16 `[c, c]`
        norm_weight: float32 or float16 `[c]`
        norm_bias: float32 or float16 `[c]`
        norm_mean: float32 or float16 `[c]`
        norm_variance: float32 or float16 `[c]`
        identity: float32 or float16 `[n, c, h, w]`, optional

    Outputs:
        output: float32 or float16 `[n, c, h, w]`
        gate: float32 `[n, c]`, optional

    Options:
        epilogue: scale, residual, scale_add, gate_only; scale
        norm_epsilon: a number; 0.00001

    Tensors are on the CPU. `want` names the optional outputs to compute.
    """
@overload
def bisenet(
    features: torch.Tensor,
    weight: torch.Tensor,
    norm_weight: torch.Tensor,
    norm_bias: torch.Tensor,
    norm_mean: torch.Tensor,
    norm_variance: torch.Tensor,
    *,
    identity: torch.Tensor | None = None,
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    norm_epsilon: float = 1e-05,
    want: str | Sequence[str],
) -> BisenetOutputs[torch.Tensor]: ...

@overload
def cbam(
    features: torch.Tensor,
    reduce_weight: torch.Tensor,
    expand_weight: torch.Tensor,
    spatial_weight: torch.Tensor,
    *,
    reduce_bias: torch.Tensor | None = None,
    expand_bias: torch.Tensor | None = None,
    spatial_bias: torch.Tensor | None = None,
    spatial_norm_weight: torch.Tensor | None = None,
    spatial_norm_bias: torch.Tensor | None = None,
    spatial_norm_mean: torch.Tensor | None = None,
    spatial_norm_variance: torch.Tensor | None = None,
    identity: torch.Tensor | None = None,
    activation: str = 'relu',
    gate: str = 'sigmoid',
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    norm_epsilon: float = 1e-05,
    want: None = None,
) -> torch.Tensor:
    """CBAM: the channel gate and then the spatial gate.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        reduce_weight: float32 or float16 `[r, c]`
        expand_weight: float32 or float16 `[c, r]`
        spatial_weight: float32 or float16 `[1, 2, k, k]`
        reduce_bias: float32 or float16 `[r]`, optional
        expand_bias: float32 or float16 `[c]`, optional
        spatial_bias: float32 or float16 `[1]`, optional
        spatial_norm_weight: float32 or float16 `[1]`, optional
        spatial_norm_bias: float32 or float16 `[1]`, optional
        spatial_norm_mean: float32 or float16 `[1]`, optional
        spatial_norm_variance: float32 or float16 `[1]`, optional
        identity: float32 or float16 `[n, c, h, w]`, optional

    Outputs:
        output: float32 or float16 `[n, c, h, w]`

    Options:
        activation: none, relu, relu6, leaky_relu:SLOPE, silu, hard_swish, sigmoid, hard_sigmoid, hard_sigmoid:SLOPE,OFFSET, tanh, gelu, gelu_tanh; relu
        gate: none, relu, relu6, leaky_relu:SLOPE, silu, hard_swish, sigmoid, hard_sigmoid, hard_sigmoid:SLOPE,OFFSET, tanh, gelu, gelu_tanh; sigmoid
        epilogue: scale, residual, scale_add, gate_only; scale
        norm_epsilon: a number; 0.00001

    Tensors are on the CPU. `want` names the optional outputs to compute.
    """
@overload
def cbam(
    features: torch.Tensor,
    reduce_weight: torch.Tensor,
    expand_weight: torch.Tensor,
    spatial_weight: torch.Tensor,
    *,
    reduce_bias: torch.Tensor | None = None,
    expand_bias: torch.Tensor | None = None,
    spatial_bias: torch.Tensor | None = None,
    spatial_norm_weight: torch.Tensor | None = None,
    spatial_norm_bias: torch.Tensor | None = None,
    spatial_norm_mean: torch.Tensor | None = None,
    spatial_norm_variance: torch.Tensor | None = None,
    identity: torch.Tensor | None = None,
    activation: str = 'relu',
    gate: str = 'sigmoid',
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    norm_epsilon: float = 1e-05,
    want: str | Sequence[str],
) -> CbamOutputs[torch.Tensor]: ...

@overload
def channel_scale(
    features: torch.Tensor,
    gate: torch.Tensor,
    *,
    identity: torch.Tensor | None = None,
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    want: None = None,
) -> torch.Tensor:
    """Every channel times a gate that is given.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        gate: float32 `[n, c]`
        identity: float32 or float16 `[n, c, h, w]`, optional

    Outputs:
        output: float32 or float16 `[n, c, h, w]`

    Options:
        epilogue: scale, residual, scale_add, gate_only; scale

    Tensors are on the CPU. `want` names the optional outputs to compute.
    """
@overload
def channel_scale(
    features: torch.Tensor,
    gate: torch.Tensor,
    *,
    identity: torch.Tensor | None = None,
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    want: str | Sequence[str],
) -> ChannelScaleOutputs[torch.Tensor]: ...

@overload
def crop_resize(
    images: torch.Tensor,
    boxes: torch.Tensor,
    *,
    size: int | Sequence[int],
    crop_end: Literal['inclusive', 'exclusive'] = 'inclusive',
    sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
    want: None = None,
) -> torch.Tensor:
    """The box of each image, resized.

    Inputs:
        images: float32 or float16 `[n, c, h, w]`
        boxes: int32 `[n, 4]`

    Outputs:
        crops: float32 or float16 `[n, c, size[0], size[1]]`

    Options:
        size: height,width
        crop_end: inclusive, exclusive; inclusive
        sampling: half_pixel, aligned_corners; half_pixel

    Tensors are on the CPU. `want` names the optional outputs to compute.
    """
@overload
def crop_resize(
    images: torch.Tensor,
    boxes: torch.Tensor,
    *,
    size: int | Sequence[int],
    crop_end: Literal['inclusive', 'exclusive'] = 'inclusive',
    sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
    want: str | Sequence[str],
) -> CropResizeOutputs[torch.Tensor]: ...

@overload
def cross_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    head_dim: int,
    heads: int = 1,
    value_dim: int | None = None,
    scale: float | None = None,
    want: None = None,
) -> torch.Tensor:
    """Softmax attention of every position to a few keys that all positions see.

    Inputs:
        q: float32 or float16 `[n, c, h, w]`
        k: float32 or float16 `[n, c, keys]`
        v: float32 or float16 `[n, c, keys]`

    Outputs:
        y: float32 or float16 `[n, c, h, w]`
        log_sum_exp: float32 `[n, heads, h, w]`, optional

    Options:
        head_dim: a whole number
        heads: a whole number; 1
        value_dim: a whole number; follows from others
        scale: a number; follows from others

    Tensors are on the CPU. `want` names the optional outputs to compute.
    """
@overload
def cross_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    head_dim: int,
    heads: int = 1,
    value_dim: int | None = None,
    scale: float | None = None,
    want: str | Sequence[str],
) -> CrossAttentionOutputs[torch.Tensor]: ...

@overload
def dense(
    input: torch.Tensor,
    weight: torch.Tensor,
    *,
    second: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    norm_weight: torch.Tensor | None = None,
    norm_bias: torch.Tensor | None = None,
    norm_mean: torch.Tensor | None = None,
    norm_variance: torch.Tensor | None = None,
    activation: str = 'none',
    norm_epsilon: float = 1e-05,
    want: None = None,
) -> torch.Tensor:
    """A fully connected layer with bias or batch norm and an activation.

    Inputs:
        input: float32 `[n, inputs]`
        weight: float32 or float16 `[outputs, inputs + more]`
        second: float32 `[n, more]`, optional
        bias: float32 or float16 `[outputs]`, optional
        norm_weight: float32 or float16 `[outputs]`, optional
        norm_bias: float32 or float16 `[outputs]`, optional
        norm_mean: float32 or float16 `[outputs]`, optional
        norm_variance: float32 or float16 `[outputs]`, optional

    Outputs:
        output: float32 `[n, outputs]`

    Options:
        activation: none, relu, relu6, leaky_relu:SLOPE, silu, hard_swish, sigmoid, hard_sigmoid, hard_sigmoid:SLOPE,OFFSET, tanh, gelu, gelu_tanh; none
        norm_epsilon: a number; 0.00001

    Tensors are on the CPU. `want` names the optional outputs to compute.
    """
@overload
def dense(
    input: torch.Tensor,
    weight: torch.Tensor,
    *,
    second: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    norm_weight: torch.Tensor | None = None,
    norm_bias: torch.Tensor | None = None,
    norm_mean: torch.Tensor | None = None,
    norm_variance: torch.Tensor | None = None,
    activation: str = 'none',
    norm_epsilon: float = 1e-05,
    want: str | Sequence[str],
) -> DenseOutputs[torch.Tensor]: ...

@overload
def eca(
    features: torch.Tensor,
    weight: torch.Tensor,
    *,
    identity: torch.Tensor | None = None,
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    want: None = None,
) -> torch.Tensor:
    """ECA: every channel times a gate from a convolution along the channels.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        weight: float32 or float16 `[k]`
        identity: float32 or float16 `[n, c, h, w]`, optional

    Outputs:
        output: float32 or float16 `[n, c, h, w]`
        gate: float32 `[n, c]`, optional

    Options:
        epilogue: scale, residual, scale_add, gate_only; scale

    Tensors are on the CPU. `want` names the optional outputs to compute.
    """
@overload
def eca(
    features: torch.Tensor,
    weight: torch.Tensor,
    *,
    identity: torch.Tensor | None = None,
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    want: str | Sequence[str],
) -> EcaOutputs[torch.Tensor]: ...

@overload
def global_pool(
    features: torch.Tensor,
    *,
    squeeze: Literal['mean', 'max', 'mean_and_max'] = 'mean',
    want: None = None,
) -> torch.Tensor:
    """Mean and maximum of every plane.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`

    Outputs:
        mean: float32 `[n, c]`
        max: float32 `[n, c]`, optional

    Options:
        squeeze: mean, max, mean_and_max; mean

    Tensors are on the CPU. `want` names the optional outputs to compute.
    """
@overload
def global_pool(
    features: torch.Tensor,
    *,
    squeeze: Literal['mean', 'max', 'mean_and_max'] = 'mean',
    want: str | Sequence[str],
) -> GlobalPoolOutputs[torch.Tensor]: ...

@overload
def head_norm_rotary(
    x: torch.Tensor,
    *,
    weight: torch.Tensor | None = None,
    heads: int = 1,
    norm: Literal['none', 'rms', 'l2'] = 'none',
    epsilon: float = 1e-06,
    scale: float = 1.0,
    split: int | Sequence[int] = (0, 0, 0),
    first: int | Sequence[int] = (0, 0, 0),
    base: float = 10000.0,
    want: None = None,
) -> torch.Tensor:
    """Norm of each head and rotary positions, for queries and keys.

    Inputs:
        x: float32 or float16 `[n, c, h, w]`
        weight: float32 or float16 `[c//heads]`, optional

    Outputs:
        y: float32 or float16 `[n, c, h, w]`

    Options:
        heads: a whole number; 1
        norm: none, rms, l2; none
        epsilon: a number; 0.000001
        scale: a number; 1
        split: one number for rows and columns; rows,columns; or frames,rows,columns; 0,0,0
        first: one number for rows and columns; rows,columns; or frames,rows,columns; 0,0,0
        base: a number; 10000

    Tensors are on the CPU. `want` names the optional outputs to compute.
    """
@overload
def head_norm_rotary(
    x: torch.Tensor,
    *,
    weight: torch.Tensor | None = None,
    heads: int = 1,
    norm: Literal['none', 'rms', 'l2'] = 'none',
    epsilon: float = 1e-06,
    scale: float = 1.0,
    split: int | Sequence[int] = (0, 0, 0),
    first: int | Sequence[int] = (0, 0, 0),
    base: float = 10000.0,
    want: str | Sequence[str],
) -> HeadNormRotaryOutputs[torch.Tensor]: ...

@overload
def merge_attention(
    y1: torch.Tensor,
    log_sum_exp1: torch.Tensor,
    y2: torch.Tensor,
    log_sum_exp2: torch.Tensor,
    *,
    heads: int = 1,
    want: None = None,
) -> torch.Tensor:
    """Two results of attention over different keys in one.

    Inputs:
        y1: float32 or float16 `[n, c, h, w]`
        log_sum_exp1: float32 `[n, heads, h, w]`
        y2: float32 or float16 `[n, c, h, w]`
        log_sum_exp2: float32 `[n, heads, h, w]`

    Outputs:
        y: float32 or float16 `[n, c, h, w]`
        log_sum_exp: float32 `[n, heads, h, w]`, optional

    Options:
        heads: a whole number; 1

    Tensors are on the CPU. `want` names the optional outputs to compute.
    """
@overload
def merge_attention(
    y1: torch.Tensor,
    log_sum_exp1: torch.Tensor,
    y2: torch.Tensor,
    log_sum_exp2: torch.Tensor,
    *,
    heads: int = 1,
    want: str | Sequence[str],
) -> MergeAttentionOutputs[torch.Tensor]: ...

@overload
def normalize(
    map: torch.Tensor,
    *,
    normalization: Literal['min_max', 'max', 'none'] = 'min_max',
    want: None = None,
) -> torch.Tensor:
    """Each map brought to 0..1, in place.

    Inputs:
        map: float32 `[n, h, w]`

    Outputs:
        map: float32 `[n, h, w]`
        range: float32 `[n, 2]`, optional

    Options:
        normalization: min_max, max, none; min_max

    Tensors are on the CPU. `want` names the optional outputs to compute.
    """
@overload
def normalize(
    map: torch.Tensor,
    *,
    normalization: Literal['min_max', 'max', 'none'] = 'min_max',
    want: str | Sequence[str],
) -> NormalizeOutputs[torch.Tensor]: ...

@overload
def pointwise_conv(
    x: torch.Tensor,
    weights: torch.Tensor,
    *,
    bias: torch.Tensor | None = None,
    inputs: int,
    outputs: int,
    groups: int = 1,
    stack: int = 1,
    want: None = None,
) -> torch.Tensor:
    """Up to three 1x1 convolutions of one tensor.

    Inputs:
        x: float32 or float16 `[n, inputs, h, w]`
        weights: float32 or float16 `[stack, outputs, inputs]`
        bias: float32 or float16 `[1, outputs]`, optional

    Outputs:
        y0: float32 or float16 `[n, outputs, h, w]`
        y1: float32 or float16 `[n, outputs, h, w]`, optional
        y2: float32 or float16 `[n, outputs, h, w]`, optional

    Options:
        inputs: a whole number
        outputs: a whole number
        groups: a whole number; 1
        stack: a whole number; 1

    Tensors are on the CPU. `want` names the optional outputs to compute.
    """
@overload
def pointwise_conv(
    x: torch.Tensor,
    weights: torch.Tensor,
    *,
    bias: torch.Tensor | None = None,
    inputs: int,
    outputs: int,
    groups: int = 1,
    stack: int = 1,
    want: str | Sequence[str],
) -> PointwiseConvOutputs[torch.Tensor]: ...

@overload
def resize(
    input: torch.Tensor,
    *,
    size: int | Sequence[int],
    sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
    want: None = None,
) -> torch.Tensor:
    """Bilinear resizing of every plane.

    Inputs:
        input: float32 or float16 `[n, c, h, w]`

    Outputs:
        output: float32 or float16 `[n, c, size[0], size[1]]`

    Options:
        size: height,width
        sampling: half_pixel, aligned_corners; half_pixel

    Tensors are on the CPU. `want` names the optional outputs to compute.
    """
@overload
def resize(
    input: torch.Tensor,
    *,
    size: int | Sequence[int],
    sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
    want: str | Sequence[str],
) -> ResizeOutputs[torch.Tensor]: ...

@overload
def sasa_layer(
    x: torch.Tensor,
    projections: torch.Tensor,
    *,
    tables_rows: torch.Tensor | None = None,
    tables_columns: torch.Tensor | None = None,
    tables_frames: torch.Tensor | None = None,
    tables_bias: torch.Tensor | None = None,
    inputs: int,
    heads: int,
    head_dim: int,
    window: int | Sequence[int],
    groups: int = 1,
    dilation: int | Sequence[int] = (1, 1, 1),
    stride: int | Sequence[int] = (1, 1, 1),
    group: int | Sequence[int] = (1, 1, 1),
    origin: int | Sequence[int] = (0, 0, 0),
    border: str | Sequence[str] = 'zero',
    relative: Literal['none', 'per_head', 'whole_channel', 'sum', 'bias'] = 'per_head',
    scale: float = 1.0,
    scale_relative: bool = True,
    want: None = None,
) -> torch.Tensor:
    """A layer of Stand-Alone Self-Attention: projections, and windowed attention over them.

    Inputs:
        x: float32 or float16 `[n, inputs, h, w]`
        projections: float32 or float16 `[3, heads*head_dim, inputs]`
        tables_rows: float32 or float16 `[head_dim//2, window[0]]`, optional
        tables_columns: float32 or float16 `[head_dim//2, window[1]]`, optional
        tables_frames: float32 or float16 `[head_dim//3, 3]`, optional
        tables_bias: float32 or float16 `[heads, 1, 2*window[0] - 1, 2*window[1] - 1]`, optional

    Outputs:
        y: float32 or float16 `[n, heads*head_dim, h, w]`
        log_sum_exp: float32 `[n, heads, h, w]`, optional

    Options:
        inputs: a whole number
        heads: a whole number
        head_dim: a whole number
        window: one number for rows and columns; rows,columns; or frames,rows,columns
        groups: a whole number; 1
        dilation: one number for rows and columns; rows,columns; or frames,rows,columns; 1,1,1
        stride: one number for rows and columns; rows,columns; or frames,rows,columns; 1,1,1
        group: one number for rows and columns; rows,columns; or frames,rows,columns; 1,1,1
        origin: one number for rows and columns; rows,columns; or frames,rows,columns; 0,0,0
        border: zero, mask, shift, causal; one for rows and columns, or rows,columns, or frames,rows,columns; zero
        relative: none, per_head, whole_channel, sum, bias; per_head
        scale: a number; 1
        scale_relative: true or false; true

    Tensors are on the CPU. `want` names the optional outputs to compute.
    """
@overload
def sasa_layer(
    x: torch.Tensor,
    projections: torch.Tensor,
    *,
    tables_rows: torch.Tensor | None = None,
    tables_columns: torch.Tensor | None = None,
    tables_frames: torch.Tensor | None = None,
    tables_bias: torch.Tensor | None = None,
    inputs: int,
    heads: int,
    head_dim: int,
    window: int | Sequence[int],
    groups: int = 1,
    dilation: int | Sequence[int] = (1, 1, 1),
    stride: int | Sequence[int] = (1, 1, 1),
    group: int | Sequence[int] = (1, 1, 1),
    origin: int | Sequence[int] = (0, 0, 0),
    border: str | Sequence[str] = 'zero',
    relative: Literal['none', 'per_head', 'whole_channel', 'sum', 'bias'] = 'per_head',
    scale: float = 1.0,
    scale_relative: bool = True,
    want: str | Sequence[str],
) -> SasaLayerOutputs[torch.Tensor]: ...

@overload
def sasa_stem(
    x: torch.Tensor,
    projections: torch.Tensor,
    row: torch.Tensor,
    column: torch.Tensor,
    mix: torch.Tensor,
    *,
    heads: int,
    head_dim: int,
    embeddings: int,
    inputs: int = 3,
    window: int | Sequence[int] = (4, 4),
    padding: int | Sequence[int] = (2, 2),
    mixtures: int = 4,
    scale: float = 1.0,
    want: None = None,
) -> torch.Tensor:
    """The attention stem of Stand-Alone Self-Attention: values mixed by position.

    Inputs:
        x: float32 or float16 `[n, inputs, h, w]`
        projections: float32 or float16 `[2 + mixtures, heads*head_dim, inputs]`
        row: float32 or float16 `[embeddings, window[0]]`
        column: float32 or float16 `[embeddings, window[1]]`
        mix: float32 or float16 `[mixtures, embeddings]`

    Outputs:
        y: float32 or float16 `[n, heads*head_dim, h, w]`

    Options:
        heads: a whole number
        head_dim: a whole number
        embeddings: a whole number
        inputs: a whole number; 3
        window: height,width; 4,4
        padding: height,width; 2,2
        mixtures: a whole number; 4
        scale: a number; 1

    Tensors are on the CPU. `want` names the optional outputs to compute.
    """
@overload
def sasa_stem(
    x: torch.Tensor,
    projections: torch.Tensor,
    row: torch.Tensor,
    column: torch.Tensor,
    mix: torch.Tensor,
    *,
    heads: int,
    head_dim: int,
    embeddings: int,
    inputs: int = 3,
    window: int | Sequence[int] = (4, 4),
    padding: int | Sequence[int] = (2, 2),
    mixtures: int = 4,
    scale: float = 1.0,
    want: str | Sequence[str],
) -> SasaStemOutputs[torch.Tensor]: ...

@overload
def scse(
    features: torch.Tensor,
    reduce_weight: torch.Tensor,
    expand_weight: torch.Tensor,
    spatial_weight: torch.Tensor,
    *,
    reduce_bias: torch.Tensor | None = None,
    expand_bias: torch.Tensor | None = None,
    spatial_bias: torch.Tensor | None = None,
    identity: torch.Tensor | None = None,
    combine: Literal['add', 'max'] = 'add',
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    want: None = None,
) -> torch.Tensor:
    """Concurrent spatial and channel Squeeze-and-Excitation.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        reduce_weight: float32 or float16 `[r, c]`
        expand_weight: float32 or float16 `[c, r]`
        spatial_weight: float32 or float16 `[c]`
        reduce_bias: float32 or float16 `[r]`, optional
        expand_bias: float32 or float16 `[c]`, optional
        spatial_bias: float32 or float16 `[1]`, optional
        identity: float32 or float16 `[n, c, h, w]`, optional

    Outputs:
        output: float32 or float16 `[n, c, h, w]`

    Options:
        combine: add, max; add
        epilogue: scale, residual, scale_add, gate_only; scale

    Tensors are on the CPU. `want` names the optional outputs to compute.
    """
@overload
def scse(
    features: torch.Tensor,
    reduce_weight: torch.Tensor,
    expand_weight: torch.Tensor,
    spatial_weight: torch.Tensor,
    *,
    reduce_bias: torch.Tensor | None = None,
    expand_bias: torch.Tensor | None = None,
    spatial_bias: torch.Tensor | None = None,
    identity: torch.Tensor | None = None,
    combine: Literal['add', 'max'] = 'add',
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    want: str | Sequence[str],
) -> ScseOutputs[torch.Tensor]: ...

@overload
def spatial_gate(
    features: torch.Tensor,
    weight: torch.Tensor,
    *,
    bias: torch.Tensor | None = None,
    norm_weight: torch.Tensor | None = None,
    norm_bias: torch.Tensor | None = None,
    norm_mean: torch.Tensor | None = None,
    norm_variance: torch.Tensor | None = None,
    identity: torch.Tensor | None = None,
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    norm_epsilon: float = 1e-05,
    want: None = None,
) -> torch.Tensor:
    """CBAM's spatial gate: every pixel times a gate computed from its channels.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        weight: float32 or float16 `[1, 2, k, k]`
        bias: float32 or float16 `[1]`, optional
        norm_weight: float32 or float16 `[1]`, optional
        norm_bias: float32 or float16 `[1]`, optional
        norm_mean: float32 or float16 `[1]`, optional
        norm_variance: float32 or float16 `[1]`, optional
        identity: float32 or float16 `[n, c, h, w]`, optional

    Outputs:
        output: float32 or float16 `[n, c, h, w]`
        gate: float32 `[n, h, w]`, optional

    Options:
        epilogue: scale, residual, scale_add, gate_only; scale
        norm_epsilon: a number; 0.00001

    Tensors are on the CPU. `want` names the optional outputs to compute.
    """
@overload
def spatial_gate(
    features: torch.Tensor,
    weight: torch.Tensor,
    *,
    bias: torch.Tensor | None = None,
    norm_weight: torch.Tensor | None = None,
    norm_bias: torch.Tensor | None = None,
    norm_mean: torch.Tensor | None = None,
    norm_variance: torch.Tensor | None = None,
    identity: torch.Tensor | None = None,
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    norm_epsilon: float = 1e-05,
    want: str | Sequence[str],
) -> SpatialGateOutputs[torch.Tensor]: ...

@overload
def squeeze_excite(
    features: torch.Tensor,
    reduce_weight: torch.Tensor,
    expand_weight: torch.Tensor,
    *,
    reduce_bias: torch.Tensor | None = None,
    expand_bias: torch.Tensor | None = None,
    identity: torch.Tensor | None = None,
    squeeze: Literal['mean', 'max', 'mean_and_max'] = 'mean',
    activation: str = 'relu',
    gate: str = 'sigmoid',
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    want: None = None,
) -> torch.Tensor:
    """Squeeze-and-Excitation: every channel times a gate computed from the planes.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        reduce_weight: float32 or float16 `[r, c]`
        expand_weight: float32 or float16 `[c, r]`
        reduce_bias: float32 or float16 `[r]`, optional
        expand_bias: float32 or float16 `[c]`, optional
        identity: float32 or float16 `[n, c, h, w]`, optional

    Outputs:
        output: float32 or float16 `[n, c, h, w]`
        gate: float32 `[n, c]`, optional

    Options:
        squeeze: mean, max, mean_and_max; mean
        activation: none, relu, relu6, leaky_relu:SLOPE, silu, hard_swish, sigmoid, hard_sigmoid, hard_sigmoid:SLOPE,OFFSET, tanh, gelu, gelu_tanh; relu
        gate: none, relu, relu6, leaky_relu:SLOPE, silu, hard_swish, sigmoid, hard_sigmoid, hard_sigmoid:SLOPE,OFFSET, tanh, gelu, gelu_tanh; sigmoid
        epilogue: scale, residual, scale_add, gate_only; scale

    Tensors are on the CPU. `want` names the optional outputs to compute.
    """
@overload
def squeeze_excite(
    features: torch.Tensor,
    reduce_weight: torch.Tensor,
    expand_weight: torch.Tensor,
    *,
    reduce_bias: torch.Tensor | None = None,
    expand_bias: torch.Tensor | None = None,
    identity: torch.Tensor | None = None,
    squeeze: Literal['mean', 'max', 'mean_and_max'] = 'mean',
    activation: str = 'relu',
    gate: str = 'sigmoid',
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    want: str | Sequence[str],
) -> SqueezeExciteOutputs[torch.Tensor]: ...

@overload
def window_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    tables_rows: torch.Tensor | None = None,
    tables_columns: torch.Tensor | None = None,
    tables_frames: torch.Tensor | None = None,
    tables_bias: torch.Tensor | None = None,
    heads: int,
    head_dim: int,
    window: int | Sequence[int],
    dilation: int | Sequence[int] = (1, 1, 1),
    stride: int | Sequence[int] = (1, 1, 1),
    group: int | Sequence[int] = (1, 1, 1),
    origin: int | Sequence[int] = (0, 0, 0),
    border: str | Sequence[str] = 'zero',
    relative: Literal['none', 'per_head', 'whole_channel', 'sum', 'bias'] = 'per_head',
    scale: float = 1.0,
    scale_relative: bool = True,
    value_dim: int | None = None,
    want: None = None,
) -> torch.Tensor:
    """Softmax attention of every query to the keys of the window around it.

    Inputs:
        q: float32 or float16 `[n, c, h, w]`
        k: float32 or float16 `[n, c, h, w]`
        v: float32 or float16 `[n, c, h, w]`
        tables_rows: float32 or float16 `[head_dim//2, window[0]]`, optional
        tables_columns: float32 or float16 `[head_dim//2, window[1]]`, optional
        tables_frames: float32 or float16 `[head_dim//3, 3]`, optional
        tables_bias: float32 or float16 `[heads, 2*window[0] - 1, 2*window[1] - 1]`, optional

    Outputs:
        y: float32 or float16 `[n, c, h, w]`
        log_sum_exp: float32 `[n, heads, h, w]`, optional

    Options:
        heads: a whole number
        head_dim: a whole number
        window: one number for rows and columns; rows,columns; or frames,rows,columns
        dilation: one number for rows and columns; rows,columns; or frames,rows,columns; 1,1,1
        stride: one number for rows and columns; rows,columns; or frames,rows,columns; 1,1,1
        group: one number for rows and columns; rows,columns; or frames,rows,columns; 1,1,1
        origin: one number for rows and columns; rows,columns; or frames,rows,columns; 0,0,0
        border: zero, mask, shift, causal; one for rows and columns, or rows,columns, or frames,rows,columns; zero
        relative: none, per_head, whole_channel, sum, bias; per_head
        scale: a number; 1
        scale_relative: true or false; true
        value_dim: a whole number; follows from others

    Tensors are on the CPU. `want` names the optional outputs to compute.
    """
@overload
def window_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    tables_rows: torch.Tensor | None = None,
    tables_columns: torch.Tensor | None = None,
    tables_frames: torch.Tensor | None = None,
    tables_bias: torch.Tensor | None = None,
    heads: int,
    head_dim: int,
    window: int | Sequence[int],
    dilation: int | Sequence[int] = (1, 1, 1),
    stride: int | Sequence[int] = (1, 1, 1),
    group: int | Sequence[int] = (1, 1, 1),
    origin: int | Sequence[int] = (0, 0, 0),
    border: str | Sequence[str] = 'zero',
    relative: Literal['none', 'per_head', 'whole_channel', 'sum', 'bias'] = 'per_head',
    scale: float = 1.0,
    scale_relative: bool = True,
    value_dim: int | None = None,
    want: str | Sequence[str],
) -> WindowAttentionOutputs[torch.Tensor]: ...

@overload
def window_pool(
    x: torch.Tensor,
    *,
    pooling: Literal['mean', 'max'] = 'mean',
    window: int | Sequence[int] = (2, 2),
    want: None = None,
) -> torch.Tensor:
    """Mean or maximum over windows side by side.

    Inputs:
        x: float32 or float16 `[n, c, h, w]`

    Outputs:
        y: float32 or float16 `[n, c, h//window[0], w//window[1]]`

    Options:
        pooling: mean, max; mean
        window: height,width; 2,2

    Tensors are on the CPU. `want` names the optional outputs to compute.
    """
@overload
def window_pool(
    x: torch.Tensor,
    *,
    pooling: Literal['mean', 'max'] = 'mean',
    window: int | Sequence[int] = (2, 2),
    want: str | Sequence[str],
) -> WindowPoolOutputs[torch.Tensor]: ...

DIFFERENTIABLE: list[str]

__all__ = [
    "attention_map",
    "bisenet",
    "cbam",
    "channel_scale",
    "crop_resize",
    "cross_attention",
    "dense",
    "eca",
    "global_pool",
    "head_norm_rotary",
    "merge_attention",
    "normalize",
    "pointwise_conv",
    "resize",
    "sasa_layer",
    "sasa_stem",
    "scse",
    "spatial_gate",
    "squeeze_excite",
    "window_attention",
    "window_pool",
]
