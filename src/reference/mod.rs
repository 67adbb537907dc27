//! The operators on the CPU, in plain loops in the order of their formulas.
//!
//! Each function is generic over the float type. In `f64` it is the oracle that kernels are checked against. In `f32` it is the
//! baseline that shows how much error the formula itself brings.
//!
//! Shapes are those of the operators. Slices of a wrong length panic, as indexing does: these functions are for checking and
//! for machines without a GPU, not for untrusted shapes.

mod attended_region;
mod attention_map;
mod attention_map_backward;
mod bisenet;
mod bisenet_backward;
mod bounding_box;
mod cbam;
mod cbam_backward;
mod channel_scale;
mod channel_scale_backward;
mod component_labels;
mod crop_resize;
mod crop_resize_backward;
mod cross_attention;
mod cross_attention_backward;
mod dense;
mod dense_backward;
mod eca;
mod eca_backward;
mod global_pool;
mod global_pool_backward;
mod head_norm_rotary;
mod head_norm_rotary_backward;
mod heat_overlay;
mod largest_component;
mod merge_attention;
mod merge_attention_backward;
mod normalize;
mod normalize_backward;
mod planes_to_texture;
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
mod spatial_gate_backward;
mod squeeze_excite;
mod squeeze_excite_backward;
mod texture_to_planes;
mod threshold;
mod window_attention;
mod window_attention_backward;
mod window_pool;
mod window_pool_backward;

pub use attended_region::{AttendedRegions, attended_region};
pub use attention_map::attention_map;
pub use attention_map_backward::attention_map_backward;
pub use bisenet::bisenet;
pub use bisenet_backward::{BiSeNetGradients, bisenet_backward};
pub use bounding_box::bounding_box;
pub use cbam::{cbam, spatial_gate};
pub use cbam_backward::{CbamGradients, cbam_backward};
pub use channel_scale::channel_scale;
pub use channel_scale_backward::{ChannelScaleGradients, GateUpstream, channel_scale_backward};
pub use component_labels::component_labels;
pub use crop_resize::crop_resize;
pub use crop_resize_backward::crop_resize_backward;
pub use cross_attention::{CrossAttentionResult, cross_attention};
pub use cross_attention_backward::{CrossAttentionGradients, cross_attention_backward};
pub use dense::{Layer, Norm, dense, side_by_side};
pub use dense_backward::{DenseGradients, dense_backward};
pub use eca::eca;
pub use eca_backward::{EcaGradients, eca_backward};
pub use global_pool::{global_max, global_mean};
pub use global_pool_backward::global_pool_backward;
pub use head_norm_rotary::head_norm_rotary;
pub use head_norm_rotary_backward::{HeadNormRotaryGradients, head_norm_rotary_backward};
pub use heat_overlay::heat_overlay;
pub use largest_component::{Components, largest_component};
pub use merge_attention::{MergedAttention, merge_attention};
pub use merge_attention_backward::{MergeAttentionGradients, merge_attention_backward};
pub use normalize::{map_range, normalize};
pub use normalize_backward::normalize_backward;
pub use planes_to_texture::planes_to_texture;
pub use pointwise_conv::pointwise_conv;
pub use pointwise_conv_backward::{PointwiseConvGradients, pointwise_conv_backward};
pub use region_measures::{RegionTable, region_measures};
pub use resize::resize;
pub use resize_backward::resize_backward;
pub use sasa_layer::sasa_layer;
pub use sasa_layer_backward::{SasaLayerGradients, SasaLayerSaved, sasa_layer_backward};
pub use sasa_stem::sasa_stem;
pub use sasa_stem_backward::{SasaStemGradients, sasa_stem_backward};
pub use scse::scse;
pub use scse_backward::{ScSeGradients, scse_backward};
pub use spatial_gate_backward::{SpatialGateGradients, spatial_gate_backward};
pub use squeeze_excite::{Excitation, squeeze_excite};
pub use squeeze_excite_backward::{SqueezeExciteGradients, squeeze_excite_backward};
pub use texture_to_planes::{texture_to_planes, transferred};
pub use threshold::{otsu_level, threshold};
pub use window_attention::{WindowAttentionResult, WindowEntry, window_attention, window_entries};
pub use window_attention_backward::{WindowAttentionGradients, WindowAttentionSaved, window_attention_backward};
pub use window_pool::window_pool;
pub use window_pool_backward::window_pool_backward;

/// `term(0) + .. + term(n - 1)`, added up by halves down to 32 terms. The error hardly grows with `n`: a term takes part in
/// `32 + log2(n / 32)` additions.
pub(crate) fn sum<T: num_traits::Float>(n: usize, term: impl Fn(usize) -> T) -> T {
    fn between<T: num_traits::Float>(range: std::ops::Range<usize>, term: &impl Fn(usize) -> T) -> T {
        if range.len() <= 32 {
            return range.fold(T::zero(), |sum, index| sum + term(index));
        }
        let middle = range.start + range.len() / 2;
        between(range.start..middle, term) + between(middle..range.end, term)
    }
    between(0..n, &term)
}

/// Converts a number to the float type of a reference.
pub(crate) fn real<T: num_traits::Float>(value: f64) -> T {
    // `f32` and `f64` take every `f64`, rounded.
    T::from(value).unwrap_or_else(T::nan)
}
