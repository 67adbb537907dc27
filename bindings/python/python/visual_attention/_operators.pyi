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

class AttendedRegionOutputs(NamedTuple, Generic[_T]):
    """Results of `attended_region`. A result that was not computed is `None`."""
    map: _T
    boxes: _T
    map_up: _T | None
    mask: _T | None
    component: _T | None
    crops: _T | None
    count: _T | None

def attended_region(
    features: Array,
    *,
    images: Array | None = None,
    crop: int | Sequence[int],
    statistic: Literal['max_abs', 'mean_abs', 'rms', 'l2', 'max', 'mean'] = 'max_abs',
    normalization: Literal['min_max', 'max', 'none'] = 'min_max',
    sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
    threshold: str = 'value:0.7',
    connectivity: Literal[4, 8] = 8,
    crop_end: Literal['inclusive', 'exclusive'] = 'inclusive',
    regions: int = 1,
    want: str | Sequence[str] | None = None,
    device: Device | None = None,
) -> AttendedRegionOutputs[Array]:
    """From features to the regions that they attend to: map, mask, boxes and crops.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        images: float32 or float16 `[n, channels, height, width]`, optional

    Outputs:
        map: float32 `[n, h, w]`
        boxes: int32 `[n, 4]`
        map_up: float32 `[n, height, width]`, optional
        mask: uint32 `[n, height, width]`, optional
        component: uint32 `[n, height, width]`, optional
        crops: float32 or float16 `[n, channels, crop[0], crop[1]]`, optional
        count: uint32 `[n]`, optional

    Options:
        crop: height,width
        statistic: max_abs, mean_abs, rms, l2, max, mean; max_abs
        normalization: min_max, max, none; min_max
        sampling: half_pixel, aligned_corners; half_pixel
        threshold: otsu, value:NUMBER, level:0..255; value:0.7
        connectivity: 4, 8; 8
        crop_end: inclusive, exclusive; inclusive
        regions: a whole number; 1

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `AttendedRegion` keeps results on the GPU.
    """

class AttendedRegion(Operator):
    """From features to the regions that they attend to: map, mask, boxes and crops.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        images: float32 or float16 `[n, channels, height, width]`, optional

    Outputs:
        map: float32 `[n, h, w]`
        boxes: int32 `[n, 4]`
        map_up: float32 `[n, height, width]`, optional
        mask: uint32 `[n, height, width]`, optional
        component: uint32 `[n, height, width]`, optional
        crops: float32 or float16 `[n, channels, crop[0], crop[1]]`, optional
        count: uint32 `[n]`, optional

    Options:
        crop: height,width
        statistic: max_abs, mean_abs, rms, l2, max, mean; max_abs
        normalization: min_max, max, none; min_max
        sampling: half_pixel, aligned_corners; half_pixel
        threshold: otsu, value:NUMBER, level:0..255; value:0.7
        connectivity: 4, 8; 8
        crop_end: inclusive, exclusive; inclusive
        regions: a whole number; 1
    """
    def __init__(
        self,
        *,
        crop: int | Sequence[int],
        statistic: Literal['max_abs', 'mean_abs', 'rms', 'l2', 'max', 'mean'] = 'max_abs',
        normalization: Literal['min_max', 'max', 'none'] = 'min_max',
        sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
        threshold: str = 'value:0.7',
        connectivity: Literal[4, 8] = 8,
        crop_end: Literal['inclusive', 'exclusive'] = 'inclusive',
        regions: int = 1,
        image_element: npt.DTypeLike = 'float32',
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    def __call__(self,
        features: Tensor | Array,
        *,
        images: Tensor | Array | None = None,
        want: str | Sequence[str] | None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> AttendedRegionOutputs[Tensor]: ...

class AttentionMapOutputs(NamedTuple, Generic[_T]):
    """Results of `attention_map`. A result that was not computed is `None`."""
    map: _T

@overload
def attention_map(
    features: Array,
    *,
    statistic: Literal['max_abs', 'mean_abs', 'rms', 'l2', 'max', 'mean'] = 'max_abs',
    want: None = None,
    device: Device | None = None,
) -> Array:
    """One statistic over the channels of each pixel.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`

    Outputs:
        map: float32 `[n, h, w]`

    Options:
        statistic: max_abs, mean_abs, rms, l2, max, mean; max_abs

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `AttentionMap` keeps results on the GPU.
    """
@overload
def attention_map(
    features: Array,
    *,
    statistic: Literal['max_abs', 'mean_abs', 'rms', 'l2', 'max', 'mean'] = 'max_abs',
    want: str | Sequence[str],
    device: Device | None = None,
) -> AttentionMapOutputs[Array]: ...

class AttentionMap(Operator):
    """One statistic over the channels of each pixel.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`

    Outputs:
        map: float32 `[n, h, w]`

    Options:
        statistic: max_abs, mean_abs, rms, l2, max, mean; max_abs
    """
    def __init__(
        self,
        *,
        statistic: Literal['max_abs', 'mean_abs', 'rms', 'l2', 'max', 'mean'] = 'max_abs',
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        features: Tensor | Array,
        *,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        features: Tensor | Array,
        *,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> AttentionMapOutputs[Tensor]: ...

class AttentionMapBackwardOutputs(NamedTuple, Generic[_T]):
    """Results of `attention_map_backward`. A result that was not computed is `None`."""
    features_gradient: _T | None

@overload
def attention_map_backward(
    features: Array | tuple[int, ...],
    map_gradient: Array,
    *,
    map: Array | None = None,
    statistic: Literal['max_abs', 'mean_abs', 'rms', 'l2', 'max', 'mean'] = 'max_abs',
    want: None = None,
    device: Device | None = None,
) -> Array:
    """The gradient of an attention map with respect to its features.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`, or a tuple with its shape
        map_gradient: float32 `[n, h, w]`
        map: float32 `[n, h, w]`, optional

    Outputs:
        features_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        statistic: max_abs, mean_abs, rms, l2, max, mean; max_abs

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `AttentionMapBackward` keeps results on the GPU.
    """
@overload
def attention_map_backward(
    features: Array | tuple[int, ...],
    map_gradient: Array,
    *,
    map: Array | None = None,
    statistic: Literal['max_abs', 'mean_abs', 'rms', 'l2', 'max', 'mean'] = 'max_abs',
    want: str | Sequence[str],
    device: Device | None = None,
) -> AttentionMapBackwardOutputs[Array]: ...

class AttentionMapBackward(Operator):
    """The gradient of an attention map with respect to its features.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`, or a tuple with its shape
        map_gradient: float32 `[n, h, w]`
        map: float32 `[n, h, w]`, optional

    Outputs:
        features_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        statistic: max_abs, mean_abs, rms, l2, max, mean; max_abs
    """
    def __init__(
        self,
        *,
        statistic: Literal['max_abs', 'mean_abs', 'rms', 'l2', 'max', 'mean'] = 'max_abs',
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        features: Tensor | Array | tuple[int, ...],
        map_gradient: Tensor | Array,
        *,
        map: Tensor | Array | None = None,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        features: Tensor | Array | tuple[int, ...],
        map_gradient: Tensor | Array,
        *,
        map: Tensor | Array | None = None,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> AttentionMapBackwardOutputs[Tensor]: ...

class BisenetOutputs(NamedTuple, Generic[_T]):
    """Results of `bisenet`. A result that was not computed is `None`."""
    output: _T
    gate: _T | None

@overload
def bisenet(
    features: Array,
    weight: Array,
    norm_weight: Array,
    norm_bias: Array,
    norm_mean: Array,
    norm_variance: Array,
    *,
    identity: Array | None = None,
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    norm_epsilon: float = 1e-05,
    want: None = None,
    device: Device | None = None,
) -> Array:
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

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `Bisenet` keeps results on the GPU.
    """
@overload
def bisenet(
    features: Array,
    weight: Array,
    norm_weight: Array,
    norm_bias: Array,
    norm_mean: Array,
    norm_variance: Array,
    *,
    identity: Array | None = None,
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    norm_epsilon: float = 1e-05,
    want: str | Sequence[str],
    device: Device | None = None,
) -> BisenetOutputs[Array]: ...

class Bisenet(Operator):
    """BiSeNet's attention: a gate from one layer with batch norm.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

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
    """
    def __init__(
        self,
        *,
        epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
        norm_epsilon: float = 1e-05,
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        features: Tensor | Array,
        weight: Tensor | Array,
        norm_weight: Tensor | Array,
        norm_bias: Tensor | Array,
        norm_mean: Tensor | Array,
        norm_variance: Tensor | Array,
        *,
        identity: Tensor | Array | None = None,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        features: Tensor | Array,
        weight: Tensor | Array,
        norm_weight: Tensor | Array,
        norm_bias: Tensor | Array,
        norm_mean: Tensor | Array,
        norm_variance: Tensor | Array,
        *,
        identity: Tensor | Array | None = None,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> BisenetOutputs[Tensor]: ...

class BisenetBackwardOutputs(NamedTuple, Generic[_T]):
    """Results of `bisenet_backward`. A result that was not computed is `None`."""
    features_gradient: _T | None
    weight_gradient: _T | None
    norm_weight_gradient: _T | None
    norm_bias_gradient: _T | None
    identity_gradient: _T | None

def bisenet_backward(
    features: Array,
    weight: Array,
    norm_weight: Array,
    norm_bias: Array,
    norm_mean: Array,
    norm_variance: Array,
    *,
    output_gradient: Array | None = None,
    output: Array | None = None,
    gate_gradient: Array | None = None,
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    norm_epsilon: float = 1e-05,
    want: str | Sequence[str] | None = None,
    device: Device | None = None,
) -> BisenetBackwardOutputs[Array]:
    """The gradients of BiSeNet's attention.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        weight: float32 or float16 `[c, c]`
        norm_weight: float32 or float16 `[c]`
        norm_bias: float32 or float16 `[c]`
        norm_mean: float32 or float16 `[c]`
        norm_variance: float32 or float16 `[c]`
        output_gradient: float32 or float16 `[n, c, h, w]`, optional
        output: float32 or float16 `[n, c, h, w]`, optional
        gate_gradient: float32 `[n, c]`, optional

    Outputs:
        features_gradient: float32 or float16 `[n, c, h, w]`, optional
        weight_gradient: float32 `[c, c]`, optional
        norm_weight_gradient: float32 `[c]`, optional
        norm_bias_gradient: float32 `[c]`, optional
        identity_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        epilogue: scale, residual, scale_add, gate_only; scale
        norm_epsilon: a number; 0.00001

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `BisenetBackward` keeps results on the GPU.
    """

class BisenetBackward(Operator):
    """The gradients of BiSeNet's attention.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        weight: float32 or float16 `[c, c]`
        norm_weight: float32 or float16 `[c]`
        norm_bias: float32 or float16 `[c]`
        norm_mean: float32 or float16 `[c]`
        norm_variance: float32 or float16 `[c]`
        output_gradient: float32 or float16 `[n, c, h, w]`, optional
        output: float32 or float16 `[n, c, h, w]`, optional
        gate_gradient: float32 `[n, c]`, optional

    Outputs:
        features_gradient: float32 or float16 `[n, c, h, w]`, optional
        weight_gradient: float32 `[c, c]`, optional
        norm_weight_gradient: float32 `[c]`, optional
        norm_bias_gradient: float32 `[c]`, optional
        identity_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        epilogue: scale, residual, scale_add, gate_only; scale
        norm_epsilon: a number; 0.00001
    """
    def __init__(
        self,
        *,
        epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
        norm_epsilon: float = 1e-05,
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    def __call__(self,
        features: Tensor | Array,
        weight: Tensor | Array,
        norm_weight: Tensor | Array,
        norm_bias: Tensor | Array,
        norm_mean: Tensor | Array,
        norm_variance: Tensor | Array,
        *,
        output_gradient: Tensor | Array | None = None,
        output: Tensor | Array | None = None,
        gate_gradient: Tensor | Array | None = None,
        want: str | Sequence[str] | None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> BisenetBackwardOutputs[Tensor]: ...

class BoundingBoxOutputs(NamedTuple, Generic[_T]):
    """Results of `bounding_box`. A result that was not computed is `None`."""
    boxes: _T

@overload
def bounding_box(
    mask: Array,
    *,
    want: None = None,
    device: Device | None = None,
) -> Array:
    """The box around what is set in each mask.

    Inputs:
        mask: uint32 `[n, h, w]`

    Outputs:
        boxes: int32 `[n, 4]`

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `BoundingBox` keeps results on the GPU.
    """
@overload
def bounding_box(
    mask: Array,
    *,
    want: str | Sequence[str],
    device: Device | None = None,
) -> BoundingBoxOutputs[Array]: ...

class BoundingBox(Operator):
    """The box around what is set in each mask.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        mask: uint32 `[n, h, w]`

    Outputs:
        boxes: int32 `[n, 4]`
    """
    def __init__(
        self,
        *,
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        mask: Tensor | Array,
        *,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        mask: Tensor | Array,
        *,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> BoundingBoxOutputs[Tensor]: ...

class CbamOutputs(NamedTuple, Generic[_T]):
    """Results of `cbam`. A result that was not computed is `None`."""
    output: _T

@overload
def cbam(
    features: Array,
    reduce_weight: Array,
    expand_weight: Array,
    spatial_weight: Array,
    *,
    reduce_bias: Array | None = None,
    expand_bias: Array | None = None,
    spatial_bias: Array | None = None,
    spatial_norm_weight: Array | None = None,
    spatial_norm_bias: Array | None = None,
    spatial_norm_mean: Array | None = None,
    spatial_norm_variance: Array | None = None,
    identity: Array | None = None,
    activation: str = 'relu',
    gate: str = 'sigmoid',
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    norm_epsilon: float = 1e-05,
    want: None = None,
    device: Device | None = None,
) -> Array:
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

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `Cbam` keeps results on the GPU.
    """
@overload
def cbam(
    features: Array,
    reduce_weight: Array,
    expand_weight: Array,
    spatial_weight: Array,
    *,
    reduce_bias: Array | None = None,
    expand_bias: Array | None = None,
    spatial_bias: Array | None = None,
    spatial_norm_weight: Array | None = None,
    spatial_norm_bias: Array | None = None,
    spatial_norm_mean: Array | None = None,
    spatial_norm_variance: Array | None = None,
    identity: Array | None = None,
    activation: str = 'relu',
    gate: str = 'sigmoid',
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    norm_epsilon: float = 1e-05,
    want: str | Sequence[str],
    device: Device | None = None,
) -> CbamOutputs[Array]: ...

class Cbam(Operator):
    """CBAM: the channel gate and then the spatial gate.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

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
    """
    def __init__(
        self,
        *,
        activation: str = 'relu',
        gate: str = 'sigmoid',
        epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
        norm_epsilon: float = 1e-05,
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        features: Tensor | Array,
        reduce_weight: Tensor | Array,
        expand_weight: Tensor | Array,
        spatial_weight: Tensor | Array,
        *,
        reduce_bias: Tensor | Array | None = None,
        expand_bias: Tensor | Array | None = None,
        spatial_bias: Tensor | Array | None = None,
        spatial_norm_weight: Tensor | Array | None = None,
        spatial_norm_bias: Tensor | Array | None = None,
        spatial_norm_mean: Tensor | Array | None = None,
        spatial_norm_variance: Tensor | Array | None = None,
        identity: Tensor | Array | None = None,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        features: Tensor | Array,
        reduce_weight: Tensor | Array,
        expand_weight: Tensor | Array,
        spatial_weight: Tensor | Array,
        *,
        reduce_bias: Tensor | Array | None = None,
        expand_bias: Tensor | Array | None = None,
        spatial_bias: Tensor | Array | None = None,
        spatial_norm_weight: Tensor | Array | None = None,
        spatial_norm_bias: Tensor | Array | None = None,
        spatial_norm_mean: Tensor | Array | None = None,
        spatial_norm_variance: Tensor | Array | None = None,
        identity: Tensor | Array | None = None,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> CbamOutputs[Tensor]: ...

class CbamBackwardOutputs(NamedTuple, Generic[_T]):
    """Results of `cbam_backward`. A result that was not computed is `None`."""
    features_gradient: _T | None
    reduce_weight_gradient: _T | None
    reduce_bias_gradient: _T | None
    expand_weight_gradient: _T | None
    expand_bias_gradient: _T | None
    spatial_weight_gradient: _T | None
    spatial_bias_gradient: _T | None
    spatial_norm_weight_gradient: _T | None
    spatial_norm_bias_gradient: _T | None
    identity_gradient: _T | None

def cbam_backward(
    features: Array,
    reduce_weight: Array,
    expand_weight: Array,
    spatial_weight: Array,
    output_gradient: Array,
    *,
    reduce_bias: Array | None = None,
    expand_bias: Array | None = None,
    spatial_bias: Array | None = None,
    spatial_norm_weight: Array | None = None,
    spatial_norm_bias: Array | None = None,
    spatial_norm_mean: Array | None = None,
    spatial_norm_variance: Array | None = None,
    output: Array | None = None,
    activation: str = 'relu',
    gate: str = 'sigmoid',
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    norm_epsilon: float = 1e-05,
    want: str | Sequence[str] | None = None,
    device: Device | None = None,
) -> CbamBackwardOutputs[Array]:
    """The gradients of CBAM's channel gate and spatial gate.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        reduce_weight: float32 or float16 `[r, c]`
        expand_weight: float32 or float16 `[c, r]`
        spatial_weight: float32 or float16 `[1, 2, k, k]`
        output_gradient: float32 or float16 `[n, c, h, w]`
        reduce_bias: float32 or float16 `[r]`, optional
        expand_bias: float32 or float16 `[c]`, optional
        spatial_bias: float32 or float16 `[1]`, optional
        spatial_norm_weight: float32 or float16 `[1]`, optional
        spatial_norm_bias: float32 or float16 `[1]`, optional
        spatial_norm_mean: float32 or float16 `[1]`, optional
        spatial_norm_variance: float32 or float16 `[1]`, optional
        output: float32 or float16 `[n, c, h, w]`, optional

    Outputs:
        features_gradient: float32 or float16 `[n, c, h, w]`, optional
        reduce_weight_gradient: float32 `[r, c]`, optional
        reduce_bias_gradient: float32 `[r]`, optional
        expand_weight_gradient: float32 `[c, r]`, optional
        expand_bias_gradient: float32 `[c]`, optional
        spatial_weight_gradient: float32 `[1, 2, k, k]`, optional
        spatial_bias_gradient: float32 `[1]`, optional
        spatial_norm_weight_gradient: float32 `[1]`, optional
        spatial_norm_bias_gradient: float32 `[1]`, optional
        identity_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        activation: none, relu, relu6, leaky_relu:SLOPE, silu, hard_swish, sigmoid, hard_sigmoid, hard_sigmoid:SLOPE,OFFSET, tanh, gelu, gelu_tanh; relu
        gate: none, relu, relu6, leaky_relu:SLOPE, silu, hard_swish, sigmoid, hard_sigmoid, hard_sigmoid:SLOPE,OFFSET, tanh, gelu, gelu_tanh; sigmoid
        epilogue: scale, residual, scale_add, gate_only; scale
        norm_epsilon: a number; 0.00001

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `CbamBackward` keeps results on the GPU.
    """

class CbamBackward(Operator):
    """The gradients of CBAM's channel gate and spatial gate.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        reduce_weight: float32 or float16 `[r, c]`
        expand_weight: float32 or float16 `[c, r]`
        spatial_weight: float32 or float16 `[1, 2, k, k]`
        output_gradient: float32 or float16 `[n, c, h, w]`
        reduce_bias: float32 or float16 `[r]`, optional
        expand_bias: float32 or float16 `[c]`, optional
        spatial_bias: float32 or float16 `[1]`, optional
        spatial_norm_weight: float32 or float16 `[1]`, optional
        spatial_norm_bias: float32 or float16 `[1]`, optional
        spatial_norm_mean: float32 or float16 `[1]`, optional
        spatial_norm_variance: float32 or float16 `[1]`, optional
        output: float32 or float16 `[n, c, h, w]`, optional

    Outputs:
        features_gradient: float32 or float16 `[n, c, h, w]`, optional
        reduce_weight_gradient: float32 `[r, c]`, optional
        reduce_bias_gradient: float32 `[r]`, optional
        expand_weight_gradient: float32 `[c, r]`, optional
        expand_bias_gradient: float32 `[c]`, optional
        spatial_weight_gradient: float32 `[1, 2, k, k]`, optional
        spatial_bias_gradient: float32 `[1]`, optional
        spatial_norm_weight_gradient: float32 `[1]`, optional
        spatial_norm_bias_gradient: float32 `[1]`, optional
        identity_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        activation: none, relu, relu6, leaky_relu:SLOPE, silu, hard_swish, sigmoid, hard_sigmoid, hard_sigmoid:SLOPE,OFFSET, tanh, gelu, gelu_tanh; relu
        gate: none, relu, relu6, leaky_relu:SLOPE, silu, hard_swish, sigmoid, hard_sigmoid, hard_sigmoid:SLOPE,OFFSET, tanh, gelu, gelu_tanh; sigmoid
        epilogue: scale, residual, scale_add, gate_only; scale
        norm_epsilon: a number; 0.00001
    """
    def __init__(
        self,
        *,
        activation: str = 'relu',
        gate: str = 'sigmoid',
        epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
        norm_epsilon: float = 1e-05,
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    def __call__(self,
        features: Tensor | Array,
        reduce_weight: Tensor | Array,
        expand_weight: Tensor | Array,
        spatial_weight: Tensor | Array,
        output_gradient: Tensor | Array,
        *,
        reduce_bias: Tensor | Array | None = None,
        expand_bias: Tensor | Array | None = None,
        spatial_bias: Tensor | Array | None = None,
        spatial_norm_weight: Tensor | Array | None = None,
        spatial_norm_bias: Tensor | Array | None = None,
        spatial_norm_mean: Tensor | Array | None = None,
        spatial_norm_variance: Tensor | Array | None = None,
        output: Tensor | Array | None = None,
        want: str | Sequence[str] | None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> CbamBackwardOutputs[Tensor]: ...

class ChannelScaleOutputs(NamedTuple, Generic[_T]):
    """Results of `channel_scale`. A result that was not computed is `None`."""
    output: _T

@overload
def channel_scale(
    features: Array,
    gate: Array,
    *,
    identity: Array | None = None,
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    want: None = None,
    device: Device | None = None,
) -> Array:
    """Every channel times a gate that is given.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        gate: float32 `[n, c]`
        identity: float32 or float16 `[n, c, h, w]`, optional

    Outputs:
        output: float32 or float16 `[n, c, h, w]`

    Options:
        epilogue: scale, residual, scale_add, gate_only; scale

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `ChannelScale` keeps results on the GPU.
    """
@overload
def channel_scale(
    features: Array,
    gate: Array,
    *,
    identity: Array | None = None,
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    want: str | Sequence[str],
    device: Device | None = None,
) -> ChannelScaleOutputs[Array]: ...

class ChannelScale(Operator):
    """Every channel times a gate that is given.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        gate: float32 `[n, c]`
        identity: float32 or float16 `[n, c, h, w]`, optional

    Outputs:
        output: float32 or float16 `[n, c, h, w]`

    Options:
        epilogue: scale, residual, scale_add, gate_only; scale
    """
    def __init__(
        self,
        *,
        epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        features: Tensor | Array,
        gate: Tensor | Array,
        *,
        identity: Tensor | Array | None = None,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        features: Tensor | Array,
        gate: Tensor | Array,
        *,
        identity: Tensor | Array | None = None,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> ChannelScaleOutputs[Tensor]: ...

class ChannelScaleBackwardOutputs(NamedTuple, Generic[_T]):
    """Results of `channel_scale_backward`. A result that was not computed is `None`."""
    features_gradient: _T | None
    gate_gradient: _T | None
    identity_gradient: _T | None

def channel_scale_backward(
    features: Array,
    gate: Array,
    output_gradient: Array,
    *,
    output: Array | None = None,
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    want: str | Sequence[str] | None = None,
    device: Device | None = None,
) -> ChannelScaleBackwardOutputs[Array]:
    """The gradients of channels scaled by a gate that is given.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        gate: float32 `[n, c]`
        output_gradient: float32 or float16 `[n, c, h, w]`
        output: float32 or float16 `[n, c, h, w]`, optional

    Outputs:
        features_gradient: float32 or float16 `[n, c, h, w]`, optional
        gate_gradient: float32 `[n, c]`, optional
        identity_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        epilogue: scale, residual, scale_add, gate_only; scale

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `ChannelScaleBackward` keeps results on the GPU.
    """

class ChannelScaleBackward(Operator):
    """The gradients of channels scaled by a gate that is given.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        gate: float32 `[n, c]`
        output_gradient: float32 or float16 `[n, c, h, w]`
        output: float32 or float16 `[n, c, h, w]`, optional

    Outputs:
        features_gradient: float32 or float16 `[n, c, h, w]`, optional
        gate_gradient: float32 `[n, c]`, optional
        identity_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        epilogue: scale, residual, scale_add, gate_only; scale
    """
    def __init__(
        self,
        *,
        epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    def __call__(self,
        features: Tensor | Array,
        gate: Tensor | Array,
        output_gradient: Tensor | Array,
        *,
        output: Tensor | Array | None = None,
        want: str | Sequence[str] | None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> ChannelScaleBackwardOutputs[Tensor]: ...

class ComponentLabelsOutputs(NamedTuple, Generic[_T]):
    """Results of `component_labels`. A result that was not computed is `None`."""
    labels: _T
    count: _T

def component_labels(
    mask: Array,
    *,
    connectivity: Literal[4, 8] = 8,
    want: str | Sequence[str] | None = None,
    device: Device | None = None,
) -> ComponentLabelsOutputs[Array]:
    """Every connected region of each mask, numbered in raster order, and how many there are.

    Inputs:
        mask: uint32 `[n, h, w]`

    Outputs:
        labels: uint32 `[n, h, w]`
        count: uint32 `[n]`

    Options:
        connectivity: 4, 8; 8

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `ComponentLabels` keeps results on the GPU.
    """

class ComponentLabels(Operator):
    """Every connected region of each mask, numbered in raster order, and how many there are.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        mask: uint32 `[n, h, w]`

    Outputs:
        labels: uint32 `[n, h, w]`
        count: uint32 `[n]`

    Options:
        connectivity: 4, 8; 8
    """
    def __init__(
        self,
        *,
        connectivity: Literal[4, 8] = 8,
        device: Device | None = None,
    ) -> None: ...
    def __call__(self,
        mask: Tensor | Array,
        *,
        want: str | Sequence[str] | None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> ComponentLabelsOutputs[Tensor]: ...

class CropResizeOutputs(NamedTuple, Generic[_T]):
    """Results of `crop_resize`. A result that was not computed is `None`."""
    crops: _T

@overload
def crop_resize(
    images: Array,
    boxes: Array,
    *,
    size: int | Sequence[int],
    crop_end: Literal['inclusive', 'exclusive'] = 'inclusive',
    sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
    want: None = None,
    device: Device | None = None,
) -> Array:
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

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `CropResize` keeps results on the GPU.
    """
@overload
def crop_resize(
    images: Array,
    boxes: Array,
    *,
    size: int | Sequence[int],
    crop_end: Literal['inclusive', 'exclusive'] = 'inclusive',
    sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
    want: str | Sequence[str],
    device: Device | None = None,
) -> CropResizeOutputs[Array]: ...

class CropResize(Operator):
    """The box of each image, resized.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        images: float32 or float16 `[n, c, h, w]`
        boxes: int32 `[n, 4]`

    Outputs:
        crops: float32 or float16 `[n, c, size[0], size[1]]`

    Options:
        size: height,width
        crop_end: inclusive, exclusive; inclusive
        sampling: half_pixel, aligned_corners; half_pixel
    """
    def __init__(
        self,
        *,
        size: int | Sequence[int],
        crop_end: Literal['inclusive', 'exclusive'] = 'inclusive',
        sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        images: Tensor | Array,
        boxes: Tensor | Array,
        *,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        images: Tensor | Array,
        boxes: Tensor | Array,
        *,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> CropResizeOutputs[Tensor]: ...

class CropResizeBackwardOutputs(NamedTuple, Generic[_T]):
    """Results of `crop_resize_backward`. A result that was not computed is `None`."""
    images_gradient: _T | None

@overload
def crop_resize_backward(
    images: Array | tuple[int, ...],
    boxes: Array,
    crops_gradient: Array,
    *,
    size: int | Sequence[int],
    crop_end: Literal['inclusive', 'exclusive'] = 'inclusive',
    sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
    want: None = None,
    device: Device | None = None,
) -> Array:
    """The gradient of crops with respect to the images.

    Inputs:
        images: float32 or float16 `[n, c, h, w]`, or a tuple with its shape
        boxes: int32 `[n, 4]`
        crops_gradient: float32 or float16 `[n, c, size[0], size[1]]`

    Outputs:
        images_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        size: height,width
        crop_end: inclusive, exclusive; inclusive
        sampling: half_pixel, aligned_corners; half_pixel

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `CropResizeBackward` keeps results on the GPU.
    """
@overload
def crop_resize_backward(
    images: Array | tuple[int, ...],
    boxes: Array,
    crops_gradient: Array,
    *,
    size: int | Sequence[int],
    crop_end: Literal['inclusive', 'exclusive'] = 'inclusive',
    sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
    want: str | Sequence[str],
    device: Device | None = None,
) -> CropResizeBackwardOutputs[Array]: ...

class CropResizeBackward(Operator):
    """The gradient of crops with respect to the images.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        images: float32 or float16 `[n, c, h, w]`, or a tuple with its shape
        boxes: int32 `[n, 4]`
        crops_gradient: float32 or float16 `[n, c, size[0], size[1]]`

    Outputs:
        images_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        size: height,width
        crop_end: inclusive, exclusive; inclusive
        sampling: half_pixel, aligned_corners; half_pixel
    """
    def __init__(
        self,
        *,
        size: int | Sequence[int],
        crop_end: Literal['inclusive', 'exclusive'] = 'inclusive',
        sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        images: Tensor | Array | tuple[int, ...],
        boxes: Tensor | Array,
        crops_gradient: Tensor | Array,
        *,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        images: Tensor | Array | tuple[int, ...],
        boxes: Tensor | Array,
        crops_gradient: Tensor | Array,
        *,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> CropResizeBackwardOutputs[Tensor]: ...

class CrossAttentionOutputs(NamedTuple, Generic[_T]):
    """Results of `cross_attention`. A result that was not computed is `None`."""
    y: _T
    log_sum_exp: _T | None

@overload
def cross_attention(
    q: Array,
    k: Array,
    v: Array,
    *,
    head_dim: int,
    heads: int = 1,
    value_dim: int | None = None,
    scale: float | None = None,
    want: None = None,
    device: Device | None = None,
) -> Array:
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

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `CrossAttention` keeps results on the GPU.
    """
@overload
def cross_attention(
    q: Array,
    k: Array,
    v: Array,
    *,
    head_dim: int,
    heads: int = 1,
    value_dim: int | None = None,
    scale: float | None = None,
    want: str | Sequence[str],
    device: Device | None = None,
) -> CrossAttentionOutputs[Array]: ...

class CrossAttention(Operator):
    """Softmax attention of every position to a few keys that all positions see.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

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
    """
    def __init__(
        self,
        *,
        head_dim: int,
        heads: int = 1,
        value_dim: int | None = None,
        scale: float | None = None,
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        q: Tensor | Array,
        k: Tensor | Array,
        v: Tensor | Array,
        *,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        q: Tensor | Array,
        k: Tensor | Array,
        v: Tensor | Array,
        *,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> CrossAttentionOutputs[Tensor]: ...

class CrossAttentionBackwardOutputs(NamedTuple, Generic[_T]):
    """Results of `cross_attention_backward`. A result that was not computed is `None`."""
    q_gradient: _T | None
    k_gradient: _T | None
    v_gradient: _T | None

def cross_attention_backward(
    q: Array,
    k: Array,
    v: Array,
    log_sum_exp: Array,
    y_gradient: Array,
    *,
    log_sum_exp_gradient: Array | None = None,
    head_dim: int,
    heads: int = 1,
    value_dim: int | None = None,
    scale: float | None = None,
    want: str | Sequence[str] | None = None,
    device: Device | None = None,
) -> CrossAttentionBackwardOutputs[Array]:
    """The gradients of cross-attention with respect to queries, keys and values.

    Inputs:
        q: float32 or float16 `[n, c, h, w]`
        k: float32 or float16 `[n, c, keys]`
        v: float32 or float16 `[n, c, keys]`
        log_sum_exp: float32 `[n, heads, h, w]`
        y_gradient: float32 or float16 `[n, c, h, w]`
        log_sum_exp_gradient: float32 `[n, heads, h, w]`, optional

    Outputs:
        q_gradient: float32 or float16 `[n, c, h, w]`, optional
        k_gradient: float32 or float16 `[n, c, keys]`, optional
        v_gradient: float32 or float16 `[n, c, keys]`, optional

    Options:
        head_dim: a whole number
        heads: a whole number; 1
        value_dim: a whole number; follows from others
        scale: a number; follows from others

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `CrossAttentionBackward` keeps results on the GPU.
    """

class CrossAttentionBackward(Operator):
    """The gradients of cross-attention with respect to queries, keys and values.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        q: float32 or float16 `[n, c, h, w]`
        k: float32 or float16 `[n, c, keys]`
        v: float32 or float16 `[n, c, keys]`
        log_sum_exp: float32 `[n, heads, h, w]`
        y_gradient: float32 or float16 `[n, c, h, w]`
        log_sum_exp_gradient: float32 `[n, heads, h, w]`, optional

    Outputs:
        q_gradient: float32 or float16 `[n, c, h, w]`, optional
        k_gradient: float32 or float16 `[n, c, keys]`, optional
        v_gradient: float32 or float16 `[n, c, keys]`, optional

    Options:
        head_dim: a whole number
        heads: a whole number; 1
        value_dim: a whole number; follows from others
        scale: a number; follows from others
    """
    def __init__(
        self,
        *,
        head_dim: int,
        heads: int = 1,
        value_dim: int | None = None,
        scale: float | None = None,
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    def __call__(self,
        q: Tensor | Array,
        k: Tensor | Array,
        v: Tensor | Array,
        log_sum_exp: Tensor | Array,
        y_gradient: Tensor | Array,
        *,
        log_sum_exp_gradient: Tensor | Array | None = None,
        want: str | Sequence[str] | None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> CrossAttentionBackwardOutputs[Tensor]: ...

class DenseOutputs(NamedTuple, Generic[_T]):
    """Results of `dense`. A result that was not computed is `None`."""
    output: _T

@overload
def dense(
    input: Array,
    weight: Array,
    *,
    second: Array | None = None,
    bias: Array | None = None,
    norm_weight: Array | None = None,
    norm_bias: Array | None = None,
    norm_mean: Array | None = None,
    norm_variance: Array | None = None,
    activation: str = 'none',
    norm_epsilon: float = 1e-05,
    want: None = None,
    device: Device | None = None,
) -> Array:
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

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `Dense` keeps results on the GPU.
    """
@overload
def dense(
    input: Array,
    weight: Array,
    *,
    second: Array | None = None,
    bias: Array | None = None,
    norm_weight: Array | None = None,
    norm_bias: Array | None = None,
    norm_mean: Array | None = None,
    norm_variance: Array | None = None,
    activation: str = 'none',
    norm_epsilon: float = 1e-05,
    want: str | Sequence[str],
    device: Device | None = None,
) -> DenseOutputs[Array]: ...

class Dense(Operator):
    """A fully connected layer with bias or batch norm and an activation.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

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
    """
    def __init__(
        self,
        *,
        activation: str = 'none',
        norm_epsilon: float = 1e-05,
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        input: Tensor | Array,
        weight: Tensor | Array,
        *,
        second: Tensor | Array | None = None,
        bias: Tensor | Array | None = None,
        norm_weight: Tensor | Array | None = None,
        norm_bias: Tensor | Array | None = None,
        norm_mean: Tensor | Array | None = None,
        norm_variance: Tensor | Array | None = None,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        input: Tensor | Array,
        weight: Tensor | Array,
        *,
        second: Tensor | Array | None = None,
        bias: Tensor | Array | None = None,
        norm_weight: Tensor | Array | None = None,
        norm_bias: Tensor | Array | None = None,
        norm_mean: Tensor | Array | None = None,
        norm_variance: Tensor | Array | None = None,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> DenseOutputs[Tensor]: ...

class DenseBackwardOutputs(NamedTuple, Generic[_T]):
    """Results of `dense_backward`. A result that was not computed is `None`."""
    input_gradient: _T | None
    second_gradient: _T | None
    weight_gradient: _T | None
    bias_gradient: _T | None
    norm_weight_gradient: _T | None
    norm_bias_gradient: _T | None

def dense_backward(
    input: Array,
    weight: Array,
    output_gradient: Array,
    *,
    second: Array | None = None,
    bias: Array | None = None,
    norm_weight: Array | None = None,
    norm_bias: Array | None = None,
    norm_mean: Array | None = None,
    norm_variance: Array | None = None,
    activation: str = 'none',
    norm_epsilon: float = 1e-05,
    want: str | Sequence[str] | None = None,
    device: Device | None = None,
) -> DenseBackwardOutputs[Array]:
    """The gradients of a fully connected layer.

    Inputs:
        input: float32 `[n, inputs]`
        weight: float32 or float16 `[outputs, inputs + more]`
        output_gradient: float32 `[n, outputs]`
        second: float32 `[n, more]`, optional
        bias: float32 or float16 `[outputs]`, optional
        norm_weight: float32 or float16 `[outputs]`, optional
        norm_bias: float32 or float16 `[outputs]`, optional
        norm_mean: float32 or float16 `[outputs]`, optional
        norm_variance: float32 or float16 `[outputs]`, optional

    Outputs:
        input_gradient: float32 `[n, inputs]`, optional
        second_gradient: float32 `[n, more]`, optional
        weight_gradient: float32 `[outputs, inputs + more]`, optional
        bias_gradient: float32 `[outputs]`, optional
        norm_weight_gradient: float32 `[outputs]`, optional
        norm_bias_gradient: float32 `[outputs]`, optional

    Options:
        activation: none, relu, relu6, leaky_relu:SLOPE, silu, hard_swish, sigmoid, hard_sigmoid, hard_sigmoid:SLOPE,OFFSET, tanh, gelu, gelu_tanh; none
        norm_epsilon: a number; 0.00001

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `DenseBackward` keeps results on the GPU.
    """

class DenseBackward(Operator):
    """The gradients of a fully connected layer.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        input: float32 `[n, inputs]`
        weight: float32 or float16 `[outputs, inputs + more]`
        output_gradient: float32 `[n, outputs]`
        second: float32 `[n, more]`, optional
        bias: float32 or float16 `[outputs]`, optional
        norm_weight: float32 or float16 `[outputs]`, optional
        norm_bias: float32 or float16 `[outputs]`, optional
        norm_mean: float32 or float16 `[outputs]`, optional
        norm_variance: float32 or float16 `[outputs]`, optional

    Outputs:
        input_gradient: float32 `[n, inputs]`, optional
        second_gradient: float32 `[n, more]`, optional
        weight_gradient: float32 `[outputs, inputs + more]`, optional
        bias_gradient: float32 `[outputs]`, optional
        norm_weight_gradient: float32 `[outputs]`, optional
        norm_bias_gradient: float32 `[outputs]`, optional

    Options:
        activation: none, relu, relu6, leaky_relu:SLOPE, silu, hard_swish, sigmoid, hard_sigmoid, hard_sigmoid:SLOPE,OFFSET, tanh, gelu, gelu_tanh; none
        norm_epsilon: a number; 0.00001
    """
    def __init__(
        self,
        *,
        activation: str = 'none',
        norm_epsilon: float = 1e-05,
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    def __call__(self,
        input: Tensor | Array,
        weight: Tensor | Array,
        output_gradient: Tensor | Array,
        *,
        second: Tensor | Array | None = None,
        bias: Tensor | Array | None = None,
        norm_weight: Tensor | Array | None = None,
        norm_bias: Tensor | Array | None = None,
        norm_mean: Tensor | Array | None = None,
        norm_variance: Tensor | Array | None = None,
        want: str | Sequence[str] | None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> DenseBackwardOutputs[Tensor]: ...

class EcaOutputs(NamedTuple, Generic[_T]):
    """Results of `eca`. A result that was not computed is `None`."""
    output: _T
    gate: _T | None

@overload
def eca(
    features: Array,
    weight: Array,
    *,
    identity: Array | None = None,
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    want: None = None,
    device: Device | None = None,
) -> Array:
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

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `Eca` keeps results on the GPU.
    """
@overload
def eca(
    features: Array,
    weight: Array,
    *,
    identity: Array | None = None,
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    want: str | Sequence[str],
    device: Device | None = None,
) -> EcaOutputs[Array]: ...

class Eca(Operator):
    """ECA: every channel times a gate from a convolution along the channels.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        weight: float32 or float16 `[k]`
        identity: float32 or float16 `[n, c, h, w]`, optional

    Outputs:
        output: float32 or float16 `[n, c, h, w]`
        gate: float32 `[n, c]`, optional

    Options:
        epilogue: scale, residual, scale_add, gate_only; scale
    """
    def __init__(
        self,
        *,
        epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        features: Tensor | Array,
        weight: Tensor | Array,
        *,
        identity: Tensor | Array | None = None,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        features: Tensor | Array,
        weight: Tensor | Array,
        *,
        identity: Tensor | Array | None = None,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> EcaOutputs[Tensor]: ...

class EcaBackwardOutputs(NamedTuple, Generic[_T]):
    """Results of `eca_backward`. A result that was not computed is `None`."""
    features_gradient: _T | None
    weight_gradient: _T | None
    identity_gradient: _T | None

def eca_backward(
    features: Array,
    weight: Array,
    *,
    output_gradient: Array | None = None,
    output: Array | None = None,
    gate_gradient: Array | None = None,
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    want: str | Sequence[str] | None = None,
    device: Device | None = None,
) -> EcaBackwardOutputs[Array]:
    """The gradients of ECA.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        weight: float32 or float16 `[k]`
        output_gradient: float32 or float16 `[n, c, h, w]`, optional
        output: float32 or float16 `[n, c, h, w]`, optional
        gate_gradient: float32 `[n, c]`, optional

    Outputs:
        features_gradient: float32 or float16 `[n, c, h, w]`, optional
        weight_gradient: float32 `[k]`, optional
        identity_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        epilogue: scale, residual, scale_add, gate_only; scale

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `EcaBackward` keeps results on the GPU.
    """

class EcaBackward(Operator):
    """The gradients of ECA.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        weight: float32 or float16 `[k]`
        output_gradient: float32 or float16 `[n, c, h, w]`, optional
        output: float32 or float16 `[n, c, h, w]`, optional
        gate_gradient: float32 `[n, c]`, optional

    Outputs:
        features_gradient: float32 or float16 `[n, c, h, w]`, optional
        weight_gradient: float32 `[k]`, optional
        identity_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        epilogue: scale, residual, scale_add, gate_only; scale
    """
    def __init__(
        self,
        *,
        epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    def __call__(self,
        features: Tensor | Array,
        weight: Tensor | Array,
        *,
        output_gradient: Tensor | Array | None = None,
        output: Tensor | Array | None = None,
        gate_gradient: Tensor | Array | None = None,
        want: str | Sequence[str] | None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> EcaBackwardOutputs[Tensor]: ...

class GlobalPoolOutputs(NamedTuple, Generic[_T]):
    """Results of `global_pool`. A result that was not computed is `None`."""
    mean: _T
    max: _T | None

@overload
def global_pool(
    features: Array,
    *,
    squeeze: Literal['mean', 'max', 'mean_and_max'] = 'mean',
    want: None = None,
    device: Device | None = None,
) -> Array:
    """Mean and maximum of every plane.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`

    Outputs:
        mean: float32 `[n, c]`
        max: float32 `[n, c]`, optional

    Options:
        squeeze: mean, max, mean_and_max; mean

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `GlobalPool` keeps results on the GPU.
    """
@overload
def global_pool(
    features: Array,
    *,
    squeeze: Literal['mean', 'max', 'mean_and_max'] = 'mean',
    want: str | Sequence[str],
    device: Device | None = None,
) -> GlobalPoolOutputs[Array]: ...

class GlobalPool(Operator):
    """Mean and maximum of every plane.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`

    Outputs:
        mean: float32 `[n, c]`
        max: float32 `[n, c]`, optional

    Options:
        squeeze: mean, max, mean_and_max; mean
    """
    def __init__(
        self,
        *,
        squeeze: Literal['mean', 'max', 'mean_and_max'] = 'mean',
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        features: Tensor | Array,
        *,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        features: Tensor | Array,
        *,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> GlobalPoolOutputs[Tensor]: ...

class GlobalPoolBackwardOutputs(NamedTuple, Generic[_T]):
    """Results of `global_pool_backward`. A result that was not computed is `None`."""
    features_gradient: _T | None

@overload
def global_pool_backward(
    features: Array | tuple[int, ...],
    *,
    mean_gradient: Array | None = None,
    max_gradient: Array | None = None,
    squeeze: Literal['mean', 'max', 'mean_and_max'] = 'mean',
    want: None = None,
    device: Device | None = None,
) -> Array:
    """The gradient of the mean and the maximum of every plane with respect to the features.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`, or a tuple with its shape
        mean_gradient: float32 `[n, c]`, optional
        max_gradient: float32 `[n, c]`, optional

    Outputs:
        features_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        squeeze: mean, max, mean_and_max; mean

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `GlobalPoolBackward` keeps results on the GPU.
    """
@overload
def global_pool_backward(
    features: Array | tuple[int, ...],
    *,
    mean_gradient: Array | None = None,
    max_gradient: Array | None = None,
    squeeze: Literal['mean', 'max', 'mean_and_max'] = 'mean',
    want: str | Sequence[str],
    device: Device | None = None,
) -> GlobalPoolBackwardOutputs[Array]: ...

class GlobalPoolBackward(Operator):
    """The gradient of the mean and the maximum of every plane with respect to the features.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`, or a tuple with its shape
        mean_gradient: float32 `[n, c]`, optional
        max_gradient: float32 `[n, c]`, optional

    Outputs:
        features_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        squeeze: mean, max, mean_and_max; mean
    """
    def __init__(
        self,
        *,
        squeeze: Literal['mean', 'max', 'mean_and_max'] = 'mean',
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        features: Tensor | Array | tuple[int, ...],
        *,
        mean_gradient: Tensor | Array | None = None,
        max_gradient: Tensor | Array | None = None,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        features: Tensor | Array | tuple[int, ...],
        *,
        mean_gradient: Tensor | Array | None = None,
        max_gradient: Tensor | Array | None = None,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> GlobalPoolBackwardOutputs[Tensor]: ...

class HeadNormRotaryOutputs(NamedTuple, Generic[_T]):
    """Results of `head_norm_rotary`. A result that was not computed is `None`."""
    y: _T

@overload
def head_norm_rotary(
    x: Array,
    *,
    weight: Array | None = None,
    heads: int = 1,
    norm: Literal['none', 'rms', 'l2'] = 'none',
    epsilon: float = 1e-06,
    scale: float = 1.0,
    split: int | Sequence[int] = (0, 0, 0),
    first: int | Sequence[int] = (0, 0, 0),
    base: float = 10000.0,
    want: None = None,
    device: Device | None = None,
) -> Array:
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

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `HeadNormRotary` keeps results on the GPU.
    """
@overload
def head_norm_rotary(
    x: Array,
    *,
    weight: Array | None = None,
    heads: int = 1,
    norm: Literal['none', 'rms', 'l2'] = 'none',
    epsilon: float = 1e-06,
    scale: float = 1.0,
    split: int | Sequence[int] = (0, 0, 0),
    first: int | Sequence[int] = (0, 0, 0),
    base: float = 10000.0,
    want: str | Sequence[str],
    device: Device | None = None,
) -> HeadNormRotaryOutputs[Array]: ...

class HeadNormRotary(Operator):
    """Norm of each head and rotary positions, for queries and keys.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

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
    """
    def __init__(
        self,
        *,
        heads: int = 1,
        norm: Literal['none', 'rms', 'l2'] = 'none',
        epsilon: float = 1e-06,
        scale: float = 1.0,
        split: int | Sequence[int] = (0, 0, 0),
        first: int | Sequence[int] = (0, 0, 0),
        base: float = 10000.0,
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        x: Tensor | Array,
        *,
        weight: Tensor | Array | None = None,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        x: Tensor | Array,
        *,
        weight: Tensor | Array | None = None,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> HeadNormRotaryOutputs[Tensor]: ...

class HeadNormRotaryBackwardOutputs(NamedTuple, Generic[_T]):
    """Results of `head_norm_rotary_backward`. A result that was not computed is `None`."""
    x_gradient: _T | None
    weight_gradient: _T | None

def head_norm_rotary_backward(
    x: Array,
    y_gradient: Array,
    *,
    weight: Array | None = None,
    heads: int = 1,
    norm: Literal['none', 'rms', 'l2'] = 'none',
    epsilon: float = 1e-06,
    scale: float = 1.0,
    split: int | Sequence[int] = (0, 0, 0),
    first: int | Sequence[int] = (0, 0, 0),
    base: float = 10000.0,
    want: str | Sequence[str] | None = None,
    device: Device | None = None,
) -> HeadNormRotaryBackwardOutputs[Array]:
    """The gradients of the norm of each head and of rotary positions.

    Inputs:
        x: float32 or float16 `[n, c, h, w]`
        y_gradient: float32 or float16 `[n, c, h, w]`
        weight: float32 or float16 `[c//heads]`, optional

    Outputs:
        x_gradient: float32 or float16 `[n, c, h, w]`, optional
        weight_gradient: float32 `[c//heads]`, optional

    Options:
        heads: a whole number; 1
        norm: none, rms, l2; none
        epsilon: a number; 0.000001
        scale: a number; 1
        split: one number for rows and columns; rows,columns; or frames,rows,columns; 0,0,0
        first: one number for rows and columns; rows,columns; or frames,rows,columns; 0,0,0
        base: a number; 10000

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `HeadNormRotaryBackward` keeps results on the GPU.
    """

class HeadNormRotaryBackward(Operator):
    """The gradients of the norm of each head and of rotary positions.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        x: float32 or float16 `[n, c, h, w]`
        y_gradient: float32 or float16 `[n, c, h, w]`
        weight: float32 or float16 `[c//heads]`, optional

    Outputs:
        x_gradient: float32 or float16 `[n, c, h, w]`, optional
        weight_gradient: float32 `[c//heads]`, optional

    Options:
        heads: a whole number; 1
        norm: none, rms, l2; none
        epsilon: a number; 0.000001
        scale: a number; 1
        split: one number for rows and columns; rows,columns; or frames,rows,columns; 0,0,0
        first: one number for rows and columns; rows,columns; or frames,rows,columns; 0,0,0
        base: a number; 10000
    """
    def __init__(
        self,
        *,
        heads: int = 1,
        norm: Literal['none', 'rms', 'l2'] = 'none',
        epsilon: float = 1e-06,
        scale: float = 1.0,
        split: int | Sequence[int] = (0, 0, 0),
        first: int | Sequence[int] = (0, 0, 0),
        base: float = 10000.0,
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    def __call__(self,
        x: Tensor | Array,
        y_gradient: Tensor | Array,
        *,
        weight: Tensor | Array | None = None,
        want: str | Sequence[str] | None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> HeadNormRotaryBackwardOutputs[Tensor]: ...

class HeatOverlayOutputs(NamedTuple, Generic[_T]):
    """Results of `heat_overlay`. A result that was not computed is `None`."""
    overlay: _T

@overload
def heat_overlay(
    map: Array,
    pictures: Array,
    *,
    color_map: Literal['turbo', 'viridis', 'grey'] = 'turbo',
    sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
    opacity: float = 0.5,
    want: None = None,
    device: Device | None = None,
) -> Array:
    """A colour-mapped map over a picture, four bytes to a pixel.

    Inputs:
        map: float32 `[n, h, w]`
        pictures: float32 or float16 `[n, channels, height, width]`

    Outputs:
        overlay: uint32 `[n, height, width]`

    Options:
        color_map: turbo, viridis, grey; turbo
        sampling: half_pixel, aligned_corners; half_pixel
        opacity: a number; 0.5

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `HeatOverlay` keeps results on the GPU.
    """
@overload
def heat_overlay(
    map: Array,
    pictures: Array,
    *,
    color_map: Literal['turbo', 'viridis', 'grey'] = 'turbo',
    sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
    opacity: float = 0.5,
    want: str | Sequence[str],
    device: Device | None = None,
) -> HeatOverlayOutputs[Array]: ...

class HeatOverlay(Operator):
    """A colour-mapped map over a picture, four bytes to a pixel.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        map: float32 `[n, h, w]`
        pictures: float32 or float16 `[n, channels, height, width]`

    Outputs:
        overlay: uint32 `[n, height, width]`

    Options:
        color_map: turbo, viridis, grey; turbo
        sampling: half_pixel, aligned_corners; half_pixel
        opacity: a number; 0.5
    """
    def __init__(
        self,
        *,
        color_map: Literal['turbo', 'viridis', 'grey'] = 'turbo',
        sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
        opacity: float = 0.5,
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        map: Tensor | Array,
        pictures: Tensor | Array,
        *,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        map: Tensor | Array,
        pictures: Tensor | Array,
        *,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> HeatOverlayOutputs[Tensor]: ...

class LargestComponentOutputs(NamedTuple, Generic[_T]):
    """Results of `largest_component`. A result that was not computed is `None`."""
    boxes: _T
    component: _T | None
    all_labels: _T | None
    all_sizes: _T | None

@overload
def largest_component(
    mask: Array,
    *,
    connectivity: Literal[4, 8] = 8,
    want: None = None,
    device: Device | None = None,
) -> Array:
    """The largest connected component of each mask, its box, and every component by label.

    Inputs:
        mask: uint32 `[n, h, w]`

    Outputs:
        boxes: int32 `[n, 4]`
        component: uint32 `[n, h, w]`, optional
        all_labels: uint32 `[n, h, w]`, optional
        all_sizes: uint32 `[n, h, w]`, optional

    Options:
        connectivity: 4, 8; 8

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `LargestComponent` keeps results on the GPU.
    """
@overload
def largest_component(
    mask: Array,
    *,
    connectivity: Literal[4, 8] = 8,
    want: str | Sequence[str],
    device: Device | None = None,
) -> LargestComponentOutputs[Array]: ...

class LargestComponent(Operator):
    """The largest connected component of each mask, its box, and every component by label.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        mask: uint32 `[n, h, w]`

    Outputs:
        boxes: int32 `[n, 4]`
        component: uint32 `[n, h, w]`, optional
        all_labels: uint32 `[n, h, w]`, optional
        all_sizes: uint32 `[n, h, w]`, optional

    Options:
        connectivity: 4, 8; 8
    """
    def __init__(
        self,
        *,
        connectivity: Literal[4, 8] = 8,
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        mask: Tensor | Array,
        *,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        mask: Tensor | Array,
        *,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> LargestComponentOutputs[Tensor]: ...

class MergeAttentionOutputs(NamedTuple, Generic[_T]):
    """Results of `merge_attention`. A result that was not computed is `None`."""
    y: _T
    log_sum_exp: _T | None

@overload
def merge_attention(
    y1: Array,
    log_sum_exp1: Array,
    y2: Array,
    log_sum_exp2: Array,
    *,
    heads: int = 1,
    want: None = None,
    device: Device | None = None,
) -> Array:
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

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `MergeAttention` keeps results on the GPU.
    """
@overload
def merge_attention(
    y1: Array,
    log_sum_exp1: Array,
    y2: Array,
    log_sum_exp2: Array,
    *,
    heads: int = 1,
    want: str | Sequence[str],
    device: Device | None = None,
) -> MergeAttentionOutputs[Array]: ...

class MergeAttention(Operator):
    """Two results of attention over different keys in one.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

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
    """
    def __init__(
        self,
        *,
        heads: int = 1,
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        y1: Tensor | Array,
        log_sum_exp1: Tensor | Array,
        y2: Tensor | Array,
        log_sum_exp2: Tensor | Array,
        *,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        y1: Tensor | Array,
        log_sum_exp1: Tensor | Array,
        y2: Tensor | Array,
        log_sum_exp2: Tensor | Array,
        *,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> MergeAttentionOutputs[Tensor]: ...

class MergeAttentionBackwardOutputs(NamedTuple, Generic[_T]):
    """Results of `merge_attention_backward`. A result that was not computed is `None`."""
    y1_gradient: _T | None
    log_sum_exp1_gradient: _T | None
    y2_gradient: _T | None
    log_sum_exp2_gradient: _T | None

def merge_attention_backward(
    y1: Array,
    log_sum_exp1: Array,
    y2: Array,
    log_sum_exp2: Array,
    y_gradient: Array,
    *,
    log_sum_exp_gradient: Array | None = None,
    heads: int = 1,
    want: str | Sequence[str] | None = None,
    device: Device | None = None,
) -> MergeAttentionBackwardOutputs[Array]:
    """The gradients of two merged results of attention.

    Inputs:
        y1: float32 or float16 `[n, c, h, w]`
        log_sum_exp1: float32 `[n, heads, h, w]`
        y2: float32 or float16 `[n, c, h, w]`
        log_sum_exp2: float32 `[n, heads, h, w]`
        y_gradient: float32 or float16 `[n, c, h, w]`
        log_sum_exp_gradient: float32 `[n, heads, h, w]`, optional

    Outputs:
        y1_gradient: float32 or float16 `[n, c, h, w]`, optional
        log_sum_exp1_gradient: float32 `[n, heads, h, w]`, optional
        y2_gradient: float32 or float16 `[n, c, h, w]`, optional
        log_sum_exp2_gradient: float32 `[n, heads, h, w]`, optional

    Options:
        heads: a whole number; 1

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `MergeAttentionBackward` keeps results on the GPU.
    """

class MergeAttentionBackward(Operator):
    """The gradients of two merged results of attention.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        y1: float32 or float16 `[n, c, h, w]`
        log_sum_exp1: float32 `[n, heads, h, w]`
        y2: float32 or float16 `[n, c, h, w]`
        log_sum_exp2: float32 `[n, heads, h, w]`
        y_gradient: float32 or float16 `[n, c, h, w]`
        log_sum_exp_gradient: float32 `[n, heads, h, w]`, optional

    Outputs:
        y1_gradient: float32 or float16 `[n, c, h, w]`, optional
        log_sum_exp1_gradient: float32 `[n, heads, h, w]`, optional
        y2_gradient: float32 or float16 `[n, c, h, w]`, optional
        log_sum_exp2_gradient: float32 `[n, heads, h, w]`, optional

    Options:
        heads: a whole number; 1
    """
    def __init__(
        self,
        *,
        heads: int = 1,
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    def __call__(self,
        y1: Tensor | Array,
        log_sum_exp1: Tensor | Array,
        y2: Tensor | Array,
        log_sum_exp2: Tensor | Array,
        y_gradient: Tensor | Array,
        *,
        log_sum_exp_gradient: Tensor | Array | None = None,
        want: str | Sequence[str] | None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> MergeAttentionBackwardOutputs[Tensor]: ...

class NormalizeOutputs(NamedTuple, Generic[_T]):
    """Results of `normalize`. A result that was not computed is `None`."""
    map: _T
    range: _T | None

@overload
def normalize(
    map: Array,
    *,
    normalization: Literal['min_max', 'max', 'none'] = 'min_max',
    want: None = None,
    device: Device | None = None,
) -> Array:
    """Each map brought to 0..1, in place.

    Inputs:
        map: float32 `[n, h, w]`

    Outputs:
        map: float32 `[n, h, w]`
        range: float32 `[n, 2]`, optional

    Options:
        normalization: min_max, max, none; min_max

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `Normalize` keeps results on the GPU.
    """
@overload
def normalize(
    map: Array,
    *,
    normalization: Literal['min_max', 'max', 'none'] = 'min_max',
    want: str | Sequence[str],
    device: Device | None = None,
) -> NormalizeOutputs[Array]: ...

class Normalize(Operator):
    """Each map brought to 0..1, in place.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        map: float32 `[n, h, w]`

    Outputs:
        map: float32 `[n, h, w]`
        range: float32 `[n, 2]`, optional

    Options:
        normalization: min_max, max, none; min_max
    """
    def __init__(
        self,
        *,
        normalization: Literal['min_max', 'max', 'none'] = 'min_max',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        map: Tensor | Array,
        *,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        map: Tensor | Array,
        *,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> NormalizeOutputs[Tensor]: ...

class NormalizeBackwardOutputs(NamedTuple, Generic[_T]):
    """Results of `normalize_backward`. A result that was not computed is `None`."""
    map_gradient: _T

@overload
def normalize_backward(
    map_gradient: Array,
    map: Array,
    range: Array,
    *,
    normalization: Literal['min_max', 'max', 'none'] = 'min_max',
    want: None = None,
    device: Device | None = None,
) -> Array:
    """The gradient of a normalised map, in place.

    Inputs:
        map_gradient: float32 `[n, h, w]`
        map: float32 `[n, h, w]`
        range: float32 `[n, 2]`

    Outputs:
        map_gradient: float32 `[n, h, w]`

    Options:
        normalization: min_max, max, none; min_max

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `NormalizeBackward` keeps results on the GPU.
    """
@overload
def normalize_backward(
    map_gradient: Array,
    map: Array,
    range: Array,
    *,
    normalization: Literal['min_max', 'max', 'none'] = 'min_max',
    want: str | Sequence[str],
    device: Device | None = None,
) -> NormalizeBackwardOutputs[Array]: ...

class NormalizeBackward(Operator):
    """The gradient of a normalised map, in place.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        map_gradient: float32 `[n, h, w]`
        map: float32 `[n, h, w]`
        range: float32 `[n, 2]`

    Outputs:
        map_gradient: float32 `[n, h, w]`

    Options:
        normalization: min_max, max, none; min_max
    """
    def __init__(
        self,
        *,
        normalization: Literal['min_max', 'max', 'none'] = 'min_max',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        map_gradient: Tensor | Array,
        map: Tensor | Array,
        range: Tensor | Array,
        *,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        map_gradient: Tensor | Array,
        map: Tensor | Array,
        range: Tensor | Array,
        *,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> NormalizeBackwardOutputs[Tensor]: ...

class PointwiseConvOutputs(NamedTuple, Generic[_T]):
    """Results of `pointwise_conv`. A result that was not computed is `None`."""
    y0: _T
    y1: _T | None
    y2: _T | None

@overload
def pointwise_conv(
    x: Array,
    weights: Array,
    *,
    bias: Array | None = None,
    inputs: int,
    outputs: int,
    groups: int = 1,
    stack: int = 1,
    want: None = None,
    device: Device | None = None,
) -> Array:
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

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `PointwiseConv` keeps results on the GPU.
    """
@overload
def pointwise_conv(
    x: Array,
    weights: Array,
    *,
    bias: Array | None = None,
    inputs: int,
    outputs: int,
    groups: int = 1,
    stack: int = 1,
    want: str | Sequence[str],
    device: Device | None = None,
) -> PointwiseConvOutputs[Array]: ...

class PointwiseConv(Operator):
    """Up to three 1x1 convolutions of one tensor.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

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
        bias: true or false; false
    """
    def __init__(
        self,
        *,
        inputs: int,
        outputs: int,
        groups: int = 1,
        stack: int = 1,
        bias: bool = False,
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        x: Tensor | Array,
        weights: Tensor | Array,
        *,
        bias: Tensor | Array | None = None,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        x: Tensor | Array,
        weights: Tensor | Array,
        *,
        bias: Tensor | Array | None = None,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> PointwiseConvOutputs[Tensor]: ...

class PointwiseConvBackwardOutputs(NamedTuple, Generic[_T]):
    """Results of `pointwise_conv_backward`. A result that was not computed is `None`."""
    x_gradient: _T | None
    weights_gradient: _T | None
    bias_gradient: _T | None

def pointwise_conv_backward(
    x: Array | tuple[int, ...],
    y0_gradient: Array,
    *,
    weights: Array | None = None,
    y1_gradient: Array | None = None,
    y2_gradient: Array | None = None,
    inputs: int,
    outputs: int,
    groups: int = 1,
    stack: int = 1,
    bias: bool = False,
    want: str | Sequence[str] | None = None,
    device: Device | None = None,
) -> PointwiseConvBackwardOutputs[Array]:
    """The gradients of a pointwise convolution with respect to its input, weights and bias.

    Inputs:
        x: float32 or float16 `[n, inputs, h, w]`, or a tuple with its shape
        y0_gradient: float32 or float16 `[n, outputs, h, w]`
        weights: float32 or float16 `[stack, outputs, inputs]`, optional
        y1_gradient: float32 or float16 `[n, outputs, h, w]`, optional
        y2_gradient: float32 or float16 `[n, outputs, h, w]`, optional

    Outputs:
        x_gradient: float32 or float16 `[n, inputs, h, w]`, optional
        weights_gradient: float32 `[stack, outputs, inputs]`, optional
        bias_gradient: float32 `[1, outputs]`, optional

    Options:
        inputs: a whole number
        outputs: a whole number
        groups: a whole number; 1
        stack: a whole number; 1
        bias: true or false; false

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `PointwiseConvBackward` keeps results on the GPU.
    """

class PointwiseConvBackward(Operator):
    """The gradients of a pointwise convolution with respect to its input, weights and bias.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        x: float32 or float16 `[n, inputs, h, w]`, or a tuple with its shape
        y0_gradient: float32 or float16 `[n, outputs, h, w]`
        weights: float32 or float16 `[stack, outputs, inputs]`, optional
        y1_gradient: float32 or float16 `[n, outputs, h, w]`, optional
        y2_gradient: float32 or float16 `[n, outputs, h, w]`, optional

    Outputs:
        x_gradient: float32 or float16 `[n, inputs, h, w]`, optional
        weights_gradient: float32 `[stack, outputs, inputs]`, optional
        bias_gradient: float32 `[1, outputs]`, optional

    Options:
        inputs: a whole number
        outputs: a whole number
        groups: a whole number; 1
        stack: a whole number; 1
        bias: true or false; false
    """
    def __init__(
        self,
        *,
        inputs: int,
        outputs: int,
        groups: int = 1,
        stack: int = 1,
        bias: bool = False,
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    def __call__(self,
        x: Tensor | Array | tuple[int, ...],
        y0_gradient: Tensor | Array,
        *,
        weights: Tensor | Array | None = None,
        y1_gradient: Tensor | Array | None = None,
        y2_gradient: Tensor | Array | None = None,
        want: str | Sequence[str] | None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> PointwiseConvBackwardOutputs[Tensor]: ...

class RegionMeasuresOutputs(NamedTuple, Generic[_T]):
    """Results of `region_measures`. A result that was not computed is `None`."""
    count: _T
    areas: _T
    boxes: _T
    regions: _T | None
    centroids: _T | None
    sums: _T | None
    maxima: _T | None
    positions: _T | None

def region_measures(
    labels: Array,
    *,
    map: Array | None = None,
    capacity: int,
    order: Literal['raster', 'area', 'sum'] = 'raster',
    want: str | Sequence[str] | None = None,
    device: Device | None = None,
) -> RegionMeasuresOutputs[Array]:
    """Area, box and centroid of every labelled region, and the sum, maximum and peak of a map in it.

    Inputs:
        labels: uint32 `[n, h, w]`
        map: float32 `[n, h, w]`, optional

    Outputs:
        count: uint32 `[n]`
        areas: uint32 `[n, capacity]`
        boxes: int32 `[n, capacity, 4]`
        regions: uint32 `[n, capacity]`, optional
        centroids: float32 `[n, capacity, 2]`, optional
        sums: float32 `[n, capacity]`, optional
        maxima: float32 `[n, capacity]`, optional
        positions: int32 `[n, capacity, 2]`, optional

    Options:
        capacity: a whole number
        order: raster, area, sum; raster

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `RegionMeasures` keeps results on the GPU.
    """

class RegionMeasures(Operator):
    """Area, box and centroid of every labelled region, and the sum, maximum and peak of a map in it.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        labels: uint32 `[n, h, w]`
        map: float32 `[n, h, w]`, optional

    Outputs:
        count: uint32 `[n]`
        areas: uint32 `[n, capacity]`
        boxes: int32 `[n, capacity, 4]`
        regions: uint32 `[n, capacity]`, optional
        centroids: float32 `[n, capacity, 2]`, optional
        sums: float32 `[n, capacity]`, optional
        maxima: float32 `[n, capacity]`, optional
        positions: int32 `[n, capacity, 2]`, optional

    Options:
        capacity: a whole number
        order: raster, area, sum; raster
    """
    def __init__(
        self,
        *,
        capacity: int,
        order: Literal['raster', 'area', 'sum'] = 'raster',
        device: Device | None = None,
    ) -> None: ...
    def __call__(self,
        labels: Tensor | Array,
        *,
        map: Tensor | Array | None = None,
        want: str | Sequence[str] | None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> RegionMeasuresOutputs[Tensor]: ...

class ResizeOutputs(NamedTuple, Generic[_T]):
    """Results of `resize`. A result that was not computed is `None`."""
    output: _T

@overload
def resize(
    input: Array,
    *,
    size: int | Sequence[int],
    sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
    want: None = None,
    device: Device | None = None,
) -> Array:
    """Bilinear resizing of every plane.

    Inputs:
        input: float32 or float16 `[n, c, h, w]`

    Outputs:
        output: float32 or float16 `[n, c, size[0], size[1]]`

    Options:
        size: height,width
        sampling: half_pixel, aligned_corners; half_pixel

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `Resize` keeps results on the GPU.
    """
@overload
def resize(
    input: Array,
    *,
    size: int | Sequence[int],
    sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
    want: str | Sequence[str],
    device: Device | None = None,
) -> ResizeOutputs[Array]: ...

class Resize(Operator):
    """Bilinear resizing of every plane.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        input: float32 or float16 `[n, c, h, w]`

    Outputs:
        output: float32 or float16 `[n, c, size[0], size[1]]`

    Options:
        size: height,width
        sampling: half_pixel, aligned_corners; half_pixel
    """
    def __init__(
        self,
        *,
        size: int | Sequence[int],
        sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        input: Tensor | Array,
        *,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        input: Tensor | Array,
        *,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> ResizeOutputs[Tensor]: ...

class ResizeBackwardOutputs(NamedTuple, Generic[_T]):
    """Results of `resize_backward`. A result that was not computed is `None`."""
    input_gradient: _T | None

@overload
def resize_backward(
    input: Array | tuple[int, ...],
    output_gradient: Array,
    *,
    size: int | Sequence[int],
    sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
    want: None = None,
    device: Device | None = None,
) -> Array:
    """The gradient of bilinear resampling with respect to the input.

    Inputs:
        input: float32 or float16 `[n, c, h, w]`, or a tuple with its shape
        output_gradient: float32 or float16 `[n, c, size[0], size[1]]`

    Outputs:
        input_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        size: height,width
        sampling: half_pixel, aligned_corners; half_pixel

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `ResizeBackward` keeps results on the GPU.
    """
@overload
def resize_backward(
    input: Array | tuple[int, ...],
    output_gradient: Array,
    *,
    size: int | Sequence[int],
    sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
    want: str | Sequence[str],
    device: Device | None = None,
) -> ResizeBackwardOutputs[Array]: ...

class ResizeBackward(Operator):
    """The gradient of bilinear resampling with respect to the input.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        input: float32 or float16 `[n, c, h, w]`, or a tuple with its shape
        output_gradient: float32 or float16 `[n, c, size[0], size[1]]`

    Outputs:
        input_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        size: height,width
        sampling: half_pixel, aligned_corners; half_pixel
    """
    def __init__(
        self,
        *,
        size: int | Sequence[int],
        sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        input: Tensor | Array | tuple[int, ...],
        output_gradient: Tensor | Array,
        *,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        input: Tensor | Array | tuple[int, ...],
        output_gradient: Tensor | Array,
        *,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> ResizeBackwardOutputs[Tensor]: ...

class SasaLayerOutputs(NamedTuple, Generic[_T]):
    """Results of `sasa_layer`. A result that was not computed is `None`."""
    y: _T
    log_sum_exp: _T | None

@overload
def sasa_layer(
    x: Array,
    projections: Array,
    *,
    tables_rows: Array | None = None,
    tables_columns: Array | None = None,
    tables_frames: Array | None = None,
    tables_bias: Array | None = None,
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
    device: Device | None = None,
) -> Array:
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

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `SasaLayer` keeps results on the GPU.
    """
@overload
def sasa_layer(
    x: Array,
    projections: Array,
    *,
    tables_rows: Array | None = None,
    tables_columns: Array | None = None,
    tables_frames: Array | None = None,
    tables_bias: Array | None = None,
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
    device: Device | None = None,
) -> SasaLayerOutputs[Array]: ...

class SasaLayer(Operator):
    """A layer of Stand-Alone Self-Attention: projections, and windowed attention over them.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

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
    """
    def __init__(
        self,
        *,
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
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        x: Tensor | Array,
        projections: Tensor | Array,
        *,
        tables_rows: Tensor | Array | None = None,
        tables_columns: Tensor | Array | None = None,
        tables_frames: Tensor | Array | None = None,
        tables_bias: Tensor | Array | None = None,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        x: Tensor | Array,
        projections: Tensor | Array,
        *,
        tables_rows: Tensor | Array | None = None,
        tables_columns: Tensor | Array | None = None,
        tables_frames: Tensor | Array | None = None,
        tables_bias: Tensor | Array | None = None,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> SasaLayerOutputs[Tensor]: ...

class SasaLayerBackwardOutputs(NamedTuple, Generic[_T]):
    """Results of `sasa_layer_backward`. A result that was not computed is `None`."""
    tables_rows_gradient: _T | None
    tables_columns_gradient: _T | None
    x_gradient: _T | None
    projections_gradient: _T | None
    tables_frames_gradient: _T | None
    tables_bias_gradient: _T | None

def sasa_layer_backward(
    x: Array,
    projections: Array,
    y_gradient: Array,
    *,
    tables_rows: Array | None = None,
    tables_columns: Array | None = None,
    y: Array | None = None,
    log_sum_exp: Array | None = None,
    tables_frames: Array | None = None,
    tables_bias: Array | None = None,
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
    want: str | Sequence[str] | None = None,
    device: Device | None = None,
) -> SasaLayerBackwardOutputs[Array]:
    """The gradients of a layer of Stand-Alone Self-Attention.

    Inputs:
        x: float32 or float16 `[n, inputs, h, w]`
        projections: float32 or float16 `[3, heads*head_dim, inputs]`
        y_gradient: float32 or float16 `[n, heads*head_dim, h, w]`
        tables_rows: float32 or float16 `[head_dim//2, window[0]]`, optional
        tables_columns: float32 or float16 `[head_dim//2, window[1]]`, optional
        y: float32 `[n, heads*head_dim, h, w]`, optional
        log_sum_exp: float32 `[n, heads, h, w]`, optional
        tables_frames: float32 or float16 `[head_dim//3, 3]`, optional
        tables_bias: float32 or float16 `[heads, 1, 2*window[0] - 1, 2*window[1] - 1]`, optional

    Outputs:
        tables_rows_gradient: float32 `[head_dim//2, window[0]]`, optional
        tables_columns_gradient: float32 `[head_dim//2, window[1]]`, optional
        x_gradient: float32 or float16 `[n, inputs, h, w]`, optional
        projections_gradient: float32 `[3, heads*head_dim, inputs]`, optional
        tables_frames_gradient: float32 `[head_dim//3, 3]`, optional
        tables_bias_gradient: float32 `[heads, 1, 2*window[0] - 1, 2*window[1] - 1]`, optional

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

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `SasaLayerBackward` keeps results on the GPU.
    """

class SasaLayerBackward(Operator):
    """The gradients of a layer of Stand-Alone Self-Attention.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        x: float32 or float16 `[n, inputs, h, w]`
        projections: float32 or float16 `[3, heads*head_dim, inputs]`
        y_gradient: float32 or float16 `[n, heads*head_dim, h, w]`
        tables_rows: float32 or float16 `[head_dim//2, window[0]]`, optional
        tables_columns: float32 or float16 `[head_dim//2, window[1]]`, optional
        y: float32 `[n, heads*head_dim, h, w]`, optional
        log_sum_exp: float32 `[n, heads, h, w]`, optional
        tables_frames: float32 or float16 `[head_dim//3, 3]`, optional
        tables_bias: float32 or float16 `[heads, 1, 2*window[0] - 1, 2*window[1] - 1]`, optional

    Outputs:
        tables_rows_gradient: float32 `[head_dim//2, window[0]]`, optional
        tables_columns_gradient: float32 `[head_dim//2, window[1]]`, optional
        x_gradient: float32 or float16 `[n, inputs, h, w]`, optional
        projections_gradient: float32 `[3, heads*head_dim, inputs]`, optional
        tables_frames_gradient: float32 `[head_dim//3, 3]`, optional
        tables_bias_gradient: float32 `[heads, 1, 2*window[0] - 1, 2*window[1] - 1]`, optional

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
    """
    def __init__(
        self,
        *,
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
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    def __call__(self,
        x: Tensor | Array,
        projections: Tensor | Array,
        y_gradient: Tensor | Array,
        *,
        tables_rows: Tensor | Array | None = None,
        tables_columns: Tensor | Array | None = None,
        y: Tensor | Array | None = None,
        log_sum_exp: Tensor | Array | None = None,
        tables_frames: Tensor | Array | None = None,
        tables_bias: Tensor | Array | None = None,
        want: str | Sequence[str] | None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> SasaLayerBackwardOutputs[Tensor]: ...

class SasaStemOutputs(NamedTuple, Generic[_T]):
    """Results of `sasa_stem`. A result that was not computed is `None`."""
    y: _T

@overload
def sasa_stem(
    x: Array,
    projections: Array,
    row: Array,
    column: Array,
    mix: Array,
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
    device: Device | None = None,
) -> Array:
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

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `SasaStem` keeps results on the GPU.
    """
@overload
def sasa_stem(
    x: Array,
    projections: Array,
    row: Array,
    column: Array,
    mix: Array,
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
    device: Device | None = None,
) -> SasaStemOutputs[Array]: ...

class SasaStem(Operator):
    """The attention stem of Stand-Alone Self-Attention: values mixed by position.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

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
    """
    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        embeddings: int,
        inputs: int = 3,
        window: int | Sequence[int] = (4, 4),
        padding: int | Sequence[int] = (2, 2),
        mixtures: int = 4,
        scale: float = 1.0,
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        x: Tensor | Array,
        projections: Tensor | Array,
        row: Tensor | Array,
        column: Tensor | Array,
        mix: Tensor | Array,
        *,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        x: Tensor | Array,
        projections: Tensor | Array,
        row: Tensor | Array,
        column: Tensor | Array,
        mix: Tensor | Array,
        *,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> SasaStemOutputs[Tensor]: ...

class SasaStemBackwardOutputs(NamedTuple, Generic[_T]):
    """Results of `sasa_stem_backward`. A result that was not computed is `None`."""
    x_gradient: _T | None
    projections_gradient: _T | None
    row_gradient: _T | None
    column_gradient: _T | None
    mix_gradient: _T | None

def sasa_stem_backward(
    x: Array,
    projections: Array,
    row: Array,
    column: Array,
    mix: Array,
    y_gradient: Array,
    *,
    heads: int,
    head_dim: int,
    embeddings: int,
    inputs: int = 3,
    window: int | Sequence[int] = (4, 4),
    padding: int | Sequence[int] = (2, 2),
    mixtures: int = 4,
    scale: float = 1.0,
    want: str | Sequence[str] | None = None,
    device: Device | None = None,
) -> SasaStemBackwardOutputs[Array]:
    """The gradients of the attention stem of Stand-Alone Self-Attention.

    Inputs:
        x: float32 or float16 `[n, inputs, h, w]`
        projections: float32 or float16 `[2 + mixtures, heads*head_dim, inputs]`
        row: float32 or float16 `[embeddings, window[0]]`
        column: float32 or float16 `[embeddings, window[1]]`
        mix: float32 or float16 `[mixtures, embeddings]`
        y_gradient: float32 or float16 `[n, heads*head_dim, h, w]`

    Outputs:
        x_gradient: float32 or float16 `[n, inputs, h, w]`, optional
        projections_gradient: float32 `[2 + mixtures, heads*head_dim, inputs]`, optional
        row_gradient: float32 `[embeddings, window[0]]`, optional
        column_gradient: float32 `[embeddings, window[1]]`, optional
        mix_gradient: float32 `[mixtures, embeddings]`, optional

    Options:
        heads: a whole number
        head_dim: a whole number
        embeddings: a whole number
        inputs: a whole number; 3
        window: height,width; 4,4
        padding: height,width; 2,2
        mixtures: a whole number; 4
        scale: a number; 1

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `SasaStemBackward` keeps results on the GPU.
    """

class SasaStemBackward(Operator):
    """The gradients of the attention stem of Stand-Alone Self-Attention.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        x: float32 or float16 `[n, inputs, h, w]`
        projections: float32 or float16 `[2 + mixtures, heads*head_dim, inputs]`
        row: float32 or float16 `[embeddings, window[0]]`
        column: float32 or float16 `[embeddings, window[1]]`
        mix: float32 or float16 `[mixtures, embeddings]`
        y_gradient: float32 or float16 `[n, heads*head_dim, h, w]`

    Outputs:
        x_gradient: float32 or float16 `[n, inputs, h, w]`, optional
        projections_gradient: float32 `[2 + mixtures, heads*head_dim, inputs]`, optional
        row_gradient: float32 `[embeddings, window[0]]`, optional
        column_gradient: float32 `[embeddings, window[1]]`, optional
        mix_gradient: float32 `[mixtures, embeddings]`, optional

    Options:
        heads: a whole number
        head_dim: a whole number
        embeddings: a whole number
        inputs: a whole number; 3
        window: height,width; 4,4
        padding: height,width; 2,2
        mixtures: a whole number; 4
        scale: a number; 1
    """
    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        embeddings: int,
        inputs: int = 3,
        window: int | Sequence[int] = (4, 4),
        padding: int | Sequence[int] = (2, 2),
        mixtures: int = 4,
        scale: float = 1.0,
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    def __call__(self,
        x: Tensor | Array,
        projections: Tensor | Array,
        row: Tensor | Array,
        column: Tensor | Array,
        mix: Tensor | Array,
        y_gradient: Tensor | Array,
        *,
        want: str | Sequence[str] | None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> SasaStemBackwardOutputs[Tensor]: ...

class ScseOutputs(NamedTuple, Generic[_T]):
    """Results of `scse`. A result that was not computed is `None`."""
    output: _T

@overload
def scse(
    features: Array,
    reduce_weight: Array,
    expand_weight: Array,
    spatial_weight: Array,
    *,
    reduce_bias: Array | None = None,
    expand_bias: Array | None = None,
    spatial_bias: Array | None = None,
    identity: Array | None = None,
    combine: Literal['add', 'max'] = 'add',
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    want: None = None,
    device: Device | None = None,
) -> Array:
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

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `Scse` keeps results on the GPU.
    """
@overload
def scse(
    features: Array,
    reduce_weight: Array,
    expand_weight: Array,
    spatial_weight: Array,
    *,
    reduce_bias: Array | None = None,
    expand_bias: Array | None = None,
    spatial_bias: Array | None = None,
    identity: Array | None = None,
    combine: Literal['add', 'max'] = 'add',
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    want: str | Sequence[str],
    device: Device | None = None,
) -> ScseOutputs[Array]: ...

class Scse(Operator):
    """Concurrent spatial and channel Squeeze-and-Excitation.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

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
    """
    def __init__(
        self,
        *,
        combine: Literal['add', 'max'] = 'add',
        epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        features: Tensor | Array,
        reduce_weight: Tensor | Array,
        expand_weight: Tensor | Array,
        spatial_weight: Tensor | Array,
        *,
        reduce_bias: Tensor | Array | None = None,
        expand_bias: Tensor | Array | None = None,
        spatial_bias: Tensor | Array | None = None,
        identity: Tensor | Array | None = None,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        features: Tensor | Array,
        reduce_weight: Tensor | Array,
        expand_weight: Tensor | Array,
        spatial_weight: Tensor | Array,
        *,
        reduce_bias: Tensor | Array | None = None,
        expand_bias: Tensor | Array | None = None,
        spatial_bias: Tensor | Array | None = None,
        identity: Tensor | Array | None = None,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> ScseOutputs[Tensor]: ...

class ScseBackwardOutputs(NamedTuple, Generic[_T]):
    """Results of `scse_backward`. A result that was not computed is `None`."""
    features_gradient: _T | None
    reduce_weight_gradient: _T | None
    reduce_bias_gradient: _T | None
    expand_weight_gradient: _T | None
    expand_bias_gradient: _T | None
    spatial_weight_gradient: _T | None
    spatial_bias_gradient: _T | None
    identity_gradient: _T | None

def scse_backward(
    features: Array,
    reduce_weight: Array,
    expand_weight: Array,
    spatial_weight: Array,
    output_gradient: Array,
    *,
    reduce_bias: Array | None = None,
    expand_bias: Array | None = None,
    spatial_bias: Array | None = None,
    output: Array | None = None,
    combine: Literal['add', 'max'] = 'add',
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    want: str | Sequence[str] | None = None,
    device: Device | None = None,
) -> ScseBackwardOutputs[Array]:
    """The gradients of concurrent spatial and channel Squeeze-and-Excitation.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        reduce_weight: float32 or float16 `[r, c]`
        expand_weight: float32 or float16 `[c, r]`
        spatial_weight: float32 or float16 `[c]`
        output_gradient: float32 or float16 `[n, c, h, w]`
        reduce_bias: float32 or float16 `[r]`, optional
        expand_bias: float32 or float16 `[c]`, optional
        spatial_bias: float32 or float16 `[1]`, optional
        output: float32 or float16 `[n, c, h, w]`, optional

    Outputs:
        features_gradient: float32 or float16 `[n, c, h, w]`, optional
        reduce_weight_gradient: float32 `[r, c]`, optional
        reduce_bias_gradient: float32 `[r]`, optional
        expand_weight_gradient: float32 `[c, r]`, optional
        expand_bias_gradient: float32 `[c]`, optional
        spatial_weight_gradient: float32 `[c]`, optional
        spatial_bias_gradient: float32 `[1]`, optional
        identity_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        combine: add, max; add
        epilogue: scale, residual, scale_add, gate_only; scale

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `ScseBackward` keeps results on the GPU.
    """

class ScseBackward(Operator):
    """The gradients of concurrent spatial and channel Squeeze-and-Excitation.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        reduce_weight: float32 or float16 `[r, c]`
        expand_weight: float32 or float16 `[c, r]`
        spatial_weight: float32 or float16 `[c]`
        output_gradient: float32 or float16 `[n, c, h, w]`
        reduce_bias: float32 or float16 `[r]`, optional
        expand_bias: float32 or float16 `[c]`, optional
        spatial_bias: float32 or float16 `[1]`, optional
        output: float32 or float16 `[n, c, h, w]`, optional

    Outputs:
        features_gradient: float32 or float16 `[n, c, h, w]`, optional
        reduce_weight_gradient: float32 `[r, c]`, optional
        reduce_bias_gradient: float32 `[r]`, optional
        expand_weight_gradient: float32 `[c, r]`, optional
        expand_bias_gradient: float32 `[c]`, optional
        spatial_weight_gradient: float32 `[c]`, optional
        spatial_bias_gradient: float32 `[1]`, optional
        identity_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        combine: add, max; add
        epilogue: scale, residual, scale_add, gate_only; scale
    """
    def __init__(
        self,
        *,
        combine: Literal['add', 'max'] = 'add',
        epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    def __call__(self,
        features: Tensor | Array,
        reduce_weight: Tensor | Array,
        expand_weight: Tensor | Array,
        spatial_weight: Tensor | Array,
        output_gradient: Tensor | Array,
        *,
        reduce_bias: Tensor | Array | None = None,
        expand_bias: Tensor | Array | None = None,
        spatial_bias: Tensor | Array | None = None,
        output: Tensor | Array | None = None,
        want: str | Sequence[str] | None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> ScseBackwardOutputs[Tensor]: ...

class SpatialGateOutputs(NamedTuple, Generic[_T]):
    """Results of `spatial_gate`. A result that was not computed is `None`."""
    output: _T
    gate: _T | None

@overload
def spatial_gate(
    features: Array,
    weight: Array,
    *,
    bias: Array | None = None,
    norm_weight: Array | None = None,
    norm_bias: Array | None = None,
    norm_mean: Array | None = None,
    norm_variance: Array | None = None,
    identity: Array | None = None,
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    norm_epsilon: float = 1e-05,
    want: None = None,
    device: Device | None = None,
) -> Array:
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

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `SpatialGate` keeps results on the GPU.
    """
@overload
def spatial_gate(
    features: Array,
    weight: Array,
    *,
    bias: Array | None = None,
    norm_weight: Array | None = None,
    norm_bias: Array | None = None,
    norm_mean: Array | None = None,
    norm_variance: Array | None = None,
    identity: Array | None = None,
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    norm_epsilon: float = 1e-05,
    want: str | Sequence[str],
    device: Device | None = None,
) -> SpatialGateOutputs[Array]: ...

class SpatialGate(Operator):
    """CBAM's spatial gate: every pixel times a gate computed from its channels.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

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
    """
    def __init__(
        self,
        *,
        epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
        norm_epsilon: float = 1e-05,
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        features: Tensor | Array,
        weight: Tensor | Array,
        *,
        bias: Tensor | Array | None = None,
        norm_weight: Tensor | Array | None = None,
        norm_bias: Tensor | Array | None = None,
        norm_mean: Tensor | Array | None = None,
        norm_variance: Tensor | Array | None = None,
        identity: Tensor | Array | None = None,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        features: Tensor | Array,
        weight: Tensor | Array,
        *,
        bias: Tensor | Array | None = None,
        norm_weight: Tensor | Array | None = None,
        norm_bias: Tensor | Array | None = None,
        norm_mean: Tensor | Array | None = None,
        norm_variance: Tensor | Array | None = None,
        identity: Tensor | Array | None = None,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> SpatialGateOutputs[Tensor]: ...

class SpatialGateBackwardOutputs(NamedTuple, Generic[_T]):
    """Results of `spatial_gate_backward`. A result that was not computed is `None`."""
    features_gradient: _T | None
    weight_gradient: _T | None
    bias_gradient: _T | None
    norm_weight_gradient: _T | None
    norm_bias_gradient: _T | None
    identity_gradient: _T | None

def spatial_gate_backward(
    features: Array,
    weight: Array,
    *,
    output_gradient: Array | None = None,
    bias: Array | None = None,
    norm_weight: Array | None = None,
    norm_bias: Array | None = None,
    norm_mean: Array | None = None,
    norm_variance: Array | None = None,
    output: Array | None = None,
    gate_gradient: Array | None = None,
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    norm_epsilon: float = 1e-05,
    want: str | Sequence[str] | None = None,
    device: Device | None = None,
) -> SpatialGateBackwardOutputs[Array]:
    """The gradients of CBAM's spatial gate.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        weight: float32 or float16 `[1, 2, k, k]`
        output_gradient: float32 or float16 `[n, c, h, w]`, optional
        bias: float32 or float16 `[1]`, optional
        norm_weight: float32 or float16 `[1]`, optional
        norm_bias: float32 or float16 `[1]`, optional
        norm_mean: float32 or float16 `[1]`, optional
        norm_variance: float32 or float16 `[1]`, optional
        output: float32 or float16 `[n, c, h, w]`, optional
        gate_gradient: float32 `[n, h, w]`, optional

    Outputs:
        features_gradient: float32 or float16 `[n, c, h, w]`, optional
        weight_gradient: float32 `[1, 2, k, k]`, optional
        bias_gradient: float32 `[1]`, optional
        norm_weight_gradient: float32 `[1]`, optional
        norm_bias_gradient: float32 `[1]`, optional
        identity_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        epilogue: scale, residual, scale_add, gate_only; scale
        norm_epsilon: a number; 0.00001

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `SpatialGateBackward` keeps results on the GPU.
    """

class SpatialGateBackward(Operator):
    """The gradients of CBAM's spatial gate.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        weight: float32 or float16 `[1, 2, k, k]`
        output_gradient: float32 or float16 `[n, c, h, w]`, optional
        bias: float32 or float16 `[1]`, optional
        norm_weight: float32 or float16 `[1]`, optional
        norm_bias: float32 or float16 `[1]`, optional
        norm_mean: float32 or float16 `[1]`, optional
        norm_variance: float32 or float16 `[1]`, optional
        output: float32 or float16 `[n, c, h, w]`, optional
        gate_gradient: float32 `[n, h, w]`, optional

    Outputs:
        features_gradient: float32 or float16 `[n, c, h, w]`, optional
        weight_gradient: float32 `[1, 2, k, k]`, optional
        bias_gradient: float32 `[1]`, optional
        norm_weight_gradient: float32 `[1]`, optional
        norm_bias_gradient: float32 `[1]`, optional
        identity_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        epilogue: scale, residual, scale_add, gate_only; scale
        norm_epsilon: a number; 0.00001
    """
    def __init__(
        self,
        *,
        epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
        norm_epsilon: float = 1e-05,
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    def __call__(self,
        features: Tensor | Array,
        weight: Tensor | Array,
        *,
        output_gradient: Tensor | Array | None = None,
        bias: Tensor | Array | None = None,
        norm_weight: Tensor | Array | None = None,
        norm_bias: Tensor | Array | None = None,
        norm_mean: Tensor | Array | None = None,
        norm_variance: Tensor | Array | None = None,
        output: Tensor | Array | None = None,
        gate_gradient: Tensor | Array | None = None,
        want: str | Sequence[str] | None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> SpatialGateBackwardOutputs[Tensor]: ...

class SqueezeExciteOutputs(NamedTuple, Generic[_T]):
    """Results of `squeeze_excite`. A result that was not computed is `None`."""
    output: _T
    gate: _T | None

@overload
def squeeze_excite(
    features: Array,
    reduce_weight: Array,
    expand_weight: Array,
    *,
    reduce_bias: Array | None = None,
    expand_bias: Array | None = None,
    identity: Array | None = None,
    squeeze: Literal['mean', 'max', 'mean_and_max'] = 'mean',
    activation: str = 'relu',
    gate: str = 'sigmoid',
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    want: None = None,
    device: Device | None = None,
) -> Array:
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

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `SqueezeExcite` keeps results on the GPU.
    """
@overload
def squeeze_excite(
    features: Array,
    reduce_weight: Array,
    expand_weight: Array,
    *,
    reduce_bias: Array | None = None,
    expand_bias: Array | None = None,
    identity: Array | None = None,
    squeeze: Literal['mean', 'max', 'mean_and_max'] = 'mean',
    activation: str = 'relu',
    gate: str = 'sigmoid',
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    want: str | Sequence[str],
    device: Device | None = None,
) -> SqueezeExciteOutputs[Array]: ...

class SqueezeExcite(Operator):
    """Squeeze-and-Excitation: every channel times a gate computed from the planes.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

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
    """
    def __init__(
        self,
        *,
        squeeze: Literal['mean', 'max', 'mean_and_max'] = 'mean',
        activation: str = 'relu',
        gate: str = 'sigmoid',
        epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        features: Tensor | Array,
        reduce_weight: Tensor | Array,
        expand_weight: Tensor | Array,
        *,
        reduce_bias: Tensor | Array | None = None,
        expand_bias: Tensor | Array | None = None,
        identity: Tensor | Array | None = None,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        features: Tensor | Array,
        reduce_weight: Tensor | Array,
        expand_weight: Tensor | Array,
        *,
        reduce_bias: Tensor | Array | None = None,
        expand_bias: Tensor | Array | None = None,
        identity: Tensor | Array | None = None,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> SqueezeExciteOutputs[Tensor]: ...

class SqueezeExciteBackwardOutputs(NamedTuple, Generic[_T]):
    """Results of `squeeze_excite_backward`. A result that was not computed is `None`."""
    features_gradient: _T | None
    reduce_weight_gradient: _T | None
    reduce_bias_gradient: _T | None
    expand_weight_gradient: _T | None
    expand_bias_gradient: _T | None
    identity_gradient: _T | None

def squeeze_excite_backward(
    features: Array,
    reduce_weight: Array,
    expand_weight: Array,
    *,
    output_gradient: Array | None = None,
    reduce_bias: Array | None = None,
    expand_bias: Array | None = None,
    output: Array | None = None,
    gate_gradient: Array | None = None,
    squeeze: Literal['mean', 'max', 'mean_and_max'] = 'mean',
    activation: str = 'relu',
    gate: str = 'sigmoid',
    epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
    want: str | Sequence[str] | None = None,
    device: Device | None = None,
) -> SqueezeExciteBackwardOutputs[Array]:
    """The gradients of Squeeze-and-Excitation.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        reduce_weight: float32 or float16 `[r, c]`
        expand_weight: float32 or float16 `[c, r]`
        output_gradient: float32 or float16 `[n, c, h, w]`, optional
        reduce_bias: float32 or float16 `[r]`, optional
        expand_bias: float32 or float16 `[c]`, optional
        output: float32 or float16 `[n, c, h, w]`, optional
        gate_gradient: float32 `[n, c]`, optional

    Outputs:
        features_gradient: float32 or float16 `[n, c, h, w]`, optional
        reduce_weight_gradient: float32 `[r, c]`, optional
        reduce_bias_gradient: float32 `[r]`, optional
        expand_weight_gradient: float32 `[c, r]`, optional
        expand_bias_gradient: float32 `[c]`, optional
        identity_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        squeeze: mean, max, mean_and_max; mean
        activation: none, relu, relu6, leaky_relu:SLOPE, silu, hard_swish, sigmoid, hard_sigmoid, hard_sigmoid:SLOPE,OFFSET, tanh, gelu, gelu_tanh; relu
        gate: none, relu, relu6, leaky_relu:SLOPE, silu, hard_swish, sigmoid, hard_sigmoid, hard_sigmoid:SLOPE,OFFSET, tanh, gelu, gelu_tanh; sigmoid
        epilogue: scale, residual, scale_add, gate_only; scale

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `SqueezeExciteBackward` keeps results on the GPU.
    """

class SqueezeExciteBackward(Operator):
    """The gradients of Squeeze-and-Excitation.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        features: float32 or float16 `[n, c, h, w]`
        reduce_weight: float32 or float16 `[r, c]`
        expand_weight: float32 or float16 `[c, r]`
        output_gradient: float32 or float16 `[n, c, h, w]`, optional
        reduce_bias: float32 or float16 `[r]`, optional
        expand_bias: float32 or float16 `[c]`, optional
        output: float32 or float16 `[n, c, h, w]`, optional
        gate_gradient: float32 `[n, c]`, optional

    Outputs:
        features_gradient: float32 or float16 `[n, c, h, w]`, optional
        reduce_weight_gradient: float32 `[r, c]`, optional
        reduce_bias_gradient: float32 `[r]`, optional
        expand_weight_gradient: float32 `[c, r]`, optional
        expand_bias_gradient: float32 `[c]`, optional
        identity_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        squeeze: mean, max, mean_and_max; mean
        activation: none, relu, relu6, leaky_relu:SLOPE, silu, hard_swish, sigmoid, hard_sigmoid, hard_sigmoid:SLOPE,OFFSET, tanh, gelu, gelu_tanh; relu
        gate: none, relu, relu6, leaky_relu:SLOPE, silu, hard_swish, sigmoid, hard_sigmoid, hard_sigmoid:SLOPE,OFFSET, tanh, gelu, gelu_tanh; sigmoid
        epilogue: scale, residual, scale_add, gate_only; scale
    """
    def __init__(
        self,
        *,
        squeeze: Literal['mean', 'max', 'mean_and_max'] = 'mean',
        activation: str = 'relu',
        gate: str = 'sigmoid',
        epilogue: Literal['scale', 'residual', 'scale_add', 'gate_only'] = 'scale',
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    def __call__(self,
        features: Tensor | Array,
        reduce_weight: Tensor | Array,
        expand_weight: Tensor | Array,
        *,
        output_gradient: Tensor | Array | None = None,
        reduce_bias: Tensor | Array | None = None,
        expand_bias: Tensor | Array | None = None,
        output: Tensor | Array | None = None,
        gate_gradient: Tensor | Array | None = None,
        want: str | Sequence[str] | None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> SqueezeExciteBackwardOutputs[Tensor]: ...

class ThresholdOutputs(NamedTuple, Generic[_T]):
    """Results of `threshold`. A result that was not computed is `None`."""
    mask: _T

@overload
def threshold(
    map: Array,
    *,
    size: int | Sequence[int],
    threshold: str = 'value:0.7',
    sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
    want: None = None,
    device: Device | None = None,
) -> Array:
    """The mask of a map that exceeds a threshold, at another size.

    Inputs:
        map: float32 `[n, h, w]`

    Outputs:
        mask: uint32 `[n, size[0], size[1]]`

    Options:
        size: height,width
        threshold: otsu, value:NUMBER, level:0..255; value:0.7
        sampling: half_pixel, aligned_corners; half_pixel

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `Threshold` keeps results on the GPU.
    """
@overload
def threshold(
    map: Array,
    *,
    size: int | Sequence[int],
    threshold: str = 'value:0.7',
    sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
    want: str | Sequence[str],
    device: Device | None = None,
) -> ThresholdOutputs[Array]: ...

class Threshold(Operator):
    """The mask of a map that exceeds a threshold, at another size.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        map: float32 `[n, h, w]`

    Outputs:
        mask: uint32 `[n, size[0], size[1]]`

    Options:
        size: height,width
        threshold: otsu, value:NUMBER, level:0..255; value:0.7
        sampling: half_pixel, aligned_corners; half_pixel
    """
    def __init__(
        self,
        *,
        size: int | Sequence[int],
        threshold: str = 'value:0.7',
        sampling: Literal['half_pixel', 'aligned_corners'] = 'half_pixel',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        map: Tensor | Array,
        *,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        map: Tensor | Array,
        *,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> ThresholdOutputs[Tensor]: ...

class WindowAttentionOutputs(NamedTuple, Generic[_T]):
    """Results of `window_attention`. A result that was not computed is `None`."""
    y: _T
    log_sum_exp: _T | None

@overload
def window_attention(
    q: Array,
    k: Array,
    v: Array,
    *,
    tables_rows: Array | None = None,
    tables_columns: Array | None = None,
    tables_frames: Array | None = None,
    tables_bias: Array | None = None,
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
    device: Device | None = None,
) -> Array:
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

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `WindowAttention` keeps results on the GPU.
    """
@overload
def window_attention(
    q: Array,
    k: Array,
    v: Array,
    *,
    tables_rows: Array | None = None,
    tables_columns: Array | None = None,
    tables_frames: Array | None = None,
    tables_bias: Array | None = None,
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
    device: Device | None = None,
) -> WindowAttentionOutputs[Array]: ...

class WindowAttention(Operator):
    """Softmax attention of every query to the keys of the window around it.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

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
    """
    def __init__(
        self,
        *,
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
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        q: Tensor | Array,
        k: Tensor | Array,
        v: Tensor | Array,
        *,
        tables_rows: Tensor | Array | None = None,
        tables_columns: Tensor | Array | None = None,
        tables_frames: Tensor | Array | None = None,
        tables_bias: Tensor | Array | None = None,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        q: Tensor | Array,
        k: Tensor | Array,
        v: Tensor | Array,
        *,
        tables_rows: Tensor | Array | None = None,
        tables_columns: Tensor | Array | None = None,
        tables_frames: Tensor | Array | None = None,
        tables_bias: Tensor | Array | None = None,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> WindowAttentionOutputs[Tensor]: ...

class WindowAttentionBackwardOutputs(NamedTuple, Generic[_T]):
    """Results of `window_attention_backward`. A result that was not computed is `None`."""
    q_gradient: _T | None
    k_gradient: _T | None
    v_gradient: _T | None
    tables_rows_gradient: _T | None
    tables_columns_gradient: _T | None
    tables_frames_gradient: _T | None
    tables_bias_gradient: _T | None

def window_attention_backward(
    q: Array,
    k: Array,
    v: Array,
    log_sum_exp: Array,
    y_gradient: Array,
    *,
    tables_rows: Array | None = None,
    tables_columns: Array | None = None,
    y: Array | None = None,
    log_sum_exp_gradient: Array | None = None,
    tables_frames: Array | None = None,
    tables_bias: Array | None = None,
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
    want: str | Sequence[str] | None = None,
    device: Device | None = None,
) -> WindowAttentionBackwardOutputs[Array]:
    """The gradients of windowed attention with respect to queries, keys, values and tables.

    Inputs:
        q: float32 or float16 `[n, c, h, w]`
        k: float32 or float16 `[n, c, h, w]`
        v: float32 or float16 `[n, c, h, w]`
        log_sum_exp: float32 `[n, heads, h, w]`
        y_gradient: float32 or float16 `[n, c, h, w]`
        tables_rows: float32 or float16 `[head_dim//2, window[0]]`, optional
        tables_columns: float32 or float16 `[head_dim//2, window[1]]`, optional
        y: float32 `[n, c, h, w]`, optional
        log_sum_exp_gradient: float32 `[n, heads, h, w]`, optional
        tables_frames: float32 or float16 `[head_dim//3, 3]`, optional
        tables_bias: float32 or float16 `[heads, 2*window[0] - 1, 2*window[1] - 1]`, optional

    Outputs:
        q_gradient: float32 or float16 `[n, c, h, w]`, optional
        k_gradient: float32 or float16 `[n, c, h, w]`, optional
        v_gradient: float32 or float16 `[n, c, h, w]`, optional
        tables_rows_gradient: float32 `[head_dim//2, window[0]]`, optional
        tables_columns_gradient: float32 `[head_dim//2, window[1]]`, optional
        tables_frames_gradient: float32 `[head_dim//3, 3]`, optional
        tables_bias_gradient: float32 `[heads, 2*window[0] - 1, 2*window[1] - 1]`, optional

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

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `WindowAttentionBackward` keeps results on the GPU.
    """

class WindowAttentionBackward(Operator):
    """The gradients of windowed attention with respect to queries, keys, values and tables.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        q: float32 or float16 `[n, c, h, w]`
        k: float32 or float16 `[n, c, h, w]`
        v: float32 or float16 `[n, c, h, w]`
        log_sum_exp: float32 `[n, heads, h, w]`
        y_gradient: float32 or float16 `[n, c, h, w]`
        tables_rows: float32 or float16 `[head_dim//2, window[0]]`, optional
        tables_columns: float32 or float16 `[head_dim//2, window[1]]`, optional
        y: float32 `[n, c, h, w]`, optional
        log_sum_exp_gradient: float32 `[n, heads, h, w]`, optional
        tables_frames: float32 or float16 `[head_dim//3, 3]`, optional
        tables_bias: float32 or float16 `[heads, 2*window[0] - 1, 2*window[1] - 1]`, optional

    Outputs:
        q_gradient: float32 or float16 `[n, c, h, w]`, optional
        k_gradient: float32 or float16 `[n, c, h, w]`, optional
        v_gradient: float32 or float16 `[n, c, h, w]`, optional
        tables_rows_gradient: float32 `[head_dim//2, window[0]]`, optional
        tables_columns_gradient: float32 `[head_dim//2, window[1]]`, optional
        tables_frames_gradient: float32 `[head_dim//3, 3]`, optional
        tables_bias_gradient: float32 `[heads, 2*window[0] - 1, 2*window[1] - 1]`, optional

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
    """
    def __init__(
        self,
        *,
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
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    def __call__(self,
        q: Tensor | Array,
        k: Tensor | Array,
        v: Tensor | Array,
        log_sum_exp: Tensor | Array,
        y_gradient: Tensor | Array,
        *,
        tables_rows: Tensor | Array | None = None,
        tables_columns: Tensor | Array | None = None,
        y: Tensor | Array | None = None,
        log_sum_exp_gradient: Tensor | Array | None = None,
        tables_frames: Tensor | Array | None = None,
        tables_bias: Tensor | Array | None = None,
        want: str | Sequence[str] | None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> WindowAttentionBackwardOutputs[Tensor]: ...

class WindowPoolOutputs(NamedTuple, Generic[_T]):
    """Results of `window_pool`. A result that was not computed is `None`."""
    y: _T

@overload
def window_pool(
    x: Array,
    *,
    pooling: Literal['mean', 'max'] = 'mean',
    window: int | Sequence[int] = (2, 2),
    want: None = None,
    device: Device | None = None,
) -> Array:
    """Mean or maximum over windows side by side.

    Inputs:
        x: float32 or float16 `[n, c, h, w]`

    Outputs:
        y: float32 or float16 `[n, c, h//window[0], w//window[1]]`

    Options:
        pooling: mean, max; mean
        window: height,width; 2,2

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `WindowPool` keeps results on the GPU.
    """
@overload
def window_pool(
    x: Array,
    *,
    pooling: Literal['mean', 'max'] = 'mean',
    window: int | Sequence[int] = (2, 2),
    want: str | Sequence[str],
    device: Device | None = None,
) -> WindowPoolOutputs[Array]: ...

class WindowPool(Operator):
    """Mean or maximum over windows side by side.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        x: float32 or float16 `[n, c, h, w]`

    Outputs:
        y: float32 or float16 `[n, c, h//window[0], w//window[1]]`

    Options:
        pooling: mean, max; mean
        window: height,width; 2,2
    """
    def __init__(
        self,
        *,
        pooling: Literal['mean', 'max'] = 'mean',
        window: int | Sequence[int] = (2, 2),
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        x: Tensor | Array,
        *,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        x: Tensor | Array,
        *,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> WindowPoolOutputs[Tensor]: ...

class WindowPoolBackwardOutputs(NamedTuple, Generic[_T]):
    """Results of `window_pool_backward`. A result that was not computed is `None`."""
    x_gradient: _T | None

@overload
def window_pool_backward(
    x: Array | tuple[int, ...],
    y_gradient: Array,
    *,
    pooling: Literal['mean', 'max'] = 'mean',
    window: int | Sequence[int] = (2, 2),
    want: None = None,
    device: Device | None = None,
) -> Array:
    """The gradient of pooling over windows with respect to the input.

    Inputs:
        x: float32 or float16 `[n, c, h, w]`, or a tuple with its shape
        y_gradient: float32 or float16 `[n, c, h//window[0], w//window[1]]`

    Outputs:
        x_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        pooling: mean, max; mean
        window: height,width; 2,2

    Arrays go to the GPU and results come back. Where an array may be float32 or float16, its type chooses the
    type of the others. `want` names the optional outputs to compute.
    `WindowPoolBackward` keeps results on the GPU.
    """
@overload
def window_pool_backward(
    x: Array | tuple[int, ...],
    y_gradient: Array,
    *,
    pooling: Literal['mean', 'max'] = 'mean',
    window: int | Sequence[int] = (2, 2),
    want: str | Sequence[str],
    device: Device | None = None,
) -> WindowPoolBackwardOutputs[Array]: ...

class WindowPoolBackward(Operator):
    """The gradient of pooling over windows with respect to the input.

    An operator with its options. A call takes tensors or arrays, and returns tensors, which stay on the GPU.
    It does not wait for the GPU. `want` names the optional outputs to compute; `out` has tensors for outputs.

    Inputs:
        x: float32 or float16 `[n, c, h, w]`, or a tuple with its shape
        y_gradient: float32 or float16 `[n, c, h//window[0], w//window[1]]`

    Outputs:
        x_gradient: float32 or float16 `[n, c, h, w]`, optional

    Options:
        pooling: mean, max; mean
        window: height,width; 2,2
    """
    def __init__(
        self,
        *,
        pooling: Literal['mean', 'max'] = 'mean',
        window: int | Sequence[int] = (2, 2),
        element: npt.DTypeLike = 'float32',
        device: Device | None = None,
    ) -> None: ...
    @overload
    def __call__(self,
        x: Tensor | Array | tuple[int, ...],
        y_gradient: Tensor | Array,
        *,
        want: None = None,
        out: Mapping[str, Tensor] | None = None,
    ) -> Tensor: ...
    @overload
    def __call__(self,
        x: Tensor | Array | tuple[int, ...],
        y_gradient: Tensor | Array,
        *,
        want: str | Sequence[str],
        out: Mapping[str, Tensor] | None = None,
    ) -> WindowPoolBackwardOutputs[Tensor]: ...

__all__ = [
    "Operator",
    "attended_region",
    "AttendedRegion",
    "AttendedRegionOutputs",
    "attention_map",
    "AttentionMap",
    "AttentionMapOutputs",
    "attention_map_backward",
    "AttentionMapBackward",
    "AttentionMapBackwardOutputs",
    "bisenet",
    "Bisenet",
    "BisenetOutputs",
    "bisenet_backward",
    "BisenetBackward",
    "BisenetBackwardOutputs",
    "bounding_box",
    "BoundingBox",
    "BoundingBoxOutputs",
    "cbam",
    "Cbam",
    "CbamOutputs",
    "cbam_backward",
    "CbamBackward",
    "CbamBackwardOutputs",
    "channel_scale",
    "ChannelScale",
    "ChannelScaleOutputs",
    "channel_scale_backward",
    "ChannelScaleBackward",
    "ChannelScaleBackwardOutputs",
    "component_labels",
    "ComponentLabels",
    "ComponentLabelsOutputs",
    "crop_resize",
    "CropResize",
    "CropResizeOutputs",
    "crop_resize_backward",
    "CropResizeBackward",
    "CropResizeBackwardOutputs",
    "cross_attention",
    "CrossAttention",
    "CrossAttentionOutputs",
    "cross_attention_backward",
    "CrossAttentionBackward",
    "CrossAttentionBackwardOutputs",
    "dense",
    "Dense",
    "DenseOutputs",
    "dense_backward",
    "DenseBackward",
    "DenseBackwardOutputs",
    "eca",
    "Eca",
    "EcaOutputs",
    "eca_backward",
    "EcaBackward",
    "EcaBackwardOutputs",
    "global_pool",
    "GlobalPool",
    "GlobalPoolOutputs",
    "global_pool_backward",
    "GlobalPoolBackward",
    "GlobalPoolBackwardOutputs",
    "head_norm_rotary",
    "HeadNormRotary",
    "HeadNormRotaryOutputs",
    "head_norm_rotary_backward",
    "HeadNormRotaryBackward",
    "HeadNormRotaryBackwardOutputs",
    "heat_overlay",
    "HeatOverlay",
    "HeatOverlayOutputs",
    "largest_component",
    "LargestComponent",
    "LargestComponentOutputs",
    "merge_attention",
    "MergeAttention",
    "MergeAttentionOutputs",
    "merge_attention_backward",
    "MergeAttentionBackward",
    "MergeAttentionBackwardOutputs",
    "normalize",
    "Normalize",
    "NormalizeOutputs",
    "normalize_backward",
    "NormalizeBackward",
    "NormalizeBackwardOutputs",
    "pointwise_conv",
    "PointwiseConv",
    "PointwiseConvOutputs",
    "pointwise_conv_backward",
    "PointwiseConvBackward",
    "PointwiseConvBackwardOutputs",
    "region_measures",
    "RegionMeasures",
    "RegionMeasuresOutputs",
    "resize",
    "Resize",
    "ResizeOutputs",
    "resize_backward",
    "ResizeBackward",
    "ResizeBackwardOutputs",
    "sasa_layer",
    "SasaLayer",
    "SasaLayerOutputs",
    "sasa_layer_backward",
    "SasaLayerBackward",
    "SasaLayerBackwardOutputs",
    "sasa_stem",
    "SasaStem",
    "SasaStemOutputs",
    "sasa_stem_backward",
    "SasaStemBackward",
    "SasaStemBackwardOutputs",
    "scse",
    "Scse",
    "ScseOutputs",
    "scse_backward",
    "ScseBackward",
    "ScseBackwardOutputs",
    "spatial_gate",
    "SpatialGate",
    "SpatialGateOutputs",
    "spatial_gate_backward",
    "SpatialGateBackward",
    "SpatialGateBackwardOutputs",
    "squeeze_excite",
    "SqueezeExcite",
    "SqueezeExciteOutputs",
    "squeeze_excite_backward",
    "SqueezeExciteBackward",
    "SqueezeExciteBackwardOutputs",
    "threshold",
    "Threshold",
    "ThresholdOutputs",
    "window_attention",
    "WindowAttention",
    "WindowAttentionOutputs",
    "window_attention_backward",
    "WindowAttentionBackward",
    "WindowAttentionBackwardOutputs",
    "window_pool",
    "WindowPool",
    "WindowPoolOutputs",
    "window_pool_backward",
    "WindowPoolBackward",
    "WindowPoolBackwardOutputs",
]
