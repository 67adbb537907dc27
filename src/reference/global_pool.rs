use num_traits::Float;

use super::attention_map::maximum;
use super::{real, sum};
use crate::Nchw;

/// `mean[n, c]` = the sum over `y`, `x` of `features[n, c, y, x]`, divided by `h * w` (Squeeze-and-Excitation,
/// arXiv:1709.01507, Eq. 2). `features [n, c, h, w]`; returns `[n, c]`.
#[must_use]
pub fn global_mean<T: Float>(shape: Nchw, features: &[T]) -> Vec<T> {
    let pixels = shape.size().pixels() as usize;
    let mean = |plane: &[T]| sum(plane.len(), |pixel| plane[pixel]) / real(pixels as f64);
    features.chunks_exact(pixels).map(mean).collect()
}

/// `maximum[n, c]` = the largest of `features[n, c, y, x]` over `y`, `x`; NaN propagates (CBAM, arXiv:1807.06521, Sec. 3.1).
/// `features [n, c, h, w]`; returns `[n, c]`.
#[must_use]
pub fn global_max<T: Float>(shape: Nchw, features: &[T]) -> Vec<T> {
    let largest = |plane: &[T]| plane.iter().copied().fold(T::neg_infinity(), maximum);
    features.chunks_exact(shape.size().pixels() as usize).map(largest).collect()
}
