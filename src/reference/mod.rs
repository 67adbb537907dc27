//! The operators on the CPU, in plain loops in the order of their formulas.
//!
//! Each is generic over the float type: in `f64` it is the oracle that kernels are checked against, in `f32` the baseline that
//! says how much error the formula itself brings. Shapes are those of the operators; slices of a wrong length panic, as
//! indexing does: these are for checking and for machines without a GPU, not for untrusted shapes.

mod attention_map;
mod pointwise_conv;
mod sasa_layer;
mod sasa_stem;
mod window_attention;
mod window_pool;

pub use attention_map::attention_map;
pub use pointwise_conv::pointwise_conv;
pub use sasa_layer::sasa_layer;
pub use sasa_stem::sasa_stem;
pub use window_attention::{WindowAttentionResult, window_attention};
pub use window_pool::window_pool;

/// A number of any size in the float type of a reference.
pub(crate) fn real<T: num_traits::Float>(value: f64) -> T {
    // `f32` and `f64` take every f64, rounded.
    T::from(value).unwrap_or_else(T::nan)
}
