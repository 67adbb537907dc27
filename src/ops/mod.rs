//! Operators: one file each, `new` -> `bind` -> `record`.

pub(crate) mod activation;
pub(crate) mod attended_region;
pub(crate) mod attention_map;
pub(crate) mod batch_norm;
pub(crate) mod bisenet;
pub(crate) mod bounding_box;
pub(crate) mod cbam;
pub(crate) mod channel_scale;
pub(crate) mod crop_resize;
pub(crate) mod dense;
pub(crate) mod eca;
pub(crate) mod global_pool;
pub(crate) mod heat_overlay;
pub(crate) mod largest_component;
pub(crate) mod normalize;
pub(crate) mod pointwise_conv;
pub(crate) mod resize;
pub(crate) mod sasa_layer;
pub(crate) mod sasa_stem;
pub(crate) mod scse;
pub(crate) mod squeeze_excite;
pub(crate) mod threshold;
pub(crate) mod window_attention;
pub(crate) mod window_pool;
