//! GPU compute kernels for visual attention.

#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod cost;
mod element;
mod error;
#[cfg(feature = "host")]
pub mod host;
mod ops;
mod pipeline;
mod plan;
pub mod reference;
pub mod shaders;
mod shape;

pub use cost::Cost;
pub use element::Element;
pub use error::Error;
pub use ops::attention_map::{AttentionMap, AttentionMapBuffers, Statistic};
pub use ops::pointwise_conv::{PointwiseConv, PointwiseConvBuffers, PointwiseConvOptions};
pub use ops::sasa_layer::{SasaLayer, SasaLayerBuffers, SasaLayerOptions};
pub use ops::sasa_stem::{SasaStem, SasaStemBuffers, SasaStemOptions};
pub use ops::window_attention::{
    Border, Query, Relative, RelativeTables, WindowAttention, WindowAttentionBuffers, WindowAttentionOptions,
    WindowWeightsBuffers,
};
pub use ops::window_pool::{Pooling, WindowPool, WindowPoolBuffers};
pub use pipeline::{Dispatch, Step};
pub use shape::{Nchw, Nhw, Size};
pub use wgpu;
