use num_traits::Float;

use super::attention_map::maximum;
use super::real;
use crate::{Nchw, Pooling, Size};

/// `y[n, c, i, j]` = the mean, or the maximum, over `(a, b)` of `x[n, c, i*kh + a, j*kw + b]` (arXiv:1906.05909, Sec. 3.3).
/// `x [n, c, h, w]`; returns `[n, c, floor(h / kh), floor(w / kw)]`: rows and columns that fill no window are left out.
/// Maxima propagate NaN.
#[must_use]
pub fn window_pool<T: Float>(shape: Nchw, pooling: Pooling, window: Size, x: &[T]) -> Vec<T> {
    let (height, width) = (shape.height / window.height, shape.width / window.width);
    let count = real::<T>(window.pixels() as f64);
    let mut y = Vec::new();
    for plane in x.chunks_exact((shape.size().pixels() as usize).max(1)) {
        for (i, j) in (0..height).flat_map(|i| (0..width).map(move |j| (i, j))) {
            let entries = (0..window.height).flat_map(|a| (0..window.width).map(move |b| (a, b)));
            let values = entries.map(|(a, b)| {
                plane[(i * window.height + a) as usize * shape.width as usize + (j * window.width + b) as usize]
            });
            y.push(match pooling {
                Pooling::Mean => values.fold(T::zero(), |sum, value| sum + value) / count,
                Pooling::Max => values.fold(T::neg_infinity(), maximum),
            });
        }
    }
    y
}
