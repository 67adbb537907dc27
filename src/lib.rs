//! GPU compute kernels for visual attention, recorded into your own wgpu compute pass.
//!
//! | operator | kernels | reference | source |
//! | --- | --- | --- | --- |
//! | [`AttentionMap`] | [`attention_map`](shaders::ATTENTION_MAP) | [`reference::attention_map`] | AG-CNN, arXiv:1801.09927, Eq. 3; CBAM, arXiv:1807.06521, Eq. 3 |
//! | [`Normalize`] | [`normalize_range`](shaders::NORMALIZE_RANGE), [`normalize`](shaders::NORMALIZE) | [`reference::normalize`] | AG-CNN, Sec. III-B |
//! | [`Resize`] | [`resize`](shaders::RESIZE) | [`reference::resize`] | bilinear, as PyTorch's `interpolate` |
//! | [`Threshold`] | [`threshold`](shaders::THRESHOLD), [`threshold_histogram`](shaders::THRESHOLD_HISTOGRAM), [`threshold_otsu`](shaders::THRESHOLD_OTSU) | [`reference::threshold`] | AG-CNN, Eq. 4; Otsu 1979 |
//! | [`LargestComponent`] | [`runs`](shaders::LARGEST_COMPONENT_RUNS), [`tiles`](shaders::LARGEST_COMPONENT_TILES), [`merge`](shaders::LARGEST_COMPONENT_MERGE), [`count`](shaders::LARGEST_COMPONENT_COUNT), [`pick`](shaders::LARGEST_COMPONENT_PICK), [`labels`](shaders::LARGEST_COMPONENT_LABELS), [`select`](shaders::LARGEST_COMPONENT_SELECT), [`expand`](shaders::LARGEST_COMPONENT_EXPAND) | [`reference::largest_component`] | AG-CNN, Sec. III-B |
//! | [`ComponentLabels`] | the first three of [`LargestComponent`], [`roots`](shaders::COMPONENT_LABELS_ROOTS), [`scan`](shaders::COMPONENT_LABELS_SCAN), [`offsets`](shaders::COMPONENT_LABELS_OFFSETS), [`component_labels`](shaders::COMPONENT_LABELS) | [`reference::component_labels`] | Rosenfeld and Pfaltz 1966 |
//! | [`RegionMeasures`] | [`clear`](shaders::REGION_MEASURES_CLEAR), [`extents`](shaders::REGION_MEASURES_EXTENTS), [`table`](shaders::REGION_MEASURES_TABLE), [`peaks`](shaders::REGION_MEASURES_PEAKS), [`sums`](shaders::REGION_MEASURES_SUMS), [`values`](shaders::REGION_MEASURES_VALUES), and for an order [`areas`](shaders::REGION_MEASURES_AREAS), [`keys`](shaders::REGION_MEASURES_KEYS), [`merge`](shaders::REGION_MEASURES_MERGE), [`slots`](shaders::REGION_MEASURES_SLOTS) | [`reference::region_measures`] | scikit-image's `regionprops_table` |
//! | [`BoundingBox`] | [`bounding_box_share`](shaders::BOUNDING_BOX_SHARE), [`bounding_box`](shaders::BOUNDING_BOX) | [`reference::bounding_box`] | AG-CNN, Sec. III-B |
//! | [`CropResize`] | [`crop_resize`](shaders::CROP_RESIZE) | [`reference::crop_resize`] | AG-CNN, Sec. III-B |
//! | [`HeatOverlay`] | [`heat_overlay`](shaders::HEAT_OVERLAY), [`heat_overlay_texture`](shaders::HEAT_OVERLAY_TEXTURE) | [`reference::heat_overlay`] | |
//! | [`TextureToPlanes`] | [`texture_to_planes`](shaders::TEXTURE_TO_PLANES) | [`reference::texture_to_planes`] | sRGB, IEC 61966-2-1 |
//! | [`PlanesToTexture`] | [`planes_to_texture`](shaders::PLANES_TO_TEXTURE), [`planes_to_texture_half`](shaders::PLANES_TO_TEXTURE_HALF) | [`reference::planes_to_texture`] | sRGB, IEC 61966-2-1 |
//! | [`AttendedRegion`] | [`attended_region_runs`](shaders::ATTENDED_REGION_RUNS) and the above | [`reference::attended_region`] | AG-CNN, Eqs. 3 and 4, Sec. III |
//! | [`GlobalPool`] | [`global_pool`](shaders::GLOBAL_POOL) | [`reference::global_mean`], [`reference::global_max`] | Squeeze-and-Excitation, arXiv:1709.01507, Eq. 2 |
//! | [`Dense`] | [`dense`](shaders::DENSE) | [`reference::dense`] | arXiv:1709.01507, Eq. 3; AG-CNN, Fig. 2 |
//! | [`ChannelScale`] | [`channel_scale`](shaders::CHANNEL_SCALE) | [`reference::channel_scale`] | arXiv:1709.01507, Eq. 4 |
//! | [`SqueezeExcite`] | the three above | [`reference::squeeze_excite`] | arXiv:1709.01507, Eqs. 2-4; CBAM, Eq. 2 |
//! | [`BiSeNetAttention`] | the three above | [`reference::bisenet`] | BiSeNet, arXiv:1808.00897, Fig. 2 |
//! | [`SpatialGate`] | [`spatial_gate_squeeze`](shaders::SPATIAL_GATE_SQUEEZE), [`spatial_gate_conv`](shaders::SPATIAL_GATE_CONV), `channel_scale` | [`reference::spatial_gate`] | CBAM, arXiv:1807.06521, Eq. 3 |
//! | [`Cbam`] | the above | [`reference::cbam`] | CBAM, Eq. 1 |
//! | [`ScSe`] | the above | [`reference::scse`] | scSE, arXiv:1803.02579 |
//! | [`Eca`] | `global_pool`, `channel_scale` | [`reference::eca`] | ECA, arXiv:1910.03151, Eq. 6 |
//! | [`WindowAttention`] | [`window_attention`](shaders::WINDOW_ATTENTION), [`window_attention_weights`](shaders::WINDOW_ATTENTION_WEIGHTS) | [`reference::window_attention`] | Stand-Alone Self-Attention, arXiv:1906.05909, Eqs. 2 and 3; NATTEN, arXiv:2204.07143; Swin, arXiv:2103.14030; `HaloNet`, arXiv:2103.12731 |
//! | [`MergeAttention`] | [`merge_attention`](shaders::MERGE_ATTENTION) | [`reference::merge_attention`] | online softmax, arXiv:1805.02867, Sec. 3.1 |
//! | [`PointwiseConv`] | [`pointwise_conv`](shaders::POINTWISE_CONV), [`pointwise_conv_vec4`](shaders::POINTWISE_CONV_VEC4) | [`reference::pointwise_conv`] | arXiv:1906.05909, Sec. 3.1 |
//! | [`WindowStream`] | `window_attention` | [`reference::window_attention`] | as [`WindowAttention`], one frame at a time |
//! | [`CrossAttention`] | [`cross_attention`](shaders::CROSS_ATTENTION) | [`reference::cross_attention`] | arXiv:1706.03762, Eq. 1 |
//! | [`HeadNormRotary`] | [`head_norm_rotary`](shaders::HEAD_NORM_ROTARY) | [`reference::head_norm_rotary`] | `RMSNorm`, arXiv:1910.07467, Eq. 4; `RoFormer`, arXiv:2104.09864, Eq. 34 |
//! | [`SasaLayer`] | `pointwise_conv`, `window_attention` | [`reference::sasa_layer`] | arXiv:1906.05909, Sec. 3.1 |
//! | [`SasaStem`] | `pointwise_conv`, [`sasa_stem_mixture`](shaders::SASA_STEM_MIXTURE), [`sasa_stem_attention`](shaders::SASA_STEM_ATTENTION) | [`reference::sasa_stem`] | arXiv:1906.05909, Sec. 3.2 |
//! | [`WindowPool`] | [`window_pool`](shaders::WINDOW_POOL) | [`reference::window_pool`] | arXiv:1906.05909, Sec. 3.3 |
//!
//! Gradients: each takes the options of the operator that it differentiates.
//!
//! | operator | kernels | reference | gradient of |
//! | --- | --- | --- | --- |
//! | [`AttentionMapBackward`] | [`attention_map_backward`](shaders::ATTENTION_MAP_BACKWARD) | [`reference::attention_map_backward`] | [`AttentionMap`] |
//! | [`NormalizeBackward`] | [`normalize_backward_sums`](shaders::NORMALIZE_BACKWARD_SUMS), [`normalize_backward`](shaders::NORMALIZE_BACKWARD) | [`reference::normalize_backward`] | [`Normalize`] |
//! | [`ResizeBackward`] | [`resize_backward_rows`](shaders::RESIZE_BACKWARD_ROWS), [`resize_backward_columns`](shaders::RESIZE_BACKWARD_COLUMNS) | [`reference::resize_backward`] | [`Resize`] |
//! | [`CropResizeBackward`] | the two above | [`reference::crop_resize_backward`] | [`CropResize`] |
//! | [`GlobalPoolBackward`] | [`plane_argmax`](shaders::PLANE_ARGMAX), [`global_pool_backward`](shaders::GLOBAL_POOL_BACKWARD) | [`reference::global_pool_backward`] | [`GlobalPool`] |
//! | [`DenseBackward`] | `dense`, [`dense_backward`](shaders::DENSE_BACKWARD), [`dense_backward_input`](shaders::DENSE_BACKWARD_INPUT), [`dense_backward_weight`](shaders::DENSE_BACKWARD_WEIGHT), [`dense_backward_bias`](shaders::DENSE_BACKWARD_BIAS) | [`reference::dense_backward`] | [`Dense`] |
//! | [`ChannelScaleBackward`] | [`channel_scale_backward`](shaders::CHANNEL_SCALE_BACKWARD), [`channel_scale_backward_join`](shaders::CHANNEL_SCALE_BACKWARD_JOIN) | [`reference::channel_scale_backward`] | [`ChannelScale`] |
//! | [`SqueezeExciteBackward`] | the two operators above, [`channel_scale_backward_apply`](shaders::CHANNEL_SCALE_BACKWARD_APPLY) | [`reference::squeeze_excite_backward`] | [`SqueezeExcite`] |
//! | [`BiSeNetAttentionBackward`] | as [`SqueezeExciteBackward`] | [`reference::bisenet_backward`] | [`BiSeNetAttention`] |
//! | [`SpatialGateBackward`] | [`squeeze`](shaders::SPATIAL_GATE_BACKWARD_SQUEEZE), `spatial_gate_conv`, [`taps`](shaders::SPATIAL_GATE_BACKWARD_TAPS), `part_sum`, [`parameters`](shaders::SPATIAL_GATE_BACKWARD_PARAMETERS), [`planes`](shaders::SPATIAL_GATE_BACKWARD_PLANES), [`apply`](shaders::SPATIAL_GATE_BACKWARD_APPLY) | [`reference::spatial_gate_backward`] | [`SpatialGate`] |
//! | [`CbamBackward`] | the above, [`cbam_backward`](shaders::CBAM_BACKWARD) | [`reference::cbam_backward`] | [`Cbam`] |
//! | [`EcaBackward`] | `channel_scale_backward`, `channel_scale_backward_join`, `channel_scale`, [`eca_backward`](shaders::ECA_BACKWARD), [`eca_backward_weight`](shaders::ECA_BACKWARD_WEIGHT), [`part_sum`](shaders::PART_SUM), `channel_scale_backward_apply` | [`reference::eca_backward`] | [`Eca`] |
//! | [`ScSeBackward`] | [`scse_backward_pixels`](shaders::SCSE_BACKWARD_PIXELS), [`scse_backward_planes`](shaders::SCSE_BACKWARD_PLANES), `channel_scale_backward_join`, those of [`DenseBackward`], `part_sum`, [`scse_backward_apply`](shaders::SCSE_BACKWARD_APPLY), for a maximum `spatial_gate_squeeze` | [`reference::scse_backward`] | [`ScSe`] |
//! | [`PointwiseConvBackward`] | [`pointwise_conv_backward_x`](shaders::POINTWISE_CONV_BACKWARD_X), [`pointwise_conv_backward_weights`](shaders::POINTWISE_CONV_BACKWARD_WEIGHTS), [`part_sum`](shaders::PART_SUM) | [`reference::pointwise_conv_backward`] | [`PointwiseConv`] |
//! | [`WindowAttentionBackward`] | [`prepare`](shaders::WINDOW_ATTENTION_BACKWARD_PREPARE), [`query`](shaders::WINDOW_ATTENTION_BACKWARD_QUERY), [`key`](shaders::WINDOW_ATTENTION_BACKWARD_KEY), and of tables and strides [`tables`](shaders::WINDOW_ATTENTION_BACKWARD_TABLES), [`product`](shaders::WINDOW_ATTENTION_BACKWARD_PRODUCT), [`bias`](shaders::WINDOW_ATTENTION_BACKWARD_BIAS), [`sum`](shaders::WINDOW_ATTENTION_BACKWARD_SUM), [`clear`](shaders::WINDOW_ATTENTION_BACKWARD_CLEAR) | [`reference::window_attention_backward`] | [`WindowAttention`] |
//! | [`MergeAttentionBackward`] | [`merge_attention_backward`](shaders::MERGE_ATTENTION_BACKWARD), [`merge_attention_backward_shares`](shaders::MERGE_ATTENTION_BACKWARD_SHARES) | [`reference::merge_attention_backward`] | [`MergeAttention`] |
//! | [`CrossAttentionBackward`] | [`means`](shaders::CROSS_ATTENTION_BACKWARD_MEANS), [`cross_attention_backward`](shaders::CROSS_ATTENTION_BACKWARD), [`keys`](shaders::CROSS_ATTENTION_BACKWARD_KEYS), [`sum`](shaders::CROSS_ATTENTION_BACKWARD_SUM) | [`reference::cross_attention_backward`] | [`CrossAttention`] |
//! | [`HeadNormRotaryBackward`] | [`head_norm_rotary_backward`](shaders::HEAD_NORM_ROTARY_BACKWARD), [`head_norm_rotary_backward_weight`](shaders::HEAD_NORM_ROTARY_BACKWARD_WEIGHT), `part_sum` | [`reference::head_norm_rotary_backward`] | [`HeadNormRotary`] |
//! | [`SasaStemBackward`] | [`means`](shaders::SASA_STEM_BACKWARD_MEANS), [`sasa_stem_backward`](shaders::SASA_STEM_BACKWARD), [`mixture`](shaders::SASA_STEM_BACKWARD_MIXTURE), [`tables`](shaders::SASA_STEM_BACKWARD_TABLES), those of [`PointwiseConv`] and [`PointwiseConvBackward`] | [`reference::sasa_stem_backward`] | [`SasaStem`] |
//! | [`SasaLayerBackward`] | `pointwise_conv`, `window_attention`, those of [`WindowAttentionBackward`] and [`PointwiseConvBackward`] | [`reference::sasa_layer_backward`] | [`SasaLayer`] |
//! | [`WindowPoolBackward`] | [`window_pool_backward`](shaders::WINDOW_POOL_BACKWARD) | [`reference::window_pool_backward`] | [`WindowPool`] |
//!
//! # How an operator is used
//!
//! `new` compiles for a device, once. `bind` takes shapes and buffer slices, checks everything, and returns a [`Recording`].
//! [`Recording::record`] records the operator into a compute pass of yours. It can't fail, allocates nothing of its own and can
//! be repeated. An operator never submits, polls, maps or reads back, creates no device and installs no callback: only [`host`]
//! does.
//!
//! Buffers are named fields of type [`wgpu::BufferSlice`], so arguments can't be swapped and sub-allocation works. All tensors are
//! dense; features and images are `[n, c, h, w]`, maps and masks `[n, h, w]`.
//!
//! # What is refused
//!
//! `bind` refuses, before any call to wgpu, what wgpu would turn into an invalid encoder or a wrong result:
//!
//! - shapes that do not fit each other, or overflow;
//! - buffers that are too small, lack `STORAGE`, start at unaligned offsets, or overlap an output;
//! - parameters that are not finite;
//! - work that exceeds the device's limits and cannot be divided.
//!
//! Every [`Error`] names the operator, the binding or parameter, what is needed and what was given. An empty tensor is
//! accepted: nothing is recorded. Only the gradients of parameters are sums over images. Over no image they are written as zeros.
//!
//! # Numbers
//!
//! 16-bit floats are for storage only: arithmetic is 32-bit. Maxima propagate NaN, and NaN exceeds no threshold. The same
//! adapter, driver and shapes give the same bits, however the work is divided.
//!
//! # Features
//!
//! `host` (default) adds [`host`] and wgpu's native backends. Without it the crate has no blocking call and no thread.

#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod color_map;
mod cost;
mod element;
mod error;
#[cfg(feature = "host")]
pub mod host;
mod kernel;
mod names;
pub mod operators;
pub mod ops;
pub mod reference;
pub mod shaders;
mod shape;
mod tensor_spec;

pub use color_map::ColorMap;
pub use cost::Cost;
pub use element::Element;
pub use error::Error;
pub use kernel::bound::DispatchBound;
pub use kernel::compiler::Compiler;
pub use kernel::pipelines::Pipelines;
pub use kernel::recording::{Dispatch, Recording};
pub use kernel::resample::Sampling;
pub use names::UnknownName;
pub use ops::activation::Activation;
pub use ops::attended_region::{AttendedRegion, AttendedRegionBuffers, AttendedRegionOptions, AttendedRegionShape};
pub use ops::attention_map::{AttentionMap, AttentionMapBuffers, Statistic};
pub use ops::attention_map_backward::{AttentionMapBackward, AttentionMapBackwardBuffers};
pub use ops::batch_norm::BatchNorm;
pub use ops::bisenet::{BiSeNetAttention, BiSeNetAttentionBuffers};
pub use ops::bisenet_backward::{BiSeNetAttentionBackward, BiSeNetAttentionBackwardBuffers};
pub use ops::bounding_box::{BoundingBox, BoundingBoxBuffers};
pub use ops::cbam::{Cbam, CbamBuffers, CbamOptions, CbamShape};
pub use ops::cbam_backward::{CbamBackward, CbamBackwardBuffers};
pub use ops::channel_scale::{ChannelScale, ChannelScaleBuffers};
pub use ops::channel_scale_backward::{ChannelScaleBackward, ChannelScaleBackwardBuffers};
pub use ops::color::{ColorNormalization, ColorTransfer};
pub use ops::component_labels::{ComponentLabels, ComponentLabelsBuffers};
pub use ops::crop_resize::{CropEnd, CropResize, CropResizeBuffers, CropResizeShape};
pub use ops::crop_resize_backward::{CropResizeBackward, CropResizeBackwardBuffers};
pub use ops::cross_attention::{CrossAttention, CrossAttentionBuffers, CrossAttentionOptions, CrossAttentionShape};
pub use ops::cross_attention_backward::{CrossAttentionBackward, CrossAttentionBackwardBuffers};
pub use ops::dense::{Dense, DenseBuffers, DenseShape};
pub use ops::dense_backward::{DenseBackward, DenseBackwardBuffers};
pub use ops::eca::{Eca, EcaBuffers, EcaShape};
pub use ops::eca_backward::{EcaBackward, EcaBackwardBuffers};
pub use ops::epilogue::Epilogue;
pub use ops::global_pool::{GlobalPool, GlobalPoolBuffers, Squeeze};
pub use ops::global_pool_backward::{GlobalPoolBackward, GlobalPoolBackwardBuffers};
pub use ops::head_norm_rotary::{HeadNorm, HeadNormRotary, HeadNormRotaryBuffers, HeadNormRotaryOptions};
pub use ops::head_norm_rotary_backward::{HeadNormRotaryBackward, HeadNormRotaryBackwardBuffers};
pub use ops::heat_overlay::{HeatOverlay, HeatOverlayBuffers, HeatOverlayShape, HeatOverlayTexture};
pub use ops::largest_component::{Connectivity, LabelBuffers, LargestComponent, LargestComponentBuffers};
pub use ops::merge_attention::{MergeAttention, MergeAttentionBuffers};
pub use ops::merge_attention_backward::{MergeAttentionBackward, MergeAttentionBackwardBuffers};
pub use ops::normalize::{Normalization, Normalize, NormalizeBuffers};
pub use ops::normalize_backward::{NormalizeBackward, NormalizeBackwardBuffers};
pub use ops::planes_to_texture::{PlanesToTexture, PlanesToTextureBuffers};
pub use ops::pointwise_conv::{PointwiseConv, PointwiseConvBuffers, PointwiseConvOptions};
pub use ops::pointwise_conv_backward::{PointwiseConvBackward, PointwiseConvBackwardBuffers};
pub use ops::region_measures::{RegionMeasures, RegionMeasuresBuffers, RegionMeasuresOptions, RegionOrder};
pub use ops::resize::{Resize, ResizeBuffers, ResizeShape};
pub use ops::resize_backward::{ResizeBackward, ResizeBackwardBuffers};
pub use ops::sasa_layer::{SasaLayer, SasaLayerBuffers, SasaLayerOptions};
pub use ops::sasa_layer_backward::{SasaLayerBackward, SasaLayerBackwardBuffers};
pub use ops::sasa_stem::{SasaStem, SasaStemBuffers, SasaStemOptions};
pub use ops::sasa_stem_backward::{SasaStemBackward, SasaStemBackwardBuffers};
pub use ops::scse::{ScSe, ScSeBuffers, ScSeCombine, ScSeOptions, ScSeShape};
pub use ops::scse_backward::{ScSeBackward, ScSeBackwardBuffers};
pub use ops::spatial_gate::{SpatialGate, SpatialGateBuffers, SpatialGateShape};
pub use ops::spatial_gate_backward::{SpatialGateBackward, SpatialGateBackwardBuffers};
pub use ops::squeeze_excite::{SqueezeExcite, SqueezeExciteBuffers, SqueezeExciteOptions, SqueezeExciteShape};
pub use ops::squeeze_excite_backward::{SqueezeExciteBackward, SqueezeExciteBackwardBuffers};
pub use ops::texture_to_planes::{TextureToPlanes, TextureToPlanesBuffers};
pub use ops::threshold::{Threshold, ThresholdBuffers, ThresholdRule, ThresholdShape};
pub use ops::window_attention::{
    Border, PositionTables, QueryPosition, RelativePosition, WindowAttention, WindowAttentionBuffers,
    WindowAttentionOptions, WindowAxis, WindowWeightsBuffers,
};
pub use ops::window_attention_backward::{WindowAttentionBackward, WindowAttentionBackwardBuffers};
pub use ops::window_pool::{Pooling, WindowPool, WindowPoolBuffers};
pub use ops::window_pool_backward::{WindowPoolBackward, WindowPoolBackwardBuffers};
pub use ops::window_stream::{WindowStream, WindowStreamBuffers, WindowStreamOptions, WindowStreamRecording};
pub use shape::{Nchw, Ncthw, Nhw, Size};
pub use tensor_spec::{DType, Role, TensorSpec};
pub use wgpu;

/// The README's example, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
