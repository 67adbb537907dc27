//! Operators: one file each, `new` -> `bind` -> `record`.

pub mod activation;
pub mod attended_region;
pub mod attention_map;
pub mod batch_norm;
pub mod bisenet;
pub mod bounding_box;
pub mod cbam;
pub mod channel_scale;
pub mod crop_resize;
pub mod dense;
pub mod eca;
pub mod epilogue;
pub mod global_pool;
pub mod heat_overlay;
pub mod largest_component;
pub mod normalize;
pub mod pointwise_conv;
pub mod resize;
pub mod sasa_layer;
pub mod sasa_stem;
pub mod scse;
pub mod spatial_gate;
pub mod squeeze_excite;
pub mod threshold;
pub mod window_attention;
pub mod window_pool;
