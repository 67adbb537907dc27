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
pub use ops::bisenet::{BiSeNetAttention, BiSeNetAttentionBuffers, BiSeNetModule};
pub use ops::cbam::{Cbam, CbamBuffers, CbamOptions, SpatialGate, SpatialGateBuffers};
pub use ops::channel_scale::{ChannelScale, ChannelScaleBuffers, Form};
pub use ops::dense::{Activation, BatchNorm, Dense, DenseBuffers, DenseShape};
pub use ops::eca::{Eca, EcaBuffers};
pub use ops::global_pool::{GlobalPool, GlobalPoolBuffers, Squeeze};
pub use ops::scse::{ScSe, ScSeBuffers, ScSeCombine};
pub use ops::squeeze_excite::{SqueezeExcite, SqueezeExciteBuffers, SqueezeExciteOptions};
pub use pipeline::{Dispatch, Step};
pub use shape::{Nchw, Nhw, Size};
pub use wgpu;
