//! The whole suite in one binary, one module for each operator: one link of wgpu, one device.
//! `cargo test attention_map` runs one operator's tests.

mod cases;
mod common;

use common::{compiler, describing};

mod attended_region;
mod attention_map;
mod attention_map_backward;
mod bisenet;
mod bisenet_backward;
mod bounding_box;
mod cbam;
mod channel_scale;
mod channel_scale_backward;
mod component_labels;
mod compositions;
mod crop_resize;
mod crop_resize_backward;
mod cross_attention;
mod cross_attention_backward;
mod dense;
mod dense_backward;
mod documents;
mod eca;
mod eca_backward;
mod embedding;
mod errors;
mod floors;
mod global_pool;
mod global_pool_backward;
mod golden;
mod gradients;
mod harness;
mod head_norm_rotary;
mod head_norm_rotary_backward;
mod heat_overlay;
mod host;
mod largest_component;
mod layers;
mod loss;
mod merge_attention;
mod merge_attention_backward;
mod normalize;
mod normalize_backward;
#[path = "cases/on_gpu.rs"]
mod on_gpu;
mod operators;
mod papers;
#[path = "../examples/picture/mod.rs"]
#[expect(dead_code, reason = "the examples write pictures, too")]
mod picture;
mod pictures;
mod places;
mod planes_to_texture;
mod planner;
mod pointwise_conv;
mod pointwise_conv_backward;
mod region_measures;
mod resize;
mod resize_backward;
mod sasa_layer;
mod sasa_layer_backward;
mod sasa_stem;
mod sasa_stem_backward;
mod scse;
mod scse_backward;
mod side_effects;
mod special_values;
mod squeeze_excite;
mod squeeze_excite_backward;
mod sums;
mod texture_to_planes;
mod threshold;
mod translations;
mod window_attention;
mod window_attention_backward;
mod window_pool;
mod window_pool_backward;
mod window_stream;
