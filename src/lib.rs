//! GPU compute kernels for visual attention.

#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod color_map;
mod cost;
mod element;
mod error;
#[cfg(feature = "host")]
pub mod host;
mod ops;
mod pipeline;
mod plan;
pub mod reference;
mod resample;
pub mod shaders;
mod shape;

pub use color_map::ColorMap;
pub use cost::Cost;
pub use element::Element;
pub use error::Error;
pub use ops::attended_region::{AttendedRegion, AttendedRegionBuffers, AttendedRegionOptions};
pub use ops::attention_map::{AttentionMap, AttentionMapBuffers, Statistic};
pub use ops::bounding_box::{BoundingBox, BoundingBoxBuffers};
pub use ops::crop_resize::{CropEnd, CropResize, CropResizeBuffers};
pub use ops::heat_overlay::{HeatOverlay, HeatOverlayBuffers, HeatOverlayTexture};
pub use ops::largest_component::{Connectivity, LabelBuffers, LargestComponent, LargestComponentBuffers};
pub use ops::normalize::{Normalization, Normalize, NormalizeBuffers};
pub use ops::resize::{Resize, ResizeBuffers};
pub use ops::threshold::{Threshold, ThresholdBuffers, ThresholdRule};
pub use pipeline::{Dispatch, Step};
pub use resample::Sampling;
pub use shape::{Nchw, Nhw, Size};
pub use wgpu;
